//! The dispatcher's actor: drives lanes, sends requests and stores what came of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, SpawnHandle,
    WrapFuture,
};
use statuswatch_notify::{Audience, Verdict};
use tokio::sync::{Semaphore, oneshot};

use super::Setup;
use super::attempt::{Attempt, attempt};
use super::lane::{Lane, until};
use super::launch::{Prepared, prepare};
use super::notice::{About, about};
use super::outcome::{Outcome, outcome};
use super::plan::{self, LOOK_EVERY, Plan, route};
use super::release::{self, release_due};
use crate::backoff::ExponentialBackoff;
use crate::clock;
use crate::event::Time;
use crate::ledger::outbox::{
    ChangeOutbox, ChannelHealth, ChannelState, OutboxChange, Payload, Waiting,
};
use crate::ledger::{AddSink, Ledger, LedgerError, ROUTER, Reader, Wake};
use crate::metrics::{DeliveryOutcome, Metrics};
use crate::sink::actor::{Crash, Drain, Reconnect};
use crate::transport::Transport;

/// Events routed in one transaction.
const BATCH: usize = 200;

/// More waiting messages than this and ends of incidents are sent first.
const BACKLOG: usize = 10;

/// A channel that failed for so long is announced to others.
const ANNOUNCED_AFTER: Duration = Duration::from_mins(10);

/// How long the ledger is left alone after it refused a change.
const REFUSED: Duration = Duration::from_millis(200);

/// Replaces what is delivered where.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Configure(pub Arc<Setup>);

/// Takes recorded events to channels.
pub struct Dispatcher {
    ledger: Ledger,
    state_dir: PathBuf,
    transport: Transport,
    metrics: Arc<Metrics>,
    setup: Arc<Setup>,
    reader: Option<Reader>,
    /// The newest routed event; `None` until it is loaded.
    cursor: Option<u64>,
    connecting: bool,
    /// Whether routed events or releases are being stored.
    planning: bool,
    lanes: BTreeMap<String, Lane>,
    slots: HashMap<String, Arc<Semaphore>>,
    storms: HashMap<String, Time>,
    /// Outcomes that are not stored yet, with the messages that have landed.
    outcomes: Vec<OutboxChange>,
    landed: Vec<(String, i64, String)>,
    storing: bool,
    rng: fastrand::Rng,
    next_due: Option<Time>,
    looked_at: Instant,
    not_running: Option<(Time, Time)>,
    wake: Option<SpawnHandle>,
    draining: Vec<oneshot::Sender<bool>>,
}

