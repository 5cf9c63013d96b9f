//! How each kind of child is started, and how the supervisor reacts when it ends.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, Addr, Arbiter, AsyncContext, Context, WrapFuture};
use tokio::time::Instant;

use super::actor::{Supervisor, TICK};
use super::child::{self, SpawnOn};
use super::children::{ChildId, DispatcherChild, Exited, PollerChild, Running};
use super::restart::{Decision, Restarts};
use crate::config::Provider;
use crate::dispatch::actor::{Configure, Dispatcher};
use crate::ledger::{self, LedgerActor, Loaded, Restarted, Resume, Watch};
use crate::metrics;
use crate::poller::schedule::Slot;
use crate::poller::{Poller, Progress, host_load};
use crate::sink::actor::{Reconnect, SinkActor};

impl Supervisor {
    // --- the ledger ---

    pub(super) fn start_ledger(&mut self, context: &mut Context<Self>) {
        let generation = self.next_generation();
        let (first, options) = (self.ledger_first.take(), self.options.ledger_options.clone());
        let build = move || match first {
            Some(ledger) => Ok(ledger),
            None => LedgerActor::open(options).map_err(|error| error.to_string()),
        };
        let exited = report(context.address(), ChildId::Ledger, generation);
        let (address, _) = child::spawn(&self.ledger_arbiter.handle(), build, exited);
        self.ledger.replace(address);
        self.ledger_since = Instant::now();
    }

    pub(super) fn ledger_ended(&mut self, why: &str, context: &mut Context<Self>) {
        self.options.shared.metrics.restarted(metrics::Restarted::Ledger);
        let decision = self.ledger_restarts.ended(
            Instant::now(),
            self.ledger_since.elapsed(),
            &self.options.supervision,
            &mut fastrand::Rng::new(),
        );
        match decision {
            // A core actor that keeps failing: leave it to whatever supervises the process.
            Decision::Park(_) => self.fatal(format!("the ledger keeps failing: {why}")),
            Decision::After(delay) => {
                tracing::error!(why, ?delay, "restarting the ledger after an unexpected exit");
                context.run_later(delay, |supervisor, context| {
                    supervisor.start_ledger(context);
                    supervisor
                        .watch(Vec::new())
                        .into_actor(supervisor)
                        .map(|answer, supervisor, _| {
                            if let Err(error) = answer {
                                tracing::error!(%error, "the restarted ledger does not answer");
                            }
                            for running in
                                supervisor.sinks.values().filter_map(|sink| sink.running.as_ref())
                            {
                                // A sink that is too busy for it reconnects by itself within a
                                // second.
                                drop(running.address.try_send(Reconnect));
                            }
                            if let Some(dispatcher) = supervisor.dispatcher() {
                                drop(dispatcher.try_send(Reconnect));
                            }
                        })
                        .spawn(context);
                });
            }
        }
    }

    /// Warns of hosts that cannot be polled as often as configured.
    pub(super) fn warn_of_overload(&self) {
        for host in host_load::overloaded(&self.options.providers) {
            tracing::warn!(reason = host.sentence(), "a host has more polls than host_pace allows");
        }
    }

    pub(super) fn watch(
        &self,
        died: Vec<String>,
    ) -> impl Future<Output = Result<Vec<Loaded>, ledger::LedgerError>> + use<> {
        let (ledger, providers) = (self.ledger.clone(), self.wanted());
        let shards = self.held.as_ref().map(|held| Arc::new(held.shards.clone()));
        let real_intervals = host_load::overloaded(&providers)
            .into_iter()
            .flat_map(|host| host.providers)
            .map(|provider| (provider.id, provider.real))
            .collect();
        async move { ledger.ask(Watch { providers, died, real_intervals, shards }).await }
    }

    // --- sinks ---

    pub(super) fn start_sink(&mut self, id: &str, context: &mut Context<Self>) {
        let generation = self.next_generation();
        let (ledger, state_dir) = (self.ledger.clone(), self.options.state_dir.clone());
        let Some(sink) = self.sinks.get_mut(id) else {
            return;
        };
        let factory = Arc::clone(&sink.factory);
        let build = move || factory().map(|made| SinkActor::new(made, ledger, state_dir));
        let exited = report(context.address(), ChildId::Sink(id.to_owned()), generation);
        let (address, abort) = child::spawn(&sink.arbiter.handle(), build, exited);
        sink.generation = generation;
        sink.running = Some(Running { address, abort, since: Instant::now() });
    }

