//! The JSON summary: what is open, each with its latest status only.

use serde::Deserialize;

use super::NAME;
use super::events::{impact, latest, state};
use crate::support::fields::{Id, MaybeId, Name, OrDefault, Text, When};
use crate::support::{Items, List, json, link, sniff, vocabulary};
use crate::{Limits, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, Impact, IncidentStatus, Kind};
use statuswatch_model::snapshot::{Coverage, Incident, Listing, Page, Snapshot, component};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    page: Head,
    active_incidents: List,
    active_maintenances: List,
}

#[derive(Debug, Deserialize)]
struct Head {
    #[serde(deserialize_with = "Name::deserialize")]
    name: Name,
    url: String,
    status: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    id: Id,
    #[serde(deserialize_with = "Name::deserialize")]
    name: Name,
    status: String,
    severity: Text,
    started_at: When,
    updated_at: When,
    url: Text,
    affected_services: OrDefault<List>,
}

#[derive(Debug, Deserialize)]
struct Service {
    id: MaybeId,
    #[serde(deserialize_with = "Name::deserialize")]
    name: Name,
    group: Name,
}

/// Instatus answers with the same lists and writes the words without underscores.
fn overall(word: &str) -> Option<Impact> {
    match word {
        "OPERATIONAL" => Some(Impact::None),
        "HAS_ISSUES" => Some(Impact::Minor),
        _ => None,
    }
}

/// Returns whether a document has the signature of the summary.
pub(super) fn is_summary(document: &Document) -> bool {
    sniff::<Summary>(document).is_some_and(|summary| overall(&summary.page.status).is_some())
}

/// Parses the summary.
pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let summary: Summary = json(document, NAME)?;
    let Some(sum) = overall(&summary.page.status) else {
        let reason = "its page has none of Checkly's states".to_owned();
        return Err(ParseError::not_this(NAME, reason));
    };
    let mut items = Items::new(limits);
    let build = |kind: Kind| move |items: &mut Items, wire: Item| item(items, wire, kind);
    let list = &summary.active_incidents;
    let mut incidents = items.build("incidents", list, build(Kind::Incident), |one| &one.id)?;
    let whole = items.rejected() == 0;
    let list = &summary.active_maintenances;
    incidents.extend(items.build("maintenances", list, build(Kind::Maintenance), |one| &one.id)?);
    Ok(Snapshot {
        page: Page {
            id: None,
            name: (!summary.page.name.is_empty()).then_some(summary.page.name.0),
            url: link(&summary.page.url),
            version: None,
            impact: Some(sum),
            ..Page::default()
        },
        incidents,
        components: Vec::new(),
        coverage: Coverage {
            incidents: if whole { Listing::Open } else { Listing::Unknown },
            maintenances: Listing::Unknown,
            all_components: false,
        },
        rejected: items.into_rejected(),
        ..Snapshot::default()
    })
}

fn item(items: &mut Items, wire: Item, kind: Kind) -> Result<Incident, String> {
    let services: Vec<Service> =
        items.nested("services", &wire.affected_services).map_err(|error| error.to_string())?;
    let mut incident = Incident::new(kind, wire.id.0, wire.name);
    incident.status = match (vocabulary::status(&wire.status), kind) {
        (IncidentStatus::Update, Kind::Maintenance) => IncidentStatus::InProgress,
        (status, _) => status,
    };
    if kind == Kind::Incident {
        incident.impact = impact(&wire.severity);
        incident.started_at = wire.started_at.0;
    } else {
        incident.scheduled_for = wire.started_at.0;
    }
    incident.url = link(&wire.url);
    let harm = state(incident.impact);
    let affected = services.into_iter().map(|service| -> Component {
        let group = (!service.group.is_empty()).then_some(service.group.0);
        component(service.id.0.map(|id| id.0), service.name, group, harm)
    });
    incident.components = affected.collect();
    incident.updates =
        latest(incident.status, wire.updated_at.0, String::new()).into_iter().collect();
    Ok(incident)
}
