//! Transports: send the requests of channels and return what came back.
//!
//! The one thing that a caller must know about a failure is whether the receiver can have seen the
//! request: [`SendError`] says so. No reason names an address or holds a credential.

mod connection;
mod exec;
mod http;
mod kafka;
mod mail;
mod mqtt;
mod nats;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use statuswatch_notify::{Answer, Request};

use crate::fetch::{BuildError, Client, Sender};

/// Sends requests. Clones share connections.
#[derive(Debug, Clone)]
pub struct Transport {
    client: Client,
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
        Ok(Self { client: client.clone(), http: client.sender()? })
    }

    /// Sends a request and waits at most `timeout` for its answer. Dropping the future abandons the
    /// request.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no answer.
    pub async fn send(&self, request: Request, timeout: Duration) -> Result<Answer, SendError> {
        let sent = AtomicBool::new(false);
        match request {
            Request::Http(request) => http::send(&self.http, request, timeout).await,
            Request::Exec(request) => exec::send(request, timeout).await,
            Request::Mail(request) => {
                let exchange = mail::send(&self.client, &request, &sent);
                Ok(Answer::Mail(limited(timeout, &sent, exchange).await?))
            }
            Request::Nats(request) => {
                let exchange = nats::send(&self.client, &request, &sent);
                Ok(Answer::Nats(limited(timeout, &sent, exchange).await?))
            }
            Request::Mqtt(request) => {
                let exchange = mqtt::send(&self.client, &request, &sent);
                Ok(Answer::Mqtt(limited(timeout, &sent, exchange).await?))
            }
            Request::Kafka(request) => {
                let exchange = kafka::send(&self.client, &request, timeout, &sent);
                Ok(Answer::Kafka(limited(timeout, &sent, exchange).await?))
            }
        }
    }
}

/// Runs an exchange within a time. It sets `sent` once the receiver may act on the request.
async fn limited<T>(
    timeout: Duration,
    sent: &AtomicBool,
    exchange: impl Future<Output = Result<T, String>>,
) -> Result<T, SendError> {
    let reason = match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(reason)) => reason,
        Err(_) => format!("no answer within {timeout:?}"),
    };
    if sent.load(Ordering::Acquire) {
        Err(SendError::Unknown { reason })
    } else {
        Err(SendError::NotSent { reason })
    }
}
