//! Whether a server's "not modified" (304) still means something.
//!
//! Some servers answer 304 to any condition: a file whose time is that of the build, a cache in front
//! of the page that has lost what is behind it. Once in a while a page is therefore asked for in full.
//! Where it has changed, one more request with the former validators says whether the server would
//! have kept that from us; if so, the page is asked for in full for a while.

use std::time::Duration;

use super::admission::Permit;
use super::context::PollerContext;
use super::cycle::{following, request};
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::{Fetched, Validators};
use crate::ledger::Checkpoint;
use crate::source::Source;
use url::Url;

/// One poll in so many is in full, give or take a quarter.
const ONE_IN: u32 = 50;
/// However often a page is polled, it is not asked for in full more often than this.
const SHORTEST: Duration = Duration::from_secs(20);
/// A page that is seldom polled is asked for in full at least this often.
const LONGEST: Duration = Duration::from_hours(6);
/// How long a page is asked for in full once its server was found out; the second time for a week.
const FIRST_TIME: Duration = Duration::from_hours(24);
const AGAIN: Duration = Duration::from_hours(7 * 24);

/// Whether the next request for this provider's page is to be unconditional, to see whether the
/// validators mean something. Pages without any are asked for in full anyway.
pub(super) fn is_due(id: &str, checkpoint: &Checkpoint, interval: Duration, now: Time) -> bool {
    let conditional = checkpoint.body_hash.is_some()
        && (!checkpoint.validators.is_empty()
            || checkpoint.companions.iter().any(|companion| !companion.validators.is_empty()));
    conditional
        && checkpoint.full_at.is_none_or(|last| {
            // A clock that was set back makes nothing due, but not for ever.
            let age = (now - last).abs().to_std().unwrap_or(Duration::MAX);
            age >= spread(id, last, (interval * ONE_IN).clamp(SHORTEST, LONGEST))
        })
}

/// Three to five quarters of the period, by a hash: pages that were first read together are not
/// asked for in full together.
fn spread(id: &str, last: Time, period: Duration) -> Duration {
    let seed = last.timestamp_millis().cast_unsigned();
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(id.as_bytes(), seed);
    period.mul_f64(0.75 + 0.5 * (hash as f64 / u64::MAX as f64))
}

/// Whether the page is asked for in full because its server was found out.
pub(super) fn is_distrusted(checkpoint: &Checkpoint, now: Time) -> bool {
    checkpoint.unconditional_until.is_some_and(|until| {
        // Farther away than anything that is written: by a clock that was wrong.
        until > now && (until - now).to_std().is_ok_and(|left| left <= AGAIN)
    })
}

/// Until when a page is asked for in full whose server was found out now.
pub(super) fn distrust_until(checkpoint: &Checkpoint, now: Time) -> Time {
    let span = if checkpoint.false_304_at.is_none() { FIRST_TIME } else { AGAIN };
    now + chrono::Duration::from_std(span).unwrap_or_default()
}

/// Whether the server answers "not modified" to these validators, of a body that is known to differ
/// from the one they came with.
pub(super) async fn denies_change(
    shared: &PollerContext,
    provider: &Provider,
    source: &'static dyn Source,
    url: &Url,
    validators: &Validators,
    place: &mut Permit,
) -> bool {
    if validators.is_empty() {
        return false;
    }
    let request = following(request(provider, url, source.accept(), Some(validators)));
    matches!(place.asking(shared.client.get(request)).await, Ok(Fetched::NotModified { .. }))
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
    fn distrust_lasts_longer_the_second_time_and_not_for_ever() {
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
