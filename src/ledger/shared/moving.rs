//! Moves a ledger from a state directory into a database that several nodes share, or back.
//!
//! Nothing else may use either of them meanwhile. The one that was moved away is marked: `run` does
//! not start on it any more.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::remote::Remote;
use crate::ledger::error::LedgerError;
use crate::ledger::image::{Image, Position};
use crate::ledger::lock::{LockError, StateLock};
use crate::ledger::sqlite::{DATABASE, Export, Replica};
use crate::postgres::{DatabaseUrl, Error, UrlError};

/// How long an exchange may take, with all rows of a large ledger.
const LIMIT: Duration = Duration::from_mins(10);

/// How long the connection is waited for.
const PATIENCE: Duration = Duration::from_secs(6);

/// Where a ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a state directory.
    Directory(PathBuf),
    /// In a database that several nodes share.
    Database(DatabaseUrl),
}

impl Place {
    /// Parses a directory, or the address of a database.
    ///
    /// # Errors
    ///
    /// Returns an error if it is an address that is not valid. It quotes nothing of it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.contains("://") {
            text.parse().map(Self::Database)
        } else {
            Ok(Self::Directory(text.into()))
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(dir) => write!(f, "{}", dir.display()),
            Self::Database(url) => write!(f, "{url}"),
        }
    }
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Number of rows, without those of a node's own.
    pub rows: u64,
    /// Number of events.
    pub events: u64,
}

/// Why a ledger was not moved. Both are as they were.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Both are directories, or both databases.
    #[error("a ledger is moved from a state directory to a database, or back")]
    Alike,
    /// A state directory is in use, or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// One of them cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The target has a ledger.
    #[error("there is a ledger at {0} already: move to an empty place")]
    Taken(Place),
    /// What arrived differs from what was sent.
    #[error(
        "the copy differs from the original ({copy} instead of {original} events); nothing was changed"
    )]
    Differs {
        /// Number of events in the original.
        original: u64,
        /// Number of events in the copy.
        copy: u64,
    },
}

impl From<Error> for MoveError {
    fn from(error: Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// Moves a ledger. Blocks until it is done.
///
/// # Errors
///
/// Returns an error if it cannot be moved.
pub fn move_ledger(from: &Place, to: &Place) -> Result<Moved, MoveError> {
    match (from, to) {
        (Place::Directory(dir), Place::Database(url)) => upload(dir, url),
        (Place::Database(url), Place::Directory(dir)) => download(url, dir),
        _ => Err(MoveError::Alike),
    }
}

fn upload(dir: &Path, url: &DatabaseUrl) -> Result<Moved, MoveError> {
    let path = dir.join(DATABASE);
    if !path.exists() {
        return Err(LedgerError::Missing { path }.into());
    }
    let _lock = StateLock::acquire(dir)?;
    let mut export = Export::open(dir)?;
    let remote = Remote::open(url.clone())?;
    let newest = export.newest();
    let is_empty =
        remote.call(PATIENCE, LIMIT, move |session| Box::pin(session.begin_upload(newest)))?;
    if !is_empty {
        remote.call(Duration::ZERO, LIMIT, |session| Box::pin(session.rollback()))?;
        return Err(MoveError::Taken(Place::Database(url.clone())));
    }
    let original = export.each(&mut |images: Vec<Image>| {
        remote.call(Duration::ZERO, LIMIT, move |session| Box::pin(session.upload(images)))?;
        Ok(())
    })?;
    let copy = remote.call(Duration::ZERO, LIMIT, |session| Box::pin(session.content()))?;
    if copy != original {
        remote.call(Duration::ZERO, LIMIT, |session| Box::pin(session.rollback()))?;
        return Err(MoveError::Differs { original: original.events, copy: copy.events });
    }
    remote.call(Duration::ZERO, LIMIT, |session| Box::pin(session.commit()))?;
    export.mark_moved(&url.to_string())?;
    Ok(Moved { rows: original.rows, events: original.events })
}

fn download(url: &DatabaseUrl, dir: &Path) -> Result<Moved, MoveError> {
    let _lock = StateLock::acquire(dir)?;
    if dir.join(DATABASE).exists() {
        return Err(MoveError::Taken(Place::Directory(dir.to_owned())));
    }
    let remote = Remote::open(url.clone())?;
    remote.call(PATIENCE, LIMIT, |session| Box::pin(session.begin_download()))?;
    let made = fill(&remote, dir);
    match made {
        Ok(moved) => {
            let to = dir.display().to_string();
            remote.call(Duration::ZERO, LIMIT, move |session| Box::pin(session.mark_moved(to)))?;
            Ok(moved)
        }
        Err(error) => {
            Replica::remove(dir)?;
            Err(error)
        }
    }
}

/// Fills a new ledger in `dir`, within the transaction that `remote` has begun.
fn fill(remote: &Remote, dir: &Path) -> Result<Moved, MoveError> {
    let mut replica = Replica::open(dir)?;
    let original = remote.call(Duration::ZERO, LIMIT, |session| Box::pin(session.content()))?;
    let (sender, chunks) = std::sync::mpsc::sync_channel(2);
    let mut reading = Some(
        remote.start(Duration::ZERO, LIMIT, move |session| Box::pin(session.read_rows(sender))),
    );
    replica.fill(&mut || Ok(chunks.recv().ok()), &mut || {
        if let Some(reading) = reading.take() {
            reading.wait()?;
        }
        // No position: it is no replica any more.
        Ok(Position::default())
    })?;
    let copy = replica.into_own()?;
    if copy != original {
        return Err(MoveError::Differs { original: original.events, copy: copy.events });
    }
    Ok(Moved { rows: original.rows, events: original.events })
}
