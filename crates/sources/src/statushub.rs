//! StatusHub: `/api/statuses`, of which only the counters are known: the numbers of services that
//! are up, affected and down.
//!
//! The format of the individual services is unknown, so the page is reported as one component.

use serde::Deserialize;
use url::Url;

use super::support::{bases, candidates, json, sniff};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::ComponentStatus;
use statuswatch_model::snapshot::{self, Coverage, Page, Snapshot};

const NAME: &str = "statushub";

/// The adapter for StatusHub.
#[derive(Debug)]
pub(super) struct StatusHub;

#[derive(Debug, Deserialize)]
struct Answer {
    counters: Counters,
}

#[derive(Debug, Deserialize)]
struct Counters {
    #[serde(rename = "count_status_1")]
    up: u64,
    #[serde(rename = "count_status_2")]
    affected: u64,
    #[serde(rename = "count_status_3")]
    down: u64,
}

impl Source for StatusHub {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".statushub.io"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["statushub.io"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/statuses"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        sniff::<Answer>(document).map(|_| "the document has the counters of StatusHub".to_owned())
    }

    fn parse(&self, documents: &Documents, _: Limits) -> Result<Snapshot, ParseError> {
        let Counters { up, affected, down } = json::<Answer>(&documents.first, NAME)?.counters;
        let state = match (up, affected, down) {
            (0, 0, 0) => {
                return Err(ParseError::not_this(NAME, "it counts no services"));
            }
            (_, 0, 0) => ComponentStatus::Operational,
            (_, _, 0) => ComponentStatus::DegradedPerformance,
            (0, 0, _) => ComponentStatus::MajorOutage,
            _ => ComponentStatus::PartialOutage,
        };
        Ok(Snapshot {
            page: Page {
                url: bases(&documents.first.url).into_iter().next().map(|url| url.to_string()),
                impact: Some(state.impact()),
                ..Page::default()
            },
            components: vec![snapshot::component(
                Some("all".to_owned()),
                "All services",
                None,
                state,
            )],
            coverage: Coverage { all_components: true, ..Coverage::default() },
            ..Snapshot::default()
        })
    }
}
