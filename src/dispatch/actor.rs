//! The dispatcher's actor: drives lanes, sends requests and stores what came of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, SpawnHandle,
    WrapFuture,
};
use tokio::sync::{Semaphore, oneshot};

use super::Setup;
use super::lane::{Lane, until};
use super::plan::{self, Plan, route};
use super::release::{self, release_due};
use super::sinks::Sinks;
use crate::clock;
use crate::event::Time;
use crate::lease::Lease;
use crate::ledger::outbox::{ChangeOutbox, MessageId, OutboxChange};
use crate::ledger::{AddSink, Ledger, LedgerError, ROUTER, Reader, Wake};
use crate::metrics::Metrics;
use crate::sink::actor::{Crash, Drain, Reconnect};
use crate::transport::Transport;

/// Events routed in one transaction.
const BATCH: usize = 200;

/// How often held messages and what commands changed are looked for, whatever wake-ups were lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long the ledger is left alone after it refused a change.
pub(super) const REFUSED: Duration = Duration::from_millis(200);

/// Replaces what is delivered where.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Configure(pub Arc<Setup>);

/// Takes recorded events to channels.
pub struct Dispatcher {
    pub(super) ledger: Ledger,
    pub(super) state_dir: PathBuf,
    pub(super) transport: Transport,
    pub(super) metrics: Arc<Metrics>,
    pub(super) setup: Arc<Setup>,
    pub(super) reader: Option<Reader>,
    /// The newest routed event; `None` until it is loaded.
    pub(super) cursor: Option<u64>,
    pub(super) connecting: bool,
    /// Whether routed events or releases are being stored.
    pub(super) planning: bool,
    /// Whether the latest of them were releases.
    released: bool,
    pub(super) lanes: BTreeMap<String, Lane>,
    pub(super) slots: HashMap<String, Arc<Semaphore>>,
    pub(super) storms: HashMap<String, Time>,
    sinks: Sinks,
    /// Outcomes that are not stored yet, with the messages that have landed.
    pub(super) outcomes: Vec<OutboxChange>,
    pub(super) landed: Vec<(String, i64, String)>,
    pub(super) storing: bool,
    pub(super) rng: fastrand::Rng,
    pub(super) next_due: Option<Time>,
    pub(super) looked_at: Instant,
    /// Nothing is sent while it is not good.
    pub(super) lease: Lease,
    pub(super) not_running: Option<(Time, Time)>,
    pub(super) wake: Option<SpawnHandle>,
    pub(super) draining: Vec<oneshot::Sender<bool>>,
}

impl Dispatcher {
    /// Creates a dispatcher; `state_dir` is where the ledger is read, `metrics` what it counts in,
    /// `lease` under which it sends, and `not_running` when this program was last not running.
    #[must_use]
    pub fn new(
        setup: Arc<Setup>,
        ledger: Ledger,
        state_dir: PathBuf,
        transport: Transport,
        metrics: Arc<Metrics>,
        lease: Lease,
        not_running: Option<(Time, Time)>,
    ) -> Self {
        Self {
            ledger,
            state_dir,
            transport,
            metrics,
            setup,
            reader: None,
            cursor: None,
            connecting: false,
            planning: false,
            released: false,
            lanes: BTreeMap::new(),
            slots: HashMap::new(),
            storms: HashMap::new(),
            sinks: Sinks::default(),
            outcomes: Vec::new(),
            landed: Vec::new(),
            storing: false,
            rng: fastrand::Rng::new(),
            next_due: None,
            looked_at: Instant::now(),
            lease,
            not_running,
            wake: None,
            draining: Vec::new(),
        }
    }

    // --- the ledger ---

    fn connect(&mut self, context: &mut Context<Self>) {
        if std::mem::replace(&mut self.connecting, true) {
            return;
        }
        let ask = AddSink { id: ROUTER.to_owned(), nudge: context.address().recipient() };
        let ledger = self.ledger.clone();
        context.spawn(async move { ledger.ask(ask).await }.into_actor(self).map(
            |answer, actor, context| {
                actor.connecting = false;
                match answer {
                    Ok(cursor) => {
                        if actor.cursor.is_none() {
                            actor.cursor = Some(cursor.seq);
                            actor.apply_setup(context);
                        }
                        actor.pump(context);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the ledger does not answer yet");
                    }
                }
            },
        ));
    }

    pub(super) fn reader(&mut self) -> Result<&Reader, LedgerError> {
        match &mut self.reader {
            Some(reader) => Ok(reader),
            none => Ok(none.insert(Reader::open(&self.state_dir)?)),
        }
    }

