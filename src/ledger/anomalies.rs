//! Detects responses that belong to another page or are older than an earlier response, and decides
//! how long they are rejected.

use super::known::{AnomalyStreak, ProviderState};
use super::messages::Verdict;
use super::provider_time::plausible;
use crate::event::{Time, format_time};
use crate::snapshot::Snapshot;

/// Consecutive stale responses after which the page may be accepted: it was reset, not replayed
/// from a cache.
const STALE_BELIEVED: u32 = 5;

/// Consecutive foreign page ids after which the page may be accepted: it was recreated, not mixed
/// up.
const TENANT_BELIEVED: u32 = 12;

/// Minimum duration of an anomaly before it is accepted. Observed cache replays and mix-ups were
/// shorter, although that covers many polls during an open incident.
const ODD_BELIEVED_MS: i64 = 30 * 60 * 1000;

/// Minimum time between two log messages about rejected responses of one provider.
const SAID_EVERY: chrono::Duration = chrono::Duration::hours(1);

/// A rejected response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anomaly {
    pub(super) streak: AnomalyStreak,
    pub(super) verdict: Verdict,
    /// The reason, in human-readable form.
    pub(super) reason: String,
}

/// Returns the anomaly if the response belongs to another page or is stale; `None` if it is
/// accepted.
pub(super) fn detect_anomaly(
    state: &ProviderState,
    snapshot: &Snapshot,
    now: Time,
) -> Option<Anomaly> {
    // A clock that was ahead when the run started must not prolong it.
    let since = state.anomaly_streak.since.map_or(now, |since| since.min(now));
    let lately = (now - since).num_milliseconds() < ODD_BELIEVED_MS;
    let mut streak = AnomalyStreak { since: Some(since), ..state.anomaly_streak };
    let version = plausible(snapshot.page.version, now);
    let known = plausible(state.page_version, now);
    if let (Some(expected), Some(found)) = (&state.page_id, &snapshot.page.id)
        && expected != found
    {
        streak.foreign = streak.foreign.saturating_add(1);
        let verdict = Verdict::WrongTenant { expected: expected.clone(), found: found.clone() };
        let reason = format!("the response is from another page (id {found}, expected {expected})");
        (lately || streak.foreign < TENANT_BELIEVED).then_some(Anomaly { streak, verdict, reason })
    } else if let (Some(version), Some(known)) = (version, known)
        && version < known
    {
        streak.stale = streak.stale.saturating_add(1);
        let reason = format!(
            "the response is older than an earlier one (page time {}, previously {})",
            format_time(version),
            format_time(known)
        );
        (lately || streak.stale < STALE_BELIEVED).then_some(Anomaly {
            streak,
            verdict: Verdict::Stale,
            reason,
        })
    } else {
        None
    }
}

/// Returns whether a rejected response is to be logged: the first of a run, and not too often.
pub(super) fn is_logged(state: &ProviderState, now: Time) -> bool {
    let lately = |said: Time| (now - said).abs() < SAID_EVERY;
    state.anomaly_streak.since.is_none() && !state.doubt_said_at.is_some_and(lately)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;
    use crate::snapshot::Page;

    fn at(minute: i64) -> Time {
        parse_time("2026-03-01T12:00:00Z").unwrap() + chrono::Duration::minutes(minute)
    }

    fn page(id: &str, version: i64) -> Snapshot {
        let page = Page { id: Some(id.to_owned()), version: Some(at(version)), ..Page::default() };
        Snapshot { page, ..Snapshot::default() }
    }

    /// A provider whose page last had this version.
    fn known(version: i64) -> ProviderState {
        ProviderState {
            page_id: Some("ours".to_owned()),
            page_version: Some(at(version)),
            ..ProviderState::default()
        }
    }

    /// Returns how many consecutive responses, one every `step` minutes, are rejected.
    fn rejected(mut state: ProviderState, snapshot: &Snapshot, step: i64) -> u32 {
        for poll in 0..1000 {
            let Some(found) = detect_anomaly(&state, snapshot, at(i64::from(poll) * step)) else {
                return poll;
            };
            state.anomaly_streak = found.streak;
        }
        panic!("never accepted");
    }

    #[test]
    fn anomalies_last_half_an_hour_and_several_responses() {
        assert_eq!(rejected(known(-10), &page("ours", -20), 1), 30);
        assert_eq!(rejected(known(-10), &page("ours", -20), 60), 4, "a run an hour");
        assert_eq!(rejected(known(-10), &page("theirs", -5), 1), 30);
        assert_eq!(rejected(known(-10), &page("theirs", -5), 60), 11);
        assert_eq!(rejected(known(-10), &page("ours", -10), 1), 0);
    }

    #[test]
    fn a_future_page_time_is_not_used_as_a_reference() {
        let year = 365 * 24 * 60;
        assert_eq!(
            rejected(known(70 * year), &page("ours", -20), 1),
            0,
            "it stands in the database"
        );
        assert_eq!(rejected(known(-10), &page("ours", 70 * year), 1), 0, "it comes again");
        assert_eq!(rejected(known(4), &page("ours", 3), 1), 30, "a clock that is a little ahead");
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_prolong_an_anomaly() {
        let began = AnomalyStreak { since: Some(at(9_000_000)), stale: 1, foreign: 0 };
        let state = ProviderState { anomaly_streak: began, ..known(-10) };
        assert_eq!(rejected(state, &page("ours", -20), 1), 30);
    }
}
