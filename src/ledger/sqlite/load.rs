//! Loads the pollers' state at startup, for one provider or for all in one pass over each table.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Params};

use super::Sql;
use super::components::components;
use super::declared::checkpoint;
use super::{time, word};
use crate::config::Provider;
use crate::event::{Component, Time};
use crate::ledger::messages::Loaded;
use crate::ledger::{commit, windows};
use crate::source::PriorItems;

/// Loads the state of one provider's poller.
pub(super) fn one(db: &Connection, provider: &Provider) -> Sql<Loaded> {
    let mut loaded = HashMap::new();
    let declared = HashMap::from([(provider.id.as_str(), provider)]);
    read(db, &declared, "id = ?1", "provider = ?1 AND", [&provider.id], &mut loaded)?;
    Ok(loaded.remove(&provider.id).unwrap_or_default())
}

/// Loads the state of all these pollers, in the same order.
pub(super) fn all(db: &Connection, providers: &[Arc<Provider>]) -> Sql<Vec<Loaded>> {
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
                usual_components IS NOT NULL AS lists_all, coalesce(quiet.at, last_success_at) AS read_at,
                coalesce(quiet.at, last_poll_at) AS polled_at
         FROM provider LEFT JOIN quiet ON quiet.provider = id WHERE {providers}"
    ))?;
    let mut rows = statement.query(values)?;
    let mut read_at: HashMap<String, Time> = HashMap::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get("id")?;
        let Some(provider) = declared.get(id.as_str()) else {
            continue;
        };
        let known = PriorItems {
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
        let components = if compared { listed_components(db, &id)? } else { Vec::new() };
        loaded.insert(
            id,
            Loaded {
                checkpoint,
                polled_at: time(row.get("polled_at")?),
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

fn listed_components(db: &Connection, provider: &str) -> Sql<Vec<Component>> {
    let known = components(db, provider)?.into_iter();
    Ok(known.filter(|(_, known)| !known.absent).map(|(key, known)| known.shown(key)).collect())
}
