//! A feed and its items, whatever format they were read from.

use super::metadata::ItemMetadata;
use statuswatch_model::event::Time;

/// Longest title that is kept, in characters.
pub(crate) const TITLE: usize = 300;

/// The content of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Feed {
    pub(crate) title: String,
    pub(crate) link: Option<String>,
    pub(crate) generator: String,
    /// When the feed last changed: Atom `updated`, RSS `pubDate`.
    pub(crate) version: Option<Time>,
    pub(crate) items: Vec<Item>,
    /// When the document was generated; `None` where it does not say.
    pub(crate) made: Option<Time>,
    /// Number of items that could not be read.
    pub(crate) lost: usize,
}

/// One item or entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Item {
    /// `guid` or `id` as written; empty where there is none.
    pub(crate) id: String,
    pub(crate) link: Option<String>,
    /// Plain text, one line.
    pub(crate) title: String,
    /// HTML, or plain text escaped as HTML.
    pub(crate) body: String,
    pub(crate) published: Option<Time>,
    pub(crate) updated: Option<Time>,
    /// Status metadata in addition to title and text.
    pub(crate) metadata: ItemMetadata,
}

/// Escapes plain text as HTML, preserving line breaks.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('\n', "<br>")
}
