//! Sinks pull events from the ledger, each with its own cursor, and deliver them. The ledger never
//! waits for them.

pub mod actor;
mod console;
mod event_log;
mod lock;
mod log_file;
mod log_reader;
mod recovery;
mod resume;
mod rotate;
mod tail;

pub use console::ConsoleSink;
pub use event_log::{EventLogSink, WriteClock};
pub use log_reader::{LogLine, LogReader};
pub use recovery::LogRecovery;
pub use rotate::LogFileFormat;

pub use crate::ledger::{Cursor, StoredEvent};

/// A receiver of events. Runs on its own thread and may block.
pub trait Sink: Send {
    /// Returns its id in the ledger: `console`, `event_log`.
    fn id(&self) -> &str;

    /// Called once before the first delivery and again after a failure. Determines what has been
    /// delivered, given the stored cursor and a reader of the events after it, and returns the
    /// actual cursor.
    ///
    /// # Errors
    ///
    /// Returns an error if the destination cannot be opened.
    fn open(
        &mut self,
        cursor: &Cursor,
        after: &mut dyn FnMut(u64) -> Result<Vec<StoredEvent>, SinkError>,
    ) -> Result<Cursor, SinkError>;

    /// Delivers `events` in order and as durably as the sink can. Returns the cursor to store. It
    /// may be before the last event; the remaining ones are then passed in again.
    ///
    /// # Errors
    ///
    /// After an error it is unknown what was delivered: `open` is called before the next attempt.
    fn deliver(&mut self, events: &[StoredEvent]) -> Result<Cursor, SinkError>;

    /// Called every second and at SIGHUP/SIGUSR1 (`reopen`): checks that the destination still
    /// exists.
    ///
    /// # Errors
    ///
    /// As for [`Sink::deliver`].
    fn maintain(&mut self, reopen: bool) -> Result<Option<Cursor>, SinkError> {
        let _ = reopen;
        Ok(None)
    }
}

/// Why a sink could not deliver.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Input or output failed.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was attempted: `write`, `open`, …
        action: &'static str,
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Another process holds the file's lock.
    #[error("{} is being written by another process", .path.display())]
    Locked {
        /// The lock file.
        path: std::path::PathBuf,
    },
    /// The ledger could not be read.
    #[error("cannot read events from the ledger: {0}")]
    Ledger(String),
}
