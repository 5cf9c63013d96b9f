//! Status.io: `/1.0/status/<page id>` of its API, which lists what is open, and the page's feed
//! ([`feed`]) when something may have ended.
//!
//! A component has containers (regions, data centers), each with a status; the same container may
//! belong to every component.

mod feed;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, MaybeId, OrDefault, Text, When};
use super::support::{Items, List, MAX_NAME, Order, RawUpdate, json, order_updates, prose, sniff};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Basis, Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "statusio";
const FEED: &str = "feed";

/// The adapter for Status.io.
#[derive(Debug)]
pub(super) struct StatusIo;

#[derive(Debug, Deserialize)]
struct Answer {
    result: Board,
}

#[derive(Debug, Deserialize)]
struct Board {
    status_overall: Overall,
    status: List,
    incidents: List,
    maintenance: Maintenances,
}

#[derive(Debug, Deserialize)]
struct Overall {
    status_code: u32,
}

#[derive(Debug, Deserialize)]
struct Maintenances {
    active: List,
    upcoming: List,
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(alias = "_id")]
    id: Id,
    name: Text,
    #[serde(default)]
    status_code: Option<u32>,
    containers: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Notice {
    #[serde(rename = "_id", alias = "id")]
    id: Id,
    name: Text,
    datetime_open: When,
    datetime_planned_start: When,
    datetime_planned_end: When,
    messages: OrDefault<List>,
    components_affected: OrDefault<List>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(rename = "_id", alias = "id")]
    id: MaybeId,
    details: Text,
    #[serde(default)]
    state: Option<u32>,
    #[serde(default)]
    status: Option<u32>,
    datetime: When,
}