    /// Stores changes and continues with `then`.
    pub(super) fn store(
        &mut self,
        changes: Vec<OutboxChange>,
        context: &mut Context<Self>,
        then: impl FnOnce(&mut Self, Result<(), LedgerError>, &mut Context<Self>) + 'static,
    ) {
        let ledger = self.ledger.clone();
        context.spawn(
            async move { ledger.ask(ChangeOutbox(changes)).await }
                .into_actor(self)
                .map(|answer, actor, context| then(actor, answer, context)),
        );
    }

    // --- work ---

    pub(super) fn pump(&mut self, context: &mut Context<Self>) {
        if self.cursor.is_none() {
            return self.connect(context);
        }
        if let Err(error) = self.work(context) {
            tracing::debug!(%error, "cannot read the ledger");
            self.reader = None;
        }
        self.answer_drain();
        self.sleep(context);
    }

    fn work(&mut self, context: &mut Context<Self>) -> Result<(), LedgerError> {
        if !self.planning {
            self.plan(context)?;
        }
        let ids: Vec<String> = self.lanes.keys().cloned().collect();
        for id in ids {
            self.serve(&id, context)?;
        }
        self.store_outcomes(context);
        Ok(())
    }

    /// Releases what is due, and routes new events.
    fn plan(&mut self, context: &mut Context<Self>) -> Result<(), LedgerError> {
        // Neither waits for a long row of the other.
        if !std::mem::take(&mut self.released) && self.release(context)? {
            self.released = true;
            return Ok(());
        }
        let cursor = self.cursor.unwrap_or(0);
        let now = clock::now();
        let setup = Arc::clone(&self.setup);
        self.reader()?;
        let Some(reader) = &self.reader else { return Ok(()) };
        let events = reader.after(cursor, BATCH)?;
        let Some(last) = events.last() else { return Ok(()) };
        let seq = last.event.seq;
        let lanes = &self.lanes;
        let mut routing = plan::Context {
            setup: &setup,
            reader,
            now,
            storms: &mut self.storms,
            flying: &|channel, id| lanes.get(channel).is_some_and(|lane| lane.is_flying(id)),
            works: &|channel| lanes.get(channel).is_some_and(Lane::works),
        };
        let plan = route(&mut routing, &events)?;
        self.store_plan(plan, Some(seq), context);
        Ok(())
    }

    /// Releases what is due. Returns whether there was anything.
    fn release(&mut self, context: &mut Context<Self>) -> Result<bool, LedgerError> {
        let now = clock::now();
        let is_due = self.next_due.is_some_and(|due| due <= now);
        if !is_due && self.looked_at.elapsed() < LOOK_EVERY * 10 {
            return Ok(false);
        }
        self.looked_at = Instant::now();
        let setup = Arc::clone(&self.setup);
        self.reader()?;
        let Some(reader) = &self.reader else { return Ok(false) };
        let releasing =
            release::Context { setup: &setup, reader, now, not_running: self.not_running };
        let plan = release_due(&releasing)?;
        self.next_due = reader.next_due(&setup.ids())?;
        let any = !plan.changes.is_empty();
        if any {
            self.store_plan(plan, None, context);
        }
        Ok(any)
    }

    fn store_plan(&mut self, plan: Plan, seq: Option<u64>, context: &mut Context<Self>) {
        self.planning = true;
        let touched = plan.touched;
        // What is held from now on must not be sent from a queue that was read before.
        let held: Vec<MessageId> = plan
            .changes
            .iter()
            .filter_map(|change| match change {
                OutboxChange::Hold { id, hold: Some(_), .. } => Some(*id),
                _ => None,
            })
            .collect();
        self.forget(&touched, &held);
        self.store(plan.changes, context, move |actor, answer, context| {
            actor.planning = false;
            match answer {
                Ok(()) => {
                    actor.cursor = seq.or(actor.cursor);
                    actor.mark(&touched);
                    actor.forget(&touched, &held);
                    actor.look_for_due();
                    actor.pump(context);
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot store routed events");
                    actor.mark(&touched);
                    context.run_later(REFUSED, Self::pump);
                }
            }
        });
    }

    /// Has the queues read again that messages wait for, or that may hold what waits no longer.
    ///
    /// Every poll changes the ledger, so idle channels must cost nothing here.
    fn look_for_waiting(&mut self) {
        let setup = Arc::clone(&self.setup);
        let waiting = self.reader().and_then(|reader| reader.channels_waiting(&setup.ids()));
        // The change is not seen again: if this cannot be read, all queues are.
        for (id, lane) in &mut self.lanes {
            lane.stale |= !lane.is_empty() || waiting.as_ref().map_or(true, |ids| ids.contains(id));
        }
    }

