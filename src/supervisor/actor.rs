//! The supervisor actor: its children, their exits and restarts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Arbiter, AsyncContext, Context, WrapFuture};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::child::SpawnOn;
use super::children::{DispatcherChild, Held, PollerChild, SinkChild, SinkFactory};
use super::crowd::{RestartLines, TurnWatch};
use super::reload;
use super::restart::Restarts;
use super::worker::Worker;
use crate::config::{Provider, Supervision};
use crate::dispatch::Setup;
use crate::event::Time;
use crate::ledger::{self, Ledger, LedgerActor, Loaded};
use crate::nodes::membership::Membership;
use crate::poller::PollerContext;
use crate::poller::schedule::{Slot, slots};
use crate::transport::Transport;

/// How often children are checked.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// How often the heartbeat file is written.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// What the supervisor runs.
pub struct Options {
    /// The state directory, which holds the ledger.
    pub state_dir: PathBuf,
    /// How crashed actors are restarted.
    pub supervision: Supervision,
    /// The providers to poll.
    pub providers: Vec<Arc<Provider>>,
    /// Options to reopen the ledger.
    pub ledger_options: ledger::LedgerOptions,
    /// The sinks to deliver to, by id.
    pub sinks: Vec<(String, SinkFactory)>,
    /// When this program was last not running, if that is worth saying.
    pub not_running: Option<(Time, Time)>,
    /// This process as one of several nodes: it polls the shards that it is told to. `None`: it
    /// polls all providers.
    pub membership: Option<Arc<Membership>>,
    /// What is delivered to channels.
    pub setup: Arc<Setup>,
    /// Sends the requests of channels.
    pub transport: Transport,
    /// State shared by all pollers.
    pub shared: Arc<PollerContext>,
    /// Providers whose document was being parsed when the process last died.
    pub died: Vec<String>,
    /// Number of worker threads for pollers.
    pub workers: usize,
    /// Receives the reason when the supervisor cannot continue: the process must exit with status
    /// 1.
    pub fatal: mpsc::UnboundedSender<String>,
    /// Completed once pollers and sinks are running.
    pub ready: Option<tokio::sync::oneshot::Sender<()>>,
    /// Called every second while the supervisor's event loop is running; feeds the service
    /// manager's watchdog.
    pub alive: Box<dyn FnMut() + Send>,
}

/// Spawns, monitors and restarts all other actors.
pub struct Supervisor {
    pub(super) options: Options,
    pub(super) ledger: Ledger,
    pub(super) ledger_first: Option<LedgerActor>,
    pub(super) ledger_arbiter: Arbiter,
    pub(super) ledger_restarts: Restarts,
    pub(super) ledger_since: Instant,
    pub(super) workers: Vec<Worker>,
    pub(super) pollers: HashMap<String, PollerChild>,
    pub(super) sinks: HashMap<String, SinkChild>,
    pub(super) dispatcher: Option<DispatcherChild>,
    /// What is done here; `None` where no other process shares it.
    pub(super) held: Option<Held>,
    pub(super) generation: u64,
    pub(super) last_heartbeat: Option<Instant>,
    /// When children were last checked.
    pub(super) looked: Instant,
    /// A poller without progress counts as stalled only from this moment on.
    pub(super) judged_from: Instant,
    pub(super) restart_lines: RestartLines,
    turn_watch: TurnWatch,
    pub(super) stopping: bool,
}

impl Supervisor {
    /// Creates a supervisor that starts its children once it is started itself.
    #[must_use]
    pub fn new(mut options: Options, first: LedgerActor) -> Self {
        options.workers = options.workers.max(1);
        let workers = (0..options.workers).map(|_| Worker::new()).collect();
        Self {
            ledger: options.shared.ledger.clone(),
            ledger_first: Some(first),
            ledger_arbiter: Arbiter::new(),
            ledger_restarts: Restarts::default(),
            ledger_since: Instant::now(),
            workers,
            pollers: HashMap::new(),
            sinks: HashMap::new(),
            dispatcher: None,
            held: options.membership.is_some().then(Held::default),
            generation: 0,
            last_heartbeat: None,
            looked: Instant::now(),
            judged_from: Instant::now(),
            restart_lines: RestartLines::default(),
            turn_watch: TurnWatch::default(),
            stopping: false,
            options,
        }
    }

    pub(super) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    pub(super) fn fatal(&self, reason: String) {
        // If the receiver is gone, the process is ending already.
        drop(self.options.fatal.send(reason));
    }

