//! Errors of the ledger, and whether retrying helps.

use super::delivery::LogError;
use std::path::PathBuf;

/// The result of a ledger operation.
pub(super) type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// Why a ledger operation failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The state directory cannot be created or entered.
    #[error("cannot use the state directory {}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a database, or a damaged one. It is not modified.
    #[error(
        "the database {} is damaged ({reason}). It was not modified: restore a backup, or move it away to start with an empty ledger (open incidents are then reported once more)",
        .path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// The database was written by a newer version.
    #[error("the database {} has version {found}, but this program supports versions up to {known}: start the newer statuswatch", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The version of the database.
        found: i64,
        /// The newest supported version.
        known: i64,
    },
    /// The ledger is not the one in this file.
    #[error("the database {} {place}: name that in the configuration (`state:`), or begin with an empty state directory", .path.display())]
    Elsewhere {
        /// The database.
        path: PathBuf,
        /// What it is.
        place: String,
    },
    /// There is no database yet.
    #[error("there is no ledger at {} yet: start `statuswatch run` first, or pass its state directory with --state", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No space, or locked by another program: it may resolve itself.
    #[error("the database cannot be written right now: {reason}")]
    Busy {
        /// What SQLite says.
        reason: String,
    },
    /// The database's file is another one than the one that was opened, or there is none.
    #[error("the database {} was removed or replaced while running", .path.display())]
    Replaced {
        /// The database.
        path: PathBuf,
    },
    /// An I/O error that must not be ignored.
    #[error("the database failed: {reason}")]
    Failed {
        /// What SQLite says.
        reason: String,
    },
    /// The database that several nodes share cannot be used.
    #[error(transparent)]
    Shared(#[from] crate::postgres::Error),
    /// A bug in statuswatch; the transaction was rolled back.
    #[error("a bug in statuswatch: {reason}. Please report it")]
    Defect {
        /// The panic message.
        reason: String,
    },
    /// The poller was replaced while its result was in flight.
    #[error("the poller has been replaced")]
    Superseded,
    /// The ledger's actor is not running at the moment.
    #[error("the ledger is being restarted")]
    Away,
}

impl LedgerError {
    /// Returns whether retrying later may help; otherwise the process must exit with status 1.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        use crate::postgres::Error::{Newer, Old};
        match self {
            Self::Busy { .. } | Self::Defect { .. } | Self::Superseded | Self::Away => true,
            // Somebody may change a password or a right while this runs.
            Self::Shared(error) => !matches!(error, Newer { .. } | Old { .. }),
            _ => false,
        }
    }

    /// Returns SQLite's message without the prefix this error adds.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Busy { reason } | Self::Failed { reason } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// Returns the message, for errors that wrap this one.
    #[must_use]
    pub fn into_text(self) -> String {
        self.to_string()
    }
}

/// Why events could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The event log cannot be read.
    #[error(transparent)]
    Log(LogError),
    /// The ledger cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The log continues another ledger's events.
    #[error(
        "the event log holds other events than the ledger at number {seq}: it belongs to another state directory"
    )]
    Foreign {
        /// The first sequence number that differs.
        seq: u64,
    },
}
