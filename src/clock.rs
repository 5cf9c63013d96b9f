//! The wall clock and the monotonic clock, in one place.
//!
//! Schedules run on the monotonic clock; times in events and in the ledger are wall times. An
//! [`Anchor`] is one moment read on both, so later adjustments of the wall clock do not move any
//! schedule.

use std::time::Duration;

use chrono::{SubsecRound, TimeDelta, Utc};
use tokio::time::Instant;

use crate::event::Time;

#[cfg(feature = "fault-injection")]
pub mod faults;

/// Nothing is scheduled farther ahead than this. The limit also keeps instants within what the
/// system can represent.
const FARTHEST: Duration = Duration::from_hours(24 * 365);

/// Returns the wall-clock time, to the millisecond. This is the only place that reads the wall
/// clock.
#[must_use]
pub fn now() -> Time {
    let time = Utc::now().trunc_subsecs(3);
    #[cfg(feature = "fault-injection")]
    let time = faults::shifted(time);
    time
}

/// Returns whether this program can set the wall clock wrong, as only one for tests can.
#[must_use]
pub fn can_be_wrong() -> bool {
    #[cfg(feature = "fault-injection")]
    let can = faults::is_read();
    #[cfg(not(feature = "fault-injection"))]
    let can = false;
    can
}

/// One moment, read on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The wall-clock time.
    pub wall: Time,
    /// The monotonic instant.
    pub mono: Instant,
}

impl Anchor {
    /// Reads both clocks now.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: now(), mono: Instant::now() }
    }

    /// Converts a wall time to an instant, at most a year from the anchor. A time before the
    /// machine booted becomes the anchor's own instant: both are long past.
    #[must_use]
    pub fn instant_at(&self, time: Time) -> Instant {
        let ahead = time.signed_duration_since(self.wall);
        match ahead.to_std() {
            Ok(ahead) => self.mono + ahead.min(FARTHEST),
            Err(_) => self
                .mono
                .checked_sub(ahead.abs().to_std().unwrap_or(FARTHEST).min(FARTHEST))
                .unwrap_or(self.mono),
        }
    }

    /// Converts an instant to the wall time that the anchor's wall clock would show.
    #[must_use]
    pub fn time_at(&self, instant: Instant) -> Time {
        let (span, later) = match instant.checked_duration_since(self.mono) {
            Some(span) => (span, true),
            None => (self.mono.saturating_duration_since(instant), false),
        };
        let span = TimeDelta::from_std(span.min(FARTHEST)).unwrap_or_default();
        let time = if later {
            self.wall.checked_add_signed(span)
        } else {
            self.wall.checked_sub_signed(span)
        };
        time.unwrap_or(self.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn there_and_back() {
        let anchor = Anchor::now();
        for seconds in [0, 1, 3600, 86_400] {
            let later = anchor.wall + TimeDelta::seconds(seconds);
            assert_eq!(anchor.instant_at(later), anchor.mono + Duration::from_secs(seconds as u64));
            assert_eq!(anchor.time_at(anchor.instant_at(later)), later);
        }
    }

    #[test]
    fn what_is_long_past_is_not_in_the_future() {
        let anchor = Anchor::now();
        assert!(anchor.instant_at(Time::MIN_UTC) <= anchor.mono);
        assert!(anchor.instant_at(anchor.wall - TimeDelta::milliseconds(5)) < anchor.mono);
        assert_eq!(anchor.instant_at(Time::MAX_UTC), anchor.mono + FARTHEST);
    }

    #[test]
    fn the_wall_clock_moves_no_schedule() {
        // The wall clock was a day ahead when it was read: a delay of one hour remains one hour.
        let true_now = Anchor::now();
        let ahead = Anchor { wall: true_now.wall + TimeDelta::days(1), mono: true_now.mono };
        let due = ahead.instant_at(ahead.wall + TimeDelta::hours(1));
        assert_eq!(due, true_now.mono + Duration::from_hours(1));
        assert_eq!(ahead.time_at(due), ahead.wall + TimeDelta::hours(1));
    }

    proptest! {
        #[test]
        fn order_is_kept(a in -100_000i64..100_000, b in -100_000i64..100_000) {
            let anchor = Anchor::now();
            let at = |s| anchor.instant_at(anchor.wall + TimeDelta::milliseconds(s));
            prop_assert!(a > b || at(a) <= at(b));
        }
    }
}
