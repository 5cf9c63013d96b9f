//! Opens the database, as the only writer or as one of many readers, and migrates its schema.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::mem::ManuallyDrop;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::wal::{self, BUSY, WAL};
use crate::ledger::LedgerError;

/// The database's file name in the state directory.
pub const DATABASE: &str = "ledger.db";

/// SQLite's rollback journal, which exists only until the database has its write-ahead log.
const JOURNAL: &str = "ledger.db-journal";

/// Application id of the file (`swch`).
const APPLICATION_ID: i64 = 0x7377_6368;

/// Databases up to this size are fully checked at startup (about 0.2 s).
const CHECKED_UP_TO: u64 = 64 << 20;

/// Migration steps; the database's `user_version` counts the completed ones. Steps are never
/// edited, only added.
const STEPS: &[&str] = &[STEP_1, STEP_2, STEP_3, STEP_4, STEP_5, STEP_6];

/// Messages to channels: those that wait, those that were accepted and those that were given up.
const STEP_6: &str = "
-- What waits to be sent or is held back. An id is never used again: the order of a thread is that of
-- its ids.
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, thread TEXT NOT NULL,
  seq INTEGER, content TEXT, key TEXT NOT NULL UNIQUE, phase TEXT NOT NULL, urgent INTEGER NOT NULL DEFAULT 0,
  hold TEXT, due_at INTEGER, created_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  first_attempt_at INTEGER, next_at INTEGER, in_doubt INTEGER NOT NULL DEFAULT 0, plain INTEGER NOT NULL DEFAULT 0,
  steps TEXT, skipped INTEGER NOT NULL DEFAULT 0, error TEXT
);
CREATE INDEX outbox_waiting ON outbox(channel, urgent DESC, id) WHERE hold IS NULL;
CREATE INDEX outbox_thread ON outbox(channel, thread, id);
CREATE INDEX outbox_later ON outbox(channel, next_at) WHERE hold IS NULL AND next_at IS NOT NULL;
CREATE INDEX outbox_due ON outbox(due_at) WHERE hold IS NOT NULL;
CREATE INDEX outbox_held ON outbox(channel, hold, id) WHERE hold IS NOT NULL;
-- What a channel was sent of an incident, component or provider, and what the service called it.
CREATE TABLE notified(
  channel TEXT NOT NULL, thread TEXT NOT NULL, provider TEXT NOT NULL, first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL, opened_at INTEGER NOT NULL, last_at INTEGER NOT NULL, ended_at INTEGER,
  worst INTEGER NOT NULL, edited_at INTEGER, delivered INTEGER NOT NULL DEFAULT 0, root TEXT, last TEXT, PRIMARY KEY(channel, thread)
) WITHOUT ROWID;
CREATE INDEX notified_opened ON notified(channel, opened_at);
CREATE INDEX notified_ended ON notified(ended_at);
CREATE TABLE delivery(
  seq INTEGER NOT NULL, channel TEXT NOT NULL, at INTEGER NOT NULL, lag_ms INTEGER NOT NULL, PRIMARY KEY(seq, channel)
) WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery(channel, at);
CREATE TABLE dead_letter(
  id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, thread TEXT NOT NULL, seq INTEGER, content TEXT,
  key TEXT NOT NULL, phase TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, steps TEXT
);
CREATE TABLE mute(
  id INTEGER PRIMARY KEY AUTOINCREMENT, provider TEXT NOT NULL, component TEXT, until INTEGER, reason TEXT,
  created_at INTEGER NOT NULL, ended_at INTEGER
);
CREATE TABLE channel(
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, health TEXT NOT NULL, since INTEGER NOT NULL, last_success_at INTEGER,
  last_error TEXT, last_error_at INTEGER, probe_at INTEGER
) WITHOUT ROWID;
";

