//! Atom, RSS and JSON Feed: the fallback for every platform.
//!
//! Three kinds of entries are distinguished by their form, not by their publisher: growing ones
//! ([`growing`]), replaced ones ([`latest`]), and plain ones, each of which is an incident with one
//! update. A feed lists the newest incidents up to some limit and has no components, so its
//! coverage is low.

mod escape;
mod forms;
pub(super) mod growing;
mod identity;
pub(super) mod item;
mod json;
mod latest;

mod markup;
mod metadata;
pub(super) mod read;
mod titles;
mod vocabulary;
mod xml;

use std::collections::HashMap;

use url::Url;

use self::item::{Feed as Read, Item};
use super::{Documents, Limits, ParseError, SOURCES, Source};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::event::{Component, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{
    Basis, Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId,
};
use statuswatch_model::text::{html_to_text, one_line};

/// From this many entries on, a feed of growing entries is treated as a window of the newest.
const WINDOW: usize = 5;

/// Longest text that may be one sentence, in bytes.
const SENTENCE: usize = 200;

/// The adapter for feeds.
pub(super) struct Feed;

impl Source for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn version(&self) -> u32 {
        2
    }

    fn accept(&self) -> &'static str {
        "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.1"
    }

    fn locate(&self, page: &Url) -> Vec<Url> {
        const PATHS: [&str; 9] = [
            "history.atom",
            "feed.atom",
            "feed.rss",
            "history.rss",
            "rss",
            "feed",
            "atom.xml",
            "rss.xml",
            "feed.xml",
        ];
        let mut page = page.clone();
        page.set_query(None);
        page.set_fragment(None);
        let mut found = Vec::new();
        let path = page.path().trim_end_matches('/').to_owned();
        let last = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let like_a_feed = [".atom", ".rss", ".xml", ".rdf", "rss", "feed", "atom"]
            .iter()
            .any(|end| last.ends_with(end));
        if like_a_feed || last == "feed.json" {
            found.push(page.clone());
        }
        let below = |base: &str| PATHS.map(|name| format!("{base}/{name}"));
        let bases = if path.is_empty() || like_a_feed { vec![""] } else { vec![path.as_str(), ""] };
        for candidate in bases.into_iter().flat_map(below) {
            let mut url = page.clone();
            url.set_path(&candidate);
            if !found.contains(&url) {
                found.push(url);
            }
        }
        found
    }

    fn detect(&self, document: &Document) -> Option<String> {
        match document.shape() {
            Shape::Xml if SOURCES.iter().any(|source| source.claims_feed(document)) => None,
            Shape::Xml => {
                let text = document.text();
                let (root, tag) = markup::root(&text).ok()?;
                Some(match root {
                    markup::Root::Atom => "an Atom feed".to_owned(),
                    markup::Root::Rdf => "an RSS 1.0 feed".to_owned(),
                    markup::Root::Rss => match tag
                        .split_once("version=")
                        .and_then(|(_, rest)| rest.split(['"', '\'']).nth(1))
                    {
                        Some(version) => format!("an RSS {} feed", one_line(version, 10)),
                        None => "an RSS feed".to_owned(),
                    },
                })
            }
            Shape::Json => json::is_feed(&document.text()).then(|| "a JSON Feed".to_owned()),
            Shape::Html | Shape::Empty | Shape::Other => None,
        }
    }

    fn parse(&self, documents: &Documents, limits: Limits) -> Result<Snapshot, ParseError> {
        let snapshot = snapshot(&read::read(&documents.first, limits)?);
        let most =
            snapshot.incidents.iter().map(|incident| incident.updates.len()).max().unwrap_or(0);
        if most > limits.max_items {
            return Err(ParseError::TooMany {
                what: "updates of one incident",
                count: most,
                limit: limits.max_items,
            });
        }
        Ok(snapshot)
    }
}

