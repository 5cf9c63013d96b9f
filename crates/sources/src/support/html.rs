//! Reads HTML pages of platforms that offer no other document.
//!
//! No tree is built: a page must be complete, and the needed parts are found in one scan.

use std::borrow::Cow;

use super::html_title;
use crate::ParseError;
use statuswatch_model::document::{Document, Shape};

/// Longest start tag that is examined, in bytes.
const MAX_TAG: usize = 4096;

/// Returns the text of a complete HTML page. A truncated page is an error.
///
/// # Errors
/// Returns [`ParseError`] for a document that is not HTML or has no end tag.
pub fn page<'d>(
    document: &'d Document,
    source_name: &'static str,
) -> Result<Cow<'d, str>, ParseError> {
    match document.shape() {
        Shape::Empty => return Err(ParseError::Empty),
        Shape::Html => {}
        _ => {
            return Err(ParseError::not_this(source_name, "it is not an HTML page"));
        }
    }
    let text = document.text();
    let lower = text.to_ascii_lowercase();
    let whole = lower.rsplit_once("</html>").is_some_and(|(_, rest)| {
        // Caches append comments after the end tag.
        let rest = rest.trim();
        rest.is_empty() || (rest.starts_with("<!--") && rest.ends_with("-->"))
    });
    if whole {
        return Ok(text);
    }
    Err(ParseError::malformed("HTML", "the page is truncated"))
}

/// Returns the error for a page other than the expected one.
#[must_use]
pub fn another(text: &str) -> ParseError {
    ParseError::Html { title: html_title(text) }
}

/// Returns the content of `<script id="…">`.
#[must_use]
pub fn script<'t>(text: &'t str, id: &str) -> Option<&'t str> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("<script") {
        let (tag, body) = start_tag(after)?;
        let (content, next) = body.split_once("</script")?;
        if attribute(tag, "id").is_some_and(|found| found == id) {
            return Some(content);
        }
        rest = next;
    }
    None
}

/// Returns the attributes of a tag and the text after it; `after` starts after the tag's name.
#[must_use]
pub fn start_tag(after: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, byte) in after.bytes().enumerate().take(MAX_TAG) {
        match (quote, byte) {
            (None, b'>') => return Some((after.get(..at)?, after.get(at + 1..)?)),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Returns the value of a quoted attribute, with entities decoded.
#[must_use]
pub fn attribute<'t>(tag: &'t str, name: &str) -> Option<Cow<'t, str>> {
    let mut rest = tag;
    loop {
        let (before, after) = rest.split_once(name)?;
        rest = after;
        if !before.is_empty()
            && !before.ends_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
        {
            continue;
        }
        let Some(value) = after.trim_start().strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            continue;
        };
        return value
            .get(1..)?
            .split_once(quote)
            .map(|(value, _)| statuswatch_model::text::decode_entities(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_found_by_its_id_alone() {
        let text = "<script>var id=\"data\";</script><script data-id=\"data\">a</script><script type='x' id='data'>{\"a\": 1}</script>";
        assert_eq!(script(text, "data"), Some("{\"a\": 1}"));
        assert_eq!(script("<script id=\"data\">never closed", "data"), None);
        assert_eq!(script("<script id=\"data", "data"), None);
        assert_eq!(script("<script ", "data"), None);
    }

    #[test]
    fn a_page_is_whole_or_none() {
        let document = |text: &str| {
            Document::new(url::Url::parse("http://a.example/").unwrap(), None, text.to_owned())
        };
        assert!(page(&document("<!doctype html><html>x</HTML>\n"), "x").is_ok());
        assert!(page(&document("<!doctype html><html>x</html><!-- a cache -->"), "x").is_ok());
        for bad in [
            "<!doctype html><html>x</html><!-- a ca",
            "<!doctype html><html>x</htm",
            "",
            "{}",
            "<html>",
        ] {
            assert!(page(&document(bad), "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quoted_sign_ends_no_tag() {
        assert_eq!(start_tag(" a=\"<b>\" c='d'>rest"), Some((" a=\"<b>\" c='d'", "rest")));
        assert_eq!(attribute(" a=\"x &amp; y\" c='d'", "c").as_deref(), Some("d"));
        assert_eq!(attribute(" a=\"x &amp; y\"", "a").as_deref(), Some("x & y"));
    }
}
