//! Components: one row for each provider, with all it has.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::Sql;
use crate::event::{Component, ComponentStatus, Status, Time};

/// Components of one provider that are remembered although its page does not list them any more.
const UNLISTED: usize = 2000;

/// A component as last seen and told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::ledger) struct KnownComponent {
    pub(in crate::ledger) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::ledger) group: Option<String>,
    pub(in crate::ledger) status: ComponentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::ledger) told: Option<Status>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::ledger) changes: u32,
    /// When its status changed last, in milliseconds.
    since: i64,
}

/// Left out where it is so, to keep the list short.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the derived code hands over a reference")]
fn is_zero(changes: &u32) -> bool {
    *changes == 0
}

impl KnownComponent {
    pub(in crate::ledger) fn new(
        component: &Component,
        told: Option<Status>,
        changes: u32,
        now: Time,
    ) -> Self {
        let Component { name, group, status, .. } = component;
        Self {
            name: name.clone(),
            group: group.clone(),
            status: *status,
            told,
            changes,
            since: now.timestamp_millis(),
        }
    }
}

/// The components of a provider by id.
pub(in crate::ledger) type Components = BTreeMap<String, KnownComponent>;

/// Components carry other ids after a move: they are learned anew, silently.
pub(in crate::ledger) fn forget_components(db: &Connection, provider: &str) -> Sql<()> {
    db.prepare_cached("DELETE FROM component WHERE provider = ?1")?.execute([provider])?;
    Ok(())
}

/// The components of a provider; none of them is known of one that has none.
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
    Ok(known.unwrap_or_default())
}

/// Writes them all, and the digest of the page's own list. A page that names others each time must
/// not fill the ledger: of those not `listed` the ones that changed last are kept.
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
    let list = serde_json::to_string(&known)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached("INSERT INTO component(provider, list, digest) VALUES(?1, ?2, ?3) ON CONFLICT(provider) DO UPDATE SET list = ?2, digest = ?3")?
        .execute(params![provider, &list, digest.map(u128::to_be_bytes)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::component;

    #[test]
    fn components_out_of_sight_are_remembered_up_to_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::ledger::migrate::open_writer(dir.path()).unwrap();
        let at = |n: i64| Time::from_timestamp_millis(n).unwrap();
        let shown =
            component(Some("shown".to_owned()), "Shown", None, ComponentStatus::Operational);
        let mut known = Components::new();
        known.insert(
            "shown".to_owned(),
            KnownComponent::new(&shown, Some(Status::Operational), 3, at(0)),
        );
        for n in 1..=UNLISTED + 2 {
            known.insert(format!("gone-{n}"), KnownComponent::new(&shown, None, 0, at(n as i64)));
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
            (shown.told, shown.changes, shown.status),
            (Some(Status::Operational), 3, ComponentStatus::Operational)
        );
        assert!(components(&db, "other").unwrap().is_empty());
    }
}
