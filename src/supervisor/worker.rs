//! The worker threads that pollers run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Arbiter;
use tokio::time::Instant;

/// A thread that makes no progress for this long is abandoned, and its pollers are started on a new
/// one.
const STUCK: Duration = Duration::from_secs(20);

/// A thread that runs pollers.
pub(super) struct Worker {
    pub(super) arbiter: Arbiter,
    /// When it last made progress, in milliseconds since the anchor.
    seen: Arc<AtomicU64>,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self { arbiter: Arbiter::new(), seen: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    /// Checks whether the thread makes progress; `stood_still`: the whole process was suspended.
    pub(super) fn look_after(&mut self, origin: Instant, now: Instant, stood_still: bool) {
        let millis = now.saturating_duration_since(origin).as_millis() as u64;
        let seen = self.seen.load(Ordering::Relaxed);
        if !stood_still
            && seen != u64::MAX
            && millis.saturating_sub(seen) > STUCK.as_millis() as u64
        {
            tracing::error!("a poller thread is stuck; replacing it");
            *self = Self::new();
        }
        let cell = Arc::clone(&self.seen);
        cell.fetch_min(millis, Ordering::Relaxed);
        if !self.arbiter.spawn_fn(move || cell.store(millis, Ordering::Relaxed)) {
            tracing::error!("a poller thread has ended; replacing it");
            *self = Self::new();
        }
    }
}
