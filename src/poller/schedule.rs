//! Computes when the next poll is due. Pure: times and random numbers are passed in.
//!
//! A provider has a slot: its fixed offset within the period, the same after every restart. Polls
//! keep to the slots, give or take the jitter, so neither slow responses nor restarts bunch
//! requests up. The period is shorter than the interval by enough that jitter never exceeds the
//! interval: two polls are at most one interval apart, and at least an interval less the jitter if
//! both are at their slots. Times are those of the anchor's wall clock, which later clock changes
//! do not move.

use std::time::Duration;

use crate::backoff::ExponentialBackoff;
use crate::config::Settings;
use crate::event::Time;
use crate::fetch::FailureKind;

/// Polls with at least this interval are aligned to ticks, so that one wake-up serves several.
const COARSE_FROM: Duration = Duration::from_secs(10);

/// The tick for such polls.
const TICK: Duration = Duration::from_millis(50);

/// The time between the end of a poll and the next one is at least the interval divided by this,
/// wherever the slot is.
const REST: u32 = 4;

/// The first polls of providers that were never polled begin within this time.
const FIRST_WITHIN: Duration = Duration::from_secs(2);
/// Overdue providers of a node that is gone are polled within this time.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(5);

/// A page that is gone for good is looked at this often.
const GONE_EVERY: Duration = Duration::from_hours(24);

/// Shortest time between polls while our own network is down.
const OFFLINE_EVERY: Duration = Duration::from_secs(30);

/// The offset of a provider within any interval, from 0.0 up to 1.0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot(pub f64);

/// Spreads providers evenly over the interval, ordered by a stable hash of their ids. No second
/// gets more than its share, and a provider keeps its slot as long as the set of providers stays
/// the same.
#[must_use]
pub fn slots(ids: &[&str]) -> Vec<Slot> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_cached_key(|&index| {
        ids.get(index).map(|id| xxhash_rust::xxh3::xxh3_64(id.as_bytes()))
    });
    let mut slots = vec![Slot(0.0); ids.len()];
    for (rank, index) in order.into_iter().enumerate() {
        if let Some(slot) = slots.get_mut(index) {
            *slot = Slot(rank as f64 / ids.len() as f64);
        }
    }
    slots
}

/// Returns the time of the first poll of a provider that was never polled: now. A long list takes a
/// moment, so that a resolver or a router is not asked for all of it in the same millisecond.
#[must_use]
pub fn never_polled(slot: Slot, settings: &Settings, now: Time) -> Time {
    now + delta(settings.interval.min(FIRST_WITHIN).mul_f64(slot.0))
}

/// The first poll of a provider that is overdue because the node that polled it is gone. All its
/// providers are, so they are spread.
#[must_use]
pub fn taken_over(slot: Slot, settings: &Settings, now: Time) -> Time {
    now + delta(settings.interval.min(TAKEN_OVER_WITHIN).mul_f64(slot.0))
}

/// Returns the time of the second poll, after a first one that began at `began`.
///
/// First polls happen at the same moment, at no provider's slot. The second ones lie within the
/// interval in the order of the slots, and no closer than a quarter of it to the first; the third
/// ones are at the slots. So no burst repeats itself.
#[must_use]
pub fn after_first(slot: Slot, settings: &Settings, active: bool, began: Time, now: Time) -> Time {
    let interval = interval(settings, active);
    let rest = interval / REST;
    let until_slot = next_slot(slot, period(interval, settings), began) - began;
    let until_slot = until_slot.to_std().unwrap_or_default();
    let at = began + delta(rest + until_slot * (REST - 1) / REST);
    at.max(now + delta(rest))
}

/// The first poll of a provider that was polled before a restart: at its slot, at most one interval
/// away; later if it is serving a wait. What was planned before the restart holds, so that a restart
/// brings no poll sooner than it was due.
#[must_use]
pub fn first(
    slot: Slot,
    settings: &Settings,
    active: bool,
    now: Time,
    not_before: Option<Time>,
    planned: Option<Time>,
) -> Time {
    let wait = not_before.filter(|&at| at > now).map(|at| at.min(now + delta(GONE_EVERY)));
    let interval = interval(settings, active);
    // A time farther ahead was scheduled for another interval or by another clock.
    let planned = planned.filter(|&at| at > now && at <= now + delta(interval));
    wait.or(planned).unwrap_or_else(|| next_slot(slot, period(interval, settings), now))
}

