//! Components: one row per provider with all of them.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Sql, millis, time};
use crate::event::{Component, ComponentStatus, Status, Time};
use crate::ledger::min_duration::Held;

/// Maximum number of unlisted components kept per provider.
const UNLISTED: usize = 2000;

/// A component as last seen and reported, under the key the ledger gave it first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct ComponentState {
    /// The page's last id of it; `None` if it has none. Stored only if it is not the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::ledger) id: Option<String>,
    pub(in crate::ledger) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::ledger) group: Option<String>,
    pub(in crate::ledger) status: ComponentStatus,
    #[serde(default, rename = "told", skip_serializing_if = "Option::is_none")]
    pub(in crate::ledger) emitted: Option<Status>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::ledger) changes: u32,
    /// When its status last changed, in milliseconds.
    pub(in crate::ledger) since: i64,
    /// Whether the page no longer lists it.
    #[serde(default, rename = "gone", skip_serializing_if = "is_false")]
    pub(in crate::ledger) absent: bool,
    /// The last change, if it has not been reported yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::ledger) held: Option<Held>,
}

/// Omits default values, to keep the list short.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code hands over a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Omits default values.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code hands over a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ComponentState {
    pub(in crate::ledger) fn new(
        component: &Component,
        emitted: Option<Status>,
        changes: u32,
        now: Time,
    ) -> Self {
        let Component { id, name, group, status } = component;
        Self {
            id: id.clone(),
            name: name.clone(),
            group: group.clone(),
            status: *status,
            emitted,
            changes,
            since: now.timestamp_millis(),
            absent: false,
            held: None,
        }
    }

    /// Returns when it was first seen in this state.
    pub(in crate::ledger) fn seen(&self) -> Time {
        Time::from_timestamp_millis(self.since).unwrap_or_default()
    }

    /// Converts it for display: with the page's id, or the key if it has none.
    pub(in crate::ledger) fn shown(self, key: String) -> Component {
        let Self { id, name, group, status, .. } = self;
        Component { id: Some(id.unwrap_or(key)), name, group, status }
    }
}

/// Returns the key of a component without an id; further ones of the same name and group get the
/// suffixes `#2`, `#3`, …
pub(in crate::ledger) fn key_of_name(name: &str, group: Option<&str>) -> String {
    group.map_or_else(|| name.to_owned(), |group| format!("{group}/{name}"))
}

/// Returns the position of a key among the components of its name and group; `None` if the key
/// comes from an id.
pub(in crate::ledger) fn ordinal(key: &str, name: &str, group: Option<&str>) -> Option<u32> {
    let rest = key.strip_prefix(key_of_name(name, group).as_str())?;
    if rest.is_empty() { Some(1) } else { rest.strip_prefix('#')?.parse().ok() }
}

/// A provider's components by key.
pub(in crate::ledger) type Components = BTreeMap<String, ComponentState>;

/// Returns since when the oldest unreported change has been held back.
pub(in crate::ledger) fn held_since(known: &Components) -> Option<Time> {
    time(known.values().filter_map(|component| Some(component.held.as_ref()?.since)).min())
}

/// Like [`held_since`], from the database; `None` if nothing is held back.
pub(in crate::ledger) fn provider_held_since(db: &Connection, provider: &str) -> Sql<Option<Time>> {
    let since = db
        .prepare_cached(
            "SELECT held_since FROM component WHERE provider = ?1 AND held_since IS NOT NULL",
        )?
        .query_row([provider], |row| row.get(0))
        .optional()?;
    Ok(time(since))
}

/// Returns all providers with held-back changes.
pub(in crate::ledger) fn all_held_since(db: &Connection) -> Sql<HashMap<String, Time>> {
    let mut statement =
        db.prepare("SELECT provider, held_since FROM component WHERE held_since IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, time(row.get(1)?))))?;
    rows.filter_map(|row| row.map(|(id, since)| Some((id, since?))).transpose()).collect()
}

/// Returns a provider's components; empty if none are known.
pub(in crate::ledger) fn components(db: &Connection, provider: &str) -> Sql<Components> {
    let known = db
        .prepare_cached("SELECT list FROM component WHERE provider = ?1")?
        .query_row([provider], |row| {
            serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(
                    0,
                    rusqlite::types::Type::Text,
                    Box::new(error),
                )
            })
        })
        .optional()?;
    let mut known: Components = known.unwrap_or_default();
    for (key, component) in &mut known {
        let named = ordinal(key, &component.name, component.group.as_deref()).is_some();
        if component.id.is_none() && !named {
            component.id = Some(key.clone());
        }
    }
    Ok(known)
}

/// Writes all components and the digest of the page's list. A page with new names at each poll must
/// not fill the ledger: of those not `listed` (keys), the ones that changed last are kept.
pub(in crate::ledger) fn put_components(
    db: &Connection,
    provider: &str,
    mut known: Components,
    listed: &HashSet<String>,
    digest: Option<u128>,
) -> Sql<()> {
    let mut unlisted: Vec<(i64, String)> = known
        .iter()
        .filter(|(id, _)| !listed.contains(*id))
        .map(|(id, component)| (component.since, id.clone()))
        .collect();
    if let Some(excess) = unlisted.len().checked_sub(UNLISTED) {
        unlisted.sort();
        for (_, id) in unlisted.into_iter().take(excess) {
            known.remove(&id);
        }
    }
    for (key, component) in &mut known {
        let named = ordinal(key, &component.name, component.group.as_deref()).is_some();
        if component.id.as_ref() == Some(key) && !named {
            component.id = None;
        }
    }
    let list = serde_json::to_string(&known)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached(
        "INSERT INTO component(provider, list, digest, held_since) VALUES(?1, ?2, ?3, ?4)
         ON CONFLICT(provider) DO UPDATE SET list = ?2, digest = ?3, held_since = ?4",
    )?
    .execute(params![
        provider,
        &list,
        digest.map(u128::to_be_bytes),
        millis(held_since(&known))
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::component;

    #[test]
    fn components_out_of_sight_are_remembered_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::ledger::sqlite::migrate::open_writer(dir.path()).unwrap();
        let at = |n: i64| Time::from_timestamp_millis(n).unwrap();
        let shown =
            component(Some("shown".to_owned()), "Shown", None, ComponentStatus::Operational);
        let mut known = Components::new();
        known.insert(
            "shown".to_owned(),
            ComponentState::new(&shown, Some(Status::Operational), 3, at(0)),
        );
        for n in 1..=UNLISTED + 2 {
            known.insert(format!("gone-{n}"), ComponentState::new(&shown, None, 0, at(n as i64)));
        }
        put_components(&db, "acme", known, &HashSet::from(["shown".to_owned()]), Some(7)).unwrap();
        let mut known = components(&db, "acme").unwrap();
        assert_eq!(known.len(), UNLISTED + 1);
        assert!(
            !known.contains_key("gone-2") && known.contains_key("gone-3"),
            "the oldest go first"
        );
        let shown = known.remove("shown").unwrap();
        assert_eq!(
            (shown.emitted, shown.changes, shown.status),
            (Some(Status::Operational), 3, ComponentStatus::Operational)
        );
        assert!(components(&db, "other").unwrap().is_empty());
    }
}
