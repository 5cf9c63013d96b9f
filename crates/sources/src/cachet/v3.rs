//! Version 3: JSON:API; a status is a pair of number and word, and a time a pair whose first half
//! is prose.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{NAME, Notice, plan, state, status};
use crate::ParseError;
use crate::support::fields::{Id, OrDefault, References, Text, When};
use crate::support::{Items, List, RawUpdate, json, lenient, name, prose, sniff};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, IncidentStatus, Kind};
use statuswatch_model::snapshot::component;

#[derive(Debug, Deserialize)]
struct Answer {
    data: List,
    included: OrDefault<List>,
    meta: Meta,
    #[serde(rename = "links")]
    _links: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    path: String,
    #[serde(rename = "per_page")]
    _per_page: u64,
}

/// An incident or a schedule.
#[derive(Debug, Deserialize)]
struct Item {
    id: Id,
    attributes: Attributes,
    relationships: OrDefault<Relationships>,
}

#[derive(Debug, Deserialize)]
struct Attributes {
    name: String,
    status: Code,
    message: Text,
    occurred: OrDefault<Moment>,
    scheduled: OrDefault<Moment>,
    completed: OrDefault<Moment>,
    created: Moment,
    updated: OrDefault<Moment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Relationships {
    components: OrDefault<References>,
    updates: OrDefault<References>,
}

#[derive(Debug, Deserialize)]
struct Code {
    value: Id,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Moment {
    #[serde(rename = "string")]
    at: When,
}

#[derive(Debug, Deserialize)]
struct Thing<T> {
    id: Id,
    attributes: T,
}

#[derive(Debug, Deserialize)]
struct Kindred {
    #[serde(rename = "type")]
    class: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    message: Text,
    #[serde(default)]
    status: Option<Code>,
    created: OrDefault<Moment>,
    updated: OrDefault<Moment>,
}

#[derive(Debug, Deserialize)]
struct Part {
    name: String,
    status: Box<RawValue>,
}

/// Returns whether a document is a list of incidents of this version.
pub(super) fn is_one(document: &Document) -> bool {
    let Some(answer) = sniff::<Answer>(document) else {
        return false;
    };
    let first = answer.data.first();
    answer.meta.path.trim_end_matches('/').ends_with("/api/incidents")
        && first.is_none_or(|first| lenient::read::<Item>(first.get()).is_ok())
}

/// Returns the incidents, newest first.
pub(super) fn incidents(document: &Document, items: &mut Items) -> Result<Vec<Notice>, ParseError> {
    listed(document, items, "incidents", |wire, updates| {
        let given = wire.attributes;
        Notice {
            id: wire.id.0,
            name: given.name,
            message: given.message.0,
            status: status(given.status.value.as_str()),
            kind: Kind::Incident,
            link: String::new(),
            opened_at: given.occurred.at.or(given.created.at.0),
            edited_at: given.updated.at.0,
            window: (None, None),
            components: wire.relationships.components.ids(),
            updates,
            complete: true,
        }
    })
}

/// Returns the schedules.
pub(super) fn schedules(document: &Document, items: &mut Items) -> Result<Vec<Notice>, ParseError> {
    listed(document, items, "schedules", |wire, updates| {
        let given = wire.attributes;
        Notice {
            // Incidents are numbered from 1, too.
            id: format!("schedule-{}", wire.id),
            name: given.name,
            message: given.message.0,
            status: plan(given.status.value.as_str()),
            kind: Kind::Maintenance,
            link: String::new(),
            opened_at: given.created.at.0,
            edited_at: given.updated.at.0,
            window: (given.scheduled.at.0, given.completed.at.0),
            components: wire.relationships.components.ids(),
            updates,
            complete: true,
        }
    })
}

fn listed(
    document: &Document,
    items: &mut Items,
    what: &'static str,
    build: impl Fn(Item, Vec<RawUpdate>) -> Notice,
) -> Result<Vec<Notice>, ParseError> {
    let answer: Answer = json(document, NAME)?;
    let is_update = |raw: &RawValue| {
        lenient::read::<Kindred>(raw.get()).is_ok_and(|one| one.class == "updates")
    };
    let written_about: List =
        answer.included.iter().filter(|raw| is_update(raw)).cloned().collect();
    let mut texts: BTreeMap<String, Update> = items
        .nested::<Thing<Update>>("updates", &written_about)?
        .into_iter()
        .map(|one| (one.id.0, one.attributes))
        .collect();
    items.build(
        what,
        &answer.data,
        |_, wire: Item| {
            let own = wire.relationships.updates.data.iter();
            let updates = own
                .filter_map(
                    |one| // It belongs to one incident: named by many, a long one would be held as
                    // many times.
                    Some(written(one.id.as_str(), &texts.remove(one.id.as_str())?)),
                )
                .collect();
            Ok(build(wire, updates))
        },
        |one: &Notice| &one.id,
    )
}

fn written(id: &str, update: &Update) -> RawUpdate {
    let status =
        update.status.as_ref().map_or(IncidentStatus::Update, |code| status(code.value.as_str()));
    RawUpdate {
        id: Some(id.to_owned()),
        edited_at: update.updated.at.0,
        ..RawUpdate::new(status, update.created.at.0, prose(&update.message))
    }
}

/// Returns the components with their status.
pub(super) fn components(
    document: &Document,
    items: &mut Items,
) -> Result<Vec<Component>, ParseError> {
    let answer: Answer = json(document, NAME)?;
    let read = |_: &mut Items, thing: Thing<Part>| {
        let raw = thing.attributes.status.get();
        // A number, or number and word, depending on the release.
        let code =
            lenient::read::<Code>(raw).map(|code| code.value).or_else(|_| lenient::read::<Id>(raw));
        let state = code.map_or(ComponentStatus::Unknown, |code| state(code.as_str()));
        Ok(component(Some(thing.id.0), name(&thing.attributes.name), None, state))
    };
    items.build("components", &answer.data, read, |one: &Component| {
        one.id.as_deref().unwrap_or_default()
    })
}
