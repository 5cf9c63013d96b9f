//! Hyperping: `/status.json` of a page, one indicator for all of it; or the older API document,
//! which also lists the services.
//!
//! Based on Hyperping's documentation, not on a capture. Texts of incidents are only in the feeds
//! that pages of some plans offer, which `feed` reads.

use serde::Deserialize;
use url::Url;

use super::support::{
    Items, List, bases, candidates, json, lenient, link, name, sniff, vocabulary,
};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus};
use statuswatch_model::snapshot::{Coverage, Page, Snapshot, component};

const NAME: &str = "hyperping";

/// The adapter for Hyperping.
#[derive(Debug)]
pub(super) struct Hyperping;

/// The older document.
#[derive(Debug, Deserialize)]
struct Board {
    name: String,
    url: String,
    indicator: String,
    #[serde(rename = "status")]
    _status: String,
    services: List,
}

/// The page's own document, which contains nothing else.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overall {
    indicator: String,
    #[serde(rename = "uptime")]
    _uptime: String,
}

#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    indicator: String,
    // Required as a signature.
    #[serde(rename = "status")]
    _status: String,
    #[serde(rename = "uptime")]
    _uptime: String,
}

impl Source for Hyperping {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &[".hyperping.app", ".hyperping.io"]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["hyperping.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["status.json"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        // Two fields are a weak signature: the name of the document is a third part.
        if !document.url.path().ends_with("/status.json") {
            return None;
        }
        let indicator = match sniff::<Board>(document) {
            Some(board) => {
                lenient::read::<Service>(board.services.first()?.get()).ok()?;
                board.indicator
            }
            None => sniff::<Overall>(document)?.indicator,
        };
        let known = state(&indicator) != ComponentStatus::Unknown;
        known.then(|| format!("the document has Hyperping's indicator, \"{indicator}\""))
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let first = &documents.first;
        let mut items = Items::new(limits);
        let mut page = Page::default();
        let (indicator, components) = if let Some(board) = sniff::<Board>(first) {
            if board.services.is_empty() {
                return Err(ParseError::not_this(NAME, "it lists no service"));
            }
            page.name = Some(name(&board.name)).filter(|name| !name.is_empty());
            page.url = link(&board.url);
            let read = |_: &mut Items, wire: Service| {
                Ok(component(None, name(&wire.name), None, state(&wire.indicator)))
            };
            (
                board.indicator,
                items.build("services", &board.services, read, |one: &Component| &one.name)?,
            )
        } else {
            let Overall { indicator, .. } = json(first, NAME)?;
            page.url = bases(&first.url).into_iter().next().map(|url| url.to_string());
            let all = component(Some("all".to_owned()), "All services", None, state(&indicator));
            (indicator, vec![all])
        };
        page.impact = Some(state(&indicator).impact());
        Ok(Snapshot {
            page,
            components,
            coverage: Coverage { all_components: items.rejected() == 0, ..Coverage::default() },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn state(indicator: &str) -> ComponentStatus {
    const INDICATORS: &[(&str, ComponentStatus)] = &[
        ("up", ComponentStatus::Operational),
        ("maintenance", ComponentStatus::UnderMaintenance),
        // At least one service is down, but not all.
        ("incident", ComponentStatus::PartialOutage),
        ("partialoutage", ComponentStatus::PartialOutage),
        ("outage", ComponentStatus::MajorOutage),
        ("down", ComponentStatus::MajorOutage),
    ];
    vocabulary::lookup(indicator, INDICATORS).unwrap_or(ComponentStatus::Unknown)
}
