//! What commands change while `run` may be running: mutes and dead letters.
//!
//! Each is one short transaction of its own; SQLite lets one writer wait for the other.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::migrate;
use crate::event::Time;
use crate::ledger::LedgerError;

type Answer<T> = Result<T, LedgerError>;

/// Changes mutes and dead letters in the ledger of a state directory.
pub struct Control {
    db: Connection,
}

impl Control {
    /// Opens the ledger in `state_dir`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none, or none that can be written.
    pub fn open(state_dir: &Path) -> Answer<Self> {
        // A command makes no ledger: it would be in the wrong place.
        migrate::open_reader(state_dir)?;
        Ok(Self { db: migrate::open_writer(state_dir)? })
    }

    /// Adds a mute and returns its id. One that is in effect for the same provider and component is
    /// replaced.
    pub fn mute(
        &mut self,
        provider: &str,
        component: Option<&str>,
        until: Option<Time>,
        reason: Option<&str>,
        now: Time,
    ) -> Answer<i64> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        end_mutes(&transaction, provider, component, false, now)?;
        transaction.execute(
            "INSERT INTO mute(provider, component, until, reason, created_at) VALUES(?1, ?2, ?3, ?4, ?5)",
            params![provider, component, super::millis(until), reason, now.timestamp_millis()],
        )?;
        let id = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok(id)
    }

    /// Ends the mutes of a provider, or of one of its components. Returns how many there were; what
    /// they held back is due at once.
    pub fn unmute(&mut self, provider: &str, component: Option<&str>, now: Time) -> Answer<usize> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ended = end_mutes(&transaction, provider, component, component.is_none(), now)?;
        transaction.commit()?;
        Ok(ended)
    }

    /// Puts dead letters back into the outbox: one, or all of a channel. Returns how many.
    pub fn retry(&mut self, id: Option<i64>, channel: Option<&str>, now: Time) -> Answer<usize> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let chosen = "(?1 IS NULL OR id = ?1) AND (?2 IS NULL OR channel = ?2)";
        // With the same key and bytes: a receiver that has it after all drops it.
        transaction.execute(
            &format!(
                "INSERT INTO outbox(channel, thread, seq, content, key, phase, created_at, steps, in_doubt)
                 SELECT channel, thread, seq, content, key, phase, ?3, steps, steps IS NOT NULL FROM dead_letter
                 WHERE {chosen} ORDER BY id ON CONFLICT(key) DO NOTHING"
            ),
            params![id, channel, now.timestamp_millis()],
        )?;
        let count = transaction
            .execute(&format!("DELETE FROM dead_letter WHERE {chosen}"), params![id, channel])?;
        transaction.commit()?;
        Ok(count)
    }

    /// Removes dead letters for good: one, or all of a channel. Returns how many.
    pub fn discard(&mut self, id: Option<i64>, channel: Option<&str>) -> Answer<usize> {
        let count = self.db.execute(
            "DELETE FROM dead_letter WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR channel = ?2)",
            params![id, channel],
        )?;
        Ok(count)
    }

    /// Returns the id of a provider that was ever watched and is named so.
    pub fn provider(&self, id: &str) -> Answer<Option<String>> {
        let found = self
            .db
            .query_row("SELECT id FROM provider WHERE id = ?1", [id], |row| row.get(0))
            .optional()?;
        Ok(found)
    }
}

/// Ends the mutes of a provider's component, of the provider as a whole, or with `all` every mute of
/// it. What they hold back is due at once.
fn end_mutes(
    db: &Connection,
    provider: &str,
    component: Option<&str>,
    all: bool,
    now: Time,
) -> rusqlite::Result<usize> {
    let chosen = "ended_at IS NULL AND provider = ?1 AND (?2 OR component IS ?3)";
    let now = now.timestamp_millis();
    // What another mute still covers is held again.
    db.execute("UPDATE outbox SET due_at = ?1 WHERE hold = 'mute'", [now])?;
    db.execute(
        &format!("UPDATE mute SET ended_at = ?4 WHERE {chosen}"),
        params![provider, all, component, now],
    )
}