/// Returns the time of the poll after a successful one that began at `began`. `chance` is from 0.0
/// up to 1.0.
#[must_use]
pub fn after_success(
    slot: Slot,
    settings: &Settings,
    active: bool,
    began: Time,
    now: Time,
    chance: f64,
) -> Time {
    let interval = interval(settings, active);
    // At least half an interval after the last one: a slot just ahead belongs to the poll that was
    // late.
    let earliest = now.max(began + delta(interval / 2));
    let slot = next_slot(slot, period(interval, settings), earliest);
    let coarse = interval >= COARSE_FROM;
    // Half of the jitter applies before the slot and half after, which doubles between two polls;
    // alignment may take up to one tick.
    let range = interval.mul_f64(settings.jitter / 2.0).saturating_sub(if coarse {
        TICK
    } else {
        Duration::ZERO
    });
    let jitter = range.mul_f64((chance - 0.5).abs());
    let mut at = if chance < 0.5 { slot - delta(jitter) } else { slot + delta(jitter) };
    // A poll that was off its slot (a retry, the last of an incident) does not skip to the slot
    // after next. A slow host gets some rest.
    let latest = (began + delta(interval)).max(now + delta(interval / REST));
    if at > latest {
        at = latest - delta(interval.mul_f64(settings.jitter * chance));
    }
    (if coarse { full_tick(at) } else { at }).max(now)
}

/// Returns the time of the poll after `failures` consecutive failures, the last of this kind.
#[must_use]
pub fn after_failure(
    settings: &Settings,
    kind: Option<FailureKind>,
    failures: u32,
    retry_after: Option<Duration>,
    now: Time,
    rng: &mut fastrand::Rng,
) -> Time {
    let backoff = ExponentialBackoff::new(settings.backoff.initial, settings.backoff.max);
    let delay = match kind {
        Some(FailureKind::Gone) => GONE_EVERY.min(settings.max_wait).max(settings.backoff.max),
        // Not found: the page may come back, but there is no hurry.
        Some(FailureKind::NotFound) => settings.backoff.max,
        // Rate-limited without a time: at least two intervals, and backoff.
        Some(FailureKind::RateLimited) if retry_after.is_none() => {
            let floor = settings.interval * 2;
            backoff
                .delay(failures.saturating_sub(1), rng)
                .max(floor.saturating_mul(1 << failures.min(5).saturating_sub(1)))
                .min(settings.backoff.max.max(floor))
        }
        _ => backoff.delay(failures.saturating_sub(1), rng),
    };
    now + delta(delay.max(retry_after.unwrap_or_default().min(settings.max_wait)))
}

/// Returns the longest possible wait after a failed poll.
#[must_use]
pub fn longest_wait(settings: &Settings) -> Duration {
    // Backoff jitter may add a fifth.
    settings.max_wait.max(settings.backoff.max.mul_f64(1.25)).max(settings.interval * 2)
}

/// Returns the time of the poll after a failed one while our own network is down: at most an
/// interval later, or half a minute if that is longer.
#[must_use]
pub fn while_offline(settings: &Settings, now: Time) -> Time {
    now + delta(settings.interval.max(OFFLINE_EVERY))
}

/// Returns the distance between slots: the middle of the range allowed between two polls.
fn period(interval: Duration, settings: &Settings) -> Duration {
    interval.mul_f64(1.0 - settings.jitter / 2.0)
}

fn interval(settings: &Settings, active: bool) -> Duration {
    if active { settings.incident_interval.min(settings.interval) } else { settings.interval }
}

/// Returns the first time after `now` that is at the slot, with periods counted from 1970.
fn next_slot(slot: Slot, period: Duration, now: Time) -> Time {
    let period = (period.as_millis() as i64).max(1);
    let offset = (slot.0 * period as f64) as i64;
    let now = now.timestamp_millis();
    let next = (now - offset).div_euclid(period) * period + offset + period;
    Time::from_timestamp_millis(next).unwrap_or(Time::MAX_UTC)
}

/// Rounds `at` down to a tick.
fn full_tick(at: Time) -> Time {
    let (millis, tick) = (at.timestamp_millis(), TICK.as_millis() as i64);
    Time::from_timestamp_millis(millis.div_euclid(tick) * tick).unwrap_or(at)
}

