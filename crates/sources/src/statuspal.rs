//! StatusPal: `/api/v2/status_pages/<subdomain>/summary` of its API, and `incidents` next to it when
//! something may have ended.
//!
//! Based on StatusPal's documentation and on programs that read it, not on a capture. The page does
//! not name its subdomain, so a page on its own domain must be configured by the API's URL. Times
//! have no zone and are UTC according to the documentation; a program that reads one page found its
//! local time there. Informational notices are left out.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, MaybeId, OrDefault, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, json, link, name, order_updates, prose, sibling, sniff,
    vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source, dates};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Basis, Coverage, Incident, Listing, Page, Snapshot, component};

const NAME: &str = "statuspal";
const HISTORY: &str = "history";
const HISTORY_FILE: &str = "incidents?limit=50";
/// Maximum depth of nested services.
const MAX_DEPTH: usize = 8;

/// The services by id: an incident references many.
type ById<'a> = HashMap<&'a str, &'a Component>;

/// The adapter for StatusPal.
#[derive(Debug)]
pub(super) struct StatusPal;

#[derive(Debug, Deserialize)]
struct Summary {
    status_page: Head,
    services: List,
    incidents: List,
    maintenances: List,
    upcoming_maintenances: List,
}

#[derive(Debug, Deserialize)]
struct Head {
    subdomain: Id,
    name: Text,
    url: Text,
    /// Null when operational, but always present.
    #[serde(deserialize_with = "fields::or_default")]
    current_incident_type: String,
}

#[derive(Debug, Deserialize)]
struct History {
    incidents: List,
    #[serde(rename = "meta")]
    _meta: Count,
}

#[derive(Debug, Deserialize)]
struct Count {
    #[serde(rename = "total_count")]
    _total: u64,
}

#[derive(Debug, Deserialize)]
struct Service {
    id: Id,
    name: String,
    #[serde(deserialize_with = "fields::or_default")]
    current_incident_type: String,
    children: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: Id,
    title: String,
    #[serde(rename = "type", deserialize_with = "fields::or_default")]
    class: String,
    starts_at: When,
    ends_at: When,
    url: Text,
    service_ids: OrDefault<Vec<Id>>,
    updates: List,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    id: MaybeId,
    #[serde(rename = "type")]
    class: Text,
    description: Text,
    posted_at: When,
    inserted_at: When,
    updated_at: When,
}

impl Source for StatusPal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["statuspal.io", "statuspal.eu"]
    }

    fn version(&self) -> u32 {
        2
    }

    /// The subdomain is required and is only in URLs at StatusPal's own hosts.
    fn locate(&self, page: &Url) -> Vec<Url> {
        let mut labels = page.host_str().unwrap_or_default().rsplit('.');
        let region = match (labels.next(), labels.next()) {
            (Some("io"), Some("statuspal")) => "statuspal.io",
            (Some("eu"), Some("statuspal")) => "statuspal.eu",
            _ => return Vec::new(),
        };
        let by_path =
            page.path().split_once("/status_pages/").and_then(|(_, rest)| rest.split('/').next());
        let by_host = labels.next().filter(|label| *label != "www");
        let place = by_path
            .or(by_host)
            .map(|name| format!("https://{region}/api/v2/status_pages/{name}/summary"));
        place.and_then(|place| Url::parse(&place).ok()).into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let page = sniff::<Summary>(document)?.status_page;
        Some(format!(
            "the document has the shape of StatusPal's summary and the subdomain \"{}\"",
            page.subdomain
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        dates::page_zone("UTC");
        let summary: Summary = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let mut components = Vec::new();
        services(&mut items, &summary.services, None, MAX_DEPTH, &mut components)?;
        if components.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "services",
                count: components.len(),
                limit: limits.max_items,
            });
        }
        let all_components = items.rejected() == 0;
        let before = items.rejected();
        let by_id: ById<'_> =
            components.iter().filter_map(|one| Some((one.id.as_deref()?, one))).collect();
        let mut incidents = Vec::new();
        for (what, planned, list) in [
            ("incidents", None, &summary.incidents),
            ("maintenances", Some(IncidentStatus::InProgress), &summary.maintenances),
            (
                "upcoming maintenances",
                Some(IncidentStatus::Scheduled),
                &summary.upcoming_maintenances,
            ),
        ] {
            let build = |items: &mut Items, wire: Item| incident(items, wire, planned, &by_id);
            incidents.extend(items.build(what, list, build, |one: &Incident| &one.id)?);
        }
        let mut listing = items.listing(before, Listing::Open);
        if let Some(document) = documents.detail(HISTORY) {
            let history: History = json(document, NAME)?;
            let before = items.rejected();
            let build = |items: &mut Items, wire: Item| past(items, wire, &by_id);
            let past = items.build(HISTORY, &history.incidents, build, |one: &Incident| &one.id)?;
            let listed: HashSet<String> =
                incidents.iter().map(|one: &Incident| one.id.clone()).collect();
            incidents.extend(
                past.into_iter().filter(|one| one.status.is_over() && !listed.contains(&one.id)),
            );
            listing = if listing == Listing::Open && items.rejected() == before {
                Listing::Recent
            } else {
                Listing::Unknown
            };
        }
        let name = name(&summary.status_page.name);
        Ok(Snapshot {
            page: Page {
                id: Some(summary.status_page.subdomain.0),
                name: (!name.is_empty()).then_some(name),
                url: link(&summary.status_page.url),
                version: None,
                impact: Some(impact(&summary.status_page.current_incident_type)),
                ..Page::default()
            },
            incidents,
            components,
            coverage: Coverage { incidents: listing, maintenances: listing, all_components },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if known.baseline && known.absent(&snapshot.incidents).next().is_none() {
            return Vec::new();
        }
        sibling(&first.url, HISTORY_FILE)
            .map(|url| Detail { role: HISTORY, url, optional: true })
            .into_iter()
            .collect()
    }
}

