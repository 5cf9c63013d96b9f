//! Lets the supervisor see from outside how a poller is getting on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Anchor;

/// A poller's progress, as the supervisor sees it.
#[derive(Debug)]
pub struct Progress {
    /// When the next sign of progress is due, in milliseconds since the anchor.
    due: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { due: AtomicU64::new(u64::MAX) }
    }
}

impl Progress {
    pub(super) fn expect(&self, anchor: &Anchor, at: Instant) {
        let millis = at.saturating_duration_since(anchor.mono).as_millis() as u64;
        self.due.store(millis, Ordering::Relaxed);
    }

    /// Returns how long progress has been overdue.
    #[must_use]
    pub fn overdue(&self, anchor: &Anchor, now: Instant) -> Duration {
        let now = now.saturating_duration_since(anchor.mono).as_millis() as u64;
        Duration::from_millis(now.saturating_sub(self.due.load(Ordering::Relaxed)))
    }
}
