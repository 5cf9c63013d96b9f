//! One line of a recording's index.

use serde::{Deserialize, Serialize};

use crate::event::Time;
use crate::fetch::FailureKind;

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// A line as it stands in the index; what kind it is follows from the fields it has (see the
/// [module](super)). Absent fields are left out. A field nobody knows is an error: a misspelt one
/// would change what a recording says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Head: the version of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording: Option<u32>,
    /// Head: the program that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Head: the program was started, and knew of no poll before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub begin: bool,
    /// When it happened: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// An entry of `providers.yaml`: how a provider was configured from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<serde_json::Value>,
    /// The provider's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// When the poll began; lines in a row with the same one belong together. Left out: `at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Time>,
    /// The address that was asked for, without its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The HTTP status; left out where there was none, and in an answer with a body, where it is
    /// 200.
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
    /// Where redirects led.
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    pub final_url: Option<String>,
    /// Where redirects led for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// The source that read it as the first document of a poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The body: a file below the directory of the index, gzip where it ends in `.gz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// It was asked for in full though its validators were known: to see whether they mean
    /// something.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_full: bool,
    /// A conditional request is answered 304, whatever has changed: for a server that is wrong
    /// about that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub always_304: bool,
    /// The kind of failure. Left out: what the status stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureKind>,
    /// The failure in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the host asked to be left alone, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
    /// A poll that was answered as the one before, and read once more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    /// So many polls since the provider's last line brought nothing new, the last of them now.
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
    /// The head of an index.
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

    /// The line with its line feed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