/// Persists anomalies, identities and requested delays across restarts.
const STEP_5: &str = "
-- Which items are one incident under several ids.
ALTER TABLE item ADD COLUMN same_as BLOB;
CREATE INDEX item_same ON item(provider, same_as) WHERE same_as IS NOT NULL;
-- Events that numbering dropped although they were decided to be new.
ALTER TABLE provider ADD COLUMN dropped_events INTEGER;
-- When the ids of a page changed last, on which platforms, and how often without an event.
ALTER TABLE provider ADD COLUMN moved_at INTEGER;
ALTER TABLE provider ADD COLUMN moved_between TEXT;
ALTER TABLE provider ADD COLUMN silent_moves INTEGER;
-- Who asked for the wait until `retry_until`; how often the host lets a provider be polled, where
-- that is less often than asked for.
ALTER TABLE provider ADD COLUMN retry_by TEXT;
ALTER TABLE provider ADD COLUMN real_interval_ms INTEGER;
-- Of answers without a body (304): when the page was last asked for in full, when such an answer was
-- last false, and until when none is asked for.
ALTER TABLE provider ADD COLUMN full_at INTEGER;
ALTER TABLE provider ADD COLUMN false_304_at INTEGER;
ALTER TABLE provider ADD COLUMN unconditional_until INTEGER;
-- Times that could not be read, as JSON; NULL where all could.
ALTER TABLE provider ADD COLUMN unread_times TEXT;
-- Answers that are not believed; a page time in the future is no mark any more.
ALTER TABLE provider ADD COLUMN doubt TEXT;
ALTER TABLE provider ADD COLUMN doubt_since INTEGER;
ALTER TABLE provider ADD COLUMN doubt_stale INTEGER;
ALTER TABLE provider ADD COLUMN doubt_foreign INTEGER;
ALTER TABLE provider ADD COLUMN doubt_said_at INTEGER;
-- When a document last listed something of the kind that is over.
ALTER TABLE provider ADD COLUMN past_incidents_at INTEGER;
ALTER TABLE provider ADD COLUMN past_maintenances_at INTEGER;
UPDATE provider SET page_version = NULL WHERE page_version > (unixepoch() + 300) * 1000;
UPDATE provider SET complete_version = NULL WHERE complete_version > (unixepoch() + 300) * 1000;
-- Our own network; what a filter names and the page has lost; since when a component state is held
-- back that has not lasted for `min_duration` yet.
CREATE TABLE network(only INTEGER PRIMARY KEY CHECK(only = 1), offline_since INTEGER, seen TEXT, outages INTEGER NOT NULL);
ALTER TABLE provider ADD COLUMN vanished TEXT;
ALTER TABLE component ADD COLUMN held_since INTEGER;
CREATE INDEX component_held ON component(provider, held_since) WHERE held_since IS NOT NULL;
";

/// Sidecar documents: a JSON list of URLs, validators and hashes.
const STEP_4: &str = "ALTER TABLE provider ADD COLUMN companions TEXT;";

/// A digest of each page's component list, so that an equal list needs no comparison; and the times
/// of unchanged polls, separate from the wide rows because they are written twice a minute for
/// thousands of providers.
const STEP_3: &str = "
ALTER TABLE component ADD COLUMN digest BLOB;
-- The last poll of a provider, where it brought nothing new: newer than what its own row says. Gone when that is written.
CREATE TABLE quiet(provider TEXT PRIMARY KEY, at INTEGER NOT NULL, next_at INTEGER NOT NULL) WITHOUT ROWID;
";

/// What makes a provider suspicious: shrunk lists, or no change for very long.
const STEP_2: &str = "
ALTER TABLE provider ADD COLUMN usual_incidents INTEGER;
ALTER TABLE provider ADD COLUMN usual_components INTEGER;
ALTER TABLE provider ADD COLUMN shrunk TEXT;
ALTER TABLE provider ADD COLUMN shrunk_since INTEGER;
ALTER TABLE provider ADD COLUMN quiet_since INTEGER;
";

