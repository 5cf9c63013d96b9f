//! The poller actor: the state kept between two polls of one provider, and its timer.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture,
};
use tokio::time::Instant;

use super::admission::Watch;
use super::context::PollerContext;
use super::cycle::{self, Start};
use super::filters::unmatched_in;
use super::progress::Progress;
use super::report::{Reporter, report};
use super::schedule::{self, Slot};
use super::start;
use crate::config::Provider;
use crate::event::Time;
use crate::lease::Term;
use crate::ledger::{Loaded, Polled};

/// Polls one provider.
pub struct Poller {
    pub(super) shared: Arc<PollerContext>,
    pub(super) provider: Arc<Provider>,
    pub(super) generation: u64,
    pub(super) slot: Slot,
    progress: Arc<Progress>,
    /// Shared with the running poll; changed only between polls.
    pub(super) start: Arc<Start>,
    pub(super) active: bool,
    pub(super) failures: u32,
    /// Earliest time of the next poll, whatever the slot says.
    pub(super) not_before: Option<Time>,
    /// The next poll, as scheduled before a restart.
    planned: Option<Time>,
    /// When a maintenance window begins or ends: the first poll after it is unconditional.
    pub(super) window_at: Option<Time>,
    /// When the next poll is due.
    due: Time,
    /// Whether the next poll was so late that it was postponed to its slot.
    put_off: bool,
    /// Something asked for a poll while one was under way.
    again: bool,
    /// The provider has never been polled, by this process or an earlier one.
    never_polled: bool,
    /// The next good poll is the first one: the one after it spreads the providers again.
    pub(super) never_read: bool,
    /// The end of this poller's first poll has been reported.
    reported: bool,
    /// Where the address leads for good, as last reported.
    pub(super) moved_to: Option<url::Url>,
    timer: Option<SpawnHandle>,
    /// How often the host's rate limit allows polls, if that is less often than configured.
    real_interval: Option<Duration>,
}

/// Caps `at` at `wait` from now, by the wall clock.
fn at_most(at: Option<Time>, wait: Duration) -> Option<Time> {
    let latest = crate::clock::now()
        .checked_add_signed(chrono::Duration::from_std(wait).unwrap_or(chrono::Duration::MAX));
    at.map(|at| latest.map_or(at, |latest| at.min(latest)))
}

/// Faults that the `chaos` command and tests inject into a poller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum Sabotage {
    /// Panics in the message handler.
    Panic,
    /// Stops polling.
    Stall,
}

impl Poller {
    /// Creates a poller of this generation from the state that the ledger has stored.
    #[must_use]
    pub fn new(
        shared: Arc<PollerContext>,
        provider: Arc<Provider>,
        generation: u64,
        slot: Slot,
        progress: Arc<Progress>,
        loaded: Loaded,
    ) -> Self {
        let mut loaded = loaded;
        let now = crate::clock::now();
        start::set_by_our_clock(&mut loaded.checkpoint, loaded.polled_at, now);
        let planned = loaded.checkpoint.next_poll_at;
        let retry_until = loaded.checkpoint.retry_until;
        // Times written by an older version, under another configuration or by a wrong clock are
        // capped too.
        loaded.checkpoint.retry_until = at_most(retry_until, provider.settings.max_wait);
        let checkpoint = &loaded.checkpoint;
        let never_polled = planned.is_none()
            && retry_until.is_none()
            && checkpoint.failures == 0
            && checkpoint.binding.is_none();
        let waits = [loaded.quarantine(now), loaded.checkpoint.retry_until];
        if !loaded.components.is_empty() && shared.filters.is_due(&provider) {
            shared.warn_unmatched(&provider, unmatched_in(&provider.filter, &loaded.components));
        }
        let network = shared.ledger.network();
        let (backoff, planned) = if loaded.checkpoint.failures > 0 {
            network.resume(&provider.id);
            // The failure was our own network's: the host never received a request.
            (planned.filter(|_| !network.is_offline()), None)
        } else {
            (None, planned)
        };
        // A backoff that equals the requested wait is capped with it.
        let backoff = backoff.filter(|_| backoff != retry_until);
        let backoff = at_most(backoff, schedule::longest_wait(&provider.settings));
        Self {
            not_before: waits
                .into_iter()
                .flatten()
                .chain(backoff)
                .max()
                .map(|at| shared.wall_clock_to_anchor(at)),
            planned: planned.map(|at| shared.wall_clock_to_anchor(at)),
            due: Time::MAX_UTC,
            put_off: false,
            again: false,
            never_polled,
            never_read: never_polled,
            reported: false,
            moved_to: None,
            failures: loaded.checkpoint.failures,
            start: Arc::new(Start {
                checkpoint: loaded.checkpoint,
                known: loaded.known,
                unconditional: false,
                verify: false,
                distrust: false,
                unread: 0,
            }),
            active: loaded.active,
            real_interval: loaded.real_interval,
            window_at: loaded.window_at,
            shared,
            provider,
            generation,
            slot,
            progress,
            timer: None,
        }
    }

