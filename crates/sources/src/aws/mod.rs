//! AWS: `/public/currentevents`, UTF-16 with a byte order mark; and the `data.json` used until 2023
//! ([`legacy`]).
//!
//! The list contains open events only. How an event ended is in the dashboard's history, a file
//! that covers a year, from which only the events that left the list are read. Its shape is known
//! from programs that read it, not from a capture. Log entries have no ids and are identified by
//! time. The RSS feeds do not say which event an item belongs to; `feed` reads them.

mod legacy;

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, MaybeId, OrDefault, Text};
use super::support::{
    Items, List, Order, RawUpdate, at, json, lenient, order_updates, prose, sniff, vocabulary,
};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "aws";
const HOST: &str = "health.aws.amazon.com";
const PATH: &str = "public/currentevents";
/// The URL from which the dashboard itself loads its history.
const HISTORY_URL: &str =
    "https://history-events-us-west-2-prod.s3.amazonaws.com/historyevents.json";
const HISTORY: &str = "history";
/// Maximum number of events looked up in the history at once.
const MAX_ASKED: usize = 50;
const PAGE: &str = "https://health.aws.amazon.com/health/status";
/// Events that affect more services than this are critical.
const MANY_SERVICES: usize = 50;
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for AWS.
#[derive(Debug)]
pub(super) struct Aws;

#[derive(Debug, Deserialize)]
struct Arn {
    arn: String,
    #[serde(rename = "event_log")]
    _log: List,
}

