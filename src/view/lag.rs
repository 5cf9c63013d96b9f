//! How late we learn of a provider's updates, and how late the provider publishes them. Pure.
//!
//! Both are measured against the provider's own times, so both are as right as its clock. What
//! cannot be true is left out and counted.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{Kind, Time, format_time};
use crate::ledger::UpdateTimes;

/// Days of updates that count.
pub const DAYS: i64 = 30;
/// Updates of a provider that count: the newest. Ten of them are beyond the 99th percentile.
pub const MAX_UPDATES: usize = 1000;
/// Updates that are read for many providers at once: a ledger of a million events is not read as a
/// whole for a table.
const MAX_IN_ALL: usize = 100_000;
/// However many providers there are, so many of each count.
const MIN_UPDATES: usize = 20;
/// How far a provider's clock may be ahead of ours. A larger difference is no matter of clocks.
const AHEAD: TimeDelta = TimeDelta::minutes(1);

/// How late updates of one provider are seen and published, over 30 days and at most its newest 1000
/// updates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Lag {
    /// From the provider's own time of an update to its observation. Without edits, what was
    /// published before the provider was first watched, and updates without a time.
    pub updates: Spread,
    /// The provider's habit: from the begin of an incident, as it says, to its first update.
    pub incidents: Spread,
    /// Updates whose time cannot be true: more than a minute ahead of our clock.
    pub implausible: usize,
}

/// How durations are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// The median in seconds; null without any.
    pub p50: Option<f64>,
    /// The 99th percentile in seconds; null without any.
    pub p99: Option<f64>,
}

/// The lag of every provider asked for, as `status --lag --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LagView {
    /// When it was asked.
    pub at: String,
    /// The days that count.
    pub days: i64,
    /// By id.
    pub providers: Vec<ProviderLag>,
}

/// The lag of one provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderLag {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// How late its updates are.
    pub lag: Lag,
}

/// Makes the view at `now`.
#[must_use]
pub fn view(providers: Vec<ProviderLag>, now: Time) -> LagView {
    LagView { at: format_time(now), days: DAYS, providers }
}

/// Returns the time from which on updates count at `now`.
#[must_use]
pub fn since(now: Time) -> Time {
    now.checked_sub_signed(TimeDelta::days(DAYS)).unwrap_or(Time::UNIX_EPOCH)
}

/// Returns how many updates of each provider count where so many providers are measured at once.
#[must_use]
pub fn most(providers: usize) -> usize {
    (MAX_IN_ALL / providers.max(1)).clamp(MIN_UPDATES, MAX_UPDATES)
}

/// Measures the updates of one provider, which was first watched at `watched`.
#[must_use]
pub fn lag(updates: &[UpdateTimes], watched: Option<Time>) -> Lag {
    let mut lag = Lag::default();
    let (mut delays, mut habit) = (Vec::new(), Vec::new());
    for update in updates {
        let is_written = matches!(update.kind, Kind::Incident | Kind::Maintenance);
        // Without a time of the provider's own, `published_at` is the time of observation. An edit
        // has the time of the text it changes.
        let has_time = update.published_at != update.observed_at;
        let is_older = watched.is_some_and(|watched| update.published_at < watched);
        if !is_written || !has_time || update.revision != 1 || update.backfill || is_older {
            continue;
        }
        if update.published_at - update.observed_at > AHEAD {
            lag.implausible += 1;
            continue;
        }
        delays.push(update.observed_at - update.published_at);
        // A maintenance is published before it begins.
        if let (Kind::Incident, true, Some(started)) =
            (update.kind, update.first, update.started_at)
        {
            habit.push(update.published_at - started);
        }
    }
    lag.updates = spread(delays);
    lag.incidents = spread(habit);
    lag
}

