//! The database's write-ahead log grows as long as somebody reads what was there before: told once,
//! with what to do, and its end.

use std::path::Path;

use rusqlite::Connection;

use super::migrate;

/// Beyond this size it is looked at. SQLite moves what it holds into the database at [`PAGES`],
/// unless a reader needs the old pages.
const LARGE: u64 = 64 << 20;

/// From so many pages of 4 KB on it is moved into the database. A group of 256 results changes a
/// thousand pages, many of them the same as the group before: the more of them are moved together,
/// the fewer are written twice.
pub(super) const PAGES: i64 = 4096;

/// SQLite cuts it to this size when it begins it anew.
pub(super) const LEFT: i64 = 8 << 20;

/// What is known of the write-ahead log.
#[derive(Debug, Default)]
pub(super) struct Wal {
    /// How many of its pages could be moved at the last look, where not all could.
    stuck: Option<i64>,
    warned: bool,
}

impl Wal {
    /// Looks at its size. Called every second: nothing but the size is asked while that is small.
    pub(super) fn look(&mut self, db: &Connection, state_dir: &Path) {
        let path = state_dir.join(migrate::WAL);
        let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if size <= LARGE {
            self.stuck = None;
            if std::mem::take(&mut self.warned) {
                tracing::warn!(bytes = size, "the database's write-ahead log is small again");
            }
            return;
        }
        match move_over(db) {
            // A sink that reads much may stand in the way at any look, but then it gets on: the
            // same place twice is somebody who holds on.
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

/// Moves what nobody reads any more into the database, without waiting for anybody. Answers how
/// many pages there are, and how many of them are in the database now.
fn move_over(db: &Connection) -> rusqlite::Result<(i64, i64)> {
    db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))
}

/// Gives the room back. A reader that begins meanwhile is not waited for: there is a next second.
fn shrink(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(std::time::Duration::ZERO)?;
    let shrunk = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    db.busy_timeout(migrate::BUSY)?;
    shrunk
}
