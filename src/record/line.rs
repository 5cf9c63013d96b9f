//! One line of a recording's index.

use serde::{Deserialize, Serialize};

use crate::event::Time;
use crate::fetch::FailureKind;

/// The version of the format that is written, and the newest one that can be read.
pub const VERSION: u32 = 1;

/// A line of the index; its kind follows from its fields (see the [module](super)). Absent fields
/// are left out. An unknown field is an error: a misspelled one would change the meaning of a
/// recording.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Head: the version of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<u32>,
    /// Head: the program that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Head: the program was started and had no earlier polls.
    #[serde(default, skip_serializing_if = "is_false")]
    pub begin: bool,
    /// When it happened, in RFC 3339 format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// An entry of `providers.yaml`: the provider's configuration from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<serde_json::Value>,
    /// The provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// When the poll began; consecutive lines with the same value belong together. Defaults to
    /// `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Time>,
    /// The requested address, without its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The HTTP status; left out if there was none, and in a response with a body, where it is 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `Content-Type`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `ETag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// `Last-Modified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// `Cache-Control: max-age`, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// The target of redirects.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub final_url: Option<String>,
    /// The target of permanent redirects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// The source that read it as the first document of a poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The body: a file below the directory of the index, compressed if its name ends in `.gz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The request was unconditional in order to verify known validators.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_full: bool,
    /// Conditional requests are answered with 304 whatever has changed: for a server that does so
    /// wrongly.
    #[serde(default, skip_serializing_if = "is_false")]
    pub always_304: bool,
    /// The kind of failure; left out if it follows from the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// The failure's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the host asked to be left alone, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
    /// A poll with the same response as the one before, which was read again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    /// This many polls since the provider's last line brought nothing new; the last of them is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<u64>,
    /// The program stopped in order.
    #[serde(default, skip_serializing_if = "is_false")]
    pub end: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Line {
    /// Returns the head of an index.
    #[must_use]
    pub fn head(at: Time, begin: bool) -> Self {
        Self {
            recording: Some(VERSION),
            by: Some(concat!("statuswatch ", env!("CARGO_PKG_VERSION")).to_owned()),
            begin,
            at: Some(at),
            ..Self::default()
        }
    }

    /// Returns the line including its line feed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
