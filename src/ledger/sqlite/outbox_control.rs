//! What commands change while `run` may be running: mutes and dead letters.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Sql, millis};
use crate::event::Time;

/// A change by a command.
#[derive(Debug, Clone, Copy)]
pub(in crate::ledger) enum ControlChange<'a> {
    /// Adds a mute. One that is in effect for the same provider and component is replaced. Returns
    /// its id.
    Mute {
        /// The provider.
        provider: &'a str,
        /// Its component, or all of it.
        component: Option<&'a str>,
        /// When it ends; `None`: when nothing is open.
        until: Option<Time>,
        /// Why.
        reason: Option<&'a str>,
        /// When it begins.
        now: Time,
    },
    /// Ends the mutes of a provider, or of one of its components. Returns how many.
    Unmute {
        /// The provider.
        provider: &'a str,
        /// Its component, or all of it.
        component: Option<&'a str>,
        /// When.
        now: Time,
    },
    /// Puts dead letters back into the outbox. Returns how many.
    Retry {
        /// One of them.
        id: Option<i64>,
        /// Those of a channel.
        channel: Option<&'a str>,
        /// When.
        now: Time,
    },
    /// Removes dead letters for good. Returns how many.
    Discard {
        /// One of them.
        id: Option<i64>,
        /// Those of a channel.
        channel: Option<&'a str>,
    },
}

/// Applies a change in the open transaction.
pub(super) fn control(db: &Connection, change: ControlChange<'_>) -> Sql<i64> {
    match change {
        ControlChange::Mute { provider, component, until, reason, now } => {
            end_mutes(db, provider, component, false, now)?;
            db.execute(
                "INSERT INTO mute(provider, component, until, reason, created_at) VALUES(?1, ?2, ?3, ?4, ?5)",
                params![provider, component, millis(until), reason, now.timestamp_millis()],
            )?;
            Ok(db.last_insert_rowid())
        }
        ControlChange::Unmute { provider, component, now } => {
            let ended = end_mutes(db, provider, component, component.is_none(), now)?;
            Ok(ended as i64)
        }
        ControlChange::Retry { id, channel, now } => {
            let chosen = "(?1 IS NULL OR id = ?1) AND (?2 IS NULL OR channel = ?2)";
            // With the same key and bytes: a receiver that has it after all drops it.
            db.execute(
                &format!(
                    "INSERT INTO outbox(channel, thread, seq, content, key, phase, created_at, steps, in_doubt)
                     SELECT channel, thread, seq, content, key, phase, ?3, steps, steps IS NOT NULL FROM dead_letter
                     WHERE {chosen} ORDER BY id ON CONFLICT(key) DO NOTHING"
                ),
                params![id, channel, now.timestamp_millis()],
            )?;
            let count = db.execute(
                &format!("DELETE FROM dead_letter WHERE {chosen}"),
                params![id, channel],
            )?;
            Ok(count as i64)
        }
        ControlChange::Discard { id, channel } => {
            let count = db.execute(
                "DELETE FROM dead_letter WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR channel = ?2)",
                params![id, channel],
            )?;
            Ok(count as i64)
        }
    }
}

/// Returns the id of a provider that was ever watched and is named so.
pub(super) fn provider_named(db: &Connection, id: &str) -> Sql<Option<String>> {
    db.query_row("SELECT id FROM provider WHERE id = ?1", [id], |row| row.get(0)).optional()
}

/// Ends the mutes of a provider's component, of the provider as a whole, or with `all` every mute of
/// it. What they hold back is due at once.
fn end_mutes(
    db: &Connection,
    provider: &str,
    component: Option<&str>,
    all: bool,
    now: Time,
) -> Sql<usize> {
    let chosen = "ended_at IS NULL AND provider = ?1 AND (?2 OR component IS ?3)";
    let now = now.timestamp_millis();
    // What another mute still covers is held again.
    db.execute("UPDATE outbox SET due_at = ?1 WHERE hold = 'mute'", [now])?;
    db.execute(
        &format!("UPDATE mute SET ended_at = ?4 WHERE {chosen}"),
        params![provider, all, component, now],
    )
}
