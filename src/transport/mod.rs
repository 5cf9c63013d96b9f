//! Transports: send the requests of channels and return what came back.
//!
//! The one thing that a caller must know about a failure is whether the receiver can have seen the
//! request: [`SendError`] says so. No reason names an address or holds a credential.

mod exec;
mod http;

use std::time::Duration;

use statuswatch_notify::{Answer, Request};

use crate::fetch::{BuildError, Client, Sender};

/// Sends requests. Clones share connections.
#[derive(Debug, Clone)]
pub struct Transport {
    http: Sender,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver has not seen the request: the name does not resolve, nothing listens, or TLS
    /// cannot be established.
    #[error("not sent: {reason}")]
    NotSent {
        /// Why, without addresses and credentials.
        reason: String,
    },
    /// The receiver may have seen the request, but there is no answer: a timeout, or a connection
    /// that was reset.
    #[error("no answer: {reason}")]
    Unknown {
        /// Why, without addresses and credentials.
        reason: String,
    },
}

impl SendError {
    /// Returns why there is no answer, without addresses and credentials.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::NotSent { reason } | Self::Unknown { reason } => reason,
        }
    }
}

impl Transport {
    /// Creates a transport that trusts the certificates of `client` and uses its proxies and
    /// resolver.
    ///
    /// # Errors
    ///
    /// Returns an error if the HTTP library cannot be set up.
    pub fn new(client: &Client) -> Result<Self, BuildError> {
        Ok(Self { http: client.sender()? })
    }

    /// Sends a request and waits at most `timeout` for its answer. Dropping the future abandons the
    /// request.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no answer.
    pub async fn send(&self, request: Request, timeout: Duration) -> Result<Answer, SendError> {
        match request {
            Request::Http(request) => http::send(&self.http, request, timeout).await,
            Request::Exec(request) => exec::send(request, timeout).await,
        }
    }
}
