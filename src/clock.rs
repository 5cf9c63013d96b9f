//! The wall clock, in one place.

use crate::event::Time;

/// The present time by the wall clock. For what is shown and stored; schedules run by the monotonic clock.
#[must_use]
pub fn now() -> Time {
    chrono::Utc::now()
}
