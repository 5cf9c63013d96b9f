//! Spans of what the process does, on their way to a collector. A span is put into a bounded queue or
//! dropped: whoever records one never waits. Without a collector nothing is made.
//!
//! Attributes are ids of the configuration, the program's own words and numbers, never a provider's
//! text, an address or a secret.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::mpsc;

/// Spans that may wait; further ones are dropped.
pub const QUEUE: usize = 2048;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An id or a word.
    Text(String),
    /// A number.
    Number(u64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it is: `poll`, `ledger commit`, `delivery`.
    pub name: &'static str,
    /// Whether it waits for another machine.
    pub remote: bool,
    /// When it began.
    pub begun: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Whether it failed.
    pub failed: bool,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
}

/// What became of spans, since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Those that the collector accepted.
    pub exported: AtomicU64,
    /// Those that did not fit into the queue.
    pub dropped: AtomicU64,
    /// Those that the collector did not accept.
    pub failed: AtomicU64,
}

#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<Span>,
    counts: Arc<Counts>,
}

/// Takes spans. It takes none until [`Tracer::turn_on`]. Clones share the queue.
#[derive(Debug, Clone, Default)]
pub struct Tracer(Arc<OnceLock<Queue>>);

impl Tracer {
    /// Takes spans from now on. Returns where they come out, and what is counted; `None` if that was
    /// done before.
    #[must_use]
    pub fn turn_on(&self) -> Option<(mpsc::Receiver<Span>, Arc<Counts>)> {
        let (spans, receiver) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let queue = Queue { spans, counts: Arc::clone(&counts) };
        self.0.set(queue).ok().map(|()| (receiver, counts))
    }

    /// Returns whether spans are taken.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.get().is_some()
    }

    /// Returns what is counted; `None` if no spans are taken.
    #[must_use]
    pub fn counts(&self) -> Option<&Counts> {
        self.0.get().map(|queue| &*queue.counts)
    }

    /// Takes a span, which is made only if it is wanted.
    pub fn record(&self, span: impl FnOnce() -> Span) {
        if let Some(queue) = self.0.get()
            && queue.spans.try_send(span()).is_err()
        {
            queue.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span() -> Span {
        let now = Instant::now();
        Span {
            name: "poll",
            remote: true,
            begun: now,
            ended: now,
            failed: false,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let tracer = Tracer::default();
        tracer.record(|| panic!("nobody wants it"));
        let (mut spans, counts) = tracer.turn_on().unwrap();
        assert!(tracer.is_on() && tracer.turn_on().is_none());
        for _ in 0..QUEUE + 7 {
            tracer.clone().record(span);
        }
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 7);
        assert_eq!(spans.try_recv().unwrap().name, "poll");
        tracer.record(span);
        assert_eq!(counts.dropped.load(Ordering::Relaxed), 7);
    }
}
