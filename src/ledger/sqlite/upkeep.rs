//! What is looked after once an hour: the retention clock, quiet pages, and pages whose ids change.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Sql, time};
use crate::event::Time;

/// The key in `meta` of the retention clock.
const RETENTION: &str = "retention";

/// Returns the stored time of the retention clock.
pub(super) fn retention(db: &Connection) -> Sql<Option<Time>> {
    let stored = db
        .query_row("SELECT value FROM meta WHERE key = ?1", [RETENTION], |row| row.get(0))
        .optional()?;
    Ok(time(stored.flatten()))
}

/// Stores the time of the retention clock.
pub(super) fn put_retention(db: &Connection, reached: Time) -> Sql<()> {
    db.execute(
        "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
        params![RETENTION, reached.timestamp_millis()],
    )?;
    Ok(())
}

/// Clears the mark of pages on which something has happened, and returns those that are read and on
/// which nothing has happened since `long_ago`: judged by the page's own time, its newest item and
/// the observed changes.
pub(super) fn quiet(db: &Connection, long_ago: Time, now: Time) -> Sql<Vec<(String, Time)>> {
    let last = "max(coalesce(page_version, baseline_at, ?1), iif(last_change_at > baseline_at, last_change_at, 0),
        coalesce((SELECT max(max(coalesce(newest_at, 0), coalesce(started_at, 0), coalesce(scheduled_for, 0))) FROM item WHERE item.provider = provider.id), 0))";
    db.execute(
        &format!("UPDATE provider SET quiet_since = NULL WHERE {last} > quiet_since"),
        [now.timestamp_millis()],
    )?;
    let mut statement = db.prepare(&format!(
        "SELECT id, {last} FROM provider
         WHERE watched = 1 AND quiet_since IS NULL AND {last} < ?2 AND coalesce((SELECT at FROM quiet WHERE provider = id), last_success_at) + stale_after_ms >= ?1"
    ))?;
    let values = params![now.timestamp_millis(), long_ago.timestamp_millis()];
    let rows = statement.query_map(values, |row| Ok((row.get(0)?, time(row.get(1)?))))?;
    rows.filter_map(|row| row.map(|(id, newest)| Some((id, newest?))).transpose()).collect()
}

/// Returns the newest item times of a provider, from which its usual pace is derived.
pub(super) fn item_times(db: &Connection, provider: &str) -> Sql<Vec<Time>> {
    let mut statement = db.prepare_cached(
        "SELECT coalesce(newest_at, started_at) AS at FROM item WHERE provider = ?1 AND at IS NOT NULL ORDER BY at DESC LIMIT 200",
    )?;
    let rows = statement.query_map([provider], |row| row.get::<_, Option<i64>>(0))?;
    rows.filter_map(|row| row.map(time).transpose()).collect()
}

/// Forgets how often the ids of pages changed that have not changed them since `long_ago`.
pub(super) fn forget_moves(db: &Connection, long_ago: Time) -> Sql<()> {
    db.execute(
        "UPDATE provider SET silent_moves = NULL WHERE silent_moves IS NOT NULL AND moved_at < ?1",
        [long_ago.timestamp_millis()],
    )?;
    Ok(())
}
