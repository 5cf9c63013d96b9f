//! What response headers say: validators, how long to stay away, how long an answer is fresh.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use reqwest::header::{
    AsHeaderName, CACHE_CONTROL, DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, RETRY_AFTER,
};

use super::Validators;
use crate::clock;
use crate::event::Time;

/// A longer validator is not kept: it would be stored and sent with every poll.
const LONGEST_VALIDATOR: usize = 8 << 10;
/// Nobody is obeyed for longer.
const LONGEST_RETRY: Duration = Duration::from_hours(24);

/// The validators of an answer, byte for byte.
pub(super) fn validators(headers: &HeaderMap) -> Validators {
    Validators { etag: latin1(headers, ETAG), last_modified: latin1(headers, LAST_MODIFIED) }
}

fn latin1(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    (!bytes.is_empty() && bytes.len() <= LONGEST_VALIDATOR).then(|| {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() => text.to_owned(),
            _ => bytes.iter().copied().map(char::from).collect(),
        }
    })
}

/// The header that says exactly these bytes, or none.
pub(super) fn exact(value: Option<&String>) -> Option<HeaderValue> {
    let value = value?;
    if value.is_empty() || value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']) {
        return None;
    }
    if value.is_ascii() {
        return HeaderValue::from_str(value).ok();
    }
    let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// `Cache-Control: max-age`, unless the answer may not be kept at all.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let directive = directive.trim();
            if directive.eq_ignore_ascii_case("no-store")
                || directive.eq_ignore_ascii_case("no-cache")
            {
                return None;
            }
            if let Some((name, value)) = directive.split_once('=')
                && name.trim_end().eq_ignore_ascii_case("max-age")
                && let Some(seconds) = seconds(value.trim().trim_matches('"'))
            {
                found = found.or(Some(Duration::from_secs(seconds)));
            }
        }
    }
    found
}

/// `Retry-After`, as seconds or as a date, within a day. A date is measured against the server's
/// own `Date` where it gives one: the two clocks need not agree.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Some(seconds) = seconds(value) {
        Duration::from_secs(seconds)
    } else {
        let date = headers
            .get(DATE)
            .and_then(|date| http_date(date.to_str().ok()?))
            .unwrap_or_else(clock::now);
        http_date(value)?.signed_duration_since(date).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST_RETRY))
}

/// Digits alone; more than fit are as many as fit.
fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::from(u32::MAX)).min(u64::from(u32::MAX)))
}

/// The three forms of RFC 9110.
fn http_date(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    #[test]
    fn validators_survive_byte_for_byte() {
        let long = [b'x'; 4096];
        for etag in [
            &b"\"a\""[..],
            b"W/\"a\"",
            b"unquoted",
            b"with spaces in it",
            b"\"\x80\xff\xc3\xa9\"",
            &long,
        ] {
            let kept = validators(&headers(&[("etag", etag)]));
            assert_eq!(exact(kept.etag.as_ref()).unwrap().as_bytes(), etag);
        }
        assert_eq!(validators(&headers(&[("etag", &[b'x'; 9000])])).etag, None);
    }

    #[test]
    fn what_cannot_be_sent_exactly_is_not_sent() {
        for bad in ["a\nb", "a\0b", "\u{7f}", "łódź", "", " a", "a\t"] {
            assert_eq!(exact(Some(&bad.to_owned())), None, "{bad:?}");
        }
    }

    #[test]
    fn ages() {
        let age = |text: &str| {
            max_age(&headers(&[("cache-control", text.as_bytes())])).map(|d| d.as_secs())
        };
        assert_eq!(age("public, max-age=10"), Some(10));
        assert_eq!(age("Max-Age=\"7\", s-maxage=99"), Some(7));
        assert_eq!(age("max-age=99999999999999999999999"), Some(u64::from(u32::MAX)));
        assert_eq!(age("no-store, max-age=10"), None);
        assert_eq!(age("max-age=-1"), None);
        assert_eq!(age("max-age=0"), Some(0));
    }

    #[test]
    fn waits() {
        let wait =
            |pairs: &[(&'static str, &[u8])]| retry_after(&headers(pairs)).map(|d| d.as_secs());
        assert_eq!(wait(&[("retry-after", b"5")]), Some(5));
        assert_eq!(wait(&[("retry-after", b"999999")]), Some(86_400));
        assert_eq!(wait(&[("retry-after", b"soon")]), None);
        assert_eq!(wait(&[("retry-after", b"-5")]), None);
        let date: (&str, &[u8]) = ("date", b"Sun, 06 Nov 1994 08:49:30 GMT");
        for form in [
            &b"Sun, 06 Nov 1994 08:49:37 GMT"[..],
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(wait(&[("retry-after", form), date]), Some(7));
        }
        assert_eq!(wait(&[("retry-after", b"Sun, 06 Nov 1994 08:49:37 GMT")]), Some(0));
    }
}
