//! Parsing away from the actors' threads: with a deadline, contained panics, and a mark on disk.
//!
//! No supervisor inside a process survives a stack overflow or the kernel's out-of-memory killer.
//! So before a document is parsed the provider's id goes into a file, and afterwards out of it
//! again: what stands there at the next start was being read when the process died. The file needs
//! to survive the process, not the machine: nothing is synced.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::ledger::actor::panic_text;

/// Bytes of one mark: an id is at most 64.
const MARK: usize = 72;

/// The file of marks in the state directory.
const FILE: &str = "reading";

/// One document may be read so long. The slowest honest one takes a tenth of a second, and twenty
/// times that in a build that is not optimized.
const DEADLINE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 5 });

/// Parsers that never came back, after which the process had better begin anew.
const ABANDONED: usize = 16;

/// Reads documents, a few at a time.
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
}

/// Why a document was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// A defect of ours met this document.
    #[error("a defect in statuswatch met this document: {0}")]
    Panicked(String),
    /// It took too long.
    #[error("reading the document took longer than {} s", DEADLINE.as_secs())]
    TooLong,
}

impl ParsePool {
    /// Opens the marks in `state_dir`. Also answers whose document was being read when the process
    /// last died.
    #[must_use]
    pub fn open(state_dir: &Path, parallel: usize) -> (Self, Vec<String>) {
        let path = state_dir.join(FILE);
        let died = std::fs::read(&path).map(|bytes| marks(&bytes)).unwrap_or_default();
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file
            .inspect_err(|error| tracing::warn!(%error, "cannot mark which document is being read"))
            .ok();
        (Self::with(file, parallel), died)
    }

    /// Without marks: for commands that read something once.
    #[must_use]
    pub fn unmarked(parallel: usize) -> Self {
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
            }),
        }
    }

    /// Runs `read` on a thread of its own, under a mark for `provider`.
    pub async fn read<T: Send + 'static>(
        &self,
        provider: &str,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unread> {
        let inner = Arc::clone(&self.inner);
        // The semaphore is never closed; without it there would only be more at once.
        let permit = self.inner.permits.acquire().await.ok();
        let mark = inner.mark(provider);
        let task = tokio::task::spawn_blocking(move || {
            let result = catch_unwind(AssertUnwindSafe(read)).map_err(|panic| panic_text(&*panic));
            inner.unmark(mark);
            result
        });
        let outcome = tokio::time::timeout(DEADLINE, task).await;
        drop(permit);
        match outcome {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(panic))) => Err(Unread::Panicked(panic)),
            Ok(Err(join)) => Err(Unread::Panicked(join.to_string())),
            Err(_) => {
                // The thread goes on by itself; its place is given to another, so that nobody waits
                // for it.
                self.inner.abandoned.fetch_add(1, Ordering::Relaxed);
                Err(Unread::TooLong)
            }
        }
    }

    /// Whether so many readings never ended that only a new process helps.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.inner.abandoned.load(Ordering::Relaxed) >= ABANDONED
    }
}

impl Inner {
    fn mark(&self, provider: &str) -> Option<usize> {
        let place = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        let mut mark = [0; MARK];
        for (to, from) in mark.iter_mut().zip(provider.bytes().take(MARK - 1)) {
            *to = from;
        }
        self.write(place, &mark);
        Some(place)
    }

    fn unmark(&self, place: Option<usize>) {
        if let Some(place) = place {
            self.write(place, &[0; MARK]);
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        }
    }

    /// A full disk must not keep a document from being read: the mark is a help, not a promise.
    fn write(&self, place: usize, mark: &[u8]) {
        if let Some(file) = &self.file
            && let Err(error) = file.write_all_at(mark, (place * MARK) as u64)
        {
            tracing::debug!(%error, "cannot mark which document is being read");
        }
    }
}

/// The ids in a file of marks.
fn marks(bytes: &[u8]) -> Vec<String> {
    let ids = bytes
        .chunks(MARK)
        .map(|mark| mark.iter().copied().take_while(|&byte| byte != 0).collect::<Vec<u8>>());
    ids.filter_map(|id| String::from_utf8(id).ok()).filter(|id| !id.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mark_stands_while_a_document_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let (reading, died) = ParsePool::open(dir.path(), 2);
        assert!(died.is_empty());
        let path = dir.path().join(FILE);
        let during =
            reading.read("acme", move || marks(&std::fs::read(path).unwrap())).await.unwrap();
        assert_eq!(during, ["acme"]);
        let panicked = reading.read("acme", || -> u32 { panic!("bad bytes") }).await;
        assert_eq!(panicked, Err(Unread::Panicked("bad bytes".to_owned())));
        assert!(marks(&std::fs::read(dir.path().join(FILE)).unwrap()).is_empty());

        // As a dying process leaves it.
        reading.inner.mark("killer");
        let (_, died) = ParsePool::open(dir.path(), 2);
        assert_eq!(died, ["killer"]);
        let (_, died) = ParsePool::open(dir.path(), 2);
        assert!(died.is_empty());
    }
}
