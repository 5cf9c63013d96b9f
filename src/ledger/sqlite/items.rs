//! Incidents and maintenances, and the seen versions of their updates.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Sql, blob, millis, optional_word, time, word};
use crate::event::{Fingerprint, Impact, IncidentKey, Kind, Status, Time, UpdateKey};
use crate::ledger::known::{ItemSummary, Open};
use crate::ledger::reconcile::{ItemState, Latest, SeenVersion};
use crate::ledger::rematch::Candidate;
use crate::snapshot::Incident;

/// The columns of [`known_item`] in order: by name each would be searched for in each row.
macro_rules! known_columns {
    () => {
        "native_id, kind, title, status, impact, scheduled_for, scheduled_until, digest, newest_at, open, missing,
         told_status, told_impact, changes, latest_id, latest_at, latest_revision"
    };
}

pub(super) fn item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<Option<ItemState>> {
    db.prepare_cached(concat!(
        "SELECT ",
        known_columns!(),
        " FROM item WHERE provider = ?1 AND key = ?2"
    ))?
    .query_row(params![provider, key.as_bytes()], known_item)
    .optional()
}

fn known_item(row: &Row<'_>) -> Sql<ItemState> {
    let latest: Option<String> = row.get(14)?;
    Ok(ItemState {
        native_id: row.get(0)?,
        kind: word(row, 1)?,
        title: row.get(2)?,
        status: word(row, 3)?,
        impact: word(row, 4)?,
        scheduled_for: time(row.get(5)?),
        scheduled_until: time(row.get(6)?),
        digest: u128::from_be_bytes(blob(row, 7)?),
        newest_at: time(row.get(8)?),
        open: row.get(9)?,
        missing: row.get(10)?,
        emitted_status: optional_word(row, 11)?,
        emitted_impact: optional_word(row, 12)?,
        changes: row.get(13)?,
        latest: match latest {
            Some(id) => Some(Latest { id, at: time(row.get(15)?), revision: row.get(16)? }),
            None => None,
        },
    })
}

/// Marks an item that is now listed under another id as no longer open, without an event.
pub(super) fn retire_item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<()> {
    db.prepare_cached("UPDATE item SET open = 0, missing = 2 WHERE provider = ?1 AND key = ?2")?
        .execute(params![provider, key.as_bytes()])?;
    Ok(())
}

/// Returns how many items are not missing, at most 400: the size of the known window.
pub(super) fn listed_items(db: &Connection, provider: &str) -> Sql<usize> {
    db.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM item WHERE provider = ?1 AND missing = 0 LIMIT 400)",
    )?
    .query_row([provider], |row| row.get::<_, i64>(0))
    .map(|count| usize::try_from(count).unwrap_or(0))
}

/// Returns the provider's most recently listed items, newest first.
pub(super) fn recent_items(db: &Connection, provider: &str, most: u32) -> Sql<Vec<Candidate>> {
    db.prepare_cached(concat!(
        "SELECT ",
        known_columns!(),
        ", key, url, started_at, same_as IS NOT NULL AND missing >= 2
         FROM item WHERE provider = ?1 ORDER BY open DESC, missing >= 2, newest_at DESC LIMIT ?2"
    ))?
    .query_map(params![provider, most], |row| {
        Ok(Candidate {
            key: IncidentKey(blob(row, 17)?),
            item: known_item(row)?,
            url: row.get(18)?,
            began: time(row.get(19)?),
            retired: row.get(20)?,
        })
    })?
    .collect()
}

/// Returns summaries of these items, in order.
pub(super) fn item_summaries(
    db: &Connection,
    provider: &str,
    keys: &[IncidentKey],
) -> Sql<Vec<Option<ItemSummary>>> {
    let mut statement = db.prepare_cached(
        "SELECT digest, missing, open, last_listed, same_as IS NOT NULL AND missing >= 2
         FROM item WHERE provider = ?1 AND key = ?2",
    )?;
    // Bound once: only the key changes.
    statement.raw_bind_parameter(1, provider)?;
    keys.iter()
        .map(|key| {
            statement.raw_bind_parameter(2, key.as_bytes())?;
            let mut rows = statement.raw_query();
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let digest = u128::from_be_bytes(blob(row, 0)?);
            Ok(Some(ItemSummary {
                digest,
                missing: row.get(1)?,
                open: row.get(2)?,
                last_listed: row.get(3)?,
                retired: row.get(4)?,
            }))
        })
        .collect()
}

pub(super) fn touch_item(db: &Connection, provider: &str, key: IncidentKey, now: Time) -> Sql<()> {
    db.prepare_cached(
        "UPDATE item SET last_listed = ?3, missing = 0 WHERE provider = ?1 AND key = ?2",
    )?
    .execute(params![provider, key.as_bytes(), now.timestamp_millis()])?;
    Ok(())
}

