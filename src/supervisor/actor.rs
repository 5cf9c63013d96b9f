//! The supervisor actor: its children, their ends and their new beginnings.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, Arbiter, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use futures::future::AbortHandle;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::child;
use super::reload;
use super::restart::{Decision, Restarts};
use crate::config::{Provider, Supervision};
use crate::ledger::{self, Flush, Ledger, LedgerActor, Loaded, Restarted, Resume, Watch};
use crate::poller::schedule::{Slot, slots};
use crate::poller::{Poller, Progress, Sabotage, Shared};
use crate::sink::Sink;
use crate::sink::actor::{Crash, Drain, Reconnect, Reopen, SinkActor};

/// How often children are looked at.
const TICK: Duration = Duration::from_secs(1);

/// A thread of pollers that does nothing for so long is given up, and its pollers are started on a new one.
const LANE_STUCK: Duration = Duration::from_secs(20);

/// How often the heartbeat file is written.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Makes a sink, also again after it crashed.
pub type SinkFactory = Arc<dyn Fn() -> Result<Box<dyn Sink>, String> + Send + Sync>;

/// What the supervisor runs.
pub struct Options {
    /// Where the ledger is.
    pub state_dir: PathBuf,
    /// How crashed actors come back.
    pub supervision: Supervision,
    /// Whom to watch.
    pub providers: Vec<Arc<Provider>>,
    /// To open it again.
    pub ledger_options: ledger::Options,
    /// Where to deliver.
    pub sinks: Vec<(String, SinkFactory)>,
    /// What all pollers share.
    pub shared: Arc<Shared>,
    /// Providers whose document was being read when the process last died.
    pub died: Vec<String>,
    /// Threads for pollers.
    pub lanes: usize,
    /// Where it says that it cannot go on: the process has to end with status 1.
    pub fatal: mpsc::UnboundedSender<String>,
    /// Is told once, when pollers and sinks run.
    pub ready: Option<tokio::sync::oneshot::Sender<()>>,
    /// Called every second while the supervisor's loop turns: the service manager's watchdog.
    pub alive: Box<dyn FnMut() + Send>,
}

/// Spawns, watches and restarts everything.
pub struct Supervisor {
    options: Options,
    ledger: Ledger,
    ledger_first: Option<LedgerActor>,
    ledger_arbiter: Arbiter,
    ledger_restarts: Restarts,
    ledger_since: Instant,
    lanes: Vec<Lane>,
    pollers: HashMap<String, PollerChild>,
    sinks: HashMap<String, SinkChild>,
    generation: u64,
    last_heartbeat: Option<Instant>,
    stopping: bool,
}

/// A thread that pollers run on.
struct Lane {
    arbiter: Arbiter,
    /// When it last did something, in milliseconds since the anchor.
    seen: Arc<AtomicU64>,
}

struct PollerChild {
    provider: Arc<Provider>,
    slot: Slot,
    generation: u64,
    running: Option<Running<Poller>>,
    restarts: Restarts,
    progress: Arc<Progress>,
}

struct SinkChild {
    factory: SinkFactory,
    arbiter: Arbiter,
    generation: u64,
    running: Option<Running<SinkActor>>,
    restarts: Restarts,
}

struct Running<A: Actor> {
    address: Addr<A>,
    abort: AbortHandle,
    since: Instant,
}

/// Who it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    Poller(String),
    Sink(String),
    Ledger,
}

/// A child has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Exited {
    who: Who,
    generation: u64,
    why: String,
}

/// Starts, stops and changes pollers so that these providers are watched.
#[derive(Debug, Message)]
#[rtype(result = "Result<reload::Changes, ledger::LedgerError>")]
pub struct Reload(pub Vec<Arc<Provider>>);

/// The sinks look at their places of delivery at once.
impl Handler<Reopen> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Reopen, _: &mut Self::Context) {
        for running in self.sinks.values().filter_map(|sink| sink.running.as_ref()) {
            if running.address.try_send(message).is_err() {
                tracing::debug!("a sink is too busy to look at its files");
            }
        }
    }
}

