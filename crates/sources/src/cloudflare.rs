//! Cloudflare Status, Cloudflare's own page since 2026: `/api/v3/summary`.
//!
//! The shape is taken from the parser and tests of the project bentleypark/aiwatch
//! (`worker/src/parsers/cloudflare-status.ts`, issue 1384, September 2026); the feeds from
//! Cloudflare's documentation (`support/cloudflare-status`). The page of `www.cloudflarestatus.com`
//! still answers in Statuspage's format, too, and is detected as such, because that has more
//! detail. This source is for pages without such an answer, and for the components that are listed
//! only here.
//!
//! The document shows only the latest update of an incident, and no list of maintenances was found
//! in it: their feed is `/api/v3/maintenance.atom`, which `feed` reads. What has just ended stays
//! listed for a while.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, Name, OrDefault, Prose, Text, When};
use super::support::{Items, List, candidates, json, name, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, IncidentStatus, Kind};
use statuswatch_model::snapshot::{
    Coverage, Incident, Listing, Snapshot, Update, UpdateId, component,
};

const NAME: &str = "cloudflare";

/// The components by id: an incident references many.
type ById<'a> = HashMap<&'a str, &'a Component>;

/// The adapter for Cloudflare Status.
#[derive(Debug)]
pub(super) struct Cloudflare;

#[derive(Debug, Deserialize)]
struct Answer {
    success: bool,
    result: Summary,
}

#[derive(Debug, Deserialize)]
struct Summary {
    components: List,
    active_incidents: List,
    /// Required as a signature: other platforms answer with the two above only.
    #[serde(deserialize_with = "fields::or_default")]
    recent_incidents: List,
}

#[derive(Debug, Deserialize)]
struct Part {
    id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    name: Name,
    /// An incident lists its components without a status.
    status: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Item {
    id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    name: Name,
    status: String,
    impact: Text,
    starts_at: When,
    created_at: When,
    resolved_at: When,
    components: OrDefault<List>,
    last_update: Option<Latest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Latest {
    status: Text,
    message: Prose,
    created_at: When,
    display_at: When,
}

impl Source for Cloudflare {
    fn name(&self) -> &'static str {
        NAME
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v3/summary"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer: Answer = sniff(document)?;
        answer.success.then(|| "the document has the shape of Cloudflare Status".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let answer: Answer = json(&documents.first, NAME)?;
        if !answer.success {
            let reason = "it reports that the request did not succeed".to_owned();
            return Err(ParseError::not_this(NAME, reason));
        }
        let summary = answer.result;
        let mut items = Items::new(limits);
        let part = |_: &mut Items, part: Part| {
            let word = part.status.ok_or_else(|| format!("{} has no status", part.id))?;
            Ok((part.id.0.clone(), component(Some(part.id.0), part.name, None, state(&word))))
        };
        let components: Vec<Component> = items
            .build("components", &summary.components, part, |(id, _)| id)?
            .into_iter()
            .map(|(_, component)| component)
            .collect();
        let of_components = items.rejected();
        let by_id: ById<'_> =
            components.iter().filter_map(|one| Some((one.id.as_deref()?, one))).collect();
        let build = |items: &mut Items, wire: Item| incident(items, wire, &by_id);
        let mut incidents =
            items.build("incidents", &summary.active_incidents, build, |one| &one.id)?;
        let past = items.build("incidents", &summary.recent_incidents, build, |one| &one.id)?;
        let listed: HashSet<String> = incidents.iter().map(|one| one.id.clone()).collect();
        incidents.extend(past.into_iter().filter(|one| !listed.contains(&one.id)));
        let whole = items.rejected() == of_components;
        Ok(Snapshot {
            incidents,
            coverage: Coverage {
                incidents: if whole { Listing::Open } else { Listing::Unknown },
                maintenances: Listing::Unknown,
                all_components: of_components == 0,
            },
            components,
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn incident(items: &mut Items, wire: Item, by_id: &ById<'_>) -> Result<Incident, String> {
    let parts: Vec<Part> =
        items.nested("components", &wire.components).map_err(|error| error.to_string())?;
    let mut incident = Incident::new(Kind::Incident, wire.id.0, wire.name);
    incident.status = match vocabulary::status(&wire.status) {
        IncidentStatus::Update if wire.resolved_at.is_some() => IncidentStatus::Resolved,
        status => status,
    };
    // An incident without impact says "none"; a missing impact is unknown.
    incident.impact = vocabulary::impact(&wire.impact);
    incident.started_at = wire.starts_at.or(wire.created_at.0);
    incident.components = parts.into_iter().map(|part| named(part, by_id)).collect();
    incident.updates = wire
        .last_update
        .filter(|latest| !latest.message.is_empty() || latest.created_at.is_some())
        .map(|latest| (vocabulary::status(&latest.status), latest))
        .map(|(status, latest)| Update {
            id: UpdateId::Latest,
            status,
            stated: status,
            published_at: latest.display_at.or(latest.created_at.0),
            edited_at: None,
            text: latest.message.0,
        })
        .into_iter()
        .collect();
    Ok(incident)
}

/// Returns a component of an incident, with its status from the list of components.
fn named(part: Part, by_id: &ById<'_>) -> Component {
    let known = by_id.get(part.id.as_str()).map(|one| (*one).clone());
    known.unwrap_or_else(|| {
        let name = name(&part.name);
        component(Some(part.id.0), name, None, ComponentStatus::Unknown)
    })
}

fn state(word: &str) -> ComponentStatus {
    const OWN: &[(&str, ComponentStatus)] = &[("critical", ComponentStatus::MajorOutage)];
    vocabulary::lookup(word, OWN).unwrap_or_else(|| vocabulary::component(word))
}
