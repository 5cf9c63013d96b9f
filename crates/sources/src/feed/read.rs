//! Converts documents to items: what Atom, RSS and JSON Feed have in common.
//!
//! The only module that uses feed-rs, which panics on some input: it runs behind the checks of
//! [`super::xml`] and inside `catch_unwind`.

use std::panic::catch_unwind;

use feed_rs::model::{Entry, FeedType, Link, Text};
use feed_rs::parser;

use super::item::{Feed, Item, TITLE, escape};
use super::metadata::ItemMetadata;
use super::{markup, xml};
use crate::{Limits, ParseError, dates};
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::text::{html_to_text, one_line};

/// Parses a document of any feed format.
pub(crate) fn read(document: &Document, limits: Limits) -> Result<Feed, ParseError> {
    match document.shape() {
        Shape::Empty => Err(ParseError::Empty),
        Shape::Html => Err(html_error(&document.text())),
        Shape::Json => super::json::read(&document.text(), limits),
        Shape::Xml => read_xml(document, limits),
        Shape::Other => {
            let start = one_line(&document.text(), 60);
            Err(ParseError::NotThis {
                source_name: "feed",
                reason: format!("neither XML nor JSON: \"{start}\""),
            })
        }
    }
}

fn html_error(text: &str) -> ParseError {
    let lower = text.to_ascii_lowercase();
    let title = memchr::memmem::find(lower.as_bytes(), b"<title")
        .and_then(|at| text.get(at..)?.split_once('>'))
        .map(|(_, rest)| rest);
    let title =
        title.map(|rest| one_line(&html_to_text(rest.split('<').next().unwrap_or_default()), 120));
    ParseError::Html { title: title.filter(|title| !title.is_empty()) }
}

fn read_xml(document: &Document, limits: Limits) -> Result<Feed, ParseError> {
    let text = document.text();
    if markup::root(&text).is_err_and(|reason| reason.ends_with("<html>")) {
        return Err(html_error(&text));
    }
    let prepared = xml::prepare(&text, limits.max_items)?;
    let source = &prepared.xml;
    let parsed = catch_unwind(|| {
        parser::Builder::new()
            // Ids come from the item or are derived here, never random.
            .id_generator(|_, _, _| String::new())
            .timestamp_parser(dates::read)
            .sanitize_content(false)
            .build()
            .parse(source.as_bytes())
    });
    let malformed =
        |reason: String| ParseError::Malformed { format: "XML", reason: one_line(&reason, 200) };
    let parsed = parsed
        .map_err(|_| malformed("the parser panicked".to_owned()))?
        .map_err(|error| malformed(error.to_string()))?;
    let lost = prepared.items.saturating_sub(parsed.entries.len());
    if parsed.entries.is_empty() && lost > 0 {
        return Err(malformed(format!("none of {lost} items could be read")));
    }
    let is_rss = parsed.feed_type != FeedType::Atom;
    // After a lost item, metadata can no longer be matched to items.
    let mut metadata = if lost == 0 { prepared.metadata } else { Vec::new() }.into_iter();
    let items = parsed.entries.into_iter().map(|entry| {
        let metadata = metadata.next().unwrap_or_default();
        Item { metadata, ..item(entry, is_rss, document) }
    });
    Ok(Feed {
        title: title(parsed.title.as_ref()),
        link: link(&parsed.links, document),
        generator: parsed.generator.map(|generator| generator.content).unwrap_or_default(),
        made: parsed.updated.max(parsed.published),
        version: if is_rss { parsed.published } else { parsed.updated },
        items: items.collect(),
        lost,
    })
}

fn item(entry: Entry, is_rss: bool, document: &Document) -> Item {
    let content =
        entry.content.and_then(|content| Some((content.content_type.to_string(), content.body?)));
    let summary = entry.summary.map(|summary| (summary.content_type.to_string(), summary.content));
    let (kind, body) =
        content.filter(|(_, body)| !body.trim().is_empty()).or(summary).unwrap_or_default();
    Item {
        id: entry.id,
        link: link(&entry.links, document),
        title: title(entry.title.as_ref()),
        // RSS does not declare the type of a description, and in practice it is HTML.
        body: if kind == "text/plain" && !is_rss { escape(&body) } else { body },
        published: entry.published,
        updated: entry.updated,
        metadata: ItemMetadata::default(),
    }
}

fn title(text: Option<&Text>) -> String {
    let Some(text) = text else {
        return String::new();
    };
    if text.content_type.to_string() == "text/plain" {
        one_line(&text.content, TITLE)
    } else {
        one_line(&html_to_text(&text.content), TITLE)
    }
}

/// Returns the link to the item's page, absolute.
fn link(links: &[Link], document: &Document) -> Option<String> {
    let alternate = |link: &&Link| {
        link.target.is_none() && matches!(link.rel.as_deref(), None | Some("alternate"))
    };
    absolute(&links.iter().find(alternate)?.href, document)
}

/// Resolves `href` against the document's URL; http(s) only.
fn absolute(href: &str, document: &Document) -> Option<String> {
    // The query of the configured address may hold a secret: a relative link must not inherit it.
    let mut base = document.url.clone();
    base.set_query(None);
    let url = base.join(href.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https") && href.len() <= 2000 && !href.trim().is_empty())
        .then(|| url.to_string())
}