    /// Finds out when the next held message of a configured channel is due.
    fn look_for_due(&mut self) {
        let setup = Arc::clone(&self.setup);
        if let Ok(due) = self.reader().and_then(|reader| reader.next_due(&setup.ids())) {
            self.next_due = due;
        }
    }

    /// Notifies others of sinks that fail or work again.
    fn look_at_sinks(&mut self) {
        match self.reader().and_then(Reader::sinks) {
            Ok(rows) => self.outcomes.extend(self.sinks.look(&self.setup, &rows, clock::now())),
            Err(error) => tracing::debug!(%error, "cannot read the state of sinks"),
        }
    }

    /// Takes messages out of the queues of these channels.
    fn forget(&mut self, touched: &HashSet<String>, held: &[MessageId]) {
        for channel in touched {
            if let Some(lane) = self.lanes.get_mut(channel) {
                for id in held {
                    lane.forget(*id);
                }
            }
        }
    }

    fn mark(&mut self, touched: &HashSet<String>) {
        for id in touched {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.stale = true;
            }
        }
    }

    /// Wakes up when a delay is over.
    fn sleep(&mut self, context: &mut Context<Self>) {
        if let Some(wake) = self.wake.take() {
            context.cancel_future(wake);
        }
        let (mono, now) = (Instant::now(), clock::now());
        let lanes = self.lanes.values().filter_map(|lane| lane.wake_after(mono, now)).min();
        // What is due and could not be released is not tried again at once.
        let due = self.next_due.map(|due| until(due, now).max(REFUSED));
        if let Some(wait) = lanes.into_iter().chain(due).min()
            && wait < LOOK_EVERY * 10
        {
            self.wake = Some(context.run_later(wait, |actor, context| {
                actor.wake = None;
                actor.pump(context);
            }));
        }
    }

    // --- shutdown ---

    fn answer_drain(&mut self) {
        if self.draining.is_empty() || self.planning || self.storing {
            return;
        }
        let mono = Instant::now();
        let is_routed = self.reader.as_ref().is_some_and(|reader| {
            reader.newest_seq().is_ok_and(|seq| self.cursor.is_some_and(|at| at >= seq))
        });
        let resting = |lane: &Lane| lane.is_empty() || (lane.is_idle() && lane.is_delayed(mono));
        if !is_routed || !self.outcomes.is_empty() || !self.lanes.values().all(resting) {
            return;
        }
        let delivered = self.lanes.values().all(Lane::is_empty);
        for sender in self.draining.drain(..) {
            if sender.send(delivered).is_err() {
                tracing::debug!("nothing waits for the channels any more");
            }
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // Also finds what commands changed in the ledger.
        context.run_interval(LOOK_EVERY, |actor, context| {
            actor.look(context);
        });
        self.pump(context);
    }
}

impl Dispatcher {
    /// Looks at the ledger even without a wake-up, which may be lost.
    fn look(&mut self, context: &mut Context<Self>) {
        if self.cursor.is_none() {
            return self.connect(context);
        }
        let changed = match self.reader().and_then(Reader::has_changed) {
            Ok(changed) => changed,
            Err(error) => {
                tracing::debug!(%error, "cannot read the ledger");
                self.reader = None;
                return;
            }
        };
        if changed {
            self.look_for_waiting();
            self.look_for_due();
            self.look_at_sinks();
        }
        self.repeat(context);
        let is_due = self.next_due.is_some_and(|due| due <= clock::now());
        if changed || is_due || !self.draining.is_empty() {
            self.pump(context);
        }
    }
}

impl Handler<Wake> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Self::Context) {
        self.pump(context);
    }
}

impl Handler<Reconnect> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Reconnect, context: &mut Self::Context) {
        self.connect(context);
    }
}

impl Handler<Configure> for Dispatcher {
    type Result = ();

    fn handle(&mut self, Configure(setup): Configure, context: &mut Self::Context) {
        self.setup = setup;
        if self.cursor.is_some() {
            self.apply_setup(context);
        }
        self.pump(context);
    }
}

impl Handler<Drain> for Dispatcher {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Drain, context: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.draining.push(sender);
        for lane in self.lanes.values_mut() {
            lane.stale = true;
        }
        self.pump(context);
        Box::pin(async { receiver.await.unwrap_or(false) })
    }
}

impl Handler<Crash> for Dispatcher {
    type Result = ();

    #[expect(clippy::panic, reason = "what the chaos command asks for")]
    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("asked to");
    }
}
