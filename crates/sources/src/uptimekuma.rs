//! Uptime Kuma: `/api/status-page/heartbeat/<slug>`, with the page itself for names, notices and
//! maintenances.
//!
//! The heartbeats are polled because only they change when a monitor does. They are generated: a
//! heartbeat that cannot be read may be the one that reports "down", so it is an error instead of a
//! rejection.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, OrDefault, Text, When};
use super::support::vocabulary::lookup;
use super::support::{Items, List, Sample, at, bases, json, name, outage, prose, sniff};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source, dates};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{
    Basis, Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};
use statuswatch_model::zone::Zone;

const NAME: &str = "uptimekuma";
const PAGE: &str = "page";
const HEARTBEATS: &str = "api/status-page/heartbeat/";

/// The adapter for Uptime Kuma.
#[derive(Debug)]
pub(super) struct UptimeKuma;

#[derive(Debug, Deserialize)]
struct Heartbeats {
    #[serde(rename = "heartbeatList")]
    beats: BTreeMap<String, Vec<Wire>>,
    #[serde(rename = "uptimeList")]
    _uptime: serde_json::Map<String, serde_json::Value>,
}

/// A heartbeat, or a plain 0 for a time without one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Wire {
    Sample { status: i64, time: String },
    None(Zero),
}

/// The number 0 and nothing else.
#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Zero;

impl TryFrom<i64> for Zero {
    type Error = &'static str;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        if number == 0 { Ok(Self) } else { Err("neither a heartbeat nor 0") }
    }
}

#[derive(Debug, Deserialize)]
struct StatusPage {
    config: Config,
    /// Until version 1: the pinned one or null.
    incident: Option<Notice>,
    /// Since version 2.
    incidents: OrDefault<List>,
    #[serde(rename = "publicGroupList")]
    groups: List,
    #[serde(rename = "maintenanceList")]
    maintenances: List,
}

#[derive(Debug, Deserialize)]
struct Config {
    slug: String,
    title: Text,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: Text,
    #[serde(rename = "monitorList")]
    monitors: List,
}

#[derive(Debug, Deserialize)]
struct Monitor {
    id: Id,
    name: Text,
}

#[derive(Debug, Deserialize)]
struct Notice {
    id: Id,
    title: Text,
    content: Text,
    style: Text,
    #[serde(rename = "createdDate")]
    created: When,
    #[serde(rename = "lastUpdatedDate")]
    updated: When,
}

#[derive(Debug, Deserialize)]
struct Maintenance {
    id: Id,
    title: Text,
    description: Text,
    status: Text,
    /// The zone in which a window of strategy "single" is written: `getStatus` in the server's
    /// `model/maintenance.js`.
    timezone: Text,
    #[serde(rename = "timeslotList")]
    slots: OrDefault<Vec<Slot>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Slot {
    #[serde(rename = "startDate")]
    start: Text,
    #[serde(rename = "endDate")]
    end: Text,
}

impl Source for UptimeKuma {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["uptime kuma"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let mut parts = page
            .path_segments()
            .into_iter()
            .flatten()
            .skip_while(|part| !matches!(*part, "status" | "status-page"));
        parts.next();
        let slug = parts.find(|part| !part.is_empty()).unwrap_or("default").to_ascii_lowercase();
        let mut root = page.clone();
        root.set_path("/");
        bases(&root).iter().filter_map(|base| at(base, &format!("{HEARTBEATS}{slug}"))).collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let heartbeats = sniff::<Heartbeats>(document)?.beats;
        Some(format!("the heartbeats of {} monitors as Uptime Kuma lists them", heartbeats.len()))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        // The server stores and sends times in UTC, except for maintenance windows.
        dates::page_zone("UTC");
        let heartbeats: Heartbeats = json(&documents.first, NAME)?;
        if heartbeats.beats.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "monitors",
                count: heartbeats.beats.len(),
                limit: limits.max_items,
            });
        }
        let mut items = Items::new(limits);
        let mut snapshot = Snapshot::default();
        let mut names = BTreeMap::new();
        if let Some(document) = documents.detail(PAGE) {
            let page: StatusPage = json(document, NAME)?;
            names = monitors(&mut items, &page.groups)?;
            let before = items.rejected();
            snapshot.incidents = notices(&mut items, &page)?;
            let listing = items.listing(before, Listing::Open);
            snapshot.coverage =
                Coverage { incidents: listing, maintenances: listing, all_components: true };
            let title = name(&page.config.title);
            let url = documents.first.url.join(&format!("/status/{}", page.config.slug)).ok();
            snapshot.page = Page {
                name: (!title.is_empty()).then_some(title),
                url: url.map(|url| url.to_string()),
                ..Page::default()
            };
        }
        for (key, wire) in &heartbeats.beats {
            let id = name(key);
            let (name, group) =
                names.remove(key).unwrap_or_else(|| (format!("Monitor {id}"), None));
            let component = component(Some(id.clone()), name, group, state(wire.last()));
            let samples: Vec<Sample> = wire.iter().filter_map(sample).collect();
            snapshot.incidents.extend(outage(&format!("monitor-{id}"), &component, &samples));
            snapshot.components.push(component);
        }
        snapshot.rejected = items.into_rejected();
        Ok(snapshot)
    }

    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        let mut url = first.url.clone();
        let path = url.path().replacen("/heartbeat/", "/", 1);
        url.set_path(&path);
        vec![Detail { role: PAGE, url, optional: true }]
    }
}

