//! The record of every request, and waiting for the next one without sleeping.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::event::Time;

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

#[derive(Debug, Default)]
struct Inner {
    requests: Vec<Request>,
    running: HashMap<String, usize>,
}

/// A request in progress; when dropped it is finished.
#[derive(Debug)]
pub(super) struct Arrival {
    log: Arc<Log>,
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
        let place = {
            let mut inner = self.lock();
            let running = inner.running.entry(request.provider.clone()).or_default();
            *running += 1;
            request.concurrent = *running;
            inner.requests.push(request);
            inner.requests.len() - 1
        };
        self.changes.send_modify(|count| *count += 1);
        Arrival { log: Arc::clone(self), place, written: 0, released: false }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// Waits until `enough` of the requests says yes.
    pub(super) async fn wait(&self, mut enough: impl FnMut(&[Request]) -> bool) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if enough(&self.lock().requests) {
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
    /// No longer counts as in progress. Called before the last bytes leave, since a client that has them may
    /// ask again sooner than this side can write down that it answered.
    pub(super) fn release(&mut self) {
        if std::mem::replace(&mut self.released, true) {
            return;
        }
        let mut inner = self.log.lock();
        let Inner { requests, running } = &mut *inner;
        if let Some(running) = requests.get(self.place).and_then(|request| running.get_mut(&request.provider)) {
            *running = running.saturating_sub(1);
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.release();
        if let Some(request) = self.log.lock().requests.get_mut(self.place) {
            request.finished = Some(Instant::now());
            request.written = self.written;
        }
        self.log.changes.send_modify(|count| *count += 1);
    }
}
