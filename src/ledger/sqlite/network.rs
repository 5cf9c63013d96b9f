//! The state of our own network.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Sql, millis, time};
use crate::ledger::offline::OwnNetwork;

/// Loads the state of our network.
pub(in crate::ledger) fn network(db: &Connection) -> Sql<OwnNetwork> {
    let row = db
        .prepare_cached("SELECT offline_since, seen, outages FROM network")?
        .query_row([], |row| {
            Ok(OwnNetwork {
                offline_since: time(row.get(0)?),
                seen: row.get(1)?,
                outages: row.get(2)?,
            })
        })
        .optional()?;
    Ok(row.unwrap_or_default())
}

/// Stores the state of our network.
pub(super) fn put_network(db: &Connection, own: &OwnNetwork) -> Sql<()> {
    db.prepare_cached(
        "INSERT INTO network(only, offline_since, seen, outages) VALUES(1, ?1, ?2, ?3)
         ON CONFLICT(only) DO UPDATE SET offline_since = ?1, seen = ?2, outages = ?3",
    )?
    .execute(params![millis(own.offline_since), own.seen, own.outages])?;
    Ok(())
}
