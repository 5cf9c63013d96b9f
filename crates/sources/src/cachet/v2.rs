//! Version 2: `data` with a page count in `meta.pagination`; a status is a number.

use std::collections::HashMap;

use serde::Deserialize;

use super::{NAME, Notice, UPDATES, plan, state, status};
use crate::support::fields::{self, Id, MaybeId, OrDefault, Text, When};
use crate::support::{Items, List, RawUpdate, json, lenient, name, prose, sniff};
use crate::{Documents, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, IncidentStatus, Kind};
use statuswatch_model::snapshot::component;

#[derive(Debug, Deserialize)]
struct Answer {
    meta: Meta,
    data: List,
}

#[derive(Debug, Deserialize)]
struct Meta {
    pagination: Pagination,
}

#[derive(Debug, Deserialize)]
struct Pagination {
    total_pages: u64,
    #[serde(rename = "links")]
    _links: Links,
}

/// Both are present, null on the only page.
#[derive(Debug, Deserialize)]
struct Links {
    #[serde(rename = "next_page", deserialize_with = "fields::or_default")]
    _next: String,
    #[serde(rename = "previous_page", deserialize_with = "fields::or_default")]
    _previous: String,
}

#[derive(Debug, Deserialize)]
struct Incident {
    id: Id,
    name: String,
    status: Id,
    // Required as a signature: lists of things with a name and a status are common.
    #[serde(rename = "human_status")]
    _human: String,
    latest_status: MaybeId,
    message: Text,
    component_id: MaybeId,
    permalink: Text,
    occurred_at: When,
    scheduled_at: When,
    created_at: When,
    updated_at: When,
    #[serde(default)]
    updates: Option<List>,
}

#[derive(Debug, Deserialize)]
struct Update {
    id: Id,
    incident_id: Id,
    status: Id,
    message: Text,
    created_at: When,
    updated_at: When,
}

#[derive(Debug, Deserialize)]
struct Schedule {
    id: Id,
    name: String,
    status: Id,
    message: Text,
    scheduled_at: When,
    completed_at: When,
    created_at: When,
    updated_at: When,
    components: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    component_id: Id,
}

#[derive(Debug, Deserialize)]
struct Part {
    id: Id,
    name: String,
    status: Id,
}

/// Returns whether a document is a list of incidents of this version.
pub(super) fn is_one(document: &Document) -> bool {
    let Some(answer) = sniff::<Answer>(document) else {
        return false;
    };
    match answer.data.first() {
        Some(first) => lenient::read::<Incident>(first.get()).is_ok(),
        None => document.url.path().trim_end_matches('/').ends_with("/api/v1/incidents"),
    }
}

/// Returns whether the list contains the updates of its incidents.
pub(super) fn has_updates(document: &Document) -> bool {
    let items = sniff::<Answer>(document).map(|answer| answer.data).unwrap_or_default();
    items
        .iter()
        .all(|raw| lenient::read::<Incident>(raw.get()).map_or(true, |one| one.updates.is_some()))
}

/// Returns the incidents, with the updates that were requested one by one.
pub(super) fn incidents(
    documents: &Documents,
    items: &mut Items,
) -> Result<Vec<Notice>, ParseError> {
    let answer: Answer = json(&documents.first, NAME)?;
    let more = answer.meta.pagination.total_pages > 1;
    let mut incidents = items.build("incidents", &answer.data, notice, |one: &Notice| &one.id)?;
    let number = |one: &Notice| one.id.parse::<u64>().unwrap_or_default();
    let rising = incidents
        .windows(2)
        .any(|pair| matches!(pair, [above, below] if number(above) < number(below)));
    if more && rising {
        let reason =
            "the list starts with the oldest incidents; request it with \"sort=id&order=desc\""
                .to_owned();
        return Err(ParseError::not_this(NAME, reason));
    }
    let places: HashMap<String, usize> = incidents
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.complete)
        .map(|(place, one)| (one.id.clone(), place))
        .collect();
    for (_, document) in documents.details.iter().filter(|(role, _)| *role == UPDATES) {
        let answer: Answer = json(document, NAME)?;
        for update in items.read::<Update>("updates", &answer.data)? {
            if let Some(own) =
                places.get(update.incident_id.as_str()).and_then(|place| incidents.get_mut(*place))
            {
                own.updates.push(written(update));
            }
        }
    }
    Ok(incidents)
}

fn notice(items: &mut Items, wire: Incident) -> Result<Notice, String> {
    let complete = wire.updates.is_some();
    let updates: Vec<Update> = items
        .nested("updates", &wire.updates.unwrap_or_default())
        .map_err(|error| error.to_string())?;
    let status = status(wire.latest_status.as_ref().unwrap_or(&wire.status).as_str());
    Ok(Notice {
        id: wire.id.0,
        name: wire.name,
        message: wire.message.0,
        status,
        kind: if status == IncidentStatus::Scheduled { Kind::Maintenance } else { Kind::Incident },
        link: wire.permalink.0,
        opened_at: wire.occurred_at.or(wire.created_at.0),
        edited_at: wire.updated_at.0,
        window: (wire.scheduled_at.0, None),
        // 0 means none.
        components: wire.component_id.0.into_iter().map(|id| id.0).filter(|id| id != "0").collect(),
        updates: updates.into_iter().map(written).collect(),
        complete,
    })
}

fn written(update: Update) -> RawUpdate {
    RawUpdate {
        id: Some(update.id.0),
        edited_at: update.updated_at.0,
        ..RawUpdate::new(
            status(update.status.as_str()),
            update.created_at.0,
            prose(&update.message),
        )
    }
}

/// Returns the components with their status.
pub(super) fn components(
    document: &Document,
    items: &mut Items,
) -> Result<Vec<Component>, ParseError> {
    let answer: Answer = json(document, NAME)?;
    let read = |_: &mut Items, part: Part| {
        Ok(component(Some(part.id.0), name(&part.name), None, state(part.status.as_str())))
    };
    items.build("components", &answer.data, read, |one: &Component| {
        one.id.as_deref().unwrap_or_default()
    })
}

/// Returns the schedules, newest first.
pub(super) fn schedules(document: &Document, items: &mut Items) -> Result<Vec<Notice>, ParseError> {
    let answer: Answer = json(document, NAME)?;
    items.build(
        "schedules",
        &answer.data,
        |items, wire: Schedule| {
            let parts: Vec<Affected> = items
                .nested("components of a schedule", &wire.components)
                .map_err(|error| error.to_string())?;
            Ok(Notice {
                // Incidents are numbered from 1, too.
                id: format!("schedule-{}", wire.id),
                name: wire.name,
                message: wire.message.0,
                status: plan(wire.status.as_str()),
                kind: Kind::Maintenance,
                link: String::new(),
                opened_at: wire.created_at.0,
                edited_at: wire.updated_at.0,
                window: (wire.scheduled_at.0, wire.completed_at.0),
                components: parts.into_iter().map(|part| part.component_id.0).collect(),
                updates: Vec::new(),
                complete: true,
            })
        },
        |one: &Notice| &one.id,
    )
}
