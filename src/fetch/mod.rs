//! Fetching: each request has a deadline and size limits, is conditional where possible, obeys the
//! host's rate limit, and cannot be led to a private address by a name or a redirect. The only
//! module that uses the HTTP library.

mod address;
mod body;
mod call;
mod client;
mod coding;
mod connect;
mod dial;
mod failure;
mod headers;
mod hosts;
mod proxy;
mod request;
mod resolve;
mod retry;
mod send;
mod sessions;
mod tap;
pub(crate) mod tls;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::document::Document;

pub use address::is_local;
pub use client::{BuildError, Client, ClientOptions};
pub use failure::{OTHER_NAME, UNKNOWN_AUTHORITY};
pub use hosts::{HostGate, HostPermit};
pub use send::{Outgoing, Received, SendFailure, Sender};
pub use tap::{Polled, Tap};

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The URL to fetch.
    pub url: &'a Url,
    /// The id of the provider, if the request is part of a poll: see [`Tap`].
    pub provider: Option<&'a str>,
    /// The `Accept` header.
    pub accept: &'a str,
    /// Validators, sent back exactly as received; `None` makes the request unconditional.
    pub validators: Option<&'a Validators>,
    /// Deadline for the whole request: name lookup, connection, TLS, headers, redirects and body,
    /// but not the wait for the host's rate limit.
    pub timeout: Duration,
    /// Deadline for name lookup and connection, per hop.
    pub connect_timeout: Duration,
    /// Maximum body size in bytes, after decompression.
    pub max_body: usize,
    /// Whether names and redirects may lead to loopback and private addresses.
    pub allow_private: bool,
    /// The earliest start of this request after the start of the previous one to the same host and
    /// port.
    pub pace: Duration,
    /// The longest wait that the host may impose through `Retry-After`.
    pub max_wait: Duration,
    /// Whether `url` itself may be a private address because it comes from the user's own file.
    pub written: bool,
}

/// Validators, which make the next request conditional. Opaque bytes, kept as Latin-1 so that any
/// byte survives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Last-Modified` header.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Returns whether there are none, so that a request with them is unconditional.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// A usable response.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// A 304 to a conditional request.
    NotModified {
        /// Validators in the 304 itself, if any: they replace the previous ones.
        validators: Option<Validators>,
        /// `Cache-Control: max-age`, if any.
        max_age: Option<Duration>,
    },
    /// A 200 with a complete body.
    Body(Box<Answer>),
}

/// A response with a complete body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The document.
    pub document: Document,
    /// Validators for the next request.
    pub validators: Validators,
    /// 128-bit hash of the body: equal hashes mean equal bytes.
    pub body_hash: u128,
    /// `Cache-Control: max-age`, if any.
    pub max_age: Option<Duration>,
    /// The target of a chain of 301/308 redirects, if all of them were permanent.
    pub moved_to: Option<Url>,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind, a code for counting: `timeout`, `dns`, …
    pub kind: FailureKind,
    /// What happened, for people: no secrets (user info, query), no control characters.
    pub message: String,
    /// How long the host is left alone: what it asked for, capped at [`Request::max_wait`].
    pub retry_after: Option<Duration>,
    /// Which host asked for that, for people; `None` if none did.
    pub asked_by: Option<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The name does not resolve.
    Dns,
    /// No connection could be established.
    Connect,
    /// The deadline passed.
    Timeout,
    /// The certificate or the handshake failed.
    Tls,
    /// The connection ended within headers or body.
    IncompleteBody,
    /// A 200 with an empty body.
    EmptyBody,
    /// The body exceeds `max_body`.
    BodyTooLarge,
    /// Broken or unknown compression.
    Encoding,
    /// The headers exceed their limits.
    HeadersTooLarge,
    /// Too many redirects, or one without a usable target.
    Redirect,
    /// A redirect from https to http.
    InsecureRedirect,
    /// A loopback or private address.
    BlockedAddress,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// A bot challenge.
    Challenge,
    /// 404.
    NotFound,
    /// 410.
    Gone,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// Any other status that is not a usable response (204, 206, 4xx).
    Status,
    /// A 304 to an unconditional request.
    Unexpected304,
    /// No descriptors or memory: our machine's fault, not the provider's.
    Resource,
    /// Invalid HTTP.
    Protocol,
}
