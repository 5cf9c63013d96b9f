//! The ledger's database as its actor uses it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::book::{Numbering, SqliteBook};
use super::components::all_held_since;
use super::events::newest_seq;
use super::network::network;
use super::outbox_control::{ControlChange, control, provider_named};
use super::place::elsewhere;
use super::wal::Wal;
use super::{declared, import, load, migrate, outbox, providers, prune, sinks, upkeep};
use crate::config::Provider;
use crate::event::Time;
use crate::ledger::book::Book;
use crate::ledger::declared::DEATHS;
use crate::ledger::delivery::{Cursor, LongerLog};
use crate::ledger::error::{LedgerError, RecoveryError, Result};
use crate::ledger::job::{Done, Job, ROLLED_BACK};
use crate::ledger::messages::{Loaded, Watch};
use crate::ledger::numbering::Dropped;
use crate::ledger::offline::OwnNetwork;
use crate::ledger::store::{Group, Store, Watching};

/// A ledger in a file.
pub(in crate::ledger) struct SqliteStore {
    pub(super) db: Connection,
    state_dir: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
    pub(super) seq: u64,
    wal: Wal,
}

impl SqliteStore {
    /// Opens the database in `state_dir`, and creates or upgrades it as needed. One that was moved
    /// away, or is the replica of one that several nodes share, is refused.
    pub(in crate::ledger) fn open(state_dir: &Path) -> Result<Self> {
        let store = Self::open_any(state_dir)?;
        match elsewhere(&store.db)? {
            None => Ok(store),
            Some(place) => {
                Err(LedgerError::Elsewhere { path: state_dir.join(migrate::DATABASE), place })
            }
        }
    }

    /// As [`Self::open`], whatever it is.
    pub(super) fn open_any(state_dir: &Path) -> Result<Self> {
        let db = migrate::open_writer(state_dir)?;
        let seq = newest_seq(&db)?;
        let file = file_identity(state_dir);
        Ok(Self { db, state_dir: state_dir.to_owned(), file, seq, wal: Wal::default() })
    }

    /// Makes a command's change, see [`ControlChange`].
    pub(in crate::ledger) fn control(&mut self, change: ControlChange<'_>) -> Result<i64> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = control(&transaction, change)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Returns the id of a provider that was ever watched and is named so.
    pub(in crate::ledger) fn provider_named(&self, id: &str) -> Result<Option<String>> {
        Ok(provider_named(&self.db, id)?)
    }

    /// Writes a group, all or nothing unless there are savepoints.
    fn attempt(
        &mut self,
        group: &Group<'_>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
        savepoints: Savepoints,
    ) -> Result<Vec<Done>, Stopped> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (done, numbering) = judge_group(&transaction, self.seq, group, judge, savepoints)?;
        transaction.commit()?;
        self.seq = numbering.seq;
        numbering.dropped.iter().for_each(Dropped::warn);
        Ok(done)
    }
}

/// Judges a group in an open transaction; its events get the numbers after `seq`. After an error the
/// transaction must be rolled back.
pub(super) fn judge_group(
    transaction: &Transaction<'_>,
    seq: u64,
    group: &Group<'_>,
    judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
    savepoints: Savepoints,
) -> Result<(Vec<Done>, Numbering), Stopped> {
    for touch in group.touched.values() {
        providers::touch_provider(transaction, touch)?;
    }
    let mut done = Vec::with_capacity(group.jobs.len());
    let mut numbering = Numbering::after(seq);
    for job in group.jobs {
        savepoints.run(transaction, "SAVEPOINT result")?;
        let (before, dropped) = (numbering.seq, numbering.dropped.len());
        let mut book = SqliteBook::new(transaction, job.provider(), &mut numbering);
        let outcome = judge(job, &mut book);
        if outcome.is_kept() {
            savepoints.run(transaction, "RELEASE result")?;
        } else if savepoints == Savepoints::None || transaction.is_autocommit() {
            // Some errors (full disk, out of memory) roll back the whole transaction at once.
            // Anything after that would be written outside it, under numbers that are then
            // assigned again.
            let reason = outcome.reason().unwrap_or_else(|| ROLLED_BACK.to_owned());
            return Err(Stopped {
                by_job: savepoints == Savepoints::None,
                error: LedgerError::Busy { reason },
            });
        } else {
            numbering.seq = before;
            numbering.dropped.truncate(dropped);
            savepoints.run(transaction, "ROLLBACK TO result")?;
            savepoints.run(transaction, "RELEASE result")?;
        }
        outcome.log_panic();
        done.push(outcome);
    }
    Ok((done, numbering))
}

