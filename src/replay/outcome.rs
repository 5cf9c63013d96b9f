//! The result of a replay.

use crate::event::Time;
use crate::ledger::Reader;

/// The result of a replay.
pub struct Played {
    /// All events that would have been reported.
    pub events: Reader,
    /// The counts.
    pub summary: Summary,
    /// Unusable parts of the recording, one line each.
    pub warnings: Vec<String>,
    /// Addresses that were requested but are not in the recording, each with its provider.
    pub missing: Vec<String>,
}

/// The counts of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Providers that were polled, by id.
    pub providers: Vec<String>,
    /// Responses that were played.
    pub answers: u64,
    /// Polls that were played.
    pub polls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The first moment of the recording.
    pub begin: Option<Time>,
    /// The last one.
    pub end: Option<Time>,
}
