//! Components: one row per provider with all of them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Sql, millis, time};
use crate::event::Time;
use crate::ledger::component_state::{Components, from_json, held_since, to_json};

/// Returns since when the oldest unreported change has been held back; `None` if none is.
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
            from_json(row.get_ref(0)?.as_str()?).map_err(|error| {
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

/// Writes all components and the digest of the page's list.
pub(in crate::ledger) fn put_components(
    db: &Connection,
    provider: &str,
    known: Components,
    digest: Option<u128>,
) -> Sql<()> {
    let held_since = held_since(&known);
    let list =
        to_json(known).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    db.prepare_cached(
        "INSERT INTO component(provider, list, digest, held_since) VALUES(?1, ?2, ?3, ?4)
         ON CONFLICT(provider) DO UPDATE SET list = ?2, digest = ?3, held_since = ?4",
    )?
    .execute(params![provider, &list, digest.map(u128::to_be_bytes), millis(held_since)])?;
    Ok(())
}
