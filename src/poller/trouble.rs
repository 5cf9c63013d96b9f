//! Why a poll failed: one word for counting, one sentence for a person.

use super::reading::Unread;
use crate::fetch::{Failure, FailureKind};
use crate::source::ParseError;

/// Why a poll failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The transport's kind; `None`: the document could not be read.
    pub kind: Option<FailureKind>,
    /// One word for counting.
    pub word: String,
    /// What happened, for a person.
    pub reason: String,
    /// How long the host asked to be left alone.
    pub retry_after: Option<std::time::Duration>,
}

impl Trouble {
    /// Of a document, not of the transport.
    pub(crate) fn word(word: &str, reason: impl Into<String>) -> Self {
        Self { kind: None, word: word.to_owned(), reason: reason.into(), retry_after: None }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let word = serde_json::to_value(failure.kind)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned));
        Self {
            kind: Some(failure.kind),
            word: word.unwrap_or_else(|| "failed".to_owned()),
            reason: failure.message,
            retry_after: failure.retry_after,
        }
    }
}

impl From<ParseError> for Trouble {
    fn from(error: ParseError) -> Self {
        let word = match &error {
            ParseError::Empty => "empty_body",
            ParseError::Html { .. } | ParseError::NotThis { .. } => "not_a_feed",
            ParseError::ErrorBody { .. } => "error_body",
            ParseError::Unsupported { .. } => "unsupported_format",
            ParseError::Malformed { .. } => "malformed",
            ParseError::TooMany { .. } => "too_many_items",
        };
        Self::word(word, error.to_string())
    }
}

impl From<Unread> for Trouble {
    fn from(unread: Unread) -> Self {
        let word = match unread {
            Unread::Panicked(_) => "defect",
            Unread::TooLong => "too_slow",
        };
        Self::word(word, unread.to_string())
    }
}

/// Whether a failure means that the page does not have such a document.
pub(super) fn not_offered(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::NotFound
            | FailureKind::Gone
            | FailureKind::Forbidden
            | FailureKind::Unauthorized
            | FailureKind::Status
            | FailureKind::EmptyBody
            | FailureKind::Redirect
            | FailureKind::InsecureRedirect
            | FailureKind::BlockedAddress
    )
}
