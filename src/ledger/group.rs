//! Group commit: jobs that wait together are written in one transaction and answered once it is on
//! disk.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use tokio::sync::oneshot;

use super::actor::{LedgerActor, Watched, panic_text};
use super::book::{Book, Change};
use super::commit::PostCommit;
use super::error::{LedgerError, Result};
use super::messages::{Delivered, Failed, Record, Recorded, Restarted, SinkHealth, Wake};
use super::offline::{self, NetworkChange, OURSELVES};
use super::outbox::OutboxChange;
use super::store::Group;
use super::{commit, connectivity, min_duration, provider_events};
use crate::clock;
use crate::event::Time;

/// Why results are refused after an error that ended the transaction.
pub(super) const ROLLED_BACK: &str = "the transaction was rolled back";

/// A job for the next transaction, with the channel for its reply.
pub(super) enum Job {
    Record(Box<Record>, oneshot::Sender<Result<Recorded>>),
    Failed(Box<Failed>, oneshot::Sender<Result<()>>),
    Delivered(Delivered, oneshot::Sender<Result<()>>),
    Outbox(Vec<OutboxChange>, oneshot::Sender<Result<()>>),
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
pub(super) enum Done {
    Record(Result<Recorded>, PostCommit),
    Unit(Result<()>),
    Reach(String, bool),
    Network,
    Settled(String, Option<Time>),
    None,
    /// It failed, and no reply is expected.
    Dropped,
    /// It panicked, with this message.
    Panicked(String),
}

impl LedgerActor {
    /// Writes all jobs in one transaction and sends their replies. In-memory state is updated after
    /// the commit, except for the last poll error, which holds either way.
    pub(super) fn flush(&mut self) {
        self.take_hints();
        if self.jobs.is_empty() && self.touched.is_empty() {
            return;
        }
        let jobs = std::mem::take(&mut self.jobs);
        let before = self.store.newest();
        let touched = std::mem::take(&mut self.touched);
        let Self { store, watched, .. } = self;
        let group = Group { jobs: &jobs, touched: &touched };
        let begun = Instant::now();
        let written = store.write(&group, &mut |job, book| job.judge(book, watched));
        self.last_flush = Instant::now();
        self.options.metrics.committed(begun.elapsed(), written.is_ok());
        match written {
            Ok(done) => {
                if std::mem::take(&mut self.failing) {
                    tracing::warn!("writing to the ledger works again");
                }
                jobs.into_iter().zip(done).for_each(|(job, done)| self.answer(job, done));
            }
            Err(error) => {
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
        if self.store.newest() > before {
            self.sinks.retain(|_, sink| {
                // A full mailbox already contains a wake-up; only a closed one is useless.
                !matches!(sink.try_send(Wake), Err(actix::prelude::SendError::Closed(_)))
            });
        }
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

impl Done {
    /// Whether the job's writes are kept.
    pub(super) const fn is_kept(&self) -> bool {
        match self {
            Self::Record(result, _) => result.is_ok(),
            Self::Unit(result) => result.is_ok(),
            Self::Reach(..) | Self::Network | Self::Settled(..) | Self::None => true,
            Self::Dropped | Self::Panicked(_) => false,
        }
    }

    /// Why they are not, if that is known.
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Record(Err(error), _) | Self::Unit(Err(error)) => Some(error.reason()),
            _ => None,
        }
    }

    /// Logs the panic of a job that will not be judged again.
    pub(super) fn log_panic(&self) {
        if let Self::Panicked(panic) = self {
            tracing::error!(panic, "cannot record a result");
        }
    }

    fn unanswered(result: Result<()>) -> Self {
        result.map_or(Self::Dropped, |()| Self::None)
    }
}

impl Job {
    /// Returns the provider whose book the job is judged with: for sinks, the outbox and the
    /// network, the program itself.
    pub(super) fn provider(&self) -> &str {
        match self {
            Self::Record(message, _) => &message.provider.id,
            Self::Failed(message, _) => &message.provider.id,
            Self::Restarted(message) => &message.provider,
            Self::Reachable(id) | Self::Unreachable(id, _) | Self::Settle(id, _) => id,
            Self::Delivered(..) | Self::Outbox(..) | Self::SinkHealth(_) | Self::Network(_) => {
                OURSELVES
            }
        }
    }

    /// Writes the job to the book, and catches a panic. May be called again after a rollback.
    fn judge(&self, book: &mut dyn Book, watched: &mut HashMap<String, Watched>) -> Done {
        catch_unwind(AssertUnwindSafe(|| self.run(book, watched)))
            .unwrap_or_else(|panic| Done::Panicked(panic_text(&*panic)))
    }

    fn run(&self, book: &mut dyn Book, watched: &mut HashMap<String, Watched>) -> Done {
        match self {
            Self::Record(message, _) => {
                let known = watched.get(&message.provider.id);
                let mut post_commit = PostCommit {
                    held_since: known.and_then(|watched| watched.held_since),
                    ..PostCommit::default()
                };
                let result = commit::record(book, &mut post_commit, message);
                Done::Record(result, post_commit)
            }
            Self::Failed(message, _) => {
                if let Some(watched) = watched.get_mut(&message.provider.id) {
                    watched.last_error = Some(message.reason.clone());
                }
                Done::Unit(book.put(Change::Failed(message)))
            }
            Self::Delivered(message, _) => {
                Done::Unit(book.put(Change::Delivered(message, clock::now())))
            }
            Self::Outbox(changes, _) => {
                Done::Unit(changes.iter().try_for_each(|change| book.put(Change::Outbox(change))))
            }
            Self::Restarted(message) => Done::unanswered(book.put(Change::Restarted(message))),
            Self::SinkHealth(message) => Done::unanswered(book.put(Change::SinkHealth(message))),
            Self::Reachable(id) => Self::reach(book, watched, id, true, None),
            Self::Unreachable(id, others) => {
                Self::reach(book, watched, id, false, others.as_deref())
            }
            Self::Settle(id, at) => {
                let Some(Watched { provider, .. }) = watched.get(id) else {
                    return Done::None;
                };
                min_duration::settle(book, provider, *at)
                    .map_or(Done::Dropped, |since| Done::Settled(id.clone(), since))
            }
            Self::Network(change) => {
                offline::record(book, change).map_or(Done::Dropped, |()| Done::Network)
            }
        }
    }

    fn reach(
        book: &mut dyn Book,
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
        let emitted = book.state().and_then(|state| {
            if state.unreachable != reachable {
                // Another job of this transaction, or the last poll, has already reported it.
                return Ok(false);
            }
            provider_events::reachability(
                book,
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
                drop(sender.send(Err(busy)));
            }
            _ => {}
        }
    }
}
