//! Freshstatus: `/v1/public-components/?account_id=…` of its public API, which its pages fetch.
//!
//! A tree of components with a two-letter status each, and no texts. A component that is excluded
//! from the page's overall status is still reported: a filter can exclude it.

use serde::Deserialize;
use url::Url;

use super::support::fields::{Id, OrDefault};
use super::support::{Items, List, json, name, sniff, vocabulary};
use super::{Documents, Limits, ParseError, Source};
use statuswatch_model::document::Document;
use statuswatch_model::event::{Component, ComponentStatus};
use statuswatch_model::snapshot::{self, Coverage, Snapshot};

const NAME: &str = "freshstatus";
/// Maximum depth of nested groups.
const MAX_DEPTH: usize = 8;

/// The adapter for Freshstatus.
#[derive(Debug)]
pub(super) struct Freshstatus;

#[derive(Debug, Deserialize)]
struct Answer {
    components: List,
}

#[derive(Debug, Deserialize)]
struct Wire {
    id: Id,
    name: String,
    #[serde(default)]
    status: Option<String>,
    components: OrDefault<List>,
}

impl Source for Freshstatus {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The account number is not in the address of a page, so the document must be configured.
    fn locate(&self, page: &Url) -> Vec<Url> {
        if page.path().contains("/v1/public-components") { vec![page.clone()] } else { Vec::new() }
    }

    fn detect(&self, document: &Document) -> Option<String> {
        let answer: Answer = sniff(document)?;
        let mut known = false;
        walk(
            &answer.components,
            None,
            MAX_DEPTH,
            &mut Items::new(Limits::default()),
            &mut |component, code| {
                known |= component.status != ComponentStatus::Unknown && code.len() == 2;
            },
        )
        .ok()?;
        known.then(|| "the components have the two-letter states of Freshstatus".to_owned())
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let answer: Answer = json(&documents.first, NAME)?;
        let mut items = Items::new(limits);
        let mut components = Vec::new();
        walk(&answer.components, None, MAX_DEPTH, &mut items, &mut |component, _| {
            components.push(component);
        })?;
        if components.is_empty() {
            return Err(ParseError::not_this(NAME, "no component has a state"));
        }
        if components.len() > limits.max_items {
            return Err(ParseError::TooMany {
                what: "components",
                count: components.len(),
                limit: limits.max_items,
            });
        }
        Ok(Snapshot {
            components,
            coverage: Coverage { all_components: items.rejected() == 0, ..Coverage::default() },
            rejected: items.into_rejected(),
            ..Snapshot::default()
        })
    }
}

/// Calls `found` for every component that has a status, with its code.
fn walk(
    list: &List,
    group: Option<&str>,
    depth: usize,
    items: &mut Items,
    found: &mut dyn FnMut(Component, &str),
) -> Result<(), ParseError> {
    if depth == 0 {
        items.reject("components", "nested too deep");
        return Ok(());
    }
    let read: Vec<Wire> = items.read("components", list)?;
    for wire in read {
        let title = name(&wire.name);
        if let Some(code) = &wire.status {
            found(
                snapshot::component(
                    Some(wire.id.0),
                    title.clone(),
                    group.map(str::to_owned),
                    state(code),
                ),
                code,
            );
        }
        if wire.status.is_none() && wire.components.is_empty() {
            items.reject("components", &format!("\"{title}\" has neither a state nor parts"));
        }
        walk(&wire.components, Some(&title), depth - 1, items, found)?;
    }
    Ok(())
}

fn state(code: &str) -> ComponentStatus {
    vocabulary::lookup(
        code,
        &[
            ("OP", ComponentStatus::Operational),
            ("PD", ComponentStatus::DegradedPerformance),
            ("PO", ComponentStatus::PartialOutage),
            ("MO", ComponentStatus::MajorOutage),
            ("UM", ComponentStatus::UnderMaintenance),
        ],
    )
    .unwrap_or(ComponentStatus::Unknown)
}
