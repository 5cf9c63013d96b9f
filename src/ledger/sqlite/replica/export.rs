//! All shared rows of a ledger, to move it, and what it holds, to compare it with its copy.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use xxhash_rust::xxh3::Xxh3Default;

use super::super::place::put_moved;
use super::super::store::SqliteStore;
use super::tables::{NUMBERED, SEQUENCES, TABLES, Table, shared_rows};
use super::track::sequence;
use crate::ledger::error::Result;
use crate::ledger::image::{Content, Image};

/// Number of rows that are passed on at once.
const CHUNK: usize = 1000;

/// The ledger of a state directory.
pub(in crate::ledger) struct Export {
    store: SqliteStore,
}

impl Export {
    /// Opens the ledger in `state_dir`, and upgrades it as needed.
    pub(in crate::ledger) fn open(state_dir: &Path) -> Result<Self> {
        Ok(Self { store: SqliteStore::open(state_dir)? })
    }

    /// Returns the number of the newest event.
    pub(in crate::ledger) const fn newest(&self) -> u64 {
        self.store.seq
    }

    /// Passes all shared rows on, all of one moment, and returns what they hold.
    pub(in crate::ledger) fn each(
        &mut self,
        pass: &mut dyn FnMut(Vec<Image>) -> Result<()>,
    ) -> Result<Content> {
        let transaction = self.store.db.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let mut chunk = Vec::new();
        for name in TABLES {
            let table = Table::read(&transaction, name)?;
            let mut rows = transaction.prepare(&table.select_all())?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                chunk.push(Image {
                    table: name.to_owned(),
                    key: row.get(0)?,
                    body: Some(table.json(row, 1)?),
                });
                if chunk.len() >= CHUNK {
                    pass(std::mem::take(&mut chunk))?;
                }
            }
        }
        for name in NUMBERED {
            chunk.push(Image {
                table: SEQUENCES.to_owned(),
                key: name.to_owned(),
                body: Some(sequence(&transaction, name)?.to_string()),
            });
        }
        pass(chunk)?;
        content(&transaction)
    }

    /// Marks the ledger as moved.
    pub(in crate::ledger) fn mark_moved(&mut self, to: &str) -> Result<()> {
        Ok(put_moved(&self.store.db, to)?)
    }
}

/// Returns what the shared rows of a ledger hold.
pub(super) fn content(db: &Connection) -> Result<Content> {
    let mut content = Content { rows: 0, events: 0, lines: 0 };
    for table in TABLES {
        let sql = format!("SELECT count(*) FROM main.{table} WHERE {}", shared_rows(table, ""));
        content.rows += db.query_row(&sql, [], |row| row.get::<_, i64>(0))?.cast_unsigned();
    }
    let mut hash = Xxh3Default::new();
    let mut lines = db.prepare("SELECT line FROM event ORDER BY seq")?;
    let mut lines = lines.query([])?;
    while let Some(row) = lines.next()? {
        hash.update(row.get_ref(0)?.as_str().unwrap_or_default().as_bytes());
        hash.update(b"\n");
        content.events += 1;
    }
    content.lines = hash.digest128();
    Ok(content)
}
