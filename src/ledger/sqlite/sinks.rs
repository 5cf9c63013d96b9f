//! The sinks' cursors.

use rusqlite::{Connection, params};

use super::Sql;
use crate::event::Time;
use crate::ledger::delivery::Cursor;
use crate::ledger::messages::{Delivered, SinkHealth};

/// Returns a sink's cursor; a new sink starts after `seq`.
pub(super) fn add_sink(db: &Connection, id: &str, seq: u64, now: Time) -> Sql<Cursor> {
    db.prepare_cached(
        "INSERT INTO sink(id, seq, started_at) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![id, seq.cast_signed(), now.timestamp_millis()])?;
    db.prepare_cached("SELECT seq, memory FROM sink WHERE id = ?1")?.query_row([id], |row| {
        Ok(Cursor { seq: row.get::<_, i64>(0)?.cast_unsigned(), memory: row.get(1)? })
    })
}

/// Stores the cursor of a sink that has none.
pub(super) fn begin_sink(db: &Connection, id: &str, cursor: &Cursor, now: Time) -> Sql<()> {
    db.prepare_cached(
        "INSERT INTO sink(id, seq, memory, started_at) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![id, cursor.seq.cast_signed(), cursor.memory, now.timestamp_millis()])?;
    Ok(())
}

/// Records a delivery, after which the sink is up.
pub(super) fn put_cursor(db: &Connection, message: &Delivered, now: Time) -> Sql<()> {
    db.prepare_cached(
        "UPDATE sink SET seq = ?2, memory = ?3, delivered_at = ?4, trouble = NULL WHERE id = ?1",
    )?
    .execute(params![
        message.id,
        message.cursor.seq.cast_signed(),
        message.cursor.memory,
        now.timestamp_millis()
    ])?;
    Ok(())
}

/// Records that a sink went down or recovered.
pub(super) fn put_sink_health(db: &Connection, message: &SinkHealth) -> Sql<()> {
    db.prepare_cached("UPDATE sink SET trouble = ?2 WHERE id = ?1")?
        .execute(params![message.id, message.failure])?;
    Ok(())
}
