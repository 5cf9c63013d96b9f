//! Apple: `system_status_en_US.js`, JSON or JSONP, for customers and for developers.
//!
//! Events have an id and are listed under each service they affect, with a text and a status
//! specific to it. An event has one text, replaced when the event enters its next status;
//! `datePosted` is the time of the document. An update is therefore a status of an event: its text
//! may be edited, and the next status is the next update.

use std::collections::HashMap;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, Text};
use super::support::{Items, List, at, json, lenient, name, prose, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, Time, expressible,
};
use statuswatch_model::snapshot::{
    Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};
use statuswatch_model::text::one_line;

const NAME: &str = "apple";
const HOST: &str = "www.apple.com";
const CUSTOMERS: &str = "support/systemstatus/data/system_status_en_US.js";
const DEVELOPERS: &str = "support/systemstatus/data/developer/system_status_en_US.js";
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for Apple's pages.
#[derive(Debug)]
pub(super) struct Apple;

#[derive(Debug, Deserialize)]
struct Listed {
    services: List,
}

#[derive(Debug, Deserialize)]
struct Service {
    #[serde(rename = "serviceName")]
    name: String,
    events: List,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    message_id: Id,
    status_type: Text,
    #[serde(rename = "eventStatus")]
    state: Text,
    #[serde(default)]
    epoch_start_date: Option<i64>,
    #[serde(default)]
    epoch_end_date: Option<i64>,
    message: Text,
    users_affected: Text,
}

