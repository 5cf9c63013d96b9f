//! Sanitizes XML before the feed parser: one pass that rejects truncated or excessively costly
//! documents, repairs common errors of providers, and removes unused parts.
//!
//! The output is UTF-8 without declaration, DTD, comments and instructions, with balanced tags.

use memchr::memmem;

use super::escape::escape;
use super::markup::{Root, local, prolog, root, tag};
use super::metadata::{ItemMetadata, Reader};
use crate::ParseError;
use statuswatch_model::text::one_line;

/// Maximum depth of elements; deeper than any feed, including XHTML content.
const MAX_DEPTH: usize = 128;

/// Maximum number of attributes of one element.
const MAX_ATTRIBUTES: usize = 64;

/// Maximum number of namespace declarations in scope.
const MAX_NAMESPACES: usize = 128;

/// Maximum depth of `xml:base`, which is resolved against the outer one: deep chains grow
/// quadratically, so deeper ones are removed.
const MAX_BASE_DEPTH: usize = 3;
const MAX_BASE: usize = 512;

/// A document that is safe to parse.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The document.
    pub(super) xml: String,
    /// The number of items or entries.
    pub(super) items: usize,
    /// The status metadata of each item.
    pub(super) metadata: Vec<ItemMetadata>,
}

/// Checks and repairs a document.
pub(super) fn prepare(text: &str, max_items: usize) -> Result<Prepared, ParseError> {
    let (root, _) =
        root(text).map_err(|reason| ParseError::NotThis { source_name: "feed", reason })?;
    Pass {
        root,
        max_items,
        text,
        out: String::with_capacity(text.len() + 64),
        open: Vec::new(),
        items: 0,
        namespaces: 0,
        hidden: None,
        channel: false,
        metadata: Reader::default(),
    }
    .run()
}

/// An element that is still open.
struct Open<'a> {
    name: &'a str,
    namespaces: usize,
}

/// The state of the one pass.
struct Pass<'a> {
    root: Root,
    max_items: usize,
    text: &'a str,
    out: String,
    open: Vec<Open<'a>>,
    items: usize,
    namespaces: usize,
    /// The depth of an element that is being removed.
    hidden: Option<usize>,
    /// Whether the channel of an RSS document has started.
    channel: bool,
    metadata: Reader,
}