#[derive(Debug, Deserialize)]
struct Event {
    arn: Id,
    date: MaybeId,
    status: MaybeId,
    end_time: MaybeId,
    service: Text,
    service_name: Text,
    summary: Text,
    #[serde(rename = "event_log")]
    log: List,
    impacted_services: OrDefault<BTreeMap<String, Service>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Service {
    service_name: Text,
    current: MaybeId,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    message: Text,
    status: MaybeId,
    timestamp: MaybeId,
}

impl Source for Aws {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["health.aws.amazon.com", "status.aws.amazon.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        // Only one company has such a page; other hosts are never asked for it.
        if !matches!(page.host_str(), Some(HOST | "status.aws.amazon.com")) {
            return Vec::new();
        }
        let mut root = page.clone();
        root.set_path("/");
        if root.set_host(Some(HOST)).is_err() {
            return Vec::new();
        }
        at(&root, PATH).into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if legacy::is_one(document) {
            return Some("the document has the shape of AWS's former data.json".to_owned());
        }
        let list = sniff::<List>(document)?;
        let known = match list.first() {
            Some(first) => lenient::read::<Arn>(first.get()).ok()?.arn.starts_with("arn:aws"),
            None => is_quiet(document) && document.url.path().ends_with(PATH),
        };
        known.then(|| "the document is a list of events as AWS has it".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = &documents.first;
        if legacy::is_one(first) {
            return legacy::parse(first, limits);
        }
        let list: List = json(first, NAME)?;
        if list.is_empty() && !is_quiet(first) {
            let reason = "an empty list, but not in UTF-16 as AWS writes it".to_owned();
            return Err(ParseError::not_this(NAME, reason));
        }
        let mut items = Items::new(limits);
        let mut arns = HashSet::new();
        let mut incidents = Vec::with_capacity(list.len());
        for event in items.read::<Event>("events", &list)? {
            if arns.insert(event.arn.clone()) {
                incidents.push(incident(&mut items, event)?);
            } else {
                items.reject("events", &format!("the arn {} is duplicated", event.arn));
            }
        }
        if let Some(document) = documents.detail(HISTORY) {
            let asked = absent(&documents.known, &incidents).take(MAX_ASKED);
            let asked = asked.map(str::to_owned).collect();
            incidents.extend(ended(&mut items, document, &asked)?);
        }
        Ok(snapshot(incidents, items, Listing::Open))
    }

    fn details(&self, first: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if absent(known, &snapshot.incidents).next().is_none() || legacy::is_one(first) {
            return Vec::new();
        }
        let url = Url::parse(HISTORY_URL).ok();
        url.map(|url| Detail { role: HISTORY, url, optional: true }).into_iter().collect()
    }
}

/// Returns the ids of events that were open and are not listed. The history has none of the former
/// format.
fn absent<'a>(known: &'a PriorItems, listed: &'a [Incident]) -> impl Iterator<Item = &'a str> {
    known.absent(listed).filter(|id| id.starts_with("arn:aws"))
}

/// Returns the events with the ids `asked` from the history, which lists events by service.
fn ended(
    items: &mut Items,
    document: &Document,
    asked: &HashSet<String>,
) -> Result<Vec<Incident>, ParseError> {
    let services: BTreeMap<String, List> = json(document, NAME)?;
    if services.is_empty() {
        return Err(ParseError::malformed("JSON", "the history is empty"));
    }
    let mut found = HashSet::new();
    let mut incidents = Vec::new();
    for raw in services.values().flatten() {
        // A year of events is long: events that were not requested are neither decoded nor
        // rejected.
        let Ok(Arn { arn, .. }) = lenient::read::<Arn>(raw.get()) else {
            continue;
        };
        if !asked.contains(&arn) || !found.insert(arn) {
            continue;
        }
        for event in items.nested::<Event>(HISTORY, std::slice::from_ref(raw))? {
            let past = incident(items, event)?;
            if past.status.is_over() {
                incidents.push(past);
            }
        }
    }
    Ok(incidents)
}

/// Returns whether the document is an empty list in UTF-16, which AWS answers when nothing is open.
/// Any other empty list belongs to another platform.
fn is_quiet(document: &Document) -> bool {
    let by_header = document
        .content_type
        .as_deref()
        .is_some_and(|header| header.to_ascii_lowercase().contains("utf-16"));
    document.text().trim() == "[]"
        && (by_header
            || document.body.starts_with(b"\xfe\xff")
            || document.body.starts_with(b"\xff\xfe"))
}

fn snapshot(incidents: Vec<Incident>, items: Items, listing: Listing) -> Snapshot {
    let whole = items.rejected() == 0;
    let quiet = whole && incidents.iter().all(|incident| incident.status.is_over());
    Snapshot {
        page: Page {
            name: Some("AWS".to_owned()),
            url: Some(PAGE.to_owned()),
            impact: quiet.then_some(Impact::None),
            ..Page::default()
        },
        coverage: Coverage {
            incidents: if whole { listing } else { Listing::Unknown },
            maintenances: Listing::Unknown,
            all_components: false,
        },
        incidents,
        components: Vec::new(),
        rejected: items.into_rejected(),
        ..Snapshot::default()
    }
}

fn incident(items: &mut Items, event: Event) -> Result<Incident, ParseError> {
    let entries: Vec<Entry> = items.nested("event_log", &event.log)?;
    let level = event.status.as_ref().map_or("", Id::as_str);
    let (resolved, title) = title(&event.summary);
    // The history keeps the worst level of an event, so only the newest entry shows that it is
    // over.
    let newest = entries.iter().max_by_key(|entry| seconds(entry.timestamp.as_ref()));
    let recovered =
        newest.and_then(|entry| entry.status.as_ref()).is_some_and(|status| status.as_str() == "0");
    let over = resolved || level == "0" || recovered || event.end_time.is_some();
    let region =
        event.arn.as_str().split(':').nth(3).filter(|region| !region.is_empty()).map(str::to_owned);
    let reached = event
        .impacted_services
        .values()
        .filter(|service| service.current.as_ref().is_some_and(|c| c.as_str() != "0"))
        .count();
    let impact = match impact(level) {
        Impact::Minor | Impact::Major if reached > MANY_SERVICES => Impact::Critical,
        // The previous level is unknown.
        _ if level == "0" => Impact::Unknown,
        impact => impact,
    };
    let first = entries.iter().filter_map(|entry| seconds(entry.timestamp.as_ref())).min();
    let written = entries.into_iter().map(|entry| {
        let at = seconds(entry.timestamp.as_ref());
        let ended = entry.status.as_ref().is_some_and(|status| status.as_str() == "0");
        let text = prose(&entry.message);
        match at {
            _ if ended => RawUpdate::new(IncidentStatus::Resolved, at, text),
            at if at == first => RawUpdate::concluded(IncidentStatus::Investigating, at, text),
            _ => RawUpdate::new(IncidentStatus::Update, at, text),
        }
    });
    Ok(Incident {
        status: if over { IncidentStatus::Resolved } else { IncidentStatus::Investigating },
        impact,
        url: Some(PAGE.to_owned()),
        started_at: seconds(event.date.as_ref()),
        components: components(&event, region.as_ref(), over),
        updates: order_updates(written, Order::MostlyOldestFirst),
        ..Incident::new(Kind::Incident, event.arn.0, title)
    })
}

/// Returns the services an event names, or its own where it names none. The region is their group.
fn components(event: &Event, region: Option<&String>, over: bool) -> Vec<Component> {
    let one = |id: &str, name: &str, level: &str| {
        let name = if name.trim().is_empty() { id } else { name };
        let state = if over { ComponentStatus::Operational } else { state(level) };
        component(Some(one_line(id, MAX_NAME)), one_line(name, MAX_NAME), region.cloned(), state)
    };
    if !event.impacted_services.is_empty() {
        let services = event.impacted_services.iter();
        return services
            .map(|(id, s)| one(id, &s.service_name, s.current.as_ref().map_or("", Id::as_str)))
            .collect();
    }
    if event.service.is_empty() {
        return Vec::new();
    }
    vec![one(&event.service, &event.service_name, event.status.as_ref().map_or("", Id::as_str))]
}

/// Returns whether the title says that the event is over, and the title without that marker.
fn title(summary: &str) -> (bool, String) {
    let summary = summary.trim();
    match summary.strip_prefix("[RESOLVED]") {
        Some(rest) => (true, one_line(rest, MAX_NAME)),
        None => (false, one_line(summary, MAX_NAME)),
    }
}

fn impact(level: &str) -> Impact {
    const LEVELS: &[(&str, Impact)] =
        &[("0", Impact::None), ("1", Impact::None), ("2", Impact::Minor), ("3", Impact::Major)];
    vocabulary::lookup(level, LEVELS).unwrap_or(Impact::Unknown)
}

fn state(level: &str) -> ComponentStatus {
    const LEVELS: &[(&str, ComponentStatus)] = &[
        ("0", ComponentStatus::Operational),
        ("1", ComponentStatus::Operational),
        ("2", ComponentStatus::DegradedPerformance),
        ("3", ComponentStatus::MajorOutage),
    ];
    vocabulary::lookup(level, LEVELS).unwrap_or(ComponentStatus::Unknown)
}

fn seconds(text: Option<&Id>) -> Option<Time> {
    text.and_then(|text| fields::moment_of(text.as_str()))
}