/// Ends everything in order.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Ending")]
pub struct Shutdown {
    /// How long that may take.
    pub within: Duration,
}

/// How the end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, actix::MessageResponse)]
pub struct Ending {
    /// Every sink has everything.
    pub delivered: bool,
    /// The ledger has everything.
    pub written: bool,
}

/// What the chaos command and the tests break.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum WhatToBreak {
    /// A poller.
    Poller(String, Sabotage),
    /// A sink panics.
    Sink(String),
    /// The ledger's actor panics.
    Ledger,
}

impl Supervisor {
    /// A supervisor that starts everything once it is started itself.
    #[must_use]
    pub fn new(mut options: Options, first: LedgerActor) -> Self {
        options.lanes = options.lanes.max(1);
        let lanes = (0..options.lanes).map(|_| Lane::new()).collect();
        Self {
            ledger: options.shared.ledger.clone(),
            ledger_first: Some(first),
            ledger_arbiter: Arbiter::new(),
            ledger_restarts: Restarts::default(),
            ledger_since: Instant::now(),
            lanes,
            pollers: HashMap::new(),
            sinks: HashMap::new(),
            generation: 0,
            last_heartbeat: None,
            stopping: false,
            options,
        }
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    fn fatal(&self, reason: String) {
        // Nobody is left to act on it if the receiver is gone: the process is ending already.
        drop(self.options.fatal.send(reason));
    }

    // --- the ledger ---

    fn start_ledger(&mut self, context: &mut Context<Self>) {
        let generation = self.next_generation();
        let (first, options) = (self.ledger_first.take(), self.options.ledger_options.clone());
        let build = move || match first {
            Some(ledger) => Ok(ledger),
            None => LedgerActor::open(options).map_err(|error| error.to_string()),
        };
        let exited = report(context.address(), Who::Ledger, generation);
        let (address, _) = child::spawn(&self.ledger_arbiter.handle(), build, exited);
        self.ledger.replace(address);
        self.ledger_since = Instant::now();
    }

    fn ledger_ended(&mut self, why: &str, context: &mut Context<Self>) {
        let decision = self.ledger_restarts.ended(
            Instant::now(),
            self.ledger_since.elapsed(),
            &self.options.supervision,
            &mut fastrand::Rng::new(),
        );
        match decision {
            // A core actor that cannot be kept alive: let whoever supervises the process act.
            Decision::Park(_) => self.fatal(format!("the ledger keeps failing: {why}")),
            Decision::After(delay) => {
                tracing::error!(why, ?delay, "the ledger ended and is started again");
                context.run_later(delay, |supervisor, context| {
                    supervisor.start_ledger(context);
                    supervisor
                        .watch(Vec::new())
                        .into_actor(supervisor)
                        .map(|answer, supervisor, _| {
                            if let Err(error) = answer {
                                tracing::error!(%error, "the restarted ledger does not answer");
                            }
                            for running in supervisor.sinks.values().filter_map(|sink| sink.running.as_ref()) {
                                // One that is too busy for it asks again by itself within a second.
                                drop(running.address.try_send(Reconnect));
                            }
                        })
                        .spawn(context);
                });
            }
        }
    }

    fn watch(&self, died: Vec<String>) -> impl Future<Output = Result<Vec<Loaded>, ledger::LedgerError>> + use<> {
        let (ledger, providers) = (self.ledger.clone(), self.options.providers.clone());
        async move { ledger.ask(Watch { providers, died }).await }
    }

    // --- sinks ---

    fn start_sink(&mut self, id: &str, context: &mut Context<Self>) {
        let generation = self.next_generation();
        let (ledger, state_dir) = (self.ledger.clone(), self.options.state_dir.clone());
        let Some(sink) = self.sinks.get_mut(id) else { return };
        let factory = Arc::clone(&sink.factory);
        let build = move || factory().map(|made| SinkActor::new(made, ledger, state_dir));
        let exited = report(context.address(), Who::Sink(id.to_owned()), generation);
        let (address, abort) = child::spawn(&sink.arbiter.handle(), build, exited);
        sink.generation = generation;
        sink.running = Some(Running { address, abort, since: Instant::now() });
    }

    fn sink_ended(&mut self, id: String, generation: u64, why: &str, context: &mut Context<Self>) {
        let Some(sink) = self.sinks.get_mut(&id).filter(|sink| sink.generation == generation) else { return };
        let ran = sink.running.take().map_or(Duration::ZERO, |running| running.since.elapsed());
        match sink.restarts.ended(Instant::now(), ran, &self.options.supervision, &mut fastrand::Rng::new()) {
            Decision::Park(_) => self.fatal(format!("the sink {id} keeps failing: {why}")),
            Decision::After(delay) => {
                tracing::error!(sink = id, why, ?delay, "a sink ended and is started again");
                context.run_later(delay, move |supervisor, context| supervisor.start_sink(&id, context));
            }
        }
    }

    // --- pollers ---

    fn add_poller(&mut self, provider: &Arc<Provider>, slot: Slot, loaded: Loaded, context: &mut Context<Self>) {
        let child = PollerChild {
            provider: Arc::clone(provider),
            slot,
            generation: 0,
            running: None,
            restarts: Restarts::default(),
            progress: Arc::default(),
        };
        self.pollers.insert(provider.id.clone(), child);
        self.start_poller(&provider.id, loaded, context);
    }

    fn start_poller(&mut self, id: &str, loaded: Loaded, context: &mut Context<Self>) {
        let generation = self.next_generation();
        let lane = self.lanes.get(generation as usize % self.lanes.len()).map(|lane| lane.arbiter.handle());
        let shared = Arc::clone(&self.options.shared);
        let (Some(child), Some(lane)) = (self.pollers.get_mut(id), lane) else { return };
        child.generation = generation;
        child.progress = Arc::default();
        let (provider, slot, progress) = (Arc::clone(&child.provider), child.slot, Arc::clone(&child.progress));
        let build = move || Ok(Poller::new(shared, provider, generation, slot, progress, loaded));
        let exited = report(context.address(), Who::Poller(id.to_owned()), generation);
        let (address, abort) = child::spawn(&lane, build, exited);
        child.running = Some(Running { address, abort, since: Instant::now() });
    }

    /// Takes the old poller down for good and starts a new one from where the ledger stands.
    fn resume_poller(&mut self, id: String, context: &mut Context<Self>) {
        let Some(child) = self.pollers.get_mut(&id) else { return };
        let (ledger, provider, generation) = (self.ledger.clone(), Arc::clone(&child.provider), child.generation + 1);
        context.spawn(async move { ledger.ask(Resume { provider, generation }).await }.into_actor(self).map(
            move |answer, supervisor, context| match answer {
                Ok(loaded) => supervisor.start_poller(&id, loaded, context),
                Err(error) => {
                    tracing::debug!(provider = id, %error, "a poller waits for the ledger");
                    context.run_later(TICK, move |supervisor, context| supervisor.resume_poller(id, context));
                }
            },
        ));
    }

    fn poller_ended(&mut self, id: String, generation: u64, why: String, context: &mut Context<Self>) {
        let Some(child) = self.pollers.get_mut(&id).filter(|child| child.generation == generation) else { return };
        let ran = child.running.take().map_or(Duration::ZERO, |running| running.since.elapsed());
        let decision = child.restarts.ended(Instant::now(), ran, &self.options.supervision, &mut fastrand::Rng::new());
        let (delay, parked) = match decision {
            Decision::After(delay) => {
                tracing::warn!(provider = id, why, ?delay, "a poller ended and is started again");
                (delay, false)
            }
            Decision::Park(delay) => {
                tracing::error!(provider = id, why, ?delay, "a poller keeps failing: it is parked and tried again later");
                (delay, true)
            }
        };
        self.ledger.tell(Restarted { provider: id.clone(), cause: why, at: crate::clock::now(), parked });
        context.run_later(delay, move |supervisor, context| supervisor.resume_poller(id, context));
    }

    /// Replaces pollers that make no progress, and threads that do not.
    fn look_after(&mut self, context: &mut Context<Self>) {
        let anchor = self.options.shared.anchor;
        let now = Instant::now();
        for lane in &mut self.lanes {
            lane.look_after(anchor.mono, now);
        }
        let limit = self.options.supervision.stall_after;
        let stalled: Vec<(String, u64)> = self
            .pollers
            .iter()
            .filter(|(_, child)| child.running.is_some() && child.progress.overdue(&anchor, now) > limit)
            .map(|(id, child)| (id.clone(), child.generation))
            .collect();
        for (id, generation) in stalled {
            if let Some(running) = self.pollers.get(&id).and_then(|child| child.running.as_ref()) {
                running.abort.abort();
            }
            self.poller_ended(id, generation, "stall".to_owned(), context);
        }
        if self.options.shared.reading.exhausted() {
            self.fatal("too many documents never finished being read".to_owned());
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        if self.stopping {
            return;
        }
        self.look_after(context);
        (self.options.alive)();
        if self.last_heartbeat.is_none_or(|at| at.elapsed() >= HEARTBEAT) {
            self.last_heartbeat = Some(Instant::now());
            let path = self.options.state_dir.join("heartbeat");
            if let Err(error) = std::fs::write(&path, format!("{}\n", crate::event::format_time(crate::clock::now()))) {
                tracing::debug!(%error, "cannot write the heartbeat file");
            }
        }
    }

    fn begin(&mut self, loaded: Vec<Loaded>, context: &mut Context<Self>) {
        for (id, factory) in self.options.sinks.clone() {
            let child = SinkChild { factory, arbiter: Arbiter::new(), generation: 0, running: None, restarts: Restarts::default() };
            self.sinks.insert(id.clone(), child);
            self.start_sink(&id, context);
        }
        let providers = self.options.providers.clone();
        let ids: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
        for ((provider, slot), loaded) in providers.iter().zip(slots(&ids)).zip(loaded) {
            if loaded.quarantined_until.is_some_and(|until| until > crate::clock::now()) {
                tracing::error!(
                    provider = provider.id,
                    deaths = loaded.deaths,
                    "its document ended the whole process: it is not read for a while"
                );
            }
            self.add_poller(provider, slot, loaded, context);
        }
        if self.options.ready.take().is_some_and(|ready| ready.send(()).is_err()) {
            tracing::debug!("nobody waits for us to be ready any more");
        }
    }

    fn apply(&mut self, changes: &reload::Changes, loaded: &HashMap<String, Loaded>, context: &mut Context<Self>) {
        for id in changes.stop.iter().chain(changes.change.iter().map(|provider| &provider.id)) {
            if let Some(running) = self.pollers.remove(id).and_then(|child| child.running) {
                running.abort.abort();
            }
        }
        let providers = self.options.providers.clone();
        let ids: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
        let slots: HashMap<&str, Slot> = ids.iter().copied().zip(slots(&ids)).collect();
        for provider in changes.start.iter().chain(&changes.change) {
            let slot = slots.get(provider.id.as_str()).copied().unwrap_or(Slot(0.0));
            self.add_poller(provider, slot, loaded.get(&provider.id).cloned().unwrap_or_default(), context);
        }
    }
}

impl Lane {
    fn new() -> Self {
        Self { arbiter: Arbiter::new(), seen: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn look_after(&mut self, origin: Instant, now: Instant) {
        let millis = now.saturating_duration_since(origin).as_millis() as u64;
        let seen = self.seen.load(Ordering::Relaxed);
        if seen != u64::MAX && millis.saturating_sub(seen) > LANE_STUCK.as_millis() as u64 {
            tracing::error!("a thread of pollers is stuck: it is given up and a new one takes its place");
            *self = Self::new();
        }
        let cell = Arc::clone(&self.seen);
        cell.fetch_min(millis, Ordering::Relaxed);
        if !self.arbiter.spawn_fn(move || cell.store(millis, Ordering::Relaxed)) {
            tracing::error!("a thread of pollers has ended: a new one takes its place");
            *self = Self::new();
        }
    }
}

/// Sends the end of a child to the supervisor.
fn report(supervisor: Addr<Supervisor>, who: Who, generation: u64) -> impl FnOnce(String) + Send + 'static {
    move |why| {
        // The mailbox has no limit; refused only where the supervisor is gone, which the command notices.
        drop(supervisor.try_send(Exited { who, generation, why }));
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(0);
        self.start_ledger(context);
        let died = std::mem::take(&mut self.options.died);
        self.watch(died)
            .into_actor(self)
            .map(|answer, supervisor, context| match answer {
                Ok(loaded) => supervisor.begin(loaded, context),
                Err(error) => supervisor.fatal(error.to_string()),
            })
            .spawn(context);
        context.run_interval(TICK, Self::tick);
    }
}

/// Lets an actor future be spawned at the end of a chain.
trait SpawnOn<A: Actor<Context = Context<A>>> {
    fn spawn(self, context: &mut Context<A>);
}

impl<A: Actor<Context = Context<A>>, F: actix::ActorFuture<A, Output = ()> + 'static> SpawnOn<A> for F {
    fn spawn(self, context: &mut Context<A>) {
        context.spawn(self);
    }
}

impl Handler<Exited> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Exited, context: &mut Self::Context) {
        if self.stopping {
            return;
        }
        match message.who {
            Who::Poller(id) => self.poller_ended(id, message.generation, message.why, context),
            Who::Sink(id) => self.sink_ended(id, message.generation, &message.why, context),
            Who::Ledger => self.ledger_ended(&message.why, context),
        }
    }
}

