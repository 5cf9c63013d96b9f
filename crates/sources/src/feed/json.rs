//! JSON Feed 1 and 1.1. Parsed here because feed-rs rejects the whole feed for one numeric id.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::{Feed, Item, TITLE, escape};
use super::metadata::{Field, ItemMetadata};
use crate::support::{List, lenient};
use crate::{Limits, ParseError, dates};
use statuswatch_model::text::one_line;

#[derive(Deserialize)]
struct JsonFeed {
    version: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    home_page_url: Option<String>,
    items: List,
}

#[derive(Deserialize)]
struct JsonItem {
    #[serde(default)]
    id: Option<Box<RawValue>>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    content_html: Option<String>,
    #[serde(default)]
    content_text: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    date_published: Option<String>,
    #[serde(default)]
    date_modified: Option<String>,
    #[serde(default)]
    tags: Option<Box<RawValue>>,
}

/// Returns whether a JSON document claims to be a JSON Feed.
pub(super) fn is_feed(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), b"jsonfeed.org/version/").is_some()
        || text.contains("jsonfeed.org\\/version\\/")
}

/// Parses a JSON Feed.
pub(super) fn read(text: &str, limits: Limits) -> Result<Feed, ParseError> {
    let malformed = |error: &serde_json::Error| ParseError::Malformed {
        format: "JSON",
        reason: one_line(&error.to_string(), 200),
    };
    let text = text.trim_start_matches('\u{feff}');
    if !is_feed(text) {
        return Err(ParseError::NotThis {
            source_name: "feed",
            reason: "JSON that is not a JSON Feed".to_owned(),
        });
    }
    let feed: JsonFeed = lenient::read(text).map_err(|error| malformed(&error))?;
    if !feed.version.contains("jsonfeed.org/version/1") {
        return Err(ParseError::Unsupported {
            what: format!("JSON Feed {}", one_line(&feed.version, 60)),
        });
    }
    if feed.items.len() > limits.max_items {
        return Err(ParseError::TooMany {
            what: "items",
            count: feed.items.len(),
            limit: limits.max_items,
        });
    }
    let mut items = Vec::new();
    let mut lost = 0;
    for raw in feed.items {
        // An item with a wrong type is reported and skipped; the others stay valid.
        match lenient::read::<JsonItem>(raw.get()) {
            Ok(json) => items.push(item(json)),
            Err(_) => lost += 1,
        }
    }
    if items.is_empty() && lost > 0 {
        return Err(ParseError::Malformed {
            format: "JSON",
            reason: format!("none of {lost} items could be read"),
        });
    }
    Ok(Feed {
        title: one_line(&feed.title.unwrap_or_default(), TITLE),
        link: feed.home_page_url.as_deref().and_then(crate::support::link),
        generator: String::new(),
        made: None,
        version: None,
        items,
        lost,
    })
}

fn item(json: JsonItem) -> Item {
    let body = json.content_html.filter(|html| !html.trim().is_empty());
    let body = body
        .or_else(|| json.content_text.or(json.summary).map(|text| escape(&text)))
        .unwrap_or_default();
    Item {
        id: json.id.map(|raw| id(raw.get())).unwrap_or_default(),
        link: json.url.as_deref().and_then(crate::support::link),
        title: one_line(&json.title.unwrap_or_default(), TITLE),
        body,
        published: json.date_published.as_deref().and_then(dates::read),
        updated: json.date_modified.as_deref().and_then(dates::read),
        metadata: metadata(json.tags.as_deref()),
    }
}

/// Tags are equivalent to categories; anything but a list of strings is ignored.
fn metadata(tags: Option<&RawValue>) -> ItemMetadata {
    let tags: Vec<String> = tags.and_then(|raw| lenient::read(raw.get()).ok()).unwrap_or_default();
    let mut metadata = ItemMetadata::default();
    for tag in &tags {
        metadata.add(Field::Label, tag);
    }
    metadata
}

/// Returns an id as written: numbers keep all digits; `null`, lists and objects become empty.
fn id(raw: &str) -> String {
    if raw.starts_with('"') {
        return lenient::read(raw).unwrap_or_default();
    }
    if raw.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        raw.to_owned()
    } else {
        String::new()
    }
}
