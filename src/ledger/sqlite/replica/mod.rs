//! A replica of a ledger that several nodes share: the same database as a ledger's own, with all its
//! rows, and a few of this node's alone. It is changed as a ledger is; what a transaction changes is
//! shipped to the shared database before it is committed here. A replica that is lost, damaged or too
//! old is filled anew.

mod apply;
mod export;
mod tables;
mod track;

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior};

pub(in crate::ledger) use self::export::Export;
use self::track::Tracked;
use super::components::all_held_since;
use super::events::newest_seq;
use super::network::network;
use super::outbox_control::{ControlChange, control};
use super::store::{Savepoints, SqliteStore, Stopped, judge_group};
use super::{declared, load, migrate, outbox, providers, prune, sinks, upkeep};
use crate::config::Provider;
use crate::event::Time;
use crate::ledger::book::Book;
use crate::ledger::declared::SHARED_DEATHS;
use crate::ledger::delivery::Cursor;
use crate::ledger::error::{LedgerError, Result};
use crate::ledger::image::{Content, Image, Position, Ship, Tail};
use crate::ledger::job::{Done, Job};
use crate::ledger::messages::{Loaded, Watch};
use crate::ledger::numbering::Dropped;
use crate::ledger::offline::OwnNetwork;
use crate::ledger::store::{Group, Store as _, Watching};

/// A replica in a file.
pub(in crate::ledger) struct Replica {
    store: SqliteStore,
    tracked: Tracked,
}

/// Returns whether a sink is one of this node alone, and its cursor stored in its replica alone.
pub(in crate::ledger) fn is_local_sink(id: &str) -> bool {
    id == "console" || id.starts_with("event_log.")
}

impl Replica {
    /// Opens the replica in `state_dir`, and creates or upgrades it as needed. A damaged one is
    /// removed: the shared database has all of it.
    pub(in crate::ledger) fn open(state_dir: &Path) -> Result<Self> {
        let store = match SqliteStore::open_any(state_dir) {
            Err(LedgerError::Damaged { path, reason }) => {
                tracing::warn!(file = %path.display(), reason, "the replica is damaged and is filled anew");
                migrate::remove(state_dir)?;
                SqliteStore::open_any(state_dir)?
            }
            opened => opened?,
        };
        // What is lost by a power failure is fetched again.
        store.db.pragma_update(None, "synchronous", "NORMAL")?;
        let tracked = Tracked::begin(&store.db)?;
        Ok(Self { store, tracked })
    }

    /// Removes the replica in `state_dir`.
    pub(in crate::ledger) fn remove(state_dir: &Path) -> Result<()> {
        migrate::remove(state_dir)
    }

    /// Makes it a ledger of its own, and returns what it holds.
    pub(in crate::ledger) fn into_own(mut self) -> Result<Content> {
        let content = export::content(&self.store.db)?;
        self.store.db.pragma_update(None, "synchronous", "FULL")?;
        self.store.db.execute("DELETE FROM meta WHERE key GLOB 'replica.*'", [])?;
        self.store.complete();
        Ok(content)
    }

    /// Returns up to which commit it has the shared ledger. Another process may have changed that.
    pub(in crate::ledger) fn position(&self) -> Result<Position> {
        apply::position(&self.store.db)
    }

    /// Returns the number of the newest event.
    pub(in crate::ledger) const fn newest(&self) -> u64 {
        self.store.seq
    }

    /// Applies what others have committed. A tail that was read from another position than the
    /// present one is dropped.
    pub(in crate::ledger) fn apply(&mut self, tail: &Tail) -> Result<()> {
        if tail.from == tail.to {
            return Ok(());
        }
        let transaction =
            self.store.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if apply::position(&transaction)? == tail.from {
            apply::apply(&transaction, &self.tracked, &tail.images)?;
            apply::put_position(&transaction, &tail.to)?;
            transaction.commit()?;
        } else {
            transaction.rollback()?;
        }
        self.store.seq = newest_seq(&self.store.db)?;
        Ok(())
    }

    /// Replaces everything that is shared with the images that `next` returns until there are no
    /// more, and returns how many there were.
    pub(in crate::ledger) fn fill(
        &mut self,
        next: &mut dyn FnMut() -> Result<Option<Vec<Image>>>,
        position: &mut dyn FnMut() -> Result<Position>,
    ) -> Result<u64> {
        self.tracked.unwatch(&self.store.db)?;
        let filled = self.fill_unwatched(next, position);
        self.tracked.watch(&self.store.db)?;
        self.store.seq = newest_seq(&self.store.db)?;
        filled
    }

    fn fill_unwatched(
        &mut self,
        next: &mut dyn FnMut() -> Result<Option<Vec<Image>>>,
        position: &mut dyn FnMut() -> Result<Position>,
    ) -> Result<u64> {
        let transaction =
            self.store.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        apply::empty(&transaction)?;
        let mut count = 0;
        while let Some(images) = next()? {
            for image in &images {
                apply::put(&transaction, &self.tracked, image)?;
            }
            count += images.len() as u64;
        }
        apply::put_position(&transaction, &position()?)?;
        transaction.commit()?;
        Ok(count)
    }

