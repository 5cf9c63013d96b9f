//! A place beside the client: whoever stands there sees each request of a poll and what came of
//! it, or answers it instead of the network. A recorder does the one, a replay the other.

use url::Url;

use super::{Failure, Fetched, Request};

/// Sees the requests of polls, or answers them.
///
/// Called on the pollers' threads: nothing in here may block or take long.
pub trait Tap: Send + Sync {
    /// A poll of `provider` begins. What a former one left unfinished is void.
    fn began(&self, _provider: &str) {}

    /// The answer to `request` where it does not come from the network.
    fn answer(&self, _request: &Request<'_>) -> Option<Result<Fetched, Failure>> {
        None
    }

    /// Whether a body is needed, so that `request` has to be sent without its validators.
    fn needs_body(&self, _request: &Request<'_>) -> bool {
        false
    }

    /// What the network answered to `request`.
    fn came(&self, _request: &Request<'_>, _result: &Result<Fetched, Failure>) {}

    /// The poll of `provider` has ended.
    fn ended(&self, _provider: &str, _poll: Polled<'_>) {}
}

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled<'a> {
    /// Nothing was new; nothing was parsed.
    Unchanged,
    /// A snapshot was made of it.
    Read {
        /// By this source.
        source: &'a str,
        /// From this first document.
        document: &'a Url,
    },
    /// Nothing usable.
    Failed,
}
