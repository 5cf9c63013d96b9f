//! The worker threads that pollers run on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::Arbiter;
use tokio::time::Instant;

/// A thread that makes no progress for this long is worth a line, and not abandoned earlier. A disk
/// that stands still can hold it up for as long, and then it goes on.
const SLOW: Duration = Duration::from_secs(20);

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
    is_slow: bool,
}

/// What is to be done about a thread.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// It began to be slow.
    Slow,
    /// It was slow and goes on.
    GoesOn,
    Stuck,
}

impl Seen {
    /// Judges the thread by how many steps there are; `limit`: without a step for longer, it is stuck.
    fn look(&mut self, steps: u64, now: Instant, limit: Duration) -> Verdict {
        let moved = std::mem::replace(&mut self.steps, steps) != steps;
        let at = self.at.filter(|_| !moved).unwrap_or(now);
        self.at = Some(at);
        let idle = now.saturating_duration_since(at);
        let was_slow = std::mem::replace(&mut self.is_slow, idle > SLOW);
        match (was_slow, self.is_slow) {
            (_, true) if idle > limit => Verdict::Stuck,
            (false, true) => Verdict::Slow,
            (true, false) => Verdict::GoesOn,
            _ => Verdict::Fine,
        }
    }
}

impl Worker {
    pub(super) fn new() -> Self {
        Self { arbiter: Arbiter::new(), steps: Arc::default(), seen: Seen::default() }
    }

    /// Checks whether the thread makes progress; `stood_still`: the whole process was suspended. A
    /// thread that makes none for longer than `limit` is replaced; returns its `steps`, by which its
    /// pollers are known.
    pub(super) fn look_after(
        &mut self,
        now: Instant,
        stood_still: bool,
        limit: Duration,
    ) -> Option<Arc<AtomicU64>> {
        let mut replaced = None;
        if stood_still {
            self.seen = Seen::default();
        }
        match self.seen.look(self.steps.load(Ordering::Relaxed), now, limit) {
            Verdict::Fine => {}
            Verdict::Slow => tracing::warn!("a poller thread has made no progress for 20 s"),
            Verdict::GoesOn => tracing::warn!("the poller thread makes progress again"),
            Verdict::Stuck => {
                tracing::error!("a poller thread is stuck; replacing it");
                replaced = Some(std::mem::replace(self, Self::new()).steps);
            }
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
        let mut look = |steps, seconds| seen.look(steps, at(seconds), Duration::from_mins(2));
        assert_eq!(look(0, 0), Verdict::Fine);
        assert_eq!(look(0, 20), Verdict::Fine);
        // A busy thread: one poller of tens of thousands has moved.
        assert_eq!(look(1, 21), Verdict::Fine);
        assert_eq!(look(1, 42), Verdict::Slow);
        assert_eq!(look(1, 43), Verdict::Fine);
        assert_eq!(look(2, 44), Verdict::GoesOn);
        assert_eq!(look(2, 65), Verdict::Slow);
        assert_eq!(look(2, 164), Verdict::Fine);
        assert_eq!(look(2, 165), Verdict::Stuck);
        // Whatever the limit: a disk may stand still for a while.
        let mut seen = Seen::default();
        let mut look = |seconds| seen.look(0, at(seconds), Duration::from_millis(500));
        assert_eq!((look(0), look(20), look(21)), (Verdict::Fine, Verdict::Fine, Verdict::Stuck));
    }
}
