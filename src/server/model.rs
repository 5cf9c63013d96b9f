//! What the server knows of the ledger: read-only connections, and the present state, shared by
//! all requests within a moment.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::clock;
use crate::event::Time;
use crate::ledger::{
    ItemQuery, ItemRow, LedgerError, OpenItem, OwnNetwork, ProviderRow, Reader, SinkRow, Span,
};
use crate::view::status::{self, StatusView};

/// Reads at once. More wait; a slow disk is not helped by more.
pub(super) const READERS: usize = 4;
/// The present state is read again after this time at the earliest, unless a client knows of a later
/// event.
const FRESH_FOR: Duration = Duration::from_millis(500);
/// While clients know of later events, the state is put together in one part of so many of the time:
/// a storm of events does not take a processor.
const REST: u32 = 4;

/// Why the ledger could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The ledger's own reason.
    #[error("{0}")]
    Ledger(String),
    /// The reading thread ended: a defect, or the end of the program.
    #[error("a read was given up")]
    Ended,
}

/// Reads the ledger.
pub(crate) struct Model {
    state_dir: PathBuf,
    idle: Mutex<Vec<Reader>>,
    readers: Arc<Semaphore>,
    state: tokio::sync::Mutex<Watched>,
    /// The last event that a client was sent. What it asks for then must hold it.
    sent: AtomicU64,
}

/// The connection that watches for changes, and what it read last.
#[derive(Default)]
struct Watched {
    reader: Option<Reader>,
    /// A random number: the numbers of another connection, or process, mean other things.
    connection: u64,
    version: Option<i64>,
    rows: Option<Arc<Rows>>,
    /// Since when there is this state, and how long it took to put together.
    state: Option<(Instant, Duration, Arc<State>)>,
}

/// The rows of the ledger that make up the present state.
#[derive(Debug)]
struct Rows {
    providers: Vec<ProviderRow>,
    open: Vec<ItemRow>,
    sinks: Vec<SinkRow>,
    /// For each sink when its oldest waiting event was observed.
    waiting_since: Vec<Option<Time>>,
    network: OwnNetwork,
    span: Span,
}

/// The present state of everything that is watched, at most about a second old. Cheap to share.
#[derive(Debug)]
pub(crate) struct State {
    /// When it was put together.
    pub(crate) at: Time,
    /// As `status --json` shows it.
    pub(crate) view: StatusView,
    rows: Arc<Rows>,
    /// Which connection read it, and what that says of changes.
    version: (u64, i64),
}

impl State {
    /// Returns the providers that are watched, in the order of `view.providers`.
    #[must_use]
    pub(crate) fn providers(&self) -> &[ProviderRow] {
        &self.rows.providers
    }

    /// Returns a text that is another one whenever the ledger has changed.
    #[must_use]
    pub(crate) fn version(&self) -> String {
        let (connection, changes) = self.version;
        format!("{connection:x}.{changes:x}")
    }

    /// Returns what is open.
    #[must_use]
    pub(crate) fn open(&self) -> &[ItemRow] {
        &self.rows.open
    }

    /// Returns the sinks, each with the time when its oldest waiting event was observed.
    pub(crate) fn sinks(&self) -> impl Iterator<Item = (&SinkRow, Option<Time>)> {
        self.rows.sinks.iter().zip(self.rows.waiting_since.iter().copied())
    }

    /// Returns which events are kept.
    #[must_use]
    pub(crate) fn span(&self) -> Span {
        self.rows.span
    }
}

impl Model {
    pub(super) fn new(state_dir: PathBuf) -> Self {
        Self {
            state_dir,
            idle: Mutex::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            state: tokio::sync::Mutex::default(),
            sent: AtomicU64::new(0),
        }
    }

    /// Notes that a client is sent this event: a state without it is out of date.
    pub(super) fn sent(&self, seq: u64) {
        self.sent.fetch_max(seq, Ordering::Relaxed);
    }

    /// Notes that the newest event is this one, since the ledger was replaced by another.
    pub(super) fn replaced(&self, newest: u64) {
        self.sent.store(newest, Ordering::Relaxed);
    }

