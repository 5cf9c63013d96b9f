//! Instatus: `/summary.json`, with the components and the feed of the same page.
//!
//! The summary lists what is open, without updates: these, and how something ended, are only in
//! `history.atom`. Both lists are omitted when empty, so a missing list on a page that reports
//! issues proves nothing. Old answers have no ids: the last part of an incident's URL is the same
//! id.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use url::Url;

use super::feed::Feed;
use super::support::fields::{Id, MaybeId, OrDefault, Text, When};
use super::support::vocabulary::{self, lookup};
use super::support::{Items, List, MAX_NAME, at, bases, candidates, json, link, sniff};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, expressible,
};
use statuswatch_model::snapshot::{Basis, Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "instatus";
const COMPONENTS: &str = "components";
const FEED: &str = "feed";

/// The overall statuses of a page. "Has issues" does not say how bad they are.
const OVERALL: &[(&str, Impact)] = &[
    ("UP", Impact::None),
    ("HASISSUES", Impact::Minor),
    ("UNDERMAINTENANCE", Impact::Maintenance),
];

/// The adapter for Instatus.
#[derive(Debug)]
pub(super) struct Instatus;

#[derive(Debug, Deserialize)]
struct Summary {
    page: Head,
    #[serde(rename = "activeIncidents")]
    incidents: Option<List>,
    #[serde(rename = "activeMaintenances")]
    maintenances: Option<List>,
    /// Present only where another platform is imitated.
    status: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Head {
    id: MaybeId,
    name: Text,
    url: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Notice {
    id: MaybeId,
    name: Text,
    status: Text,
    impact: Text,
    url: Text,
    started: When,
    start: When,
    /// Minutes, as a string or a number.
    duration: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Components {
    components: List,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: Id,
    name: Text,
    status: Text,
    group: Option<Group>,
    #[serde(rename = "isParent")]
    is_parent: OrDefault<bool>,
    children: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Group {
    id: Id,
    name: Text,
}

impl Source for Instatus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".instatus.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["instatus.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["summary.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let summary = sniff::<Summary>(document).filter(|summary| summary.status.is_none())?;
        overall(&summary.page)?;
        Some(format!(
            "the document has the shape of Instatus's summary and the page status \"{}\"",
            summary.page.status
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let summary: Summary = json(&documents.first, NAME)?;
        let Some(impact) = overall(&summary.page).filter(|_| summary.status.is_none()) else {
            let reason = format!(
                "the page status \"{}\" is none of Instatus's",
                one_line(&summary.page.status, 40)
            );
            return Err(ParseError::not_this(NAME, reason));
        };
        let mut items = Items::new(limits);
        let (mut incidents, open_incidents) = notices(
            &mut items,
            Kind::Incident,
            summary.incidents.as_deref(),
            impact != Impact::Minor,
        )?;
        let (maintenances, open_maintenances) = notices(
            &mut items,
            Kind::Maintenance,
            summary.maintenances.as_deref(),
            impact != Impact::Maintenance,
        )?;
        incidents.extend(maintenances);
        let before = items.rejected();
        let components = documents
            .detail(COMPONENTS)
            .map(|document| components(&mut items, document))
            .transpose()?;
        let all_components = components.is_some() && items.rejected() == before;
        if let Some(document) = documents.detail(FEED) {
            join_feed(&mut incidents, &Feed.parse(&Documents::only(document.clone()), limits)?);
        }
        let name = one_line(&summary.page.name, MAX_NAME);
        Ok(Snapshot {
            page: Page {
                id: summary.page.id.0.map(|id| id.0),
                name: (!name.is_empty()).then_some(name),
                url: link(&summary.page.url),
                version: None,
                impact: Some(impact),
                ..Page::default()
            },
            incidents,
            components: components.unwrap_or_default(),
            coverage: Coverage {
                incidents: open_incidents,
                maintenances: open_maintenances,
                all_components,
            },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        let Some(base) = bases(&base(&first.url)).into_iter().next() else {
            return Vec::new();
        };
        [(COMPONENTS, "v2/components.json"), (FEED, "history.atom")]
            .into_iter()
            .filter_map(|(role, path)| Some(Detail { role, url: at(&base, path)?, optional: true }))
            .collect()
    }

    /// Further updates and components are visible in the summary only if they change the status of
    /// what is open.
    fn is_sidecar(&self, _: &str, snapshot: &Snapshot) -> bool {
        !snapshot.is_quiet()
    }
}

/// Returns the directory of the page, without the version that may precede the summary.
fn base(summary: &Url) -> Url {
    let mut base = summary.clone();
    let path = base
        .path()
        .split("/api/")
        .next()
        .unwrap_or_default()
        .trim_end_matches("summary.json")
        .to_owned();
    let path = ["/v2/", "/v3/"]
        .into_iter()
        .find_map(|version| path.strip_suffix(version))
        .unwrap_or(&path);
    base.set_path(&format!("{}/", path.trim_end_matches('/')));
    base
}

fn overall(page: &Head) -> Option<Impact> {
    OVERALL.iter().find(|(word, _)| *word == page.status).map(|(_, impact)| *impact)
}

/// Returns the notices of a list, and what an absence means. `may_be_missing`: the page reports
/// none.
fn notices(
    items: &mut Items,
    kind: Kind,
    list: Option<&[Box<RawValue>]>,
    may_be_missing: bool,
) -> Result<(Vec<Incident>, Listing), ParseError> {
    let what = if kind == Kind::Maintenance { "activeMaintenances" } else { "activeIncidents" };
    let before = items.rejected();
    let read = items.build(
        what,
        list.unwrap_or_default(),
        |_, wire| notice(kind, wire),
        |incident: &Incident| &incident.id,
    )?;
    let said = list.is_some() || may_be_missing;
    Ok((read, if said && items.rejected() == before { Listing::Open } else { Listing::Unknown }))
}

fn notice(kind: Kind, wire: Notice) -> Result<Incident, String> {
    let url = link(&wire.url);
    let id = wire
        .id
        .0
        .map(|id| id.0)
        .or_else(|| last_part(url.as_deref()?))
        .ok_or("neither an id nor an address")?;
    let status = status(&wire.status);
    let mut incident = Incident::new(kind, id, one_line(&wire.name, MAX_NAME));
    if status != IncidentStatus::Update {
        incident.status = status;
    } else if kind == Kind::Maintenance {
        incident.basis = Basis::Begin;
    }
    incident.url = url;
    if kind == Kind::Maintenance {
        let start = wire.start.or(wire.started.0);
        let minutes =
            wire.duration.and_then(|text| text.0.parse().ok()).and_then(TimeDelta::try_minutes);
        incident.scheduled_for = start;
        incident.scheduled_until = start
            .zip(minutes)
            .and_then(|(start, minutes)| start.checked_add_signed(minutes))
            .and_then(expressible);
    } else {
        incident.impact = lookup(&wire.impact, &[("MINOROUTAGE", Impact::Major)])
            .unwrap_or_else(|| vocabulary::impact(&wire.impact));
        incident.started_at = wire.started.or(wire.start.0);
    }
    Ok(incident)
}

fn status(word: &str) -> IncidentStatus {
    lookup(word, &[("NOTSTARTEDYET", IncidentStatus::Scheduled)])
        .unwrap_or_else(|| vocabulary::status(word))
}

/// Returns the id in `…/incident/<id>`, which the feed and old summaries use.
fn last_part(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let last = url.path_segments()?.rfind(|part| !part.is_empty())?;
    (last.len() >= 6).then(|| last.to_owned())
}

fn components(items: &mut Items, document: &Document) -> Result<Vec<Component>, ParseError> {
    // The documentation shows a plain list, the pages answer with an object.
    let bare = document.text().trim_start().starts_with('[');
    let list: List =
        if bare { json(document, NAME)? } else { json::<Components>(document, NAME)?.components };
    if list.is_empty() {
        let reason = "the list of components is empty".to_owned();
        return Err(ParseError::not_this(NAME, reason));
    }
    let rows: Vec<Row> = items.read(COMPONENTS, &list)?;
    let mut all: Vec<(Row, Option<String>)> = Vec::with_capacity(rows.len());
    for mut row in rows {
        for child in
            items.nested::<Row>("components of a group", &std::mem::take(&mut row.children))?
        {
            all.push((child, Some(row.name.0.clone())));
        }
        let group = row.group.as_ref().map(|group| group.name.0.clone());
        all.push((row, group));
    }
    // Groups are listed like components.
    let mut skip: HashSet<Id> = all
        .iter()
        .filter_map(|(row, _)| row.group.as_ref().map(|group| group.id.clone()))
        .collect();
    skip.extend(all.iter().filter(|(row, _)| row.is_parent.0).map(|(row, _)| row.id.clone()));
    Ok(all
        .into_iter()
        .filter(|(row, _)| skip.insert(row.id.clone()))
        .map(|(row, group)| {
            let group = group.map(|name| one_line(&name, MAX_NAME)).filter(|name| !name.is_empty());
            let status = lookup(&row.status, &[("MINOROUTAGE", ComponentStatus::PartialOutage)]);
            let status = status.unwrap_or_else(|| vocabulary::component(&row.status));
            component(Some(row.id.0), one_line(&row.name, MAX_NAME), group, status)
        })
        .collect())
}

/// Merges the feed: updates of what is open, and what is over. What only the feed calls open is not
/// open any more; the next feed shows how it ended.
fn join_feed(incidents: &mut Vec<Incident>, feed: &Snapshot) {
    for past in &feed.incidents {
        let Some(id) = past.url.as_deref().and_then(last_part).or_else(|| last_part(&past.id))
        else {
            continue;
        };
        if let Some(known) = incidents.iter_mut().find(|incident| incident.id == id) {
            if known.updates.is_empty() {
                known.updates.clone_from(&past.updates);
            }
        } else if past.status.is_over() {
            incidents.push(Incident { id, ..past.clone() });
        }
    }
}
