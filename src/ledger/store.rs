//! The SQL of the writer: rows in and out, nothing decided here. Times are milliseconds since 1970, UTC.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::{Deserialize, Serialize};

use super::messages::{Binding, Checkpoint};
use super::reconcile::{KnownItem, Latest, Seen};
use crate::config::Provider;
use crate::event::{Component, ComponentStatus, EventId, Fingerprint, Impact, IncidentKey, Kind, Status, Time, UpdateKey};
use crate::fetch::Validators;
use crate::snapshot::Incident;

type Sql<T> = rusqlite::Result<T>;

/// What a transaction needs to know of a provider.
#[derive(Debug, Clone, Default)]
pub(super) struct ProviderState {
    pub(super) last_success_at: Option<Time>,
    pub(super) epoch: u32,
    pub(super) page_id: Option<String>,
    pub(super) page_version: Option<Time>,
    pub(super) complete_version: Option<Time>,
    pub(super) baseline_at: Option<Time>,
    pub(super) recent_incidents_at: Option<Time>,
    pub(super) recent_maintenances_at: Option<Time>,
    pub(super) unreachable: bool,
    pub(super) outages: u32,
    pub(super) page_url: Option<String>,
    pub(super) source: Option<String>,
}

/// Components of one provider that are remembered although its page does not list them any more.
const UNLISTED: usize = 2000;

/// A component as last seen and told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KnownComponent {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<String>,
    pub(super) status: ComponentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<Status>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) changes: u32,
    /// When its status changed last, in milliseconds.
    since: i64,
}

/// Left out where it is so, to keep the list short.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code hands over a reference")]
fn is_zero(changes: &u32) -> bool {
    *changes == 0
}

impl KnownComponent {
    pub(super) fn new(component: &Component, told: Option<Status>, changes: u32, now: Time) -> Self {
        let Component { name, group, status, .. } = component;
        Self { name: name.clone(), group: group.clone(), status: *status, told, changes, since: now.timestamp_millis() }
    }
}

/// The components of a provider by id.
pub(super) type Components = BTreeMap<String, KnownComponent>;

/// An event to be inserted under the next number.
pub(super) struct EventRow<'a> {
    pub(super) seq: u64,
    pub(super) id: EventId,
    pub(super) provider: &'a str,
    pub(super) kind: Kind,
    pub(super) impact: Impact,
    pub(super) observed_at: Time,
    pub(super) line: &'a str,
}

pub(super) fn millis(time: Option<Time>) -> Option<i64> {
    time.map(|time| time.timestamp_millis())
}

pub(super) fn time(millis: Option<i64>) -> Option<Time> {
    millis.and_then(Time::from_timestamp_millis)
}

fn blob<const N: usize>(row: &Row<'_>, column: &str) -> Sql<[u8; N]> {
    row.get::<_, [u8; N]>(column)
}

/// A word of ours from the database; one that is not is damage, told as such.
pub(super) fn word<T: std::str::FromStr<Err = crate::event::UnknownWord>>(row: &Row<'_>, column: &str) -> Sql<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: crate::event::UnknownWord| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn optional_word<T: std::str::FromStr<Err = crate::event::UnknownWord>>(row: &Row<'_>, column: &str) -> Sql<Option<T>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null { Ok(None) } else { word(row, column).map(Some) }
}

pub(super) fn provider_state(db: &Connection, id: &str) -> Sql<ProviderState> {
    let mut statement = db.prepare_cached(
        "SELECT last_success_at, epoch, page_id, page_version, complete_version, baseline_at, recent_incidents_at, recent_maintenances_at,
                unreachable, outages, page_url, source FROM provider WHERE id = ?1",
    )?;
    statement.query_row([id], |row| {
        Ok(ProviderState {
            last_success_at: time(row.get("last_success_at")?),
            epoch: row.get("epoch")?,
            page_id: row.get("page_id")?,
            page_version: time(row.get("page_version")?),
            complete_version: time(row.get("complete_version")?),
            baseline_at: time(row.get("baseline_at")?),
            recent_incidents_at: time(row.get("recent_incidents_at")?),
            recent_maintenances_at: time(row.get("recent_maintenances_at")?),
            unreachable: row.get("unreachable")?,
            outages: row.get("outages")?,
            page_url: row.get("page_url")?,
            source: row.get("source")?,
        })
    })
}

