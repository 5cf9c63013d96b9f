//! A temporary copy of the outbox: what delivery would do, without doing it.

use std::path::Path;

use rusqlite::{Connection, params};

use super::outbox::change_outbox;
use super::read::Reader;
use super::{ROUTER, migrate};
use crate::ledger::LedgerError;
use crate::ledger::delivery::StoredEvent;
use crate::ledger::outbox::{MessageId, OutboxChange};

/// What is copied of a ledger. Of its events, those that messages and threads refer to.
const COPY: &str = "
    INSERT INTO outbox SELECT * FROM ledger.outbox;
    INSERT INTO notified SELECT * FROM ledger.notified;
    INSERT INTO delivery SELECT * FROM ledger.delivery;
    INSERT INTO channel SELECT * FROM ledger.channel;
    INSERT INTO mute SELECT * FROM ledger.mute;
    INSERT INTO event(seq, id, provider, kind, impact, observed_at, line)
      SELECT seq, id, provider, kind, impact, observed_at, line FROM ledger.event
      WHERE seq IN (SELECT seq FROM outbox UNION SELECT last_seq FROM notified)
         OR observed_at > (unixepoch() - 3600) * 1000;";

/// An outbox in memory, which starts empty or as that of a ledger.
pub struct OutboxCopy {
    reader: Reader,
}

impl OutboxCopy {
    /// Opens an empty one.
    ///
    /// # Errors
    /// Fails if there is neither memory nor space for temporary files.
    pub fn empty() -> Result<Self, LedgerError> {
        let db = migrate::open_scratch()?;
        db.execute("INSERT INTO sink(id, seq, started_at) VALUES(?1, 0, 0)", [ROUTER])?;
        Ok(Self { reader: Reader::of(db) })
    }

    /// Opens a copy of the outbox in `state_dir`. The ledger is only read.
    ///
    /// # Errors
    /// Fails if there is no ledger, or it cannot be read.
    pub fn copy(state_dir: &Path) -> Result<Self, LedgerError> {
        // Examines it as every reader does.
        Reader::open(state_dir)?;
        let copy = Self::empty()?;
        attached(copy.reader.db(), state_dir, COPY)?;
        Ok(copy)
    }

    /// Takes over the mutes of the ledger as they are now.
    ///
    /// # Errors
    /// Fails if the ledger cannot be read.
    pub fn copy_mutes(&mut self, state_dir: &Path) -> Result<(), LedgerError> {
        let sql = "
            UPDATE outbox SET due_at = unixepoch() * 1000 WHERE hold = 'mute';
            DELETE FROM mute;
            INSERT INTO mute SELECT * FROM ledger.mute;";
        attached(self.reader.db(), state_dir, sql)
    }

    /// Reads it as the dispatcher reads the ledger.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Adds an event; one that is there stays as it is.
    ///
    /// # Errors
    /// Fails if there is no more memory.
    pub fn add(&mut self, recorded: &StoredEvent) -> Result<(), LedgerError> {
        let event = &recorded.event;
        self.reader
            .db()
            .prepare_cached(
                "INSERT INTO event(seq, id, provider, kind, impact, observed_at, line)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                event.seq.cast_signed(),
                event.id.as_bytes(),
                event.provider,
                event.kind.as_str(),
                event.impact.as_str(),
                event.observed_at.timestamp_millis(),
                recorded.line
            ])?;
        Ok(())
    }

    /// Returns how many of these messages each channel has.
    ///
    /// # Errors
    /// Fails if there is no more memory.
    pub fn channels_of(&self, ids: &[MessageId]) -> Result<Vec<(String, u64)>, LedgerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = self.reader.db().prepare_cached(
            "SELECT channel, count(*) FROM outbox WHERE id IN (SELECT value FROM json_each(?1))
             GROUP BY channel",
        )?;
        let ids = serde_json::to_string(ids).unwrap_or_default();
        let rows = statement
            .query_map([ids], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Applies changes.
    ///
    /// # Errors
    /// Fails if there is no more memory.
    pub fn change(&mut self, changes: &[OutboxChange]) -> Result<(), LedgerError> {
        for change in changes {
            change_outbox(self.reader.db(), change)?;
        }
        Ok(())
    }
}

/// Runs statements that see the ledger as the schema `ledger`, in one transaction: all of one
/// moment.
fn attached(db: &Connection, state_dir: &Path, sql: &str) -> Result<(), LedgerError> {
    let path = state_dir.join(migrate::DATABASE).to_string_lossy().into_owned();
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.execute("ATTACH ?1 AS ledger", [format!("file:{path}?mode=ro")])?;
    let copied = db.execute_batch(&format!("BEGIN; {sql} COMMIT;"));
    if copied.is_err() {
        // Nothing to roll back if it had not begun.
        db.execute_batch("ROLLBACK").ok();
    }
    db.execute_batch("DETACH ledger")?;
    Ok(copied?)
}
