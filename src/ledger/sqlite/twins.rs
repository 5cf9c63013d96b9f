//! Items that are the same incident under several ids, given by a page one after the other.

use rusqlite::{Connection, params};

use super::{Sql, blob};
use crate::event::IncidentKey;
use crate::ledger::known::Twin;

/// Returns the other ids of an incident, most recently listed first.
pub(super) fn twins(db: &Connection, provider: &str, key: IncidentKey) -> Sql<Vec<Twin>> {
    db.prepare_cached(
        "SELECT key, last_listed FROM item WHERE provider = ?1 AND key <> ?2
           AND same_as = (SELECT same_as FROM item WHERE provider = ?1 AND key = ?2)
         ORDER BY last_listed DESC",
    )?
    .query_map(params![provider, key.as_bytes()], |row| {
        Ok(Twin { key: IncidentKey(blob(row, 0)?), last_listed: row.get(1)? })
    })?
    .collect()
}

/// Records that the item `key` is the incident formerly listed under `former`.
pub(super) fn unite(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
    former: IncidentKey,
) -> Sql<()> {
    db.prepare_cached(
        "UPDATE item SET same_as = coalesce(
           (SELECT same_as FROM item WHERE provider = ?1 AND key = ?3), (SELECT same_as FROM item WHERE provider = ?1 AND key = ?2), ?3)
         WHERE provider = ?1 AND key IN (?2, ?3)",
    )?
    .execute(params![provider, key.as_bytes(), former.as_bytes()])?;
    Ok(())
}

/// Removes an item and its seen versions.
pub(super) fn forget_item(db: &Connection, provider: &str, key: IncidentKey) -> Sql<()> {
    db.prepare_cached("DELETE FROM seen WHERE item = ?1")?.execute([key.as_bytes()])?;
    db.prepare_cached("DELETE FROM item WHERE provider = ?1 AND key = ?2")?
        .execute(params![provider, key.as_bytes()])?;
    Ok(())
}
