//! Rootly: `/api/v1/status.json` of a page on its own domain, with the incidents that are active.
//!
//! Based on Rootly's documentation, not on a capture. Neither incidents nor updates have an id: an
//! incident is identified by the last part of its link, an update by its time. The list contains
//! only what is active, so an end is reported only while the incident is still listed. The status
//! of components is not in it.

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, candidates, json, link, name, order_updates, prose, sniff,
    vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Basis, Coverage, Incident, Listing, Page, Snapshot};
use statuswatch_model::text::one_line;

const NAME: &str = "rootly";

/// The adapter for Rootly.
#[derive(Debug)]
pub(super) struct Rootly;

#[derive(Debug, Deserialize)]
struct Answer {
    page: Head,
    status: Overall,
    incidents: List,
}

#[derive(Debug, Deserialize)]
struct Head {
    name: String,
    url: String,
    // Required as a signature, as is the absence of an id.
    #[serde(rename = "time_zone")]
    _zone: String,
    id: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Overall {
    indicator: String,
    #[serde(rename = "description")]
    _description: String,
}

#[derive(Debug, Deserialize)]
struct Item {
    name: String,
    status: String,
    url: String,
    impact: Text,
    started_at: When,
    resolved_at: When,
    incident_updates: List,
}

#[derive(Debug, Deserialize)]
struct Update {
    status: String,
    body: Text,
    created_at: When,
}

impl Source for Rootly {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["rootly.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v1/status.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer = sniff::<Answer>(document).filter(|answer| answer.page.id.is_none())?;
        let indicator = one_line(&answer.status.indicator, 20);
        Some(format!("the document has the shape of Rootly's status, which says \"{indicator}\""))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let answer: Answer = json(&documents.first, NAME)?;
        if answer.page.id.is_some() {
            return Err(ParseError::not_this(NAME, "the page has an id"));
        }
        let mut items = Items::new(limits);
        let incidents = items.build(
            "incidents",
            &answer.incidents,
            |items, wire: Item| incident(items, &wire),
            |one: &Incident| &one.id,
        )?;
        let listing = items.listing(0, Listing::Open);
        let name = name(&answer.page.name);
        Ok(Snapshot {
            page: Page {
                name: (!name.is_empty()).then_some(name),
                url: link(&answer.page.url),
                impact: Some(vocabulary::impact(&answer.status.indicator)),
                ..Page::default()
            },
            incidents,
            coverage: Coverage { incidents: listing, maintenances: listing, all_components: false },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn incident(items: &mut Items, wire: &Item) -> Result<Incident, String> {
    let id = identity(&wire.url).ok_or("its link names no incident")?;
    let updates: Vec<Update> =
        items.nested("updates", &wire.incident_updates).map_err(|error| error.to_string())?;
    let written = updates.into_iter().map(|one| {
        RawUpdate::new(vocabulary::status(&one.status), one.created_at.0, prose(&one.body))
    });
    let updates = order_updates(written, Order::MostlyNewestFirst);
    // The incident's own status is internal: "started", "mitigated". The last published one counts.
    let newest = updates
        .iter()
        .rev()
        .map(|update| update.status)
        .find(|status| *status != IncidentStatus::Update);
    let planned = |status: IncidentStatus| {
        matches!(
            status,
            IncidentStatus::Scheduled
                | IncidentStatus::InProgress
                | IncidentStatus::Verifying
                | IncidentStatus::Completed
        )
    };
    let own = vocabulary::status(&wire.status);
    let kind = if wire.impact == "maintenance" || newest.is_some_and(planned) || planned(own) {
        Kind::Maintenance
    } else {
        Kind::Incident
    };
    let mut incident = Incident::new(kind, id, name(&wire.name));
    incident.status = match (kind, wire.resolved_at.is_some() || own == IncidentStatus::Resolved) {
        (Kind::Maintenance, true) => IncidentStatus::Completed,
        (_, true) => IncidentStatus::Resolved,
        (Kind::Maintenance, false) => newest.unwrap_or(IncidentStatus::Scheduled),
        (_, false) => newest.unwrap_or(IncidentStatus::Investigating),
    };
    if kind == Kind::Maintenance {
        incident.scheduled_for = wire.started_at.0;
        if newest.is_none() {
            incident.basis = Basis::Begin;
        }
    } else {
        incident.started_at = wire.started_at.0;
        incident.impact =
            if wire.impact.is_empty() { Impact::Unknown } else { vocabulary::impact(&wire.impact) };
    }
    incident.url = link(&wire.url);
    incident.updates = updates;
    Ok(incident)
}

/// Returns the last part of the path of a link to one incident.
fn identity(address: &str) -> Option<String> {
    let url = Url::parse(address.trim()).ok()?;
    let mut parts = url.path_segments()?.rev().filter(|part| !part.is_empty());
    let (last, _) = (parts.next()?, parts.next()?);
    (last.len() <= 200).then(|| last.to_owned())
}