/// Where a provider's poller left off, from its row.
pub(super) fn checkpoint(row: &Row<'_>, provider: &Provider) -> Sql<Checkpoint> {
    let address: Option<String> = row.get("document_url")?;
    let address = address.map(|address| if address.is_empty() { provider.url.as_str().to_owned() } else { address });
    let binding = match (row.get("source")?, row.get("source_version")?, address.and_then(|address| address.parse().ok())) {
        (Some(source), Some(version), Some(document_url)) => Some(Binding { source, version, document_url }),
        _ => None,
    };
    Ok(Checkpoint {
        binding,
        validators: Validators { etag: row.get("etag")?, last_modified: row.get("last_modified")? },
        body_hash: row.get::<_, Option<[u8; 16]>>("body_hash")?.map(u128::from_be_bytes),
        next_poll_at: time(row.get("next_poll_at")?),
        retry_until: time(row.get("retry_until")?),
        failures: row.get("failures")?,
    })
}

/// What a provider's row says of the configuration.
#[derive(PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) interval_ms: i64,
    pub(super) stale_after_ms: i64,
}

impl Declared {
    pub(super) fn of(provider: &Provider) -> Self {
        Self {
            name: provider.name.clone(),
            url: address_mark(&provider.url),
            interval_ms: provider.settings.interval.as_millis() as i64,
            stale_after_ms: provider.settings.stale_after.as_millis() as i64,
        }
    }
}

/// The provider's address as the database knows it: recognised again, but without the values of its query.
fn address_mark(url: &url::Url) -> String {
    if url.query().is_none() {
        return url.as_str().to_owned();
    }
    format!("{} #{:032x}", crate::redact::redact(url), xxhash_rust::xxh3::xxh3_128(url.as_str().as_bytes()))
}

/// The first document's address; the provider's own is not written a second time: its query may hold a secret.
pub(super) fn document_mark<'a>(document: &'a url::Url, provider: &url::Url) -> &'a str {
    if document == provider { "" } else { document.as_str() }
}

pub(super) fn watch_provider(db: &Connection, id: &str, declared: &Declared, now: Time) -> Sql<()> {
    // A changed address voids what was bound to the former one; what was seen stays: it may be the same page.
    db.prepare_cached(
        "INSERT INTO provider(id, name, url, watched, interval_ms, stale_after_ms, first_watched_at)
         VALUES(:id, :name, :url, 1, :interval, :stale, :now)
         ON CONFLICT(id) DO UPDATE SET
           source = iif(url = :url, source, NULL), document_url = iif(url = :url, document_url, NULL),
           etag = iif(url = :url, etag, NULL), last_modified = iif(url = :url, last_modified, NULL),
           body_hash = iif(url = :url, body_hash, NULL), page_id = iif(url = :url, page_id, NULL),
           page_version = iif(url = :url, page_version, NULL), complete_version = iif(url = :url, complete_version, NULL),
           failures = iif(url = :url, failures, 0), retry_until = iif(url = :url, retry_until, NULL),
           name = :name, url = :url, watched = 1, interval_ms = :interval, stale_after_ms = :stale
         WHERE name <> :name OR url <> :url OR watched <> 1 OR interval_ms <> :interval OR stale_after_ms <> :stale",
    )?
    .execute(named_params! {
        ":id": id, ":name": declared.name, ":url": declared.url, ":now": now.timestamp_millis(),
        ":interval": declared.interval_ms, ":stale": declared.stale_after_ms,
    })?;
    Ok(())
}