    /// Writes a group as [`SqliteStore`] does; its events get the numbers after the newest one and
    /// after `floor`. With `waiting` the times of unchanged polls are shipped, too. Without `ship`
    /// nothing may change but what is this node's alone: `None` if something else would.
    pub(in crate::ledger) fn write(
        &mut self,
        floor: u64,
        group: &Group<'_>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
        waiting: bool,
        mut ship: Option<Ship<'_>>,
    ) -> Result<Option<Vec<Done>>> {
        // As in `SqliteStore::write`.
        let mut written = Err(Stopped { by_job: true, error: LedgerError::Away });
        for savepoints in [Savepoints::None, Savepoints::Each] {
            if !matches!(written, Err(Stopped { by_job: true, .. })) {
                break;
            }
            let ship: Option<Ship<'_>> = match &mut ship {
                Some(ship) => Some(&mut **ship),
                None => None,
            };
            written = self.attempt(floor, group, judge, savepoints, waiting, ship);
        }
        written.map_err(|stopped| stopped.error)
    }

    fn attempt(
        &mut self,
        floor: u64,
        group: &Group<'_>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
        savepoints: Savepoints,
        waiting: bool,
        ship: Option<Ship<'_>>,
    ) -> Result<Option<Vec<Done>>, Stopped> {
        let after = self.store.seq.max(floor);
        let transaction =
            self.store.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (done, numbering) = judge_group(&transaction, after, group, judge, savepoints)?;
        let finished = match ship {
            Some(ship) => finish(&transaction, &self.tracked, waiting, ship).map(|()| true),
            None => Ok(!Tracked::is_changed(&transaction)?),
        };
        if !finished.map_err(|error| Stopped { by_job: false, error })? {
            return Ok(None);
        }
        transaction.commit()?;
        self.store.seq = newest_seq(&self.store.db)?;
        numbering.dropped.iter().for_each(Dropped::warn);
        Ok(Some(done))
    }

    /// Changes something in one transaction, which is committed once its images are shipped.
    fn change<T>(
        &mut self,
        ship: Ship<'_>,
        waiting: bool,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let transaction =
            self.store.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        finish(&transaction, &self.tracked, waiting, ship)?;
        transaction.commit()?;
        self.store.seq = newest_seq(&self.store.db)?;
        Ok(value)
    }

    /// Returns whether times of unchanged polls wait to be shipped.
    pub(in crate::ledger) fn is_waiting(&self) -> Result<bool> {
        Ok(Tracked::is_waiting(&self.store.db)?)
    }

    /// Ships the times of unchanged polls that wait.
    pub(in crate::ledger) fn ship_waiting(&mut self, ship: Ship<'_>) -> Result<()> {
        self.change(ship, true, |_| Ok(()))
    }

    /// Declares the providers of this node. Of the others only those in the shards of this node,
    /// which `is_ours` knows by their URL, are no longer watched.
    pub(in crate::ledger) fn watch(
        &mut self,
        ship: Ship<'_>,
        message: &Watch,
        now: Time,
        is_ours: &dyn Fn(&str) -> bool,
    ) -> Result<Watching> {
        let ids: BTreeSet<&str> = message.providers.iter().map(|one| one.id.as_str()).collect();
        self.change(ship, false, |transaction| {
            declared::unwatch_where(transaction, |id, url| !ids.contains(id) && is_ours(url))?;
            for id in &message.died {
                declared::count_death(transaction, id, SHARED_DEATHS, now)?;
            }
            declared::declare(transaction, &message.providers, &message.real_intervals, now)?;
            keep_waiting(transaction, &ids)?;
            Ok(Watching {
                loaded: load::all(transaction, &message.providers)?,
                unreachable: declared::unreachable(transaction)?,
                held_since: all_held_since(transaction)?,
            })
        })
    }

    /// Returns a sink's cursor, and begins one after the newest event if there is none.
    pub(in crate::ledger) fn add_sink(
        &mut self,
        ship: Ship<'_>,
        id: &str,
        now: Time,
    ) -> Result<Cursor> {
        let seq = self.store.seq;
        self.change(ship, false, |transaction| Ok(sinks::add_sink(transaction, id, seq, now)?))
    }

    /// Stores the cursor of a sink of this node, if it has none.
    pub(in crate::ledger) fn begin_sink(
        &mut self,
        id: &str,
        cursor: &Cursor,
        now: Time,
    ) -> Result<()> {
        Ok(sinks::begin_sink(&self.store.db, id, cursor, now)?)
    }

    /// Returns the line of an event.
    pub(in crate::ledger) fn line(&self, seq: u64) -> Result<Option<String>> {
        let line = self
            .store
            .db
            .query_row("SELECT line FROM event WHERE seq = ?1", [seq.cast_signed()], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(line)
    }

    /// Makes a command's change, see [`ControlChange`].
    pub(in crate::ledger) fn control(
        &mut self,
        ship: Ship<'_>,
        change: ControlChange<'_>,
    ) -> Result<i64> {
        self.change(ship, false, |transaction| Ok(control(transaction, change)?))
    }

    /// Returns the id of a provider that was ever watched and is named so.
    pub(in crate::ledger) fn provider_named(&self, id: &str) -> Result<Option<String>> {
        self.store.provider_named(id)
    }

    /// See [`crate::ledger::store::Store::network`].
    pub(in crate::ledger) fn network(&self) -> Result<OwnNetwork> {
        Ok(network(&self.store.db)?)
    }

    /// See [`crate::ledger::store::Store::load`].
    pub(in crate::ledger) fn load(&self, provider: &Provider) -> Result<Loaded> {
        Ok(load::one(&self.store.db, provider)?)
    }

    /// See [`crate::ledger::store::Store::check`].
    pub(in crate::ledger) fn check(&mut self) -> Result<()> {
        self.store.check()
    }

    /// See [`crate::ledger::store::Store::complete`].
    pub(in crate::ledger) fn complete(&mut self) {
        self.store.complete();
    }

    /// See [`crate::ledger::store::Store::retention`].
    pub(in crate::ledger) fn retention(&self) -> Result<Option<Time>> {
        Ok(upkeep::retention(&self.store.db)?)
    }

    /// See [`crate::ledger::store::Store::put_retention`].
    pub(in crate::ledger) fn put_retention(&mut self, ship: Ship<'_>, reached: Time) -> Result<()> {
        self.change(ship, false, |transaction| Ok(upkeep::put_retention(transaction, reached)?))
    }

    /// See [`crate::ledger::store::Store::prune`].
    pub(in crate::ledger) fn prune(
        &mut self,
        ship: Ship<'_>,
        before: Time,
        most: u32,
    ) -> Result<usize> {
        self.change(ship, false, |transaction| Ok(prune::prune(transaction, before, most)?))
    }

    /// See [`crate::ledger::store::Store::forget_routing`].
    pub(in crate::ledger) fn forget_routing(&mut self, ship: Ship<'_>) -> Result<()> {
        self.change(ship, false, |transaction| Ok(outbox::forget_routing(transaction)?))
    }

    /// See [`crate::ledger::store::Store::prune_outbox`].
    pub(in crate::ledger) fn prune_outbox(&mut self, ship: Ship<'_>, now: Time) -> Result<()> {
        self.change(ship, false, |transaction| {
            outbox::prune_outbox(transaction, now)?;
            Ok(())
        })
    }

    /// See [`crate::ledger::store::Store::quiet`].
    pub(in crate::ledger) fn quiet(
        &mut self,
        ship: Ship<'_>,
        long_ago: Time,
        now: Time,
    ) -> Result<Vec<(String, Time)>> {
        self.change(ship, false, |transaction| Ok(upkeep::quiet(transaction, long_ago, now)?))
    }

    /// See [`crate::ledger::store::Store::item_times`].
    pub(in crate::ledger) fn item_times(&self, provider: &str) -> Result<Vec<Time>> {
        Ok(upkeep::item_times(&self.store.db, provider)?)
    }

    /// See [`crate::ledger::store::Store::put_quiet_since`].
    pub(in crate::ledger) fn put_quiet_since(
        &mut self,
        ship: Ship<'_>,
        provider: &str,
        since: Time,
    ) -> Result<()> {
        self.change(ship, false, |transaction| {
            Ok(providers::put_quiet_since(transaction, provider, since)?)
        })
    }

    /// See [`crate::ledger::store::Store::forget_moves`].
    pub(in crate::ledger) fn forget_moves(&mut self, ship: Ship<'_>, long_ago: Time) -> Result<()> {
        self.change(ship, false, |transaction| Ok(upkeep::forget_moves(transaction, long_ago)?))
    }
}

/// Ships what a transaction has changed, if anything, and stores the position after it.
fn finish(
    transaction: &Transaction<'_>,
    tracked: &Tracked,
    waiting: bool,
    ship: Ship<'_>,
) -> Result<()> {
    if waiting {
        tracked.take_waiting(transaction)?;
    }
    let images = tracked.images(transaction)?;
    if images.is_empty() {
        return Ok(());
    }
    let position = ship(images)?;
    apply::put_position(transaction, &position)
}

/// Drops the waiting times of unchanged polls of providers that this node no longer has.
fn keep_waiting(transaction: &Transaction<'_>, ids: &BTreeSet<&str>) -> Result<()> {
    let ids = serde_json::to_string(ids).unwrap_or_default();
    transaction.execute(
        "DELETE FROM temp.waiting WHERE provider NOT IN (SELECT value FROM json_each(?1))",
        [ids],
    )?;
    Ok(())
}