pub(super) fn put_item(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
    item: &ItemState,
    incident: &Incident,
    now: Time,
) -> Sql<()> {
    let components =
        serde_json::to_string(&incident.components).unwrap_or_else(|_| "[]".to_owned());
    db.prepare_cached(
        "INSERT INTO item(provider, key, native_id, kind, title, status, impact, url, started_at, scheduled_for, scheduled_until,
           components, digest, newest_at, open, missing, first_seen, last_listed, told_status, told_impact, changes,
           latest_id, latest_at, latest_revision)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, ?16, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
         ON CONFLICT(provider, key) DO UPDATE SET
           kind = ?4, title = ?5, status = ?6, impact = ?7, url = ?8, started_at = ?9, scheduled_for = ?10, scheduled_until = ?11,
           components = ?12, digest = ?13, newest_at = ?14, open = ?15, missing = 0, last_listed = ?16, told_status = ?17,
           told_impact = ?18, changes = ?19, latest_id = ?20, latest_at = ?21, latest_revision = ?22",
    )?
    .execute(params![
        provider,
        key.as_bytes(),
        item.native_id,
        item.kind.as_str(),
        item.title,
        item.status.as_str(),
        item.impact.as_str(),
        incident.url,
        millis(incident.started_at),
        millis(item.scheduled_for),
        millis(item.scheduled_until),
        components,
        item.digest.to_be_bytes(),
        millis(item.newest_at),
        item.open,
        now.timestamp_millis(),
        item.emitted_status.map(Status::as_str),
        item.emitted_impact.map(Impact::as_str),
        item.changes,
        item.latest.as_ref().map(|latest| &latest.id),
        item.latest.as_ref().and_then(|latest| millis(latest.at)),
        item.latest.as_ref().map_or(0, |latest| latest.revision),
    ])?;
    Ok(())
}

pub(super) fn open_items(db: &Connection, provider: &str) -> Sql<Vec<Open>> {
    db.prepare_cached(
        "SELECT key, kind, native_id, status, scheduled_for, scheduled_until FROM item WHERE provider = ?1 AND open = 1",
    )?
    .query_map([provider], |row| {
        Ok(Open {
            key: IncidentKey(blob(row, 0)?),
            kind: word(row, 1)?,
            native_id: row.get(2)?,
            status: word(row, 3)?,
            window: (time(row.get(4)?), time(row.get(5)?)),
        })
    })?
    .collect()
}

/// Returns the items of a kind whose newest update is newer than this, without those that are now
/// listed under another id.
pub(super) fn newer_items(
    db: &Connection,
    provider: &str,
    kind: Kind,
    than: Time,
) -> Sql<Vec<IncidentKey>> {
    db.prepare_cached(
        "SELECT key FROM item WHERE provider = ?1 AND kind = ?2 AND newest_at > ?3
           AND NOT (same_as IS NOT NULL AND missing >= 2)",
    )?
    .query_map(params![provider, kind.as_str(), than.timestamp_millis()], |row| {
        Ok(IncidentKey(blob(row, "key")?))
    })?
    .collect()
}

pub(super) fn miss_item(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
    missing: u32,
    open: bool,
    emitted: Option<Status>,
) -> Sql<()> {
    db.prepare_cached(
        "UPDATE item SET missing = ?3, open = ?4, told_status = coalesce(?5, told_status) WHERE provider = ?1 AND key = ?2",
    )?
    .execute(params![provider, key.as_bytes(), missing, open, emitted.map(Status::as_str)])?;
    Ok(())
}

pub(super) fn seen(db: &Connection, item: IncidentKey) -> Sql<Vec<SeenVersion>> {
    db.prepare_cached(
        "SELECT update_key, fingerprint, revision, edited_at FROM seen WHERE item = ?1",
    )?
    .query_map([item.as_bytes()], |row| {
        Ok(SeenVersion {
            update: UpdateKey(blob(row, 0)?),
            fingerprint: Fingerprint(blob(row, 1)?),
            revision: row.get(2)?,
            edited_at: time(row.get(3)?),
        })
    })?
    .collect()
}

pub(super) fn put_seen(
    db: &Connection,
    item: IncidentKey,
    seen: &SeenVersion,
    now: Time,
) -> Sql<()> {
    db.prepare_cached(
        "INSERT INTO seen(item, update_key, fingerprint, revision, edited_at, first_seen) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        item.as_bytes(),
        seen.update.as_bytes(),
        seen.fingerprint.as_bytes(),
        seen.revision,
        millis(seen.edited_at),
        now.timestamp_millis()
    ])?;
    Ok(())
}
