//! Times stated by a provider come from its clock, which may be wrong: a time in the future must
//! not become the reference for later comparisons.
//!
//! Such a time is ignored rather than replaced by the current time: a page's own time changes only
//! with the page, so the current time would make the next correct responses look old.

use crate::event::Time;

/// How far a provider's clock may be ahead of ours, which also bounds how long a late time can
/// mislead: 5 minutes.
const TOLERANCE: chrono::Duration = chrono::Duration::minutes(5);

/// Returns the time unless it is in the future of `now`.
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
