//! Group commit: jobs that wait together are written in one transaction and answered once it is on
//! disk.

use std::time::Instant;

use super::actor::LedgerActor;
use super::connectivity;
use super::error::LedgerError;
use super::job::{Done, Job};
use super::messages::Wake;
use super::offline::NetworkChange;
use super::store::Group;

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
        let written = if self.options.lease.is_good() {
            store.write(&group, &mut |job, book| job.judge(book, watched))
        } else {
            Err(LedgerError::Busy { reason: "the lease of this node has ended".to_owned() })
        };
        self.last_flush = Instant::now();
        let results = jobs.len();
        self.options.metrics.committed(begun.elapsed(), written.is_ok(), results);
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
            self.wake_sinks();
        }
    }

    /// Tells sinks that there are new events.
    fn wake_sinks(&mut self) {
        self.sinks.retain(|_, sink| {
            // A full mailbox already contains a wake-up; only a closed one is useless.
            !matches!(sink.try_send(Wake), Err(actix::prelude::SendError::Closed(_)))
        });
    }

    /// Takes over what other nodes have recorded.
    pub(super) fn follow(&mut self) {
        let before = self.store.newest();
        if let Err(error) = self.store.follow() {
            // The next transaction reports it, if there is one. What others record waits.
            tracing::debug!(%error, "cannot read what other nodes have recorded");
        }
        if self.store.newest() > before {
            self.wake_sinks();
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
            // After a panic, or if it was refused, the sender is dropped with the job: the caller gets
            // `Away` and retries.
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
            tracing::error!(%error, "cannot write to the ledger; no data is lost, polls and messages are tried again until it can be written");
        }
    }
}
