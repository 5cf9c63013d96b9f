//! Incidents and maintenances, and which versions of their updates were seen.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{Sql, blob, millis, optional_word, time, word};
use crate::event::{Fingerprint, Impact, IncidentKey, Kind, Status, Time, UpdateKey};
use crate::ledger::heal::Candidate;
use crate::ledger::reconcile::{KnownItem, Latest, Seen};
use crate::snapshot::Incident;

pub(in crate::ledger) fn item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<Option<KnownItem>> {
    db.prepare_cached(
        "SELECT native_id, kind, title, status, impact, scheduled_for, scheduled_until, digest, newest_at, open, missing,
                told_status, told_impact, changes, latest_id, latest_at, latest_revision
         FROM item WHERE provider = ?1 AND key = ?2",
    )?
    .query_row(params![provider, key.as_bytes()], known_item)
    .optional()
}

fn known_item(row: &Row<'_>) -> Sql<KnownItem> {
    let latest: Option<String> = row.get("latest_id")?;
    Ok(KnownItem {
        native_id: row.get("native_id")?,
        kind: word(row, "kind")?,
        title: row.get("title")?,
        status: word(row, "status")?,
        impact: word(row, "impact")?,
        scheduled_for: time(row.get("scheduled_for")?),
        scheduled_until: time(row.get("scheduled_until")?),
        digest: u128::from_be_bytes(blob(row, "digest")?),
        newest_at: time(row.get("newest_at")?),
        open: row.get("open")?,
        missing: row.get("missing")?,
        told_status: optional_word(row, "told_status")?,
        told_impact: optional_word(row, "told_impact")?,
        changes: row.get("changes")?,
        latest: match latest {
            Some(id) => Some(Latest { id, at: time(row.get("latest_at")?), revision: row.get("latest_revision")? }),
            None => None,
        },
    })
}

/// The item stands under another id now: it is not open under this one any more, and nothing is told of that.
pub(in crate::ledger) fn retire_item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<()> {
    db.prepare_cached("UPDATE item SET open = 0, missing = 2 WHERE provider = ?1 AND key = ?2")?
        .execute(params![provider, key.as_bytes()])?;
    Ok(())
}

/// The newest items of a provider that have not gone out of sight: its window, as far as it is known.
pub(in crate::ledger) fn listed_items(db: &Connection, provider: &str) -> Sql<Vec<IncidentKey>> {
    db.prepare_cached("SELECT key FROM item WHERE provider = ?1 AND missing = 0 ORDER BY newest_at DESC LIMIT 400")?
        .query_map([provider], |row| blob(row, "key").map(IncidentKey))?
        .collect()
}

/// The items of a provider that were listed last, newest first.
pub(in crate::ledger) fn recent_items(db: &Connection, provider: &str, most: u32) -> Sql<Vec<Candidate>> {
    db.prepare_cached(
        "SELECT key, native_id, kind, title, status, impact, scheduled_for, scheduled_until, digest, newest_at, open, missing,
                told_status, told_impact, changes, latest_id, latest_at, latest_revision, url, started_at
         FROM item WHERE provider = ?1 ORDER BY open DESC, newest_at DESC LIMIT ?2",
    )?
    .query_map(params![provider, most], |row| {
        Ok(Candidate {
            key: IncidentKey(blob(row, "key")?),
            item: known_item(row)?,
            url: row.get("url")?,
            began: time(row.get("started_at")?),
        })
    })?
    .collect()
}

