//! Reads response headers: validators, and how long a response is fresh.

use std::time::Duration;

use reqwest::header::{AsHeaderName, CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};

use super::Validators;

/// Longer validators are dropped: they would be stored and sent with every poll.
const LONGEST_VALIDATOR: usize = 8 << 10;

/// Returns the validators of a response, byte for byte.
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

/// Returns a header value of exactly these bytes, if they are valid.
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

/// Returns `Cache-Control: max-age`, unless the response must not be stored at all.
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

/// Parses digits only; saturates on overflow.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::from(u32::MAX)).min(u64::from(u32::MAX)))
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
}
