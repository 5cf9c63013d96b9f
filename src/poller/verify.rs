//! Checks whether a server's 304 (Not Modified) can be trusted.
//!
//! Some servers answer 304 to any condition: a file whose modification time is that of the build,
//! or a cache that has lost its origin. Therefore some requests are unconditional. If the page has
//! changed, one more request with the old validators shows whether the server would have hidden the
//! change; if so, requests stay unconditional for a while.

use std::time::Duration;

use super::admission::Permit;
use super::context::PollerContext;
use super::request::{following, request};
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::{Fetched, Validators};
use crate::ledger::Checkpoint;
use crate::source::Source;
use url::Url;

/// One poll in this many is unconditional, give or take a quarter.
const ONE_IN: u32 = 50;
/// Shortest time between unconditional requests, however often a page is polled.
const SHORTEST: Duration = Duration::from_secs(20);
/// Longest time between unconditional requests, however seldom a page is polled.
const LONGEST: Duration = Duration::from_hours(6);
/// How long requests stay unconditional after a server's first false 304; after the second, for a
/// week.
const FIRST_TIME: Duration = Duration::from_hours(24);
const AGAIN: Duration = Duration::from_hours(7 * 24);

/// Returns whether the next request for this page is to be unconditional in order to verify the
/// validators. Pages without validators are always requested in full.
pub(super) fn is_due(id: &str, checkpoint: &Checkpoint, interval: Duration, now: Time) -> bool {
    let conditional = checkpoint.body_hash.is_some()
        && (!checkpoint.validators.is_empty()
            || checkpoint.sidecars.iter().any(|sidecar| !sidecar.validators.is_empty()));
    conditional
        && checkpoint.full_at.is_none_or(|last| {
            // A clock that was set back makes nothing due, but not forever.
            let age = (now - last).abs().to_std().unwrap_or(Duration::MAX);
            age >= spread(id, last, (interval * ONE_IN).clamp(SHORTEST, LONGEST))
        })
}

/// Returns three to five quarters of the period, by a hash, so that pages first read together are
/// not verified together.
fn spread(id: &str, last: Time, period: Duration) -> Duration {
    let seed = last.timestamp_millis().cast_unsigned();
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), seed);
    period.mul_f64(0.75 + 0.5 * (hash as f64 / u64::MAX as f64))
}

/// Returns whether requests are unconditional because the server sent a false 304.
pub(super) fn is_distrusted(checkpoint: &Checkpoint, now: Time) -> bool {
    checkpoint.unconditional_until.is_some_and(|until| {
        // A time farther ahead than any that is ever stored was written by a wrong clock.
        until > now && (until - now).to_std().is_ok_and(|left| left <= AGAIN)
    })
}

/// Returns until when requests stay unconditional after a false 304 seen now.
pub(super) fn distrust_until(checkpoint: &Checkpoint, now: Time) -> Time {
    let span = if checkpoint.false_304_at.is_none() { FIRST_TIME } else { AGAIN };
    now + chrono::Duration::from_std(span).unwrap_or_default()
}

/// Returns whether the server answers 304 to these validators although the body is known to have
/// changed.
pub(super) async fn denies_change(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    url: &Url,
    validators: &Validators,
    permit: &mut Permit,
) -> bool {
    if validators.is_empty() {
        return false;
    }
    let request = following(request(provider, url, source.accept(), Some(validators)));
    matches!(
        permit.while_waiting(shared.client.get(request)).await,
        Ok(Fetched::NotModified { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    const MINUTE: Duration = Duration::from_mins(1);

    fn checkpoint(full_at: Option<Time>) -> Checkpoint {
        let validators = Validators { etag: Some("\"a\"".to_owned()), last_modified: None };
        Checkpoint { validators, body_hash: Some(7), full_at, ..Checkpoint::default() }
    }

    fn start() -> Time {
        parse_time("2026-11-27T12:00:00Z").unwrap()
    }

    fn at(minutes: i64) -> Time {
        start() + chrono::Duration::minutes(minutes)
    }

    #[test]
    fn one_poll_in_fifty_is_in_full() {
        let last = checkpoint(Some(start()));
        assert!(!is_due("acme", &last, MINUTE, at(0)) && !is_due("acme", &last, MINUTE, at(37)));
        assert!(is_due("acme", &last, MINUTE, at(63)));
        assert!(is_due("acme", &checkpoint(None), MINUTE, at(0)), "as after an upgrade");
        let hourly = Duration::from_hours(1);
        assert!(!is_due("acme", &last, hourly, at(4 * 60)));
        assert!(is_due("acme", &last, hourly, at(8 * 60)), "six hours at most, and a quarter");
        assert!(!is_due("acme", &last, MINUTE, at(-30)), "the clock was set back a little");
        assert!(is_due("acme", &last, MINUTE, at(-6000)), "or a lot");
    }

    #[test]
    fn a_page_without_validators_needs_none_of_it() {
        for none in [
            Checkpoint { validators: Validators::default(), ..checkpoint(None) },
            Checkpoint { body_hash: None, ..checkpoint(None) },
        ] {
            assert!(!is_due("acme", &none, MINUTE, at(1000)));
        }
    }

    #[test]
    fn those_that_were_read_together_are_spread() {
        let last = checkpoint(Some(start()));
        let due: Vec<usize> = (35..66)
            .map(|minute| {
                (0..1000).filter(|n| is_due(&format!("p{n}"), &last, MINUTE, at(minute))).count()
            })
            .collect();
        assert_eq!((due[0], due[30]), (0, 1000));
        for pair in due.windows(2) {
            assert!(pair[1] >= pair[0] && pair[1] - pair[0] < 100, "{due:?}");
        }
    }

    #[test]
    fn distrust_lasts_longer_the_second_time_but_not_forever() {
        let first = checkpoint(Some(start()));
        let until = distrust_until(&first, start());
        assert_eq!(until, at(24 * 60));
        let found = Checkpoint {
            false_304_at: Some(start()),
            unconditional_until: Some(until),
            ..first.clone()
        };
        assert!(is_distrusted(&found, start()) && !is_distrusted(&found, until));
        assert!(!is_distrusted(&found, at(-60 * 24 * 30)), "the clock was a month ahead then");
        assert!(!is_distrusted(&first, start()));
        assert_eq!(distrust_until(&found, start()), at(7 * 24 * 60));
    }
}
