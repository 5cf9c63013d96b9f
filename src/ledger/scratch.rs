//! A ledger without an actor, a file or a clock, for replaying recordings. It uses the same code as
//! `run` to process polls; all times are supplied by the caller.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::commit::PostCommit;
use super::messages::{Failed, Record, Recorded, Unchanged};
use super::numbering::{Dropped, Numbering};
use super::sqlite::{self, load, migrate, read::Reader};
use super::{LedgerError, commit, min_duration, provider_events};
use crate::config::Provider;
use crate::event::Time;

/// A temporary ledger.
pub struct ScratchLedger {
    db: Connection,
    seq: u64,
}

impl ScratchLedger {
    /// Opens an empty ledger.
    ///
    /// # Errors
    /// Fails if there is neither memory nor space for temporary files.
    pub fn open() -> Result<Self, LedgerError> {
        let db = migrate::open_scratch()?;
        // A single transaction: there are no other readers and nothing is kept.
        db.execute_batch("BEGIN")?;
        Ok(Self { db, seq: 0 })
    }

    /// Declares a provider or updates its configuration.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn watch(&mut self, provider: &Arc<Provider>, now: Time) -> Result<(), LedgerError> {
        Ok(load::declare(&self.db, std::slice::from_ref(provider), &HashMap::new(), now)?)
    }

    /// Records a poll result. Also returns why it was rejected, if it was.
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

    /// Records an unchanged poll, which may show that a component state has lasted.
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
        Ok(sqlite::touch_provider(&self.db, message)?)
    }

    /// Records a failed poll.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn failed(&mut self, message: &Failed) -> Result<(), LedgerError> {
        Ok(sqlite::fail(&self.db, message)?)
    }

    /// Reports that a provider became unreachable or reachable again.
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
        let state = sqlite::provider_state(&self.db, &provider.id)?;
        if state.unreachable != reachable {
            // The last poll has already reported it.
            return Ok(());
        }
        let mut numbering = Numbering::new(&self.db, self.seq);
        provider_events::reachability(&mut numbering, provider, &state, reachable, why, now)?;
        self.seq = numbering.seq;
        Ok(())
    }

    /// Returns a reader of the reported events.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn into_reader(self) -> Result<Reader, LedgerError> {
        self.db.execute_batch("COMMIT")?;
        Ok(Reader::of(self.db))
    }
}
