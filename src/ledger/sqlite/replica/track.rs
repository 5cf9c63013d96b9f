//! Notes which replicated rows a transaction changes, with temporary triggers: they exist in the
//! connection of a replica alone.

use rusqlite::{Connection, params};

use super::tables::{NUMBERED, SEQUENCES, TABLES, Table, shared_rows};
use crate::ledger::error::Result;
use crate::ledger::image::Image;

/// The replicated tables of an open database, with what was changed in them.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) tables: Vec<Table>,
}

impl Tracked {
    /// Begins to note changes.
    pub(super) fn begin(db: &Connection) -> rusqlite::Result<Self> {
        let tables =
            TABLES.iter().map(|name| Table::read(db, name)).collect::<Result<Vec<_>, _>>()?;
        // `changed`: within the open transaction. `waiting`: times of unchanged polls, which are
        // shipped together, some time later.
        db.execute_batch(
            "CREATE TEMP TABLE changed(tab INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY(tab, key)) WITHOUT ROWID;
             CREATE TEMP TABLE waiting(provider TEXT PRIMARY KEY) WITHOUT ROWID;",
        )?;
        let tracked = Self { tables };
        tracked.watch(db)?;
        Ok(tracked)
    }

    /// Creates the triggers.
    pub(super) fn watch(&self, db: &Connection) -> rusqlite::Result<()> {
        for (place, table) in self.tables.iter().enumerate() {
            let name = table.name;
            for (moment, row) in [("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")] {
                let shared = shared_rows(name, &format!("{row}."));
                let differs = if moment == "UPDATE" {
                    format!("AND ({})", table.differs())
                } else {
                    String::new()
                };
                let note = match (name, moment) {
                    ("quiet", "INSERT" | "UPDATE") => {
                        note_once("waiting", &["provider"], &["NEW.provider"])
                    }
                    _ => note_once(
                        "changed",
                        &["tab", "key"],
                        &[&place.to_string(), &table.key_of(row)],
                    ),
                };
                // With what was changed goes the time of the last unchanged poll, if it has one.
                let quiet = if name == "provider" && moment != "DELETE" {
                    format!(
                        "INSERT INTO changed(tab, key) SELECT {0}, provider FROM quiet WHERE provider = NEW.id
                           AND NOT EXISTS (SELECT 1 FROM changed WHERE tab = {0} AND key = NEW.id);",
                        place + 1
                    )
                } else {
                    String::new()
                };
                db.execute_batch(&format!(
                    "CREATE TEMP TRIGGER \"track_{name}_{moment}\" AFTER {moment} ON main.{name} WHEN {shared} {differs}
                     BEGIN {note} {quiet} END"
                ))?;
            }
        }
        Ok(())
    }

    /// Removes the triggers.
    pub(super) fn unwatch(&self, db: &Connection) -> rusqlite::Result<()> {
        for table in &self.tables {
            for moment in ["INSERT", "UPDATE", "DELETE"] {
                db.execute_batch(&format!("DROP TRIGGER temp.\"track_{}_{moment}\"", table.name))?;
            }
        }
        Ok(())
    }

    /// Returns a replicated table and its place among them.
    pub(super) fn table(&self, name: &str) -> Option<(usize, &Table)> {
        self.tables.iter().enumerate().find(|(_, table)| table.name == name)
    }

    /// Returns whether the transaction has changed something that is shared.
    pub(super) fn is_changed(db: &Connection) -> rusqlite::Result<bool> {
        db.prepare_cached("SELECT 1 FROM temp.changed")?.exists([])
    }

    /// Returns whether times of unchanged polls wait.
    pub(super) fn is_waiting(db: &Connection) -> rusqlite::Result<bool> {
        db.prepare_cached("SELECT 1 FROM temp.waiting")?.exists([])
    }

    /// Takes the times of unchanged polls that wait into the transaction.
    pub(super) fn take_waiting(&self, db: &Connection) -> rusqlite::Result<()> {
        let Some((place, _)) = self.table("quiet") else { return Ok(()) };
        db.prepare_cached(
            "INSERT OR IGNORE INTO changed(tab, key) SELECT ?1, provider FROM waiting",
        )?
        .execute([place as i64])?;
        db.prepare_cached("DELETE FROM temp.waiting")?.execute([])?;
        Ok(())
    }

