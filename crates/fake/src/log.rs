//! The record of every request, and waiting for the next one without sleeping.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use statuswatch_model::event::Time;

/// One request as it arrived, and what became of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// When its head was complete.
    pub at: Instant,
    /// The same by the provider's clock; `None` for requests that met no provider.
    pub wall: Option<Time>,
    /// The provider's id; empty where the path belongs to none.
    pub provider: String,
    /// `GET`, …
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// The path below the provider's root, without a leading slash.
    pub path: String,
    /// Names as sent and the exact bytes of their values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The status that was answered; `None` where nothing like a status was sent.
    pub status: Option<u16>,
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// Requests of this provider in progress when it arrived, itself included.
    pub concurrent: usize,
    /// Bytes handed to the connection as its answer.
    pub written: u64,
    /// When the answer was finished or the client went away; `None` while it is in progress.
    pub finished: Option<Instant>,
}

impl Request {
    /// The value of a header, where it is there once or more, as text.
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

/// Requests kept; older ones are forgotten, so that a demo may run for days. Counts stay exact.
const KEPT: usize = 50_000;

#[derive(Debug, Default)]
struct Inner {
    requests: VecDeque<Request>,
    /// How many have been forgotten.
    forgotten: usize,
    counts: HashMap<String, Counts>,
}

/// The requests of one provider.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) arrived: usize,
    pub(super) running: usize,
    pub(super) finished: usize,
}

/// A request in progress; when dropped it is finished.
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

    /// Waits until the counts of a provider are enough.
    pub(super) async fn wait_counts(&self, provider: &str, enough: impl Fn(Counts) -> bool) {
        self.wait(|inner| enough(inner.counts.get(provider).copied().unwrap_or_default())).await;
    }

    /// Waits until the requests are enough.
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
            // The sender lives as long as self, so this ends with a change only.
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
    /// No longer counts as in progress. Called before the last bytes leave, since a client that has
    /// them may ask again sooner than this side can write down that it answered.
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
