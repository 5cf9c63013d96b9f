//! What sources that read JSON share.
//!
//! * [`json`] turns a document into a type, or says what stands in its place: nothing, an HTML
//!   page, the provider's own error, something else.
//! * [`fields`] are types and serde helpers for fields that platforms spell in more than one way.
//! * [`lenient`] reads JSON as browsers do; nothing else here reads any.
//! * [`Items`] decodes a list item by item, so that one broken item costs itself alone, and is
//!   named.
//! * [`Decode`] is for platforms with long documents: flawless ones are read in one pass.
//! * [`vocabulary`] maps the platforms' words to ours; an unknown word never becomes "all is well".
//! * [`html`] is for pages that are read themselves: one script or attribute of them, by a scan.
//! * [`at`] and [`candidates`] build addresses below a page.
//! * [`order_updates`] puts updates in order and gives each its identity.
//! * [`v2`] is the `/api/v2` contract that Statuspage made and others imitate.

mod decode;
pub mod fields;
pub mod fold;
pub mod html;
mod items;
pub mod lenient;
mod outage;
mod place;
mod required;
mod updates;
pub mod v2;
pub mod vocabulary;

pub use decode::{Decode, Lenient, Strict, strict_then_lenient};
pub use items::{Items, List};
pub use outage::{Sample, outage};
pub use place::{at, bases, candidates, sibling};
pub use updates::{Order, RawUpdate, end_at, oldest_first, order_updates};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::ParseError;
use statuswatch_model::document::{Document, Shape};
use statuswatch_model::text::one_line;

/// Longest title or name, in characters.
pub const MAX_NAME: usize = 300;
/// Longest excerpt of a foreign message in an error of ours.
const MAX_EXCERPT: usize = 200;
/// Longer links are no use to a person.
const MAX_LINK: usize = 2000;
/// An error of the provider is no longer than this: a document that is, is judged by its shape
/// alone.
const MAX_ERROR_BODY: usize = 16 * 1024;
/// Where the title of an HTML page is looked for.
const MAX_HEAD: usize = 64 * 1024;

/// Reads a JSON document of the platform `source_name`.
///
/// Nesting is bounded by `serde_json`; `T` decides what is demanded. Anything that is plainly not
/// such a document is told apart: an empty body, an HTML page, an error message of the provider.
///
/// # Errors
/// Whatever keeps the document from being a `T`.
pub fn json<T: DeserializeOwned>(
    document: &Document,
    source_name: &'static str,
) -> Result<T, ParseError> {
    match document.shape() {
        Shape::Empty => return Err(ParseError::Empty),
        Shape::Html => {
            return Err(ParseError::Html { title: html_title(&document.text()) });
        }
        Shape::Xml => {
            return Err(ParseError::NotThis {
                source_name,
                reason: "it is XML, not JSON".to_owned(),
            });
        }
        Shape::Other => {
            let reason = format!("it is not JSON but begins with \"{}\"", begin(&document.text()));
            return Err(ParseError::NotThis { source_name, reason });
        }
        Shape::Json => {}
    }
    let text = document.text();
    if let Some(message) = error_body(&text) {
        return Err(ParseError::ErrorBody { message });
    }
    lenient::document(document).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => lone_message(&text).map_or_else(
            || not_this(source_name, &error),
            |message| ParseError::ErrorBody { message },
        ),
        _ => ParseError::Malformed { format: "JSON", reason: excerpt(&error.to_string()) },
    })
}

/// Reads a document for its marks alone: `None` where it is not JSON of that shape.
#[must_use]
pub fn sniff<T: DeserializeOwned>(document: &Document) -> Option<T> {
    if document.shape() != Shape::Json {
        return None;
    }
    let text = document.text();
    // Looked for before anything is parsed: a document is shown to every source.
    if required::required_key::<T>().is_some_and(|key| !required::may_hold(&text, key)) {
        return None;
    }
    lenient::document(document).ok()
}

