//! Better Stack: `/index.json`, a JSON:API document of page, sections, resources, reports and their
//! updates.
//!
//! A report is resolved when its `aggregate_state` says so: `ends_at` stays null. A maintenance has
//! no status of its own: it follows from its window and the newest time in the document, because a
//! source has no clock.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, NaiveTime};
use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, MaybeId, OrDefault, References, Text, When};
use super::support::vocabulary::lookup;
use super::support::{
    Items, List, MAX_NAME, Order, RawUpdate, candidates, json, lenient, link, order_updates, prose,
    sniff,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, Time, expressible,
};
use statuswatch_model::snapshot::{Basis, Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "betterstack";

/// The status of a resource that is listed but not monitored: the page's overall status ignores it.
const NOT_MONITORED: &str = "not_monitored";

const IMPACT: &[(&str, Impact)] = &[
    ("operational", Impact::None),
    ("degraded", Impact::Minor),
    ("downtime", Impact::Major),
    ("maintenance", Impact::Maintenance),
];

const COMPONENT: &[(&str, ComponentStatus)] = &[
    ("operational", ComponentStatus::Operational),
    ("resolved", ComponentStatus::Operational),
    ("degraded", ComponentStatus::DegradedPerformance),
    ("downtime", ComponentStatus::MajorOutage),
    ("maintenance", ComponentStatus::UnderMaintenance),
];

/// The adapter for Better Stack.
#[derive(Debug)]
pub(super) struct BetterStack;

#[derive(Debug, Deserialize)]
struct Index {
    data: Data,
    included: List,
}

#[derive(Debug, Deserialize)]
struct Data {
    id: Id,
    #[serde(rename = "type")]
    kind: String,
    attributes: PageAttributes,
}

#[derive(Debug, Deserialize)]
struct PageAttributes {
    company_name: Text,
    aggregate_state: String,
    custom_domain: Text,
    subdomain: Text,
    updated_at: When,
}

#[derive(Debug, Deserialize)]
struct Typed {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Item<T> {
    id: Id,
    attributes: T,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Section {
    name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    public_name: Text,
    status: Text,
    status_page_section_id: MaybeId,
    status_history: OrDefault<Vec<Day>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Day {
    day: Text,
}

#[derive(Debug, Deserialize)]
struct Report {
    id: Id,
    attributes: ReportAttributes,
    #[serde(default)]
    relationships: Relationships,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReportAttributes {
    title: Text,
    report_type: Text,
    starts_at: When,
    ends_at: When,
    aggregate_state: Text,
    affected_resources: OrDefault<Vec<Affected>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Relationships {
    status_updates: OrDefault<References>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UpdateAttributes {
    message: Text,
    published_at: When,
    affected_resources: OrDefault<Vec<Affected>>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    status_page_resource_id: Id,
    status: Text,
}

impl Source for BetterStack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".betteruptime.com", ".betterstack.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["betteruptime.com", "betterstack.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["index.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let index = sniff::<Index>(document).filter(|index| index.data.kind == "status_page")?;
        Some(format!("a JSON:API document of a Better Stack status page, id {}", index.data.id))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let index: Index = json(&documents.first, NAME)?;
        if index.data.kind != "status_page" {
            let reason =
                format!("its type is \"{}\", not status_page", one_line(&index.data.kind, 40));
            return Err(ParseError::not_this(NAME, reason));
        }
        let mut page = page(&index.data);
        let mut items = Items::new(limits);
        let mut lists = sort(&mut items, index.included);
        let sections: Vec<Item<Section>> =
            items.nested("sections", &lists.remove("status_page_section").unwrap_or_default())?;
        let sections: HashMap<Id, String> =
            sections.into_iter().map(|item| (item.id, item.attributes.name.0)).collect();
        let mut newest = index.data.attributes.updated_at.0;
        let before = items.rejected();
        let components = items.build(
            "resources",
            &lists.remove("status_page_resource").unwrap_or_default(),
            |_, item: Item<Resource>| {
                let day = item
                    .attributes
                    .status_history
                    .iter()
                    .filter_map(|day| day.day.parse::<NaiveDate>().ok())
                    .max();
                newest = newest
                    .max(day.and_then(|day| expressible(day.and_time(NaiveTime::MIN).and_utc())));
                page.unwatched += usize::from(item.attributes.status == NOT_MONITORED);
                Ok(resource(item, &sections))
            },
            |component: &Component| component.id.as_deref().unwrap_or_default(),
        )?;
        let all_components = items.rejected() == before;
        let updates: Vec<Item<UpdateAttributes>> =
            items.read("status updates", &lists.remove("status_update").unwrap_or_default())?;
        let updates: HashMap<Id, UpdateAttributes> =
            updates.into_iter().map(|item| (item.id, item.attributes)).collect();
        newest = newest.max(updates.values().filter_map(|update| update.published_at.0).max());
        let mut named = HashSet::new();
        let context = Context {
            components: &components,
            updates: &updates,
            newest,
            page: page.url.as_deref(),
        };
        let before = items.rejected();
        let incidents = items.build(
            "status reports",
            &lists.remove("status_report").unwrap_or_default(),
            |_, report: Report| Ok(incident(report, &context, &mut named)),
            |incident: &Incident| &incident.id,
        )?;
        let listing = items.listing(before, Listing::Recent);
        Ok(Snapshot {
            page,
            incidents,
            components,
            coverage: Coverage { incidents: listing, maintenances: listing, all_components },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// The data needed to read a report.
struct Context<'a> {
    components: &'a [Component],
    updates: &'a HashMap<Id, UpdateAttributes>,
    /// The newest time in the document, which was generated no earlier.
    newest: Option<Time>,
    page: Option<&'a str>,
}

fn page(data: &Data) -> Page {
    let attributes = &data.attributes;
    let name = one_line(&attributes.company_name, MAX_NAME);
    let host = if attributes.custom_domain.is_empty() && !attributes.subdomain.is_empty() {
        format!("{}.betteruptime.com", attributes.subdomain)
    } else {
        attributes.custom_domain.0.clone()
    };
    Page {
        id: Some(data.id.0.clone()),
        name: (!name.is_empty()).then_some(name),
        url: if host.is_empty() { None } else { link(&format!("https://{host}")) },
        version: None,
        impact: Some(lookup(&attributes.aggregate_state, IMPACT).unwrap_or(Impact::Unknown)),
        ..Page::default()
    }
}

/// Groups the included items by type, ignoring types that are not needed.
fn sort(items: &mut Items, included: List) -> HashMap<String, List> {
    let mut lists: HashMap<String, List> = HashMap::new();
    for raw in included {
        match lenient::read::<Typed>(raw.get()) {
            Ok(typed) if typed.kind.len() < 64 => lists.entry(typed.kind).or_default().push(raw),
            Ok(_) => items.reject("included", "a type of endless length"),
            Err(error) => items.reject("included", &error.to_string()),
        }
    }
    lists
}

fn resource(item: Item<Resource>, sections: &HashMap<Id, String>) -> Component {
    let group = item.attributes.status_page_section_id.0.and_then(|id| sections.get(&id));
    let group = group.map(|name| one_line(name, MAX_NAME)).filter(|name| !name.is_empty());
    let status = lookup(&item.attributes.status, COMPONENT).unwrap_or(ComponentStatus::Unknown);
    component(Some(item.id.0), one_line(&item.attributes.public_name, MAX_NAME), group, status)
}

/// `named` holds the updates already assigned to a report: an update belongs to one report only, so
/// that a long one referenced by many is not copied as many times.
fn incident(report: Report, context: &Context<'_>, named: &mut HashSet<Id>) -> Incident {
    let Report { id, attributes, relationships } = report;
    let kind =
        if attributes.report_type == "maintenance" { Kind::Maintenance } else { Kind::Incident };
    let mut ours: Vec<(&Id, &UpdateAttributes)> = relationships
        .status_updates
        .data
        .iter()
        .filter_map(|link| context.updates.get_key_value(&link.id))
        .filter(|(id, _)| named.insert((*id).clone()))
        .collect();
    ours.sort_by_key(|(_, update)| update.published_at);
    let words = ours
        .iter()
        .flat_map(|(_, update)| &update.affected_resources)
        .chain(attributes.affected_resources.iter());
    let impact = words
        .map(|affected| affected.status.as_str())
        .chain([attributes.aggregate_state.as_str()])
        .filter_map(|word| lookup(word, IMPACT))
        .filter(|impact| *impact != Impact::None)
        .max_by_key(|impact| impact.rank());
    let mut incident = Incident::new(kind, id.0, one_line(&attributes.title, MAX_NAME));
    incident.impact = if kind == Kind::Maintenance {
        Impact::Maintenance
    } else {
        impact.unwrap_or(Impact::Unknown)
    };
    incident.components = attributes
        .affected_resources
        .iter()
        .filter_map(|affected| affects(kind, affected, context))
        .collect();
    let written = ours.iter().enumerate().map(|(place, (id, update))| {
        let (at, text) = (update.published_at, prose(&update.message));
        let written = match end(kind, update) {
            Some(end) => RawUpdate::new(end, at.0, text),
            None if place == 0 => RawUpdate::concluded(begin(kind), at.0, text),
            None => RawUpdate::new(IncidentStatus::Update, at.0, text),
        };
        RawUpdate { id: Some(id.0.clone()), ..written }
    });
    incident.updates = order_updates(written, Order::OldestFirst);
    let over = attributes.aggregate_state == "resolved";
    incident.status = match kind {
        Kind::Maintenance => stage(&attributes, over, &incident.components, context.newest),
        _ if over => IncidentStatus::Resolved,
        _ => incident.updates.last().map_or(IncidentStatus::Investigating, |update| update.status),
    };
    if incident.status == IncidentStatus::Resolved && !over {
        // The update concerns some of the resources; the report itself is open.
        incident.status = IncidentStatus::Update;
    }
    if kind == Kind::Maintenance {
        // The document may be older than the time at which it is read.
        incident.basis = Basis::Window;
        incident.scheduled_for = attributes.starts_at.0;
        incident.scheduled_until = attributes.ends_at.0;
    }
    incident.started_at = attributes.starts_at.0;
    incident.url = context
        .page
        .and_then(|page| link(&format!("{}/incident/{}", page.trim_end_matches('/'), incident.id)));
    incident
}

fn affects(kind: Kind, affected: &Affected, context: &Context<'_>) -> Option<Component> {
    let id = affected.status_page_resource_id.as_str();
    let known = context.components.iter().find(|component| component.id.as_deref() == Some(id))?;
    if kind == Kind::Maintenance {
        // It is "maintenance" for weeks before and after.
        return Some(known.clone());
    }
    Some(Component {
        status: lookup(&affected.status, COMPONENT).unwrap_or(ComponentStatus::Unknown),
        ..known.clone()
    })
}

/// Returns the end stated by an update, which is one that calls every resource it names operational
/// again.
fn end(kind: Kind, update: &UpdateAttributes) -> Option<IncidentStatus> {
    let affected = &update.affected_resources;
    let over =
        !affected.is_empty() && affected.iter().all(|affected| affected.status == "resolved");
    let end = if kind == Kind::Maintenance {
        IncidentStatus::Completed
    } else {
        IncidentStatus::Resolved
    };
    over.then_some(end)
}

/// Returns the status that the first update of a report states.
fn begin(kind: Kind) -> IncidentStatus {
    if kind == Kind::Maintenance {
        IncidentStatus::Scheduled
    } else {
        IncidentStatus::Investigating
    }
}

/// Returns the status of a maintenance from the known times.
fn stage(
    report: &ReportAttributes,
    over: bool,
    affected: &[Component],
    newest: Option<Time>,
) -> IncidentStatus {
    let passed = |time: Option<Time>| time.zip(newest).is_some_and(|(time, newest)| time <= newest);
    if over || passed(report.ends_at.0) {
        IncidentStatus::Completed
    } else if passed(report.starts_at.0)
        || affected.iter().any(|one| one.status == ComponentStatus::UnderMaintenance)
            && report.starts_at.is_none()
    {
        IncidentStatus::InProgress
    } else {
        IncidentStatus::Scheduled
    }
}
