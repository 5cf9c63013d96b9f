//! Creates `ETag` and `Last-Modified`, and compares those sent by a client.

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::xxh3_64;

use statuswatch_model::event::Time;

use super::head::Head;
use super::inner::{Inner, Validators};
use super::platform::Document;

/// Returns the validators of a document at a path; its time advances by whole seconds whenever the
/// bytes change.
pub(super) fn validate(
    inner: &mut Inner,
    path: &str,
    document: &Document,
    now: Time,
) -> Validators {
    let hash = xxh3_64(&document.body);
    let known = inner.validators.get(path);
    if let Some(known) = known.filter(|known| known.hash == hash) {
        return known.clone();
    }
    let modified = known.map_or(now.timestamp(), |known| now.timestamp().max(known.modified + 1));
    let validators = Validators { hash, modified };
    inner.validators.insert(path.to_owned(), validators.clone());
    validators
}

/// Returns whether a conditional request gets a 304. RFC 9110: `If-None-Match` takes precedence, by
/// weak comparison.
pub(super) fn is_unchanged(head: &Head, etag: Option<&[u8]>, modified: Option<&str>) -> bool {
    if let Some(asked) = head.header("If-None-Match") {
        let Some(etag) = etag else { return false };
        let opaque = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        return asked == etag
            || asked.trim_ascii() == b"*"
            || asked
                .split(|byte| *byte == b',')
                .any(|tag| opaque(tag.trim_ascii()) == opaque(etag));
    }
    // The date is compared as a string, as common servers do.
    head.header("If-Modified-Since")
        .is_some_and(|asked| modified.is_some_and(|modified| asked == modified.as_bytes()))
}

/// Formats a time as HTTP does.
pub(super) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