/// The title of an HTML page.
#[must_use]
pub fn html_title(html: &str) -> Option<String> {
    let head: String = html.chars().take(MAX_HEAD).collect();
    let lower = head.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let open = start + lower.get(start..)?.find('>')? + 1;
    let end = open + lower.get(open..)?.find("</title")?;
    let title =
        one_line(&statuswatch_model::text::decode_entities(head.get(open..end)?), MAX_EXCERPT);
    (!title.is_empty()).then_some(title)
}

/// Text a provider wrote, plain or with markup, as paragraphs of plain text.
///
/// Line feeds count where a text has no block markup of its own: most platforms render them so.
#[must_use]
pub fn prose(text: &str) -> String {
    if memchr::memchr(b'<', text.as_bytes()).is_none() {
        return statuswatch_model::text::plain(&statuswatch_model::text::decode_entities(text));
    }
    let lower = text.to_ascii_lowercase();
    if !has_tag(&lower) {
        return statuswatch_model::text::plain(&statuswatch_model::text::decode_entities(text));
    }
    let blocks = ["<p>", "<p ", "<br", "<div", "<ul", "<ol", "<li"];
    if blocks.iter().any(|block| lower.contains(block)) && !text.trim().contains("\n\n") {
        return statuswatch_model::text::html_to_text(text);
    }
    statuswatch_model::text::html_to_text(&text.replace('\n', "<br>"))
}

/// A title or a name as it is shown: one line.
#[must_use]
pub fn name(text: &str) -> String {
    one_line(text, MAX_NAME)
}

/// A link a person may open: absolute, http or https, of a length that has a use.
#[must_use]
pub fn link(text: &str) -> Option<String> {
    let text = text.trim();
    let url = url::Url::parse(text).ok().filter(|_| text.len() <= MAX_LINK)?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// Whether `lower` holds something like `<b>` or `</p>`; a lone `<` in "p99 < 5 s" is none.
fn has_tag(lower: &str) -> bool {
    lower.split('<').skip(1).any(|rest| {
        let name = rest.strip_prefix('/').unwrap_or(rest);
        name.starts_with(|c: char| c.is_ascii_lowercase()) && rest.contains('>')
    })
}

/// What an error body says; `None` for a document that is none.
fn error_body(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        status: Option<Box<RawValue>>,
        error: Option<Box<RawValue>>,
        errors: Option<Box<RawValue>>,
        message: Option<Box<RawValue>>,
        detail: Option<Box<RawValue>>,
    }
    // A list of five items would pass for the five fields of the body.
    if text.len() > MAX_ERROR_BODY || !is_object(text) {
        return None;
    }
    let body: Body = lenient::read(text).ok()?;
    let code = body
        .status
        .as_deref()
        .and_then(|raw| raw.get().trim_matches('"').parse::<u16>().ok())
        .filter(|code| *code >= 400);
    let said = [&body.error, &body.errors].into_iter().flatten().find_map(|raw| say(raw));
    if code.is_none() && said.is_none() {
        return None;
    }
    let said = said
        .or_else(|| [&body.message, &body.detail].into_iter().flatten().find_map(|raw| say(raw)));
    Some(match (code, said) {
        (Some(code), Some(said)) => format!("{code} {said}"),
        (Some(code), None) => code.to_string(),
        (None, said) => said.unwrap_or_default(),
    })
}

/// The message of an object that is not the document and has a `message`, as gateways answer.
fn lone_message(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        message: Box<RawValue>,
    }
    if !is_object(text) {
        return None;
    }
    say(&lenient::read::<Body>(text).ok()?.message)
}