impl<'a> Pass<'a> {
    fn run(mut self) -> Result<Prepared, ParseError> {
        let mut rest = self.text;
        while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
            let (text, from) = rest.split_at(at);
            self.characters(text);
            if let Some(after) = self.cdata(from)? {
                rest = after;
                continue;
            }
            if let Some(after) = prolog(from).map_err(malformed)? {
                rest = after;
                continue;
            }
            let (tag, after) =
                tag(from).ok_or_else(|| malformed("the document ends within a tag"))?;
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                if self.end(name.trim_end())? {
                    return Ok(self.prepared());
                }
            } else if self.start(tag)? {
                rest = self.markup_as_text(tag, rest)?;
            } else if self.open.is_empty() {
                return Ok(self.prepared());
            }
        }
        Err(malformed(&match self.open.last() {
            Some(open) => format!("the document ends within <{}>", one_line(open.name, 40)),
            None => "no element at all".to_owned(),
        }))
    }

    fn prepared(self) -> Prepared {
        Prepared { xml: self.out, items: self.items, metadata: self.metadata.into_metadata() }
    }

    fn characters(&mut self, text: &str) {
        self.metadata.text(text, true);
        if self.hidden.is_none() && !self.open.is_empty() {
            escape(text, &mut self.out);
        }
    }

    /// Returns what follows the CDATA section at the start of `from`; `None` where there is none.
    fn cdata(&mut self, from: &'a str) -> Result<Option<&'a str>, ParseError> {
        let Some(cdata) = from.strip_prefix("<![CDATA[") else {
            return Ok(None);
        };
        let end = memmem::find(cdata.as_bytes(), b"]]>")
            .ok_or_else(|| malformed("a CDATA section is not closed"))?;
        let (inner, after) = cdata.split_at(end);
        self.metadata.text(inner, false);
        if self.hidden.is_none() && !self.open.is_empty() {
            self.out.push_str("<![CDATA[");
            self.out.push_str(inner);
            self.out.push_str("]]>");
        }
        Ok(Some(after.get(3..).unwrap_or_default()))
    }

    /// Handles a start tag. Returns whether its content is text in which tags have no meaning.
    fn start(&mut self, tag: &'a str) -> Result<bool, ParseError> {
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name_end = tag.find(char::is_whitespace).unwrap_or(tag.len());
        let (name, attributes) = tag.split_at(name_end);
        if name.is_empty() || name.contains(['"', '\'', '=', '&']) {
            return Err(malformed(&format!("<{}> is not a tag", one_line(name, 40))));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(malformed(&format!("more than {MAX_DEPTH} nested elements")));
        }
        if self.open.last().is_some_and(|open| is_item(self.root, open.name)) {
            self.metadata.begin(local(name), attributes, empty, self.open.len());
        }
        if is_item(self.root, name) {
            self.items += 1;
            self.metadata.item();
            if self.items > self.max_items {
                let needle: &[u8] = if self.root == Root::Atom { b"<entry" } else { b"<item" };
                let count = memmem::find_iter(self.text.as_bytes(), needle).count().max(self.items);
                return Err(ParseError::TooMany { what: "items", count, limit: self.max_items });
            }
        }
        // An item after `</channel>` still belongs to it: the channel's end tag is written at the
        // end of the document.
        let is_channel = self.root == Root::Rss && self.open.len() == 1 && name == "channel";
        let further_channel = is_channel && self.channel;
        self.channel |= is_channel;
        if self.hidden.is_none() && is_unread(name) && !self.open.is_empty() {
            if !empty {
                self.hidden = Some(self.open.len());
                self.open.push(Open { name, namespaces: 0 });
            }
            return Ok(false);
        }
        let mut namespaces = 0;
        if self.hidden.is_none() && !further_channel {
            self.out.push('<');
            self.out.push_str(name);
            namespaces = self.attributes(name, attributes)?;
            self.out.push_str(if empty && !is_channel { "/>" } else { ">" });
        }
        if !empty {
            self.namespaces += namespaces;
            self.open.push(Open { name, namespaces });
            if self.namespaces > MAX_NAMESPACES {
                return Err(malformed(&format!("more than {MAX_NAMESPACES} namespaces")));
            }
        }
        let markup_as_text = !empty
            && self.hidden.is_none()
            && self.root != Root::Atom
            && matches!(name, "description" | "content:encoded");
        Ok(markup_as_text)
    }

    /// Writes the repaired attributes; returns the number of namespaces they declare.
    fn attributes(&mut self, element: &str, attributes: &str) -> Result<usize, ParseError> {
        let is_root = self.open.is_empty();
        let mut seen: Vec<&str> = Vec::new();
        let mut namespaces = 0;
        let mut rest = attributes.trim_start();
        if is_root && self.root == Root::Rss {
            // Every version is close enough to 2.0 to be parsed as that, whatever it claims.
            self.out.push_str(" version=\"2.0\"");
            seen.push("version");
        }
        while !rest.is_empty() {
            let broken = || {
                malformed(&format!("an attribute of <{}> cannot be read", one_line(element, 40)))
            };
            let (name, after) = rest.split_once('=').ok_or_else(broken)?;
            let (name, after) = (name.trim(), after.trim_start());
            let quote =
                after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(broken)?;
            let (value, after) =
                after.get(1..).and_then(|value| value.split_once(quote)).ok_or_else(broken)?;
            rest = after.trim_start();
            if name.is_empty()
                || name.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
            {
                return Err(broken());
            }
            if seen.contains(&name)
                || (name == "xml:base"
                    && (self.open.len() >= MAX_BASE_DEPTH || value.len() > MAX_BASE))
            {
                continue;
            }
            seen.push(name);
            if seen.len() > MAX_ATTRIBUTES {
                return Err(malformed(&format!(
                    "more than {MAX_ATTRIBUTES} attributes on one element"
                )));
            }
            let value = if name == "xmlns" && is_root {
                let Some(value) = self.root_namespace(value)? else {
                    continue;
                };
                value
            } else if is_root && self.root == Root::Atom && name.starts_with("xmlns:") {
                // The prefix of the root is bound to Atom, old or new.
                self.root_namespace(value)?.unwrap_or(value)
            } else {
                value
            };
            namespaces += usize::from(name.starts_with("xmlns"));
            let value = if name == "type" && self.root == Root::Atom {
                text_type(local(element), value)
            } else {
                value
            };
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
        Ok(namespaces)
    }

    /// Returns the namespace the parser knows for the one the root declares.
    fn root_namespace<'v>(&self, value: &'v str) -> Result<Option<&'v str>, ParseError> {
        match self.root {
            Root::Atom if value == "http://purl.org/atom/ns#" => {
                Err(ParseError::Unsupported { what: "Atom 0.3".to_owned() })
            }
            Root::Atom if value.to_ascii_lowercase().contains("w3.org/2005/atom") => {
                Ok(Some("http://www.w3.org/2005/Atom"))
            }
            Root::Rss => Ok(None),
            Root::Rdf if value.contains("/rdf/simple/0.9") => Ok(Some("http://purl.org/rss/1.0/")),
            Root::Atom | Root::Rdf => Ok(Some(value)),
        }
    }

    /// Handles an end tag. Returns whether it was the root's.
    fn end(&mut self, name: &str) -> Result<bool, ParseError> {
        let Some(open) = self.open.pop() else {
            return Err(malformed(&format!("</{}> closes nothing", one_line(name, 40))));
        };
        if open.name != name {
            return Err(malformed(&format!(
                "</{}> stands where </{}> should",
                one_line(name, 40),
                one_line(open.name, 40)
            )));
        }
        self.namespaces -= open.namespaces;
        self.metadata.end(self.open.len());
        if let Some(depth) = self.hidden {
            if self.open.len() == depth {
                self.hidden = None;
            }
            return Ok(false);
        }
        let is_root = self.open.is_empty();
        let is_channel = self.root == Root::Rss && self.open.len() == 1 && name == "channel";
        if is_root && self.channel {
            self.out.push_str("</channel>");
        }
        if !is_channel {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        Ok(is_root)
    }

    /// Writes tags as text up to the end tag of the current element: its HTML was not escaped and
    /// may be unbalanced.
    fn markup_as_text(&mut self, start: &'a str, text: &'a str) -> Result<&'a str, ParseError> {
        let name = start.split(char::is_whitespace).next().unwrap_or_default();
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'<', rest.as_bytes()) {
            let (text, from) = rest.split_at(at);
            escape(text, &mut self.out);
            if let Some(after) = self.cdata(from)? {
                rest = after;
                continue;
            }
            let closing = from
                .strip_prefix("</")
                .and_then(|from| from.strip_prefix(name))
                .map(str::trim_start);
            if let Some(after) = closing.and_then(|from| from.strip_prefix('>')) {
                self.end(name)?;
                return Ok(after);
            }
            self.out.push_str("&lt;");
            rest = from.get(1..).unwrap_or_default();
        }
        Err(malformed(&format!("the document ends within <{}>", one_line(name, 40))))
    }
}

