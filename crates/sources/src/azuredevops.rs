//! Azure DevOps: `/_apis/status/health`, the status of each service in each geography.
//!
//! It lists no incidents. The answer is cached for a minute.

use std::collections::HashSet;

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, MaybeId};
use super::support::{Items, List, candidates, json, lenient, name, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::ComponentStatus;
use statuswatch_model::snapshot::{Coverage, Page, Snapshot, component};

const NAME: &str = "azuredevops";
const HOST: &str = "status.dev.azure.com";
const PATH: &str = "_apis/status/health";

/// The adapter for Azure DevOps.
#[derive(Debug)]
pub(super) struct AzureDevOps;

#[derive(Debug, Deserialize)]
struct Health {
    #[serde(rename = "lastUpdated")]
    _updated: String,
    status: Overall,
    services: List,
}

#[derive(Debug, Deserialize)]
struct Overall {
    health: Id,
}

#[derive(Debug, Deserialize)]
struct Service {
    id: Id,
    geographies: List,
}

#[derive(Debug, Deserialize)]
struct Geography {
    id: Id,
    health: MaybeId,
}

impl Source for AzureDevOps {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["status.dev.azure.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        if page.host_str() == Some(HOST) { candidates(page, &[PATH]) } else { Vec::new() }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let health = sniff::<Health>(document)?;
        lenient::read::<Service>(health.services.first()?.get()).ok()?;
        Some("the document lists services and geographies as Azure DevOps does".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let health: Health = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let services: Vec<Service> = items.read("services", &health.services)?;
        if services.is_empty() {
            return Err(ParseError::not_this(NAME, "no service is listed"));
        }
        let mut components = Vec::new();
        let mut seen = HashSet::new();
        for service in services {
            for geography in items.nested::<Geography>("geographies", &service.geographies)? {
                let id = format!("{}/{}", service.id, geography.id);
                if !seen.insert(id.clone()) {
                    items.reject("geographies", &format!("{id} is duplicated"));
                    continue;
                }
                let status = geography
                    .health
                    .as_ref()
                    .map_or(ComponentStatus::Unknown, |health| state(health.as_str()));
                let group = name(geography.id.as_str());
                components.push(component(
                    Some(id),
                    name(service.id.as_str()),
                    Some(group),
                    status,
                ));
            }
        }
        if components.is_empty() {
            return Err(ParseError::malformed("JSON", "no geography can be read"));
        }
        if components.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "geographies",
                count: components.len(),
                limit: limits.max_items,
            });
        }
        Ok(Snapshot {
            page: Page {
                name: Some("Azure DevOps".to_owned()),
                url: documents.first.url.join("/").ok().map(|url| url.to_string()),
                impact: Some(state(health.status.health.as_str()).impact()),
                ..Page::default()
            },
            coverage: Coverage { all_components: items.rejected() == 0, ..Coverage::default() },
            incidents: Vec::new(),
            components,
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn state(health: &str) -> ComponentStatus {
    const STATES: &[(&str, ComponentStatus)] = &[
        ("healthy", ComponentStatus::Operational),
        ("advisory", ComponentStatus::Operational),
        ("degraded", ComponentStatus::DegradedPerformance),
        ("unhealthy", ComponentStatus::MajorOutage),
        // The numbers used by the page's own data.
        ("4", ComponentStatus::Operational),
        ("3", ComponentStatus::Operational),
        ("2", ComponentStatus::DegradedPerformance),
        ("1", ComponentStatus::MajorOutage),
    ];
    vocabulary::lookup(health, STATES).unwrap_or(ComponentStatus::Unknown)
}
