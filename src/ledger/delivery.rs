//! What sinks and the ledger exchange.

use crate::event::StatusEvent;

/// An event as a sink receives it: numbered and stored, with the bytes of its line fixed at commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event.
    pub event: StatusEvent,
    /// The event as a JSON object without a line feed: every attempt writes exactly these bytes.
    pub line: String,
}

/// How far a sink has delivered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The last event delivered; 0 if none.
    pub seq: u64,
    /// What the sink needs to remember besides (the event log: file offset and tail hash), as JSON.
    pub memory: Option<String>,
}

/// An event log with more events than the ledger, which was restored from a backup or recreated.
pub trait LongerLog {
    /// Returns the next line without its line feed, from the first one on, and its event; `None`
    /// instead of an event if the line is not one of ours.
    ///
    /// # Errors
    ///
    /// Returns an error if the log cannot be read.
    fn next_line(&mut self) -> Result<Option<(String, Option<StatusEvent>)>, LogError>;

    /// Returns the memory with which the event log's sink continues after the last complete line.
    ///
    /// # Errors
    ///
    /// Returns an error if the log cannot be read.
    fn memory(&self) -> Result<Option<String>, LogError>;
}

/// Why an event log cannot be read. Its type is that of whoever reads the log.
pub type LogError = Box<dyn std::error::Error + Send + Sync>;
