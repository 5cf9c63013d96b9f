//! Upptime: `history/summary.json` of the repository behind the page.
//!
//! It lists sites with their status and nothing else; incidents are issues of the repository, and
//! are not read. Measurements change with every commit and are ignored.

use serde::Deserialize;
use url::Url;

use super::support::fields::Id;
use super::support::{Items, List, json, name, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::ComponentStatus;
use statuswatch_model::snapshot::{self, Coverage, Snapshot};

const NAME: &str = "upptime";
const FILE: &str = "HEAD/history/summary.json";

/// The adapter for Upptime.
#[derive(Debug)]
pub(super) struct Upptime;

#[derive(Debug, Deserialize)]
struct Site {
    slug: Id,
    name: String,
    status: String,
    /// Required, because lists of sites with a status are common.
    #[serde(rename = "uptime")]
    _uptime: String,
    #[serde(rename = "url")]
    _url: String,
}

impl Source for Upptime {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".github.io", "github.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        if page.path().ends_with("/history/summary.json") {
            return vec![page.clone()];
        }
        let parts: Vec<&str> =
            page.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let repository = match (page.domain(), parts.as_slice()) {
            (Some("github.com"), [owner, repository, ..]) => Some((*owner, *repository)),
            (Some(host), [repository, ..]) => {
                host.strip_suffix(".github.io").map(|owner| (owner, *repository))
            }
            _ => None,
        };
        let raw = |(owner, repository)| {
            Url::parse(&format!("https://raw.githubusercontent.com/{owner}/{repository}/{FILE}"))
                .ok()
        };
        repository.and_then(raw).into_iter().collect()
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let sites: Vec<Site> = sniff(document)?;
        let known = sites.iter().any(|site| state(&site.status) != ComponentStatus::Unknown);
        known.then(|| "the document has the shape of Upptime's history/summary.json".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let list: List = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let sites: Vec<Site> = items.read("sites", &list)?;
        if sites.is_empty() {
            return Err(ParseError::not_this(NAME, "it lists no sites"));
        }
        let components = sites.into_iter().map(|site| {
            let state = state(&site.status);
            snapshot::component(Some(site.slug.0), name(&site.name), None, state)
        });
        Ok(Snapshot {
            components: components.collect(),
            coverage: Coverage { all_components: items.rejected() == 0, ..Coverage::default() },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn state(word: &str) -> ComponentStatus {
    vocabulary::lookup(
        word,
        &[
            ("up", ComponentStatus::Operational),
            ("down", ComponentStatus::MajorOutage),
            ("degraded", ComponentStatus::DegradedPerformance),
        ],
    )
    .unwrap_or(ComponentStatus::Unknown)
}
