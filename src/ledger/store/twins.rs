//! Items that are one incident under several ids, which a page gave it one after the other.

use rusqlite::{Connection, params};

use super::{Sql, blob};
use crate::event::IncidentKey;

/// So many ids of one incident are remembered beside the present one. A page that makes ids for
/// each request must not fill the ledger.
const MOST: usize = 4;

/// Another id of an incident.
pub(in crate::ledger) struct Twin {
    pub(in crate::ledger) key: IncidentKey,
    /// Milliseconds since 1970.
    pub(in crate::ledger) last_listed: i64,
}

/// The other ids of an incident, the one it was last listed under first.
pub(in crate::ledger) fn twins(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
) -> Sql<Vec<Twin>> {
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

/// Notes that the item `key` is the incident that stood under `former`, and forgets the oldest of
/// its ids where there are too many.
pub(in crate::ledger) fn unite(
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
    for Twin { key: twin, .. } in twins(db, provider, key)?.into_iter().skip(MOST) {
        db.prepare_cached("DELETE FROM seen WHERE item = ?1")?.execute([twin.as_bytes()])?;
        db.prepare_cached("DELETE FROM item WHERE provider = ?1 AND key = ?2")?
            .execute(params![provider, twin.as_bytes()])?;
    }
    Ok(())
}
