//! cState: `/index.json` of the generated site, with the texts from its feed.
//!
//! The index lists unresolved issues under each system they affect, so one issue may be listed
//! several times; its URL is its identity. The text, and whether it is resolved, is only in
//! `/index.xml`. An issue is one text that is edited over time: the text is one update, its end
//! another.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::feed::Feed;
use super::support::fields::{OrDefault, Text, When};
use super::support::vocabulary::lookup;
use super::support::{Items, List, MAX_NAME, at, candidates, json, link, sniff};
use super::{Detail, Documents, Limits, ParseError, PriorItems, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{
    Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};
use statuswatch_model::text::one_line;

const NAME: &str = "cstate";
const FEED: &str = "feed";
const RESOLVED: &str = "[Resolved]";

const IMPACT: &[(&str, Impact)] = &[
    ("ok", Impact::None),
    ("notice", Impact::None),
    ("disrupted", Impact::Minor),
    ("down", Impact::Major),
];

const STATE: &[(&str, ComponentStatus)] = &[
    ("ok", ComponentStatus::Operational),
    ("notice", ComponentStatus::Operational),
    ("disrupted", ComponentStatus::PartialOutage),
    ("down", ComponentStatus::MajorOutage),
];

/// The adapter for cState.
#[derive(Debug)]
pub(super) struct CState;

#[derive(Debug, Deserialize)]
struct Index {
    is: String,
    #[serde(rename = "cStateVersion")]
    version: String,
    title: String,
    #[serde(rename = "baseURL")]
    base: String,
    #[serde(rename = "summaryStatus")]
    summary: String,
    #[serde(rename = "pinnedIssues")]
    pinned: OrDefault<List>,
    systems: List,
}

#[derive(Debug, Deserialize)]
struct System {
    name: String,
    category: Text,
    status: Text,
    #[serde(rename = "unresolvedIssues")]
    issues: List,
}

#[derive(Debug, Deserialize)]
struct Issue {
    permalink: String,
    title: Text,
    #[serde(rename = "createdAt")]
    created: When,
    severity: Text,
    resolved: OrDefault<bool>,
    informational: OrDefault<bool>,
    affected: OrDefault<Vec<String>>,
}

impl Source for CState {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["cstate"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["index.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let index = sniff::<Index>(document).filter(|index| index.is == "index")?;
        Some(format!("the index of a cState site, version {}", one_line(&index.version, 20)))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let index: Index = json(&documents.first, NAME)?;
        if index.is != "index" {
            let reason = format!("it is \"{}\", not an index", one_line(&index.is, 40));
            return Err(ParseError::not_this(NAME, reason));
        }
        let mut items = Items::new(limits);
        let systems: Vec<System> = items.read("systems", &index.systems)?;
        let all_components = items.rejected() == 0;
        let mut snapshot = Snapshot::default();
        let mut issues: BTreeMap<String, Incident> = BTreeMap::new();
        for system in &systems {
            let group = one_line(&system.category, MAX_NAME);
            let status = lookup(&system.status, STATE).unwrap_or(ComponentStatus::Unknown);
            let name = one_line(&system.name, MAX_NAME);
            // Only names are listed.
            snapshot.components.push(component(
                None,
                name,
                (!group.is_empty()).then_some(group),
                status,
            ));
        }
        for list in systems.iter().map(|system| &system.issues).chain([&index.pinned.0]) {
            for issue in items.nested::<Issue>("issues", list)? {
                match identity(&issue.permalink) {
                    Some(id) => {
                        issues.entry(id.clone()).or_insert_with(|| incident(id, &issue, &snapshot));
                    }
                    None => items.reject("issues", "its permalink is no address"),
                }
            }
        }
        if issues.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "issues",
                count: issues.len(),
                limit: limits.max_items,
            });
        }
        if let Some(document) = documents.detail(FEED) {
            join_feed(&mut issues, &Feed.parse(&Documents::only(document.clone()), limits)?);
        }
        let listing = items.listing(0, Listing::Open);
        snapshot.incidents = issues.into_values().collect();
        snapshot.coverage =
            Coverage { incidents: listing, maintenances: Listing::Unknown, all_components };
        let title = one_line(&index.title, MAX_NAME);
        snapshot.page = Page {
            name: (!title.is_empty()).then_some(title),
            url: link(&index.base),
            impact: Some(lookup(&index.summary, IMPACT).unwrap_or(Impact::Unknown)),
            ..Page::default()
        };
        snapshot.rejected = items.into_rejected();
        Ok(snapshot)
    }

    fn details(&self, first: &Document, _: &Snapshot, _: &PriorItems) -> Vec<Detail> {
        at(&first.url, "index.xml")
            .map(|url| Detail { role: FEED, url, optional: true })
            .into_iter()
            .collect()
    }
}

/// Returns the path of an issue's URL: the host has several spellings.
fn identity(permalink: &str) -> Option<String> {
    let url = Url::parse(permalink.trim()).ok()?;
    let path = url.path().trim_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

fn incident(id: String, issue: &Issue, snapshot: &Snapshot) -> Incident {
    let mut incident = Incident::new(Kind::Incident, id, one_line(&issue.title, MAX_NAME));
    incident.status = match (issue.resolved.0, issue.informational.0) {
        (true, _) => IncidentStatus::Resolved,
        (false, true) => IncidentStatus::Update,
        (false, false) => IncidentStatus::Investigating,
    };
    incident.impact = lookup(&issue.severity, IMPACT).unwrap_or(Impact::Unknown);
    incident.url = link(&issue.permalink);
    incident.started_at = issue.created.0;
    let affects = |name: &&String| {
        snapshot.components.iter().find(|one| one.name == one_line(name, MAX_NAME)).cloned()
    };
    incident.components = issue.affected.iter().filter_map(|name| affects(&name)).collect();
    incident
}

/// Merges the feed: texts, and issues that are over.
fn join_feed(issues: &mut BTreeMap<String, Incident>, feed: &Snapshot) {
    for past in &feed.incidents {
        let Some(id) = past.url.as_deref().and_then(identity) else {
            continue;
        };
        let Some(last) = past.updates.last() else {
            continue;
        };
        let over = past.title.starts_with(RESOLVED);
        if let Some(known) = issues.get_mut(&id) {
            known.updates = updates(last, known.status, false);
        } else if over {
            let title = past.title.trim_start_matches(RESOLVED).trim_start();
            let mut incident = Incident::new(Kind::Incident, id.clone(), title);
            incident.status = IncidentStatus::Resolved;
            incident.url.clone_from(&past.url);
            incident.started_at = last.published_at;
            incident.updates = updates(last, IncidentStatus::Investigating, true);
            issues.insert(id, incident);
        }
    }
}

/// Returns the present text, and the end, each with an identity that no edit changes.
fn updates(text: &Update, status: IncidentStatus, over: bool) -> Vec<Update> {
    // The status is that of the issue, whose changes are no edits of the text.
    let mut out = vec![Update {
        id: UpdateId::Native("text".to_owned()),
        status,
        stated: IncidentStatus::Update,
        ..text.clone()
    }];
    if over {
        out.push(Update {
            id: UpdateId::Native("resolved".to_owned()),
            status: IncidentStatus::Resolved,
            stated: IncidentStatus::Resolved,
            published_at: None,
            edited_at: None,
            text: String::new(),
        });
    }
    out
}
