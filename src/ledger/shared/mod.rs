//! A ledger that several nodes share: a PostgreSQL database with an image of each row, in the order
//! of commits, and a complete replica of it on every node.
//!
//! All decisions and all reads work on the replica. A write waits for its turn, applies what others
//! have committed, changes the replica, ships the images of the rows it changed, and commits here
//! only once the database has committed. A replica is never ahead of the database, and one that is
//! lost or too old is filled anew.

pub(super) mod moving;
mod remote;
mod session;
mod store;
mod tail;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use self::remote::Remote;
use self::session::{Begun, Grant, Need, Shards};
use self::tail::{Lack, Refill};
use super::book::Book;
use super::error::{LedgerError, Result};
use super::image::{Image, Position, Ship};
use super::job::{Done, Job};
use super::messages::Unchanged;
use super::sqlite::{ControlChange, Replica, is_local_sink};
use super::store::Group;
use crate::postgres::{DatabaseUrl, Error, Fence, Life};

/// The shared database, and what says under which life this process writes to it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Where the database is.
    pub url: DatabaseUrl,
    /// The life.
    pub fence: Fence,
}

/// How long a write waits for a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the start waits for one.
const AT_START: Duration = Duration::from_secs(6);

/// Maximum time of an exchange.
const EXCHANGE: Duration = Duration::from_secs(6);

/// Maximum time of reading everything.
const READ_ALL: Duration = Duration::from_mins(10);

/// How often the times of unchanged polls are shipped.
const UNCHANGED_EVERY: Duration = Duration::from_secs(30);

/// A group that takes longer to judge than this is halved if its transaction was ended meanwhile.
const SLOW: Duration = Duration::from_secs(1);

/// How many transactions a group may take whose results cannot all be written together.
const MOST_ATTEMPTS: usize = 40;

/// How often a write starts over because the replica was too far behind.
const MOST_AGAIN: usize = 100;

/// A ledger that several nodes share, as the ledger's actor of one of them uses it.
pub(super) struct SharedStore {
    replica: Replica,
    remote: Remote,
    /// `None` for a command, which no fence stops.
    fence: Option<Fence>,
    /// The shards of the declared providers.
    shards: HashMap<String, u16>,
    /// When times of unchanged polls were last shipped.
    unchanged_at: Instant,
}

/// What a transaction may do, and how it ships what it did.
struct Turn<'a> {
    remote: &'a Remote,
    life: Option<Life>,
    /// The position before it.
    after: Position,
    grant: Grant,
    /// Whether the database was asked to commit.
    is_shipped: bool,
}

impl Turn<'_> {
    /// Ships images and commits the transaction in the database.
    fn ship(&mut self, images: Vec<Image>) -> Result<Position> {
        self.is_shipped = true;
        let (life, after) = (self.life, self.after.clone());
        let shipped = self.remote.call(Duration::ZERO, EXCHANGE, move |session| {
            Box::pin(session.ship(images, life, after))
        });
        Ok(shipped?)
    }
}

impl SharedStore {
    /// Opens the replica in `state_dir` and connects to the database. Without a connection it opens
    /// a replica that was filled before, and connects later.
    pub(super) fn open(state_dir: &Path, url: &DatabaseUrl, fence: Option<Fence>) -> Result<Self> {
        let mut store = Self {
            replica: Replica::open(state_dir)?,
            remote: Remote::open(url.clone())?,
            fence,
            shards: HashMap::new(),
            unchanged_at: Instant::now(),
        };
        match store.catch_up(AT_START) {
            Err(error) if error.may_pass() && !store.replica.position()?.identity.is_empty() => {
                tracing::warn!(%error, "the database is away; this node shows what it knew before");
                Ok(store)
            }
            Err(error) => Err(error),
            Ok(()) => {
                match store.remote.call(PATIENCE, EXCHANGE, |session| Box::pin(session.moved()))? {
                    None => Ok(store),
                    Some(to) => {
                        let to = crate::text::one_line(&to, 200);
                        let reason = format!("the ledger was moved out of this database, to {to}");
                        Err(Error::Refused { reason }.into())
                    }
                }
            }
        }
    }

    /// Returns the life to write under.
    fn life(&self) -> Result<Option<Life>> {
        match &self.fence {
            None => Ok(None),
            Some(fence) => fence.life().map(Some).ok_or_else(fenced),
        }
    }