pub(super) fn item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<Option<KnownItem>> {
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
pub(super) fn retire_item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<()> {
    db.prepare_cached("UPDATE item SET open = 0, missing = 2 WHERE provider = ?1 AND key = ?2")?
        .execute(params![provider, key.as_bytes()])?;
    Ok(())
}

/// Components carry other ids after a move: they are learned anew, silently.
pub(super) fn forget_components(db: &Connection, provider: &str) -> Sql<()> {
    db.prepare_cached("DELETE FROM component WHERE provider = ?1")?.execute([provider])?;
    Ok(())
}

/// The newest items of a provider that have not gone out of sight: its window, as far as it is known.
pub(super) fn listed_items(db: &Connection, provider: &str) -> Sql<Vec<IncidentKey>> {
    db.prepare_cached("SELECT key FROM item WHERE provider = ?1 AND missing = 0 ORDER BY newest_at DESC LIMIT 400")?
        .query_map([provider], |row| blob(row, "key").map(IncidentKey))?
        .collect()
}

/// The items of a provider that were listed last, newest first.
pub(super) fn recent_items(db: &Connection, provider: &str, most: u32) -> Sql<Vec<super::heal::Candidate>> {
    db.prepare_cached(
        "SELECT key, native_id, kind, title, status, impact, scheduled_for, scheduled_until, digest, newest_at, open, missing,
                told_status, told_impact, changes, latest_id, latest_at, latest_revision, url, started_at
         FROM item WHERE provider = ?1 ORDER BY open DESC, newest_at DESC LIMIT ?2",
    )?
    .query_map(params![provider, most], |row| {
        Ok(super::heal::Candidate {
            key: IncidentKey(blob(row, "key")?),
            item: known_item(row)?,
            url: row.get("url")?,
            began: time(row.get("started_at")?),
        })
    })?
    .collect()
}

/// Digest, missing count, openness and last listing of an item: all that an unchanged one needs.
pub(super) fn item_digest(db: &Connection, provider: &str, key: IncidentKey) -> Sql<Option<(u128, u32, bool, i64)>> {
    db.prepare_cached("SELECT digest, missing, open, last_listed FROM item WHERE provider = ?1 AND key = ?2")?
        .query_row(params![provider, key.as_bytes()], |row| {
            Ok((u128::from_be_bytes(blob(row, "digest")?), row.get("missing")?, row.get("open")?, row.get("last_listed")?))
        })
        .optional()
}

pub(super) fn touch_item(db: &Connection, provider: &str, key: IncidentKey, now: Time) -> Sql<()> {
    db.prepare_cached("UPDATE item SET last_listed = ?3, missing = 0 WHERE provider = ?1 AND key = ?2")?.execute(params![
        provider,
        key.as_bytes(),
        now.timestamp_millis()
    ])?;
    Ok(())
}

pub(super) fn put_item(
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
pub(super) fn open_items(db: &Connection, provider: &str) -> Sql<Vec<(IncidentKey, Kind, String, Status)>> {
    db.prepare_cached("SELECT key, kind, native_id, status FROM item WHERE provider = ?1 AND open = 1")?
        .query_map([provider], |row| {
            Ok((IncidentKey(blob(row, "key")?), word(row, "kind")?, row.get("native_id")?, word(row, "status")?))
        })?
        .collect()
}

/// The items of a kind whose newest update is newer than this.
pub(super) fn newer_items(db: &Connection, provider: &str, kind: Kind, than: Time) -> Sql<Vec<IncidentKey>> {
    db.prepare_cached("SELECT key FROM item WHERE provider = ?1 AND kind = ?2 AND newest_at > ?3")?
        .query_map(params![provider, kind.as_str(), than.timestamp_millis()], |row| Ok(IncidentKey(blob(row, "key")?)))?
        .collect()
}

pub(super) fn miss_item(db: &Connection, provider: &str, key: IncidentKey, missing: u32, open: bool, withdrawn: bool) -> Sql<()> {
    db.prepare_cached(
        "UPDATE item SET missing = ?3, open = ?4, told_status = iif(?5, 'withdrawn', told_status) WHERE provider = ?1 AND key = ?2",
    )?
    .execute(params![provider, key.as_bytes(), missing, open, withdrawn])?;
    Ok(())
}

pub(super) fn seen(db: &Connection, item: IncidentKey) -> Sql<Vec<Seen>> {
    db.prepare_cached("SELECT update_key, fingerprint, revision, edited_at FROM seen WHERE item = ?1")?
        .query_map([item.as_bytes()], |row| {
            Ok(Seen {
                update: UpdateKey(blob(row, "update_key")?),
                fingerprint: Fingerprint(blob(row, "fingerprint")?),
                revision: row.get("revision")?,
                edited_at: time(row.get("edited_at")?),
            })
        })?
        .collect()
}

pub(super) fn put_seen(db: &Connection, item: IncidentKey, seen: &Seen, now: Time) -> Sql<()> {
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

/// The components of a provider; none of them is known of one that has none.
pub(super) fn components(db: &Connection, provider: &str) -> Sql<Components> {
    let known = db
        .prepare_cached("SELECT list FROM component WHERE provider = ?1")?
        .query_row([provider], |row| {
            serde_json::from_str(row.get_ref(0)?.as_str()?)
                .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error)))
        })
        .optional()?;
    Ok(known.unwrap_or_default())
}

