//! Adobe: `StatusEvents`, incidents and maintenances of the last time, in objects by id.
//!
//! An incident has a history for each product it affects, by time. Entries of one time are one
//! update: the same words stand under each product.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::shared::fields::{self, Id};
use super::shared::{Items, List, Order, Written, in_order, json, lenient, marks, prose, words};
use super::{Documents, Limits, ParseError, Source};
use crate::document::Document;
use crate::event::{Component, ComponentStatus, Impact, Kind, Status};
use crate::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use crate::text::one_line;

const NAME: &str = "adobe";
const FIRST: &str = "https://data.status.adobe.com/adobestatus/StatusEvents";
/// Products named in a title.
const MAX_NAMED: usize = 5;
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for Adobe's page.
#[derive(Debug)]
pub(super) struct Adobe;

/// Values by key, not looked at yet.
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
}

#[derive(Debug, Deserialize)]
struct Maintenances {
    maintenance: Map,
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

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "fields::or_default")]
    status: String,
    #[serde(default, deserialize_with = "fields::or_default")]
    severity: String,
    #[serde(default)]
    message: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMaintenance {
    id: Id,
    status: String,
    products: Map,
    #[serde(default)]
    message: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "fields::optional_id")]
    start_time: Option<Id>,
    #[serde(default, deserialize_with = "fields::optional_id")]
    end_time: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Named {
    id: Id,
    name: String,
}

impl Source for Adobe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let known = matches!(page.host_str(), Some("status.adobe.com" | "data.status.adobe.com"));
        if known { Url::parse(FIRST).into_iter().collect() } else { Vec::new() }
    }

    fn recognise(&self, document: &Document) -> Option<String> {
        marks::<StatusEvents>(document)
            .map(|_| "the document has the shape of Adobe's status events".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let events: StatusEvents = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let mut incidents = Vec::new();
        let list: List = events.incident_event.incidents.into_values().collect();
        for wire in items.read::<WireIncident>("incidents", &list)? {
            incidents.push(incident(&mut items, wire)?);
        }
        let list: List = events.maintenance_event.maintenance.into_values().collect();
        for wire in items.read::<WireMaintenance>("maintenances", &list)? {
            incidents.push(maintenance(&mut items, wire)?);
        }
        let whole = items.rejected() == 0;
        let quiet = whole
            && incidents
                .iter()
                .all(|incident| incident.status.is_over() || incident.status == Status::Scheduled);
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
        })
    }
}

fn incident(items: &mut Items, wire: WireIncident) -> Result<Incident, ParseError> {
    let list: List = wire.products.into_values().collect();
    let products: Vec<Product> = items.nested("products", &list)?;
    let mut updates: BTreeMap<String, Written> = BTreeMap::new();
    let mut components = Vec::with_capacity(products.len());
    let mut impact = Impact::Unknown;
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
        impact = if severity.rank() > impact.rank() { severity } else { impact };
        let state = if over { ComponentStatus::Operational } else { state(severity) };
        components.push(component(
            Some(product.id.0.clone()),
            one_line(&product.name, MAX_NAME),
            None,
            state,
        ));
        for (key, entry) in &product.history {
            let status = match status(&entry.status) {
                Status::Completed => Status::Resolved,
                status => status,
            };
            let written =
                Written::new(status, fields::moment_of(key), words_of(entry.message.as_deref()));
            updates.entry(key.clone()).or_insert(written);
        }
    }
    let incident = Incident {
        status: if open { Status::Investigating } else { Status::Resolved },
        impact,
        started_at: updates.values().filter_map(|written| written.at).min(),
        updates: in_order(updates.into_values(), Order::OldestFirst),
        ..Incident::new(Kind::Incident, wire.id.0, title("Incident", &components))
    };
    Ok(Incident { components, ..incident })
}

fn maintenance(items: &mut Items, wire: WireMaintenance) -> Result<Incident, ParseError> {
    let list: List = wire.products.into_values().collect();
    let products: Vec<Named> = items.nested("products", &list)?;
    let status = match status(&wire.status) {
        Status::Resolved | Status::Completed => Status::Completed,
        Status::Scheduled => Status::Scheduled,
        _ => Status::InProgress,
    };
    let state = if status == Status::InProgress {
        ComponentStatus::UnderMaintenance
    } else {
        ComponentStatus::Operational
    };
    let components: Vec<Component> = products
        .into_iter()
        .map(|product| {
            component(Some(product.id.0), one_line(&product.name, MAX_NAME), None, state)
        })
        .collect();
    let start = wire.start_time.as_ref().and_then(|id| fields::moment_of(id.as_str()));
    let text = words_of(wire.message.as_deref());
    // No update is told of; the words come with the announcement.
    let updates = if text.is_empty() {
        Vec::new()
    } else {
        in_order([Written::new(Status::Scheduled, start, text)], Order::OldestFirst)
    };
    let maintenance = Incident {
        status,
        started_at: start,
        scheduled_for: start,
        scheduled_until: wire.end_time.as_ref().and_then(|id| fields::moment_of(id.as_str())),
        updates,
        ..Incident::new(Kind::Maintenance, wire.id.0, title("Maintenance", &components))
    };
    Ok(Incident { components, ..maintenance })
}

fn title(what: &str, components: &[Component]) -> String {
    let named: Vec<&str> =
        components.iter().take(MAX_NAMED).map(|component| component.name.as_str()).collect();
    let more = components.len().saturating_sub(named.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    one_line(&format!("{what}: {}{more}", named.join(", ")), MAX_NAME)
}

/// A text, or the English one of several.
fn words_of(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw.map(RawValue::get) else {
        return String::new();
    };
    if let Ok(text) = lenient::read::<String>(raw) {
        return prose(&text);
    }
    let texts: BTreeMap<String, String> = lenient::read(raw).unwrap_or_default();
    let english = texts
        .iter()
        .find(|(language, _)| language.starts_with("en"))
        .or_else(|| texts.iter().next());
    english.map(|(_, text)| prose(text)).unwrap_or_default()
}

fn status(word: &str) -> Status {
    const WORDS: &[(&str, Status)] = &[
        ("opened", Status::Investigating),
        ("started", Status::Investigating),
        ("reopened", Status::Investigating),
        ("discovery", Status::Investigating),
        ("updated", Status::Update),
        ("scheduled", Status::Scheduled),
        ("closed", Status::Resolved),
        ("completed", Status::Completed),
        ("canceled", Status::Resolved),
        ("dismissed", Status::Resolved),
    ];
    words::look_up(word, WORDS).unwrap_or(Status::Update)
}

fn severity(word: &str) -> Impact {
    const WORDS: &[(&str, Impact)] = &[
        ("Major", Impact::Major),
        ("Minor", Impact::Minor),
        ("Potential", Impact::None),
        ("Trivial", Impact::None),
        ("Maintenance", Impact::Maintenance),
    ];
    words::look_up(word, WORDS).unwrap_or(Impact::Unknown)
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
