//! Emitted and suppressed events.

use rusqlite::{Connection, params};

use super::Sql;
use crate::event::{EventId, Impact, Kind, Time};

/// An event to insert under the next sequence number.
pub(super) struct EventRow<'a> {
    pub(super) seq: u64,
    pub(super) id: EventId,
    pub(super) provider: &'a str,
    pub(super) kind: Kind,
    pub(super) impact: Impact,
    pub(super) observed_at: Time,
    pub(super) line: &'a str,
}

/// Returns the number of the newest event; 0 if there is none.
pub(super) fn newest_seq(db: &Connection) -> Sql<u64> {
    db.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Inserts an event unless one with its id was emitted or suppressed before. Returns whether it was
/// new.
pub(super) fn put_event(db: &Connection, event: &EventRow<'_>) -> Sql<bool> {
    // A separate query: an INSERT with a SELECT keeps copies of the pages it changes.
    if db.prepare_cached("SELECT 1 FROM filtered WHERE id = ?1")?.exists([event.id.as_bytes()])? {
        return Ok(false);
    }
    let inserted = db
        .prepare_cached(
            "INSERT INTO event(seq, id, provider, kind, impact, observed_at, line) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT(id) DO NOTHING",
        )?
        .execute(params![
            event.seq.cast_signed(),
            event.id.as_bytes(),
            event.provider,
            event.kind.as_str(),
            event.impact.as_str(),
            event.observed_at.timestamp_millis(),
            event.line
        ])?;
    Ok(inserted > 0)
}

/// Returns whether an event with this id was emitted or suppressed before.
pub(super) fn is_known_event(db: &Connection, id: EventId) -> Sql<bool> {
    let known = "SELECT 1 FROM event WHERE id = ?1 UNION ALL SELECT 1 FROM filtered WHERE id = ?1";
    db.prepare_cached(known)?.exists([id.as_bytes()])
}

/// The key in `meta` of the newest sequence number imported from the event log.
const IMPORTED: &str = "adopted";

/// Records that events up to `seq` may have been imported from the event log, which does not
/// include the seen versions of incidents.
pub(super) fn put_imported(db: &Connection, seq: u64) -> Sql<()> {
    db.execute(
        "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
        params![IMPORTED, seq.cast_signed()],
    )?;
    Ok(())
}

/// Returns whether the event with this id may have been imported from the event log.
pub(super) fn was_imported(db: &Connection, id: EventId) -> Sql<bool> {
    let imported =
        "SELECT 1 FROM event WHERE id = ?1 AND seq <= (SELECT value FROM meta WHERE key = ?2)";
    db.prepare_cached(imported)?.exists(params![id.as_bytes(), IMPORTED])
}

/// Counts a new event of a provider whose id was already taken.
pub(super) fn count_dropped(db: &Connection, provider: &str) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET dropped_events = coalesce(dropped_events, 0) + 1 WHERE id = ?1",
    )?
    .execute([provider])?;
    Ok(())
}

/// Inserts a suppressed event unless one with its id is known.
pub(super) fn put_filtered(db: &Connection, event: &EventRow<'_>, reason: &str) -> Sql<()> {
    db.prepare_cached(
        "INSERT INTO filtered(id, provider, kind, impact, observed_at, reason, line) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE NOT EXISTS(SELECT 1 FROM event WHERE id = ?1) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        event.id.as_bytes(),
        event.provider,
        event.kind.as_str(),
        event.impact.as_str(),
        event.observed_at.timestamp_millis(),
        reason,
        event.line
    ])?;
    Ok(())
}