fn snapshot(feed: &Read) -> Snapshot {
    let growing = feed.items.iter().any(growing::is_growing);
    let mut rejected = Vec::new();
    if feed.lost > 0 {
        rejected.push(format!("{} items could not be read", feed.lost));
    }
    let mut groups: Vec<(String, Vec<&Item>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for item in &feed.items {
        let Some(id) = identity(item, growing) else {
            rejected.push("an item without id, link, title and date".to_owned());
            continue;
        };
        if let Some((_, items)) = places.get(&id).and_then(|place| groups.get_mut(*place)) {
            if !items.contains(&item) {
                items.push(item);
            }
        } else {
            places.insert(id.clone(), groups.len());
            groups.push((id, vec![item]));
        }
    }
    let incidents: Vec<Incident> =
        groups.into_iter().filter_map(|(id, items)| incident(id, &items, feed.made)).collect();
    Snapshot {
        page: Page {
            id: None,
            name: Some(page_name(&feed.title)).filter(|name| !name.is_empty()),
            url: feed.link.clone(),
            // Elsewhere it is the time at which the feed was generated.
            version: feed.version.filter(|_| growing),
            impact: None,
            ..Page::default()
        },
        coverage: Coverage {
            incidents: if growing && incidents.len() >= WINDOW {
                Listing::Recent
            } else {
                Listing::Unknown
            },
            ..Coverage::default()
        },
        incidents,
        components: Vec::new(),
        rejected,
        ..Snapshot::default()
    }
}

/// Returns the incident's id: the code of its page where the platform's API uses the same.
fn identity(item: &Item, growing: bool) -> Option<String> {
    let link = item.link.as_deref().or(Some(item.id.as_str()));
    let code = link.and_then(identity::code).filter(|_| growing || latest::read(item).is_some());
    code.map(str::to_owned).or_else(|| identity::of(item))
}

/// `Acme Status - Incident History` → `Acme`.
fn page_name(title: &str) -> String {
    let title = title.strip_suffix(" - Incident History").unwrap_or(title);
    let short =
        title.strip_suffix(" Status").or_else(|| title.strip_suffix(" status")).unwrap_or(title);
    short.trim().to_owned()
}

/// Returns the incident described by `items` (one, or several with one id) in a document generated
/// at `made`.
fn incident(id: String, items: &[&Item], made: Option<Time>) -> Option<Incident> {
    // The newest item determines title and status.
    let newest = items
        .iter()
        .copied()
        .reduce(|best, item| if date(item) > date(best) { item } else { best })?;
    let mut components = Vec::new();
    let updates: Vec<Update> = match items {
        [item] if growing::is_growing(item) => growing::updates(item),
        [item] => vec![update(item, made, &mut components)],
        _ => several(items, made, &mut components),
    };
    let status = updates.last().map_or(IncidentStatus::Update, |update| update.status);
    let is_maintenance = newest.link.as_deref().is_some_and(|link| link.contains("/maintenances/"))
        || updates.iter().find_map(|update| vocabulary::kind(update.status))
            == Some(Kind::Maintenance);
    let kind = if is_maintenance { Kind::Maintenance } else { Kind::Incident };
    let (scheduled_for, scheduled_until) =
        if is_maintenance { growing::window(newest) } else { (None, None) };
    let scheduled_until = scheduled_until.or(newest.metadata.ended.filter(|_| is_maintenance));
    let title = if newest.title.is_empty() {
        updates.last().map(|update| one_line(&update.text, item::TITLE)).unwrap_or_default()
    } else {
        newest.title.clone()
    };
    let first = updates.first().and_then(|update| update.published_at);
    let begun = newest.published.filter(|published| {
        items.len() == 1 && newest.updated.is_some_and(|updated| *published < updated)
    });
    let started_at = if growing::is_growing(newest) || items.len() > 1 { first } else { begun };
    Some(Incident {
        status,
        basis: if status == IncidentStatus::Update { Basis::Silent } else { Basis::Stated },
        impact: if is_maintenance { Impact::Maintenance } else { Impact::Unknown },
        url: newest.link.clone(),
        started_at,
        scheduled_for,
        scheduled_until,
        components,
        updates,
        ..Incident::new(kind, id, title)
    })
}

/// Converts different items with one id to updates identified by their text. The first item is
/// identified that way even while it is alone, so a second one does not make it new.
fn several(items: &[&Item], made: Option<Time>, components: &mut Vec<Component>) -> Vec<Update> {
    // Newest first is the rule in a document: of two items with one time, the later one comes
    // first.
    let mut updates: Vec<Update> = items
        .iter()
        .rev()
        .map(|item| Update { id: UpdateId::Content, ..update(item, made, components) })
        .collect();
    updates.sort_by_key(|update| update.published_at);
    updates
}

/// Converts an item to the one update it shows.
fn update(item: &Item, made: Option<Time>, components: &mut Vec<Component>) -> Update {
    let (status, text) = if let Some(latest) = latest::read(item) {
        *components = latest.components;
        (latest.status, latest.text)
    } else {
        let text = html_to_text(&item.body);
        let written = titles::status(&item.title)
            .or_else(|| vocabulary::leading(&text))
            .or_else(|| sentence(&text).and_then(titles::status));
        (item.metadata.judge(written, made).unwrap_or(IncidentStatus::Update), text)
    };
    let published_at = date(item);
    Update { id: UpdateId::Latest, status, stated: status, published_at, edited_at: None, text }
}

/// Returns a text that is one short sentence, which states what a title would: "This incident has
/// been resolved." Longer texts mention other things as well.
fn sentence(text: &str) -> Option<&str> {
    let whole = text.trim_end().strip_suffix(['.', '!', '。']).unwrap_or(text);
    let short = text.len() <= SENTENCE && !whole.contains(['\n', '。']) && !whole.contains(". ");
    short.then_some(text)
}

fn date(item: &Item) -> Option<Time> {
    item.updated.or(item.published)
}
