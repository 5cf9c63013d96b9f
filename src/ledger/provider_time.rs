//! Times that a provider states are its own clock's, which may be wrong: one in the future must not
//! become a mark that everything after it is compared with.
//!
//! Such a time is not used at all, rather than replaced by the present: a page's own time moves
//! only when the page changes, so that the present would make the next right answers look old.

use crate::event::Time;

/// So far ahead of ours a provider's clock may be, and no more than so long can a time that is too
/// late mislead: 5 minutes.
const TOLERANCE: chrono::Duration = chrono::Duration::minutes(5);

/// The time, unless it lies in the future of `now`.
pub(super) fn plausible(time: Option<Time>, now: Time) -> Option<Time> {
    time.filter(|time| *time - now <= TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_future_is_none_but_for_a_clock_that_is_a_little_ahead() {
        let now = Time::from_timestamp(1_780_000_000, 0).unwrap();
        let at = |seconds| now.checked_add_signed(chrono::Duration::seconds(seconds));
        for (seconds, is_used) in
            [(0, true), (-900_000_000, true), (300, true), (301, false), (2_300_000_000, false)]
        {
            assert_eq!(plausible(at(seconds), now).is_some(), is_used, "{seconds}");
        }
        assert_eq!(plausible(Some(Time::MAX_UTC), now), None);
        assert_eq!(plausible(None, now), None);
    }
}
