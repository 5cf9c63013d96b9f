//! How a poller gets on, seen from outside.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Anchor;

/// How a poller gets on, for the supervisor to look at from outside.
#[derive(Debug)]
pub struct Progress {
    /// By when something has to happen, in milliseconds since the anchor.
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

    /// How long something has been overdue.
    #[must_use]
    pub fn overdue(&self, anchor: &Anchor, now: Instant) -> Duration {
        let now = now.saturating_duration_since(anchor.mono).as_millis() as u64;
        Duration::from_millis(now.saturating_sub(self.due.load(Ordering::Relaxed)))
    }
}
