//! `FireHydrant`: `/data/payload.json`, the whole history of incidents with their timelines.
//!
//! Components have no status of their own: it follows from the open incidents. So if an incident
//! could not be read, no component is known to be operational. Timeline entries have no ids and are
//! identified by the time they were written; the time they describe may be weeks earlier.

use std::collections::HashMap;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, OrDefault, Text, When};
use super::support::vocabulary::{self, lookup};
use super::support::{
    Items, List, MAX_NAME, Order, RawUpdate, candidates, json, order_updates, prose, sniff,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "firehydrant";

const SEVERITY: &[(&str, Impact)] = &[
    ("SEV1", Impact::Critical),
    ("SEV2", Impact::Major),
    ("SEV3", Impact::Minor),
    ("SEV4", Impact::Minor),
    ("MAINTENANCE", Impact::Maintenance),
    ("UNSET", Impact::None),
];

const CONDITION: &[(&str, ComponentStatus)] = &[
    ("OPERATIONAL", ComponentStatus::Operational),
    ("DEGRADED", ComponentStatus::DegradedPerformance),
    ("OFFLINE", ComponentStatus::MajorOutage),
];

/// The adapter for `FireHydrant`.
#[derive(Debug)]
pub(super) struct FireHydrant;

#[derive(Debug, Deserialize)]
struct Payload {
    config: Config,
    /// The meaning of the page's own condition names.
    conditions: HashMap<String, String>,
    components: List,
    incidents: List,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(rename = "companyName")]
    company: Text,
    title: String,
}

