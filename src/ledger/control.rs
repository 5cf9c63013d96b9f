//! What commands change while `run` may be running: mutes and dead letters. Each change is one short
//! transaction of its own, for which writers wait for each other.

use std::path::Path;

use super::error::Result;
use super::shared::SharedStore;
use super::sqlite::{ControlChange, Reader, SqliteStore};
use crate::event::Time;
use crate::postgres::DatabaseUrl;

/// Changes mutes and dead letters in a ledger.
pub struct Control {
    store: Store,
}

/// The ledger that is changed.
enum Store {
    /// One in a state directory.
    Own(SqliteStore),
    /// One that several nodes share.
    Shared(SharedStore),
}

impl Control {
    /// Opens the ledger in `state_dir`; if several nodes share it, the one in `database`, of which
    /// that is the replica of this node.
    ///
    /// # Errors
    ///
    /// Returns an error if there is none, or none that can be written.
    pub fn open(state_dir: &Path, database: Option<&DatabaseUrl>) -> Result<Self> {
        // A command makes no ledger: it would be in the wrong place.
        drop(Reader::open(state_dir)?);
        let store = match database {
            None => Store::Own(SqliteStore::open(state_dir)?),
            Some(url) => Store::Shared(SharedStore::open(state_dir, url, None)?),
        };
        Ok(Self { store })
    }

    /// Adds a mute and returns its id. One that is in effect for the same provider and component is
    /// replaced.
    ///
    /// # Errors
    ///
    /// Returns an error if the ledger cannot be written.
    pub fn mute(
        &mut self,
        provider: &str,
        component: Option<&str>,
        until: Option<Time>,
        reason: Option<&str>,
        now: Time,
    ) -> Result<i64> {
        self.change(ControlChange::Mute { provider, component, until, reason, now })
    }

    /// Ends the mutes of a provider, or of one of its components. Returns how many there were; what
    /// they held back is due at once.
    ///
    /// # Errors
    ///
    /// As [`Control::mute`].
    pub fn unmute(&mut self, provider: &str, component: Option<&str>, now: Time) -> Result<usize> {
        self.count(ControlChange::Unmute { provider, component, now })
    }

    /// Puts dead letters back into the outbox: one, or all of a channel. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`Control::mute`].
    pub fn retry(&mut self, id: Option<i64>, channel: Option<&str>, now: Time) -> Result<usize> {
        self.count(ControlChange::Retry { id, channel, now })
    }

    /// Removes dead letters for good: one, or all of a channel. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`Control::mute`].
    pub fn discard(&mut self, id: Option<i64>, channel: Option<&str>) -> Result<usize> {
        self.count(ControlChange::Discard { id, channel })
    }

    /// Returns the id of a provider that was ever watched and is named so.
    ///
    /// # Errors
    ///
    /// Returns an error if the ledger cannot be read.
    pub fn provider(&self, id: &str) -> Result<Option<String>> {
        match &self.store {
            Store::Own(store) => store.provider_named(id),
            Store::Shared(store) => store.provider_named(id),
        }
    }

    fn count(&mut self, change: ControlChange<'_>) -> Result<usize> {
        self.change(change).map(|count| usize::try_from(count).unwrap_or_default())
    }

    fn change(&mut self, change: ControlChange<'_>) -> Result<i64> {
        match &mut self.store {
            Store::Own(store) => store.control(change),
            Store::Shared(store) => store.control(change),
        }
    }
}