impl Source for Apple {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["apple.com"]
    }

    fn accept(&self) -> &'static str {
        "application/json, application/javascript;q=0.9, text/javascript;q=0.9, */*;q=0.1"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let host = page.host_str().unwrap_or_default();
        let developers = host == "developer.apple.com" || page.path().contains("/developer/");
        let customers = matches!(host, HOST | "apple.com") && page.path().contains("systemstatus");
        if !host.ends_with("apple.com") || !(developers || customers) {
            return Vec::new();
        }
        let path = if developers { DEVELOPERS } else { CUSTOMERS };
        Url::parse(&format!("https://{HOST}/"))
            .ok()
            .and_then(|root| at(&root, path))
            .into_iter()
            .collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let status = sniff::<Listed>(&unwrap(document)?)?;
        lenient::read::<Service>(status.services.first()?.get()).ok()?;
        Some("the document lists services as Apple's system status does".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = unwrap(&documents.first).unwrap_or_else(|| documents.first.clone());
        let status: Listed = json(&first, NAME)?;
        let mut items = Items::new(limits);
        let services: Vec<Service> = items.read("services", &status.services)?;
        if services.is_empty() {
            return Err(ParseError::not_this(NAME, "no service is listed"));
        }
        let mut groups: Vec<(Id, Vec<(String, Event)>)> = Vec::new();
        let mut places: HashMap<Id, usize> = HashMap::new();
        for service in services {
            let name = name(&service.name);
            for event in items.nested::<Event>("events", &service.events)? {
                let id = event.message_id.clone();
                if let Some((_, events)) = places.get(&id).and_then(|place| groups.get_mut(*place))
                {
                    events.push((name.clone(), event));
                } else {
                    places.insert(id.clone(), groups.len());
                    groups.push((id, vec![(name.clone(), event)]));
                }
            }
        }
        if groups.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "events",
                count: groups.len(),
                limit: limits.max_items,
            });
        }
        let incidents: Vec<Incident> =
            groups.into_iter().filter_map(|(id, events)| incident(id, &events)).collect();
        let whole = items.rejected() == 0;
        let quiet = whole && incidents.iter().all(|incident| incident.status.is_over());
        // Ended events stay for some days and disappear one by one, so an absence has no meaning.
        let listing = if whole { Listing::Open } else { Listing::Unknown };
        Ok(Snapshot {
            page: Page { impact: quiet.then_some(Impact::None), ..Page::default() },
            coverage: Coverage { incidents: listing, maintenances: listing, all_components: false },
            incidents,
            components: Vec::new(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Returns the document without the call that may wrap it: `jsonCallback({…});`.
fn unwrap(document: &Document) -> Option<Document> {
    match document.shape() {
        Shape::Json => Some(document.clone()),
        Shape::Other => {
            let text = document.text();
            let (call, rest) = text.trim_start_matches('\u{feff}').trim().split_once('(')?;
            if call.len() > 64
                || !call
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
            {
                return None;
            }
            let body = rest.trim_end().trim_end_matches(';').trim_end().strip_suffix(')')?;
            Some(Document::new(document.url.clone(), None, body.to_owned()))
        }
        _ => None,
    }
}

/// Returns the event with one id, as shown by the services it affects.
fn incident(id: Id, events: &[(String, Event)]) -> Option<Incident> {
    // An event that is not over for one service is not over.
    let (_, leading) =
        events.iter().find(|(_, event)| !status(event).is_over()).or_else(|| events.first())?;
    let now = status(leading);
    let kind = if is_maintenance(leading) { Kind::Maintenance } else { Kind::Incident };
    let start = epoch_ms_of(events.iter().filter_map(|(_, event)| event.epoch_start_date).min());
    let end = epoch_ms_of(events.iter().filter_map(|(_, event)| event.epoch_end_date).max());
    let text = [&leading.message, &leading.users_affected]
        .map(|text| prose(text))
        .into_iter()
        .filter(|text| !text.is_empty());
    let update = Update {
        // The id is that of a status of the event.
        id: UpdateId::Native(format!("{id}-{now}")),
        status: now,
        stated: now,
        published_at: if now.is_over() { end.or(start) } else { start },
        edited_at: None,
        text: text.collect::<Vec<_>>().join("\n"),
    };
    let mut names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let planned = kind == Kind::Maintenance;
    Some(Incident {
        status: now,
        impact: impact(&leading.status_type),
        url: None,
        started_at: start,
        scheduled_for: start.filter(|_| planned),
        scheduled_until: end.filter(|_| planned),
        components: components(events),
        updates: vec![update],
        ..Incident::new(
            kind,
            id.0,
            one_line(&format!("{}: {}", leading.status_type, names.join(", ")), MAX_NAME),
        )
    })
}

fn components(events: &[(String, Event)]) -> Vec<Component> {
    let mut out: Vec<Component> = Vec::with_capacity(events.len());
    for (name, event) in events {
        if !out.iter().any(|known| known.name == *name) {
            let now = if status(event).is_over() {
                ComponentStatus::Operational
            } else {
                state(&event.status_type)
            };
            out.push(component(None, name.clone(), None, now));
        }
    }
    out
}

fn epoch_ms_of(milliseconds: Option<i64>) -> Option<Time> {
    milliseconds.and_then(Time::from_timestamp_millis).and_then(expressible)
}

fn is_maintenance(event: &Event) -> bool {
    vocabulary::lookup(&event.status_type, &[("Maintenance", ())]).is_some()
}

fn status(event: &Event) -> IncidentStatus {
    let planned = is_maintenance(event);
    let table = [
        (
            "ongoing",
            if planned { IncidentStatus::InProgress } else { IncidentStatus::Investigating },
        ),
        ("resolved", if planned { IncidentStatus::Completed } else { IncidentStatus::Resolved }),
        ("completed", if planned { IncidentStatus::Completed } else { IncidentStatus::Resolved }),
        ("upcoming", IncidentStatus::Scheduled),
        ("scheduled", IncidentStatus::Scheduled),
    ];
    vocabulary::lookup(&event.state, &table).unwrap_or(IncidentStatus::Update)
}

fn impact(kind: &str) -> Impact {
    const KINDS: &[(&str, Impact)] = &[
        ("Outage", Impact::Major),
        ("Issue", Impact::Minor),
        ("Performance", Impact::Minor),
        ("Maintenance", Impact::Maintenance),
        ("Available", Impact::None),
    ];
    vocabulary::lookup(kind, KINDS).unwrap_or(Impact::Unknown)
}

fn state(kind: &str) -> ComponentStatus {
    const KINDS: &[(&str, ComponentStatus)] = &[
        ("Outage", ComponentStatus::MajorOutage),
        ("Issue", ComponentStatus::PartialOutage),
        ("Performance", ComponentStatus::DegradedPerformance),
        ("Maintenance", ComponentStatus::UnderMaintenance),
        ("Available", ComponentStatus::Operational),
    ];
    vocabulary::lookup(kind, KINDS).unwrap_or(ComponentStatus::Unknown)
}
