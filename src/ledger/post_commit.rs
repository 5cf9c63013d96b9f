//! Effects of a poll result that wait until its transaction is committed.

use crate::event::Time;

/// Side effects of a result, applied once the transaction is committed.
#[derive(Debug, Default)]
pub(super) struct PostCommit {
    /// Why the response was rejected.
    pub(super) anomaly: Option<String>,
    pub(super) warnings: Vec<Warning>,
    /// Since when the oldest unreported component change has been held back.
    pub(super) held_since: Option<Time>,
}

/// A warning to log once the result is committed: not for results that were rolled back, and only
/// once if the transaction ran twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Warning {
    /// Responses are rejected.
    Anomaly(String),
    /// A list has shrunk by half.
    Shrunk(String),
    /// A page that is read for the first time contains nothing recent.
    Silent(String),
    /// No known item is listed and none resembles a listed one: the window moved on between polls.
    RolledOn {
        /// Number of incidents and maintenances listed now.
        listed: usize,
    },
}

impl Warning {
    pub(super) fn log(&self, provider: &str) {
        match self {
            Self::Anomaly(reason) => tracing::warn!(provider, reason, "response rejected"),
            Self::Shrunk(reason) | Self::Silent(reason) => {
                tracing::warn!(provider, reason, "looks suspect");
            }
            Self::RolledOn { listed } => {
                tracing::warn!(
                    provider,
                    listed,
                    "none of the previously listed items is listed any more: updates may have been missed"
                );
            }
        }
    }
}
