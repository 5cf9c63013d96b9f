//! Loads the pollers' state at startup, for one provider or for all in one pass over each table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, Params};

use super::{checkpoint, time, word};
use crate::config::Provider;
use crate::event::{Component, Time};
use crate::ledger::messages::Loaded;
use crate::ledger::{commit, windows};
use crate::source::Known;

type Sql<T> = rusqlite::Result<T>;

/// Loads the state of one provider's poller.
pub(in crate::ledger) fn one(db: &Connection, provider: &Provider) -> Sql<Loaded> {
    let mut loaded = HashMap::new();
    let declared = HashMap::from([(provider.id.as_str(), provider)]);
    read(db, &declared, "id = ?1", "provider = ?1 AND", [&provider.id], &mut loaded)?;
    Ok(loaded.remove(&provider.id).unwrap_or_default())
}

/// Loads the state of all these pollers, in the same order.
pub(in crate::ledger) fn all(db: &Connection, providers: &[Arc<Provider>]) -> Sql<Vec<Loaded>> {
    let mut loaded = HashMap::with_capacity(providers.len());
    let declared = providers.iter().map(|provider| (provider.id.as_str(), &**provider)).collect();
    read(db, &declared, "watched = 1", "", [], &mut loaded)?;
    Ok(providers.iter().map(|provider| loaded.remove(&provider.id).unwrap_or_default()).collect())
}

fn read<P: Params + Copy>(
    db: &Connection,
    declared: &HashMap<&str, &Provider>,
    providers: &str,
    items: &str,
    values: P,
    loaded: &mut HashMap<String, Loaded>,
) -> Sql<()> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, source, source_version, document_url, etag, last_modified, body_hash, companions, full_at, false_304_at, unconditional_until, coalesce(quiet.next_at, next_poll_at) AS next_poll_at,
                retry_until, real_interval_ms, failures, deaths, quarantined_until, baseline_at IS NOT NULL AS baseline, complete_version,
                usual_components IS NOT NULL AS lists_all, coalesce(quiet.at, last_success_at) AS read_at
         FROM provider LEFT JOIN quiet ON quiet.provider = id WHERE {providers}"
    ))?;
    let mut rows = statement.query(values)?;
    let mut read_at: HashMap<String, Time> = HashMap::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get("id")?;
        let Some(provider) = declared.get(id.as_str()) else {
            continue;
        };
        let known = Known {
            open: Vec::new(),
            version: time(row.get("complete_version")?),
            baseline: row.get("baseline")?,
        };
        let quarantined_until = time(row.get("quarantined_until")?);
        let checkpoint = checkpoint(row, provider)?;
        let compared = provider.filter.names_something() && row.get("lists_all")?;
        if let Some(at) = time(row.get("read_at")?) {
            read_at.insert(id.clone(), at);
        }
        let components = if compared { components(db, &id)? } else { Vec::new() };
        loaded.insert(
            id,
            Loaded {
                checkpoint,
                known,
                active: false,
                window_at: None,
                deaths: row.get("deaths")?,
                real_interval: row
                    .get::<_, Option<i64>>("real_interval_ms")?
                    .and_then(|millis| u64::try_from(millis).ok())
                    .map(std::time::Duration::from_millis),
                quarantined_until,
                components,
            },
        );
    }
    let mut statement = db.prepare_cached(&format!(
        "SELECT provider, kind, native_id, status, scheduled_for, scheduled_until FROM item WHERE {items} open = 1 ORDER BY provider, key"
    ))?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let provider = row.get_ref("provider")?.as_str()?;
        let Some(loaded) = loaded.get_mut(provider) else {
            continue;
        };
        let window = (time(row.get("scheduled_for")?), time(row.get("scheduled_until")?));
        let read_at = read_at.get(provider).copied().unwrap_or(Time::MIN_UTC);
        let kind = word(row, "kind")?;
        loaded.active |= commit::keeps_active(kind, word(row, "status")?);
        let edge = windows::next([(kind, window.0, window.1)], read_at);
        loaded.window_at = loaded.window_at.into_iter().chain(edge).min();
        loaded.known.open.push((kind, row.get("native_id")?));
    }
    Ok(())
}

fn components(db: &Connection, provider: &str) -> Sql<Vec<Component>> {
    let known = super::components(db, provider)?.into_iter();
    Ok(known.filter(|(_, known)| !known.absent).map(|(key, known)| known.shown(key)).collect())
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
    let mut written: HashMap<String, super::Declared> = HashMap::with_capacity(providers.len());
    let mut waiting: HashSet<String> = HashSet::new();
    while let Some(row) = rows.next()? {
        let declared = super::Declared {
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
        let declared = super::Declared::of(provider, real_interval);
        if written.get(&provider.id) != Some(&declared) {
            super::watch_provider(db, &provider.id, &declared, now)?;
        }
        if waiting.contains(&provider.id) {
            super::bound_wait(db, provider, now)?;
        }
    }
    Ok(())
}