    pub(super) fn sink_ended(
        &mut self,
        id: String,
        generation: u64,
        why: &str,
        context: &mut Context<Self>,
    ) {
        let Some(sink) = self.sinks.get_mut(&id).filter(|sink| sink.generation == generation)
        else {
            return;
        };
        self.options.shared.metrics.restarted(metrics::Restarted::Sink);
        let ran = sink.running.take().map_or(Duration::ZERO, |running| running.since.elapsed());
        match sink.restarts.ended(
            Instant::now(),
            ran,
            &self.options.supervision,
            &mut fastrand::Rng::new(),
        ) {
            Decision::Park(_) => self.fatal(format!("the sink {id} keeps failing: {why}")),
            Decision::After(delay) => {
                tracing::error!(
                    sink = id,
                    why,
                    ?delay,
                    "restarting the sink after an unexpected exit"
                );
                context.run_later(delay, move |supervisor, context| {
                    supervisor.start_sink(&id, context);
                });
            }
        }
    }

    // --- the dispatcher ---

    /// Returns the dispatcher, if it is running.
    pub(super) fn dispatcher(&self) -> Option<&Addr<Dispatcher>> {
        self.dispatcher
            .as_ref()
            .and_then(|child| child.running.as_ref())
            .map(|running| &running.address)
    }

    /// Starts the dispatcher if there are channels, or passes it the present configuration.
    pub(super) fn deliver(&mut self, context: &mut Context<Self>) {
        if let Some(dispatcher) = self.dispatcher() {
            if dispatcher.try_send(Configure(Arc::clone(&self.options.setup))).is_err() {
                tracing::warn!("the dispatcher is too busy to be reconfigured");
            }
        } else if self.dispatcher.is_none()
            && self.serves_channels()
            && !self.options.setup.channels.is_empty()
        {
            self.dispatcher = Some(DispatcherChild {
                arbiter: Arbiter::new(),
                generation: 0,
                running: None,
                restarts: Restarts::default(),
            });
            self.start_dispatcher(context);
        }
        // One that waits for a restart starts with the present configuration.
    }

    fn start_dispatcher(&mut self, context: &mut Context<Self>) {
        // Another one may have been started while this one waited for its restart.
        if self.dispatcher().is_some() {
            return;
        }
        let generation = self.next_generation();
        let (ledger, options) = (self.ledger.clone(), &self.options);
        let (setup, state_dir, transport) =
            (Arc::clone(&options.setup), options.state_dir.clone(), options.transport.clone());
        let metrics = Arc::clone(&options.shared.metrics);
        let lease = options.shared.client.lease().clone();
        let not_running = options.not_running;
        let Some(child) = &mut self.dispatcher else { return };
        let build = move || {
            Ok(Dispatcher::new(setup, ledger, state_dir, transport, metrics, lease, not_running))
        };
        let exited = report(context.address(), ChildId::Dispatcher, generation);
        let (address, abort) = child::spawn(&child.arbiter.handle(), build, exited);
        child.generation = generation;
        child.running = Some(Running { address, abort, since: Instant::now() });
    }

    pub(super) fn dispatcher_ended(
        &mut self,
        generation: u64,
        why: &str,
        context: &mut Context<Self>,
    ) {
        let Some(child) = self.dispatcher.as_mut().filter(|child| child.generation == generation)
        else {
            return;
        };
        self.options.shared.metrics.restarted(metrics::Restarted::Dispatcher);
        let ran = child.running.take().map_or(Duration::ZERO, |running| running.since.elapsed());
        let decision = child.restarts.ended(
            Instant::now(),
            ran,
            &self.options.supervision,
            &mut fastrand::Rng::new(),
        );
        // It is never given up: the events are recorded, and the event log works without it.
        let (Decision::Park(delay) | Decision::After(delay)) = decision;
        tracing::error!(why, ?delay, "restarting the dispatcher after an unexpected exit");
        context.run_later(delay, Self::start_dispatcher);
    }

