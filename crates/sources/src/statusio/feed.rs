//! The feed of a Status.io page, `/pages/<page id>/rss`: how incidents that left the API's lists
//! ended.
//!
//! An item is an incident or a maintenance with all updates, oldest first, in blocks as Statuspage
//! writes them, and has the id that the API uses. `status.io` has the feed of every page; the
//! page's own host has it, too, and is not known here. Based on programs that read such feeds, not
//! on a capture.

use std::collections::HashSet;

use url::Url;

use super::is_page_id;
use crate::feed::growing;
use crate::feed::item::Item;
use crate::feed::read;
use crate::support::{at, link};
use crate::{Limits, ParseError};
use statuswatch_model::document::Document;
use statuswatch_model::event::Kind;
use statuswatch_model::snapshot::{Incident, Update, UpdateId};

/// Maximum number of ids that are looked up.
const MAX_ASKED: usize = 50;
/// The hosts of the API, each of which also serves the pages.
const API: [&str; 2] = ["status.io", "hostedstatus.com"];
const PAGES: &str = "https://status.io/";

/// Returns the feed's URL for a URL of the API.
pub(super) fn place(first: &Url) -> Option<Url> {
    let (above, id) = first.path().rsplit_once("1.0/status/")?;
    let id = id.split('/').next().filter(|id| is_page_id(id))?;
    let of_api = |host: &str| {
        API.iter().any(|api| host.strip_suffix(api).is_some_and(|rest| rest.ends_with('.')))
    };
    let base = if first.host_str().is_some_and(of_api) {
        Url::parse(PAGES).ok()?
    } else {
        first.join(above).ok()?
    };
    at(&base, &format!("pages/{id}/rss"))
}

/// Returns the incidents with the ids `absent` that are over. Only the end is taken: the rest was
/// reported from the API, where updates have a different identity.
pub(super) fn ended<'a>(
    document: &Document,
    absent: impl Iterator<Item = &'a str>,
    limits: Limits,
) -> Result<Vec<Incident>, ParseError> {
    let feed = read::read(document, limits)?;
    let asked: HashSet<&str> = absent.take(MAX_ASKED).collect();
    let mut found = HashSet::new();
    let wanted = feed
        .items
        .into_iter()
        .filter(|item| asked.contains(item.id.as_str()) && found.insert(item.id.clone()));
    Ok(wanted.filter_map(incident).collect())
}

fn incident(item: Item) -> Option<Incident> {
    let is_maintenance = item.link.as_deref().is_some_and(|link| link.contains("/maintenance/"));
    let kind = if is_maintenance { Kind::Maintenance } else { Kind::Incident };
    // It uses `<b>` where Statuspage uses `<strong>`.
    let body = item.body.replace("<b>", "<strong>").replace("</b>", "</strong>");
    let blocks = growing::updates(&Item { body, ..item.clone() });
    // What follows the end is over as well; nothing is over if the last status is another.
    let place = blocks.iter().rposition(|block| !block.status.is_over()).map_or(0, |last| last + 1);
    let end = blocks.get(place)?;
    // The blocks give minutes in the zone of the page; the item's time is that of its last block.
    let newest = item.published.filter(|_| place + 1 == blocks.len());
    let update =
        Update { id: UpdateId::Content, published_at: newest.or(end.published_at), ..end.clone() };
    Some(Incident {
        status: end.status,
        url: item.link.as_deref().and_then(link),
        started_at: blocks.first().filter(|_| !is_maintenance).and_then(|block| block.published_at),
        updates: vec![update],
        ..Incident::new(kind, item.id, item.title)
    })
}
