//! Google's dashboards (Cloud, Workspace, Firebase, Maps, Ads): `incidents.json`, a plain list of
//! the past year.
//!
//! Updates have no ids and are identified by their creation time. Their `status` is the status of
//! the service while they are the newest, and is rewritten when another follows, so it says nothing
//! about the update itself. Only `end` says that an incident is over; "operational" is never
//! stated.
//!
//! Before 2021-04 incidents had no id either, but a number, unique within its service.

use std::collections::HashSet;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, MaybeId, OrDefault, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, bases, candidates, json, lenient, name, order_updates, prose,
    sniff, vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};

const NAME: &str = "google";
const FILE: &str = "incidents.json";

/// The adapter for Google's dashboards.
#[derive(Debug)]
pub(super) struct Google;

/// Fields that every incident of every schema has.
#[derive(Debug, Deserialize)]
struct Signature {
    #[serde(rename = "number")]
    _number: Id,
    #[serde(rename = "begin")]
    _begin: String,
    #[serde(rename = "external_desc")]
    _description: String,
    #[serde(rename = "service_key")]
    _service: String,
    #[serde(rename = "updates")]
    _updates: List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireIncident {
    id: MaybeId,
    number: MaybeId,
    begin: When,
    end: When,
    external_desc: Text,
    updates: OrDefault<List>,
    status_impact: Text,
    severity: Text,
    service_key: Text,
    service_name: Text,
    affected_products: OrDefault<Vec<Named>>,
    currently_affected_locations: OrDefault<Vec<Named>>,
    previously_affected_locations: OrDefault<Vec<Named>>,
    uri: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    title: Text,
    id: MaybeId,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireUpdate {
    created: When,
    modified: When,
    when: When,
    text: Text,
    /// The status of the service.
    status: Text,
}

impl Source for Google {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".google.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let host = page.host_str().unwrap_or_default();
        if host != "google.com" && !host.ends_with(".google.com") {
            return Vec::new();
        }
        candidates(page, &[FILE])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let list = sniff::<List>(document)?;
        lenient::read::<Signature>(list.first()?.get()).ok()?;
        Some("the document is a list of incidents as Google's dashboards have it".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = &documents.first;
        let list: List = json(first, NAME)?;
        if list.is_empty() {
            let reason = "the list is empty, and a history of incidents never is".to_owned();
            return Err(ParseError::not_this(NAME, reason));
        }
        let mut items = Items::new(limits);
        let mut ids = HashSet::new();
        let mut incidents = Vec::with_capacity(list.len());
        for wire in items.read::<WireIncident>("incidents", &list)? {
            let Some(id) = id(&wire) else {
                items
                    .reject("incidents", &format!("neither id nor number: {}", wire.external_desc));
                continue;
            };
            if ids.insert(id.clone()) {
                incidents.push(incident(&mut items, id, &wire, &first.url)?);
            } else {
                items.reject("incidents", &format!("the id {id} is duplicated"));
            }
        }
        if incidents.is_empty() {
            return Err(ParseError::malformed("JSON", "no incident has an identity"));
        }
        let whole = items.rejected() == 0;
        let quiet = whole && incidents.iter().all(|incident| incident.status.is_over());
        Ok(Snapshot {
            page: Page {
                url: bases(&first.url).first().map(ToString::to_string),
                impact: quiet.then_some(Impact::None),
                ..Page::default()
            },
            coverage: Coverage {
                incidents: if whole { Listing::Recent } else { Listing::Unknown },
                maintenances: Listing::Unknown,
                all_components: false,
            },
            incidents,
            components: Vec::new(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn id(wire: &WireIncident) -> Option<String> {
    match (&wire.id.0, &wire.number.0) {
        (Some(id), _) => Some(id.0.clone()),
        (None, Some(number)) if !wire.service_key.is_empty() => {
            Some(format!("{}-{number}", wire.service_key))
        }
        _ => None,
    }
}

fn incident(
    items: &mut Items,
    id: String,
    wire: &WireIncident,
    document: &Url,
) -> Result<Incident, ParseError> {
    let updates: Vec<WireUpdate> = items.nested("updates", &wire.updates)?;
    let time = |update: &WireUpdate| update.created.or(update.when.0);
    let state = updates
        .iter()
        .max_by_key(|update| time(update))
        .map(|update| update.status.clone())
        .unwrap_or_default();
    let status = if wire.end.is_some() {
        IncidentStatus::Resolved
    } else if vocabulary::lookup(&state, &[("AVAILABLE", ())]).is_some() {
        IncidentStatus::Monitoring
    } else {
        IncidentStatus::Investigating
    };
    let first = updates.iter().filter_map(time).min();
    let written = updates.iter().map(|update| {
        let status = if time(update) == first {
            IncidentStatus::Investigating
        } else {
            IncidentStatus::Update
        };
        RawUpdate {
            edited_at: update.modified.0,
            ..RawUpdate::concluded(status, time(update), prose(&update.text))
        }
    });
    Ok(Incident {
        status,
        impact: impact(&wire.status_impact, &wire.severity),
        url: document
            .join(&wire.uri)
            .ok()
            .filter(|_| !wire.uri.is_empty())
            .map(|url| url.to_string()),
        started_at: wire.begin.0,
        components: components(wire, status),
        updates: order_updates(written, Order::NewestFirst),
        ..Incident::new(Kind::Incident, id, name(&wire.external_desc))
    })
}

/// Returns the products an incident names. The status of a product is that of its incidents; if
/// only one location is affected, it becomes the group.
fn components(wire: &WireIncident, status: IncidentStatus) -> Vec<Component> {
    const STATES: &[(&str, ComponentStatus)] = &[
        ("SERVICE_INFORMATION", ComponentStatus::Operational),
        ("SERVICE_DISRUPTION", ComponentStatus::DegradedPerformance),
        ("SERVICE_OUTAGE", ComponentStatus::MajorOutage),
    ];
    let state = match vocabulary::lookup(&wire.status_impact, STATES) {
        _ if status.is_over() => ComponentStatus::Operational,
        state => state.unwrap_or(ComponentStatus::Unknown),
    };
    let locations = match wire.currently_affected_locations.as_slice() {
        [] => wire.previously_affected_locations.as_slice(),
        now => now,
    };
    let group = match locations {
        [only] => only.id.as_ref().map(|id| id.0.clone()),
        _ => None,
    };
    if wire.affected_products.is_empty() {
        let name = name(&wire.service_name);
        return if name.is_empty() {
            Vec::new()
        } else {
            vec![component(None, name, group, state)]
        };
    }
    let products = wire.affected_products.iter();
    products
        .map(|product| {
            component(
                product.id.as_ref().map(|id| id.0.clone()),
                name(&product.title),
                group.clone(),
                state,
            )
        })
        .collect()
}

fn impact(state: &str, severity: &str) -> Impact {
    let high = vocabulary::lookup(severity, &[("high", ())]).is_some();
    let table = [
        ("SERVICE_INFORMATION", Impact::None),
        ("SERVICE_DISRUPTION", if high { Impact::Major } else { Impact::Minor }),
        ("SERVICE_OUTAGE", if high { Impact::Critical } else { Impact::Major }),
    ];
    vocabulary::lookup(state, &table).unwrap_or(Impact::Unknown)
}
