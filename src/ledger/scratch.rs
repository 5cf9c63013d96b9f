//! The ledger without an actor, a file and a clock: what a recording is played through. What comes
//! of a poll is decided by the very code that decides it while `run` is running; every time is the
//! caller's.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::commit::PostCommit;
use super::messages::{Failed, Record, Recorded, Unchanged};
use super::numbering::{Dropped, Numbering};
use super::read::Reader;
use super::{LedgerError, commit, load, migrate, min_duration, provider_events, store};
use crate::config::Provider;
use crate::event::Time;

/// A ledger for one use.
pub struct ScratchLedger {
    db: Connection,
    seq: u64,
}

impl ScratchLedger {
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
    /// As [`ScratchLedger::open`].
    pub fn watch(&mut self, provider: &Arc<Provider>, now: Time) -> Result<(), LedgerError> {
        Ok(load::declare(&self.db, std::slice::from_ref(provider), &HashMap::new(), now)?)
    }

    /// Records a poll that brought something. Also answers why it is not believed, where it is not.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn record(&mut self, message: &Record) -> Result<(Recorded, Option<String>), LedgerError> {
        let mut post_commit = PostCommit::default();
        let mut numbering = Numbering::new(&self.db, self.seq);
        let recorded = commit::record(&mut numbering, &mut post_commit, message)?;
        self.seq = numbering.seq;
        numbering.dropped.iter().for_each(Dropped::warn);
        Ok((recorded, post_commit.anomaly))
    }

    /// Notes a poll that brought nothing new, which may show that a component state has lasted.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn unchanged(
        &mut self,
        provider: &Provider,
        message: &Unchanged,
    ) -> Result<(), LedgerError> {
        if !provider.settings.min_duration.is_zero() {
            let mut numbering = Numbering::new(&self.db, self.seq);
            min_duration::settle(&mut numbering, provider, message.at)?;
            self.seq = numbering.seq;
        }
        Ok(store::touch_provider(&self.db, message)?)
    }

    /// Notes a poll that failed.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn failed(&mut self, message: &Failed) -> Result<(), LedgerError> {
        Ok(store::fail(&self.db, message)?)
    }

    /// Reports that a provider cannot be read any more, or can be again.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
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
        provider_events::reachability(&mut numbering, provider, &state, reachable, why, now)?;
        self.seq = numbering.seq;
        Ok(())
    }

    /// Everything that was reported, for whoever wants to read it.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn into_reader(self) -> Result<Reader, LedgerError> {
        self.db.execute_batch("COMMIT")?;
        Ok(Reader::of(self.db))
    }
}
