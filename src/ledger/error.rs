//! What may go wrong in the ledger, and whether waiting helps.

use std::path::{Path, PathBuf};

/// Why the ledger could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The state directory cannot be made or entered.
    #[error("cannot use the state directory {}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no database, or a damaged one. It is left untouched.
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
    /// Made by a newer program.
    #[error("the database {} has version {found}, but this program supports versions up to {known}: start the newer statuswatch", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// There is no database yet.
    #[error("there is no ledger at {} yet: start `statuswatch run` first, or pass its state directory with --state", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No space, locked by another program: it may pass by itself.
    #[error("the database cannot be written right now: {reason}")]
    Busy {
        /// What SQLite says.
        reason: String,
    },
    /// Input or output failed in a way that must not be ignored.
    #[error("the database failed: {reason}")]
    Failed {
        /// What SQLite says.
        reason: String,
    },
    /// A defect of ours met this provider's data; taken back as a whole.
    #[error("a bug in statuswatch: {reason}. Please report it")]
    Defect {
        /// What the panic said.
        reason: String,
    },
    /// The poller was replaced while its result was on the way.
    #[error("the poller has been replaced")]
    Superseded,
    /// The ledger's actor is not there at the moment.
    #[error("the ledger is being restarted")]
    Away,
}

impl LedgerError {
    /// Whether trying again later may help; otherwise the process has to end with status 1.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Defect { .. } | Self::Superseded | Self::Away)
    }

    /// What SQLite says, for an error of ours that says what it means.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Busy { reason } | Self::Failed { reason } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// What it says, for errors of others that carry it.
    #[must_use]
    pub fn into_text(self) -> String {
        self.to_string()
    }

    /// Of an error met while opening `path`.
    #[must_use]
    pub(crate) fn opening(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let damaged = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        );
        match Self::from_sqlite(error) {
            Self::Failed { reason } if damaged => Self::Damaged { path: path.to_owned(), reason },
            // SQLite's words for a full disk differ with what could not be written, so the room is
            // told with all of them.
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

/// How much room there is where the database is, for whoever reads why it cannot be written.
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
