//! Errors of the ledger, and whether retrying helps.

use std::path::{Path, PathBuf};

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
    /// An I/O error that must not be ignored.
    #[error("the database failed: {reason}")]
    Failed {
        /// What SQLite says.
        reason: String,
    },
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
        matches!(self, Self::Busy { .. } | Self::Defect { .. } | Self::Superseded | Self::Away)
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

    /// Converts an error that occurred while opening `path`.
    #[must_use]
    pub(crate) fn opening(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let damaged = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        );
        match Self::from_sqlite(error) {
            Self::Failed { reason } if damaged => Self::Damaged { path: path.to_owned(), reason },
            // SQLite's message for a full disk depends on what could not be written, so include the
            // free space with all of them.
            Self::Failed { reason } => {
                Self::Failed { reason: format!("{}: {reason}{}", path.display(), room(path)) }
            }
            Self::Busy { reason } => {
                Self::Busy { reason: format!("{}: {reason}{}", path.display(), room(path)) }
            }
            other => other,
        }
    }

    fn from_sqlite(error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(
                ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied,
            ) => Self::Busy { reason },
            _ => Self::Failed { reason },
        }
    }
}

/// Describes the free space where the database is, to explain why it cannot be written.
fn room(path: &Path) -> String {
    let volume = path.parent().and_then(|dir| rustix::fs::statvfs(dir).ok());
    volume.map_or_else(String::new, |volume| {
        format!(" ({} bytes are free there)", volume.f_bavail.saturating_mul(volume.f_frsize))
    })
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from_sqlite(&error)
    }
}
