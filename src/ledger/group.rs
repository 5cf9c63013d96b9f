//! Group commit: jobs that wait together are written in one transaction and answered once it is on
//! disk.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rusqlite::{TransactionBehavior, params};
use tokio::sync::oneshot;

use super::actor::{LedgerActor, Watched, panic_text};
use super::commit::PostCommit;
use super::messages::{
    Delivered, Failed, Record, Recorded, Restarted, SinkHealth, Unchanged, Wake,
};
use super::numbering::{Dropped, Numbering};
use super::offline::{self, NetworkChange};
use super::outbox::OutboxChange;
use super::{LedgerError, commit, connectivity, min_duration, provider_events, sqlite};
use crate::clock;
use crate::event::Time;

/// Why results are refused after an error that ended the transaction.
const ROLLED_BACK: &str = "the transaction was rolled back";

/// A job for the next transaction, with the channel for its reply.
pub(super) enum Job {
    Record(Box<Record>, oneshot::Sender<Result<Recorded, LedgerError>>),
    Failed(Box<Failed>, oneshot::Sender<Result<(), LedgerError>>),
    Delivered(Delivered, oneshot::Sender<Result<(), LedgerError>>),
    Outbox(Vec<OutboxChange>, oneshot::Sender<Result<(), LedgerError>>),
    Restarted(Restarted),
    SinkHealth(SinkHealth),
    Reachable(String),
    /// With a description of the other failing providers.
    Unreachable(String, Option<String>),
    Network(NetworkChange),
    /// An unchanged poll at this time confirms that held-back component changes have lasted.
    Settle(String, Time),
}

/// The outcome of a job.
enum Done {
    Record(Result<Recorded, LedgerError>, PostCommit),
    Unit(Result<(), LedgerError>),
    Reach(String, bool),
    Network,
    Settled(String, Option<Time>),
    None,
    /// It failed, and no reply is expected.
    Dropped,
}

/// Whether jobs can be rolled back individually.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Savepoints {
    /// No savepoints: a failing job rolls back all of them.
    None,
    /// One savepoint per job, so that none affects the others.
    Each,
}

/// Why a group could not be written.
struct Stopped {
    /// A job failed; the others may succeed.
    by_job: bool,
    error: LedgerError,
}

impl LedgerActor {
    /// Writes all jobs in one transaction and sends their replies.
    pub(super) fn flush(&mut self) {
        self.take_hints();
        if self.jobs.is_empty() && self.touched.is_empty() {
            return;
        }
        let jobs = std::mem::take(&mut self.jobs);
        let before = self.seq;
        let touched = std::mem::take(&mut self.touched);
        // Almost always all jobs succeed, and a savepoint copies each changed page.
        let written = match self.write(&jobs, &touched, Savepoints::None) {
            Err(Stopped { by_job: true, .. }) => self.write(&jobs, &touched, Savepoints::Each),
            written => written,
        };
        self.last_flush = Instant::now();
        match written {
            Ok(done) => {
                if std::mem::take(&mut self.failing) {
                    tracing::warn!("writing to the ledger works again");
                }
                jobs.into_iter().zip(done).for_each(|(job, done)| self.answer(job, done));
            }
            Err(Stopped { error, .. }) => {
                // The buffered times are only hints, but still valid.
                for (provider, touch) in touched {
                    self.touched.entry(provider).or_insert(touch);
                }
                self.report_error(&error);
                let reason = error.reason();
                for job in jobs {
                    job.refuse(&reason);
                }
            }
        }
        if self.seq > before {
            self.sinks.retain(|_, sink| {
                // A full mailbox already contains a wake-up; only a closed one is useless.
                !matches!(sink.try_send(Wake), Err(actix::prelude::SendError::Closed(_)))
            });
        }
    }

