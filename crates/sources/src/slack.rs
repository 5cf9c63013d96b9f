//! Slack: `/api/v2.0.0/current`, and `/api/v2.0.0/history` when something may have ended.
//!
//! `current` lists what is open and never shows how it ended. Notes have no ids and are edited
//! without a trace, so they are identified by their time. `current` has the newest note first (in
//! all 711 answers of 2020 to 2024), the history of 2026 the oldest. Top-level dates repeat those
//! of the incident and go back when a note is deleted, so they are no version.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::support::fields::{Id, OrDefault, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, at, json, link, order_updates, prose, sibling, sniff, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "slack";
const HISTORY: &str = "history";
const CURRENT_PATH: &str = "api/v2.0.0/current";
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for Slack's own page.
#[derive(Debug)]
pub(super) struct Slack;

#[derive(Debug, Deserialize)]
struct Current {
    status: String,
    // Required as a signature.
    #[serde(rename = "date_created")]
    _created: String,
    #[serde(rename = "date_updated")]
    _updated: String,
    active_incidents: List,
}

#[derive(Debug, Deserialize)]
struct WireIncident {
    id: Id,
    title: Text,
    #[serde(rename = "type")]
    class: Text,
    status: Text,
    url: Text,
    date_created: When,
    date_updated: When,
    services: OrDefault<Vec<String>>,
    notes: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Note {
    date_created: When,
    body: Text,
}

impl Source for Slack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["slack-status.com", "status.slack.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        // Only one company has such a page; other hosts are never asked for it.
        let host = page.host_str().unwrap_or_default();
        if !matches!(host, "slack-status.com" | "www.slack-status.com" | "status.slack.com") {
            return Vec::new();
        }
        let mut root = page.clone();
        root.set_path("/");
        at(&root, CURRENT_PATH).into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        sniff::<Current>(document)
            .map(|_| "the document has the shape of Slack's status API".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let current: Current = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let mut listing = Listing::Open;
        let order = Order::NewestFirst;
        let mut incidents = read(&mut items, "active_incidents", &current.active_incidents, order)?;
        if let Some(document) = documents.detail(HISTORY) {
            let history: List = json(document, NAME)?;
            let past = read(&mut items, HISTORY, &history, Order::MostlyOldestFirst)?;
            if past.is_empty() {
                return Err(ParseError::malformed("JSON", "the history is empty"));
            }
            listing = Listing::Recent;
            unite(&mut incidents, past);
        }
        if items.rejected() > 0 || (incidents.is_empty() && current.status != "ok") {
            listing = Listing::Unknown;
        }
        let quiet = current.status == "ok" && current.active_incidents.is_empty();
        Ok(Snapshot {
            page: Page {
                name: Some("Slack".to_owned()),
                url: Some("https://slack-status.com/".to_owned()),
                impact: quiet.then_some(Impact::None),
                ..Page::default()
            },
            coverage: Coverage { incidents: listing, maintenances: listing, all_components: false },
            incidents: incidents.into_iter().map(|dated| dated.incident).collect(),
            components: Vec::new(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if known.baseline && known.absent(&snapshot.incidents).next().is_none() {
            return Vec::new();
        }
        sibling(&first.url, HISTORY)
            .map(|url| Detail { role: HISTORY, url, optional: true })
            .into_iter()
            .collect()
    }
}

/// An incident with the time of its last change, which decides the later of two views.
struct Dated {
    incident: Incident,
    changed: Option<Time>,
}

fn read(
    items: &mut Items,
    what: &'static str,
    list: &[Box<RawValue>],
    order: Order,
) -> Result<Vec<Dated>, ParseError> {
    let wire: Vec<WireIncident> = items.read(what, list)?;
    let mut ids = HashSet::new();
    let mut out: Vec<Dated> = Vec::with_capacity(wire.len());
    for incident in wire {
        let dated = dated(items, incident, order)?;
        if ids.insert(dated.incident.id.clone()) {
            out.push(dated);
        } else {
            items.reject(what, &format!("the id {} is duplicated", dated.incident.id));
        }
    }
    Ok(out)
}

fn dated(items: &mut Items, wire: WireIncident, order: Order) -> Result<Dated, ParseError> {
    let notes: Vec<Note> = items.nested("notes", &wire.notes)?;
    let kind = if wire.class == "maintenance" { Kind::Maintenance } else { Kind::Incident };
    let status = status(kind, &wire.status);
    // The first note is written with the incident: others may be inserted before it later, or it
    // may be deleted.
    let oldest = notes.iter().filter_map(|note| note.date_created.0).min();
    let opening = wire
        .date_created
        .filter(|created| notes.iter().any(|note| note.date_created.0 == Some(*created)))
        .or(oldest);
    let begin = if kind == Kind::Maintenance {
        IncidentStatus::Scheduled
    } else {
        IncidentStatus::Investigating
    };
    let written = notes.into_iter().map(|note| {
        let status = if note.date_created.0 == opening { begin } else { IncidentStatus::Update };
        RawUpdate::concluded(status, note.date_created.0, prose(&note.body))
    });
    let state = if status.is_over() { ComponentStatus::Operational } else { state(&wire.class) };
    let incident = Incident {
        status,
        impact: impact(&wire.class),
        url: link(&wire.url),
        started_at: wire.date_created.0,
        components: wire
            .services
            .iter()
            .map(|name| component(None, one_line(name, MAX_NAME), None, state))
            .collect(),
        updates: order_updates(written, order),
        ..Incident::new(kind, wire.id.0, one_line(&wire.title, MAX_NAME))
    };
    Ok(Dated { incident, changed: wire.date_updated.0 })
}

/// Merges the history. What it calls open and `current` does not list is over by now; the next
/// history shows how.
fn unite(incidents: &mut Vec<Dated>, past: Vec<Dated>) {
    for theirs in past {
        match incidents.iter_mut().find(|ours| ours.incident.id == theirs.incident.id) {
            Some(ours) if theirs.changed > ours.changed => *ours = theirs,
            None if theirs.incident.status.is_over() => incidents.push(theirs),
            Some(_) | None => {}
        }
    }
}

fn status(kind: Kind, word: &str) -> IncidentStatus {
    let active = if kind == Kind::Maintenance {
        IncidentStatus::InProgress
    } else {
        IncidentStatus::Investigating
    };
    let table = [
        ("active", active),
        (
            "resolved",
            if kind == Kind::Maintenance {
                IncidentStatus::Completed
            } else {
                IncidentStatus::Resolved
            },
        ),
    ];
    // A canceled maintenance is over, too.
    vocabulary::lookup(word, &table)
        .or_else(|| {
            vocabulary::lookup(
                word,
                &[
                    ("scheduled", IncidentStatus::Scheduled),
                    ("completed", IncidentStatus::Completed),
                ],
            )
        })
        .or_else(|| {
            vocabulary::lookup(
                word,
                &[
                    ("cancelled", IncidentStatus::Completed),
                    ("canceled", IncidentStatus::Completed),
                ],
            )
        })
        .unwrap_or(IncidentStatus::Update)
}

fn impact(class: &str) -> Impact {
    const CLASSES: &[(&str, Impact)] = &[
        ("notice", Impact::None),
        ("incident", Impact::Minor),
        ("outage", Impact::Major),
        ("maintenance", Impact::Maintenance),
    ];
    vocabulary::lookup(class, CLASSES).unwrap_or(Impact::Unknown)
}

fn state(class: &str) -> ComponentStatus {
    const CLASSES: &[(&str, ComponentStatus)] = &[
        ("notice", ComponentStatus::Operational),
        ("incident", ComponentStatus::DegradedPerformance),
        ("outage", ComponentStatus::MajorOutage),
        ("maintenance", ComponentStatus::UnderMaintenance),
    ];
    vocabulary::lookup(class, CLASSES).unwrap_or(ComponentStatus::Unknown)
}