    /// Applies everything that others have committed.
    fn catch_up(&mut self, patience: Duration) -> Result<()> {
        for _ in 0..MOST_AGAIN {
            let from = self.replica.position()?;
            let lack = self
                .remote
                .call(patience, EXCHANGE, move |session| Box::pin(session.lack(from)))?;
            if self.supply(lack)? {
                return Ok(());
            }
        }
        Err(behind())
    }

    /// Gives the replica what it lacks. Returns whether that is all.
    fn supply(&mut self, lack: Lack) -> Result<bool> {
        match lack {
            Lack::Nothing => Ok(true),
            Lack::Tail(tail) => self.replica.apply(&tail).map(|()| true),
            Lack::Part(tail) => self.replica.apply(&tail).map(|()| false),
            Lack::All(why) => self.fill(why).map(|()| false),
        }
    }

    /// Fills the replica anew.
    fn fill(&mut self, why: Refill) -> Result<()> {
        let known = self.replica.newest();
        if why == Refill::Restored {
            self.keep_numbers(known)?;
        }
        let begun = Instant::now();
        let (sender, chunks) = std::sync::mpsc::sync_channel(2);
        let mut reading = Some(
            self.remote
                .start(PATIENCE, READ_ALL, move |session| Box::pin(session.read_all(sender))),
        );
        let rows =
            self.replica.fill(&mut || Ok(chunks.recv().ok()), &mut || match reading.take() {
                Some(reading) => Ok(reading.wait()?),
                None => Err(behind()),
            })?;
        if rows > 0 {
            let took = begun.elapsed();
            tracing::info!(rows, ?took, ?why, "filled the replica of the ledger from the database");
        }
        Ok(())
    }

    /// Raises the floor of numbers to `known`, if the database has no event with that number: it was
    /// used by one that is lost.
    fn keep_numbers(&mut self, known: u64) -> Result<()> {
        let newest =
            self.remote.call(PATIENCE, EXCHANGE, |session| Box::pin(session.newest_event()))?;
        if known <= newest {
            return Ok(());
        }
        self.remote
            .call(PATIENCE, EXCHANGE, move |session| Box::pin(session.raise_floor(known)))?;
        tracing::error!(
            known,
            newest,
            "the database knows fewer events than this node: it was restored, or promoted before it had everything. \
             Numbers continue after the highest one that was used; what was lost is reported again where pages still show it"
        );
        Ok(())
    }