const STEP_1: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- One row a provider: its binding, its checkpoint, and what `status` shows.
CREATE TABLE provider(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  watched INTEGER NOT NULL,
  interval_ms INTEGER NOT NULL,
  stale_after_ms INTEGER NOT NULL,
  first_watched_at INTEGER NOT NULL,
  source TEXT, source_version INTEGER, document_url TEXT,
  etag TEXT, last_modified TEXT, body_hash BLOB,
  next_poll_at INTEGER, retry_until INTEGER, failures INTEGER NOT NULL DEFAULT 0,
  page_id TEXT, page_name TEXT, page_url TEXT, page_version INTEGER, complete_version INTEGER,
  impact TEXT,
  baseline_at INTEGER, recent_incidents_at INTEGER, recent_maintenances_at INTEGER,
  last_poll_at INTEGER, last_success_at INTEGER, last_change_at INTEGER,
  last_outcome TEXT, last_error TEXT,
  unreachable INTEGER NOT NULL DEFAULT 0, outages INTEGER NOT NULL DEFAULT 0,
  restarts INTEGER NOT NULL DEFAULT 0, last_restart_at INTEGER, last_restart_cause TEXT,
  parked INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0, -- counts the provider's moves between platforms
  deaths INTEGER NOT NULL DEFAULT 0, quarantined_until INTEGER
) WITHOUT ROWID;

-- Incidents and maintenances as last seen.
CREATE TABLE item(
  provider TEXT NOT NULL, key BLOB NOT NULL,
  native_id TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, status TEXT NOT NULL, impact TEXT NOT NULL,
  url TEXT, started_at INTEGER, scheduled_for INTEGER, scheduled_until INTEGER, components TEXT NOT NULL,
  digest BLOB NOT NULL, newest_at INTEGER, open INTEGER NOT NULL, missing INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER NOT NULL, last_listed INTEGER NOT NULL,
  told_status TEXT, told_impact TEXT, changes INTEGER NOT NULL DEFAULT 0,
  latest_id TEXT, latest_at INTEGER, latest_revision INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(provider, key)
) WITHOUT ROWID;
CREATE INDEX item_open ON item(provider) WHERE open = 1;

-- Every version of every update ever seen; clustered by incident.
CREATE TABLE seen(
  item BLOB NOT NULL, update_key BLOB NOT NULL, fingerprint BLOB NOT NULL,
  revision INTEGER NOT NULL, edited_at INTEGER, first_seen INTEGER NOT NULL,
  PRIMARY KEY(item, update_key, fingerprint)
) WITHOUT ROWID;

-- The components of a provider, all of them in one row: a JSON object by id.
CREATE TABLE component(provider TEXT PRIMARY KEY, list TEXT NOT NULL);

-- line: the final JSON bytes, fixed at commit, so that every attempt of every sink writes the same.
CREATE TABLE event(
  seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, provider TEXT NOT NULL, kind TEXT NOT NULL, impact TEXT NOT NULL,
  observed_at INTEGER NOT NULL, line TEXT NOT NULL
);
CREATE INDEX event_provider ON event(provider, observed_at);
CREATE INDEX event_observed ON event(observed_at);

-- Events a filter kept from being told: no seq, so the sequence of those told has no gap.
CREATE TABLE filtered(
  id BLOB PRIMARY KEY, provider TEXT NOT NULL, kind TEXT NOT NULL, impact TEXT NOT NULL,
  observed_at INTEGER NOT NULL, reason TEXT NOT NULL, line TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX filtered_observed ON filtered(observed_at);

CREATE TABLE sink(
  id TEXT PRIMARY KEY, seq INTEGER NOT NULL, memory TEXT, started_at INTEGER NOT NULL,
  delivered_at INTEGER, trouble TEXT
) WITHOUT ROWID;
";

/// Opens the ledger in `state_dir` for writing, and creates or upgrades it as needed.
pub fn open_writer(state_dir: &Path) -> Result<Connection, LedgerError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .map_err(|source| LedgerError::Directory { path: state_dir.to_owned(), source })?;
    let path = state_dir.join(DATABASE);
    // Create the file here with its mode, not by SQLite with the umask's. An existing file is not
    // opened: closing it would release the locks that other connections of this process hold, and
    // with them the protection of the write-ahead log.
    let made = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
    match made {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            return Err(LedgerError::Directory { path, source });
        }
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if state_dir.join(JOURNAL).exists() {
        // Power failed while the database was being created: only a writing connection can roll
        // that back.
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|error| LedgerError::opening(&path, &error))?;
        let taken_back =
            connection.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0));
        taken_back.map_err(|error| LedgerError::opening(&path, &error))?;
    }
    examine(&path)?;
    let mut connection = Connection::open_with_flags(&path, flags)
        .map_err(|error| LedgerError::opening(&path, &error))?;
    prepare_writer(&path, &mut connection)?;
    Ok(connection)
}

