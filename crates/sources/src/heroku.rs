//! Heroku: `/api/v4/current-status`, and `/api/v4/incidents` when something may have ended.
//!
//! The two contradict each other and themselves: `resolved: false` next to `state: "resolved"`, and
//! maintenances that stay "upcoming" for months while their updates close them. So the updates take
//! precedence.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::support::fields::{Id, OrDefault, Text, When};
use super::support::{
    Items, List, Order, candidates, json, lenient, link, oldest_first, prose, sibling, sniff,
    vocabulary,
};
use super::{Detail, Documents, Known, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{self, ComponentStatus, Impact, Kind, Status};
use statuswatch_model::snapshot::{
    Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};
use statuswatch_model::text::one_line;

const NAME: &str = "heroku";
const INCIDENTS: &str = "incidents";
const PATH: &str = "api/v4/current-status";
/// Past incidents requested.
const HISTORY: &str = "incidents?limit=30";
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for Heroku's page.
#[derive(Debug)]
pub(super) struct Heroku;

#[derive(Debug, Deserialize)]
struct Current {
    status: List,
    incidents: List,
    scheduled: List,
}

#[derive(Debug, Deserialize)]
struct System {
    system: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct WireIncident {
    id: Id,
    title: Text,
    state: Text,
    resolved: OrDefault<bool>,
    created_at: When,
    full_url: Text,
    systems: OrDefault<Vec<Affected>>,
    tags: OrDefault<Vec<String>>,
    updates: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Affected {
    name: Text,
    status: Text,
}

#[derive(Debug, Deserialize)]
struct WireUpdate {
    id: Id,
    created_at: When,
    updated_at: When,
    contents: Text,
    update_type: Text,
}

impl Source for Heroku {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["status.heroku.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let host = page.host_str().unwrap_or_default();
        if host != "heroku.com" && !host.ends_with(".heroku.com") {
            Vec::new()
        } else {
            candidates(page, &[PATH])
        }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let current = sniff::<Current>(document)?;
        lenient::read::<System>(current.status.first()?.get()).ok()?;
        Some("the document has the shape of Heroku's status API".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let current: Current = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let systems: Vec<System> = items.read("systems", &current.status)?;
        if systems.is_empty() {
            return Err(ParseError::NotThis {
                source_name: NAME,
                reason: "no system is listed".to_owned(),
            });
        }
        let all_components = items.rejected() == 0;
        let mut incidents = read(&mut items, INCIDENTS, Kind::Incident, &current.incidents)?;
        let mut listing = Listing::Open;
        if let Some(document) = documents.detail(INCIDENTS) {
            let history: List = json(document, NAME)?;
            if history.is_empty() {
                return Err(ParseError::Malformed {
                    format: "JSON",
                    reason: "the history is empty".to_owned(),
                });
            }
            let listed: HashSet<String> =
                incidents.iter().map(|incident| incident.id.clone()).collect();
            let past = read(&mut items, "history", Kind::Incident, &history)?;
            // What it calls open and the first document does not list is over by now; the next
            // history shows how.
            incidents
                .extend(past.into_iter().filter(|incident| {
                    incident.status.is_over() && !listed.contains(&incident.id)
                }));
            listing = Listing::Recent;
        }
        let before = items.rejected();
        let planned = read(&mut items, "scheduled", Kind::Maintenance, &current.scheduled)?;
        let whole_plan = items.rejected() == before;
        incidents.retain(|incident| !planned.iter().any(|other| other.id == incident.id));
        incidents.extend(planned);
        let whole = before == 0;
        Ok(Snapshot {
            page: Page {
                name: Some("Heroku".to_owned()),
                url: origin(&documents.first.url),
                ..Page::default()
            },
            coverage: Coverage {
                incidents: if whole { listing } else { Listing::Unknown },
                maintenances: if whole_plan { Listing::Open } else { Listing::Unknown },
                all_components,
            },
            incidents,
            components: systems
                .iter()
                .map(|system| {
                    component(None, one_line(&system.system, MAX_NAME), None, state(&system.status))
                })
                .collect(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &Known) -> Vec<Detail> {
        let listed = |id: &String| snapshot.incidents.iter().any(|incident| incident.id == *id);
        if known.baseline && known.open.iter().all(|(_, id)| listed(id)) {
            return Vec::new();
        }
        sibling(&first.url, HISTORY)
            .map(|url| Detail { role: INCIDENTS, url, optional: true })
            .into_iter()
            .collect()
    }
}

fn origin(url: &Url) -> Option<String> {
    url.join("/").ok().map(|url| url.to_string())
}

fn read(
    items: &mut Items,
    what: &'static str,
    kind: Kind,
    list: &[Box<RawValue>],
) -> Result<Vec<Incident>, ParseError> {
    let mut ids = HashSet::new();
    let mut out = Vec::with_capacity(list.len());
    for wire in items.read::<WireIncident>(what, list)? {
        if ids.insert(wire.id.clone()) {
            out.push(incident(items, kind, wire)?);
        } else {
            items.reject(what, &format!("the id {} is duplicated", wire.id));
        }
    }
    Ok(out)
}

fn incident(items: &mut Items, kind: Kind, wire: WireIncident) -> Result<Incident, ParseError> {
    let read: Vec<WireUpdate> = items.nested("updates", &wire.updates)?;
    let mut read = oldest_first(read, Order::NewestFirst, |update| update.created_at.0);
    read.sort_by_key(|update| update.created_at);
    // The history distinguishes incidents from maintenances only this way.
    let planned =
        read.first().is_some_and(|update| word(&update.update_type) == Some(Status::Scheduled));
    let kind = if planned { Kind::Maintenance } else { kind };
    let mut ids = HashSet::new();
    let updates: Vec<Update> = read
        .into_iter()
        .filter(|update| ids.insert(update.id.clone()))
        .map(|wire| update(kind, wire))
        .collect();
    let newest = updates.last().map(|update| update.status);
    let status = match (kind, newest) {
        (Kind::Maintenance, _)
            if wire.resolved.0 || updates.iter().any(|update| update.status.is_over()) =>
        {
            Status::Completed
        }
        (Kind::Maintenance, _) => match word(&wire.state) {
            Some(Status::Resolved | Status::Completed) => Status::Completed,
            Some(Status::Scheduled) => Status::Scheduled,
            _ => Status::InProgress,
        },
        (_, Some(Status::Resolved)) => Status::Resolved,
        _ if wire.resolved.0 || word(&wire.state) == Some(Status::Resolved) => Status::Resolved,
        (_, Some(status)) if status != Status::Update => status,
        _ => Status::Investigating,
    };
    let group = match wire.tags.as_slice() {
        [only] => Some(one_line(only, MAX_NAME)),
        _ => None,
    };
    let systems = wire.systems.iter();
    Ok(Incident {
        status,
        impact: if kind == Kind::Maintenance { Impact::Maintenance } else { impact(&wire.systems) },
        url: link(&wire.full_url),
        started_at: wire.created_at.0,
        components: systems
            .map(|system| {
                component(
                    None,
                    one_line(&system.name, MAX_NAME),
                    group.clone(),
                    state(&system.status),
                )
            })
            .collect::<Vec<event::Component>>(),
        updates,
        ..Incident::new(kind, wire.id.0, one_line(&wire.title, MAX_NAME))
    })
}

fn update(kind: Kind, wire: WireUpdate) -> Update {
    let text = prose(&wire.contents);
    let status = match word(&wire.update_type) {
        Some(Status::Resolved) if kind == Kind::Maintenance => Status::Completed,
        // A closing text under the type of the announcement.
        Some(Status::Scheduled) if says_complete(&text) => Status::Completed,
        Some(status) => status,
        None => Status::Update,
    };
    Update {
        id: UpdateId::Native(wire.id.0),
        status,
        stated: status,
        published_at: wire.created_at.0,
        edited_at: wire.updated_at.0,
        text,
    }
}

/// Returns whether the text says that a maintenance is over.
fn says_complete(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["is complete", "is now complete", "has been completed", "has completed", "was completed"]
        .iter()
        .any(|words| lower.contains(words))
}

fn word(word: &str) -> Option<Status> {
    const WORDS: &[(&str, Status)] = &[
        ("issue", Status::Investigating),
        ("new", Status::Investigating),
        ("open", Status::Investigating),
        ("investigating", Status::Investigating),
        ("identified", Status::Identified),
        ("monitoring", Status::Monitoring),
        ("update", Status::Update),
        ("resolved", Status::Resolved),
        ("scheduled", Status::Scheduled),
        ("upcoming", Status::Scheduled),
        ("completed", Status::Completed),
    ];
    vocabulary::lookup(word, WORDS)
}

fn state(colour: &str) -> ComponentStatus {
    const COLOURS: &[(&str, ComponentStatus)] = &[
        ("green", ComponentStatus::Operational),
        ("yellow", ComponentStatus::DegradedPerformance),
        ("red", ComponentStatus::MajorOutage),
        ("blue", ComponentStatus::UnderMaintenance),
    ];
    vocabulary::lookup(colour, COLOURS).unwrap_or(ComponentStatus::Unknown)
}

/// Returns the worst status of the systems; unknown where none is named.
fn impact(systems: &[Affected]) -> Impact {
    const COLOURS: &[(&str, Impact)] = &[
        ("green", Impact::None),
        ("yellow", Impact::Minor),
        ("red", Impact::Major),
        ("blue", Impact::Maintenance),
    ];
    let of =
        |system: &Affected| vocabulary::lookup(&system.status, COLOURS).unwrap_or(Impact::Unknown);
    Impact::worst(systems.iter().map(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn of_updates_of_one_time_the_lower_one_is_the_older() {
        let text = r#"{"id": 1, "state": "open", "title": "Slow", "updates": [
            {"id": 12, "created_at": "2026-03-01T10:00:00Z", "update_type": "resolved", "contents": "Over."},
            {"id": 11, "created_at": "2026-03-01T10:00:00Z", "update_type": "issue", "contents": "Slow."}]}"#;
        let mut items = Items::new(Limits::default());
        let read =
            incident(&mut items, Kind::Incident, serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(read.status, Status::Resolved);
        let texts: Vec<&str> = read.updates.iter().map(|update| update.text.as_str()).collect();
        assert_eq!(texts, ["Slow.", "Over."]);
    }
}