    /// Returns the directory of the ledger.
    pub(super) fn state_dir(&self) -> &std::path::Path {
        &self.state_dir
    }

    /// Runs `read` with a connection of its own, on a thread that may block.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Reader) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, ReadError> {
        // The permit stays with the thread: a client that leaves does not make room for another
        // read while the first one still runs.
        let permit =
            Arc::clone(&self.readers).acquire_owned().await.map_err(|_| ReadError::Ended)?;
        let model = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let reader = model.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match reader {
                Some(reader) => reader,
                None => Reader::open(&model.state_dir)?,
            };
            let found = read(&reader)?;
            // One that failed is not used again.
            model.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            Ok(found)
        });
        let found = task.await.map_err(|_| ReadError::Ended)?;
        found.map_err(|error: LedgerError| ReadError::Ledger(error.to_string()))
    }

    /// Returns the present state, with every event that a client was sent. All who ask within half a
    /// second share one read, and without a change in the ledger nothing is read but a number.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn state(self: &Arc<Self>) -> Result<Arc<State>, ReadError> {
        let mut watched = self.state.lock().await;
        if let Some((at, took, state)) = &watched.state {
            let is_behind = state.span().newest < self.sent.load(Ordering::Relaxed);
            if is_behind {
                // All who ask meanwhile wait for the lock, and share what is read then.
                let rest = (*took * REST).min(FRESH_FOR).saturating_sub(at.elapsed());
                tokio::time::sleep(rest).await;
            } else if at.elapsed() < FRESH_FOR {
                return Ok(Arc::clone(state));
            }
        }
        let mut taken = std::mem::take(&mut *watched);
        let state_dir = self.state_dir.clone();
        let task = tokio::task::spawn_blocking(move || {
            let refreshed = taken.refresh(&state_dir);
            (taken, refreshed)
        });
        let (taken, refreshed) = task.await.map_err(|_| ReadError::Ended)?;
        *watched = taken;
        refreshed.map_err(|error| ReadError::Ledger(error.to_string()))
    }
}

impl Watched {
    fn refresh(&mut self, state_dir: &std::path::Path) -> Result<Arc<State>, LedgerError> {
        let result = self.look(state_dir);
        if result.is_err() {
            *self = Self::default();
        }
        result
    }

    fn look(&mut self, state_dir: &std::path::Path) -> Result<Arc<State>, LedgerError> {
        let begun = Instant::now();
        let reader = if let Some(reader) = &self.reader {
            reader
        } else {
            self.connection = fastrand::u64(..);
            self.reader.insert(Reader::open(state_dir)?)
        };
        let version = reader.version()?;
        let rows = match self.rows.take().filter(|_| self.version == Some(version)) {
            Some(rows) => rows,
            None => Arc::new(Rows::read(reader)?),
        };
        (self.version, self.rows) = (Some(version), Some(Arc::clone(&rows)));
        let state = Arc::new(State::new(rows, clock::now(), (self.connection, version)));
        self.state = Some((Instant::now(), begun.elapsed(), Arc::clone(&state)));
        Ok(state)
    }
}

impl Rows {
    fn read(reader: &Reader) -> Result<Self, LedgerError> {
        let mut providers = reader.providers()?;
        providers.retain(|row| row.watched);
        let sinks = reader.sinks()?;
        let waiting_since = sinks
            .iter()
            .map(|sink| match sink.behind {
                0 => Ok(None),
                _ => Ok(reader.after(sink.seq, 1)?.first().map(|next| next.event.observed_at)),
            })
            .collect::<Result<_, LedgerError>>()?;
        Ok(Self {
            providers,
            open: reader.items(ItemQuery::Open)?,
            sinks,
            waiting_since,
            network: reader.network()?,
            span: reader.span()?,
        })
    }
}

impl State {
    fn new(rows: Arc<Rows>, at: Time, version: (u64, i64)) -> Self {
        let open: Vec<OpenItem> = rows.open.iter().map(|row| row.item.clone()).collect();
        let view = status::view(&rows.providers, &open, &rows.sinks, at);
        Self { at, view: view.with_network(&rows.network), rows, version }
    }
}
