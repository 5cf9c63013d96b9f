//! Sends messages: prepares what a lane can send, stores it, sends it, and stores what came of it.

use std::sync::Arc;
use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use statuswatch_notify::hold::phase_of;
use statuswatch_notify::{Audience, Rest, Verdict, delivery_id};
use tokio::sync::Semaphore;

use super::actor::{Dispatcher, REFUSED};
use super::attempt::{Attempt, attempt};
use super::channels::{fails, works};
use super::lane::{QUEUE, backoff};
use super::launch::{self, Prepared, prepare};
use super::notice::{About, about};
use super::outcome::{Outcome, outcome};
use super::plan::notify;
use crate::clock;
use crate::event::Time;
use crate::ledger::outbox::{MessageId, NewMessage, OutboxChange, Payload, Waiting};
use crate::ledger::{LedgerError, Reader};
use crate::metrics::DeliveryOutcome;

/// More waiting messages than this and ends of incidents are sent first.
const BACKLOG: usize = 10;

impl Dispatcher {
    /// Sends what can be sent in one channel.
    pub(super) fn serve(
        &mut self,
        id: &str,
        context: &mut Context<Self>,
    ) -> Result<(), LedgerError> {
        if !self.lease.is_good() {
            // The next look tries again, unless another node serves the channels by then.
            return Ok(());
        }
        let (mono, now) = (Instant::now(), clock::now());
        self.reader()?;
        let (Some(reader), Some(lane)) = (&self.reader, self.lanes.get_mut(id)) else {
            return Ok(());
        };
        if lane.wants_rows(mono, now) {
            let in_order = reader.waiting(id, now, QUEUE, false)?;
            let is_long = lane.audience() == Audience::Chat && in_order.len() > BACKLOG;
            let rows = if is_long { reader.waiting(id, now, QUEUE, true)? } else { in_order };
            lane.refill(rows, mono, now);
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
            let (id, key, lease) = (id.to_owned(), row.key.clone(), self.lease.clone());
            let sent = async move {
                // It is never closed.
                let slot = slots.acquire_owned().await;
                lease.good().await;
                let begun = Instant::now();
                let attempt = attempt(&transport, &config.channel, &key, &steps).await;
                drop(slot);
                (attempt, begun)
            };
            context.spawn(sent.into_actor(self).map(move |(attempt, begun), actor, context| {
                actor.ended(&id, &row, attempt, begun);
                actor.store_outcomes(context);
            }));
        }
    }