/// Digest, missing count, openness and last listing of an item: all that an unchanged one needs.
pub(in crate::ledger) fn item_digest(db: &Connection, provider: &str, key: IncidentKey) -> Sql<Option<(u128, u32, bool, i64)>> {
    db.prepare_cached("SELECT digest, missing, open, last_listed FROM item WHERE provider = ?1 AND key = ?2")?
        .query_row(params![provider, key.as_bytes()], |row| {
            Ok((u128::from_be_bytes(blob(row, 0)?), row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()
}

pub(in crate::ledger) fn touch_item(db: &Connection, provider: &str, key: IncidentKey, now: Time) -> Sql<()> {
    db.prepare_cached("UPDATE item SET last_listed = ?3, missing = 0 WHERE provider = ?1 AND key = ?2")?.execute(params![
        provider,
        key.as_bytes(),
        now.timestamp_millis()
    ])?;
    Ok(())
}

pub(in crate::ledger) fn put_item(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
    item: &KnownItem,
    incident: &Incident,
    now: Time,
) -> Sql<()> {
    let components = serde_json::to_string(&incident.components).unwrap_or_else(|_| "[]".to_owned());
    db.prepare_cached(
        "INSERT INTO item(provider, key, native_id, kind, title, status, impact, url, started_at, scheduled_for, scheduled_until,
           components, digest, newest_at, open, missing, first_seen, last_listed, told_status, told_impact, changes,
           latest_id, latest_at, latest_revision)
         VALUES(:provider, :key, :native, :kind, :title, :status, :impact, :url, :started, :for, :until,
           :components, :digest, :newest, :open, 0, :now, :now, :told_status, :told_impact, :changes,
           :latest_id, :latest_at, :latest_revision)
         ON CONFLICT(provider, key) DO UPDATE SET
           kind = :kind, title = :title, status = :status, impact = :impact, url = :url, started_at = :started,
           scheduled_for = :for, scheduled_until = :until, components = :components, digest = :digest, newest_at = :newest,
           open = :open, missing = 0, last_listed = :now, told_status = :told_status, told_impact = :told_impact,
           changes = :changes, latest_id = :latest_id, latest_at = :latest_at, latest_revision = :latest_revision",
    )?
    .execute(named_params! {
        ":provider": provider, ":key": key.as_bytes(), ":native": item.native_id, ":kind": item.kind.as_str(),
        ":title": item.title, ":status": item.status.as_str(), ":impact": item.impact.as_str(), ":url": incident.url,
        ":started": millis(incident.started_at), ":for": millis(item.scheduled_for), ":until": millis(item.scheduled_until),
        ":components": components, ":digest": item.digest.to_be_bytes(), ":newest": millis(item.newest_at), ":open": item.open,
        ":now": now.timestamp_millis(), ":told_status": item.told_status.map(Status::as_str),
        ":told_impact": item.told_impact.map(Impact::as_str), ":changes": item.changes,
        ":latest_id": item.latest.as_ref().map(|latest| &latest.id),
        ":latest_at": item.latest.as_ref().and_then(|latest| millis(latest.at)),
        ":latest_revision": item.latest.as_ref().map_or(0, |latest| latest.revision),
    })?;
    Ok(())
}

/// The native id and key of each open item.
pub(in crate::ledger) fn open_items(db: &Connection, provider: &str) -> Sql<Vec<(IncidentKey, Kind, String, Status)>> {
    db.prepare_cached("SELECT key, kind, native_id, status FROM item WHERE provider = ?1 AND open = 1")?
        .query_map([provider], |row| Ok((IncidentKey(blob(row, 0)?), word(row, 1)?, row.get(2)?, word(row, 3)?)))?
        .collect()
}

/// The items of a kind whose newest update is newer than this.
pub(in crate::ledger) fn newer_items(db: &Connection, provider: &str, kind: Kind, than: Time) -> Sql<Vec<IncidentKey>> {
    db.prepare_cached("SELECT key FROM item WHERE provider = ?1 AND kind = ?2 AND newest_at > ?3")?
        .query_map(params![provider, kind.as_str(), than.timestamp_millis()], |row| Ok(IncidentKey(blob(row, "key")?)))?
        .collect()
}

pub(in crate::ledger) fn miss_item(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
    missing: u32,
    open: bool,
    told: Option<Status>,
) -> Sql<()> {
    db.prepare_cached(
        "UPDATE item SET missing = ?3, open = ?4, told_status = coalesce(?5, told_status) WHERE provider = ?1 AND key = ?2",
    )?
    .execute(params![provider, key.as_bytes(), missing, open, told.map(Status::as_str)])?;
    Ok(())
}

pub(in crate::ledger) fn seen(db: &Connection, item: IncidentKey) -> Sql<Vec<Seen>> {
    db.prepare_cached("SELECT update_key, fingerprint, revision, edited_at FROM seen WHERE item = ?1")?
        .query_map([item.as_bytes()], |row| {
            Ok(Seen {
                update: UpdateKey(blob(row, 0)?),
                fingerprint: Fingerprint(blob(row, 1)?),
                revision: row.get(2)?,
                edited_at: time(row.get(3)?),
            })
        })?
        .collect()
}

pub(in crate::ledger) fn put_seen(db: &Connection, item: IncidentKey, seen: &Seen, now: Time) -> Sql<()> {
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