#[derive(Debug, Deserialize)]
struct Part {
    id: Id,
    name: Text,
    condition: Text,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: Id,
    title: Text,
    #[serde(rename = "severitySlug")]
    severity: Text,
    timestamps: Timestamps,
    components: OrDefault<List>,
    timeline: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Timestamps {
    started: When,
    resolved: When,
}

#[derive(Debug, Deserialize)]
struct Entry {
    time: When,
    #[serde(rename = "occurredAt")]
    occurred: When,
    details: EntryDetails,
}

#[derive(Debug, Deserialize)]
struct EntryDetails {
    note: Option<Note>,
    #[serde(rename = "milestoneUpdate")]
    milestone: Option<Milestone>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Note {
    Text(String),
    Inner { note: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Milestone {
    #[serde(rename = "currentMilestone")]
    current: Text,
}

impl Source for FireHydrant {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["firehydrant"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["data/payload.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let payload = sniff::<Payload>(document)?;
        Some(format!(
            "the payload of a FireHydrant status page, \"{}\"",
            one_line(&payload.config.title, 80)
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let payload: Payload = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let incidents = items.build(
            "incidents",
            &payload.incidents,
            |items, wire| {
                incident(items, wire, &payload.conditions).map_err(|error| error.to_string())
            },
            |incident: &Incident| &incident.id,
        )?;
        let all_read = items.rejected() == 0;
        let before = items.rejected();
        let components = items.build(
            "components",
            &payload.components,
            |_, part: Part| Ok(state(&part, &incidents, all_read)),
            |component: &Component| component.id.as_deref().unwrap_or_default(),
        )?;
        let listing = if all_read { Listing::Recent } else { Listing::Unknown };
        let name =
            [&payload.config.company, &payload.config.title].map(|name| one_line(name, MAX_NAME));
        Ok(Snapshot {
            page: Page { name: name.into_iter().find(|name| !name.is_empty()), ..Page::default() },
            coverage: Coverage {
                incidents: listing,
                maintenances: listing,
                all_components: items.rejected() == before,
            },
            incidents,
            components,
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Returns the worst status that an open incident gives a component.
fn state(part: &Part, incidents: &[Incident], all_read: bool) -> Component {
    let affects = |incident: &Incident| {
        let own =
            incident.components.iter().filter(|one| one.id.as_deref() == Some(part.id.as_str()));
        ComponentStatus::worst(own.map(|one| one.status))
    };
    let open = incidents.iter().filter(|incident| {
        !incident.status.is_over() && incident.status != IncidentStatus::Scheduled
    });
    let worst = ComponentStatus::worst(open.filter_map(affects));
    let well = if all_read { ComponentStatus::Operational } else { ComponentStatus::Unknown };
    component(Some(part.id.0.clone()), one_line(&part.name, MAX_NAME), None, worst.unwrap_or(well))
}

fn incident(
    items: &mut Items,
    wire: Wire,
    conditions: &HashMap<String, String>,
) -> Result<Incident, ParseError> {
    let impact = lookup(&wire.severity, SEVERITY).unwrap_or(Impact::Unknown);
    let kind = if impact == Impact::Maintenance { Kind::Maintenance } else { Kind::Incident };
    let entries: Vec<Entry> = items.nested("timeline", &wire.timeline)?;
    let parts: Vec<Part> = items.nested("components of an incident", &wire.components)?;
    let mut incident = Incident::new(kind, wire.id.0, one_line(&wire.title, MAX_NAME));
    incident.impact = impact;
    incident.started_at = wire.timestamps.started.0;
    incident.scheduled_for = wire.timestamps.started.filter(|_| kind == Kind::Maintenance);
    incident.components = parts
        .into_iter()
        .map(|part| {
            let meaning = conditions.get(&part.condition.0).unwrap_or(&part.condition);
            let status = lookup(meaning, CONDITION).unwrap_or(ComponentStatus::Unknown);
            component(Some(part.id.0), one_line(&part.name, MAX_NAME), None, status)
        })
        .collect();
    incident.updates = order_updates(
        entries.into_iter().filter_map(|entry| update(kind, entry)),
        Order::NewestFirst,
    );
    let stated = incident
        .updates
        .iter()
        .rev()
        .map(|update| update.status)
        .find(|status| *status != IncidentStatus::Update);
    incident.status = match (kind, wire.timestamps.resolved.0) {
        (Kind::Maintenance, Some(_)) => IncidentStatus::Completed,
        (_, Some(_)) => IncidentStatus::Resolved,
        (Kind::Maintenance, None) => stated.unwrap_or(IncidentStatus::InProgress),
        (_, None) => {
            stated.filter(|status| !status.is_over()).unwrap_or(IncidentStatus::Investigating)
        }
    };
    Ok(incident)
}

/// Parses `**Identified** — text`, a text alone, or a milestone alone.
fn update(kind: Kind, entry: Entry) -> Option<RawUpdate> {
    let mut status = IncidentStatus::Update;
    let mut text = String::new();
    if let Some(milestone) = entry.details.milestone {
        status = milestone_status(&milestone.current);
    } else {
        let note = match entry.details.note? {
            Note::Text(note) | Note::Inner { note } => note,
        };
        let (label, rest) = label(&note).unwrap_or(("", &note));
        status = if label.is_empty() { status } else { milestone_status(label) };
        text = prose(rest);
    }
    if status == IncidentStatus::Update && text.is_empty() {
        return None;
    }
    let status = if kind == Kind::Maintenance && status == IncidentStatus::Resolved {
        IncidentStatus::Completed
    } else {
        status
    };
    Some(RawUpdate {
        shown_at: entry.occurred.0,
        ..RawUpdate::new(status, entry.time.or(entry.occurred.0), text)
    })
}

/// Returns the bold word at the start of a note and what follows it.
fn label(note: &str) -> Option<(&str, &str)> {
    let (before, rest) = note.split_once("**")?;
    if before.chars().any(char::is_alphanumeric) {
        return None;
    }
    let (label, rest) = rest.split_once("**")?;
    Some((label, rest.trim_start().trim_start_matches(['—', '–', '-']).trim_start()))
}

fn milestone_status(word: &str) -> IncidentStatus {
    let own = [
        ("started", IncidentStatus::Investigating),
        ("mitigated", IncidentStatus::Monitoring),
        ("closed", IncidentStatus::Resolved),
    ];
    lookup(word, &own).unwrap_or_else(|| vocabulary::status(word))
}