    /// Forgets what was noted.
    pub(super) fn clear(db: &Connection) -> rusqlite::Result<()> {
        db.prepare_cached("DELETE FROM temp.changed")?.execute([])?;
        Ok(())
    }

    /// Returns the images of the rows that the transaction has changed, and forgets which.
    pub(super) fn images(&self, db: &Connection) -> Result<Vec<Image>> {
        let mut images = Vec::new();
        {
            let mut statement =
                db.prepare_cached("SELECT tab, key FROM temp.changed ORDER BY tab")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let place = usize::try_from(row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
                let Some(table) = self.tables.get(place) else { continue };
                let key: String = row.get(1)?;
                let body = table.body(db, &key)?;
                images.push(Image { table: table.name.to_owned(), key, body });
            }
        }
        for name in NUMBERED {
            if !images.iter().any(|image| image.table == name) {
                continue;
            }
            images.push(Image {
                table: SEQUENCES.to_owned(),
                key: name.to_owned(),
                body: Some(sequence(db, name)?.to_string()),
            });
        }
        Self::clear(db)?;
        Ok(images)
    }
}

/// Returns the statement of a trigger that notes something which may have been noted before. `OR
/// IGNORE` would not do: the statement that fires a trigger decides about conflicts in it, and after an
/// `ON CONFLICT` of its own they are errors.
fn note_once(table: &str, columns: &[&str], values: &[&str]) -> String {
    let same: Vec<String> =
        columns.iter().zip(values).map(|(column, value)| format!("{column} = {value}")).collect();
    format!(
        "INSERT INTO {table}({}) SELECT {} WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {});",
        columns.join(", "),
        values.join(", "),
        same.join(" AND ")
    )
}

/// Returns the highest id that was ever used in a table; 0 if none.
pub(super) fn sequence(db: &Connection, table: &str) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT coalesce(max(seq), 0) FROM main.sqlite_sequence WHERE name = ?1")?
        .query_row([table], |row| row.get(0))
}

/// Uses no id up to this one again.
pub(super) fn raise_sequence(db: &Connection, table: &str, to: i64) -> rusqlite::Result<()> {
    let raised = db
        .prepare_cached("UPDATE main.sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1")?
        .execute(params![table, to])?;
    if raised == 0 {
        db.prepare_cached("INSERT INTO main.sqlite_sequence(name, seq) VALUES(?1, ?2)")?
            .execute(params![table, to])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::sqlite::testing::open_scratch;

    #[test]
    fn a_row_that_is_written_twice_is_noted_once_however_it_is_written() {
        let db = open_scratch().unwrap();
        let tracked = Tracked::begin(&db).unwrap();
        for write in [
            "INSERT INTO meta(key, value) VALUES('x', 1) ON CONFLICT DO UPDATE SET value = value + 1",
            "INSERT INTO meta(key, value) VALUES('x', 9) ON CONFLICT(key) DO UPDATE SET value = value + 1",
            "INSERT OR REPLACE INTO meta(key, value) VALUES('x', 3)",
            "INSERT OR IGNORE INTO meta(key, value) VALUES('x', 5)",
            "UPDATE meta SET value = 7 WHERE key = 'x'",
            "UPDATE OR FAIL meta SET value = 8 WHERE key = 'x'",
        ] {
            for _ in 0..2 {
                db.execute(write, []).unwrap_or_else(|error| panic!("{write}: {error}"));
            }
        }
        for write in [
            "INSERT INTO quiet(provider, at, next_at) VALUES('p', 1, 2) ON CONFLICT DO UPDATE SET at = at + 1",
            "UPDATE quiet SET at = 9 WHERE provider = 'p'",
        ] {
            for _ in 0..2 {
                db.execute(write, []).unwrap_or_else(|error| panic!("{write}: {error}"));
            }
        }
        let images = tracked.images(&db).unwrap();
        let noted: Vec<_> =
            images.iter().map(|one| (one.table.as_str(), one.key.as_str())).collect();
        assert_eq!(noted, [("meta", "x")]);
        assert!(Tracked::is_waiting(&db).unwrap());
    }
}
