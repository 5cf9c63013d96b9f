//! Gatus: `/api/v1/endpoints/statuses`, the endpoints with their newest results, oldest first.
//!
//! The document is generated: an endpoint that cannot be read may be the one that is down, so it is
//! an error instead of a rejection.

use serde::Deserialize;
use url::Url;

use super::support::fields::{self, Id, Text, When};
use super::support::{Items, List, Sample, candidates, json, name, outage, sniff};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus};
use statuswatch_model::snapshot::{Coverage, Listing, Snapshot, component};
use statuswatch_model::text::one_line;

const NAME: &str = "gatus";

/// The adapter for Gatus.
#[derive(Debug)]
pub(super) struct Gatus;

#[derive(Debug, Deserialize)]
struct Endpoint {
    key: Id,
    name: String,
    group: Text,
    #[serde(deserialize_with = "fields::or_default")]
    results: Vec<Outcome>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    success: bool,
    timestamp: When,
}

impl Source for Gatus {
    fn name(&self) -> &'static str {
        NAME
    }

    fn marks(&self) -> &'static [&'static str] {
        &["gatus"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v1/endpoints/statuses"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let endpoints =
            sniff::<Vec<Endpoint>>(document).filter(|endpoints| !endpoints.is_empty())?;
        Some(format!("{} endpoints with their results, as Gatus lists them", endpoints.len()))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let list: List = json(&documents.first, NAME)?;
        if list.is_empty() {
            // An empty list has no signature.
            return Err(ParseError::not_this(NAME, "it lists no endpoint"));
        }
        let mut items = Items::new(limits);
        let read = items.build(
            "endpoints",
            &list,
            |_, endpoint| Ok(read(endpoint)),
            |(component, _): &(Component, _)| component.id.as_deref().unwrap_or_default(),
        )?;
        if items.rejected() > 0 {
            let reason = items.into_rejected().join("; ");
            return Err(ParseError::Malformed { format: "JSON", reason: one_line(&reason, 300) });
        }
        let mut snapshot = Snapshot {
            coverage: Coverage {
                incidents: Listing::Unknown,
                maintenances: Listing::Unknown,
                all_components: true,
            },
            ..Snapshot::default()
        };
        for (component, results) in read {
            snapshot.incidents.extend(outage(
                component.id.as_deref().unwrap_or_default(),
                &component,
                &results,
            ));
            snapshot.components.push(component);
        }
        Ok(snapshot)
    }
}

fn read(endpoint: Endpoint) -> (Component, Vec<Sample>) {
    let state = match endpoint.results.last() {
        Some(Outcome { success: true, .. }) => ComponentStatus::Operational,
        Some(Outcome { success: false, .. }) => ComponentStatus::MajorOutage,
        None => ComponentStatus::Unknown,
    };
    let group = name(&endpoint.group);
    let group = (!group.is_empty()).then_some(group);
    let results = endpoint
        .results
        .iter()
        .map(|one| Sample { at: one.timestamp.0, up: Some(one.success) })
        .collect();
    (component(Some(endpoint.key.0), name(&endpoint.name), group, state), results)
}
