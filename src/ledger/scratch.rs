//! A ledger without an actor, a file or a clock, for replaying recordings. It uses the same code as
//! `run` to process polls; all times are supplied by the caller.

use std::sync::Arc;

use super::book::Change;
use super::messages::{Failed, Record, Recorded, Unchanged};
use super::post_commit::PostCommit;
use super::sqlite::ScratchStore;
use super::{LedgerError, Reader, commit, min_duration, provider_events};
use crate::config::Provider;
use crate::event::Time;

/// A temporary ledger.
pub struct ScratchLedger {
    store: ScratchStore,
}

impl ScratchLedger {
    /// Opens an empty ledger.
    ///
    /// # Errors
    /// Fails if there is neither memory nor space for temporary files.
    pub fn open() -> Result<Self, LedgerError> {
        Ok(Self { store: ScratchStore::open()? })
    }

    /// Declares a provider or updates its configuration.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn watch(&mut self, provider: &Arc<Provider>, now: Time) -> Result<(), LedgerError> {
        self.store.watch(provider, now)
    }

    /// Records a poll result. Also returns why it was rejected, if it was.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn record(&mut self, message: &Record) -> Result<(Recorded, Option<String>), LedgerError> {
        let mut post_commit = PostCommit::default();
        let recorded = self
            .store
            .judge(&message.provider.id, |book| commit::record(book, &mut post_commit, message))?;
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
            self.store
                .judge(&provider.id, |book| min_duration::settle(book, provider, message.at))?;
        }
        self.store.touch(message)
    }

    /// Records a failed poll.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn failed(&mut self, message: &Failed) -> Result<(), LedgerError> {
        self.store.judge(&message.provider.id, |book| book.put(Change::Failed(message)))
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
        self.store.judge(&provider.id, |book| {
            let state = book.state()?;
            if state.unreachable != reachable {
                // The last poll has already reported it.
                return Ok(());
            }
            provider_events::reachability(book, provider, &state, reachable, why, now).map(|_| ())
        })
    }

    /// Returns a reader of the reported events.
    ///
    /// # Errors
    /// As [`ScratchLedger::open`].
    pub fn into_reader(self) -> Result<Reader, LedgerError> {
        self.store.into_reader()
    }
}
