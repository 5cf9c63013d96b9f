//! Providers as configured, and their pollers' checkpoints.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::{Sql, millis, time};
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::Validators;
use crate::ledger::declared::{Declared, longest_wait, quarantined_until};
use crate::ledger::messages::{Binding, Checkpoint};

/// Stops watching all providers but these.
pub(super) fn unwatch_others(db: &Connection, providers: &[Arc<Provider>]) -> Sql<()> {
    let ids: Vec<&String> = providers.iter().map(|provider| &provider.id).collect();
    db.execute(
        "UPDATE provider SET watched = 0 WHERE watched = 1 AND id NOT IN (SELECT value FROM json_each(?1))",
        [serde_json::to_string(&ids).unwrap_or_default()],
    )?;
    Ok(())
}

/// Stops watching the providers that `is_gone` says so of, by id and URL.
pub(super) fn unwatch_where(db: &Connection, is_gone: impl Fn(&str, &str) -> bool) -> Sql<()> {
    let mut gone: Vec<String> = Vec::new();
    let mut statement = db.prepare_cached("SELECT id, url FROM provider WHERE watched = 1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if is_gone(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?) {
            gone.push(row.get(0)?);
        }
    }
    let mut unwatch = db.prepare_cached("UPDATE provider SET watched = 0 WHERE id = ?1")?;
    gone.iter().try_for_each(|id| unwatch.execute([id]).map(|_| ()))
}

/// Returns the providers that are reported as unreachable.
pub(super) fn unreachable(db: &Connection) -> Sql<HashSet<String>> {
    db.prepare("SELECT id FROM provider WHERE unreachable = 1")?
        .query_map([], |row| row.get(0))?
        .collect()
}

/// Updates the providers' rows from the configuration; unchanged rows are not written.
pub(in crate::ledger) fn declare(
    db: &Connection,
    providers: &[Arc<Provider>],
    real_intervals: &HashMap<String, std::time::Duration>,
    now: Time,
) -> Sql<()> {
    let mut statement = db.prepare(
        "SELECT id, name, url, interval_ms, stale_after_ms, real_interval_ms, retry_until IS NOT NULL FROM provider WHERE watched = 1",
    )?;
    let mut rows = statement.query([])?;
    let mut written: HashMap<String, Declared> = HashMap::with_capacity(providers.len());
    let mut waiting: HashSet<String> = HashSet::new();
    while let Some(row) = rows.next()? {
        let declared = Declared {
            name: row.get(1)?,
            url: row.get(2)?,
            interval_ms: row.get(3)?,
            stale_after_ms: row.get(4)?,
            real_interval_ms: row.get(5)?,
        };
        if row.get(6)? {
            waiting.insert(row.get(0)?);
        }
        written.insert(row.get(0)?, declared);
    }
    for provider in providers {
        let real_interval = real_intervals.get(&provider.id).copied();
        let declared = Declared::of(provider, real_interval);
        if written.get(&provider.id) != Some(&declared) {
            watch_provider(db, &provider.id, &declared, now)?;
        }
        if waiting.contains(&provider.id) {
            bound_wait(db, provider, now)?;
        }
    }
    Ok(())
}

