//! The ledger's actor: the only writer of the database, on its own thread.
//!
//! Results that arrive while a transaction is being synced wait for the next one, so groups grow
//! with the load. If one result cannot be written, each gets its own savepoint, so that none
//! affects the others.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Recipient, WrapFuture};
use tokio::sync::mpsc;

use super::delivery::LongerLog;
use super::error::{LedgerError, RecoveryError, Result};
use super::job::Job;
use super::messages::{Hints, Loaded, Unchanged, Wake, Watch};
use super::shared::{Shared, SharedStore};
use super::sqlite::SqliteStore;
use super::store::{Store, Watching};
use super::watched::Watched;
use super::{Network, min_duration, offline, provider_events, retention, staleness};
use crate::clock;
use crate::lease::Lease;
use crate::metrics::Metrics;

/// How often freshness is checked and buffered writes are flushed.
const TICK: Duration = Duration::from_secs(1);

/// How often what other nodes have recorded is taken over.
const FOLLOW: Duration = Duration::from_millis(250);

/// Maximum number of results per transaction: bounds how long the first one waits.
const GROUP: usize = 256;

/// Options of the ledger.
#[derive(Debug, Clone)]
pub struct LedgerOptions {
    /// Directory of the database, or of the replica of the one that is shared.
    pub state_dir: PathBuf,
    /// The database that several nodes share, if they do.
    pub shared: Option<Shared>,
    /// Minimum retention of events and of the state of unlisted incidents.
    pub keep: Duration,
    /// Receives a fatal error: the process must exit with status 1.
    pub fatal: mpsc::UnboundedSender<String>,
    /// Counts the transactions.
    pub metrics: Arc<Metrics>,
    /// Nothing is written while it is not good.
    pub lease: Lease,
}

/// The ledger's actor.
pub struct LedgerActor {
    pub(super) store: Box<dyn Store>,
    pub(super) options: LedgerOptions,
    pub(super) jobs: Vec<Job>,
    pub(super) flushing: bool,
    pub(super) hints: Hints,
    pub(super) touched: HashMap<String, Unchanged>,
    pub(super) last_flush: Instant,
    pub(super) last_tick: Instant,
    pub(super) last_prune: Option<Instant>,
    pub(super) watched: HashMap<String, Watched>,
    pub(super) sinks: HashMap<String, Recipient<Wake>>,
    pub(super) failing: bool,
    pub(super) network: Network,
    /// When our network went down, if during the lifetime of this process.
    pub(super) offline_since: Option<Instant>,
    /// When this actor started.
    pub(super) begun: Instant,
}

impl LedgerActor {
    /// Opens the database.
    pub fn open(options: LedgerOptions) -> Result<Self> {
        let store: Box<dyn Store> = match &options.shared {
            None => Box::new(SqliteStore::open(&options.state_dir)?),
            Some(Shared { url, fence }) => {
                Box::new(SharedStore::open(&options.state_dir, url, Some(fence.clone()))?)
            }
        };
        Ok(Self {
            store,
            options,
            jobs: Vec::new(),
            flushing: false,
            hints: Hints::default(),
            touched: HashMap::new(),
            last_flush: Instant::now(),
            last_tick: Instant::now(),
            last_prune: None,
            watched: HashMap::new(),
            sinks: HashMap::new(),
            failing: false,
            network: Network::default(),
            offline_since: None,
            begun: Instant::now(),
        })
    }

