//! The feed: one item per component, titled "Name - State".

use super::NAME;
use crate::feed::read;
use crate::support::{name, vocabulary};
use crate::{Limits, ParseError};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::ComponentStatus;
use statuswatch_model::snapshot::{self, Coverage, Page, Snapshot};

/// Returns whether a document is such a feed: its path is `/rss`, and every title ends with a
/// status.
pub(super) fn is_component_feed(document: &Document) -> bool {
    document.shape() == Shape::Xml
        && document.url.path().ends_with("/rss")
        && read::read(document, Limits::default()).is_ok_and(|feed| {
            !feed.items.is_empty()
                && feed.lost == 0
                && feed.items.iter().all(|item| {
                    split(&item.title).is_some_and(|(_, state)| state != ComponentStatus::Unknown)
                })
        })
}

pub(super) fn parse(document: &Document, limits: Limits) -> Result<Snapshot, ParseError> {
    let feed = read::read(document, limits)?;
    let mut snapshot = Snapshot::default();
    for item in &feed.items {
        match split(&item.title) {
            Some((title, state)) => {
                // An id in a feed may be any text.
                let id = Some(name(&item.id)).filter(|id| !id.is_empty());
                snapshot.components.push(snapshot::component(id, name(title), None, state));
            }
            None => snapshot
                .rejected
                .push(format!("an item whose title is not \"Name - State\": \"{}\"", item.title)),
        }
    }
    if snapshot.components.is_empty() {
        return Err(ParseError::not_this(NAME, "no item is a component and its state"));
    }
    let title = name(&feed.title);
    snapshot.page =
        Page { name: (!title.is_empty()).then_some(title), url: feed.link, ..Page::default() };
    snapshot.coverage = Coverage {
        all_components: snapshot.rejected.is_empty() && feed.lost == 0,
        ..Coverage::default()
    };
    Ok(snapshot)
}

fn split(title: &str) -> Option<(&str, ComponentStatus)> {
    let (name, word) = title.rsplit_once(" - ")?;
    let state = vocabulary::lookup(
        word,
        &[
            ("informational", ComponentStatus::Operational),
            ("degraded", ComponentStatus::DegradedPerformance),
            ("maintenance", ComponentStatus::UnderMaintenance),
        ],
    );
    Some((name.trim(), state.unwrap_or_else(|| vocabulary::component(word))))
}