fn state(last: Option<&Wire>) -> ComponentStatus {
    match last {
        Some(Wire::Sample { status: 0, .. }) => ComponentStatus::MajorOutage,
        Some(Wire::Sample { status: 1, .. }) => ComponentStatus::Operational,
        Some(Wire::Sample { status: 2, .. }) => ComponentStatus::DegradedPerformance,
        Some(Wire::Sample { status: 3, .. }) => ComponentStatus::UnderMaintenance,
        _ => ComponentStatus::Unknown,
    }
}

fn sample(wire: &Wire) -> Option<Sample> {
    let Wire::Sample { status, time } = wire else {
        return None;
    };
    let up = match status {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    Some(Sample { at: fields::moment_of(time), up })
}

/// Returns the name and group of each monitor by id.
fn monitors(
    items: &mut Items,
    groups: &List,
) -> Result<BTreeMap<String, (String, Option<String>)>, ParseError> {
    let mut names = BTreeMap::new();
    for group in items.read::<Group>("groups", groups)? {
        let title = name(&group.name);
        for monitor in items.read::<Monitor>("monitors", &group.monitors)? {
            let group = (!title.is_empty()).then(|| title.clone());
            names.insert(monitor.id.0, (name(&monitor.name), group));
        }
    }
    Ok(names)
}

fn notices(items: &mut Items, page: &StatusPage) -> Result<Vec<Incident>, ParseError> {
    let mut all = items.build(
        "incidents",
        &page.incidents,
        |_, wire| Ok(notice(&wire)),
        |one: &Incident| &one.id,
    )?;
    all.extend(page.incident.as_ref().map(notice));
    let planned = items.build(
        "maintenances",
        &page.maintenances,
        |_, wire| Ok(maintenance(&wire)),
        |one: &Incident| &one.id,
    )?;
    all.extend(planned);
    Ok(all)
}

fn notice(wire: &Notice) -> Incident {
    let mut incident =
        Incident::new(Kind::Incident, format!("incident-{}", wire.id), name(&wire.title));
    let impact = [("danger", Impact::Major), ("warning", Impact::Minor)];
    incident.impact = lookup(&wire.style, &impact).unwrap_or(Impact::Unknown);
    incident.started_at = wire.created.0;
    incident.updates =
        vec![latest(IncidentStatus::Update, wire.updated.or(wire.created.0), &wire.content)];
    incident
}

fn maintenance(wire: &Maintenance) -> Incident {
    let mut incident =
        Incident::new(Kind::Maintenance, format!("maintenance-{}", wire.id), name(&wire.title));
    let words = [
        ("under-maintenance", IncidentStatus::InProgress),
        ("ended", IncidentStatus::Completed),
        ("inactive", IncidentStatus::Withdrawn),
    ];
    let stated = lookup(&wire.status, &words);
    incident.status = stated.unwrap_or(IncidentStatus::Scheduled);
    incident.basis = if stated.is_some() { Basis::Stated } else { Basis::Begin };
    if let Some(slot) = wire.slots.first() {
        let zone = Zone::named(&wire.timezone);
        incident.scheduled_for = dates::read_in(zone, &slot.start);
        incident.scheduled_until = dates::read_in(zone, &slot.end);
    }
    if !wire.description.trim().is_empty() {
        incident.updates =
            vec![latest(IncidentStatus::Scheduled, incident.scheduled_for, &wire.description)];
    }
    incident
}

fn latest(status: IncidentStatus, at: Option<Time>, text: &str) -> Update {
    Update {
        id: UpdateId::Latest,
        status,
        stated: status,
        published_at: at,
        edited_at: None,
        text: prose(text),
    }
}