impl Handler<Reload> for Supervisor {
    type Result = ResponseActFuture<Self, Result<reload::Changes, ledger::LedgerError>>;

    fn handle(&mut self, message: Reload, _: &mut Self::Context) -> Self::Result {
        let running: Vec<_> = self.pollers.values().map(|child| Arc::clone(&child.provider)).collect();
        let changes = reload::changes(&running, &message.0);
        self.options.providers = message.0;
        let ids: Vec<String> = self.options.providers.iter().map(|provider| provider.id.clone()).collect();
        Box::pin(self.watch(Vec::new()).into_actor(self).map(move |answer, supervisor, context| {
            let loaded = ids.into_iter().zip(answer?).collect();
            supervisor.apply(&changes, &loaded, context);
            Ok(changes)
        }))
    }
}

impl Handler<WhatToBreak> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: WhatToBreak, _: &mut Self::Context) {
        let broken = match &message {
            WhatToBreak::Poller(id, sabotage) => {
                let running = self.pollers.get(id).and_then(|child| child.running.as_ref());
                running.is_some_and(|running| running.address.try_send(*sabotage).is_ok())
            }
            WhatToBreak::Sink(id) => {
                let running = self.sinks.get(id).and_then(|sink| sink.running.as_ref());
                running.is_some_and(|running| running.address.try_send(Crash).is_ok())
            }
            WhatToBreak::Ledger => self.ledger.address().is_some_and(|ledger| ledger.try_send(ledger::Crash).is_ok()),
        };
        tracing::info!(?message, broken, "sabotage");
    }
}

impl Handler<Shutdown> for Supervisor {
    type Result = ResponseActFuture<Self, Ending>;

    fn handle(&mut self, message: Shutdown, _: &mut Self::Context) -> Self::Result {
        self.stopping = true;
        for running in self.pollers.values().filter_map(|child| child.running.as_ref()) {
            running.abort.abort();
        }
        let sinks: Vec<_> = self.sinks.values().filter_map(|sink| sink.running.as_ref()).map(|sink| sink.address.clone()).collect();
        let all_run = sinks.len() == self.sinks.len();
        let ledger = self.ledger.clone();
        Box::pin(
            async move {
                let drained = async {
                    let written = ledger.ask(Flush).await.is_ok();
                    let drained = futures::future::join_all(sinks.iter().map(|sink| sink.send(Drain))).await;
                    let delivered = all_run && drained.into_iter().all(|answer| answer.unwrap_or(false));
                    // Once more, for how far the sinks have come.
                    let written = written && ledger.ask(Flush).await.is_ok();
                    Ending { delivered, written }
                };
                tokio::time::timeout(message.within, drained).await.unwrap_or(Ending { delivered: false, written: false })
            }
            .into_actor(self),
        )
    }
}
