//! The ledger without an actor, a file and a clock: what a recording is played through. What comes
//! of a poll is decided by the very code that decides it while `run` is running; every time is the
//! caller's.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::commit::Aside;
use super::messages::{Failed, Record, Recorded, Unchanged};
use super::numbering::{Dropped, Numbering};
use super::read::Reader;
use super::{LedgerError, commit, load, migrate, notices, store};
use crate::config::Provider;
use crate::event::Time;

/// A ledger for one use.
pub struct Offline {
    db: Connection,
    seq: u64,
}

impl Offline {
    /// An empty one.
    ///
    /// # Errors
    /// There is no memory and no room for temporary files.
    pub fn open() -> Result<Self, LedgerError> {
        let db = migrate::open_scratch()?;
        // One transaction for all: nobody else looks, and nothing of it is to last.
        db.execute_batch("BEGIN")?;
        Ok(Self { db, seq: 0 })
    }

    /// Declares a provider, or what has changed of it.
    ///
    /// # Errors
    /// As [`Offline::open`].
    pub fn watch(&mut self, provider: &Arc<Provider>, now: Time) -> Result<(), LedgerError> {
        Ok(load::declare(&self.db, std::slice::from_ref(provider), &HashMap::new(), now)?)
    }

    /// Records a poll that brought something. Also answers why it is not believed, where it is not.
    ///
    /// # Errors
    /// As [`Offline::open`].
    pub fn record(&mut self, message: &Record) -> Result<(Recorded, Option<String>), LedgerError> {
        let mut aside = Aside::default();
        let mut numbering = Numbering::new(&self.db, self.seq);
        let recorded = commit::record(&mut numbering, &mut aside, message)?;
        self.seq = numbering.seq;
        numbering.dropped.iter().for_each(Dropped::warn);
        Ok((recorded, aside.doubted))
    }

    /// Notes a poll that brought nothing new.
    ///
    /// # Errors
    /// As [`Offline::open`].
    pub fn unchanged(&mut self, message: &Unchanged) -> Result<(), LedgerError> {
        Ok(store::touch_provider(&self.db, message)?)
    }

    /// Notes a poll that failed.
    ///
    /// # Errors
    /// As [`Offline::open`].
    pub fn failed(&mut self, message: &Failed) -> Result<(), LedgerError> {
        Ok(store::fail(&self.db, message)?)
    }

    /// Reports that a provider cannot be read any more, or can be again.
    ///
    /// # Errors
    /// As [`Offline::open`].
    pub fn reachable(
        &mut self,
        provider: &Provider,
        reachable: bool,
        why: Option<String>,
        now: Time,
    ) -> Result<(), LedgerError> {
        let state = store::provider_state(&self.db, &provider.id)?;
        if state.unreachable != reachable {
            // The last poll has said so already.
            return Ok(());
        }
        let mut numbering = Numbering::new(&self.db, self.seq);
        notices::reachability(&mut numbering, provider, &state, reachable, why, now)?;
        self.seq = numbering.seq;
        Ok(())
    }

    /// Everything that was reported, for whoever wants to read it.
    ///
    /// # Errors
    /// As [`Offline::open`].
    pub fn into_reader(self) -> Result<Reader, LedgerError> {
        self.db.execute_batch("COMMIT")?;
        Ok(Reader::of(self.db))
    }
}
