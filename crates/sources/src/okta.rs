//! Okta: the page itself, which embeds its incidents as JSON in hidden elements, one for incidents
//! and one for planned outages. They are records of a Salesforce object with only the latest text.
//!
//! The page must be complete: truncated after the incidents, it would lack the planned outages.

use std::collections::HashSet;

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, Text};
use super::support::{Items, List, html_title, lenient, prose, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{
    Basis, Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId, component,
};
use statuswatch_model::text::{decode_entities, one_line};

const NAME: &str = "okta";
const PAGE: &str = "https://status.okta.com/";
const INCIDENTS: &str = "incidents";
const PLANNED: &str = "planned-outages";
/// Longest start tag that is examined, in bytes.
const MAX_TAG: usize = 2048;
/// Longest title or name, in characters.
const MAX_NAME: usize = 300;

/// The adapter for Okta's page.
#[derive(Debug)]
pub(super) struct Okta;

#[derive(Debug, Deserialize)]
struct Wire {
    #[serde(rename = "Id")]
    id: Id,
    #[serde(rename = "Status__c")]
    status: String,
    #[serde(rename = "Category__c")]
    category: Text,
    #[serde(rename = "Incident_Title__c", alias = "Title__c")]
    title: Text,
    #[serde(rename = "Name")]
    name: Text,
    #[serde(rename = "Impacted_Cells__c")]
    cells: Text,
    #[serde(rename = "Service_Feature__c")]
    features: Text,
    #[serde(rename = "Start_Time__c")]
    start_time: Text,
    #[serde(rename = "Start_Date__c")]
    start_date: Text,
    #[serde(rename = "End_Time__c", alias = "End_Date__c")]
    end: Text,
    #[serde(rename = "Last_Updated__c")]
    updated: Text,
    #[serde(rename = "Log__c")]
    log: Text,
}

impl Source for Okta {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["status.okta.com"]
    }

    fn version(&self) -> u32 {
        2
    }

    fn accept(&self) -> &'static str {
        "text/html"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        if page.host_str() == Some("status.okta.com") {
            Url::parse(PAGE).into_iter().collect()
        } else {
            Vec::new()
        }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        if document.shape() != Shape::Html {
            return None;
        }
        let text = document.text();
        let known = element(&text, INCIDENTS).is_some()
            && (element(&text, PLANNED).is_some() || text.contains("Status__c"));
        known.then(|| "the page carries its incidents as Okta's does".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let document = &documents.first;
        let text = document.text();
        match document.shape() {
            Shape::Html => {}
            Shape::Empty => return Err(ParseError::Empty),
            _ => {
                return Err(ParseError::not_this(NAME, "it is not an HTML page"));
            }
        }
        let Some(incidents) = element(&text, INCIDENTS) else {
            return Err(ParseError::Html { title: html_title(&text) });
        };
        if !text.trim_end().to_ascii_lowercase().ends_with("</html>") {
            return Err(ParseError::malformed("HTML", "the page is truncated"));
        }
        let mut items = Items::new(limits);
        let mut out = read(&mut items, INCIDENTS, Kind::Incident, &incidents)?;
        if let Some(planned) = element(&text, PLANNED) {
            out.extend(read(&mut items, PLANNED, Kind::Maintenance, &planned)?);
        }
        let whole = items.rejected() == 0;
        let quiet = whole
            && out.iter().all(|incident| {
                incident.status.is_over() || incident.status == IncidentStatus::Scheduled
            });
        let listing = if whole { Listing::Open } else { Listing::Unknown };
        Ok(Snapshot {
            page: Page {
                name: Some("Okta".to_owned()),
                url: Some(PAGE.to_owned()),
                impact: quiet.then_some(Impact::None),
                ..Page::default()
            },
            coverage: Coverage { incidents: listing, maintenances: listing, all_components: false },
            incidents: out,
            components: Vec::new(),
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Returns the text of the element whose `data-id` is `id`.
fn element(html: &str, id: &str) -> Option<String> {
    let marker = format!("data-id=\"{id}\"");
    let (_, rest) = html.split_once(&marker)?;
    let (tag, inside) = rest.split_once('>')?;
    if tag.len() > MAX_TAG {
        return None;
    }
    // The JSON ends before the next end tag; markup within its texts is escaped.
    let (inside, _) = inside.split_once("</span>").or_else(|| inside.split_once("</div>"))?;
    let inside = inside.trim();
    Some(if inside.contains("&quot;") {
        decode_entities(inside).into_owned()
    } else {
        inside.to_owned()
    })
}

fn read(
    items: &mut Items,
    what: &'static str,
    kind: Kind,
    text: &str,
) -> Result<Vec<Incident>, ParseError> {
    let list: List = lenient::read(if text.is_empty() { "[]" } else { text }).map_err(|error| {
        ParseError::Malformed {
            format: "JSON",
            reason: format!("in {what}: {}", one_line(&error.to_string(), 200)),
        }
    })?;
    let mut ids = HashSet::new();
    let mut out = Vec::with_capacity(list.len());
    for wire in items.read::<Wire>(what, &list)? {
        if ids.insert(wire.id.clone()) {
            out.push(incident(kind, wire));
        } else {
            items.reject(what, &format!("the id {} is duplicated", wire.id));
        }
    }
    Ok(out)
}

fn incident(kind: Kind, wire: Wire) -> Incident {
    let planned = kind == Kind::Maintenance;
    let open = if planned { IncidentStatus::Scheduled } else { IncidentStatus::Investigating };
    let status = match vocabulary::status(&wire.status) {
        IncidentStatus::Resolved | IncidentStatus::Completed | IncidentStatus::Postmortem
            if planned =>
        {
            IncidentStatus::Completed
        }
        IncidentStatus::Completed => IncidentStatus::Resolved,
        _ if vocabulary::lookup(&wire.status, &[("closed", ()), ("complete", ())]).is_some() => {
            if planned {
                IncidentStatus::Completed
            } else {
                IncidentStatus::Resolved
            }
        }
        IncidentStatus::Update => open,
        status => status,
    };
    let impact = if planned { Impact::Maintenance } else { impact(&wire.category) };
    let state = match impact {
        _ if status.is_over() => ComponentStatus::Operational,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::Major => ComponentStatus::MajorOutage,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        _ => ComponentStatus::Unknown,
    };
    let start = time(&wire.start_time).or_else(|| time(&wire.start_date));
    let at = time(&wire.updated).or(start);
    let names = |text: &str| -> Vec<String> {
        text.split([';', ','])
            .map(|name| one_line(name, MAX_NAME))
            .filter(|name| !name.is_empty())
            .collect()
    };
    let mut affected = names(&wire.features);
    affected.extend(names(&wire.cells));
    let title = if wire.title.trim().is_empty() { &wire.name } else { &wire.title };
    let stated = vocabulary::status(&wire.status) != IncidentStatus::Update;
    Incident {
        status,
        basis: if planned && !stated { Basis::Begin } else { Basis::Stated },
        impact,
        url: Some(PAGE.to_owned()),
        started_at: start,
        scheduled_for: start.filter(|_| planned),
        scheduled_until: time(&wire.end).filter(|_| planned),
        components: affected.into_iter().map(|name| component(None, name, None, state)).collect(),
        updates: vec![Update {
            id: UpdateId::Latest,
            status,
            stated: status,
            published_at: at,
            edited_at: None,
            text: prose(&wire.log),
        }],
        ..Incident::new(kind, wire.id.0, one_line(title, MAX_NAME))
    }
}

/// Parses a time as Salesforce writes it: `2026-03-07T09:00:00.000+0000`.
fn time(text: &str) -> Option<Time> {
    fields::moment_of(text)
}

/// Maps the category: any service disruption is major unless it is called minor; degraded
/// performance or a missing feature is minor.
fn impact(category: &str) -> Impact {
    let category = category.trim().to_ascii_lowercase();
    if category.starts_with("minor") {
        return Impact::Minor;
    }
    if category.ends_with("service disruption") {
        return Impact::Major;
    }
    let minor = ["degradation", "performance", "feature"];
    if minor.iter().any(|word| category.contains(word)) { Impact::Minor } else { Impact::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_disruption_is_major_but_a_minor_one() {
        for (category, expected) in [
            ("Service Disruption", Impact::Major),
            ("Partial Service Disruption", Impact::Major),
            ("Minor Service Disruption", Impact::Minor),
            ("Service Degradation", Impact::Minor),
            ("Performance Issue", Impact::Minor),
            ("Feature Disruption", Impact::Minor),
            ("Wobbling", Impact::Unknown),
            ("", Impact::Unknown),
        ] {
            assert_eq!(impact(category), expected, "{category}");
        }
    }
}