/// Writes them all. A page that names others each time must not fill the ledger: of those not `listed` the ones that
/// changed last are kept.
pub(super) fn put_components(db: &Connection, provider: &str, mut known: Components, listed: &HashSet<String>) -> Sql<()> {
    let mut unlisted: Vec<(i64, String)> =
        known.iter().filter(|(id, _)| !listed.contains(*id)).map(|(id, component)| (component.since, id.clone())).collect();
    if let Some(excess) = unlisted.len().checked_sub(UNLISTED) {
        unlisted.sort();
        for (_, id) in unlisted.into_iter().take(excess) {
            known.remove(&id);
        }
    }
    let list = serde_json::to_string(&known).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached("INSERT INTO component(provider, list) VALUES(?1, ?2) ON CONFLICT(provider) DO UPDATE SET list = ?2")?
        .execute([provider, &list])?;
    Ok(())
}

pub(super) fn newest_seq(db: &Connection) -> Sql<u64> {
    db.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Whether an event of this id has been told or filtered before.
pub(super) fn knows_event(db: &Connection, id: EventId) -> Sql<bool> {
    db.prepare_cached("SELECT EXISTS(SELECT 1 FROM event WHERE id = ?1) OR EXISTS(SELECT 1 FROM filtered WHERE id = ?1)")?
        .query_row([id.as_bytes()], |row| row.get(0))
}

pub(super) fn put_event(db: &Connection, event: &EventRow<'_>) -> Sql<()> {
    db.prepare_cached("INSERT INTO event(seq, id, provider, kind, impact, observed_at, line) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            event.seq.cast_signed(),
            event.id.as_bytes(),
            event.provider,
            event.kind.as_str(),
            event.impact.as_str(),
            event.observed_at.timestamp_millis(),
            event.line
        ])?;
    Ok(())
}

pub(super) fn put_filtered(db: &Connection, event: &EventRow<'_>, reason: &str) -> Sql<()> {
    db.prepare_cached(
        "INSERT INTO filtered(id, provider, kind, impact, observed_at, reason, line) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO NOTHING",
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

/// Removes what nobody needs any more: told by every sink and older than `before`. Returns rows removed.
pub(super) fn prune(db: &Connection, before: Time, most: u32) -> Sql<usize> {
    let before = before.timestamp_millis();
    let events = db.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE observed_at < ?1
           AND seq <= coalesce((SELECT min(seq) FROM sink), 0) AND seq < (SELECT max(seq) FROM event) ORDER BY seq LIMIT ?2)",
        params![before, most],
    )?;
    let filtered = db.execute(
        "DELETE FROM filtered WHERE id IN (SELECT id FROM filtered WHERE observed_at < ?1 LIMIT ?2)",
        params![before, most],
    )?;
    let seen = db.execute(
        "DELETE FROM seen WHERE item IN (SELECT key FROM item WHERE last_listed < ?1 AND open = 0 LIMIT ?2)",
        params![before, most],
    )?;
    let items = db.execute(
        "DELETE FROM item WHERE (provider, key) IN
           (SELECT provider, key FROM item i WHERE last_listed < ?1 AND open = 0
              AND NOT EXISTS(SELECT 1 FROM seen WHERE seen.item = i.key) LIMIT ?2)",
        params![before, most],
    )?;
    Ok(events + filtered + seen + items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::component;

    #[test]
    fn components_out_of_sight_are_remembered_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let db = super::super::migrate::open_writer(dir.path()).unwrap();
        let at = |n: i64| Time::from_timestamp_millis(n).unwrap();
        let shown = component(Some("shown".to_owned()), "Shown", None, ComponentStatus::Operational);
        let mut known = Components::new();
        known.insert("shown".to_owned(), KnownComponent::new(&shown, Some(Status::Operational), 3, at(0)));
        for n in 1..=UNLISTED + 2 {
            known.insert(format!("gone-{n}"), KnownComponent::new(&shown, None, 0, at(n as i64)));
        }
        put_components(&db, "acme", known, &HashSet::from(["shown".to_owned()])).unwrap();
        let mut known = components(&db, "acme").unwrap();
        assert_eq!(known.len(), UNLISTED + 1);
        assert!(!known.contains_key("gone-2") && known.contains_key("gone-3"), "the oldest go first");
        let shown = known.remove("shown").unwrap();
        assert_eq!((shown.told, shown.changes, shown.status), (Some(Status::Operational), 3, ComponentStatus::Operational));
        assert!(components(&db, "other").unwrap().is_empty());
    }
}
