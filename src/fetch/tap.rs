//! A hook in the client that sees each request of a poll with its result, or answers it in place of
//! the network. Recording uses the first, replay the second.

use url::Url;

use super::{Failure, Fetched, Request};

/// Observes the requests of polls, or answers them.
///
/// Called on the pollers' threads: implementations must not block or take long.
pub trait Tap: Send + Sync {
    /// Called when a poll of `provider` begins. Discards what an unfinished poll left.
    fn began(&self, _provider: &str) {}

    /// Returns the answer to `request` if it does not come from the network.
    fn answer(&self, _request: &Request<'_>) -> Option<Result<Fetched, Failure>> {
        None
    }

    /// Returns whether a body is needed, so that `request` must be sent without validators.
    fn needs_body(&self, _request: &Request<'_>) -> bool {
        false
    }

    /// Called with the network's answer to `request`.
    fn came(&self, _request: &Request<'_>, _result: &Result<Fetched, Failure>) {}

    /// Called when the poll of `provider` has ended.
    fn ended(&self, _provider: &str, _poll: Polled<'_>) {}
}

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled<'a> {
    /// Nothing was new; nothing was parsed.
    Unchanged,
    /// The document was parsed into a snapshot.
    Read {
        /// The source that parsed it.
        source: &'a str,
        /// The first document.
        document: &'a Url,
    },
    /// No usable result.
    Failed,
}