    /// Writes all jobs in one transaction. In-memory state is updated after the commit, except for
    /// the last poll error, which holds either way.
    fn write(
        &mut self,
        jobs: &[Job],
        touched: &HashMap<String, Unchanged>,
        savepoints: Savepoints,
    ) -> Result<Vec<Done>, Stopped> {
        let Self { db, seq, watched, .. } = self;
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for touch in touched.values() {
            sqlite::touch_provider(&transaction, touch)?;
        }
        let run = |statement: &str| match savepoints {
            Savepoints::None => Ok(0),
            Savepoints::Each => transaction
                .prepare_cached(statement)
                .and_then(|mut statement| statement.execute([])),
        };
        let mut done = Vec::with_capacity(jobs.len());
        let mut numbering = Numbering::new(&transaction, *seq);
        for job in jobs {
            run("SAVEPOINT result")?;
            let (before, dropped) = (numbering.seq, numbering.dropped.len());
            let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut numbering, watched)));
            if let Ok(outcome) = &outcome
                && outcome.is_kept()
            {
                run("RELEASE result")?;
            } else if savepoints == Savepoints::None || transaction.is_autocommit() {
                // Some errors (full disk, out of memory) roll back the whole transaction at once.
                // Anything after that would be written outside it, under numbers that are then
                // assigned again.
                let reason = outcome
                    .ok()
                    .and_then(|done| done.reason())
                    .unwrap_or_else(|| ROLLED_BACK.to_owned());
                return Err(Stopped {
                    by_job: savepoints == Savepoints::None,
                    error: LedgerError::Busy { reason },
                });
            } else {
                numbering.seq = before;
                numbering.dropped.truncate(dropped);
                run("ROLLBACK TO result")?;
                run("RELEASE result")?;
            }
            done.push(outcome.unwrap_or_else(|panic| {
                tracing::error!(panic = panic_text(&*panic), "cannot record a result");
                Done::Dropped
            }));
        }
        let Numbering { seq: reached, dropped, .. } = numbering;
        transaction.commit()?;
        dropped.iter().for_each(Dropped::warn);
        *seq = reached;
        Ok(done)
    }

    /// Replies to a job whose transaction is on disk.
    fn answer(&mut self, job: Job, done: Done) {
        match (job, done) {
            (Job::Record(message, sender), Done::Record(result, post_commit)) => {
                post_commit
                    .warnings
                    .iter()
                    .filter(|_| result.is_ok())
                    .for_each(|warning| warning.log(&message.provider.id));
                if let Some(watched) = self.watched.get_mut(&message.provider.id) {
                    if result.is_ok() {
                        watched.held_since = post_commit.held_since;
                    }
                    if let (Ok(_), Some(reason)) = (&result, post_commit.anomaly) {
                        // The page responded, but nothing new is known.
                        watched.last_error = Some(reason);
                    } else if result.is_ok() {
                        watched.fresh = Instant::now();
                        watched.read = Some(watched.fresh);
                        watched.unreachable = false;
                        watched.last_error = None;
                    }
                }
                // A poller that was replaced in the meantime no longer waits.
                drop(sender.send(result));
            }
            (
                Job::Failed(_, sender) | Job::Delivered(_, sender) | Job::Outbox(_, sender),
                Done::Unit(result),
            ) => {
                drop(sender.send(result));
            }
            (_, Done::Reach(provider, unreachable)) => {
                if let Some(watched) = self.watched.get_mut(&provider) {
                    watched.unreachable = unreachable;
                }
            }
            (_, Done::Settled(provider, held_since)) => {
                if let Some(watched) = self.watched.get_mut(&provider) {
                    watched.held_since = held_since;
                }
            }
            (Job::Network(change), Done::Network) => self.apply_network_change(&change),
            // After a panic the sender is dropped with the job: the caller gets `Away` and retries.
            _ => {}
        }
    }

    /// Applies a committed change of our network state.
    fn apply_network_change(&mut self, change: &NetworkChange) {
        change.log();
        self.network.set_offline(change.is_offline());
        if change.is_offline() {
            self.offline_since = Some(change.instant());
            return;
        }
        // After a restart during the outage, count from the start of this process.
        let since = self.offline_since.take().unwrap_or(self.begun);
        for watched in self.watched.values_mut() {
            let settings = &watched.provider.settings;
            let grace = (settings.interval * 2 + settings.timeout).min(settings.stale_after);
            watched.fresh = connectivity::fresh_after(
                watched.fresh,
                (since, Instant::now()),
                settings.stale_after,
                grace,
            );
        }
    }

    /// Logs once that the database cannot be written. An error that will not resolve itself ends
    /// the process.
    pub(super) fn report_error(&mut self, error: &LedgerError) {
        if !error.may_pass() {
            // If the receiver is closed, the process is already shutting down.
            drop(self.options.fatal.send(error.to_string()));
        } else if !self.failing {
            self.failing = true;
            tracing::error!(%error, "cannot write to the ledger; no data is lost, polls are retried until it can be written");
        }
    }
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self { by_job: false, error: error.into() }
    }
}

