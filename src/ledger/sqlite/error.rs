//! What SQLite's errors mean.

use std::path::Path;

use crate::ledger::error::{LedgerError, RecoveryError};

impl LedgerError {
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

impl From<rusqlite::Error> for RecoveryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.into())
    }
}