    /// Returns the number of the newest event; 0 if there is none.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.store.newest()
    }

    /// Imports the events that an event log contains beyond this ledger. Must run before the first
    /// poll. Returns the number of imported events.
    pub fn import(&mut self, log: &mut dyn LongerLog) -> Result<u64, RecoveryError> {
        self.store.import(log)
    }

    /// Forgets up to which event messages to channels were routed: the next dispatcher begins with
    /// the events that are recorded after its start.
    pub fn forget_routing(&mut self) -> Result<()> {
        self.store.forget_routing()
    }

    /// Accepts or refuses results of a poller generation. A newer generation takes over.
    pub(super) fn admit(&mut self, provider: &str, generation: u64) -> Result<()> {
        // Unknown provider: this ledger was just restarted and its providers will be declared
        // shortly.
        let watched = self.watched.get_mut(provider).ok_or(LedgerError::Away)?;
        if generation < watched.generation {
            return Err(LedgerError::Superseded);
        }
        watched.generation = generation;
        Ok(())
    }

    pub(super) fn enqueue(&mut self, job: Job, context: &mut Context<Self>) {
        self.jobs.push(job);
        if self.jobs.len() >= GROUP {
            self.flush();
        } else if !self.flushing {
            // Flush after the messages already queued, so that they join the group. A timer would
            // add at least a millisecond.
            self.flushing = true;
            context.spawn(std::future::ready(()).into_actor(self).map(|(), ledger, _| {
                ledger.flushing = false;
                ledger.flush();
            }));
        }
    }

    /// Drains the hints that pollers left for unchanged polls.
    pub(super) fn take_hints(&mut self) {
        let hints =
            std::mem::take(&mut *self.hints.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (provider, hint) in hints {
            if self.admit(&provider, hint.generation).is_err() {
                continue;
            }
            if let Some(watched) = self.watched.get_mut(&provider) {
                watched.fresh = Instant::now();
                watched.read = Some(watched.fresh);
                watched.last_error = None;
                // Repeated with each poll until it is written; repetitions are ignored.
                if watched.unreachable {
                    self.jobs.push(Job::Reachable(provider.clone()));
                }
                let min = watched.provider.settings.min_duration;
                if min_duration::is_due(watched.held_since, min, hint.at) {
                    self.jobs.push(Job::Settle(provider.clone(), hint.at));
                }
            }
            let hint = hint.keeping(self.touched.get(&provider));
            self.touched.insert(provider, hint);
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        let late = self.last_tick.elapsed() > TICK * 5;
        self.last_tick = Instant::now();
        if let Err(error) = self.store.check() {
            drop(self.options.fatal.send(error.to_string()));
            return;
        }
        self.take_hints();
        let holds = self.evaluate_network(false);
        let mut unreachable = Vec::new();
        for (id, watched) in &mut self.watched {
            if late {
                // This process was stopped or suspended: the gap is ours.
                watched.fresh =
                    watched.fresh.max(Instant::now().checked_sub(TICK).unwrap_or(watched.fresh));
            }
            if !holds
                && !watched.unreachable
                && watched.fresh.elapsed() >= watched.provider.settings.stale_after
            {
                unreachable.push(id.clone());
            }
        }
        for id in unreachable {
            let others = self.network.context(&id);
            self.enqueue(Job::Unreachable(id, others), context);
        }
        if !self.jobs.is_empty()
            || (!self.touched.is_empty() && self.last_flush.elapsed() >= self.flush_every())
        {
            self.flush();
        }
        if self.last_prune.is_none_or(|at| at.elapsed() > Duration::from_hours(1)) {
            self.prune();
        }
    }

    /// Evaluates our own network state and logs failing providers. Returns whether unreachable
    /// events are held back. `last`: this is the last evaluation.
    pub(super) fn evaluate_network(&mut self, last: bool) -> bool {
        let mut state = self.network.evaluate(Instant::now());
        if let Some(transition) = state.transition.take() {
            self.jobs.push(Job::Network(offline::NetworkChange::at(
                transition,
                Instant::now(),
                clock::now(),
            )));
        }
        self.network.log_failures(&state, last);
        state.holds_back
    }

    /// Returns how often unchanged polls are written: every 5 s, more often with short intervals,
    /// less often with thousands of providers, whose writes would keep the disk busy.
    fn flush_every(&self) -> Duration {
        let shortest =
            self.watched.values().map(|watched| watched.provider.settings.interval).min();
        let most = Duration::from_secs(5 * (1 + self.watched.len() as u64 / 1000))
            .min(Duration::from_secs(30));
        (shortest.unwrap_or(Duration::from_mins(1)) / 2).clamp(TICK, most).saturating_sub(TICK / 2)
    }

    fn prune(&mut self) {
        let passed =
            self.last_prune.replace(Instant::now()).map_or(Duration::ZERO, |at| at.elapsed());
        let keep = chrono::Duration::from_std(self.options.keep).unwrap_or(chrono::Duration::MAX);
        let (store, now) = (&mut *self.store, clock::now());
        let pruned = retention::reached(store, now, passed).and_then(|now| {
            now.checked_sub_signed(keep).map_or(Ok(0), |before| store.prune(before, 5000))
        });
        match pruned {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "removed data older than the retention period"),
            Err(error) => self.report_error(&error),
        }
        if let Err(error) = self.store.prune_outbox(clock::now()) {
            self.report_error(&error);
        }
        if let Err(error) = staleness::look_for_quiet(&mut *self.store, clock::now()) {
            self.report_error(&error);
        }
        if let Err(error) = provider_events::forget_flapping(&mut *self.store, clock::now()) {
            self.report_error(&error);
        }
    }

    pub(super) fn watch(&mut self, message: &Watch) -> Result<Vec<Loaded>> {
        let watching = self.store.watch(message, clock::now())?;
        let Watching { loaded, unreachable, held_since } = watching;
        self.network.watch(&message.providers);
        let mut former = std::mem::take(&mut self.watched);
        for provider in &message.providers {
            let watched = former.remove(&provider.id).map_or_else(
                || Watched {
                    provider: Arc::clone(provider),
                    generation: 0,
                    fresh: Instant::now(),
                    read: None,
                    unreachable: unreachable.contains(&provider.id),
                    last_error: None,
                    held_since: held_since.get(&provider.id).copied(),
                },
                |watched| Watched { provider: Arc::clone(provider), ..watched },
            );
            self.watched.insert(provider.id.clone(), watched);
        }
        Ok(loaded)
    }
}

impl Actor for LedgerActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(4096);
        context.run_interval(TICK, Self::tick);
        if self.store.is_shared() {
            context.run_interval(FOLLOW, |ledger, _| ledger.follow());
        }
    }
}
