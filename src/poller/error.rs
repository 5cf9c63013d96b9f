//! Why a poll failed: one word for counting, one sentence for a person.

use url::Url;

use super::parse_pool::Unread;
use crate::fetch::{Failure, FailureKind};
use crate::ledger::Cause;
use crate::redact::redact;
use crate::source::ParseError;
use crate::source::detect::NotFound;

/// Why a poll failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollError {
    /// The transport's kind; `None`: the document could not be read.
    pub kind: Option<FailureKind>,
    /// One word for counting.
    pub word: String,
    /// What happened, for a person.
    pub reason: String,
    /// How long the host is left alone, as it asked, within `max_wait`.
    pub retry_after: Option<std::time::Duration>,
    /// Who asked for that, for a person.
    pub asked_by: Option<String>,
    /// Where a status page was looked for in vain, without secrets, and what each place answered.
    pub tried: Vec<(String, String)>,
}

impl PollError {
    /// Why the host gave no answer; `None`: it did, or a connection broke on the way, which says
    /// nothing about anybody's network.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        match self.kind {
            Some(FailureKind::Dns) => Some(Cause::Name),
            Some(FailureKind::Connect) => Some(Cause::Connection),
            Some(FailureKind::Timeout) => Some(Cause::Silence),
            Some(FailureKind::Tls) => Some(Cause::Tls),
            Some(FailureKind::Resource) => Some(Cause::Resources),
            _ => None,
        }
    }

    /// Of a document, not of the transport.
    pub(crate) fn word(word: &str, reason: impl Into<String>) -> Self {
        Self {
            kind: None,
            word: word.to_owned(),
            reason: reason.into(),
            retry_after: None,
            asked_by: None,
            tried: Vec::new(),
        }
    }

    /// Of a document that came from elsewhere: the old and the new address are part of what happened.
    pub(super) fn behind(mut self, asked: &Url, led_to: Option<&Url>) -> Self {
        if let Some(led_to) = led_to {
            self.reason =
                format!("{} redirects to {}: {}", redact(asked), redact(led_to), self.reason);
        }
        self
    }

    /// Of a document that is not at the address the user knows: its own is named.
    pub(super) fn at(mut self, provider: &Url, asked: &Url) -> Self {
        use FailureKind::{Forbidden, Gone, NotFound, Status, Unauthorized};
        let answered =
            matches!(self.kind, Some(NotFound | Gone | Forbidden | Unauthorized | Status));
        // Behind a redirect both addresses are named already.
        if answered && provider != asked && !self.reason.contains("://") {
            self.reason = format!("{} at {}", self.reason, redact(asked));
        }
        self
    }
}

impl From<NotFound> for PollError {
    fn from(not_found: NotFound) -> Self {
        let tried = not_found.tried.iter().map(|(url, answer)| (redact(url), answer.clone()));
        Self { tried: tried.collect(), ..Self::word("unrecognised", not_found.to_string()) }
    }
}

impl From<Failure> for PollError {
    fn from(failure: Failure) -> Self {
        let word = serde_json::to_value(failure.kind)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned));
        Self {
            kind: Some(failure.kind),
            word: word.unwrap_or_else(|| "failed".to_owned()),
            reason: failure.message,
            retry_after: failure.retry_after,
            asked_by: failure.asked_by,
            tried: Vec::new(),
        }
    }
}

impl From<ParseError> for PollError {
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

impl From<Unread> for PollError {
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