fn is_object(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

/// A JSON value as a person reads it; `None` for null, false, empty.
fn say(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    if matches!(text, "null" | "false" | "0" | "[]" | "{}" | "\"\"") {
        return None;
    }
    Some(excerpt(&lenient::read::<String>(text).unwrap_or_else(|_| text.to_owned())))
}

fn not_this(source_name: &'static str, error: &serde_json::Error) -> ParseError {
    ParseError::NotThis { source_name, reason: excerpt(&error.to_string()) }
}

fn excerpt(text: &str) -> String {
    one_line(text, MAX_EXCERPT)
}

fn begin(text: &str) -> String {
    one_line(&text.chars().take(200).collect::<String>(), 40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Thing {
        name: String,
    }

    fn read(body: impl Into<bytes::Bytes>) -> Result<Thing, ParseError> {
        let url = url::Url::parse("https://status.acme.example/x.json").unwrap();
        json(&Document::new(url, Some("application/json"), body), "thing")
    }

    #[test]
    fn a_document_is_read_and_a_mark_of_byte_order_is_no_harm() {
        assert_eq!(read("\u{feff} {\"name\": \"a\"}").unwrap().name, "a");
    }

    #[test]
    fn what_stands_in_place_of_a_document_is_named() {
        let say = |body: &str| read(body.to_owned()).unwrap_err().to_string();
        assert_eq!(say(" \n"), "the body is empty");
        assert_eq!(
            say("<!DOCTYPE html><html><TITLE lang=en>Acme &amp; Co\n sign in</TITLE>"),
            "an HTML page was answered: \"Acme & Co sign in\""
        );
        assert_eq!(
            say(r#"{"status": 500, "error": "Internal Server Error"}"#),
            "the provider answered with an error: 500 Internal Server Error"
        );
        assert_eq!(
            say(r#"{"error": {"code": 7}}"#),
            "the provider answered with an error: {\"code\": 7}"
        );
        assert_eq!(
            say(r#"{"errors": ["no such page"]}"#),
            "the provider answered with an error: [\"no such page\"]"
        );
        assert_eq!(
            say(r#"{"message": "Not Found"}"#),
            "the provider answered with an error: Not Found"
        );
        assert_eq!(say("OK"), "not a thing document: it is not JSON but begins with \"OK\"");
        assert_eq!(say("<rss/>"), "not a thing document: it is XML, not JSON");
        assert!(say(r#"{"name": "a""#).starts_with("malformed JSON: EOF"));
        assert!(say(r#"{"nam": "a"}"#).starts_with("not a thing document: missing field"));
        assert!(matches!(
            read("[".repeat(1_000_000)),
            Err(ParseError::NotThis { .. } | ParseError::Malformed { .. })
        ));
        let bomb = format!("{{\"name\": {}", "[".repeat(1_000_000));
        assert!(matches!(
            read(bomb),
            Err(ParseError::NotThis { .. } | ParseError::Malformed { .. })
        ));
    }

    #[test]
    fn an_error_in_a_good_document_is_no_error_body() {
        assert_eq!(
            read(r#"{"name": "a", "error": null, "errors": [], "status": "ok"}"#).unwrap().name,
            "a"
        );
    }

    #[test]
    fn a_list_is_no_error_body_however_long_it_is() {
        let url = url::Url::parse("https://status.acme.example/x.json").unwrap();
        let list = |body: &str| {
            json::<Vec<u8>>(&Document::new(url.clone(), None, body.to_owned()), "thing")
        };
        assert_eq!(list("[1, 2, 3, 4, 5]"), Ok(vec![1, 2, 3, 4, 5]));
        assert!(list("[\"x\"]").unwrap_err().to_string().starts_with("not a thing document"));
    }

    #[test]
    fn prose_keeps_paragraphs_with_and_without_markup() {
        assert_eq!(prose("One.\n\nTwo: p99 < 5 s > 3 s."), "One.\n\nTwo: p99 < 5 s > 3 s.");
        assert!(!prose("One.<br />Two <b>bold</b>.").contains('<'));
        assert_eq!(prose("One <b>bold</b>.\nTwo."), "One bold.\nTwo.");
    }

    #[test]
    fn links_are_for_people() {
        assert_eq!(
            link("https://stspg.example/a b").as_deref(),
            Some("https://stspg.example/a%20b")
        );
        assert_eq!(link("javascript:alert(1)"), None);
        assert_eq!(link("/incidents/1"), None);
    }
}