    // --- pollers ---

    pub(super) fn add_poller(
        &mut self,
        provider: &Arc<Provider>,
        slot: Slot,
        loaded: Loaded,
        context: &mut Context<Self>,
    ) {
        let child = PollerChild {
            provider: Arc::clone(provider),
            slot,
            generation: 0,
            running: None,
            restarts: Restarts::default(),
            progress: Arc::new(Progress::new(Arc::default())),
        };
        self.pollers.insert(provider.id.clone(), child);
        self.start_poller(&provider.id, loaded, context);
    }

    fn start_poller(&mut self, id: &str, loaded: Loaded, context: &mut Context<Self>) {
        let generation = self.next_generation();
        let worker = self
            .workers
            .get(generation as usize % self.workers.len())
            .map(|worker| (worker.arbiter.handle(), Arc::clone(&worker.steps)));
        let shared = Arc::clone(&self.options.shared);
        let (Some(child), Some((worker, steps))) = (self.pollers.get_mut(id), worker) else {
            return;
        };
        child.generation = generation;
        child.progress = Arc::new(Progress::new(steps));
        let (provider, slot, progress) =
            (Arc::clone(&child.provider), child.slot, Arc::clone(&child.progress));
        let build = move || Ok(Poller::new(shared, provider, generation, slot, progress, loaded));
        let exited = report(context.address(), ChildId::Poller(id.to_owned()), generation);
        let (address, abort) = child::spawn(&worker, build, exited);
        child.running = Some(Running { address, abort, since: Instant::now() });
    }

    /// Stops the old poller for good and starts a new one from the ledger's state.
    fn resume_poller(&mut self, id: String, context: &mut Context<Self>) {
        let Some(child) = self.pollers.get_mut(&id) else {
            return;
        };
        let (ledger, provider, generation) =
            (self.ledger.clone(), Arc::clone(&child.provider), child.generation + 1);
        context.spawn(
            async move { ledger.ask(Resume { provider, generation }).await }.into_actor(self).map(
                move |answer, supervisor, context| match answer {
                    Ok(loaded) => supervisor.start_poller(&id, loaded, context),
                    Err(error) => {
                        tracing::debug!(provider = id, %error, "poller waits for the ledger");
                        context.run_later(TICK, move |supervisor, context| {
                            supervisor.resume_poller(id, context);
                        });
                    }
                },
            ),
        );
    }

    pub(super) fn poller_ended(
        &mut self,
        id: String,
        generation: u64,
        why: String,
        context: &mut Context<Self>,
    ) {
        let Some(child) = self.pollers.get_mut(&id).filter(|child| child.generation == generation)
        else {
            return;
        };
        // A poller that was abandoned for a stall also reports its end when aborted; that does not
        // count again.
        let Some(running) = child.running.take() else {
            return;
        };
        self.options.shared.metrics.restarted(metrics::Restarted::Poller);
        let decision = child.restarts.ended(
            Instant::now(),
            running.since.elapsed(),
            &self.options.supervision,
            &mut fastrand::Rng::new(),
        );
        let (delay, parked) = match decision {
            Decision::After(delay) => {
                if self.restart_lines.is_named() {
                    tracing::warn!(
                        provider = id,
                        why,
                        ?delay,
                        "restarting the poller after an unexpected exit"
                    );
                }
                (delay, false)
            }
            Decision::Park(delay) => {
                tracing::error!(
                    provider = id,
                    why,
                    ?delay,
                    "poller keeps failing; parked and retried later"
                );
                (delay, true)
            }
        };
        self.ledger.notify(Restarted {
            provider: id.clone(),
            cause: why,
            at: crate::clock::now(),
            parked,
        });
        context.run_later(delay, move |supervisor, context| supervisor.resume_poller(id, context));
    }
}

/// Reports the end of a child to the supervisor.
fn report(
    supervisor: Addr<Supervisor>,
    who: ChildId,
    generation: u64,
) -> impl FnOnce(String) + Send + 'static {
    move |why| {
        // The mailbox is unbounded; sending fails only if the supervisor has ended, which the
        // command notices.
        drop(supervisor.try_send(Exited { who, generation, why }));
    }
}
