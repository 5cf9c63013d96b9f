//! How answers are made: content with a validator, and problems as RFC 9457 has them.

use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::model::ReadError;

pub(super) const JSON: &str = "application/json";
pub(super) const PROBLEM: &str = "application/problem+json";

/// Sent with every answer. The page of the dashboard loads its script and its style from here and
/// nothing else; a provider's text can start no script.
const SAFETY: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds the headers that every answer carries.
pub(super) fn secure(response: &mut Response<Body>) {
    for (name, value) in SAFETY {
        response
            .headers_mut()
            .entry(HeaderName::from_static(name))
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Makes an answer with a body whose bytes decide the validator: equal bytes, equal `ETag`. Answers
/// 304 if the client has them. A client may keep it `max_age` seconds without asking; 0: it asks
/// each time.
pub(super) fn content(
    headers: &HeaderMap,
    media: &'static str,
    body: impl Into<Vec<u8>>,
    max_age: u32,
) -> Response<Body> {
    let body = body.into();
    let tag = format!("\"{:032x}\"", xxhash_rust::xxh3::xxh3_128(&body));
    let cache = if max_age == 0 { "no-cache".to_owned() } else { format!("max-age={max_age}") };
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim() == "*" || names(value, &tag));
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
        response
    };
    let headers = response.headers_mut();
    for (name, value) in [(ETAG, tag), (CACHE_CONTROL, cache)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Whether a list of validators has this one. The comparison is the weak one of RFC 9110, 13.1.2:
/// proxies that compress turn `"x"` into `W/"x"`.
fn names(list: &str, tag: &str) -> bool {
    list.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// Makes an answer of a value as JSON that must not be cached: it holds only at this moment.
pub(super) fn json_now(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut response = json(&HeaderMap::new(), value);
    if response.status() == StatusCode::OK {
        *response.status_mut() = status;
    }
    response.headers_mut().remove(ETAG);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Makes an answer of a value as JSON.
pub(super) fn json(headers: &HeaderMap, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => content(headers, JSON, crate::text::safe_json(&text).into_owned(), 0),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written")
        }
    }
}

/// The body of an error, RFC 9457.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Problem<'a> {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: &'a str,
}

/// Makes an error. `detail` is a sentence of ours: it quotes nothing of the request.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let body = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        detail,
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    response
}

/// Why a request is not answered with what it asks for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Something in the request cannot be understood.
    #[error("{0}")]
    Bad(String),
    /// The body is of a kind that is not read here.
    #[error("{0}")]
    Unsupported(&'static str),
    /// There is no such thing.
    #[error("{0}")]
    Missing(&'static str),
    /// There is no such thing; what there is resembles it.
    #[error("{0}")]
    Unknown(String),
    /// Whoever asks may not do it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It could not be done, and may be tried again.
    #[error("{0}")]
    Busy(&'static str),
    /// The ledger could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Bad(detail) => problem(StatusCode::BAD_REQUEST, &detail),
            Refusal::Unsupported(detail) => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
            Refusal::Busy(detail) => problem(StatusCode::SERVICE_UNAVAILABLE, detail),
            Refusal::Forbidden(detail) => problem(StatusCode::FORBIDDEN, detail),
            Refusal::Missing(detail) => problem(StatusCode::NOT_FOUND, detail),
            Refusal::Unknown(detail) => problem(StatusCode::NOT_FOUND, &detail),
            Refusal::Read(error) => {
                // The reason names files of this machine.
                tracing::warn!(%error, "the HTTP server cannot read the ledger");
                problem(StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be read at present")
            }
        }
    }
}

/// The answer, or why there is none.
pub(super) fn finish(answer: Result<Response<Body>, Refusal>) -> Response<Body> {
    answer.unwrap_or_else(Response::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_are_not_sent_again() {
        let mut headers = HeaderMap::new();
        let first = content(&headers, JSON, "{}", 0);
        let tag = first.headers()[ETAG].clone();
        headers.insert(IF_NONE_MATCH, tag.clone());
        assert_eq!(content(&headers, JSON, "{}", 0).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(content(&headers, JSON, "{ }", 0).status(), StatusCode::OK);
        let list = format!("\"x\", W/{}", tag.to_str().unwrap());
        headers.insert(IF_NONE_MATCH, list.parse().unwrap());
        assert_eq!(content(&headers, JSON, "{}", 0).status(), StatusCode::NOT_MODIFIED);
        headers.insert(IF_NONE_MATCH, "*".parse().unwrap());
        assert_eq!(content(&headers, JSON, "{}", 0).status(), StatusCode::NOT_MODIFIED);
    }
}