/// Whether jobs can be rolled back individually.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Savepoints {
    /// No savepoints: a failing job rolls back all of them.
    None,
    /// One savepoint per job, so that none affects the others.
    Each,
}

impl Savepoints {
    /// Runs a statement about a savepoint, if there are any.
    fn run(self, transaction: &Transaction<'_>, statement: &str) -> rusqlite::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Each => transaction.prepare_cached(statement)?.execute([]).map(|_| ()),
        }
    }
}

/// Why a group could not be written.
pub(super) struct Stopped {
    /// A job failed; the others may succeed.
    pub(super) by_job: bool,
    pub(super) error: LedgerError,
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self { by_job: false, error: error.into() }
    }
}

impl Store for SqliteStore {
    fn newest(&self) -> u64 {
        self.seq
    }

    fn import(&mut self, log: &mut dyn LongerLog) -> Result<u64, RecoveryError> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let recovered = import::import(&transaction, self.seq, log)?;
        transaction.commit()?;
        self.seq = recovered.seq;
        Ok(recovered.events)
    }

    fn network(&mut self) -> Result<OwnNetwork> {
        Ok(network(&self.db)?)
    }

    fn watch(&mut self, message: &Watch, now: Time) -> Result<Watching> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        declared::unwatch_others(&transaction, &message.providers)?;
        for id in &message.died {
            declared::count_death(&transaction, id, DEATHS, now)?;
        }
        declared::declare(&transaction, &message.providers, &message.real_intervals, now)?;
        let watching = Watching {
            loaded: load::all(&transaction, &message.providers)?,
            unreachable: declared::unreachable(&transaction)?,
            held_since: all_held_since(&transaction)?,
        };
        transaction.commit()?;
        Ok(watching)
    }

    fn load(&mut self, provider: &Provider) -> Result<Loaded> {
        Ok(load::one(&self.db, provider)?)
    }

    fn add_sink(&mut self, id: &str, now: Time) -> Result<Cursor> {
        Ok(sinks::add_sink(&self.db, id, self.seq, now)?)
    }

    fn write(
        &mut self,
        group: &Group<'_>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
    ) -> Result<Vec<Done>> {
        // Almost always all jobs succeed, and a savepoint copies each changed page.
        let written = match self.attempt(group, judge, Savepoints::None) {
            Err(Stopped { by_job: true, .. }) => self.attempt(group, judge, Savepoints::Each),
            written => written,
        };
        written.map_err(|stopped| stopped.error)
    }

    fn check(&mut self) -> Result<()> {
        if file_identity(&self.state_dir) != self.file {
            return Err(LedgerError::Replaced { path: self.state_dir.join(migrate::DATABASE) });
        }
        self.wal.check(&self.db, &self.state_dir);
        Ok(())
    }

    fn complete(&mut self) {
        if let Err(error) = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::debug!(%error, "cannot truncate the write-ahead log");
        }
    }

    fn retention(&mut self) -> Result<Option<Time>> {
        Ok(upkeep::retention(&self.db)?)
    }

    fn put_retention(&mut self, reached: Time) -> Result<()> {
        Ok(upkeep::put_retention(&self.db, reached)?)
    }

    fn prune(&mut self, before: Time, most: u32) -> Result<usize> {
        Ok(prune::prune(&self.db, before, most)?)
    }

    fn forget_routing(&mut self) -> Result<()> {
        Ok(outbox::forget_routing(&self.db)?)
    }

    fn prune_outbox(&mut self, now: Time) -> Result<()> {
        outbox::prune_outbox(&self.db, now)?;
        Ok(())
    }

    fn quiet(&mut self, long_ago: Time, now: Time) -> Result<Vec<(String, Time)>> {
        Ok(upkeep::quiet(&self.db, long_ago, now)?)
    }

    fn item_times(&mut self, provider: &str) -> Result<Vec<Time>> {
        Ok(upkeep::item_times(&self.db, provider)?)
    }

    fn put_quiet_since(&mut self, provider: &str, since: Time) -> Result<()> {
        Ok(providers::put_quiet_since(&self.db, provider, since)?)
    }

    fn forget_moves(&mut self, long_ago: Time) -> Result<()> {
        Ok(upkeep::forget_moves(&self.db, long_ago)?)
    }
}

/// Returns device and inode of the database.
fn file_identity(state_dir: &Path) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(state_dir.join(migrate::DATABASE))
        .map_or((0, 0), |metadata| (metadata.dev(), metadata.ino()))
}
