//! Converts the HTTP library's errors to a kind and a sentence.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustls::CertificateError;

use super::dial::DialTimeout;
use super::resolve::{LeadsInside, NoAddress};
use url::Url;

use super::{Failure, FailureKind};
use crate::redact::redact;

/// What is said of a certificate whose authority is not among those that are trusted.
pub const UNKNOWN_AUTHORITY: &str = "certificate signed by an unknown authority";
/// What is said of a certificate that does not have the name of the host that was asked.
pub const OTHER_NAME: &str = "certificate for another name";

/// Out of file descriptors, in this process or the system; out of memory.
const OURS: [Errno; 3] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];

impl Failure {
    /// Creates a failure that does not ask for a pause.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None, asked_by: None }
    }

    /// After a redirect, adds the old and the new address to the message.
    #[must_use]
    pub(super) fn behind(mut self, asked: &Url, led_to: Option<&Url>) -> Self {
        if let Some(led_to) = led_to {
            self.message =
                format!("{} redirects to {}: {}", redact(asked), redact(led_to), self.message);
        }
        self
    }
}

impl FailureKind {
    /// Returns the kind of failure for a status other than 200 and 304.
    #[must_use]
    pub const fn of_status(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            410 => Self::Gone,
            429 => Self::RateLimited,
            500..=599 => Self::ServerError,
            _ => Self::Status,
        }
    }
}

/// How far the request was when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the end of the response headers.
    Head,
    /// In the body.
    Body,
    /// In the body, waiting for memory.
    Room,
}

impl Phase {
    /// Returns the failure for a deadline that passed in this phase.
    pub(super) fn timeout(self, limit: Duration) -> Failure {
        match self {
            Self::Head => {
                Failure::new(FailureKind::Timeout, format!("no response within {limit:?}"))
            }
            Self::Body => Failure::new(
                FailureKind::Timeout,
                format!("the body was not complete within {limit:?}"),
            ),
            Self::Room => Failure::new(
                FailureKind::Resource,
                format!(
                    "no memory for the body within {limit:?}: too many large bodies in parallel"
                ),
            ),
        }
    }
}

/// Converts an error that occurred before the end of the headers.
pub(super) fn of_head(error: &reqwest::Error, https: bool) -> Failure {
    for cause in causes(error) {
        if let Some(failure) = of_connection(cause) {
            return failure;
        }
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            if http.is_parse_too_large() {
                return Failure::new(FailureKind::HeadersTooLarge, "the headers are too large");
            }
            if http.is_parse() {
                return Failure::new(
                    FailureKind::Protocol,
                    format!("not an HTTP response: {}", plain(http)),
                );
            }
            if http.is_incomplete_message() || http.is_closed() {
                return incomplete("the connection closed before the end of the headers");
            }
        }
        // An I/O error that wraps another one has no message of its own: look at the inner one.
        if let Some(io) =
            cause.downcast_ref::<io::Error>().filter(|io| !io.get_ref().is_some_and(wraps))
        {
            match io.kind() {
                io::ErrorKind::TimedOut => {
                    return Failure::new(FailureKind::Timeout, "the connection timed out");
                }
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                    if error.is_connect() && https =>
                {
                    return Failure::new(
                        FailureKind::Tls,
                        "TLS handshake: the server closed the connection",
                    );
                }
                _ if error.is_connect() => {
                    return Failure::new(
                        FailureKind::Connect,
                        format!("cannot connect: {}", plain(io)),
                    );
                }
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe => {
                    return incomplete("the connection closed before the end of the headers");
                }
                _ => {}
            }
        }
    }
    if !error.is_connect() && causes(error).any(<dyn Error>::is::<hyper::Error>) {
        // A stream reset or a closed HTTP/2 connection, possibly with headers in flight.
        return Failure::new(
            FailureKind::IncompleteBody,
            format!("the server aborted the request: {}", last(error)),
        );
    }
    let kind = if error.is_connect() { FailureKind::Connect } else { FailureKind::Protocol };
    Failure::new(kind, last(error))
}

/// Converts an error that occurred in the body.
pub(super) fn of_body(error: &reqwest::Error) -> Failure {
    for cause in causes(error) {
        if let Some(failure) = of_connection(cause) {
            return failure;
        }
        if cause.is::<hyper::Error>() {
            return incomplete("the connection closed before the end of the body");
        }
    }
    Failure::new(FailureKind::Protocol, format!("cannot receive the body: {}", last(error)))
}

/// Converts an error of a connection that does not speak HTTP.
pub(super) fn of_stream(error: &(dyn Error + 'static)) -> Failure {
    if let Some(failure) = causes(error).find_map(of_connection) {
        return failure;
    }
    let io = error.downcast_ref::<io::Error>();
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => {
            Failure::new(FailureKind::Timeout, "the connection timed out")
        }
        Some(io::ErrorKind::UnexpectedEof) => incomplete("the server closed the connection"),
        _ => Failure::new(FailureKind::Connect, plain(error)),
    }
}

