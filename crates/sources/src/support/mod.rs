//! Building blocks shared by the sources.
//!
//! * [`json`] deserializes a document, or reports what was answered instead: nothing, an HTML page,
//!   an error of the provider, something else.
//! * [`fields`] are types and serde helpers for fields that platforms spell in more than one way.
//! * [`lenient`] reads JSON as browsers do; all JSON is read through it.
//! * [`Items`] decodes a list item by item, so that an invalid item is rejected and reported alone.
//! * [`Decode`] is for platforms with long documents: valid ones are decoded in one pass.
//! * [`vocabulary`] maps the status words of platforms to the model's; an unknown word never
//!   becomes "operational".
//! * [`html`] finds one script or attribute in an HTML page by scanning it.
//! * [`at`] and [`candidates`] build URLs below a page.
//! * [`order_updates`] orders updates and gives each its identity.
//! * [`v2`] is the `/api/v2` format that Statuspage defined and others imitate.

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
/// Longest excerpt of a provider's text in an error message, in characters.
const MAX_EXCERPT: usize = 200;
/// Longest link that is kept, in bytes.
const MAX_LINK: usize = 2000;
/// Longest document that is examined for an error message of the provider, in bytes; a longer one
/// is judged by its shape alone.
const MAX_ERROR_BODY: usize = 16 * 1024;
/// How far the title of an HTML page is searched for, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Deserializes a JSON document of the platform `source_name`.
///
/// Nesting is limited by `serde_json`; `T` decides what is required. An empty body, an HTML page
/// and an error message of the provider are reported as such.
///
/// # Errors
/// Returns an error if the document is not a `T`.
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
            return Err(ParseError::not_this(source_name, "it is XML, not JSON"));
        }
        Shape::Other => {
            let reason = format!("it is not JSON but starts with \"{}\"", begin(&document.text()));
            return Err(ParseError::not_this(source_name, reason));
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

/// Deserializes the signature of a document; returns `None` where it is not JSON of that shape.
#[must_use]
pub fn sniff<T: DeserializeOwned>(document: &Document) -> Option<T> {
    if document.shape() != Shape::Json {
        return None;
    }
    let text = document.text();
    // Checked before anything is parsed: detection offers a document to every source.
    if required::required_key::<T>().is_some_and(|key| !required::may_hold(&text, key)) {
        return None;
    }
    lenient::document(document).ok()
}

/// Returns the title of an HTML page.
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

/// Converts text of a provider, plain or HTML, to paragraphs of plain text.
///
/// Line feeds are kept where a text has no block markup, as most platforms render them.
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

/// Returns a title or a name as one line.
#[must_use]
pub fn name(text: &str) -> String {
    one_line(text, MAX_NAME)
}

/// Returns a link if it is absolute, http or https, and not excessively long.
#[must_use]
pub fn link(text: &str) -> Option<String> {
    let text = text.trim();
    let url = url::Url::parse(text).ok().filter(|_| text.len() <= MAX_LINK)?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// Returns whether `lower` contains something like `<b>` or `</p>`; a lone `<` as in "p99 < 5 s"
/// does not count.
fn has_tag(lower: &str) -> bool {
    lower.split('<').skip(1).any(|rest| {
        let name = rest.strip_prefix('/').unwrap_or(rest);
        name.starts_with(|c: char| c.is_ascii_lowercase()) && rest.contains('>')
    })
}

/// Returns the message of an error body; `None` for any other document.
fn error_body(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        status: Option<Box<RawValue>>,
        error: Option<Box<RawValue>>,
        errors: Option<Box<RawValue>>,
        message: Option<Box<RawValue>>,
        detail: Option<Box<RawValue>>,
    }
    // A list of five items would deserialize as the five fields of the body.
    if text.len() > MAX_ERROR_BODY || !is_object(text) {
        return None;
    }
    let body: Body = lenient::read(text).ok()?;
    let code = body
        .status
        .as_deref()
        .and_then(|raw| raw.get().trim_matches('"').parse::<u16>().ok())
        .filter(|code| *code >= 400);
    let message = [&body.error, &body.errors].into_iter().flatten().find_map(|raw| readable(raw));
    if code.is_none() && message.is_none() {
        return None;
    }
    let message = message.or_else(|| {
        [&body.message, &body.detail].into_iter().flatten().find_map(|raw| readable(raw))
    });
    Some(match (code, message) {
        (Some(code), Some(message)) => format!("{code} {message}"),
        (Some(code), None) => code.to_string(),
        (None, message) => message.unwrap_or_default(),
    })
}

/// Returns the `message` of an object that is not the document, as API gateways answer.
fn lone_message(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        message: Box<RawValue>,
    }
    if !is_object(text) {
        return None;
    }
    readable(&lenient::read::<Body>(text).ok()?.message)
}

fn is_object(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
}

/// Returns a JSON value as readable text; `None` for null, false and empty values.
fn readable(raw: &RawValue) -> Option<String> {
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
    fn a_document_with_a_byte_order_mark_is_read() {
        assert_eq!(read("\u{feff} {\"name\": \"a\"}").unwrap().name, "a");
    }

    #[test]
    fn an_answer_that_is_not_the_document_is_described() {
        let message = |body: &str| read(body.to_owned()).unwrap_err().to_string();
        assert_eq!(message(" \n"), "the body is empty");
        assert_eq!(
            message("<!DOCTYPE html><html><TITLE lang=en>Acme &amp; Co\n sign in</TITLE>"),
            "an HTML page was answered: \"Acme & Co sign in\""
        );
        assert_eq!(
            message(r#"{"status": 500, "error": "Internal Server Error"}"#),
            "the provider answered with an error: 500 Internal Server Error"
        );
        assert_eq!(
            message(r#"{"error": {"code": 7}}"#),
            "the provider answered with an error: {\"code\": 7}"
        );
        assert_eq!(
            message(r#"{"errors": ["no such page"]}"#),
            "the provider answered with an error: [\"no such page\"]"
        );
        assert_eq!(
            message(r#"{"message": "Not Found"}"#),
            "the provider answered with an error: Not Found"
        );
        assert_eq!(message("OK"), "not a thing document: it is not JSON but starts with \"OK\"");
        assert_eq!(message("<rss/>"), "not a thing document: it is XML, not JSON");
        assert!(message(r#"{"name": "a""#).starts_with("malformed JSON: EOF"));
        assert!(message(r#"{"nam": "a"}"#).starts_with("not a thing document: missing field"));
        assert!(matches!(
            read("[".repeat(1_000_000)),
            Err(ParseError::NotThis { .. } | ParseError::Malformed { .. })
        ));
        let nested = format!("{{\"name\": {}", "[".repeat(1_000_000));
        assert!(matches!(
            read(nested),
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
