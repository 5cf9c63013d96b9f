//! What a replay came to.

use crate::event::Time;
use crate::ledger::Reader;

/// What a replay came to.
pub struct Played {
    /// Everything that would have been reported.
    pub events: Reader,
    /// The figures.
    pub summary: Summary,
    /// What of the recording could not be used, a line each.
    pub warnings: Vec<String>,
    /// Addresses that were asked for and are not in the recording, each with its provider.
    pub missing: Vec<String>,
}

/// The figures of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Providers that were polled, by id.
    pub providers: Vec<String>,
    /// Answers that were played.
    pub answers: u64,
    /// Polls that were played.
    pub polls: u64,
    /// Of these polls, those that failed.
    pub failed: u64,
    /// The first moment of the recording.
    pub begin: Option<Time>,
    /// The last one.
    pub end: Option<Time>,
}