impl Source for StatusIo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".status.io", ".hostedstatus.com"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["statusio_"]
    }

    fn accept(&self) -> &'static str {
        "application/json, application/rss+xml;q=0.9"
    }

    /// The page id is required, and occurs only in URLs of the API and of the page's own posts and
    /// feeds.
    fn locate(&self, page: &Url) -> Vec<Url> {
        let id = page.path_segments().and_then(|mut parts| parts.find(|part| is_page_id(part)));
        let place = id.map(|id| format!("https://api.status.io/1.0/status/{id}"));
        place.and_then(|place| Url::parse(&place).ok()).into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer = sniff::<Answer>(document)?;
        let code = answer.result.status_overall.status_code;
        Some(format!(
            "the document has the shape of Status.io's API and its overall status code {code}"
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let Answer { result } = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let (components, all_components) = components(&mut items, &result.status)?;
        let mut incidents = Vec::new();
        let mut listings = [Listing::Open; 2];
        for (what, status, list) in [
            ("incidents", None, &result.incidents),
            ("active maintenances", Some(IncidentStatus::InProgress), &result.maintenance.active),
            (
                "upcoming maintenances",
                Some(IncidentStatus::Scheduled),
                &result.maintenance.upcoming,
            ),
        ] {
            let before = items.rejected();
            let read = items.build(
                what,
                list,
                |items, wire| notice(items, wire, status, &components),
                |one: &Incident| &one.id,
            )?;
            if items.rejected() > before {
                listings = if status.is_some() {
                    [listings[0], Listing::Unknown]
                } else {
                    [Listing::Unknown, listings[1]]
                };
            }
            incidents.extend(read);
        }
        if let Some(document) = documents.detail(FEED) {
            let ended = feed::ended(document, documents.known.absent(&incidents), limits)?;
            incidents.extend(ended);
        }
        let [open, planned] = listings;
        let id = documents
            .first
            .url
            .path_segments()
            .and_then(|mut parts| parts.find(|part| is_page_id(part)));
        Ok(Snapshot {
            page: Page {
                id: id.map(str::to_owned),
                name: None,
                url: None,
                version: None,
                impact: Some(impact(result.status_overall.status_code)),
                ..Page::default()
            },
            incidents,
            components,
            coverage: Coverage { incidents: open, maintenances: planned, all_components },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if known.absent(&snapshot.incidents).next().is_none() {
            return Vec::new();
        }
        feed::place(&first.url)
            .map(|url| Detail { role: FEED, url, optional: true })
            .into_iter()
            .collect()
    }
}

fn is_page_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Returns each container of each component, or the component itself where it has only one.
fn components(items: &mut Items, list: &List) -> Result<(Vec<Component>, bool), ParseError> {
    let before = items.rejected();
    let read = items.build(
        "components",
        list,
        |items, part: Part| {
            let containers: Vec<Part> =
                items.nested("containers", &part.containers).map_err(|error| error.to_string())?;
            Ok((part, containers))
        },
        |(part, _)| part.id.as_str(),
    )?;
    let mut out = Vec::new();
    for (part, containers) in read {
        let name = one_line(&part.name, MAX_NAME);
        if containers.len() < 2 {
            out.push(component(Some(part.id.0), name, None, state(part.status_code)));
            continue;
        }
        for container in containers {
            let id = format!("{}/{}", part.id, container.id);
            let own = one_line(&container.name, MAX_NAME);
            out.push(component(Some(id), own, Some(name.clone()), state(container.status_code)));
        }
    }
    Ok((out, items.rejected() == before))
}

/// Converts a notice; `planned` is the status of the maintenances in this list, `None` for
/// incidents.
fn notice(
    items: &mut Items,
    wire: Notice,
    planned: Option<IncidentStatus>,
    components: &[Component],
) -> Result<Incident, String> {
    let kind = if planned.is_some() { Kind::Maintenance } else { Kind::Incident };
    let mut messages: Vec<Message> =
        items.nested("messages", &wire.messages).map_err(|error| error.to_string())?;
    let affected: Vec<Part> = items
        .nested("affected components", &wire.components_affected)
        .map_err(|error| error.to_string())?;
    messages.sort_by_key(|message| message.datetime);
    let mut incident = Incident::new(kind, wire.id.0, one_line(&wire.name, MAX_NAME));
    incident.status = planned
        .or_else(|| {
            messages.iter().rev().find_map(|message| message.state).map(|code| status(Some(code)))
        })
        .unwrap_or(IncidentStatus::Investigating);
    if kind == Kind::Incident {
        let code = messages.iter().rev().find_map(|message| message.status);
        incident.impact = code.map_or(Impact::Unknown, impact);
        incident.started_at = wire.datetime_open.0;
    } else {
        // A maintenance that is not started by hand stays among the upcoming ones.
        incident.basis = Basis::Begin;
        incident.scheduled_for = wire.datetime_planned_start.0;
        incident.scheduled_until = wire.datetime_planned_end.0;
    }
    incident.components = affected.into_iter().map(|part| affects(&part, components)).collect();
    let written = messages.into_iter().enumerate().map(|(place, message)| {
        let (at, text) = (message.datetime, prose(&message.details));
        let written = match (kind, place) {
            (Kind::Maintenance, 0) => RawUpdate::concluded(IncidentStatus::Scheduled, at.0, text),
            (Kind::Maintenance, _) => RawUpdate::new(IncidentStatus::Update, at.0, text),
            _ => RawUpdate::new(status(message.state), at.0, text),
        };
        RawUpdate { id: message.id.0.map(|id| id.0), ..written }
    });
    incident.updates = order_updates(written, Order::OldestFirst);
    Ok(incident)
}

/// Returns an affected component with the worst status of its containers.
fn affects(part: &Part, components: &[Component]) -> Component {
    let below = format!("{}/", part.id);
    let own = |one: &&Component| {
        one.id.as_deref().is_some_and(|id| id == part.id.0 || id.starts_with(&below))
    };
    let worst = ComponentStatus::worst(components.iter().filter(own).map(|one| one.status));
    component(
        Some(part.id.0.clone()),
        one_line(&part.name, MAX_NAME),
        None,
        worst.unwrap_or(ComponentStatus::Unknown),
    )
}

fn status(code: Option<u32>) -> IncidentStatus {
    match code {
        Some(100) => IncidentStatus::Investigating,
        Some(200) => IncidentStatus::Identified,
        Some(300) => IncidentStatus::Monitoring,
        Some(400) => IncidentStatus::Resolved,
        _ => IncidentStatus::Update,
    }
}

fn impact(code: u32) -> Impact {
    match code {
        100 => Impact::None,
        200 => Impact::Maintenance,
        300 => Impact::Minor,
        400 => Impact::Major,
        500 | 600 => Impact::Critical,
        _ => Impact::Unknown,
    }
}

fn state(code: Option<u32>) -> ComponentStatus {
    match code {
        Some(100) => ComponentStatus::Operational,
        Some(200) => ComponentStatus::UnderMaintenance,
        Some(300) => ComponentStatus::DegradedPerformance,
        Some(400) => ComponentStatus::PartialOutage,
        Some(500 | 600) => ComponentStatus::MajorOutage,
        _ => ComponentStatus::Unknown,
    }
}