    /// Sends the present state again to channels that forget.
    pub(super) fn repeat(&mut self, context: &mut Context<Self>) {
        let (mono, now) = (Instant::now(), clock::now());
        let Some(reader) = &self.reader else { return };
        let mut ready = Vec::new();
        for (id, lane) in &mut self.lanes {
            if !lane.repeats(mono) {
                continue;
            }
            match launch::repeat(lane, reader, now) {
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
                        | Verdict::Later { reason }
                        | Verdict::Broken { reason },
                    )
                    | Attempt::Lost { reason, .. } => reason,
                    Attempt::Judged(
                        Verdict::Delivered { .. } | Verdict::Partly { .. } | Verdict::Gone,
                    ) => return,
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
    fn ended(&mut self, id: &str, row: &Waiting, attempt: Attempt, begun: Instant) {
        let (mono, now) = (Instant::now(), clock::now());
        let Some(lane) = self.lanes.get_mut(id) else {
            // The channel was removed meanwhile. What was accepted is still noted.
            match attempt {
                Attempt::Judged(Verdict::Delivered { reference }) => {
                    self.outcomes.push(delivered(row, reference, now));
                }
                Attempt::Judged(Verdict::Partly { again, never }) => {
                    self.outcomes.extend(set_aside(row, again, never, now));
                    self.outcomes.push(delivered(row, None, now));
                }
                Attempt::Judged(_) | Attempt::Lost { .. } => {}
            }
            return;
        };
        let policy = lane.config.policy.clone();
        let mut news: Vec<OutboxChange> = Vec::new();
        let outcome = outcome(row, &policy, attempt, now);
        self.metrics.attempted(id, counted(&outcome));
        self.metrics.delivery(id, counted(&outcome), begun);
        match outcome {
            Outcome::Delivered { reference } => {
                self.metrics.delivered_after(id, lag_ms(row, now));
                news.push(delivered(row, reference, now));
                lane.succeeded();
                works(&self.setup, lane, now, &mut news);
            }
            Outcome::Partly { again, never } => {
                self.metrics.delivered_after(id, lag_ms(row, now));
                for rest in again.iter().chain(&never) {
                    let reason = &rest.reason;
                    tracing::warn!(
                        channel = id,
                        reason,
                        "a message was not accepted for everybody"
                    );
                }
                if let Some(Rest { reason, .. }) = &never {
                    self.metrics.attempted(id, DeliveryOutcome::Dead);
                    if lane.announces_dead(now) {
                        news.extend(about(&self.setup, id, About::Dead { reason }, now));
                    }
                }
                news.extend(set_aside(row, again, never, now));
                news.push(delivered(row, None, now));
                lane.succeeded();
                works(&self.setup, lane, now, &mut news);
            }
            Outcome::Later { error } => {
                let delay = backoff().plain(row.attempts);
                lane.try_again(row.id, mono + delay);
                let next_at = now + chrono::TimeDelta::from_std(delay).unwrap_or_default();
                news.push(OutboxChange::Retry { id: row.id, next_at, error, in_doubt: true });
                lane.succeeded();
                works(&self.setup, lane, now, &mut news);
            }
            Outcome::Retry { after, error, in_doubt } => {
                lane.failed(mono, after, &mut self.rng);
                // The channel's delay is the lane's; the message has its own, so that one that fails
                // again and again lets others pass.
                let delay = backoff().plain(row.attempts).max(after.unwrap_or_default());
                lane.try_again(row.id, mono + delay);
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
                if lane.announces_dead(now) {
                    news.extend(about(&self.setup, id, About::Dead { reason: &reason }, now));
                }
                if let (Some(fallback), Some(reader)) = (&policy.fallback, &self.reader) {
                    match pass_on(reader, row, fallback, now) {
                        Ok(changes) => news.extend(changes),
                        Err(error) => {
                            // The dead letter stays, and its notice names it.
                            tracing::warn!(%error, channel = id, "cannot pass a message to the fallback");
                        }
                    }
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

    /// A request has ended and its outcome is stored.
    fn landed(&mut self, id: &str, message: MessageId, thread: &str) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        let next = self.reader.as_ref().filter(|_| lane.is_followed());
        match next.map(|reader| reader.next_of_thread(id, thread)) {
            Some(Ok(next)) => lane.followed_by(message, thread, next),
            // The outbox is looked through.
            Some(Err(_)) | None => lane.landed(message, thread),
        }
    }

    /// Stores outcomes together; a message of the same thread follows once its predecessor's is
    /// stored.
    pub(super) fn store_outcomes(&mut self, context: &mut Context<Self>) {
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
                        actor.landed(&id, message, &thread);
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
}

fn delivered(row: &Waiting, reference: Option<String>, now: Time) -> OutboxChange {
    OutboxChange::Delivered { id: row.id, reference, at: now, lag_ms: lag_ms(row, now) }
}

/// Makes messages of their own for recipients that were left out.
fn set_aside(
    row: &Waiting,
    again: Option<Rest>,
    never: Option<Rest>,
    now: Time,
) -> Vec<OutboxChange> {
    let delay = chrono::TimeDelta::from_std(backoff().plain(row.attempts)).unwrap_or_default();
    [(again, "again", Some(now + delay)), (never, "never", None)]
        .into_iter()
        .filter_map(|(rest, word, next_at)| {
            let Rest { step, reason } = rest?;
            let key = delivery_id(&format!("{word}:{}", row.key), &row.channel);
            Some(OutboxChange::SetAside {
                id: row.id,
                thread: key.clone(),
                key,
                steps: vec![step],
                error: reason,
                next_at,
                at: now,
            })
        })
        .collect()
}

/// How long a message has waited since it was routed or released.
fn lag_ms(row: &Waiting, now: Time) -> i64 {
    (now - row.at).num_milliseconds().max(0)
}

/// As what an outcome is counted.
const fn counted(outcome: &Outcome) -> DeliveryOutcome {
    match outcome {
        Outcome::Delivered { .. } | Outcome::Partly { .. } => DeliveryOutcome::Delivered,
        Outcome::Retry { .. } | Outcome::Later { .. } => DeliveryOutcome::Retried,
        Outcome::Broken { .. } => DeliveryOutcome::Broken,
        Outcome::Rerender { .. } => DeliveryOutcome::Rerendered,
        Outcome::Dead { .. } => DeliveryOutcome::Dead,
    }
}

/// Sends an event to the fallback of a channel that could not deliver it, unless it was sent there
/// anyway. The fallback is then sent the rest of the thread as well.
fn pass_on(
    reader: &Reader,
    row: &Waiting,
    fallback: &str,
    now: Time,
) -> Result<Vec<OutboxChange>, LedgerError> {
    let Payload::Event(seq) = row.payload else { return Ok(Vec::new()) };
    let Some(recorded) = reader.event(seq)? else { return Ok(Vec::new()) };
    if reader.deliveries(&[seq])?.iter().any(|delivery| delivery.channel == fallback) {
        return Ok(Vec::new());
    }
    let is_open =
        reader.notified(fallback, &row.thread)?.is_some_and(|known| known.ended_at.is_none());
    let message = NewMessage {
        channel: fallback.to_owned(),
        thread: row.thread.clone(),
        payload: Payload::Event(seq),
        key: delivery_id(&recorded.event.id, fallback),
        phase: phase_of(&recorded.event, is_open),
        urgent: false,
        hold: None,
        at: now,
    };
    Ok(vec![
        OutboxChange::Add(Box::new(message)),
        notify(fallback, &row.thread, &recorded.event, now),
    ])
}
