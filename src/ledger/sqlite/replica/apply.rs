//! Applies images to the replica, and remembers up to which commit it has them.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::super::place::IDENTITY;
use super::tables::{NUMBERED, SEQUENCES, TABLES, damaged, shared_rows};
use super::track::{Tracked, raise_sequence};
use crate::ledger::error::Result;
use crate::ledger::image::{Image, Position};

/// Further keys in `meta` of the position: not replicated.
const N: &str = "replica.n";
const TAG: &str = "replica.tag";

/// Returns up to which commit the replica has the shared ledger.
pub(super) fn position(db: &Connection) -> Result<Position> {
    let mut statement = db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    let identity = statement.query_row([IDENTITY], |row| row.get(0)).optional()?;
    let mut number = |key: &str| statement.query_row([key], |row| row.get(0)).optional();
    let (n, tag) = (number(N)?, number(TAG)?);
    Ok(Position {
        identity: identity.unwrap_or_default(),
        n: n.unwrap_or_default(),
        tag: tag.unwrap_or_default(),
    })
}

/// Stores the position, in the transaction of what it is the position after.
pub(super) fn put_position(db: &Connection, position: &Position) -> Result<()> {
    let mut statement =
        db.prepare_cached("INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)")?;
    statement.execute(params![IDENTITY, position.identity])?;
    statement.execute(params![N, position.n])?;
    statement.execute(params![TAG, position.tag])?;
    Ok(())
}

/// Applies images that are newer than the replica, in the order of their commits. What was deleted
/// goes first: what came later may be unique only without it.
pub(super) fn apply(db: &Connection, tracked: &Tracked, images: &[(i64, Image)]) -> Result<()> {
    for (_, image) in images.iter().filter(|(_, image)| image.body.is_none()) {
        let Some((_, table)) = tracked.table(&image.table) else { continue };
        db.prepare_cached(&table.delete)?
            .execute(params_from_iter(table.key_values(&image.key)?))?;
    }
    let mut ordered: Vec<(i64, usize, &Image)> = images
        .iter()
        .filter(|(_, image)| image.body.is_some())
        .map(|(n, image)| {
            (*n, tracked.table(&image.table).map_or(usize::MAX, |(place, _)| place), image)
        })
        .collect();
    ordered.sort_by_key(|(n, place, _)| (*n, *place));
    for (_, _, image) in ordered {
        if image.table == "provider" {
            // Whoever wrote this ships the time of its last unchanged poll with it, if there is one.
            db.prepare_cached("DELETE FROM quiet WHERE provider = ?1")?.execute([&image.key])?;
        }
        put(db, tracked, image)?;
        if image.table == "quiet" {
            db.prepare_cached("DELETE FROM temp.waiting WHERE provider = ?1")?
                .execute([&image.key])?;
        }
    }
    // These changes are not ours.
    Ok(Tracked::clear(db)?)
}

/// Writes the row of an image. Tables that this version does not know are left out.
pub(super) fn put(db: &Connection, tracked: &Tracked, image: &Image) -> Result<()> {
    let Some(body) = &image.body else { return Ok(()) };
    if image.table == SEQUENCES {
        let to = body.parse().map_err(|_| damaged(SEQUENCES, "a number"))?;
        return match NUMBERED.iter().find(|name| **name == image.key) {
            Some(name) => Ok(raise_sequence(db, name, to)?),
            None => Ok(()),
        };
    }
    match tracked.table(&image.table) {
        Some((_, table)) => table.put(db, body),
        None => Ok(()),
    }
}

/// Removes all replicated rows. Ids that were used here stay used: what was sent under one of them
/// may be on its way, and its outcome must not be taken for that of a new row, if the database has lost
/// its last commits.
pub(super) fn empty(db: &Connection) -> Result<()> {
    for table in TABLES {
        db.execute(&format!("DELETE FROM main.{table} WHERE {}", shared_rows(table, "")), [])?;
    }
    db.execute("DELETE FROM temp.waiting", [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::testing::open_scratch;

    #[test]
    fn ids_that_a_restored_database_does_not_know_are_not_used_again() {
        let db = open_scratch().unwrap();
        let tracked = Tracked::begin(&db).unwrap();
        let last = || -> i64 {
            let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'";
            db.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let image = |last: &str| Image {
            table: SEQUENCES.to_owned(),
            key: "outbox".to_owned(),
            body: Some(last.to_owned()),
        };
        put(&db, &tracked, &image("40")).unwrap();
        empty(&db).unwrap();
        put(&db, &tracked, &image("7")).unwrap();
        assert_eq!(last(), 40);
        put(&db, &tracked, &image("41")).unwrap();
        assert_eq!(last(), 41);
    }
}
