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
    /// Counts what the thread has done: steps of its pollers, and answers to the ping of each tick.
    /// The answers alone would not do: while tens of thousands of pollers are due at once,
    /// each waits behind all of them.
    pub(super) steps: Arc<AtomicU64>,
    seen: Seen,
}

/// The progress of a thread, as far as it was seen.
#[derive(Debug, Default)]
struct Seen {
    steps: u64,
    /// When there were more steps than before for the last time.
    at: Option<Instant>,
}

impl Seen {
    /// Notes how many steps there are, and returns for how long there have been no more.
    fn look(&mut self, steps: u64, now: Instant) -> Duration {
        let moved = std::mem::replace(&mut self.steps, steps) != steps;
        let at = self.at.filter(|_| !moved).unwrap_or(now);
        self.at = Some(at);
        now.saturating_duration_since(at)
    }
}

impl Worker {
    pub(super) fn new() -> Self {
        Self { arbiter: Arbiter::new(), steps: Arc::default(), seen: Seen::default() }
    }

    /// Checks whether the thread makes progress; `stood_still`: the whole process was suspended. A
    /// thread that makes none is replaced; returns its `steps`, by which its pollers are known.
    pub(super) fn look_after(&mut self, now: Instant, stood_still: bool) -> Option<Arc<AtomicU64>> {
        let mut replaced = None;
        if stood_still {
            self.seen = Seen::default();
        }
        if self.seen.look(self.steps.load(Ordering::Relaxed), now) > STUCK {
            tracing::error!("a poller thread is stuck; replacing it");
            replaced = Some(std::mem::replace(self, Self::new()).steps);
        }
        let steps = Arc::clone(&self.steps);
        if !self.arbiter.spawn_fn(move || {
            steps.fetch_add(1, Ordering::Relaxed);
        }) {
            tracing::error!("a poller thread has ended; replacing it");
            replaced = Some(std::mem::replace(self, Self::new()).steps);
        }
        replaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_stuck_only_while_nothing_on_it_moves() {
        let (mut seen, begun) = (Seen::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(seen.look(0, at(0)), Duration::ZERO);
        assert_eq!(seen.look(0, at(19)), Duration::from_secs(19));
        // A busy thread: one poller of tens of thousands has moved.
        assert_eq!(seen.look(1, at(20)), Duration::ZERO);
        assert_eq!(seen.look(1, at(41)), Duration::from_secs(21));
    }
}
