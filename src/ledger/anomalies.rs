//! Answers that are someone else's or yesterday's, and how long they are not believed.

use super::messages::Verdict;
use super::provider_time::plausible;
use super::store::ProviderState;
use crate::event::{Time, format_time};
use crate::snapshot::Snapshot;

/// Stale answers in a row after which the page may be believed: it was reset, not replayed.
const STALE_BELIEVED: u32 = 5;

/// Foreign page ids in a row after which the page may be believed: it was made anew, not mixed up.
const TENANT_BELIEVED: u32 = 12;

/// So long they must have lasted, too: edges answered with old pages, and mix-ups lasted, for less
/// than this, which is many polls of an open incident.
const ODD_BELIEVED_MS: i64 = 30 * 60 * 1000;

/// Answers of a provider that were not believed, in a row. Part of its row in the database, so that
/// it lasts across restarts and counts across single runs; an answer that is believed ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Doubt {
    /// When the first one came.
    pub(super) since: Option<Time>,
    /// Those older than one before.
    pub(super) stale: u32,
    /// Those with another page's id.
    pub(super) foreign: u32,
}

/// An answer that is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubted {
    pub(super) doubt: Doubt,
    pub(super) verdict: Verdict,
    /// Why, for a person.
    pub(super) reason: String,
}

/// Whether the answer is someone else's or yesterday's; `None`: it is believed.
pub(super) fn distrust(state: &ProviderState, snapshot: &Snapshot, now: Time) -> Option<Doubted> {
    // A clock that was ahead when it began must not make it last.
    let since = state.doubt.since.map_or(now, |since| since.min(now));
    let lately = (now - since).num_milliseconds() < ODD_BELIEVED_MS;
    let mut doubt = Doubt { since: Some(since), ..state.doubt };
    let version = plausible(snapshot.page.version, now);
    let known = plausible(state.page_version, now);
    if let (Some(expected), Some(found)) = (&state.page_id, &snapshot.page.id)
        && expected != found
    {
        doubt.foreign = doubt.foreign.saturating_add(1);
        let verdict = Verdict::WrongTenant { expected: expected.clone(), found: found.clone() };
        let reason = format!("the response is from another page (id {found}, expected {expected})");
        (lately || doubt.foreign < TENANT_BELIEVED).then_some(Doubted { doubt, verdict, reason })
    } else if let (Some(version), Some(known)) = (version, known)
        && version < known
    {
        doubt.stale = doubt.stale.saturating_add(1);
        let reason = format!(
            "the response is older than an earlier one (page time {}, previously {})",
            format_time(version),
            format_time(known)
        );
        (lately || doubt.stale < STALE_BELIEVED).then_some(Doubted {
            doubt,
            verdict: Verdict::Stale,
            reason,
        })
    } else {
        None
    }
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

    /// A provider whose page said `version` last.
    fn known(version: i64) -> ProviderState {
        ProviderState {
            page_id: Some("ours".to_owned()),
            page_version: Some(at(version)),
            ..ProviderState::default()
        }
    }

    /// How many answers in a row, one every `step` minutes, are not believed.
    fn doubted(mut state: ProviderState, snapshot: &Snapshot, step: i64) -> u32 {
        for poll in 0..1000 {
            let Some(found) = distrust(&state, snapshot, at(i64::from(poll) * step)) else {
                return poll;
            };
            state.doubt = found.doubt;
        }
        panic!("never believed");
    }

    #[test]
    fn doubt_lasts_for_half_an_hour_and_several_answers_whatever_lies_between_them() {
        assert_eq!(doubted(known(-10), &page("ours", -20), 1), 30);
        assert_eq!(doubted(known(-10), &page("ours", -20), 60), 4, "a run an hour");
        assert_eq!(doubted(known(-10), &page("theirs", -5), 1), 30);
        assert_eq!(doubted(known(-10), &page("theirs", -5), 60), 11);
        assert_eq!(doubted(known(-10), &page("ours", -10), 1), 0);
    }

    #[test]
    fn a_page_time_in_the_future_is_no_mark_for_what_follows() {
        let year = 365 * 24 * 60;
        assert_eq!(
            doubted(known(70 * year), &page("ours", -20), 1),
            0,
            "it stands in the database"
        );
        assert_eq!(doubted(known(-10), &page("ours", 70 * year), 1), 0, "it comes again");
        assert_eq!(doubted(known(4), &page("ours", 3), 1), 30, "a clock that is a little ahead");
    }

    #[test]
    fn a_clock_that_was_ahead_when_the_doubt_began_does_not_make_it_last() {
        let began = Doubt { since: Some(at(9_000_000)), stale: 1, foreign: 0 };
        let state = ProviderState { doubt: began, ..known(-10) };
        assert_eq!(doubted(state, &page("ours", -20), 1), 30);
    }
}
