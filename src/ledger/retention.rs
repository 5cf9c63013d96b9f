//! A separate clock for retention, so that a temporarily wrong system clock loses no history.
//!
//! It follows the wall clock but never runs more than twice as fast as real time. After a long
//! pause it lags behind and rows are kept longer than necessary; a clock that is ahead by a day or
//! a century removes almost nothing.

use std::time::Duration;

use super::error::Result;
use super::store::Store;
use crate::event::Time;

/// Returns the retention time at `now`, `passed` after the last call; zero after a start.
pub(super) fn reached(store: &mut dyn Store, now: Time, passed: Duration) -> Result<Time> {
    let former = store.retention()?;
    let step = chrono::Duration::from_std(passed * 2).unwrap_or_default();
    let most = former.map_or(now, |former| former.checked_add_signed(step).unwrap_or(former));
    // Never move back: a clock that is behind is no reason to start over.
    let reached = most.min(now).max(former.unwrap_or(now));
    if Some(reached) != former {
        store.put_retention(reached)?;
    }
    Ok(reached.min(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_moves_it_little() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = crate::ledger::sqlite::SqliteStore::open(dir.path()).unwrap();
        let day = |n: i64| Time::from_timestamp_millis(1_760_000_000_000 + n * 86_400_000).unwrap();
        let hour = Duration::from_hours(1);
        assert_eq!(reached(&mut store, day(0), Duration::ZERO).unwrap(), day(0));
        assert_eq!(
            reached(&mut store, day(30_000), Duration::ZERO).unwrap(),
            day(0),
            "a start in another century"
        );
        let later = reached(&mut store, day(30_000), hour).unwrap();
        assert_eq!(later, day(0) + chrono::Duration::hours(2));
        assert_eq!(reached(&mut store, day(-9), hour).unwrap(), day(-9), "a clock that is behind");
        assert_eq!(reached(&mut store, later, hour).unwrap(), later, "and right again");
        // A long pause is caught up with in time.
        for _ in 0..24 * 20 {
            reached(&mut store, day(20), hour).unwrap();
        }
        assert_eq!(reached(&mut store, day(20), hour).unwrap(), day(20));
    }
}
