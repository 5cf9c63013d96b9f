//! Sinks: they pull events from the ledger, each with a cursor of its own, and deliver them.
//! The ledger never waits for them.

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

use crate::event::StatusEvent;

/// An event as a sink gets it: numbered, stored, with the bytes of its line fixed at commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The event.
    pub event: StatusEvent,
    /// Its JSON object without a line feed: exactly these bytes are the line, on every attempt.
    pub line: String,
}

/// How far a sink has delivered, kept by the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The last event delivered; 0: none.
    pub seq: u64,
    /// What the sink wants to remember beside it (the event log: file offset and tail hash), as
    /// JSON.
    pub memory: Option<String>,
}

/// Something events are delivered to. Runs on a thread of its own: it may block.
pub trait Sink: Send {
    /// Its id in the ledger: `console`, `event_log`.
    fn id(&self) -> &str;

    /// Called once before the first delivery, and again after a failure: finds out what has been
    /// delivered, given the stored cursor and a reader of the events behind it. Returns the true
    /// cursor.
    ///
    /// # Errors
    /// Where the place of delivery cannot be opened.
    fn open(
        &mut self,
        cursor: &Cursor,
        after: &mut dyn FnMut(u64) -> Result<Vec<Recorded>, SinkError>,
    ) -> Result<Cursor, SinkError>;

    /// Delivers `events` in order and durably, as far as the sink can. Returns the cursor to store:
    /// it may stop short of the last event, which is then handed in again.
    ///
    /// # Errors
    /// Nothing is known of what was delivered: `open` is called before the next attempt.
    fn deliver(&mut self, events: &[Recorded]) -> Result<Cursor, SinkError>;

    /// Called every second and at SIGHUP/SIGUSR1 (`reopen`): checks that the place of delivery is
    /// still there.
    ///
    /// # Errors
    /// As [`Sink::deliver`].
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
        /// What was tried: `write`, `open`, …
        action: &'static str,
        /// On which file.
        path: std::path::PathBuf,
        /// Why not.
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