    /// Replaces stalled pollers and threads.
    fn look_after(&mut self, context: &mut Context<Self>) {
        let anchor = self.options.shared.anchor;
        let now = Instant::now();
        let limit = self.options.supervision.stall_after;
        let stood_still =
            now.saturating_duration_since(std::mem::replace(&mut self.looked, now)) > TICK * 5;
        if stood_still {
            // The process was stopped or the machine asleep: no poller could make progress, so each
            // gets the full limit again.
            self.judged_from = now + limit;
        }
        let lost: Vec<_> = self
            .workers
            .iter_mut()
            .filter_map(|worker| worker.look_after(now, stood_still, limit))
            .collect();
        if !lost.is_empty() {
            self.options.shared.admission.renew();
        }
        let stalled: Vec<(String, u64)> = self
            .pollers
            .iter()
            .filter(|(_, child)| {
                child.running.is_some()
                    && (now >= self.judged_from && child.progress.overdue(&anchor, now) > limit
                        || lost.iter().any(|steps| child.progress.is_on(steps)))
            })
            .map(|(id, child)| (id.clone(), child.generation))
            .collect();
        for (id, generation) in stalled {
            if let Some(running) = self.pollers.get(&id).and_then(|child| child.running.as_ref()) {
                running.abort.abort();
            }
            self.poller_ended(id, generation, "stall".to_owned(), context);
        }
        let rest = self.restart_lines.rest();
        if rest > 0 {
            tracing::warn!(pollers = rest, "more pollers are restarted after unexpected exits");
        }
        let (granted, waiting) = self.options.shared.admission.turns();
        if self.turn_watch.look(granted, waiting, now) {
            tracing::error!(
                polls = waiting,
                "no poll got its turn for 5 minutes: the ledger or the parsers make no progress"
            );
        }
        if self.options.shared.parse_pool.exhausted() {
            self.fatal("too many documents never finished parsing".to_owned());
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        if self.stopping {
            return;
        }
        self.look_after(context);
        self.options.shared.metrics.turned();
        (self.options.alive)();
        if self.last_heartbeat.is_none_or(|at| at.elapsed() >= HEARTBEAT) {
            self.last_heartbeat = Some(Instant::now());
            let path = self.options.state_dir.join("heartbeat");
            if let Err(error) = std::fs::write(
                &path,
                format!("{}\n", crate::event::format_time(crate::clock::now())),
            ) {
                tracing::debug!(%error, "cannot write the heartbeat file");
            }
        }
    }

    fn begin(
        &mut self,
        providers: &[Arc<Provider>],
        loaded: Vec<Loaded>,
        context: &mut Context<Self>,
    ) {
        self.warn_of_overload();
        for (id, factory) in self.options.sinks.clone() {
            let child = SinkChild {
                factory,
                arbiter: Arbiter::new(),
                generation: 0,
                running: None,
                restarts: Restarts::default(),
            };
            self.sinks.insert(id.clone(), child);
            self.start_sink(&id, context);
        }
        self.deliver(context);
        let slots = self.slots();
        for (provider, loaded) in providers.iter().zip(loaded) {
            let slot = slots.get(&provider.id).copied().unwrap_or(Slot(0.0));
            if loaded.quarantined_until.is_some_and(|until| until > crate::clock::now()) {
                tracing::error!(
                    provider = provider.id,
                    deaths = loaded.deaths,
                    "polling is paused: parsing its document ended the whole process"
                );
            }
            self.add_poller(provider, slot, loaded, context);
        }
        if self.options.ready.take().is_some_and(|ready| ready.send(()).is_err()) {
            tracing::debug!("nothing waits for readiness any more");
        }
    }

    /// Returns the slot of each configured provider. It is the same on all nodes.
    fn slots(&self) -> HashMap<String, Slot> {
        let ids: Vec<&str> =
            self.options.providers.iter().map(|provider| provider.id.as_str()).collect();
        ids.iter().map(|id| (*id).to_owned()).zip(slots(&ids)).collect()
    }

    pub(super) fn apply(
        &mut self,
        changes: &reload::Changes,
        loaded: &HashMap<String, Loaded>,
        context: &mut Context<Self>,
    ) {
        for id in changes.stop.iter().chain(changes.change.iter().map(|provider| &provider.id)) {
            if let Some(running) = self.pollers.remove(id).and_then(|child| child.running) {
                running.abort.abort();
            }
        }
        let slots = self.slots();
        for provider in changes.start.iter().chain(&changes.change) {
            let slot = slots.get(&provider.id).copied().unwrap_or(Slot(0.0));
            self.add_poller(
                provider,
                slot,
                loaded.get(&provider.id).cloned().unwrap_or_default(),
                context,
            );
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(0);
        self.start_ledger(context);
        let died = std::mem::take(&mut self.options.died);
        let providers = self.wanted();
        self.watch(died)
            .into_actor(self)
            .map(move |answer, supervisor, context| match answer {
                Ok(loaded) => supervisor.begin(&providers, loaded, context),
                Err(error) => supervisor.fatal(error.to_string()),
            })
            .spawn(context);
        context.run_interval(TICK, Self::tick);
    }
}