    /// Waits for its turn, applies what others have committed, and lets `work` change the replica.
    fn take_turn<T>(
        &mut self,
        shards: &Shards,
        mut work: impl FnMut(&mut Replica, &mut Turn<'_>) -> Result<T>,
    ) -> Result<T> {
        let life = self.life()?;
        for _ in 0..MOST_AGAIN {
            let from = self.replica.position()?;
            let need = Need { life, shards: shards.clone() };
            let begun = self
                .remote
                .call(PATIENCE, EXCHANGE, move |session| Box::pin(session.begin(need, from)))?;
            let (grant, tail) = match begun {
                Begun::Turn(grant, tail) => (grant, tail),
                Begun::Behind(lack) => {
                    self.supply(lack)?;
                    continue;
                }
                Begun::Fenced => return Err(fenced()),
            };
            let mut turn = Turn {
                remote: &self.remote,
                life,
                after: tail.to.clone(),
                grant,
                is_shipped: false,
            };
            let replica = &mut self.replica;
            let worked = replica.apply(&tail).and_then(|()| {
                // Another process of this machine may have moved it meanwhile: once more.
                if replica.position()? == tail.to {
                    work(replica, &mut turn).map(Some)
                } else {
                    Ok(None)
                }
            });
            if !turn.is_shipped {
                let ended = self
                    .remote
                    .call(Duration::ZERO, EXCHANGE, |session| Box::pin(session.rollback()));
                if worked.is_ok() {
                    ended?;
                }
            }
            if let Some(done) = worked? {
                return Ok(done);
            }
        }
        Err(behind())
    }

    /// Makes a command's change, see [`ControlChange`].
    pub(super) fn control(&mut self, change: ControlChange<'_>) -> Result<i64> {
        self.take_turn(&Shards::default(), |replica, turn| {
            replica.control(&mut |images| turn.ship(images), change)
        })
    }

    /// Returns the id of a provider that was ever watched and is named so.
    pub(super) fn provider_named(&self, id: &str) -> Result<Option<String>> {
        self.replica.provider_named(id)
    }

    /// As [`Self::take_turn`], for what a single node does for all: `None` if that is another one.
    fn as_main<T>(
        &mut self,
        mut work: impl FnMut(&mut Replica, Ship<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.fence.as_ref().is_some_and(|fence| fence.life().is_none()) {
            return Ok(None);
        }
        self.take_turn(&Shards::default(), |replica, turn| {
            if turn.grant.is_main {
                work(replica, &mut |images| turn.ship(images)).map(Some)
            } else {
                Ok(None)
            }
        })
    }

    /// Writes jobs, in halves if they cannot be written together. The outcome of one that cannot be
    /// written is [`Done::Refused`], unless none can.
    fn write_jobs(
        &mut self,
        jobs: &[Job],
        touched: &HashMap<String, Unchanged>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
        attempts: &mut usize,
    ) -> Result<Vec<Done>> {
        *attempts += 1;
        let (error, is_divisible) = match self.write_together(jobs, touched, judge) {
            Ok(done) => return Ok(done),
            Err(stopped) => stopped,
        };
        if !is_divisible || jobs.len() < 2 || *attempts >= MOST_ATTEMPTS {
            return Err(error);
        }
        let (one, other) = jobs.split_at(jobs.len() / 2);
        let mut done = Vec::with_capacity(jobs.len());
        let mut failed = 0;
        for (half, touched) in [(one, touched), (other, &HashMap::new())] {
            match self.write_jobs(half, touched, judge, attempts) {
                Ok(half) => done.extend(half),
                Err(error) => {
                    failed += 1;
                    tracing::debug!(%error, results = half.len(), "some results cannot be recorded");
                    done.extend(half.iter().map(|_| Done::Refused));
                }
            }
        }
        if failed == 2 { Err(error) } else { Ok(done) }
    }

    /// Writes jobs in one transaction. An error comes with whether halves may succeed.
    fn write_together(
        &mut self,
        jobs: &[Job],
        touched: &HashMap<String, Unchanged>,
        judge: &mut dyn FnMut(&Job, &mut dyn Book) -> Done,
    ) -> Result<Vec<Done>, (LedgerError, bool)> {
        let known = std::mem::take(&mut self.shards);
        let ids = jobs.iter().map(Job::provider).chain(touched.keys().map(String::as_str));
        let shards: BTreeSet<u16> = ids.filter_map(|id| known.get(id).copied()).collect();
        let waiting = self.unchanged_at.elapsed() >= UNCHANGED_EVERY;
        let mut took = Duration::ZERO;
        let is_command = self.fence.is_none();
        let written = self.take_turn(&Shards::These(shards), |replica, turn| {
            let grant = turn.grant.clone();
            let is_ours = |id: &str| {
                is_command || known.get(id).is_some_and(|shard| grant.shards.contains(shard))
            };
            let kept: HashMap<String, Unchanged>;
            let touched = if touched.keys().all(|id| is_ours(id)) {
                touched
            } else {
                let ours = touched.iter().filter(|(id, _)| is_ours(id));
                kept = ours.map(|(id, touch)| (id.clone(), touch.clone())).collect();
                &kept
            };
            let mut judge = |job: &Job, book: &mut dyn Book| {
                let allowed = match job {
                    Job::Network(_) => true,
                    Job::Outbox(..) => grant.is_main,
                    Job::Delivered(message, _) => is_local_sink(&message.id) || grant.is_main,
                    Job::SinkHealth(message) => is_local_sink(&message.id) || grant.is_main,
                    job => is_ours(job.provider()),
                };
                if allowed { judge(job, book) } else { Done::Refused }
            };
            let begun = Instant::now();
            let group = Group { jobs, touched };
            let floor = turn.grant.floor;
            let mut ship = |images| {
                took = begun.elapsed();
                turn.ship(images)
            };
            replica.write(floor, &group, &mut judge, waiting, Some(&mut ship))
        });
        self.shards = known;
        match written {
            Ok(Some(done)) => {
                if waiting {
                    self.unchanged_at = Instant::now();
                }
                Ok(done)
            }
            Ok(None) => Err((behind(), false)),
            Err(error) => {
                let is_defect = matches!(error, LedgerError::Shared(Error::Defect { .. }));
                Err((error, is_defect || took >= SLOW))
            }
        }
    }
}

/// The life that this process writes under has ended, or there is none.
fn fenced() -> LedgerError {
    LedgerError::Busy { reason: "this node does not hold its lease".to_owned() }
}

/// The replica could not be brought up to date.
fn behind() -> LedgerError {
    LedgerError::Busy { reason: "the replica cannot keep up with the database".to_owned() }
}
