//! What is stored of a provider's configuration. Pure.

use std::time::Duration;

use crate::config::Provider;
use crate::event::Time;

/// Number of process deaths over one provider's document after which it is quarantined for a while.
pub(super) const DEATHS: u32 = 4;

/// The same where other processes poll a provider whose process has died: a document must not go
/// round.
pub(super) const SHARED_DEATHS: u32 = 2;

/// The configuration stored in a provider's row.
#[derive(PartialEq, Eq)]
pub(super) struct Declared {
    /// Its display name.
    pub(super) name: String,
    /// See [`address_mark`].
    pub(super) url: String,
    /// Milliseconds between polls.
    pub(super) interval_ms: i64,
    /// Milliseconds without a successful poll after which it is stale.
    pub(super) stale_after_ms: i64,
    /// Milliseconds between polls that its host allows, if longer than configured.
    pub(super) real_interval_ms: Option<i64>,
}

impl Declared {
    /// Returns what to store of this configuration.
    pub(super) fn of(provider: &Provider, real_interval: Option<Duration>) -> Self {
        Self {
            name: provider.name.clone(),
            url: address_mark(&provider.url),
            interval_ms: provider.settings.interval.as_millis() as i64,
            stale_after_ms: provider.settings.stale_after.as_millis() as i64,
            real_interval_ms: real_interval.map(|real| real.as_millis() as i64),
        }
    }
}

/// Returns the provider's URL as stored: recognizable, but without the values of its query.
fn address_mark(url: &url::Url) -> String {
    if url.query().is_none() {
        return url.as_str().to_owned();
    }
    format!(
        "{} #{:032x}",
        crate::redact::redact(url),
        xxhash_rust::xxh3::xxh3_128(url.as_str().as_bytes())
    )
}

/// Returns the first document's URL. The provider's own URL is not stored a second time, because
/// its query may contain a secret.
pub(super) fn document_mark<'a>(document: &'a url::Url, provider: &url::Url) -> &'a str {
    if document == provider { "" } else { document.as_str() }
}

/// Returns until when a provider is not read after this many process deaths in a row over its
/// document: longer each time; `None` before there were `most`.
pub(super) fn quarantined_until(deaths: u32, most: u32, now: Time) -> Option<Time> {
    Some(now + pause(deaths.checked_sub(most)?))
}

/// Returns the longest time for which a provider is not read after this many process deaths: where
/// others share the ledger, which is patient with fewer of them.
pub(super) fn longest_quarantine(deaths: u32) -> chrono::Duration {
    pause(deaths.saturating_sub(SHARED_DEATHS))
}

/// Returns for how long a provider is not read after this many deaths too many.
fn pause(more: u32) -> chrono::Duration {
    // Short at first: killing a process manually can hit an innocent provider this often.
    chrono::Duration::seconds(15 << more.min(12))
}

/// Returns the latest time until which a provider's host may delay the next poll, in milliseconds
/// since 1970.
pub(super) fn longest_wait(provider: &Provider, now: Time) -> i64 {
    now.timestamp_millis() + provider.settings.max_wait.as_millis() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_several_nodes_sets_a_document_aside() {
        let now = crate::event::parse_time("2026-03-01T12:00:00Z").unwrap();
        let seconds = |deaths: u32, most: u32| {
            quarantined_until(deaths, most, now).map(|until| (until - now).num_seconds())
        };
        assert_eq!(
            [1, 2, 3].map(|deaths| seconds(deaths, SHARED_DEATHS)),
            [None, Some(15), Some(30)]
        );
        assert_eq!(
            [3, 4, 40].map(|deaths| seconds(deaths, DEATHS)),
            [None, Some(15), Some(61_440)]
        );
    }
}