/// Converts an error in decoding a complete body.
pub(super) fn of_coding(error: &io::Error) -> Failure {
    let what = match error.kind() {
        io::ErrorKind::UnexpectedEof => "unexpected end of data".to_owned(),
        _ => plain(error),
    };
    Failure::new(FailureKind::Encoding, format!("invalid compression: {what}"))
}

/// Returns whether the connection failed before the first byte of the response: it may have been
/// closed already.
pub(super) fn died_unanswered(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(|e| e.is_incomplete_message() || e.is_canceled() || e.is_closed())
            || cause.downcast_ref::<io::Error>().is_some_and(|e| {
                matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
            })
    })
}

/// Recognizes errors that can occur on a connection at any time.
fn of_connection(cause: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(limit) = cause.downcast_ref::<DialTimeout>() {
        return Some(Failure::new(FailureKind::Timeout, limit.to_string()));
    }
    if let Some(inside) = cause.downcast_ref::<LeadsInside>() {
        return Some(Failure::new(FailureKind::BlockedAddress, inside.to_string()));
    }
    if let Some(no_address) = cause.downcast_ref::<NoAddress>() {
        if is_ours(&no_address.error) {
            return Some(ours(&no_address.error));
        }
        return Some(Failure::new(FailureKind::Dns, no_address.to_string()));
    }
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(Failure::new(FailureKind::Tls, of_tls(tls)));
    }
    let io = cause.downcast_ref::<io::Error>()?;
    is_ours(io).then(|| ours(io))
}

fn is_ours(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| OURS.iter().any(|ours| ours.raw_os_error() == number))
}

fn ours(error: &io::Error) -> Failure {
    Failure::new(
        FailureKind::Resource,
        format!("this machine is out of resources: {}", plain(error)),
    )
}

fn incomplete(message: &str) -> Failure {
    Failure::new(FailureKind::IncompleteBody, message)
}

fn of_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate not valid yet (check this machine's clock)".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                OTHER_NAME.to_owned()
            }
            CertificateError::UnknownIssuer => UNKNOWN_AUTHORITY.to_owned(),
            CertificateError::Revoked => "certificate revoked".to_owned(),
            other => format!("invalid certificate: {}", clean(&format!("{other:?}"))),
        },
        other => format!("TLS handshake: {}", plain(other)),
    }
}

/// Yields the error, its causes, and the errors inside I/O errors, which `source` leaves out.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => cause.source(),
        };
        Some(cause)
    })
    // No real chain is longer, and a circular one must end.
    .take(32)
}

/// Returns whether the inner error is worth examining on its own.
fn wraps(inner: &(dyn Error + Send + Sync + 'static)) -> bool {
    inner.is::<io::Error>() || inner.is::<rustls::Error>() || inner.source().is_some()
}

/// Formats the innermost cause, which contains no address.
fn last(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .filter(|cause| !cause.is::<reqwest::Error>())
        .map_or_else(|| "the request failed".to_owned(), plain)
}

fn plain(error: &(impl Error + ?Sized)) -> String {
    let text = error.to_string();
    // The number repeats what the text before it says.
    clean(text.split_once(" (os error ").map_or(text.as_str(), |(words, _)| words))
}

/// Removes control characters and truncates to 200 characters.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_shortage_is_not_the_providers_failure() {
        for errno in OURS {
            let error = io::Error::other(io::Error::from_raw_os_error(errno.raw_os_error()));
            let found = causes(&error).find_map(of_connection).unwrap();
            assert_eq!(found.kind, FailureKind::Resource);
        }
        assert!(
            causes(&io::Error::from(io::ErrorKind::ConnectionRefused))
                .find_map(of_connection)
                .is_none()
        );
        let lookup = NoAddress {
            name: "status.acme.example".to_owned(),
            error: io::Error::from_raw_os_error(Errno::MFILE.raw_os_error()),
        };
        assert_eq!(of_connection(&lookup).unwrap().kind, FailureKind::Resource);
    }

    #[test]
    fn an_unresolvable_name_appears_once_in_the_message() {
        let said = |error: io::Error| {
            let error = NoAddress { name: "status.acme.example".to_owned(), error };
            of_connection(&error).unwrap().message
        };
        let lookup = |why| io::Error::other(format!("failed to lookup address information: {why}"));
        assert_eq!(
            said(lookup("Name or service not known")),
            "the name status.acme.example does not resolve"
        );
        assert_eq!(
            said(lookup("Temporary failure in name resolution")),
            "no name server answered for status.acme.example"
        );
        assert_eq!(
            plain(&io::Error::from_raw_os_error(Errno::CONNREFUSED.raw_os_error())),
            "Connection refused"
        );
    }

    #[test]
    fn causes_go_through_wrapped_io_errors() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::NotValidYet);
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        let found = causes(&error).find_map(of_connection).unwrap();
        assert_eq!(found.kind, FailureKind::Tls);
        assert!(found.message.contains("clock"));
    }
}
