//! Adobe: `StatusEvents`, recent incidents and maintenances, as objects keyed by id.
//!
//! Incidents and maintenances have a history, ordered by time, for each product they affect.
//! Entries of the same time are one update: the same text is repeated under each product. Title and
//! text are referenced by tokens, whose texts are listed next to the events; older documents
//! contain the text itself.

mod messages;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use self::messages::{Messages, with_window, written};
use super::support::fields::{self, Id, OrDefault, Text, When};
use super::support::{Items, List, Order, RawUpdate, json, name, order_updates, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "adobe";
const FIRST: &str = "https://data.status.adobe.com/adobestatus/StatusEvents";
/// Maximum number of products named in a title.
const MAX_NAMED: usize = 5;
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for Adobe's page.
#[derive(Debug)]
pub(super) struct Adobe;

/// Values by key, not decoded yet.
type Map = BTreeMap<String, Box<RawValue>>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusEvents {
    incident_event: Incidents,
    maintenance_event: Maintenances,
}

#[derive(Debug, Deserialize)]
struct Incidents {
    incidents: Map,
    #[serde(default)]
    messages: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Maintenances {
    maintenance: Map,
    #[serde(default)]
    messages: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct WireIncident {
    id: Id,
    products: Map,
}

#[derive(Debug, Deserialize)]
struct Product {
    id: Id,
    name: String,
    history: BTreeMap<String, Entry>,
}

/// A product of a maintenance; its history is optional.
#[derive(Debug, Deserialize)]
struct Planned {
    id: Id,
    name: String,
    history: OrDefault<BTreeMap<String, Entry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
struct Entry {
    status: Text,
    severity: Text,
    #[serde(default)]
    message: Option<Box<RawValue>>,
    title_token: Text,
    message_token: Text,
}

impl Entry {
    fn text(&self, messages: &Messages) -> String {
        let own = written(self.message.as_deref());
        if own.is_empty() { messages.text(&self.message_token) } else { own }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMaintenance {
    id: Id,
    status: String,
    products: Map,
    #[serde(default)]
    message: Option<Box<RawValue>>,
    start_time: When,
    end_time: When,
    scheduled_date: When,
    started_on: When,
    completed_on: When,
}

impl Source for Adobe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["status.adobe.com"]
    }

    fn version(&self) -> u32 {
        2
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let known = matches!(page.host_str(), Some("status.adobe.com" | "data.status.adobe.com"));
        if known { Url::parse(FIRST).into_iter().collect() } else { Vec::new() }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        sniff::<StatusEvents>(document)
            .map(|_| "the document has the shape of Adobe's status events".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let events: StatusEvents = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let mut incidents = Vec::new();
        let messages = Messages::new(events.incident_event.messages.as_deref());
        let list: List = events.incident_event.incidents.into_values().collect();
        for wire in items.read::<WireIncident>("incidents", &list)? {
            incidents.push(incident(&mut items, wire, &messages)?);
        }
        bounded(&messages)?;
        let messages = Messages::new(events.maintenance_event.messages.as_deref());
        let list: List = events.maintenance_event.maintenance.into_values().collect();
        for wire in items.read::<WireMaintenance>("maintenances", &list)? {
            incidents.push(maintenance(&mut items, wire, &messages)?);
        }
        bounded(&messages)?;
        let whole = items.rejected() == 0;
        let quiet = whole
            && incidents.iter().all(|incident| {
                incident.status.is_over() || incident.status == IncidentStatus::Scheduled
            });
        let listing = if whole { Listing::Open } else { Listing::Unknown };
        Ok(Snapshot {
            page: Page {
                name: Some("Adobe".to_owned()),
                url: Some("https://status.adobe.com/".to_owned()),
                impact: quiet.then_some(Impact::None),
                ..Page::default()
            },
            coverage: Coverage { incidents: listing, maintenances: listing, all_components: false },
            incidents,
            components: Vec::new(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Returns an error if the tokens of a list expand to more text than a document may contain.
fn bounded(messages: &Messages) -> Result<(), ParseError> {
    if messages.is_exhausted() {
        let reason = "its tokens expand to more text than a document may contain".to_owned();
        return Err(ParseError::Malformed { format: "JSON", reason });
    }
    Ok(())
}

fn incident(
    items: &mut Items,
    wire: WireIncident,
    messages: &Messages,
) -> Result<Incident, ParseError> {
    let list: List = wire.products.into_values().collect();
    let products: Vec<Product> = items.nested("products", &list)?;
    let mut updates: BTreeMap<String, RawUpdate> = BTreeMap::new();
    let mut components = Vec::with_capacity(products.len());
    let mut severities = Vec::with_capacity(products.len());
    let mut open = products.is_empty();
    for product in &products {
        let newest = product
            .history
            .iter()
            .max_by_key(|(key, _)| fields::moment_of(key))
            .map(|(_, entry)| entry);
        let over = newest.is_some_and(|entry| status(&entry.status).is_over());
        open |= !over;
        let severity = newest.map_or(Impact::Unknown, |entry| severity(&entry.severity));
        severities.push(severity);
        let state = if over { ComponentStatus::Operational } else { state(severity) };
        components.push(component(Some(product.id.0.clone()), name(&product.name), None, state));
        for (key, entry) in &product.history {
            let status = match status(&entry.status) {
                IncidentStatus::Completed => IncidentStatus::Resolved,
                status => status,
            };
            let written = RawUpdate::new(status, fields::moment_of(key), entry.text(messages));
            updates.entry(key.clone()).or_insert(written);
        }
    }
    let entries = products.iter().flat_map(|product| &product.history);
    let incident = Incident {
        status: if open { IncidentStatus::Investigating } else { IncidentStatus::Resolved },
        impact: Impact::worst(severities),
        started_at: updates.values().filter_map(|written| written.at).min(),
        updates: order_updates(updates.into_values(), Order::OldestFirst),
        ..Incident::new(
            Kind::Incident,
            wire.id.0,
            title("Incident", entries, messages, &components),
        )
    };
    Ok(Incident { components, ..incident })
}

fn maintenance(
    items: &mut Items,
    wire: WireMaintenance,
    messages: &Messages,
) -> Result<Incident, ParseError> {
    let list: List = wire.products.into_values().collect();
    let products: Vec<Planned> = items.nested("products", &list)?;
    let status = planned(&wire.status);
    let state = if status == IncidentStatus::InProgress {
        ComponentStatus::UnderMaintenance
    } else {
        ComponentStatus::Operational
    };
    let named =
        |product: &Planned| component(Some(product.id.0.clone()), name(&product.name), None, state);
    let components: Vec<Component> = products.iter().map(named).collect();
    let start = wire.scheduled_date.or(wire.start_time.0).or(wire.started_on.0);
    let end = wire.completed_on.or(wire.end_time.0);
    let mut updates: BTreeMap<&str, RawUpdate> = BTreeMap::new();
    for (key, entry) in products.iter().flat_map(|product| &product.history) {
        let text = with_window(&entry.text(messages), start, end);
        // An unknown word does not mean "in progress" either.
        let status = match self::status(&entry.status) {
            IncidentStatus::Update => IncidentStatus::Update,
            _ => planned(&entry.status),
        };
        let at = fields::moment_of(key);
        updates.entry(key).or_insert_with(|| RawUpdate::new(status, at, text));
    }
    let mut updates: Vec<RawUpdate> = updates.into_values().collect();
    let text = with_window(&written(wire.message.as_deref()), start, end);
    if updates.is_empty() && !text.is_empty() {
        // There are no updates; the text is that of the announcement.
        updates.push(RawUpdate::new(IncidentStatus::Scheduled, start, text));
    }
    let entries = products.iter().flat_map(|product| &product.history);
    let maintenance = Incident {
        status,
        started_at: wire.started_on.filter(|_| status != IncidentStatus::Scheduled).or(start),
        scheduled_for: start,
        scheduled_until: end,
        updates: order_updates(updates, Order::OldestFirst),
        ..Incident::new(
            Kind::Maintenance,
            wire.id.0,
            title("Maintenance", entries, messages, &components),
        )
    };
    Ok(Incident { components, ..maintenance })
}

/// Returns the status of a maintenance.
fn planned(word: &str) -> IncidentStatus {
    match status(word) {
        IncidentStatus::Resolved | IncidentStatus::Completed => IncidentStatus::Completed,
        IncidentStatus::Scheduled => IncidentStatus::Scheduled,
        _ => IncidentStatus::InProgress,
    }
}

/// Returns the newest title; otherwise the affected products.
fn title<'a>(
    what: &str,
    entries: impl Iterator<Item = (&'a String, &'a Entry)>,
    messages: &Messages,
    components: &[Component],
) -> String {
    let titled = entries
        .map(|(key, entry)| (fields::moment_of(key), messages.text(&entry.title_token)))
        .filter(|(_, title)| !title.is_empty())
        .max_by_key(|(at, _)| *at);
    if let Some((_, title)) = titled {
        return name(&title);
    }
    let named: Vec<&str> =
        components.iter().take(MAX_NAMED).map(|component| component.name.as_str()).collect();
    let more = components.len().saturating_sub(named.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    one_line(&format!("{what}: {}{more}", named.join(", ")), MAX_NAME)
}

fn status(word: &str) -> IncidentStatus {
    const WORDS: &[(&str, IncidentStatus)] = &[
        ("opened", IncidentStatus::Investigating),
        ("started", IncidentStatus::Investigating),
        ("reopened", IncidentStatus::Investigating),
        ("discovery", IncidentStatus::Investigating),
        ("updated", IncidentStatus::Update),
        ("scheduled", IncidentStatus::Scheduled),
        ("closed", IncidentStatus::Resolved),
        ("completed", IncidentStatus::Completed),
        ("canceled", IncidentStatus::Resolved),
        ("cancelled", IncidentStatus::Resolved),
        ("dismissed", IncidentStatus::Resolved),
    ];
    vocabulary::lookup(word, WORDS).unwrap_or(IncidentStatus::Update)
}

fn severity(word: &str) -> Impact {
    const WORDS: &[(&str, Impact)] = &[
        ("Major", Impact::Major),
        ("Minor", Impact::Minor),
        ("Potential", Impact::None),
        ("Trivial", Impact::None),
        ("Maintenance", Impact::Maintenance),
    ];
    vocabulary::lookup(word, WORDS).unwrap_or(Impact::Unknown)
}

fn state(impact: Impact) -> ComponentStatus {
    match impact {
        Impact::Major | Impact::Critical => ComponentStatus::MajorOutage,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::None => ComponentStatus::Operational,
        Impact::Unknown => ComponentStatus::Unknown,
    }
}
