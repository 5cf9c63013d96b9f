//! The events as a JSON feed, version 1.1 (jsonfeed.org/version/1.1). Pure.

use serde_json::{Value, json};

use super::{Entry, headline};
use crate::event::format_time;
use crate::view::link;

/// Writes the feed; `entries` are the newest first.
pub(super) fn render(entries: &[Entry]) -> String {
    let items: Vec<Value> = entries.iter().filter_map(item).collect();
    let feed = json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": "statuswatch",
        "items": items,
    });
    crate::text::safe_json(&feed.to_string()).into_owned()
}

fn item(entry: &Entry) -> Option<Value> {
    let (event, first) = entry.ends()?;
    let mut item = json!({
        "id": entry.id,
        "title": headline(event),
        "content_text": entry.text(),
        "date_published": format_time(first.published_at),
        "date_modified": format_time(event.observed_at),
        "authors": [{"name": event.provider_name}],
        "tags": [event.provider, event.kind.as_str(), event.impact.as_str()],
    });
    if let (Some(url), Some(item)) = (link(event.url.as_deref()), item.as_object_mut()) {
        item.insert("url".to_owned(), Value::from(url));
    }
    Some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_an_update_and_leads_to_pages_only() {
        let mut event = super::super::tests::event("Failed requests", "We look into it.");
        event.url = Some("javascript:alert(1)".to_owned());
        let feed: Value =
            serde_json::from_str(&render(&[super::super::tests::entry(event)])).unwrap();
        assert_eq!(feed["items"][0]["id"], "0123");
        assert_eq!(feed["items"][0]["title"], "Acme: Failed requests - Investigating");
        assert_eq!(feed["items"][0].get("url"), None);
        let read = feed_rs::parser::parse(feed.to_string().as_bytes()).unwrap();
        assert_eq!(read.entries.len(), 1);
    }
}
