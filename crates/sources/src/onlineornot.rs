//! `OnlineOrNot`: `/v1/status_pages/<subdomain>/summary` of its API, which needs no key, with the
//! feed of the page.
//!
//! Based on `OnlineOrNot`'s documentation, not on a capture; the feed's shape is known from
//! programs that read it. The summary lists what is open, without texts: these, and how something
//! ended, are only in `/incidents.rss`. A page on its own domain does not name its subdomain, but
//! the API accepts the domain instead, so such a page must be configured by the API's URL.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde::Deserialize;
use url::Url;

use super::feed::Feed;
use super::support::fields::{Id, OrDefault, Text, When};
use super::support::vocabulary::{self, lookup};
use super::support::{Items, List, at, json, link, name, sniff};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Basis, Coverage, Incident, Listing, Page, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "onlineornot";
const FEED: &str = "feed";
const FEED_FILE: &str = "incidents.rss";
const API: &str = "api.onlineornot.com";
const PAGES: &str = ".onlineornot.com";
const SUMMARIES: &str = "v1/status_pages/";
/// Subdomains used by `OnlineOrNot` itself.
const OWN: &[&str] = &["www", "api", "developers", "dashboard", "mcp"];
/// Maximum number of ids that are looked up in the feed.
const MAX_ASKED: usize = 50;

/// The overall statuses of a page.
const OVERALL: &[(&str, Impact)] = &[
    ("All Systems Operational", Impact::None),
    ("Partially Degraded Service", Impact::Minor),
    ("Minor Service Outage", Impact::Major),
    ("Major System Outage", Impact::Critical),
    ("Service Under Maintenance", Impact::Maintenance),
];

/// The adapter for `OnlineOrNot`.
#[derive(Debug)]
pub(super) struct OnlineOrNot;

#[derive(Debug, Deserialize)]
struct Answer {
    result: Summary,
    success: bool,
    // Required as a signature.
    #[serde(rename = "errors")]
    _errors: List,
    #[serde(rename = "messages")]
    _messages: List,
}

#[derive(Debug, Deserialize)]
struct Summary {
    status: Overall,
    status_page: Head,
    components: List,
    active_incidents: List,
    scheduled_maintenance: List,
}

#[derive(Debug, Deserialize)]
struct Overall {
    description: String,
}

#[derive(Debug, Deserialize)]
struct Head {
    id: Id,
    name: String,
    subdomain: String,
    custom_domain: Text,
}

#[derive(Debug, Deserialize)]
struct Part {
    id: Id,
    name: String,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Notice {
    id: Id,
    title: String,
    impact: Text,
    started: When,
    ended: When,
    /// For maintenances.
    start_date: When,
    #[serde(default)]
    duration_minutes: Option<u32>,
    components: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Affected {
    id: Id,
    name: String,
}

impl Source for OnlineOrNot {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".onlineornot.com"]
    }

