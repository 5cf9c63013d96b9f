//! Whether a request is answered at all: its host, its origin, its token.
//!
//! A browser of somebody at this machine is the usual way in for a stranger: a page of theirs whose
//! name resolves to 127.0.0.1 (DNS rebinding) or that posts a form here. The first has another host,
//! the second another origin.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, ORIGIN};
use axum::http::{Method, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::App;
use super::route::Access;
use super::token::Token;
use crate::config::PublicSurface;

/// Bytes of a request's body.
pub const MAX_BODY: usize = 64 << 10;

/// The status of a refusal and the reason.
pub(super) type Refused = (StatusCode, &'static str);

/// Refuses a request that is addressed to another host, comes from another page or is too large.
pub(super) fn check(app: &App, request: &Request<Body>) -> Result<(), Refused> {
    let host = host(request)?;
    if !is_ours(app, host) {
        let detail = "the server does not go by this name: see http.hosts in the configuration";
        return Err((StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length > MAX_BODY)) {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let from_here = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let (scheme, origin) = origin.split_once("://").unwrap_or_default();
        matches!(scheme, "http" | "https") && origin.eq_ignore_ascii_case(host)
    };
    let origin = request.headers().get_all(ORIGIN).iter().all(from_here);
    let site = request
        .headers()
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    if origin && site {
        Ok(())
    } else {
        Err((StatusCode::FORBIDDEN, "the request comes from another page"))
    }
}

/// The host the request is addressed to, with its port.
fn host(request: &Request<Body>) -> Result<&str, Refused> {
    let bad = || (StatusCode::BAD_REQUEST, "the request needs one Host header");
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).ok_or_else(bad)?;
    if hosts.next().is_some() {
        return Err(bad());
    }
    match request.uri().authority() {
        // `GET http://host/ HTTP/1.1`: it counts in place of the header, RFC 9112, 3.2.2.
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Err(bad()),
        _ => Ok(host),
    }
}

fn is_ours(app: &App, host: &str) -> bool {
    let name = without_port(host);
    if let Ok(v4) = name.parse::<Ipv4Addr>() {
        // No name was resolved, so none was rebound.
        return v4.is_loopback() || !app.http.listen.ip().is_loopback();
    }
    if let Some(v6) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        let v6 = v6.parse::<Ipv6Addr>();
        return v6.is_ok_and(|v6| v6.is_loopback() || !app.http.listen.ip().is_loopback());
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || app.http.hosts.contains(&name)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// What a form must bring to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changes {
    /// Nothing can be changed over HTTP.
    Never,
    /// The token for changes, in a field of its own: a browser sends no other credential that says
    /// that its reader wanted this.
    WithToken,
    /// Nothing more: only users of this machine reach the server.
    Freely,
}

/// Returns what a form must bring.
pub(super) fn changes(app: &App) -> Changes {
    match app.write_token.as_ref().or(app.token.as_ref()) {
        Some(_) => Changes::WithToken,
        None if is_exposed(app) => Changes::Never,
        None => Changes::Freely,
    }
}

/// Returns whether the token in a form's field is that for changes, or none is needed.
pub(super) fn may_change(app: &App, given: &str) -> bool {
    match app.write_token.as_ref().or(app.token.as_ref()) {
        Some(token) => token.is(given.trim().as_bytes()),
        None => !is_exposed(app),
    }
}

/// Returns whether the request may use a route with this access.
pub(super) fn may(app: &App, access: Access, headers: &HeaderMap) -> Result<(), Refused> {
    let given = bearer(headers);
    let carries = |token: &Token| given.is_some_and(|given| token.is(given));
    let public = |surface| app.http.public.contains(&surface);
    let may = match access {
        Access::Everybody => true,
        Access::Badges if public(PublicSurface::Badges) => true,
        Access::Feeds if public(PublicSurface::Feeds) => true,
        Access::Summary if public(PublicSurface::Summary) => true,
        Access::Public if public(PublicSurface::Page) => true,
        // There is a page that shows more.
        Access::Public => return Err((StatusCode::NOT_FOUND, "nothing is served here")),
        Access::Badges | Access::Feeds | Access::Summary | Access::Token => {
            // The token for changes is good for reading too. A browser sends a password with whatever
            // it asks for, whoever made it ask: that is for reading alone.
            let password = password(headers);
            let knows = |token: &Token| password.as_ref().is_some_and(|given| token.is(given));
            let reads = |token: &Token| carries(token) || knows(token);
            app.token.as_ref().is_none_or(reads) || app.write_token.as_ref().is_some_and(reads)
        }
        Access::Write => match app.write_token.as_ref().or(app.token.as_ref()) {
            Some(token) => carries(token),
            // Users of the machine may mute; remote clients may not.
            None if is_exposed(app) => {
                let detail = "changes need write_token_file in the configuration";
                return Err((StatusCode::FORBIDDEN, detail));
            }
            None => true,
        },
        // Any page can send a form, and an old browser does not say which one did. Those that were
        // sent from another page have been refused already.
        Access::Form if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") => {
            true
        }
        Access::Form => {
            let detail = "a form needs the header Origin; programs use /api/v1/mutes";
            return Err((StatusCode::FORBIDDEN, detail));
        }
    };
    if may {
        return Ok(());
    }
    app.counts.refused("unauthorized");
    let detail = "this needs the token, as \"Authorization: Bearer TOKEN\"";
    Err((StatusCode::UNAUTHORIZED, detail))
}

/// Whether others than the users of this machine reach the server.
fn is_exposed(app: &App) -> bool {
    !app.http.listen.ip().is_loopback() || !app.http.hosts.is_empty()
}

/// The password of `Authorization: Basic`, RFC 7617, 2: what a browser asks its reader for. The user's
/// name does not matter.
fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, given) = value.split_at_checked("basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let pair = BASE64.decode(given.trim_ascii()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

/// The token of `Authorization: Bearer TOKEN`, RFC 6750, 2.1.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_no_part_of_the_name() {
        for (host, name) in [
            ("localhost:9187", "localhost"),
            ("localhost", "localhost"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("a:b", "a:b"),
        ] {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn a_browser_sends_the_token_as_a_password() {
        let mut headers = HeaderMap::new();
        for (value, token) in [
            ("Basic eDphOmI=", Some("a:b")),
            ("basic OmFiYw==", Some("abc")),
            ("Basic eA==", None),
            ("Basic !", None),
            ("Bearer OmFiYw==", None),
        ] {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(password(&headers).as_deref(), token.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn the_scheme_is_compared_without_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        for (value, token) in
            [("Bearer abc", Some("abc")), ("bearer  abc", Some("abc")), ("Basic abc", None)]
        {
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), token.map(str::as_bytes), "{value}");
        }
    }
}
