//! A temporary database, for replaying recordings.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::book::{Numbering, SqliteBook};
use super::{Reader, declared, migrate, providers};
use crate::config::Provider;
use crate::event::Time;
use crate::ledger::book::Book;
use crate::ledger::error::Result;
use crate::ledger::messages::Unchanged;
use crate::ledger::numbering::Dropped;

/// A database that disappears with the process.
pub(in crate::ledger) struct ScratchStore {
    db: Connection,
    seq: u64,
}

impl ScratchStore {
    /// Opens an empty database.
    pub(in crate::ledger) fn open() -> Result<Self> {
        let db = migrate::open_scratch()?;
        // A single transaction: there are no other readers and nothing is kept.
        db.execute_batch("BEGIN")?;
        Ok(Self { db, seq: 0 })
    }

    /// Declares a provider or updates its configuration.
    pub(in crate::ledger) fn watch(&mut self, provider: &Arc<Provider>, now: Time) -> Result<()> {
        let providers = std::slice::from_ref(provider);
        Ok(declared::declare(&self.db, providers, &HashMap::new(), now)?)
    }

    /// Records an unchanged poll.
    pub(in crate::ledger) fn touch(&mut self, message: &Unchanged) -> Result<()> {
        Ok(providers::touch_provider(&self.db, message)?)
    }

    /// Judges a result with the book of its provider.
    pub(in crate::ledger) fn judge<T>(
        &mut self,
        provider: &str,
        judge: impl FnOnce(&mut dyn Book) -> Result<T>,
    ) -> Result<T> {
        let mut numbering = Numbering::after(self.seq);
        let done = judge(&mut SqliteBook::new(&self.db, provider, &mut numbering))?;
        self.seq = numbering.seq;
        numbering.dropped.iter().for_each(Dropped::warn);
        Ok(done)
    }

    /// Ends writing and returns a reader of the reported events.
    pub(in crate::ledger) fn into_reader(self) -> Result<Reader> {
        self.db.execute_batch("COMMIT")?;
        Ok(Reader::of(self.db))
    }
}
