//! PagerDuty's own status page: the JSON in its HTML, or `/api/posts`.
//!
//! The page embeds open incidents and the latest resolved ones in `<script id="data">`, each with
//! all its updates. Each update states the impact, overall and for each service it names; a service
//! that no open incident names is operational, as the page shows it. `/api/posts` is read where the
//! configured URL names it.

mod posts;

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, OrDefault, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, candidates, html, lenient, name, order_updates, prose,
    vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{self, Coverage, Incident, Listing, Page, Snapshot};

const NAME: &str = "pagerduty";

/// The adapter for PagerDuty's status page.
#[derive(Debug)]
pub(super) struct PagerDuty;

#[derive(Debug, Deserialize)]
struct Data {
    summary: Summary,
    layout: Layout,
}

#[derive(Debug, Deserialize)]
struct Summary {
    open_incidents: List,
    resolved_incidents: List,
}

#[derive(Debug, Deserialize)]
struct Layout {
    status_page_id: Id,
    layout_settings: LayoutSettings,
}

#[derive(Debug, Deserialize)]
struct LayoutSettings {
    name: Text,
    business_services: List,
}

#[derive(Debug, Deserialize)]
struct BusinessService {
    id: Id,
    name: Text,
    grouping_element: OrDefault<bool>,
    child_business_services: OrDefault<Vec<Id>>,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: Id,
    title: Text,
    updates: List,
    #[serde(default)]
    postmortem: Option<Postmortem>,
}

#[derive(Debug, Deserialize)]
struct Postmortem {
    id: Id,
    message: Text,
    reported_at: When,
    updated_at: When,
}

#[derive(Debug, Deserialize)]
struct Update {
    id: Id,
    status: Text,
    severity: Text,
    message: Text,
    created_at: When,
    reported_at: When,
    updated_at: When,
    impacted_business_services: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Impacted {
    business_service_id: Id,
    name: String,
    severity: Text,
}

impl Source for PagerDuty {
    fn name(&self) -> &'static str {
        NAME
    }