    fn accept(&self) -> &'static str {
        "application/json, application/rss+xml;q=0.9"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        let host = page.host_str().unwrap_or_default();
        let place = if host == API {
            page.path().contains(SUMMARIES).then(|| page.clone())
        } else {
            let subdomain =
                host.strip_suffix(PAGES).filter(|name| !name.contains('.') && !OWN.contains(name));
            subdomain.and_then(|name| {
                Url::parse(&format!("https://{API}/{SUMMARIES}{name}/summary")).ok()
            })
        };
        place.into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer = sniff::<Answer>(document)?;
        let subdomain = one_line(&answer.result.status_page.subdomain, 80);
        Some(format!(
            "the document has the shape of OnlineOrNot's summary of the page \"{subdomain}\""
        ))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let Answer { result, success, .. } = json(&documents.first, NAME)?;
        if !success {
            return Err(ParseError::ErrorBody {
                message: "it says that it did not succeed".to_owned(),
            });
        }
        let mut items = Items::new(limits);
        let parts = items.build(
            "components",
            &result.components,
            |_, part| Ok(state_of(part)),
            component_id,
        )?;
        let all_components = items.rejected() == 0;
        let home = home(&documents.first.url, &result.status_page);
        let mut incidents = Vec::new();
        for (what, list) in [
            ("scheduled_maintenance", &result.scheduled_maintenance),
            ("active_incidents", &result.active_incidents),
        ] {
            let planned = what == "scheduled_maintenance";
            let read = items.build(
                what,
                list,
                |items, one| notice(items, one, planned, &parts),
                |one: &Incident| &one.id,
            )?;
            for one in read {
                // A maintenance that has started may be in both lists.
                match incidents.iter_mut().find(|known: &&mut Incident| known.id == one.id) {
                    Some(known) if known.status == IncidentStatus::Scheduled => {
                        known.status = IncidentStatus::InProgress;
                    }
                    Some(_) => {}
                    None => incidents.push(one),
                }
            }
        }
        let listing = items.listing(0, Listing::Open);
        if let Some(document) = documents.detail(FEED) {
            join_feed(&mut incidents, document, &documents.known, limits)?;
        }
        for incident in &mut incidents {
            incident.url = home
                .as_ref()
                .and_then(|home| link(at(home, &format!("incidents/{}", incident.id))?.as_str()));
        }
        let name = name(&result.status_page.name);
        Ok(Snapshot {
            page: Page {
                id: Some(result.status_page.id.0),
                name: (!name.is_empty()).then_some(name),
                url: home.as_ref().and_then(|home| link(home.as_str())),
                version: None,
                impact: Some(
                    lookup(&result.status.description, OVERALL).unwrap_or(Impact::Unknown),
                ),
                ..Page::default()
            },
            incidents,
            components: parts,
            coverage: Coverage { incidents: listing, maintenances: listing, all_components },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }

    fn details(&self, _: &Document, snapshot: &Snapshot, known: &PriorItems) -> Vec<Detail> {
        if known.open.is_empty() && snapshot.incidents.is_empty() {
            return Vec::new();
        }
        let home = snapshot.page.url.as_deref().and_then(|home| Url::parse(home).ok());
        let url = home.and_then(|home| at(&home, FEED_FILE));
        url.map(|url| Detail { role: FEED, url, optional: true }).into_iter().collect()
    }

    /// It is undocumented whether a further update changes the summary.
    fn is_sidecar(&self, _: &str, snapshot: &Snapshot) -> bool {
        !snapshot.is_quiet()
    }
}

/// Returns the page of a summary: the directory of the API's URL if that is not `OnlineOrNot`'s own
/// host, because then it serves the page.
fn home(first: &Url, page: &Head) -> Option<Url> {
    if first.host_str() != Some(API) {
        return first.path().split_once(SUMMARIES).and_then(|(above, _)| first.join(above).ok());
    }
    let domain = page.custom_domain.trim().trim_end_matches('/');
    let domain = domain.strip_prefix("https://").unwrap_or(domain);
    let host =
        if domain.is_empty() { format!("{}{PAGES}", page.subdomain) } else { domain.to_owned() };
    Url::parse(&format!("https://{host}/")).ok()
}

fn component_id(part: &Component) -> &str {
    part.id.as_deref().unwrap_or_default()
}

fn state_of(part: Part) -> Component {
    component(Some(part.id.0), name(&part.name), None, state(&part.status))
}

fn state(word: &str) -> ComponentStatus {
    let own = [
        ("NO_IMPACT", ComponentStatus::Operational),
        ("MAINTENANCE", ComponentStatus::UnderMaintenance),
    ];
    lookup(word, &own).unwrap_or_else(|| vocabulary::component(word))
}

/// Converts a notice; `planned` is set for the list of maintenances.
fn notice(
    items: &mut Items,
    wire: Notice,
    planned: bool,
    all: &[Component],
) -> Result<Incident, String> {
    let affected: Vec<Affected> =
        items.nested("affected components", &wire.components).map_err(|error| error.to_string())?;
    let impact = lookup(&wire.impact, &[("NO_IMPACT", Impact::None)])
        .unwrap_or_else(|| vocabulary::impact(&wire.impact));
    let kind =
        if planned || impact == Impact::Maintenance { Kind::Maintenance } else { Kind::Incident };
    let mut incident = Incident::new(kind, wire.id.0, name(&wire.title));
    incident.status = match (kind, wire.ended.0) {
        (Kind::Maintenance, Some(_)) => IncidentStatus::Completed,
        (_, Some(_)) => IncidentStatus::Resolved,
        (Kind::Maintenance, None) if planned => {
            // The list includes started ones, without a word for it.
            incident.basis = Basis::Begin;
            IncidentStatus::Scheduled
        }
        (Kind::Maintenance, None) => IncidentStatus::InProgress,
        (_, None) => IncidentStatus::Investigating,
    };
    if kind == Kind::Maintenance {
        let length =
            wire.duration_minutes.and_then(|minutes| TimeDelta::try_minutes(minutes.into()));
        incident.scheduled_for = wire.start_date.or(wire.started.0);
        incident.scheduled_until = incident
            .scheduled_for
            .zip(length)
            .and_then(|(start, length)| start.checked_add_signed(length));
    } else {
        incident.impact = impact;
        incident.started_at = wire.started.0;
    }
    incident.components = affected
        .into_iter()
        .map(|part| {
            let known = all.iter().find(|one| one.id.as_deref() == Some(part.id.as_str())).cloned();
            known.unwrap_or_else(|| {
                component(Some(part.id.0), name(&part.name), None, ComponentStatus::Unknown)
            })
        })
        .collect();
    Ok(incident)
}

/// Merges the feed: the texts of what is listed, and the end of what was open and is not listed.
fn join_feed(
    incidents: &mut Vec<Incident>,
    document: &Document,
    known: &PriorItems,
    limits: Limits,
) -> Result<(), ParseError> {
    let asked: HashSet<String> =
        known.absent(incidents).take(MAX_ASKED).map(str::to_owned).collect();
    for past in Feed.parse(&Documents::only(document.clone()), limits)?.incidents {
        let newest = past
            .updates
            .iter()
            .rev()
            .map(|update| update.status)
            .find(|status| *status != IncidentStatus::Update);
        match incidents.iter_mut().find(|incident| incident.id == past.id) {
            // What is listed is open, whatever a feed of another time says.
            Some(known) => {
                known.status = newest.filter(|status| !status.is_over()).unwrap_or(known.status);
                known.updates = past.updates;
            }
            None if past.status.is_over() && asked.contains(past.id.as_str()) => {
                incidents.push(past);
            }
            None => {}
        }
    }
    Ok(())
}
