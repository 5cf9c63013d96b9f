//! Watches the database's write-ahead log, which grows as long as a reader holds an old snapshot.
//! Logs a warning once with a remedy, and again when it is over.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

/// File name of the write-ahead log, next to the database.
pub(super) const WAL: &str = "ledger.db-wal";

/// Maximum wait for another program's lock.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// The log is checked beyond this size. SQLite moves its contents into the database at [`PAGES`],
/// unless a reader needs the old pages.
const LARGE: u64 = 64 << 20;

/// Number of 4 KB pages at which it is checkpointed. A group of 256 results changes a thousand
/// pages, many of them the same as the previous group's: larger checkpoints write fewer pages
/// twice.
pub(super) const PAGES: i64 = 4096;

/// SQLite truncates it to this size when it restarts the log.
pub(super) const LEFT: i64 = 8 << 20;

/// The state of the write-ahead log.
#[derive(Debug, Default)]
pub(super) struct Wal {
    /// Number of pages moved at the last check, if not all could be.
    stuck: Option<i64>,
    warned: bool,
}

impl Wal {
    /// Checks its size. Called every second, and reads only the size while it is small.
    pub(super) fn check(&mut self, db: &Connection, state_dir: &Path) {
        let path = state_dir.join(WAL);
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if size <= LARGE {
            self.stuck = None;
            if std::mem::take(&mut self.warned) {
                tracing::warn!(bytes = size, "the database's write-ahead log is small again");
            }
            return;
        }
        match move_over(db) {
            // A busy sink can block any single checkpoint but makes progress: the same position
            // twice means a long-running reader.
            Ok((pages, moved)) if moved < pages => {
                let stands = self.stuck.replace(moved) == Some(moved);
                if stands && !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(
                        bytes = size,
                        file = %path.display(),
                        "the database's write-ahead log grows because another program holds a long read transaction. \
                         No data is lost, but the disk fills up: stop that program (`fuser` lists the processes that have the file open)"
                    );
                }
            }
            Ok(_) => {
                self.stuck = None;
                if let Err(error) = shrink(db) {
                    tracing::debug!(%error, "cannot truncate the write-ahead log");
                }
            }
            Err(error) => {
                tracing::debug!(%error, "cannot checkpoint the write-ahead log");
            }
        }
    }
}

/// Moves pages that no reader needs into the database without waiting. Returns the number of pages
/// in the log, and how many of them are in the database now.
fn move_over(db: &Connection) -> rusqlite::Result<(i64, i64)> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// Truncates the log. Does not wait for a new reader: there will be another attempt in a second.
fn shrink(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::ZERO)?;
    let shrunk = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    db.busy_timeout(BUSY)?;
    shrunk
}
