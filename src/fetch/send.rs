//! Requests with a body, to addresses that the user wrote down: notifications.
//!
//! Redirects are not followed, since a credential must not travel to an address that is not configured,
//! and no compression is accepted. What fails is judged by one question: can the receiver have seen
//! the request? The HTTP library asks for the body only when it writes the request to a connection,
//! so an unrequested body was not sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::failure::{Phase, of_body, of_head};
use super::{BuildError, Client, Failure, FailureKind, dial};

/// Most bytes of a response body that are read.
const ANSWER: usize = 64 << 10;
/// Most header fields of a response that are kept, and the longest value.
const FIELDS: usize = 64;
const FIELD: usize = 1 << 10;
/// How long an idle connection is kept: shorter than services keep theirs, since a request on a
/// connection that the other side is closing may or may not have arrived.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Idle connections per host: as many requests as a channel has under way at once.
const IDLE: usize = 4;

/// Sends requests with a body. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct Sender {
    library: reqwest::Client,
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Outgoing<'a> {
    /// `GET`, `POST`, `PUT` or `PATCH`.
    pub method: &'a str,
    /// Its address, which may be private, and a secret in itself.
    pub url: &'a Url,
    /// Header fields besides `content-type` and `user-agent`; a later one replaces an earlier one
    /// of the same name.
    pub headers: Vec<(&'a str, &'a str)>,
    /// `content-type`.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its status.
    pub status: u16,
    /// Its header fields with names in lower case; at most 64 of at most 1 KiB.
    pub headers: Vec<(String, String)>,
    /// Its body, lossily decoded: the first 64 KiB, unless the whole was asked for.
    pub body: String,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", failure.message)]
pub struct SendFailure {
    /// Whether the receiver may have seen the request.
    pub sent: bool,
    /// What happened; names no address.
    pub failure: Failure,
}

impl Client {
    /// Creates a sender with connections of its own, which shares the client's certificates, names
    /// and proxies.
    ///
    /// # Errors
    ///
    /// Returns an error if the HTTP library cannot be set up.
    pub fn sender(&self) -> Result<Sender, BuildError> {
        Ok(Sender { library: self.inner.sending(KEEP_ALIVE, IDLE)? })
    }
}

impl Sender {
    /// Sends a request and reads the response within `within`.
    ///
    /// # Errors
    ///
    /// Returns an error if no response arrives in time. A response other than 2xx is none, even if
    /// its body is incomplete.
    pub async fn send(
        &self,
        outgoing: Outgoing<'_>,
        within: Duration,
    ) -> Result<Received, SendFailure> {
        self.exchange(outgoing, within, ANSWER, false).await
    }

    /// Sends a request and reads the whole response, of at most `most` bytes, within `within`.
    ///
    /// # Errors
    ///
    /// As [`Self::send`], and where the body is larger.
    pub async fn send_bounded(
        &self,
        outgoing: Outgoing<'_>,
        within: Duration,
        most: usize,
    ) -> Result<Received, SendFailure> {
        self.exchange(outgoing, within, most, true).await
    }

    async fn exchange(
        &self,
        outgoing: Outgoing<'_>,
        within: Duration,
        most: usize,
        whole: bool,
    ) -> Result<Received, SendFailure> {
        let deadline = Instant::now() + within;
        let invalid = |what: &str| SendFailure {
            sent: false,
            failure: Failure::new(FailureKind::Protocol, format!("{what} cannot be sent")),
        };
        let method =
            Method::from_bytes(outgoing.method.as_bytes()).map_err(|_| invalid("the method"))?;
        let headers =
            headers(&outgoing).ok_or_else(|| invalid("a header field with such a value"))?;
        // A body without bytes is never asked for: assume that it was sent.
        let asked = Arc::new(AtomicBool::new(outgoing.body.is_empty()));
        let body = Watched { bytes: outgoing.body.into(), asked: Arc::clone(&asked) };
        let sending = self
            .library
            .request(method, outgoing.url.clone())
            .headers(headers)
            .body(reqwest::Body::wrap(body))
            .send();
        let sent = timeout_at(deadline, dial::within(within, sending)).await;
        let sent = match sent {
            Ok((sent, _)) => sent.map_err(|e| of_head(&e, outgoing.url.scheme() == "https")),
            Err(_) => Err(Phase::Head.timeout(within)),
        };
        let mut response =
            sent.map_err(|failure| SendFailure { sent: asked.load(Ordering::Acquire), failure })?;
        let received = Received {
            status: response.status().as_u16(),
            headers: kept(response.headers()),
            body: String::new(),
        };
        let mut body = Vec::new();
        let read = timeout_at(deadline, read(&mut response, &mut body, most, whole)).await;
        let read = read.unwrap_or_else(|_| Err(Phase::Body.timeout(within)));
        match read {
            // Some services say in the body of a 200 that they did not accept.
            Err(failure) if response.status().is_success() => {
                Err(SendFailure { sent: true, failure })
            }
            Ok(()) | Err(_) => {
                Ok(Received { body: String::from_utf8_lossy(&body).into_owned(), ..received })
            }
        }
    }
}

/// Returns the header fields of a request; `None` if one of them is invalid.
fn headers(outgoing: &Outgoing<'_>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(outgoing.content_type));
    for (name, value) in &outgoing.headers {
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    Some(headers)
}

/// Returns the header fields of a response that are kept.
fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(_, value)| value.len() <= FIELD)
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .take(FIELDS)
        .collect()
}

/// Reads up to `most` bytes; what is left is not read, and the connection is closed. It is an error
/// if the `whole` is wanted.
async fn read(
    response: &mut Response,
    body: &mut Vec<u8>,
    most: usize,
    whole: bool,
) -> Result<(), Failure> {
    while let Some(piece) = response.chunk().await.map_err(|error| of_body(&error))? {
        let room = most - body.len();
        if whole && piece.len() > room {
            let message = format!("the response is larger than {most} bytes");
            return Err(Failure::new(FailureKind::BodyTooLarge, message));
        }
        body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if body.len() >= most && !whole {
            break;
        }
    }
    Ok(())
}

/// A body that knows whether the HTTP library has asked for it.
struct Watched {
    bytes: Bytes,
    asked: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.asked.store(true, Ordering::Release);
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
