//! A fetched document: its URL and its decompressed body.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use url::Url;

/// The result of one successful request.
#[derive(Debug, Clone)]
pub struct Document {
    /// The URL it was read from, after redirects.
    pub url: Url,
    /// The `Content-Type` header as sent, if it is valid text.
    pub content_type: Option<String>,
    /// The decompressed body, limited by the provider's `max_body`.
    pub body: Bytes,
    repaired: Repaired,
}

/// The repaired text of a document, computed on first use. A clone computes its own, because its
/// body may be replaced.
#[derive(Debug, Default)]
struct Repaired(OnceLock<Option<String>>);

impl Clone for Repaired {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// The kind of document, judged by its first bytes: content types are unreliable and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Starts with `{` or `[`.
    Json,
    /// XML that is not HTML.
    Xml,
    /// An HTML page.
    Html,
    /// Empty or only whitespace.
    Empty,
    /// Anything else.
    Other,
}

impl Document {
    /// Creates a document, as in tests and fixtures.
    #[must_use]
    pub fn new(url: Url, content_type: Option<&str>, body: impl Into<Bytes>) -> Self {
        Self {
            url,
            content_type: content_type.map(str::to_owned),
            body: body.into(),
            repaired: Repaired::default(),
        }
    }

    /// Returns the text repaired by `repair`; `None` if nothing needs repair. Runs once per
    /// document: during detection every source looks at the same one.
    #[must_use]
    pub fn repaired(&self, repair: fn(&str) -> Option<String>) -> Option<&str> {
        self.repaired.0.get_or_init(|| repair(&self.text())).as_deref()
    }

    /// Decodes the body as text. The encoding is determined by the byte order mark, else the
    /// header's charset, else the XML prolog, else UTF-8. Undecodable bytes become U+FFFD; this
    /// never fails.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.decoded(&self.body)
    }

    /// Returns the shape of the document, judged by its first bytes.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let head = self.body.get(..4096).unwrap_or(&self.body);
        shape_of(&self.decoded(head))
    }

    fn decoded<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        let encoding = encoding_rs::Encoding::for_bom(bytes)
            .map(|(encoding, _)| encoding)
            .or_else(|| self.charset_of_header())
            .or_else(|| charset_of_prolog(bytes))
            .unwrap_or(encoding_rs::UTF_8);
        encoding.decode(bytes).0
    }

    fn charset_of_header(&self) -> Option<&'static encoding_rs::Encoding> {
        let header = self.content_type.as_deref()?;
        let (_, rest) = header.split_once("charset=").or_else(|| header.split_once("Charset="))?;
        let label = rest.split(';').next()?.trim().trim_matches(['"', '\'']);
        encoding_rs::Encoding::for_label(label.as_bytes())
    }
}

/// Returns the `encoding="…"` of an XML declaration within the first 256 bytes.
fn charset_of_prolog(body: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = body.get(..256).unwrap_or(body);
    let head = head.trim_ascii_start();
    if !head.starts_with(b"<?xml") {
        return None;
    }
    let end = memchr::memmem::find(head, b"?>")?;
    let declaration = std::str::from_utf8(head.get(..end)?).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = rest.get(1..)?.split(quote).next()?;
    encoding_rs::Encoding::for_label(label.as_bytes())
}

fn shape_of(text: &str) -> Shape {
    let mut text = text.trim_start_matches(['\u{feff}', '\u{fffe}']).trim_start();
    if text.is_empty() {
        return Shape::Empty;
    }
    if text.starts_with(['{', '[']) {
        return Shape::Json;
    }
    // Skip declarations, comments and processing instructions.
    while let Some(rest) = text.strip_prefix("<?").or_else(|| text.strip_prefix("<!--")) {
        let end = if text.starts_with("<?") { "?>" } else { "-->" };
        let Some((_, after)) = rest.split_once(end) else {
            return Shape::Xml;
        };
        text = after.trim_start();
    }
    let start: String = text.chars().take(15).collect::<String>().to_ascii_lowercase();
    if start.starts_with("<!doctype html")
        || start.starts_with("<html")
        || start.starts_with("<head")
        || start.starts_with("<body")
    {
        Shape::Html
    } else if start.starts_with('<') {
        Shape::Xml
    } else {
        Shape::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(content_type: Option<&str>, body: &[u8]) -> Document {
        Document::new(Url::parse("http://x.example/").unwrap(), content_type, body.to_vec())
    }

    #[test]
    fn byte_order_mark_beats_header_beats_prolog() {
        let latin = b"<?xml version='1.0' encoding='iso-8859-1'?><a>St\xf6rung</a>";
        assert!(document(None, latin).text().contains("Störung"));
        let utf8 = "<?xml version='1.0' encoding='iso-8859-1'?><a>Störung</a>".as_bytes();
        assert!(document(Some("text/xml; charset=\"utf-8\""), utf8).text().contains("Störung"));
        let utf16: Vec<u8> =
            "\u{feff}[\"Störung\"]".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let utf16 = document(Some("application/json; charset=iso-8859-1"), &utf16);
        assert_eq!(utf16.text(), "[\"Störung\"]");
        assert_eq!(utf16.shape(), Shape::Json);
    }

    #[test]
    fn shapes() {
        for (text, shape) in [
            ("", Shape::Empty),
            (" \n\t", Shape::Empty),
            ("\n\n<?xml version='1.0'?><!-- x --><rss/>", Shape::Xml),
            ("<?xml version='1.0'?><!DOCTYPE html><html>", Shape::Html),
            ("<!doctype HTML>", Shape::Html),
            (" {\"a\":1}", Shape::Json),
            ("OK", Shape::Other),
        ] {
            assert_eq!(document(None, text.as_bytes()).shape(), shape, "{text:?}");
        }
    }
}
