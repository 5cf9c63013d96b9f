//! PayPal's own status page: `/api/v1/components`.
//!
//! Each component has a status in production and one in the sandbox: both are reported, the latter
//! with "sandbox" in its name. Texts of incidents are only in the page's feed.

use serde::Deserialize;
use url::Url;

use super::support::fields::MaybeId;
use super::support::{Items, List, bases, candidates, json, lenient, name, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus};
use statuswatch_model::snapshot::{self, Coverage, Page, Snapshot};

const NAME: &str = "paypal";

/// The adapter for PayPal's status page.
#[derive(Debug)]
pub(super) struct PayPal;

#[derive(Debug, Deserialize)]
struct Answer {
    result: List,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: MaybeId,
    name: String,
    category: String,
    status: States,
}

#[derive(Debug, Deserialize)]
struct States {
    production: String,
    sandbox: String,
}

impl Source for PayPal {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hosts(&self) -> &'static [&'static str] {
        &["paypal-status.com"]
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        candidates(page, &["api/v1/components"])
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer: Answer = sniff(document)?;
        let first: Wire = lenient::read(answer.result.first()?.get()).ok()?;
        (!first.name.is_empty()).then(|| {
            "the components have a state in production and one in the sandbox, as PayPal's"
                .to_owned()
        })
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let answer: Answer = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let read: Vec<Wire> = items.read("components", &answer.result)?;
        if read.is_empty() {
            return Err(ParseError::not_this(NAME, "it lists no components"));
        }
        Ok(Snapshot {
            page: Page {
                url: bases(&documents.first.url).into_iter().next().map(|url| url.to_string()),
                ..Page::default()
            },
            components: read.into_iter().flat_map(|wire| both(&wire)).collect(),
            coverage: Coverage { all_components: items.rejected() == 0, ..Coverage::default() },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

fn both(wire: &Wire) -> [Component; 2] {
    let title = name(&wire.name);
    let group = name(&wire.category);
    let group = (!group.is_empty()).then_some(group);
    let id = |end: &str| wire.id.as_ref().map(|id| format!("{id}{end}"));
    [
        snapshot::component(id(""), title.clone(), group.clone(), state(&wire.status.production)),
        snapshot::component(
            id("-sandbox"),
            format!("{title} (sandbox)"),
            group.clone(),
            state(&wire.status.sandbox),
        ),
    ]
}

fn state(word: &str) -> ComponentStatus {
    vocabulary::lookup(
        word,
        &[
            ("informational", ComponentStatus::Operational),
            ("service_disruption", ComponentStatus::PartialOutage),
            ("service_outage", ComponentStatus::MajorOutage),
        ],
    )
    .unwrap_or_else(|| vocabulary::component(word))
}