/// Removes the database in `state_dir`, with its logs.
pub(super) fn remove(state_dir: &Path) -> Result<(), LedgerError> {
    for name in [DATABASE, WAL, "ledger.db-shm", JOURNAL] {
        let path = state_dir.join(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(LedgerError::Directory { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a database that is foreign, too new or damaged. SQLite reports an unreadable disk as a
/// damaged file, so the file is read directly and checked again before the user is told to move it
/// away.
fn examine(path: &Path) -> Result<(), LedgerError> {
    match look_into(path) {
        Err(LedgerError::Damaged { .. }) => read_through(path).and_then(|()| look_into(path)),
        looked => looked,
    }
}

/// Reads what the check reads. The files stay open to keep the locks, as above: either the process
/// ends next, or this was a rare transient error.
fn read_through(path: &Path) -> Result<(), LedgerError> {
    for path in [path, &path.with_file_name(WAL)] {
        let read = File::open(path).map(ManuallyDrop::new);
        let read = read.and_then(|file| {
            std::io::copy(&mut (&*file).take(CHECKED_UP_TO), &mut std::io::sink())
        });
        match read {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let reason = format!(
                    "{} cannot be read: {error}. Check the disk; the file was not modified",
                    path.display()
                );
                return Err(LedgerError::Failed { reason });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Read-only: closing a writing connection would checkpoint the write-ahead log into the file,
/// damaged or not.
fn look_into(path: &Path) -> Result<(), LedgerError> {
    let opening = |error: rusqlite::Error| LedgerError::opening(path, &error);
    let damaged = |reason: String| LedgerError::Damaged { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size == 0 {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(opening)?;
    connection.busy_timeout(BUSY).map_err(opening)?;
    let application: i64 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(opening)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(opening)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(damaged("it is another program's".to_owned()));
    }
    let version: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opening)?;
    let known = STEPS.len() as i64;
    if version > known {
        return Err(LedgerError::Newer { path: path.to_owned(), found: version, known });
    }
    // Find a damaged page here and not during an outage. The check reads the whole file, so large
    // files are exempt: startup has to stay fast.
    if tables > 0 && size <= CHECKED_UP_TO {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(opening)?;
        if verdict != "ok" {
            return Err(damaged(verdict));
        }
    }
    Ok(())
}

/// Opens a temporary database: SQLite keeps it in memory and in an unnamed file, which disappears
/// with the process however it ends.
pub(in crate::ledger) fn open_scratch() -> rusqlite::Result<Connection> {
    let mut connection = Connection::open("")?;
    keep_plans(&connection)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    connection.set_prepared_statement_cache_capacity(64);
    let transaction = connection.transaction()?;
    migrate(&transaction, 0)?;
    transaction.commit()?;
    Ok(connection)
}

fn prepare_writer(path: &Path, connection: &mut Connection) -> Result<(), LedgerError> {
    let opening = |error: rusqlite::Error| LedgerError::opening(path, &error);
    connection.busy_timeout(BUSY).map_err(opening)?;
    keep_plans(connection).map_err(opening)?;
    let version: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opening)?;
    let known = STEPS.len() as i64;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(opening)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(opening)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(opening)?;
    connection.pragma_update(None, "journal_size_limit", wal::LEFT).map_err(opening)?;
    connection.pragma_update(None, "wal_autocheckpoint", wal::PAGES).map_err(opening)?;
    // With a savepoint per result, keep its rollback data in memory instead of a temporary file.
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(opening)?;
    connection.pragma_update(None, "cache_size", -2 * 1024).map_err(opening)?;
    connection.set_prepared_statement_cache_capacity(64);
    if version < known {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Exclusive)
            .map_err(opening)?;
        migrate(&transaction, version).map_err(opening)?;
        transaction.commit().map_err(opening)?;
    }
    Ok(())
}

/// Compiles statements only once. Otherwise SQLite recompiles some of them for each bound value in
/// search of a better plan: a limit or a join is enough for that.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

fn migrate(transaction: &Transaction<'_>, done: i64) -> rusqlite::Result<()> {
    for step in STEPS.iter().skip(usize::try_from(done).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)
}

/// Opens the ledger in `state_dir` for reading, also while `run` is writing.
pub(super) fn open_reader(state_dir: &Path) -> Result<Connection, LedgerError> {
    let path = state_dir.join(DATABASE);
    if !path.exists() {
        return Err(LedgerError::Missing { path });
    }
    let opening = |error: rusqlite::Error| LedgerError::opening(&path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(opening)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(opening)?;
    keep_plans(&connection).map_err(opening)?;
    // Readers read only the newest events, or everything once: the system's cache serves both.
    connection.pragma_update(None, "cache_size", -512).map_err(opening)?;
    let version: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opening)?;
    let known = STEPS.len() as i64;
    if version > known {
        return Err(LedgerError::Newer { path, found: version, known });
    }
    if version < known {
        return Err(LedgerError::Missing { path });
    }
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_new_database_is_durable_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let connection = open_writer(dir.path()).unwrap();
        let mode: String =
            connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        let synchronous: i64 =
            connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
        let permissions = std::fs::metadata(dir.path().join(DATABASE)).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, 0o600);
        drop(connection);
        open_writer(dir.path()).unwrap();
        open_reader(dir.path()).unwrap();
    }

    #[test]
    #[ignore = "needs /proc/locks, which lists the locks of files: see .ci/run"]
    fn opening_again_leaves_the_locks_of_other_connections() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let _first = open_writer(dir.path()).unwrap();
        let reader = open_reader(dir.path()).unwrap();
        reader.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap();
        let inode = format!(":{} ", std::fs::metadata(dir.path().join(DATABASE)).unwrap().ino());
        let held = || std::fs::read_to_string("/proc/locks").map(|locks| locks.contains(&inode));
        assert!(held().unwrap(), "the reader has no lock");
        drop(open_writer(dir.path()).unwrap());
        assert!(held().unwrap(), "another program could take the write-ahead log away");
    }

    #[test]
    fn a_statement_is_compiled_once_whatever_is_bound() {
        let dir = tempfile::tempdir().unwrap();
        for connection in [open_writer(dir.path()).unwrap(), open_reader(dir.path()).unwrap()] {
            for sql in [
                "SELECT line FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                "SELECT quiet.at FROM provider LEFT JOIN quiet ON quiet.provider = id WHERE id = ?1 AND 1 <> ?2",
            ] {
                let mut statement = connection.prepare(sql).unwrap();
                for bound in 1..4 {
                    assert!(statement.query([bound, bound]).unwrap().next().unwrap().is_none());
                }
                assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
            }
        }
    }

    #[test]
    fn a_newer_or_foreign_or_damaged_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(DATABASE);
        open_writer(dir.path()).unwrap().pragma_update(None, "user_version", 999).unwrap();
        assert!(matches!(open_writer(dir.path()), Err(LedgerError::Newer { found: 999, .. })));

        std::fs::write(
            &path,
            b"this is not a database, but it is long enough to be taken for one".repeat(40),
        )
        .unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(open_writer(dir.path()), Err(LedgerError::Damaged { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);

        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
        assert!(matches!(open_writer(dir.path()), Err(LedgerError::Damaged { .. })));
    }
}
