//! Why a poll failed: a code for counting, and a sentence for people.

use url::Url;

use super::parse_pool::ParseAborted;
use crate::fetch::{Failure, FailureKind};
use crate::ledger::Cause;
use crate::redact::redact;
use crate::source::ParseError;
use crate::source::detect::NotFound;

/// Why a poll failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollError {
    /// The kind of transport failure; `None` if the document could not be read.
    pub kind: Option<FailureKind>,
    /// A code for counting.
    pub code: String,
    /// What happened, for people.
    pub reason: String,
    /// How long the host asked to be left alone, capped at `max_wait`.
    pub retry_after: Option<std::time::Duration>,
    /// Which host asked for the wait, for people.
    pub asked_by: Option<String>,
    /// Addresses that were tried in vain, redacted, and what each one answered.
    pub tried: Vec<(String, String)>,
}

impl PollError {
    /// Returns why the host gave no answer. `None` if it did answer, or if the connection broke on
    /// the way, which says nothing about either network.
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

    /// Creates an error about a document rather than the transport.
    pub(crate) fn document(code: &str, reason: impl Into<String>) -> Self {
        Self {
            kind: None,
            code: code.to_owned(),
            reason: reason.into(),
            retry_after: None,
            asked_by: None,
            tried: Vec::new(),
        }
    }

    /// Adds the redirect to the reason if the document came from elsewhere.
    pub(super) fn behind(mut self, asked: &Url, led_to: Option<&Url>) -> Self {
        if let Some(led_to) = led_to {
            self.reason =
                format!("{} redirects to {}: {}", redact(asked), redact(led_to), self.reason);
        }
        self
    }

    /// Adds the document's address to the reason if it differs from the one that the user
    /// configured.
    pub(super) fn at(mut self, provider: &Url, asked: &Url) -> Self {
        use FailureKind::{Forbidden, Gone, NotFound, Status, Unauthorized};
        let answered =
            matches!(self.kind, Some(NotFound | Gone | Forbidden | Unauthorized | Status));
        // After a redirect both addresses are in the reason already.
        if answered && provider != asked && !self.reason.contains("://") {
            self.reason = format!("{} at {}", self.reason, redact(asked));
        }
        self
    }
}

impl From<NotFound> for PollError {
    fn from(not_found: NotFound) -> Self {
        let tried = not_found.tried.iter().map(|(url, answer)| (redact(url), answer.clone()));
        Self { tried: tried.collect(), ..Self::document("unrecognised", not_found.to_string()) }
    }
}

impl From<Failure> for PollError {
    fn from(failure: Failure) -> Self {
        let code = serde_json::to_value(failure.kind)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned));
        Self {
            kind: Some(failure.kind),
            code: code.unwrap_or_else(|| "failed".to_owned()),
            reason: failure.message,
            retry_after: failure.retry_after,
            asked_by: failure.asked_by,
            tried: Vec::new(),
        }
    }
}

impl From<ParseError> for PollError {
    fn from(error: ParseError) -> Self {
        let code = match &error {
            ParseError::Empty => "empty_body",
            ParseError::Html { .. } | ParseError::NotThis { .. } => "not_a_feed",
            ParseError::ErrorBody { .. } => "error_body",
            ParseError::Unsupported { .. } => "unsupported_format",
            ParseError::Malformed { .. } => "malformed",
            ParseError::TooMany { .. } => "too_many_items",
        };
        Self::document(code, error.to_string())
    }
}

impl From<ParseAborted> for PollError {
    fn from(aborted: ParseAborted) -> Self {
        let code = match aborted {
            ParseAborted::Panicked(_) => "defect",
            ParseAborted::TimedOut => "too_slow",
        };
        Self::document(code, aborted.to_string())
    }
}

/// Returns whether a failure means that the page does not offer such a document.
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