    pub(super) fn schedule(&mut self, at: Time, context: &mut Context<Self>) {
        let wanted = std::mem::take(&mut self.again);
        let at = if wanted && self.failures == 0 && self.not_before.is_none() {
            at.min(self.shared.time())
        } else {
            at
        };
        let now = Instant::now();
        let instant = self.shared.anchor.instant_at(at).max(now);
        self.progress.expect(&self.shared.anchor, instant);
        self.due = at;
        self.timer = Some(context.run_later(instant - now, Self::poll));
    }

    /// Returns the document that the next poll requests.
    fn address(&self) -> &url::Url {
        self.start
            .checkpoint
            .binding
            .as_ref()
            .map_or(&self.provider.url, |binding| &binding.document_url)
    }

    /// Returns which provider and host the last poll was about.
    pub(super) fn polled(&self) -> Polled<'_> {
        let binding = self.start.checkpoint.binding.as_ref();
        let source = binding.and_then(|binding| crate::source::by_name(&binding.source));
        Polled {
            provider: &self.provider.id,
            url: self.address(),
            source: source.map(crate::source::Source::name),
        }
    }

    fn poll(&mut self, context: &mut Context<Self>) {
        let Some(term) = self.shared.client.lease().term() else {
            // Whoever may poll this provider by then is known by then.
            return self.schedule(self.without_lease(), context);
        };
        let most = self.provider.settings.max_wait;
        if let Some(until) = self.shared.client.blocked_until(self.address(), most) {
            // The host has asked to be left alone, perhaps through another of its providers: no
            // fault of this one.
            if self.shared.once {
                tracing::warn!(
                    provider = self.provider.id,
                    host = self.address().host_str(),
                    "not polled: its host asked for a pause"
                );
            }
            self.finished();
            let after = Duration::from_millis(fastrand::u64(0..1000));
            return self.schedule(self.shared.anchor.time_at(until + after), context);
        }
        self.judge_validators();
        if self.window_at.is_some_and(|at| at <= crate::clock::now()) && !self.start.unconditional {
            Arc::make_mut(&mut self.start).unconditional = true;
        }
        let (shared, provider, start) =
            (Arc::clone(&self.shared), Arc::clone(&self.provider), Arc::clone(&self.start));
        let began = shared.time();
        if !shared.once && self.is_overdue(began) && !std::mem::replace(&mut self.put_off, true) {
            // The process was stopped and continues: all providers are due now. Once only, or a
            // busy machine never polls.
            return self.schedule(
                schedule::first(self.slot, &provider.settings, self.active, began, None, None),
                context,
            );
        }
        self.put_off = false;
        // Where a host has too many providers, a poll may queue that long for the host's rate
        // limit.
        let crowd = self.real_interval.unwrap_or_default() * 2;
        let watch = Watch {
            progress: Arc::clone(&self.progress),
            anchor: shared.anchor,
            // Covers the first document and its details, each with its own deadline, plus the waits
            // for the host's rate limit.
            patience: provider.settings.timeout * 4 + crowd,
        };
        let cycle = async move {
            let permit = shared.admission.acquire(Some(watch)).await;
            cycle::poll(&shared, &provider, &start, permit).await
        };
        context.spawn(cycle.into_actor(self).then(move |outcome, poller, _| {
            // The ledger has its own supervision.
            poller.progress.queue();
            report(poller.reporter(began, term), outcome)
                .into_actor(poller)
                .map(move |done, poller, context| poller.settle(done, began, context))
        }));
    }

    /// Decides whether the next poll uses validators.
    fn judge_validators(&mut self) {
        let (verify, distrust) = self.start.judged(&self.provider, crate::clock::now());
        if (verify, distrust) != (self.start.verify, self.start.distrust) {
            let start = Arc::make_mut(&mut self.start);
            (start.verify, start.distrust) = (verify, distrust);
        }
    }

    /// Returns whether the poll is late by more than an interval.
    fn is_overdue(&self, now: Time) -> bool {
        (now - self.due).to_std().is_ok_and(|late| late > self.provider.settings.interval)
    }

    /// Returns when to look for the lease again. Once it is back, all providers are due: they are
    /// spread as at a take-over.
    pub(super) fn without_lease(&self) -> Time {
        let slot = Slot(fastrand::f64());
        schedule::taken_over(slot, &self.provider.settings, self.shared.time())
    }

    fn reporter(&self, began: Time, term: Term) -> Reporter {
        let now = crate::clock::now();
        Reporter {
            shared: Arc::clone(&self.shared),
            provider: Arc::clone(&self.provider),
            generation: self.generation,
            term,
            next: self.shared.anchor_to_wall_clock(self.next(began, self.shared.time())),
            trusted: self.start.trust(false, now),
            denied: self.start.trust(true, now),
        }
    }

    /// Reports the end of this poller's first poll.
    pub(super) fn finished(&mut self) {
        if let Some(polled) = &self.shared.polled
            && !std::mem::replace(&mut self.reported, true)
        {
            // The receiver is closed where nothing waits for first polls.
            drop(polled.send(self.provider.id.clone()));
        }
    }
}