fn delta(duration: Duration) -> chrono::Duration {
    chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::days(365))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings() -> Settings {
        Settings::default()
    }

    fn at(seconds: f64) -> Time {
        Time::from_timestamp_millis(1_760_000_000_000 + (seconds * 1000.0) as i64).unwrap()
    }

    #[test]
    fn first_polls_are_even_and_stable() {
        let ids: Vec<String> = (0..100).map(|n| format!("provider-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let now = at(7.3);
        let due: Vec<Time> = slots(&ids)
            .into_iter()
            .map(|slot| first(slot, &settings(), false, now, None, None))
            .collect();
        for second in 0..60 {
            let from = now + chrono::Duration::seconds(second);
            let within = due
                .iter()
                .filter(|&&due| due >= from && due < from + chrono::Duration::seconds(1))
                .count();
            assert!(within <= 3, "{within} in one second");
        }
        let later = now + chrono::Duration::seconds(3600);
        for (slot, due) in slots(&ids).into_iter().zip(due) {
            let again = first(slot, &settings(), false, later, None, None);
            assert_eq!(
                (again - due).num_milliseconds() % 57_000,
                0,
                "the same place in the period after a restart"
            );
        }
    }

    #[test]
    fn second_polls_are_spread_although_first_ones_are_not() {
        let ids: Vec<String> = (0..100).map(|n| format!("provider-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let now = at(7.3);
        let mut rounds = [Vec::new(), Vec::new()];
        for slot in slots(&ids) {
            let first = never_polled(slot, &settings(), now);
            assert!(first >= now && first <= now + delta(FIRST_WITHIN));
            let second = after_first(slot, &settings(), false, first, first);
            let third = after_success(slot, &settings(), false, second, second, 0.5);
            for (before, next) in [(first, second), (second, third)] {
                let gap = (next - before).as_seconds_f64();
                assert!((15.0..=60.0).contains(&gap), "{gap}");
            }
            rounds[0].push(second);
            rounds[1].push(third);
        }
        for due in rounds {
            for second in 0..180 {
                let from = now + chrono::Duration::seconds(second);
                let within = due
                    .iter()
                    .filter(|&&due| due >= from && due < from + chrono::Duration::seconds(1))
                    .count();
                assert!(within <= 4, "{within} in second {second}");
            }
        }
    }

    proptest! {
        #[test]
        fn gaps_stay_within_the_jitter(slot in 0.0..1.0f64, chances in prop::collection::vec(0.0..1.0f64, 2..20), took in 0.0..2.0f64) {
            let settings = settings();
            let mut began = first(Slot(slot), &settings, false, at(0.0), None, None);
            for chance in chances {
                let now = began + chrono::Duration::milliseconds((took * 1000.0) as i64);
                let next = after_success(Slot(slot), &settings, false, began, now, chance);
                let gap = (next - began).as_seconds_f64();
                prop_assert!((54.0..=60.0).contains(&gap), "{gap}");
                began = next;
            }
        }

        /// Holds wherever the last poll was and however long it took.
        #[test]
        fn no_gap_is_longer_than_the_interval(
            (slot, chance, off) in (0.0..1.0f64, 0.0..1.0f64, 0.0..60.0f64),
            took in 0.0..120.0f64,
            jitter in 0.0..0.5f64,
            seconds in prop::sample::select(&[1.0, 5.0, 10.02, 60.0]),
        ) {
            let settings = Settings { jitter, interval: Duration::from_secs_f64(seconds), ..settings() };
            let (began, took) = (at(off), took * seconds / 60.0);
            let now = began + delta(Duration::from_secs_f64(took));
            let next = after_success(Slot(slot), &settings, false, began, now, chance);
            let (gap, rest) = ((next - began).as_seconds_f64(), (next - now).as_seconds_f64());
            prop_assert!(gap <= seconds.max(took + seconds / 4.0) + 0.001, "{gap}");
            prop_assert!(rest >= 0.0 && gap >= seconds * 0.25, "{rest} {gap}");
        }

        #[test]
        fn never_in_the_past(slot in 0.0..1.0f64, chance in 0.0..1.0f64, took in 0.0..600.0f64, active: bool) {
            let began = at(0.0);
            let now = at(took);
            prop_assert!(after_success(Slot(slot), &settings(), active, began, now, chance) >= now);
        }

        #[test]
        fn retry_after_is_a_floor_up_to_max_wait(failures in 1u32..40, wait in 0u64..200_000, seed: u64) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let wait = Duration::from_secs(wait);
            let ceiling = settings().max_wait;
            for kind in [FailureKind::RateLimited, FailureKind::ServerError, FailureKind::NotFound] {
                let next = after_failure(&settings(), Some(kind), failures, Some(wait), at(0.0), &mut rng);
                prop_assert!(next >= at(0.0) + delta(wait.min(ceiling)));
                prop_assert!(next <= at(0.0) + delta(wait.min(ceiling).max(Duration::from_mins(12))));
                prop_assert!(next <= at(0.0) + delta(longest_wait(&settings())));
            }
        }
    }

    #[test]
    fn what_was_planned_holds_within_an_interval() {
        let first = |planned| first(Slot(0.0), &settings(), false, at(0.0), None, Some(planned));
        assert_eq!(first(at(59.0)), at(59.0));
        for other in [at(-1.0), at(3600.0)] {
            assert!(first(other) > at(0.0) && first(other) <= at(60.0));
        }
    }

    #[test]
    fn a_page_that_answers_410_is_left_alone() {
        let mut rng = fastrand::Rng::with_seed(1);
        let next = after_failure(&settings(), Some(FailureKind::Gone), 1, None, at(0.0), &mut rng);
        assert_eq!(next, at(3600.0), "but not for longer than the user allows");
        let day = Settings { max_wait: Duration::from_hours(48), ..settings() };
        let next = after_failure(&day, Some(FailureKind::Gone), 1, None, at(0.0), &mut rng);
        assert_eq!(next, at(86_400.0));
        let limited =
            after_failure(&settings(), Some(FailureKind::RateLimited), 1, None, at(0.0), &mut rng);
        assert!(limited >= at(120.0));
    }
}
