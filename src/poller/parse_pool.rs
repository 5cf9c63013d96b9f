//! Parses documents outside the actors' threads, with a deadline, contained panics and a marker on
//! disk.
//!
//! No supervisor inside a process survives a stack overflow or the kernel's out-of-memory killer.
//! So the provider's id is written to a file before a document is parsed and removed afterwards:
//! any id found there at the next start was being parsed when the process died. The file only needs
//! to survive the process, not the machine, so nothing is synced.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::ledger::panic_text;

/// Size of one marker in bytes: an id is at most 64 bytes long.
const MARKER_LEN: usize = 72;

/// The marker file in the state directory.
const FILE: &str = "reading";

/// Deadline for one document. The slowest legitimate one takes a tenth of a second, and twenty
/// times that in an unoptimized build.
const DEADLINE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 5 });

/// Number of parser threads that never returned after which the process should be restarted.
const ABANDONED: usize = 16;

/// Parses documents, a few at a time.
#[derive(Debug, Clone)]
pub struct ParsePool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    permits: Semaphore,
    file: Option<File>,
    free: Mutex<Vec<usize>>,
    abandoned: AtomicUsize,
    read: AtomicU64,
}

/// Why a document was not parsed completely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAborted {
    /// A bug in statuswatch was triggered by this document.
    #[error("a bug in statuswatch was triggered by this document: {0}")]
    Panicked(String),
    /// Parsing exceeded the deadline.
    #[error("parsing the document took longer than {} s", DEADLINE.as_secs())]
    TimedOut,
}

impl ParsePool {
    /// Opens the marker file in `state_dir`. Also returns the providers whose documents were being
    /// parsed when the process last died.
    #[must_use]
    pub fn open(state_dir: &Path, parallel: usize) -> (Self, Vec<String>) {
        let path = state_dir.join(FILE);
        let died = std::fs::read(&path).map(|bytes| markers(&bytes)).unwrap_or_default();
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file
            .inspect_err(|error| tracing::warn!(%error, "cannot note on disk which document is being parsed"))
            .ok();
        (Self::with(file, parallel), died)
    }

    /// Creates a pool without markers, for commands that read a page once.
    #[must_use]
    pub fn without_markers(parallel: usize) -> Self {
        Self::with(None, parallel)
    }

    fn with(file: Option<File>, parallel: usize) -> Self {
        let free = Mutex::new((0..parallel + ABANDONED).rev().collect());
        Self {
            inner: Arc::new(Inner {
                permits: Semaphore::new(parallel),
                file,
                free,
                abandoned: AtomicUsize::new(0),
                read: AtomicU64::new(0),
            }),
        }
    }

    /// Runs `read` on its own thread, with a marker for `provider`.
    pub async fn read<T: Send + 'static>(
        &self,
        provider: &str,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ParseAborted> {
        let inner = Arc::clone(&self.inner);
        // The semaphore is never closed; if it were, the only effect would be more parallelism.
        let permit = self.inner.permits.acquire().await.ok();
        self.inner.read.fetch_add(1, Ordering::Relaxed);
        let provider = provider.to_owned();
        let task = tokio::task::spawn_blocking(move || {
            // Not on the thread of the pollers: a disk that stands still would stop all of them.
            let mark = inner.mark(&provider);
            let result = catch_unwind(AssertUnwindSafe(read)).map_err(|panic| panic_text(&*panic));
            inner.unmark(mark);
            result
        });
        let outcome = tokio::time::timeout(DEADLINE, task).await;
        drop(permit);
        match outcome {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(panic))) => Err(ParseAborted::Panicked(panic)),
            Ok(Err(join)) => Err(ParseAborted::Panicked(join.to_string())),
            Err(_) => {
                // The thread cannot be stopped; its permit is released so that nothing waits for
                // it.
                self.inner.abandoned.fetch_add(1, Ordering::Relaxed);
                Err(ParseAborted::TimedOut)
            }
        }
    }

    /// Returns how many documents have been parsed, those that failed included.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.inner.read.load(Ordering::Relaxed)
    }

    /// Returns whether so many parser threads hang that only a new process helps.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.inner.abandoned.load(Ordering::Relaxed) >= ABANDONED
    }
}

impl Inner {
    fn mark(&self, provider: &str) -> Option<usize> {
        let place = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let mut mark = [0; MARKER_LEN];
        for (to, from) in mark.iter_mut().zip(provider.bytes().take(MARKER_LEN - 1)) {
            *to = from;
        }
        self.write(place, &mark);
        Some(place)
    }

    fn unmark(&self, place: Option<usize>) {
        if let Some(place) = place {
            self.write(place, &[0; MARKER_LEN]);
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        }
    }

    /// A full disk must not keep a document from being parsed: the marker is best-effort.
    fn write(&self, place: usize, mark: &[u8]) {
        if let Some(file) = &self.file
            && let Err(error) = file.write_all_at(mark, (place * MARKER_LEN) as u64)
        {
            tracing::debug!(%error, "cannot note on disk which document is being parsed");
        }
    }
}

/// Returns the ids in a marker file.
fn markers(bytes: &[u8]) -> Vec<String> {
    let ids = bytes
        .chunks(MARKER_LEN)
        .map(|mark| mark.iter().copied().take_while(|&byte| byte != 0).collect::<Vec<u8>>());
    ids.filter_map(|id| String::from_utf8(id).ok()).filter(|id| !id.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_marker_exists_while_a_document_is_parsed() {
        let dir = tempfile::tempdir().unwrap();
        let (pool, died) = ParsePool::open(dir.path(), 2);
        assert!(died.is_empty());
        let path = dir.path().join(FILE);
        let during =
            pool.read("acme", move || markers(&std::fs::read(path).unwrap())).await.unwrap();
        assert_eq!(during, ["acme"]);
        let panicked = pool.read("acme", || -> u32 { panic!("bad bytes") }).await;
        assert_eq!(panicked, Err(ParseAborted::Panicked("bad bytes".to_owned())));
        assert!(markers(&std::fs::read(dir.path().join(FILE)).unwrap()).is_empty());

        // As a process that dies leaves it.
        pool.inner.mark("killer");
        let (_, died) = ParsePool::open(dir.path(), 2);
        assert_eq!(died, ["killer"]);
        let (_, died) = ParsePool::open(dir.path(), 2);
        assert!(died.is_empty());
    }
}
