//! Lets the supervisor see from outside how a poller is getting on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Anchor;

/// Nothing is due: the poller is new, or waits for something that is watched by itself.
const NOTHING: u64 = u64::MAX;

/// A poller's progress, as the supervisor sees it.
#[derive(Debug)]
pub struct Progress {
    /// When the next sign of progress is due, in milliseconds since the anchor.
    due: AtomicU64,
    /// Counts the steps of all pollers on the same thread.
    steps: Arc<AtomicU64>,
}

impl Progress {
    /// Creates the progress of a poller on the thread that counts its pollers' steps in `steps`.
    #[must_use]
    pub fn new(steps: Arc<AtomicU64>) -> Self {
        Self { due: AtomicU64::new(NOTHING), steps }
    }

    pub(super) fn expect(&self, anchor: &Anchor, at: Instant) {
        let millis = at.saturating_duration_since(anchor.mono).as_millis() as u64;
        self.step(millis);
    }

    /// Expects nothing while the poller waits for its turn or for the ledger: both may have work
    /// for minutes. A restart would only send the poller to the end of the queue, with its work
    /// lost.
    pub(super) fn queue(&self) {
        self.step(NOTHING);
    }

    fn step(&self, due: u64) {
        self.due.store(due, Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether the poller runs on the thread that counts its steps in `steps`.
    #[must_use]
    pub fn is_on(&self, steps: &Arc<AtomicU64>) -> bool {
        Arc::ptr_eq(&self.steps, steps)
    }

    /// Returns how long progress has been overdue.
    #[must_use]
    pub fn overdue(&self, anchor: &Anchor, now: Instant) -> Duration {
        let now = now.saturating_duration_since(anchor.mono).as_millis() as u64;
        Duration::from_millis(now.saturating_sub(self.due.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poller_that_waits_for_its_turn_is_not_overdue_and_its_thread_works() {
        let steps = Arc::new(AtomicU64::new(0));
        let (progress, anchor) = (Progress::new(Arc::clone(&steps)), Anchor::now());
        let day = Duration::from_hours(24);
        assert_eq!(progress.overdue(&anchor, anchor.mono + day), Duration::ZERO);
        progress.expect(&anchor, anchor.mono + Duration::from_secs(10));
        assert_eq!(
            progress.overdue(&anchor, anchor.mono + Duration::from_secs(15)),
            Duration::from_secs(5)
        );
        progress.queue();
        assert_eq!(progress.overdue(&anchor, anchor.mono + day), Duration::ZERO);
        assert_eq!(steps.load(Ordering::Relaxed), 2);
    }
}