impl Done {
    /// Whether the job's writes are kept.
    const fn is_kept(&self) -> bool {
        match self {
            Self::Record(result, _) => result.is_ok(),
            Self::Unit(result) => result.is_ok(),
            Self::Reach(..) | Self::Network | Self::Settled(..) | Self::None => true,
            Self::Dropped => false,
        }
    }

    fn reason(&self) -> Option<String> {
        match self {
            Self::Record(Err(error), _) | Self::Unit(Err(error)) => Some(error.reason()),
            _ => None,
        }
    }

    fn unanswered(result: rusqlite::Result<()>) -> Self {
        result.map_or(Self::Dropped, |()| Self::None)
    }
}

impl Job {
    /// Writes the job to the open transaction. May be called again after a rollback.
    fn run(&self, numbering: &mut Numbering<'_>, watched: &mut HashMap<String, Watched>) -> Done {
        match self {
            Self::Record(message, _) => {
                let known = watched.get(&message.provider.id);
                let mut post_commit = PostCommit {
                    held_since: known.and_then(|watched| watched.held_since),
                    ..PostCommit::default()
                };
                let result =
                    commit::record(numbering, &mut post_commit, message).map_err(LedgerError::from);
                Done::Record(result, post_commit)
            }
            Self::Failed(message, _) => {
                if let Some(watched) = watched.get_mut(&message.provider.id) {
                    watched.last_error = Some(message.reason.clone());
                }
                Done::Unit(sqlite::fail(numbering.db, message).map_err(LedgerError::from))
            }
            Self::Delivered(message, _) => {
                Done::Unit(sqlite::put_cursor(numbering.db, message).map_err(LedgerError::from))
            }
            Self::Outbox(changes, _) => Done::Unit(
                changes
                    .iter()
                    .try_for_each(|change| sqlite::change_outbox(numbering.db, change))
                    .map_err(LedgerError::from),
            ),
            Self::Restarted(message) => {
                Done::unanswered(sqlite::put_restart(numbering.db, message))
            }
            Self::SinkHealth(message) => {
                let written = numbering
                    .db
                    .prepare_cached("UPDATE sink SET trouble = ?2 WHERE id = ?1")
                    .and_then(|mut statement| {
                        statement.execute(params![message.id, message.failure])
                    });
                Done::unanswered(written.map(|_| ()))
            }
            Self::Reachable(id) => Self::reach(numbering, watched, id, true, None),
            Self::Unreachable(id, others) => {
                Self::reach(numbering, watched, id, false, others.as_deref())
            }
            Self::Settle(id, at) => {
                let Some(Watched { provider, .. }) = watched.get(id) else {
                    return Done::None;
                };
                min_duration::settle(numbering, provider, *at)
                    .map_or(Done::Dropped, |since| Done::Settled(id.clone(), since))
            }
            Self::Network(change) => {
                offline::record(numbering, change).map_or(Done::Dropped, |()| Done::Network)
            }
        }
    }

    fn reach(
        numbering: &mut Numbering<'_>,
        watched: &HashMap<String, Watched>,
        id: &str,
        reachable: bool,
        others: Option<&str>,
    ) -> Done {
        let Some(entry) = watched.get(id) else {
            return Done::None;
        };
        let why = if reachable {
            None
        } else {
            let why = entry.last_error.as_deref().unwrap_or("no poll has finished");
            Some(others.map_or_else(|| why.to_owned(), |others| format!("{why}\n{others}")))
        };
        let emitted = sqlite::provider_state(numbering.db, id).and_then(|state| {
            if state.unreachable != reachable {
                // Another job of this transaction, or the last poll, has already reported it.
                return Ok(false);
            }
            provider_events::reachability(
                numbering,
                &entry.provider,
                &state,
                reachable,
                why,
                clock::now(),
            )
        });
        emitted.map_or(Done::Dropped, |_| Done::Reach(id.to_owned(), !reachable))
    }

    /// Replies with an error when nothing could be written.
    fn refuse(self, why: &str) {
        let busy = LedgerError::Busy { reason: why.to_owned() };
        match self {
            Self::Record(_, sender) => drop(sender.send(Err(busy))),
            Self::Failed(_, sender) | Self::Delivered(_, sender) | Self::Outbox(_, sender) => {
                drop(sender.send(Err(busy)))
            }
            _ => {}
        }
    }
}
