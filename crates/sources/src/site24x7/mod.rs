//! Site24x7 StatusIQ: `/sp/api/u/summary_details` of a page, or its `/rss`.
//!
//! The summary has components in groups with a code each, the open incidents with all updates, and
//! resolved ones by day. The feed has only one item per component, with its status in the title: it
//! is read where the configured URL names it and the summary is unavailable.

mod rss;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, MaybeId, OrDefault, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, bases, candidates, json, lenient, name, order_updates, prose,
    sniff, vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{self, Basis, Coverage, Incident, Listing, Page, Snapshot};

use rss::is_component_feed;

const NAME: &str = "site24x7";

/// The adapter for Site24x7 StatusIQ.
#[derive(Debug)]
pub(super) struct Site24x7;

#[derive(Debug, Deserialize)]
struct Answer {
    code: i64,
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    current_status: List,
    active_incident_details: OrDefault<List>,
    resolved_incident_details: OrDefault<List>,
}

/// A component, or a group of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    enc_component_id: MaybeId,
    display_name: Text,
    #[serde(default)]
    component_status: Option<u32>,
    componentgroup_display_name: Text,
    componentgroup_components: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Day {
    grp_by_incidents: List,
}

#[derive(Debug, Deserialize)]
struct Wire {
    enc_inc_id: Id,
    incident_title: String,
    incident_desc: Text,
    incident_severity_id: OrDefault<u32>,
    incident_began_at: When,
    incident_ended_at: When,
    incident_status_updates: OrDefault<List>,
    incident_affected_components: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    enc_inc_state_progress_id: MaybeId,
    incident_status: Text,
    incident_status_desc: Text,
    status_updated_at: When,
}

#[derive(Debug, Deserialize)]
struct Affected {
    display_name: String,
    componentgroup_display_name: Text,
}