/// Writes a provider's configuration.
pub(super) fn watch_provider(db: &Connection, id: &str, declared: &Declared, now: Time) -> Sql<()> {
    // A changed URL clears what was bound to the former one, but keeps the seen items: it may be
    // the same page.
    db.prepare_cached(
        "INSERT INTO provider(id, name, url, watched, interval_ms, stale_after_ms, real_interval_ms, first_watched_at)
         VALUES(:id, :name, :url, 1, :interval, :stale, :real, :now)
         ON CONFLICT(id) DO UPDATE SET
           source = iif(url = :url, source, NULL), document_url = iif(url = :url, document_url, NULL),
           etag = iif(url = :url, etag, NULL), last_modified = iif(url = :url, last_modified, NULL),
           body_hash = iif(url = :url, body_hash, NULL), companions = iif(url = :url, companions, NULL), page_id = iif(url = :url, page_id, NULL),
           page_version = iif(url = :url, page_version, NULL), complete_version = iif(url = :url, complete_version, NULL),
           doubt = iif(url = :url, doubt, NULL), doubt_since = iif(url = :url, doubt_since, NULL),
           doubt_stale = iif(url = :url, doubt_stale, NULL), doubt_foreign = iif(url = :url, doubt_foreign, NULL),
           failures = iif(url = :url, failures, 0), retry_until = iif(url = :url, retry_until, NULL),
           full_at = iif(url = :url, full_at, NULL), false_304_at = iif(url = :url, false_304_at, NULL),
           unconditional_until = iif(url = :url, unconditional_until, NULL),
           name = :name, url = :url, watched = 1, interval_ms = :interval, stale_after_ms = :stale, real_interval_ms = :real
         WHERE name <> :name OR url <> :url OR watched <> 1 OR interval_ms <> :interval OR stale_after_ms <> :stale OR real_interval_ms IS NOT :real",
    )?
    .execute(named_params! {
        ":id": id, ":name": declared.name, ":url": declared.url, ":now": now.timestamp_millis(),
        ":interval": declared.interval_ms, ":stale": declared.stale_after_ms, ":real": declared.real_interval_ms,
    })?;
    Ok(())
}

/// Shortens a delay requested by a provider's host if it exceeds the bound.
fn bound_wait(db: &Connection, provider: &Provider, now: Time) -> Sql<()> {
    db.prepare_cached(
        "UPDATE provider SET next_poll_at = iif(next_poll_at = retry_until, ?2, next_poll_at), retry_until = ?2
         WHERE id = ?1 AND retry_until > ?2",
    )?
    .execute(params![provider.id, longest_wait(provider, now)])?;
    Ok(())
}

/// Counts a process death while this provider's document was being read; after `most` of them it is
/// not read for a while.
pub(super) fn count_death(db: &Connection, id: &str, most: u32, now: Time) -> Sql<()> {
    let deaths: Option<u32> = db
        .query_row("SELECT deaths FROM provider WHERE id = ?1", [id], |row| row.get(0))
        .optional()?;
    let Some(deaths) = deaths.map(|deaths| deaths + 1) else {
        return Ok(());
    };
    db.execute(
        "UPDATE provider SET deaths = ?2, quarantined_until = ?3 WHERE id = ?1",
        params![id, deaths, millis(quarantined_until(deaths, most, now))],
    )?;
    Ok(())
}

/// Reads a poller's checkpoint from its row.
pub(super) fn checkpoint(row: &Row<'_>, provider: &Provider) -> Sql<Checkpoint> {
    let address: Option<String> = row.get("document_url")?;
    let address = address
        .map(|address| if address.is_empty() { provider.url.as_str().to_owned() } else { address });
    let binding = match (
        row.get("source")?,
        row.get("source_version")?,
        address.and_then(|address| address.parse().ok()),
    ) {
        (Some(source), Some(version), Some(document_url)) => {
            Some(Binding { source, version, document_url })
        }
        _ => None,
    };
    Ok(Checkpoint {
        binding,
        validators: Validators { etag: row.get("etag")?, last_modified: row.get("last_modified")? },
        body_hash: row.get::<_, Option<[u8; 16]>>("body_hash")?.map(u128::from_be_bytes),
        sidecars: row
            .get::<_, Option<String>>("companions")?
            .and_then(|list| serde_json::from_str(&list).ok())
            .unwrap_or_default(),
        full_at: time(row.get("full_at")?),
        false_304_at: time(row.get("false_304_at")?),
        unconditional_until: time(row.get("unconditional_until")?),
        next_poll_at: time(row.get("next_poll_at")?),
        retry_until: time(row.get("retry_until")?),
        failures: row.get("failures")?,
    })
}
