//! Salesforce Trust: `/v1/incidents/active`, the newest incidents whenever that list changed, and
//! the newest maintenances, which that list does not contain.
//!
//! An empty list of active incidents means operational. Incidents have no title: it is composed of
//! their impact and the affected instances.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::support::fields::{Id, OrDefault, Text, When};
use super::support::{
    Items, List, Order, at, json, lenient, name, oldest_first, prose, sniff, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{
    Basis, Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};

const NAME: &str = "salesforce";
const ACTIVE: &str = "/v1/incidents/active";
const FIRST: &str = "https://api.status.salesforce.com/v1/incidents/active";
const INCIDENTS: &str = "incidents";
const MAINTENANCES: &str = "maintenances";
/// Maximum number of instances named in a title.
const MAX_NAMED: usize = 5;

/// The adapter for Salesforce Trust.
#[derive(Debug)]
pub(super) struct Salesforce;

#[derive(Debug, Deserialize)]
struct Signature {
    #[serde(rename = "id")]
    _id: Id,
    #[serde(rename = "instanceKeys")]
    _instances: Vec<String>,
    #[serde(rename = "IncidentEvents")]
    _events: List,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    id: Id,
    name: Text,
    is_core: OrDefault<bool>,
    created_at: When,
    planned_start_time: When,
    planned_end_time: When,
    instance_keys: OrDefault<Vec<String>>,
    service_keys: OrDefault<Vec<String>>,
    #[serde(rename = "IncidentImpacts", alias = "MaintenanceImpacts")]
    impacts: OrDefault<List>,
    #[serde(rename = "IncidentEvents", alias = "MaintenanceEvents")]
    events: List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
struct WireImpact {
    start_time: When,
    end_time: When,
    #[serde(rename = "type")]
    class: Text,
    severity: Text,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: Id,
    #[serde(rename = "type")]
    class: Text,
    message: Text,
    created_at: When,
    updated_at: When,
}

impl Source for Salesforce {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["status.salesforce.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let known = matches!(
            page.host_str(),
            Some("status.salesforce.com" | "api.status.salesforce.com" | "trust.salesforce.com")
        );
        if known { Url::parse(FIRST).into_iter().collect() } else { Vec::new() }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let list = sniff::<List>(document)?;
        let known = match list.first() {
            Some(first) => {
                first.get().starts_with('{') && lenient::read::<Signature>(first.get()).is_ok()
            }
            None => {
                is_active_list(document)
                    && document.text().trim() == "[]"
                    && !document.body.starts_with(b"\xfe\xff")
            }
        };
        known.then(|| "the document is a list of incidents as Salesforce Trust has it".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let list: List = json(&documents.first, NAME)?;
        if list.is_empty() && !is_active_list(&documents.first) {
            let reason = "an empty list that is not the list of active incidents".to_owned();
            return Err(ParseError::not_this(NAME, reason));
        }
        let mut items = Items::new(limits);
        let mut incidents = read(&mut items, INCIDENTS, Kind::Incident, &list)?;
        let mut listing =
            if is_active_list(&documents.first) { Listing::Open } else { Listing::Recent };
        if let Some(document) = documents.detail(INCIDENTS) {
            let past = history(&mut items, INCIDENTS, Kind::Incident, document)?;
            // What it calls open and the first list does not contain is over by now; the next
            // history shows how.
            let listed: HashSet<String> =
                incidents.iter().map(|incident| incident.id.clone()).collect();
            incidents
                .extend(past.into_iter().filter(|incident| {
                    incident.status.is_over() && !listed.contains(&incident.id)
                }));
            listing = Listing::Recent;
        }
        let mut planned = Listing::Unknown;
        if let Some(document) = documents.detail(MAINTENANCES) {
            incidents.extend(history(&mut items, MAINTENANCES, Kind::Maintenance, document)?);
            planned = Listing::Recent;
        }
        let whole = items.rejected() == 0;
        let quiet = whole
            && incidents.iter().all(|incident| {
                incident.status.is_over() || incident.status == IncidentStatus::Scheduled
            });
        Ok(Snapshot {
            page: Page {
                name: Some("Salesforce".to_owned()),
                url: Some("https://status.salesforce.com/".to_owned()),
                impact: quiet.then_some(Impact::None),
                ..Page::default()
            },
            coverage: Coverage {
                incidents: if whole { listing } else { Listing::Unknown },
                maintenances: if whole { planned } else { Listing::Unknown },
                all_components: false,
            },
            incidents,
            components: Vec::new(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        if !is_active_list(first) {
            return Vec::new();
        }
        [(INCIDENTS, "../incidents"), (MAINTENANCES, "../maintenances")]
            .into_iter()
            .filter_map(|(role, path)| {
                let mut url = at(&first.url, path)?;
                url.set_query(Some("limit=100&sort=updatedAt&order=desc"));
                Some(Detail { role, url, optional: true })
            })
            .collect()
    }

    fn is_sidecar(&self, role: &str, _: &Snapshot) -> bool {
        role == MAINTENANCES
    }
}

fn is_active_list(document: &Document) -> bool {
    document.url.path().ends_with(ACTIVE)
}

fn history(
    items: &mut Items,
    what: &'static str,
    kind: Kind,
    document: &Document,
) -> Result<Vec<Incident>, ParseError> {
    let list: List = json(document, NAME)?;
    if list.is_empty() {
        return Err(ParseError::malformed("JSON", format!("the list of past {what} is empty")));
    }
    read(items, what, kind, &list)
}

fn read(
    items: &mut Items,
    what: &'static str,
    kind: Kind,
    list: &[Box<RawValue>],
) -> Result<Vec<Incident>, ParseError> {
    let mut ids = HashSet::new();
    let mut out = Vec::with_capacity(list.len());
    for wire in items.read::<Wire>(what, list)? {
        if ids.insert(wire.id.clone()) {
            out.push(incident(items, kind, &wire)?);
        } else {
            items.reject(what, &format!("the id {} is duplicated", wire.id));
        }
    }
    Ok(out)
}

fn incident(items: &mut Items, kind: Kind, wire: &Wire) -> Result<Incident, ParseError> {
    let events: Vec<Event> = items.nested("events", &wire.events)?;
    let mut events = oldest_first(events, Order::NewestFirst, |event| event.created_at.0);
    let impacts: Vec<WireImpact> = items.nested("impacts", &wire.impacts)?;
    events.sort_by_key(|event| event.created_at);
    let planned = kind == Kind::Maintenance;
    let updates: Vec<Update> = events.into_iter().map(|event| update(kind, event)).collect();
    let newest = updates
        .iter()
        .rev()
        .map(|update| update.status)
        .find(|status| *status != IncidentStatus::Update);
    let impact = if planned { Impact::Maintenance } else { worst(&impacts, wire.is_core.0) };
    let status = newest.unwrap_or(if planned {
        IncidentStatus::Scheduled
    } else {
        IncidentStatus::Investigating
    });
    let state = match impact {
        _ if status.is_over() => ComponentStatus::Operational,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::Major | Impact::Critical => ComponentStatus::MajorOutage,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::None | Impact::Unknown => ComponentStatus::Unknown,
    };
    let affected =
        if wire.instance_keys.is_empty() { &wire.service_keys } else { &wire.instance_keys };
    Ok(Incident {
        status,
        basis: if planned && newest.is_none() { Basis::Window } else { Basis::Stated },
        impact,
        url: Some(format!(
            "https://status.salesforce.com/{}/{}",
            if planned { MAINTENANCES } else { INCIDENTS },
            wire.id
        )),
        started_at: impacts
            .iter()
            .filter_map(|impact| impact.start_time.0)
            .min()
            .or(wire.created_at.0),
        scheduled_for: wire.planned_start_time.filter(|_| planned),
        scheduled_until: wire.planned_end_time.filter(|_| planned),
        components: affected.iter().map(|key| named(key, state)).collect(),
        updates,
        ..Incident::new(kind, wire.id.0.clone(), title(wire, &impacts, affected))
    })
}

/// Returns an instance or a service, which has only a key: used as its name and truncated like one.
fn named(key: &str, state: ComponentStatus) -> Component {
    let key = name(key);
    component(Some(key.clone()), key, None, state)
}

/// Returns the name of a maintenance; for an incident, its impact and the affected instances.
fn title(wire: &Wire, impacts: &[WireImpact], affected: &[String]) -> String {
    if !wire.name.is_empty() {
        return name(&wire.name);
    }
    // `serviceDisruption` → "Service disruption"
    let mut what = String::new();
    for letter in impacts.last().map_or("Incident", |impact| impact.class.as_str()).chars() {
        if what.is_empty() {
            what.extend(letter.to_uppercase());
        } else if letter.is_uppercase() {
            what.push(' ');
            what.extend(letter.to_lowercase());
        } else {
            what.push(letter);
        }
    }
    let named: Vec<&str> = affected.iter().take(MAX_NAMED).map(String::as_str).collect();
    let more = affected.len().saturating_sub(named.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let place =
        if named.is_empty() { String::new() } else { format!(": {}{more}", named.join(", ")) };
    name(&format!("{what}{place}"))
}

fn update(kind: Kind, event: Event) -> Update {
    let status = match vocabulary::status(&event.class) {
        IncidentStatus::Resolved if kind == Kind::Maintenance => IncidentStatus::Completed,
        status => status,
    };
    Update {
        id: UpdateId::Native(event.id.0),
        status,
        stated: status,
        published_at: event.created_at.0,
        edited_at: event.updated_at.0,
        text: prose(&event.message),
    }
}

/// Returns the worst of the impacts; those on core services are rated higher.
fn worst(impacts: &[WireImpact], core: bool) -> Impact {
    let table = [
        ("minor", if core { Impact::Major } else { Impact::Minor }),
        ("major", if core { Impact::Critical } else { Impact::Major }),
    ];
    // An ended impact counts only if none is active.
    let lasting = impacts.iter().filter(|impact| impact.end_time.is_none());
    let of = |impact: &WireImpact| {
        vocabulary::lookup(&impact.severity, &table).unwrap_or(Impact::Unknown)
    };
    let mut lasting = lasting.map(of).peekable();
    if lasting.peek().is_some() {
        Impact::worst(lasting)
    } else {
        Impact::worst(impacts.iter().map(of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_events_of_one_time_the_lower_one_is_the_older() {
        let text = r#"{"id": 1, "IncidentEvents": [
            {"id": 12, "type": "resolved", "message": "Over.", "createdAt": "2026-03-01T10:00:00Z"},
            {"id": 11, "type": "identified", "message": "Slow.", "createdAt": "2026-03-01T10:00:00Z"}]}"#;
        let mut items = Items::new(Limits::default());
        let read =
            incident(&mut items, Kind::Incident, &serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(read.status, IncidentStatus::Resolved);
        let texts: Vec<&str> = read.updates.iter().map(|update| update.text.as_str()).collect();
        assert_eq!(texts, ["Slow.", "Over."]);
    }
}