impl Dispatcher {
    /// Creates a dispatcher; `state_dir` is where the ledger is read, `metrics` what it counts in.
    #[must_use]
    pub fn new(
        setup: Arc<Setup>,
        ledger: Ledger,
        state_dir: PathBuf,
        transport: Transport,
        metrics: Arc<Metrics>,
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
            lanes: BTreeMap::new(),
            slots: HashMap::new(),
            storms: HashMap::new(),
            outcomes: Vec::new(),
            landed: Vec::new(),
            storing: false,
            rng: fastrand::Rng::new(),
            next_due: None,
            looked_at: Instant::now(),
            not_running: None,
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

    fn reader(&mut self) -> Result<&Reader, LedgerError> {
        match &mut self.reader {
            Some(reader) => Ok(reader),
            none => Ok(none.insert(Reader::open(&self.state_dir)?)),
        }
    }

    /// Stores changes and continues with `then`.
    fn store(
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

    // --- configuration ---

    /// Brings the lanes in line with the configuration and stores which channels there are.
    fn apply_setup(&mut self, context: &mut Context<Self>) {
        let (mono, now) = (Instant::now(), clock::now());
        let before = match self.reader().and_then(|reader| reader.channels(now)) {
            Ok(before) => before,
            Err(error) => {
                tracing::warn!(%error, "cannot read the state of channels");
                Vec::new()
            }
        };
        let mut changes = Vec::new();
        let setup = Arc::clone(&self.setup);
        for config in &setup.channels {
            self.metrics.channel(&config.id);
            let known = before.iter().find(|row| row.state.id == config.id);
            let lane = self
                .lanes
                .entry(config.id.clone())
                .or_insert_with(|| Lane::new(Arc::clone(config), mono, now));
            lane.configure(Arc::clone(config), mono);
            lane.retry_now();
            self.slots.insert(
                config.id.clone(),
                Arc::new(Semaphore::new(config.channel.limits().in_flight.max(1))),
            );
            if let Some(row) = known {
                lane.since = row.state.since;
                if row.state.health == ChannelHealth::Broken {
                    lane.health = ChannelHealth::Broken;
                    lane.announced = true;
                }
            }
            let is_current = known.is_some_and(|row| {
                row.state.kind == config.kind && row.state.health != ChannelHealth::Removed
            });
            if !is_current {
                changes.push(OutboxChange::Channel(ChannelState {
                    id: config.id.clone(),
                    kind: config.kind.to_owned(),
                    health: ChannelHealth::Ok,
                    since: now,
                    last_error: None,
                    probe_at: None,
                }));
            }
        }
        let metrics = &self.metrics;
        self.lanes.retain(|id, _| {
            let stays = setup.channel(id).is_some();
            if !stays {
                metrics.forget_channel(id);
            }
            stays
        });
        for row in before {
            if setup.channel(&row.state.id).is_some() || row.state.health == ChannelHealth::Removed
            {
                continue;
            }
            let waiting = row.waiting + row.held;
            if waiting > 0 {
                tracing::warn!(
                    channel = row.state.id,
                    waiting,
                    "the channel was removed from the configuration with messages waiting; they are kept in case it returns"
                );
            }
            changes.push(OutboxChange::Channel(ChannelState {
                health: ChannelHealth::Removed,
                since: now,
                probe_at: None,
                last_error: None,
                ..row.state
            }));
        }
        if !changes.is_empty() {
            self.store(changes, context, |_, answer, _| {
                if let Err(error) = answer {
                    tracing::warn!(%error, "cannot store the state of channels");
                }
            });
        }
    }

    // --- work ---

    fn pump(&mut self, context: &mut Context<Self>) {
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

    /// Routes new events, and releases what is due when there are none.
    fn plan(&mut self, context: &mut Context<Self>) -> Result<(), LedgerError> {
        let cursor = self.cursor.unwrap_or(0);
        let now = clock::now();
        let setup = Arc::clone(&self.setup);
        self.reader()?;
        let Some(reader) = &self.reader else { return Ok(()) };
        let events = reader.after(cursor, BATCH)?;
        if let Some(last) = events.last() {
            let seq = last.event.seq;
            let lanes = &self.lanes;
            let mut routing = plan::Context {
                setup: &setup,
                reader,
                now,
                storms: &mut self.storms,
                flying: &|channel, id| lanes.get(channel).is_some_and(|lane| lane.is_flying(id)),
            };
            let plan = route(&mut routing, &events)?;
            self.store_plan(plan, Some(seq), context);
            return Ok(());
        }
        let is_due = self.next_due.is_some_and(|due| due <= now);
        if is_due || self.looked_at.elapsed() >= LOOK_EVERY * 10 {
            self.looked_at = Instant::now();
            let releasing =
                release::Context { setup: &setup, reader, now, not_running: self.not_running };
            let plan = release_due(&releasing)?;
            self.next_due = reader.next_due()?;
            if !plan.changes.is_empty() {
                self.store_plan(plan, None, context);
            }
        }
        Ok(())
    }

    fn store_plan(&mut self, plan: Plan, seq: Option<u64>, context: &mut Context<Self>) {
        self.planning = true;
        let touched = plan.touched;
        self.store(plan.changes, context, move |actor, answer, context| {
            actor.planning = false;
            match answer {
                Ok(()) => {
                    actor.cursor = seq.or(actor.cursor);
                    actor.mark(&touched);
                    if let Ok(due) = actor.reader().and_then(Reader::next_due) {
                        actor.next_due = due;
                    }
                    actor.pump(context);
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot store routed events");
                    context.run_later(REFUSED, Self::pump);
                }
            }
        });
    }

    fn mark(&mut self, touched: &HashSet<String>) {
        for id in touched {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.stale = true;
            }
        }
    }

    /// Sends what can be sent in one channel.
    fn serve(&mut self, id: &str, context: &mut Context<Self>) -> Result<(), LedgerError> {
        let (mono, now) = (Instant::now(), clock::now());
        self.reader()?;
        let (Some(reader), Some(lane)) = (&self.reader, self.lanes.get_mut(id)) else {
            return Ok(());
        };
        if lane.wants_rows() {
            let in_order = reader.waiting(id, now, super::lane::QUEUE, false)?;
            let is_long = lane.audience() == Audience::Chat && in_order.len() > BACKLOG;
            let rows =
                if is_long { reader.waiting(id, now, super::lane::QUEUE, true)? } else { in_order };
            lane.refill(rows);
        }
        let (prepared, changes) = prepare(lane, reader, mono, now)?;
        for _ in changes.iter().filter(|change| matches!(change, OutboxChange::Dead { .. })) {
            self.metrics.attempted(id, DeliveryOutcome::Dead);
        }
        if prepared.is_empty() {
            return Ok(());
        }
        let id = id.to_owned();
        if changes.is_empty() {
            self.launch(&id, prepared, context);
            return Ok(());
        }
        self.store(changes, context, move |actor, answer, context| match answer {
            Ok(()) => {
                actor.launch(&id, prepared, context);
                actor.pump(context);
            }
            Err(error) => {
                tracing::debug!(%error, channel = id, "cannot store messages before they are sent");
                if let Some(lane) = actor.lanes.get_mut(&id) {
                    for one in prepared {
                        let (Prepared::Send { row, .. } | Prepared::Skip { row }) = one;
                        lane.put_back(&row);
                    }
                }
                context.run_later(REFUSED, Self::pump);
            }
        });
        Ok(())
    }

    fn launch(&mut self, id: &str, prepared: Vec<Prepared>, context: &mut Context<Self>) {
        let Some(config) = self.lanes.get(id).map(|lane| Arc::clone(&lane.config)) else { return };
        let slots = self.slots.get(id).cloned().unwrap_or_else(|| Arc::new(Semaphore::new(1)));
        for one in prepared {
            let (row, steps) = match one {
                Prepared::Send { row, steps } => (row, steps),
                Prepared::Skip { row } => {
                    if let Some(lane) = self.lanes.get_mut(id) {
                        lane.landed(row.id, &row.thread);
                    }
                    continue;
                }
            };
            let (transport, slots, config) =
                (self.transport.clone(), Arc::clone(&slots), Arc::clone(&config));
            let (id, key) = (id.to_owned(), row.key.clone());
            let sent = async move {
                // It is never closed.
                let slot = slots.acquire_owned().await;
                let attempt = attempt(&transport, &config.channel, &key, &steps).await;
                drop(slot);
                attempt
            };
            context.spawn(sent.into_actor(self).map(move |attempt, actor, context| {
                actor.ended(&id, &row, attempt);
                actor.store_outcomes(context);
            }));
        }
    }

    /// Sends the present state again to channels that forget.
    fn repeat(&mut self, context: &mut Context<Self>) {
        let (mono, now) = (Instant::now(), clock::now());
        let Some(reader) = &self.reader else { return };
        let mut ready = Vec::new();
        for (id, lane) in &mut self.lanes {
            if !lane.repeats(mono) {
                continue;
            }
            match super::launch::repeat(lane, reader, now) {
                Ok(messages) => ready.push((id.clone(), Arc::clone(&lane.config), messages)),
                Err(error) => tracing::debug!(%error, channel = id, "cannot read what is open"),
            }
        }
        for (id, config, messages) in ready {
            let transport = self.transport.clone();
            let sent = async move {
                for steps in messages {
                    match attempt(&transport, &config.channel, "", &steps).await {
                        Attempt::Judged(Verdict::Delivered { .. }) => {}
                        other => return Some(other),
                    }
                }
                None
            };
            context.spawn(sent.into_actor(self).map(move |failed, actor, context| {
                // Nothing is lost: the next time is the same again.
                let (Some(attempt), Some(lane)) = (failed, actor.lanes.get_mut(&id)) else {
                    return;
                };
                let error = match attempt {
                    Attempt::Judged(
                        Verdict::Retry { reason, .. }
                        | Verdict::Refused { reason }
                        | Verdict::Broken { reason },
                    )
                    | Attempt::Lost { reason, .. } => reason,
                    Attempt::Judged(Verdict::Delivered { .. } | Verdict::Gone) => return,
                };
                let mut news = Vec::new();
                lane.failed(Instant::now(), None, &mut actor.rng);
                fails(&actor.setup, lane, &error, false, None, clock::now(), &mut news);
                actor.outcomes.extend(news);
                actor.store_outcomes(context);
            }));
        }
    }

    /// Takes the outcome of an attempt.
    fn ended(&mut self, id: &str, row: &Waiting, attempt: Attempt) {
        let (mono, now) = (Instant::now(), clock::now());
        let Some(lane) = self.lanes.get_mut(id) else {
            // The channel was removed meanwhile. What was accepted is still noted.
            if let Attempt::Judged(Verdict::Delivered { reference }) = attempt {
                self.outcomes.push(delivered(row, reference, now));
            }
            return;
        };
        let policy = lane.config.policy.clone();
        let mut news: Vec<OutboxChange> = Vec::new();
        let outcome = outcome(row, &policy, attempt, now);
        self.metrics.attempted(id, counted(&outcome));
        match outcome {
            Outcome::Delivered { reference } => {
                self.metrics.delivered_after(id, lag_ms(row, now));
                news.push(delivered(row, reference, now));
                lane.succeeded();
                works(&self.setup, lane, now, &mut news);
            }
            Outcome::Retry { after, error, in_doubt } => {
                let lane_delay = lane.failed(mono, after, &mut self.rng);
                let backoff =
                    ExponentialBackoff::new(Duration::from_secs(1), Duration::from_mins(10));
                let delay = lane_delay.max(backoff.plain(row.attempts));
                news.push(OutboxChange::Retry {
                    id: row.id,
                    next_at: now + chrono::TimeDelta::from_std(delay).unwrap_or_default(),
                    error: error.clone(),
                    in_doubt,
                });
                fails(&self.setup, lane, &error, false, None, now, &mut news);
            }
            Outcome::Broken { error } => {
                let probe = now + chrono::TimeDelta::from_std(lane.broke(mono)).unwrap_or_default();
                news.push(OutboxChange::Retry {
                    id: row.id,
                    next_at: now,
                    error: error.clone(),
                    in_doubt: false,
                });
                fails(&self.setup, lane, &error, true, Some(probe), now, &mut news);
            }
            Outcome::Rerender { plain, forget_reference, error } => {
                tracing::debug!(channel = id, error, "a message is rendered again");
                news.push(OutboxChange::Rerender { id: row.id, plain, forget_reference, error });
            }
            Outcome::Dead { reason, refused } => {
                tracing::warn!(channel = id, reason, "a message could not be delivered");
                if refused {
                    lane.succeeded();
                }
                news.extend(about(&self.setup, id, About::Dead { reason: &reason }, now));
                if let (Some(fallback), Payload::Event(seq)) = (&policy.fallback, &row.payload) {
                    news.push(pass_on(row, *seq, fallback, now));
                }
                news.push(OutboxChange::Dead { id: row.id, reason, at: now });
            }
        }
        // Notices are for other channels.
        for change in &news {
            if let OutboxChange::Add(message) = change
                && let Some(other) = self.lanes.get_mut(&message.channel)
            {
                other.stale = true;
            }
        }
        self.outcomes.extend(news);
        self.landed.push((id.to_owned(), row.id, row.thread.clone()));
    }

    /// Stores outcomes together; a message of the same thread follows once its predecessor's is
    /// stored.
    fn store_outcomes(&mut self, context: &mut Context<Self>) {
        if self.storing || self.outcomes.is_empty() {
            return;
        }
        self.storing = true;
        let outcomes = std::mem::take(&mut self.outcomes);
        let landed = std::mem::take(&mut self.landed);
        self.store(outcomes.clone(), context, move |actor, answer, context| {
            actor.storing = false;
            match answer {
                Ok(()) => {
                    for (id, message, thread) in landed {
                        if let Some(lane) = actor.lanes.get_mut(&id) {
                            lane.landed(message, &thread);
                        }
                    }
                    actor.pump(context);
                }
                Err(error) => {
                    // They hold as before; nothing of these threads is sent until they are stored.
                    tracing::debug!(%error, "cannot store what was delivered");
                    actor.outcomes.splice(0..0, outcomes);
                    actor.landed.splice(0..0, landed);
                    context.run_later(REFUSED, Self::store_outcomes);
                }
            }
        });
    }

    /// Wakes up when a delay is over.
    fn sleep(&mut self, context: &mut Context<Self>) {
        if let Some(wake) = self.wake.take() {
            context.cancel_future(wake);
        }
        let (mono, now) = (Instant::now(), clock::now());
        let lanes = self.lanes.values().filter_map(|lane| lane.wake_after(mono, now)).min();
        let due = self.next_due.map(|due| until(due, now).max(Duration::from_millis(10)));
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

fn delivered(row: &Waiting, reference: Option<String>, now: Time) -> OutboxChange {
    OutboxChange::Delivered { id: row.id, reference, at: now, lag_ms: lag_ms(row, now) }
}

/// How long a message has waited since it was routed or released.
fn lag_ms(row: &Waiting, now: Time) -> i64 {
    (now - row.at).num_milliseconds().max(0)
}

/// As what an outcome is counted.
const fn counted(outcome: &Outcome) -> DeliveryOutcome {
    match outcome {
        Outcome::Delivered { .. } => DeliveryOutcome::Delivered,
        Outcome::Retry { .. } => DeliveryOutcome::Retried,
        Outcome::Broken { .. } => DeliveryOutcome::Broken,
        Outcome::Rerender { .. } => DeliveryOutcome::Rerendered,
        Outcome::Dead { .. } => DeliveryOutcome::Dead,
    }
}

/// Sends an event to the fallback of a channel that could not deliver it.
fn pass_on(row: &Waiting, seq: u64, fallback: &str, now: Time) -> OutboxChange {
    OutboxChange::Add(Box::new(crate::ledger::outbox::NewMessage {
        channel: fallback.to_owned(),
        thread: row.thread.clone(),
        payload: Payload::Event(seq),
        // Its own key unless a route sent it there as well.
        key: statuswatch_notify::delivery_id(&format!("fallback:{}", row.key), fallback),
        phase: row.phase,
        urgent: false,
        hold: None,
        at: now,
    }))
}

/// Notes that a channel works.
fn works(setup: &Setup, lane: &mut Lane, now: Time, news: &mut Vec<OutboxChange>) {
    if lane.health == ChannelHealth::Ok {
        return;
    }
    tracing::warn!(channel = lane.id(), "the channel accepts messages again");
    if std::mem::take(&mut lane.announced) {
        news.extend(about(setup, lane.id(), About::Works { since: lane.since }, now));
    }
    lane.health = ChannelHealth::Ok;
    lane.since = now;
    news.push(OutboxChange::Channel(ChannelState {
        id: lane.id().to_owned(),
        kind: lane.config.kind.to_owned(),
        health: ChannelHealth::Ok,
        since: now,
        last_error: None,
        probe_at: None,
    }));
}

/// Notes that a channel does not accept messages.
fn fails(
    setup: &Setup,
    lane: &mut Lane,
    error: &str,
    broken: bool,
    probe_at: Option<Time>,
    now: Time,
    news: &mut Vec<OutboxChange>,
) {
    let health = if broken { ChannelHealth::Broken } else { ChannelHealth::Failing };
    if lane.health == ChannelHealth::Ok {
        lane.since = now;
        tracing::warn!(
            channel = lane.id(),
            reason = error,
            "the channel does not accept messages; they are kept and sent later"
        );
    }
    lane.health = health;
    let long = until(now, lane.since) >= ANNOUNCED_AFTER;
    if (broken || long) && !std::mem::replace(&mut lane.announced, true) {
        let fails = About::Fails { since: lane.since, error, broken };
        news.extend(about(setup, lane.id(), fails, now));
    }
    news.push(OutboxChange::Channel(ChannelState {
        id: lane.id().to_owned(),
        kind: lane.config.kind.to_owned(),
        health,
        since: lane.since,
        last_error: Some(error.to_owned()),
        probe_at,
    }));
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
            for lane in self.lanes.values_mut() {
                lane.stale = true;
            }
            if let Ok(due) = self.reader().and_then(Reader::next_due) {
                self.next_due = due;
            }
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