/// Returns the services, including nested ones; the group is the name of the parent.
fn services(
    items: &mut Items,
    list: &List,
    group: Option<&str>,
    depth: usize,
    out: &mut Vec<Component>,
) -> Result<(), ParseError> {
    if depth == 0 {
        items.reject("services", "nested too deep");
        return Ok(());
    }
    for service in items.read::<Service>("services", list)? {
        let name = name(&service.name);
        let state = state(&service.current_incident_type);
        out.push(component(Some(service.id.0), name.clone(), group.map(str::to_owned), state));
        services(items, &service.children, Some(&name), depth - 1, out)?;
    }
    Ok(())
}

/// Converts an incident of the history: over if it has an end and the summary does not list it any
/// more.
fn past(items: &mut Items, wire: Item, components: &ById<'_>) -> Result<Incident, String> {
    let over = wire.ends_at.is_some();
    let planned = is_planned(&wire.class).then_some(if over {
        IncidentStatus::Completed
    } else {
        IncidentStatus::Scheduled
    });
    let mut incident = incident(items, wire, planned, components)?;
    if over && planned.is_none() {
        incident.status = IncidentStatus::Resolved;
    }
    Ok(incident)
}

/// Converts an incident; `planned` is the status of the maintenances in this list, `None` for
/// incidents.
fn incident(
    items: &mut Items,
    wire: Item,
    planned: Option<IncidentStatus>,
    components: &ById<'_>,
) -> Result<Incident, String> {
    let kind = if planned.is_some() || is_planned(&wire.class) {
        Kind::Maintenance
    } else {
        Kind::Incident
    };
    let updates: Vec<Update> =
        items.nested("updates", &wire.updates).map_err(|error| error.to_string())?;
    let written = updates.into_iter().map(|update| RawUpdate {
        id: update.id.0.map(|id| id.0),
        edited_at: update.updated_at.0,
        ..RawUpdate::new(
            status(kind, &update.class),
            update.posted_at.or(update.inserted_at.0),
            prose(&update.description),
        )
    });
    let mut incident = Incident::new(kind, wire.id.0, name(&wire.title));
    incident.updates = order_updates(written, Order::MostlyNewestFirst);
    let newest = incident
        .updates
        .iter()
        .rev()
        .map(|update| update.status)
        .find(|status| *status != IncidentStatus::Update);
    let begin = if kind == Kind::Maintenance {
        IncidentStatus::InProgress
    } else {
        IncidentStatus::Investigating
    };
    incident.status = planned.or(newest).unwrap_or(begin);
    if kind == Kind::Maintenance {
        incident.basis = Basis::Begin;
        incident.scheduled_for = wire.starts_at.0;
        incident.scheduled_until = wire.ends_at.0;
    } else {
        incident.started_at = wire.starts_at.0;
        incident.impact = if wire.class.is_empty() { Impact::Unknown } else { impact(&wire.class) };
    }
    incident.url = link(&wire.url);
    incident.components = wire
        .service_ids
        .iter()
        .filter_map(|id| components.get(id.as_str()).copied().cloned())
        .collect();
    Ok(incident)
}

/// Returns whether a type is a maintenance. An emergency maintenance is announced when it starts.
fn is_planned(class: &str) -> bool {
    matches!(class, "scheduled" | "emergency-maintenance")
}

/// Maps the type of an update. `essential` describes required action, or the work of a maintenance;
/// `info` implies no status.
fn status(kind: Kind, word: &str) -> IncidentStatus {
    const INCIDENT: &[(&str, IncidentStatus)] = &[
        ("issue", IncidentStatus::Investigating),
        ("essential", IncidentStatus::Update),
        ("info", IncidentStatus::Update),
        ("resolved", IncidentStatus::Resolved),
    ];
    const MAINTENANCE: &[(&str, IncidentStatus)] = &[
        ("issue", IncidentStatus::InProgress),
        ("essential", IncidentStatus::InProgress),
        ("info", IncidentStatus::Update),
        ("resolved", IncidentStatus::Completed),
    ];
    let own = if kind == Kind::Maintenance { MAINTENANCE } else { INCIDENT };
    vocabulary::lookup(word, own).unwrap_or_else(|| vocabulary::status(word))
}

/// Maps the impact of a page or an incident; none is written as null.
fn impact(class: &str) -> Impact {
    const CLASSES: &[(&str, Impact)] = &[
        ("", Impact::None),
        ("info", Impact::None),
        ("performance", Impact::Minor),
        ("minor", Impact::Minor),
        ("major", Impact::Major),
        ("scheduled", Impact::Maintenance),
        ("emergency-maintenance", Impact::Maintenance),
    ];
    vocabulary::lookup(class, CLASSES).unwrap_or(Impact::Unknown)
}

fn state(class: &str) -> ComponentStatus {
    const CLASSES: &[(&str, ComponentStatus)] = &[
        ("", ComponentStatus::Operational),
        ("info", ComponentStatus::Operational),
        ("performance", ComponentStatus::DegradedPerformance),
        ("minor", ComponentStatus::DegradedPerformance),
        ("major", ComponentStatus::MajorOutage),
        ("scheduled", ComponentStatus::UnderMaintenance),
        ("emergency-maintenance", ComponentStatus::UnderMaintenance),
    ];
    vocabulary::lookup(class, CLASSES).unwrap_or(ComponentStatus::Unknown)
}