impl Source for Site24x7 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".site24x7status.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["statuspages.globals.statuspagedetails"]
    }

    /// It lists components, not incidents.
    fn claims_feed(&self, feed: &Document) -> bool {
        is_component_feed(feed)
    }

    fn accept(&self) -> &'static str {
        "application/json, application/rss+xml;q=0.9, */*;q=0.1"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let mut home = page.clone();
        if home.path() == "/rss" || home.path().starts_with("/sp/") {
            home.set_path("/");
        }
        candidates(&home, &["sp/api/u/summary_details", "rss"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if document.shape() == Shape::Xml {
            return is_component_feed(document).then(|| {
                "each item of the feed is a component and its state, as StatusIQ writes them"
                    .to_owned()
            });
        }
        let answer: Answer = sniff(document)?;
        let first: Row = lenient::read(answer.data.current_status.first()?.get()).ok()?;
        let named =
            first.component_status.is_some() || !first.componentgroup_display_name.is_empty();
        named.then(|| "the document has the shape of StatusIQ's summary".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = &documents.first;
        if first.shape() == Shape::Xml {
            return rss::parse(first, limits);
        }
        let Answer { code, data } = json(first, NAME)?;
        if code != 0 {
            return Err(ParseError::ErrorBody { message: format!("code {code}") });
        }
        let mut items = Items::new(limits);
        let components = components(&mut items, &data.current_status)?;
        if components.is_empty() {
            return Err(ParseError::not_this(NAME, "it lists no components"));
        }
        let all_components = items.rejected() == 0;
        let open = items.read::<Wire>("active_incident_details", &data.active_incident_details)?;
        let listing = items.listing(0, Listing::Open);
        let mut incidents = open
            .into_iter()
            .map(|wire| incident(&mut items, wire, false))
            .collect::<Result<Vec<_>, _>>()?;
        for day in
            items.read::<Day>("resolved_incident_details", &data.resolved_incident_details)?
        {
            for wire in items.nested::<Wire>("resolved incidents", &day.grp_by_incidents)? {
                if !incidents.iter().any(|known| known.id == wire.enc_inc_id.0) {
                    incidents.push(incident(&mut items, wire, true)?);
                }
            }
        }
        Ok(Snapshot {
            page: Page { url: home(first), ..Page::default() },
            incidents,
            components,
            coverage: Coverage {
                incidents: listing,
                maintenances: Listing::Unknown,
                all_components,
            },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn home(document: &Document) -> Option<String> {
    bases(&document.url).pop().map(|url| url.to_string())
}

fn components(items: &mut Items, list: &List) -> Result<Vec<Component>, ParseError> {
    let rows: Vec<Row> = items.read("current_status", list)?;
    let mut out = Vec::with_capacity(rows.len());
    for row in rows {
        if row.componentgroup_display_name.is_empty() {
            out.extend(component(items, row, None));
            continue;
        }
        let group = name(&row.componentgroup_display_name);
        for row in items.read::<Row>("componentgroup_components", &row.componentgroup_components)? {
            out.extend(component(items, row, Some(&group)));
        }
    }
    Ok(out)
}

fn component(items: &mut Items, row: Row, group: Option<&str>) -> Option<Component> {
    let title = name(&row.display_name);
    let Some(code) = row.component_status.filter(|_| !title.is_empty()) else {
        items.reject("current_status", &format!("a component without name or state: \"{title}\""));
        return None;
    };
    Some(snapshot::component(
        row.enc_component_id.0.map(|id| id.0),
        title,
        group.map(str::to_owned),
        state(code),
    ))
}

fn incident(items: &mut Items, wire: Wire, over: bool) -> Result<Incident, ParseError> {
    let severity = state(wire.incident_severity_id.0);
    let kind = if severity == ComponentStatus::UnderMaintenance {
        Kind::Maintenance
    } else {
        Kind::Incident
    };
    let ended = if kind == Kind::Maintenance {
        IncidentStatus::Completed
    } else {
        IncidentStatus::Resolved
    };
    let updates: Vec<Update> =
        items.nested("incident_status_updates", &wire.incident_status_updates)?;
    let mut written: Vec<RawUpdate> = updates
        .into_iter()
        .map(|update| RawUpdate {
            id: update.enc_inc_state_progress_id.0.map(|id| id.0),
            ..RawUpdate::new(
                vocabulary::status(&update.incident_status),
                update.status_updated_at.0,
                prose(&update.incident_status_desc),
            )
        })
        .collect();
    if written.is_empty() && !wire.incident_desc.trim().is_empty() {
        written.push(RawUpdate::new(
            IncidentStatus::Update,
            wire.incident_began_at.0,
            prose(&wire.incident_desc),
        ));
    }
    let updates = order_updates(written, Order::NewestFirst);
    let affected: Vec<Affected> =
        items.nested("incident_affected_components", &wire.incident_affected_components)?;
    let components = affected.into_iter().map(|row| {
        let group = name(&row.componentgroup_display_name);
        snapshot::component(
            None,
            name(&row.display_name),
            (!group.is_empty()).then_some(group),
            ComponentStatus::Unknown,
        )
    });
    let latest = updates
        .last()
        .map(|update| update.status)
        .filter(|status| *status != IncidentStatus::Update);
    let status = match latest {
        _ if over => ended,
        Some(status) => status,
        None if kind == Kind::Maintenance => IncidentStatus::Scheduled,
        None => IncidentStatus::Investigating,
    };
    let window = kind == Kind::Maintenance;
    Ok(Incident {
        status,
        basis: if !over && latest.is_none() { Basis::Begin } else { Basis::Stated },
        impact: if wire.incident_severity_id.0 == 2 { Impact::None } else { severity.impact() },
        started_at: wire.incident_began_at.0,
        scheduled_for: wire.incident_began_at.filter(|_| window),
        scheduled_until: wire.incident_ended_at.filter(|_| window),
        components: components.collect(),
        updates,
        ..Incident::new(kind, wire.enc_inc_id.0, name(&wire.incident_title))
    })
}

/// Maps the code of a status; 2 is "informational": something is posted, and everything works.
const fn state(code: u32) -> ComponentStatus {
    match code {
        1 | 2 => ComponentStatus::Operational,
        3 => ComponentStatus::DegradedPerformance,
        4 => ComponentStatus::UnderMaintenance,
        5 => ComponentStatus::PartialOutage,
        6 => ComponentStatus::MajorOutage,
        _ => ComponentStatus::Unknown,
    }
}