    fn accept(&self) -> &'static str {
        "text/html, application/json;q=0.9"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &[""])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if posts::is_posts(document) {
            return Some(
                "the address and the shape are those of the posts of PagerDuty's status page"
                    .to_owned(),
            );
        }
        if document.shape() != Shape::Html {
            return None;
        }
        let text = document.text();
        let data: Data = lenient::read(html::script(&text, "data")?).ok()?;
        Some(format!(
            "the page holds the data of a PagerDuty status page, id \"{}\"",
            data.layout.status_page_id
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = &documents.first;
        if first.shape() == Shape::Json {
            return posts::parse(first, limits);
        }
        let text = html::page(first, NAME)?;
        let Some(script) = html::script(&text, "data") else {
            return Err(html::another(&text));
        };
        let data: Data = lenient::read(script).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                ParseError::NotThis { source_name: NAME, reason: name(&error.to_string()) }
            }
            _ => ParseError::Malformed { format: "JSON", reason: name(&error.to_string()) },
        })?;
        let mut items = Items::new(limits);
        let open = read(&mut items, "open_incidents", &data.summary.open_incidents)?;
        let resolved = read(&mut items, "resolved_incidents", &data.summary.resolved_incidents)?;
        let lost = items.rejected();
        let components =
            components(&mut items, &data.layout.layout_settings.business_services, &open)?;
        let all_components = items.rejected() == lost;
        let over = resolved.into_iter().map(|mut incident| {
            if !incident.status.is_over() {
                incident.status = IncidentStatus::Resolved;
            }
            incident
        });
        let mut seen = HashSet::new();
        let incidents = open
            .into_iter()
            .chain(over)
            .filter(|incident| seen.insert(incident.id.clone()))
            .collect();
        let title = name(&data.layout.layout_settings.name);
        Ok(Snapshot {
            page: Page {
                id: Some(data.layout.status_page_id.0),
                name: (!title.is_empty()).then_some(title),
                url: super::support::at(&first.url, "/").map(|url| url.to_string()),
                version: None,
                impact: None,
                ..Page::default()
            },
            incidents,
            components,
            coverage: Coverage {
                incidents: if lost == 0 { Listing::Recent } else { Listing::Unknown },
                maintenances: Listing::Unknown,
                all_components,
            },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn read(items: &mut Items, what: &'static str, list: &List) -> Result<Vec<Incident>, ParseError> {
    let read: Vec<Wire> = items.read(what, list)?;
    read.into_iter().map(|wire| incident(items, wire)).collect()
}

fn incident(items: &mut Items, wire: Wire) -> Result<Incident, ParseError> {
    let mut updates: Vec<Update> = items.nested("updates of an incident", &wire.updates)?;
    // Listed newest first by the displayed time; the time of writing may differ arbitrarily.
    updates.reverse();
    updates.sort_by_key(|update| update.reported_at.or(update.created_at.0));
    let mut impact = Impact::Unknown;
    let mut components = Vec::new();
    let started_at = updates.first().and_then(|update| update.reported_at.or(update.created_at.0));
    if let Some(latest) = updates.last() {
        impact = severity(&latest.severity);
        let impacted: Vec<Impacted> =
            items.nested("services of an update", &latest.impacted_business_services)?;
        components = impacted
            .into_iter()
            .map(|service| {
                snapshot::component(
                    Some(service.business_service_id.0),
                    name(&service.name),
                    None,
                    state(&service.severity),
                )
            })
            .collect();
    }
    let postmortem = wire.postmortem.map(|postmortem| RawUpdate {
        id: Some(postmortem.id.0),
        edited_at: postmortem.updated_at.0,
        ..RawUpdate::new(
            IncidentStatus::Postmortem,
            postmortem.reported_at.0,
            prose(&postmortem.message),
        )
    });
    let written = updates.into_iter().map(|update| RawUpdate {
        id: Some(update.id.0),
        edited_at: update.updated_at.0,
        ..RawUpdate::new(
            status(&update.status),
            update.reported_at.or(update.created_at.0),
            prose(&update.message),
        )
    });
    let updates = order_updates(written.chain(postmortem), Order::OldestFirst);
    Ok(Incident {
        status: updates.last().map_or(IncidentStatus::Update, |update| update.status),
        impact,
        started_at,
        components,
        updates,
        ..Incident::new(Kind::Incident, wire.id.0, name(&wire.title))
    })
}

/// Returns every service of the page; its status is that given by an open incident.
fn components(
    items: &mut Items,
    list: &List,
    open: &[Incident],
) -> Result<Vec<Component>, ParseError> {
    let services: Vec<BusinessService> = items.read("business_services", list)?;
    let mut groups: HashMap<&Id, String> = HashMap::new();
    for group in services.iter().filter(|service| service.grouping_element.0) {
        for child in &group.child_business_services {
            groups.insert(child, name(&group.name));
        }
    }
    let mut states: HashMap<&str, ComponentStatus> = HashMap::new();
    for component in open
        .iter()
        .filter(|incident| !incident.status.is_over())
        .flat_map(|incident| &incident.components)
    {
        if let Some(id) = &component.id {
            let state = states.entry(id).or_insert(component.status);
            *state = ComponentStatus::worst([*state, component.status]).unwrap_or(*state);
        }
    }
    let rows =
        services.iter().filter(|service| !service.grouping_element.0 && !service.name.is_empty());
    Ok(rows
        .map(|service| {
            let state =
                states.get(service.id.as_str()).copied().unwrap_or(ComponentStatus::Operational);
            snapshot::component(
                Some(service.id.0.clone()),
                name(&service.name),
                groups.get(&service.id).cloned(),
                state,
            )
        })
        .collect())
}

/// "Detected" follows "investigating" on these pages: the cause is known.
fn status(word: &str) -> IncidentStatus {
    vocabulary::lookup(word, &[("detected", IncidentStatus::Identified)])
        .unwrap_or_else(|| vocabulary::status(word))
}

fn severity(word: &str) -> Impact {
    vocabulary::lookup(word, &[("all_good", Impact::None), ("outage", Impact::Critical)])
        .unwrap_or_else(|| vocabulary::impact(word))
}

fn state(word: &str) -> ComponentStatus {
    match severity(word) {
        Impact::None => ComponentStatus::Operational,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::Major => ComponentStatus::PartialOutage,
        Impact::Critical => ComponentStatus::MajorOutage,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::Unknown => ComponentStatus::Unknown,
    }
}
