//! Zendesk's own status page: `/api/ssp/incidents.json`, and the public `/api/incidents/active` of
//! the same service.
//!
//! JSON:API: incidents, with their updates and affected services included. Only `resolvedAt` says
//! whether one is over: the status of resolved ones was seen to stay "monitoring" for months.
//! Services have no status, so "operational" is never stated; an empty list only means that nothing
//! is open.

use std::collections::HashMap;

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, MaybeId, OrDefault, References, Text, When};
use super::support::{
    Items, List, Order, RawUpdate, bases, candidates, end_at, json, lenient, name, order_updates,
    prose, sniff, vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{self, Coverage, Incident, Listing, Page, Snapshot};

const NAME: &str = "zendesk";

/// The adapter for Zendesk's status page.
#[derive(Debug)]
pub(super) struct Zendesk;

#[derive(Debug, Deserialize)]
struct Answer {
    data: List,
    included: List,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: Id,
    #[serde(rename = "type")]
    kind: String,
    attributes: Attributes,
    #[serde(default)]
    relationships: Relationships,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    #[serde(alias = "title")]
    name: String,
    outage: bool,
    status: Text,
    impact: Text,
    #[serde(alias = "started_at")]
    started_at: When,
    /// Required, because null means that an incident is open.
    #[serde(alias = "resolved_at", deserialize_with = "fields::moment")]
    resolved_at: Option<Time>,
    postmortem: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relationships {
    #[serde(default, alias = "incident_updates")]
    incident_updates: References,
    #[serde(default, alias = "incident_services")]
    incident_services: References,
}

#[derive(Debug, Deserialize)]
struct Included {
    id: Id,
    #[serde(rename = "type")]
    kind: String,
    attributes: IncludedAttributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(default)]
struct IncludedAttributes {
    description: Text,
    status: Text,
    #[serde(alias = "created_at")]
    created_at: When,
    #[serde(alias = "updated_at")]
    updated_at: When,
    #[serde(alias = "service_name")]
    service_name: Text,
    #[serde(alias = "service_id")]
    service_id: MaybeId,
    outage: OrDefault<bool>,
    degradation: OrDefault<bool>,
    #[serde(alias = "resolved_at")]
    resolved_at: When,
}

/// The included objects, by kind and id.
type ById = HashMap<(bool, Id), IncludedAttributes>;

impl Source for Zendesk {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["status.zendesk.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/ssp/incidents.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer: Answer = sniff(document)?;
        let path = document.url.path();
        let first = answer.data.first().map(|raw| lenient::read::<Wire>(raw.get()));
        // An empty answer of this kind has no signature but its address.
        let own = match first {
            Some(first) => first.is_ok_and(|first| first.kind == "incident"),
            None => answer.included.is_empty() && path.contains("/api/ssp/"),
        };
        own.then(|| "the document lists incidents as Zendesk's status page does".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let answer: Answer = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let read: Vec<Wire> = items.read("incidents", &answer.data)?;
        let lost = items.rejected();
        // An incident has several updates and services.
        let mut more = Items::new(Limits { max_items: limits.max_items.saturating_mul(50) });
        let included: Vec<Included> = more.nested("included", &answer.included)?;
        let mut by_id = ById::new();
        for included in included {
            let is_update = included.kind.to_ascii_lowercase().contains("update");
            by_id.insert((is_update, included.id), included.attributes);
        }
        let home = bases(&documents.first.url).into_iter().next().map(|url| url.to_string());
        let rejected = items.into_rejected().into_iter().chain(more.into_rejected()).collect();
        Ok(Snapshot {
            page: Page { url: home, ..Page::default() },
            incidents: read.into_iter().map(|wire| incident(wire, &mut by_id)).collect(),
            components: Vec::new(),
            coverage: Coverage {
                incidents: if lost == 0 { Listing::Recent } else { Listing::Unknown },
                ..Coverage::default()
            },
            rejected,
            ..Snapshot::default()
        })
    }
}

fn incident(wire: Wire, by_id: &mut ById) -> Incident {
    let Attributes { name: title, outage, status, impact, started_at, resolved_at, postmortem } =
        wire.attributes;
    let mut written: Vec<RawUpdate> = wire
        .relationships
        .incident_updates
        .data
        .0
        .into_iter()
        .filter_map(|reference| {
            let id = reference.id.0.clone();
            // An update belongs to one incident only, so that a long one referenced by many is not
            // copied as many times.
            let update = by_id.remove(&(true, reference.id))?;
            Some(RawUpdate {
                id: Some(id),
                edited_at: update.updated_at.0,
                ..RawUpdate::new(
                    vocabulary::status(&update.status),
                    update.created_at.0,
                    prose(&update.description),
                )
            })
        })
        .collect();
    end_at(&mut written, IncidentStatus::Resolved, resolved_at);
    if !postmortem.trim().is_empty() {
        let text = prose(&postmortem);
        written.push(RawUpdate {
            id: Some("postmortem".to_owned()),
            ..RawUpdate::new(IncidentStatus::Postmortem, resolved_at, text)
        });
    }
    let updates = order_updates(written, Order::OldestFirst);
    let services = wire.relationships.incident_services.data.0.into_iter();
    let components =
        services.filter_map(|reference| service(by_id.get(&(false, reference.id))?)).collect();
    let open = match vocabulary::status(&status) {
        IncidentStatus::Update | IncidentStatus::Resolved | IncidentStatus::Postmortem => {
            IncidentStatus::Investigating
        }
        open => open,
    };
    Incident {
        status: if resolved_at.is_some() { IncidentStatus::Resolved } else { open },
        impact: match vocabulary::impact(&impact) {
            Impact::Unknown if outage => Impact::Major,
            Impact::Unknown => Impact::Minor,
            impact => impact,
        },
        started_at: started_at.0,
        components,
        updates,
        ..Incident::new(Kind::Incident, wire.id.0, name(&title))
    }
}

fn service(service: &IncludedAttributes) -> Option<Component> {
    let title = name(&service.service_name);
    let status = match (service.resolved_at.0, service.outage.0, service.degradation.0) {
        (Some(_), ..) => ComponentStatus::Operational,
        (None, true, _) => ComponentStatus::MajorOutage,
        (None, false, true) => ComponentStatus::DegradedPerformance,
        (None, false, false) => ComponentStatus::Unknown,
    };
    (!title.is_empty()).then(|| {
        snapshot::component(service.service_id.as_ref().map(|id| id.0.clone()), title, None, status)
    })
}