/// Negative ones count as zero: a clock that is a little ahead, or a begin set later.
fn spread(durations: Vec<TimeDelta>) -> Spread {
    let mut millis: Vec<i64> =
        durations.into_iter().map(|duration| duration.num_milliseconds().max(0)).collect();
    millis.sort_unstable();
    // The nearest rank: the least value that so many percent do not exceed.
    let percentile = |percent: usize| {
        let rank = (millis.len() * percent).div_ceil(100);
        millis.get(rank.saturating_sub(1)).map(|&millis| millis as f64 / 1000.0)
    };
    Spread { count: millis.len(), p50: percentile(50), p99: percentile(99) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::view::status::tests::{now, time};

    /// Published at `published` seconds before now and seen `delay` seconds later.
    fn update(published: i64, delay: i64) -> UpdateTimes {
        let published_at = now() - TimeDelta::seconds(published);
        UpdateTimes {
            kind: Kind::Incident,
            first: false,
            revision: 1,
            backfill: false,
            started_at: None,
            published_at,
            observed_at: published_at + TimeDelta::seconds(delay),
        }
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let updates: Vec<UpdateTimes> = (1..=200).map(|n| update(10_000, n)).collect();
        let found = lag(&updates, None).updates;
        assert_eq!(found, Spread { count: 200, p50: Some(100.0), p99: Some(198.0) });
        let found = lag(&updates[..1], None).updates;
        assert_eq!(found, Spread { count: 1, p50: Some(1.0), p99: Some(1.0) });
        assert_eq!(lag(&[], None), Lag::default());
    }

    #[test]
    fn what_is_read_does_not_grow_with_the_providers() {
        for (providers, updates) in
            [(0, 1000), (1, 1000), (100, 1000), (200, 500), (5000, 20), (10_000, 20)]
        {
            assert_eq!(most(providers), updates, "{providers}");
        }
    }

    #[test]
    fn what_says_nothing_of_delays_is_left_out() {
        let good = update(600, 30);
        let watched = Some(now() - TimeDelta::seconds(3600));
        for (other, why) in [
            (UpdateTimes { kind: Kind::Component, ..good }, "not written"),
            (UpdateTimes { revision: 2, ..good }, "an edit"),
            (UpdateTimes { backfill: true, ..good }, "backfill"),
            (UpdateTimes { observed_at: good.published_at, ..good }, "no time of its own"),
            (update(3601, 3000), "older than the watch"),
        ] {
            assert_eq!(lag(&[other], watched), Lag::default(), "{why}");
        }
        assert_eq!(lag(&[good], watched).updates.count, 1);
    }

    #[test]
    fn a_clock_that_is_ahead_counts_as_no_delay_and_one_far_ahead_not_at_all() {
        let found = lag(&[update(0, -60), update(0, -61), update(0, -86_400)], None);
        assert_eq!(found.updates, Spread { count: 1, p50: Some(0.0), p99: Some(0.0) });
        assert_eq!(found.implausible, 2);
    }

    #[test]
    fn the_habit_is_that_of_the_first_update_of_an_incident() {
        let began = time("2026-02-23T11:00:00Z");
        let first = UpdateTimes { first: true, started_at: Some(began), ..update(1800, 5) };
        let updates = [
            first,
            UpdateTimes { first: false, ..first },
            UpdateTimes { kind: Kind::Maintenance, ..first },
            UpdateTimes { started_at: None, ..first },
        ];
        let found = lag(&updates, None);
        assert_eq!(found.incidents, Spread { count: 1, p50: Some(1800.0), p99: Some(1800.0) });
        assert_eq!(found.updates.count, 4);
    }

    proptest! {
        #[test]
        fn no_delay_is_negative_and_the_median_is_never_beyond_the_99th_percentile(
            delays in proptest::collection::vec(-100_i64..100_000, 0..300)
        ) {
            let updates: Vec<UpdateTimes> =
                delays.iter().map(|&delay| update(200_000, delay)).collect();
            let found = lag(&updates, None);
            prop_assert!(found.updates.count + found.implausible <= delays.len());
            prop_assert_eq!(found.updates.p50.is_some(), found.updates.count > 0);
            prop_assert!(found.updates.p50 <= found.updates.p99);
            prop_assert!(found.updates.p50.is_none_or(|p50| p50 >= 0.0));
        }
    }
}
