//! The request log, and waiting for requests without sleeping.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use statuswatch_model::event::Time;

/// A request and its outcome.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its head was completely received.
    pub at: Instant,
    /// The same by the provider's clock; `None` for requests that match no provider.
    pub wall: Option<Time>,
    /// The provider's id; empty where the path belongs to no provider.
    pub provider: String,
    /// `GET`, …
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The path below the provider's root, without a leading slash.
    pub path: String,
    /// Names as sent, with the exact bytes of their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The status of the answer; `None` where none was sent.
    pub status: Option<u16>,
    /// The number of its connection, counted from 1.
    pub connection: u64,
    /// Requests to this provider in progress when it arrived, including itself.
    pub concurrent: usize,
    /// Bytes written as its answer.
    pub written: u64,
    /// When the answer was complete or the client disconnected; `None` while in progress.
    pub finished: Option<Instant>,
}

impl Request {
    /// Returns the value of a header, if present, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

/// The requests of a server.
#[derive(Debug)]
pub(super) struct Log {
    inner: Mutex<Inner>,
    changes: watch::Sender<u64>,
}

/// Requests kept; older ones are dropped so that a demo can run for days. Counts stay exact.
const KEPT: usize = 50_000;

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Request>,
    /// Number of dropped requests.
    forgotten: usize,
    counts: HashMap<String, Counts>,
}

/// The request counts of one provider.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) arrived: usize,
    pub(super) running: usize,
    pub(super) finished: usize,
}

/// A request in progress; finished on drop.
#[derive(Debug)]
pub(super) struct Arrival {
    log: Arc<Log>,
    provider: String,
    place: usize,
    /// Bytes written so far.
    pub(super) written: u64,
    released: bool,
}

impl Log {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), changes: watch::channel(0).0 })
    }

    /// Records a request; `concurrent` is filled in here.
    pub(super) fn arrived(self: &Arc<Self>, mut request: Request) -> Arrival {
        let provider = request.provider.clone();
        let place = {
            let mut inner = self.lock();
            let counts = inner.counts.entry(provider.clone()).or_default();
            counts.arrived += 1;
            counts.running += 1;
            request.concurrent = counts.running;
            inner.requests.push_back(request);
            if inner.requests.len() > KEPT {
                inner.requests.pop_front();
                inner.forgotten += 1;
            }
            inner.forgotten + inner.requests.len() - 1
        };
        self.changes.send_modify(|count| *count += 1);
        Arrival { log: Arc::clone(self), provider, place, written: 0, released: false }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.lock().requests.iter().cloned().collect()
    }

    /// Removes and returns the oldest requests up to the first one that is in progress.
    pub(super) fn take_finished(&self) -> Vec<Request> {
        let mut inner = self.lock();
        let open = inner.requests.iter().position(|request| request.finished.is_none());
        let count = open.unwrap_or(inner.requests.len());
        inner.forgotten += count;
        inner.requests.drain(..count).collect()
    }

    /// Waits until the counts of a provider satisfy a condition.
    pub(super) async fn wait_counts(&self, provider: &str, enough: impl Fn(Counts) -> bool) {
        self.wait(|inner| enough(inner.counts.get(provider).copied().unwrap_or_default())).await;
    }

    /// Waits until the requests satisfy a condition.
    pub(super) async fn wait_requests(&self, mut enough: impl FnMut(&[Request]) -> bool) {
        self.wait(|inner| enough(inner.requests.make_contiguous())).await;
    }

    async fn wait(&self, mut enough: impl FnMut(&mut Inner) -> bool) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if enough(&mut self.lock()) {
                return;
            }
            // The sender lives as long as `self`, so this returns only on a change.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival {
    /// Stops counting the request as in progress. Called before the last bytes are sent, because a
    /// client that has them may send its next request before this side records the answer.
    pub(super) fn release(&mut self) {
        if std::mem::replace(&mut self.released, true) {
            return;
        }
        if let Some(counts) = self.log.lock().counts.get_mut(&self.provider) {
            counts.running = counts.running.saturating_sub(1);
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.release();
        {
            let mut inner = self.log.lock();
            if let Some(counts) = inner.counts.get_mut(&self.provider) {
                counts.finished += 1;
            }
            let kept = self.place.checked_sub(inner.forgotten);
            if let Some(request) = kept.and_then(|place| inner.requests.get_mut(place)) {
                request.finished = Some(Instant::now());
                request.written = self.written;
            }
        }
        self.log.changes.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str) -> Request {
        Request {
            at: Instant::now(),
            wall: None,
            provider: "acme".to_owned(),
            method: "GET".to_owned(),
            target: target.to_owned(),
            path: String::new(),
            headers: Vec::new(),
            status: Some(200),
            connection: 1,
            concurrent: 0,
            written: 0,
            finished: None,
        }
    }

    #[test]
    fn finished_requests_are_taken_once_and_in_order() {
        let log = Log::new();
        let taken = || -> Vec<String> {
            log.take_finished().into_iter().map(|request| request.target).collect()
        };
        let (first, second) = (log.arrived(request("/1")), log.arrived(request("/2")));
        drop(second);
        assert!(taken().is_empty(), "the first one is in progress");
        drop(first);
        let third = log.arrived(request("/3"));
        assert_eq!(taken(), ["/1", "/2"]);
        drop(third);
        assert_eq!(taken(), ["/3"]);
        assert!(log.requests().is_empty());
    }
}
