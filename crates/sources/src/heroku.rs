//! Heroku: `/api/v4/current-status`, and `/api/v4/incidents` when something may have ended.
//!
//! The two contradict each other and themselves: `resolved: false` next to `state: "resolved"`, and
//! maintenances that stay "upcoming" for months while their updates close them. So the updates take
//! precedence.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::support::fields::{Id, Name, OrDefault, Prose, Text, When};
use super::support::{
    Items, List, Order, candidates, json, lenient, link, name, oldest_first, sibling, sniff,
    vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{
    Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};

const NAME: &str = "heroku";
const INCIDENTS: &str = "incidents";
const PATH: &str = "api/v4/current-status";
/// Past incidents requested.
const HISTORY: &str = "incidents?limit=30";

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
    title: Name,
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
    name: Name,
    status: Text,
}

#[derive(Debug, Deserialize)]
struct WireUpdate {
    id: Id,
    created_at: When,
    updated_at: When,
    contents: Prose,
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
            return Err(ParseError::not_this(NAME, "no system is listed"));
        }
        let all_components = items.rejected() == 0;
        let mut incidents = read(&mut items, INCIDENTS, Kind::Incident, &current.incidents)?;
        let mut listing = Listing::Open;
        if let Some(document) = documents.detail(INCIDENTS) {
            let history: List = json(document, NAME)?;
            if history.is_empty() {
                return Err(ParseError::malformed("JSON", "the history is empty"));
            }
            let mut past = read(&mut items, "history", Kind::Incident, &history)?;
            // What it calls open and the first document does not list is over by now; the next
            // history shows how.
            past.retain(|past| past.status.is_over() && incidents.iter().all(|i| i.id != past.id));
            incidents.extend(past);
            listing = Listing::Recent;
        }
        let before = items.rejected();
        let planned = read(&mut items, "scheduled", Kind::Maintenance, &current.scheduled)?;
        incidents.retain(|incident| planned.iter().all(|other| other.id != incident.id));
        incidents.extend(planned);
        let url = documents.first.url.join("/").ok().map(String::from);
        let part =
            |system: &System| component(None, name(&system.system), None, color(&system.status).0);
        Ok(Snapshot {
            page: Page { name: Some("Heroku".to_owned()), url, ..Page::default() },
            coverage: Coverage {
                incidents: if before == 0 { listing } else { Listing::Unknown },
                maintenances: items.listing(before, Listing::Open),
                all_components,
            },
            incidents,
            components: systems.iter().map(part).collect(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if known.baseline && known.absent(&snapshot.incidents).next().is_none() {
            return Vec::new();
        }
        sibling(&first.url, HISTORY)
            .map(|url| Detail { role: INCIDENTS, url, optional: true })
            .into_iter()
            .collect()
    }
}

fn read(
    items: &mut Items,
    what: &'static str,
    kind: Kind,
    list: &[Box<RawValue>],
) -> Result<Vec<Incident>, ParseError> {
    let build =
        |items: &mut Items, wire| incident(items, kind, wire).map_err(|error| error.to_string());
    items.build(what, list, build, |incident: &Incident| &incident.id)
}

fn incident(items: &mut Items, kind: Kind, wire: WireIncident) -> Result<Incident, ParseError> {
    let read: Vec<WireUpdate> = items.nested("updates", &wire.updates)?;
    let mut read = oldest_first(read, Order::NewestFirst, |update| update.created_at.0);
    read.sort_by_key(|update| update.created_at);
    // The history distinguishes incidents from maintenances only this way.
    let planned = read
        .first()
        .is_some_and(|update| word(&update.update_type) == Some(IncidentStatus::Scheduled));
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
            IncidentStatus::Completed
        }
        (Kind::Maintenance, _) => match word(&wire.state) {
            Some(IncidentStatus::Resolved | IncidentStatus::Completed) => IncidentStatus::Completed,
            Some(IncidentStatus::Scheduled) => IncidentStatus::Scheduled,
            _ => IncidentStatus::InProgress,
        },
        (_, Some(IncidentStatus::Resolved)) => IncidentStatus::Resolved,
        _ if wire.resolved.0 || word(&wire.state) == Some(IncidentStatus::Resolved) => {
            IncidentStatus::Resolved
        }
        (_, Some(status)) if status != IncidentStatus::Update => status,
        _ => IncidentStatus::Investigating,
    };
    let group = match wire.tags.as_slice() {
        [only] => Some(name(only)),
        _ => None,
    };
    // The worst of the systems; unknown where none is named.
    let impact = Impact::worst(wire.systems.iter().map(|system| color(&system.status).1));
    let part =
        |system: Affected| component(None, system.name.0, group.clone(), color(&system.status).0);
    Ok(Incident {
        status,
        impact: if kind == Kind::Maintenance { Impact::Maintenance } else { impact },
        url: link(&wire.full_url),
        started_at: wire.created_at.0,
        components: wire.systems.0.into_iter().map(part).collect(),
        updates,
        ..Incident::new(kind, wire.id.0, wire.title.0)
    })
}

fn update(kind: Kind, wire: WireUpdate) -> Update {
    let text = wire.contents.0;
    let status = match word(&wire.update_type) {
        Some(IncidentStatus::Resolved) if kind == Kind::Maintenance => IncidentStatus::Completed,
        // A closing text under the type of the announcement.
        Some(IncidentStatus::Scheduled) if says_complete(&text) => IncidentStatus::Completed,
        Some(status) => status,
        None => IncidentStatus::Update,
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

fn word(word: &str) -> Option<IncidentStatus> {
    const WORDS: &[(&str, IncidentStatus)] = &[
        ("issue", IncidentStatus::Investigating),
        ("new", IncidentStatus::Investigating),
        ("open", IncidentStatus::Investigating),
        ("investigating", IncidentStatus::Investigating),
        ("identified", IncidentStatus::Identified),
        ("monitoring", IncidentStatus::Monitoring),
        ("update", IncidentStatus::Update),
        ("resolved", IncidentStatus::Resolved),
        ("scheduled", IncidentStatus::Scheduled),
        ("upcoming", IncidentStatus::Scheduled),
        ("completed", IncidentStatus::Completed),
    ];
    vocabulary::lookup(word, WORDS)
}

/// Returns what a color means for a system, and for the impact of an incident.
fn color(word: &str) -> (ComponentStatus, Impact) {
    const COLORS: &[(&str, (ComponentStatus, Impact))] = &[
        ("green", (ComponentStatus::Operational, Impact::None)),
        ("yellow", (ComponentStatus::DegradedPerformance, Impact::Minor)),
        ("red", (ComponentStatus::MajorOutage, Impact::Major)),
        ("blue", (ComponentStatus::UnderMaintenance, Impact::Maintenance)),
    ];
    vocabulary::lookup(word, COLORS).unwrap_or((ComponentStatus::Unknown, Impact::Unknown))
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
        assert_eq!(read.status, IncidentStatus::Resolved);
        let texts: Vec<&str> = read.updates.iter().map(|update| update.text.as_str()).collect();
        assert_eq!(texts, ["Slow.", "Over."]);
    }
}