/// Asks the poller to poll as soon as politeness allows it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct PollNow;

impl Handler<PollNow> for Poller {
    type Result = ();

    fn handle(&mut self, _: PollNow, context: &mut Self::Context) {
        let now = self.shared.time();
        // One that its host or a backoff has put off stays put off.
        if self.not_before.is_some_and(|at| at > now) || self.failures > 0 {
            return;
        }
        if self.due <= now {
            // A poll is under way, and may have asked before there was something new.
            self.again = true;
        } else if let Some(timer) = self.timer.take() {
            context.cancel_future(timer);
            self.schedule(now, context);
        }
    }
}

impl Actor for Poller {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let now = self.shared.time();
        let waits = self.not_before.filter(|&at| at > now);
        let asked =
            self.start.checkpoint.retry_until.map(|at| self.shared.wall_clock_to_anchor(at));
        if let Some(until) = asked.filter(|&at| at > now) {
            // Requested before a restart: still honored, for the whole host.
            self.shared.client.block(self.address(), self.shared.anchor.instant_at(until));
        }
        let first = if self.shared.once {
            if let Some(until) = waits {
                tracing::warn!(
                    provider = self.provider.id,
                    until = crate::event::format_time(until),
                    "not polled: the host asked for a pause"
                );
                self.finished();
            }
            waits.unwrap_or(now)
        } else if self.never_polled {
            // A new provider does not wait for its slot.
            waits.unwrap_or_else(|| schedule::never_polled(self.slot, &self.provider.settings, now))
        } else if self.shared.client.lease().is_shared()
            && waits.is_none()
            && self.planned.is_none_or(|at| at <= now)
        {
            // Whoever polled it before did not get to it.
            schedule::taken_over(self.slot, &self.provider.settings, now)
        } else {
            schedule::first(
                self.slot,
                &self.provider.settings,
                self.active,
                now,
                self.not_before,
                self.planned,
            )
        };
        self.schedule(first, context);
    }
}

impl Handler<Sabotage> for Poller {
    type Result = ();

    #[expect(clippy::panic, reason = "what the chaos command asks for")]
    fn handle(&mut self, message: Sabotage, context: &mut Self::Context) {
        match message {
            Sabotage::Panic => panic!("asked to"),
            Sabotage::Stall => {
                if let Some(timer) = self.timer.take() {
                    context.cancel_future(timer);
                }
            }
        }
    }
}
