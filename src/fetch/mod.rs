//! Fetching: one request under one deadline, conditional, bounded, polite to its host, and never
//! led to a private address by a name or a redirect. The only module that knows the HTTP library.

mod address;
mod body;
mod call;
mod client;
mod coding;
mod dial;
mod failure;
mod headers;
mod hosts;
mod proxy;
mod request;
mod resolve;
mod retry;
mod sessions;
mod tap;
mod tls;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::document::Document;

pub use address::is_local;
pub use client::{BuildError, Client, ClientOptions};
pub use hosts::{HostGate, HostPermit};
pub use tap::{Polled, Tap};

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What to fetch.
    pub url: &'a Url,
    /// The id of the provider it is made for, where it is part of a poll: see [`Tap`].
    pub provider: Option<&'a str>,
    /// The `Accept` header.
    pub accept: &'a str,
    /// Sent back exactly as they came; `None`: unconditional.
    pub validators: Option<&'a Validators>,
    /// The whole request: waiting for the host's turn excluded; name, connection, TLS, headers,
    /// redirects and body included.
    pub timeout: Duration,
    /// Name and connection, each hop.
    pub connect_timeout: Duration,
    /// Bytes after decompression; one more is a failure.
    pub max_body: usize,
    /// Whether names and redirects may lead to loopback and private addresses.
    pub allow_private: bool,
    /// How long after the start of the request before it this one starts at the earliest, at one
    /// host and port.
    pub pace: Duration,
    /// The longest wait the host may impose by `Retry-After`.
    pub max_wait: Duration,
    /// Whether `url` may itself name a private address: it stands in the user's own file.
    pub written: bool,
}

/// What makes the next request conditional. Opaque bytes, as Latin-1 so that any byte survives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Last-Modified` header.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is none: a request with these is no conditional one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// A usable answer.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// 304 to a conditional request.
    NotModified {
        /// Validators the 304 itself carried, if any: they replace the former ones.
        validators: Option<Validators>,
        /// `Cache-Control: max-age`, if any.
        max_age: Option<Duration>,
    },
    /// 200 with a whole body.
    Body(Box<Answer>),
}

/// A whole body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The document.
    pub document: Document,
    /// To be sent next time.
    pub validators: Validators,
    /// Of the body: equal hashes mean equal bytes (128 bit).
    pub body_hash: u128,
    /// `Cache-Control: max-age`, if any.
    pub max_age: Option<Duration>,
    /// Where a chain of 301/308 leads for good, if the whole chain was permanent.
    pub moved_to: Option<Url>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind, a word of its own for counting: `timeout`, `dns`, …
    pub kind: FailureKind,
    /// What happened, for a person: no secrets (no user info, no query), no control characters.
    pub message: String,
    /// How long the host is left alone: what it asked for, within [`Request::max_wait`].
    pub retry_after: Option<Duration>,
    /// Who asked for that, in words for a person; `None`: nobody.
    pub asked_by: Option<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The name does not resolve.
    Dns,
    /// No connection.
    Connect,
    /// The deadline passed.
    Timeout,
    /// The certificate or the handshake.
    Tls,
    /// The connection ended within headers or body.
    IncompleteBody,
    /// 200 with nothing in it.
    EmptyBody,
    /// More than `max_body`.
    BodyTooLarge,
    /// Broken or unknown compression.
    Encoding,
    /// More header bytes than allowed.
    HeadersTooLarge,
    /// Too many redirects, or one without a usable target.
    Redirect,
    /// https to http.
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
    /// Any other status that is no answer (204, 206, 4xx).
    Status,
    /// 304 to an unconditional request.
    Unexpected304,
    /// No descriptors, no memory: ours, not the provider's.
    Resource,
    /// Broken HTTP.
    Protocol,
}