fn is_item(root: Root, name: &str) -> bool {
    matches!((root, local(name)), (Root::Atom, "entry") | (Root::Rss | Root::Rdf, "item"))
}

/// Returns whether an element is removed: people, media, and categories, which are collected as
/// metadata. The parser panics on some of them.
fn is_unread(name: &str) -> bool {
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    matches!(prefix, "itunes" | "media" | "podcast" | "googleplay")
        || matches!(
            local(name),
            "managingEditor"
                | "webMaster"
                | "author"
                | "contributor"
                | "creator"
                | "category"
                | "enclosure"
                | "comments"
        )
}

/// Returns the type of an Atom text if the parser knows it; any other would fail the whole feed.
fn text_type<'v>(element: &str, value: &'v str) -> &'v str {
    let lower = value.trim().to_ascii_lowercase();
    match (element, lower.as_str()) {
        ("title" | "subtitle" | "summary" | "rights" | "content", "html" | "text/html") => "html",
        (
            "title" | "subtitle" | "summary" | "rights" | "content",
            "xhtml" | "application/xhtml+xml",
        ) => "xhtml",
        ("title" | "subtitle" | "summary" | "rights", _)
        | ("content", "text" | "text/plain" | "") => "text",
        ("content", other) if !other.contains('/') => "text",
        _ => value,
    }
}

fn malformed(reason: &str) -> ParseError {
    ParseError::Malformed { format: "XML", reason: reason.to_owned() }
}
