//! The poller actor: the state kept between two polls of one provider, and its timer.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture,
};
use tokio::time::Instant;

use super::context::PollerContext;
use super::cycle::{self, PollOutcome, Start};
use super::error::PollError;
use super::filters::{Unmatched, unmatched, unmatched_in};
use super::progress::Progress;
use super::schedule::{self, Slot};
use crate::config::Provider;
use crate::event::Time;
use crate::ledger::{
    Checkpoint, Failed, LedgerError, Loaded, Polled, Record, Recorded, Unchanged, Verdict,
};
use crate::metrics::Outcome;

/// How long a poll may wait for its permit when many providers change at once.
const PATIENCE: Duration = Duration::from_mins(5);

/// Polls one provider.
pub struct Poller {
    shared: Arc<PollerContext>,
    provider: Arc<Provider>,
    generation: u64,
    slot: Slot,
    progress: Arc<Progress>,
    /// Shared with the running poll; changed only between polls.
    start: Arc<Start>,
    active: bool,
    failures: u32,
    /// Earliest time of the next poll, whatever the slot says.
    not_before: Option<Time>,
    /// The next poll, as scheduled before a restart.
    planned: Option<Time>,
    /// When a maintenance window begins or ends: the first poll after it is unconditional.
    window_at: Option<Time>,
    /// When the next poll is due.
    due: Time,
    /// Whether the next poll was so late that it was postponed to its slot.
    put_off: bool,
    /// Something asked for a poll while one was under way.
    again: bool,
    /// The provider has never been polled, by this process or an earlier one.
    never_polled: bool,
    /// The next good poll is the first one: the one after it spreads the providers again.
    never_read: bool,
    /// The end of this poller's first poll has been reported.
    reported: bool,
    /// Where the address leads for good, as it was told.
    moved_to: Option<url::Url>,
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
        let waits = [loaded.quarantined_until, loaded.checkpoint.retry_until];
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

    fn schedule(&mut self, at: Time, context: &mut Context<Self>) {
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
    fn polled(&self) -> Polled<'_> {
        let binding = self.start.checkpoint.binding.as_ref();
        let source = binding.and_then(|binding| crate::source::by_name(&binding.source));
        Polled {
            provider: &self.provider.id,
            url: self.address(),
            source: source.map(crate::source::Source::name),
        }
    }

    fn poll(&mut self, context: &mut Context<Self>) {
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
            // The process was stopped and goes on: everybody is due at this moment. Once only, or a
            // busy machine never polls.
            return self.schedule(
                schedule::first(self.slot, &provider.settings, self.active, began, None, None),
                context,
            );
        }
        self.put_off = false;
        self.progress.expect(&shared.anchor, Instant::now() + PATIENCE);
        let progress = Arc::clone(&self.progress);
        // Where a host has too many providers, a poll may queue that long for the host's rate
        // limit.
        let crowd = self.real_interval.unwrap_or_default() * 2;
        let cycle = async move {
            let permit = shared.admission.acquire().await;
            // Covers the first document and its details, each with its own deadline, plus the waits
            // for the host's rate limit.
            let patience = provider.settings.timeout * 4 + crowd;
            progress.expect(&shared.anchor, Instant::now() + patience);
            cycle::poll(&shared, &provider, &start, permit).await
        };
        context.spawn(cycle.into_actor(self).then(move |outcome, poller, _| {
            let report = poller.report(outcome, began);
            report
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

    /// Reports the outcome of a poll to the ledger, and awaits the answer where the result must not
    /// be lost.
    fn report(&self, outcome: PollOutcome, began: Time) -> impl Future<Output = Done> + use<> {
        let (shared, provider, generation) =
            (Arc::clone(&self.shared), Arc::clone(&self.provider), self.generation);
        // The best estimate before the ledger has answered.
        let next = shared.anchor_to_wall_clock(self.next(began, shared.time()));
        let trusted = self.start.trust(false, crate::clock::now());
        let found_out = self.start.trust(true, crate::clock::now());
        async move {
            match outcome {
                PollOutcome::Unchanged { validators, sidecars, full } => {
                    Done::Unchanged { validators, sidecars, full }
                }
                PollOutcome::Failed(error) => Done::Failed(error),
                PollOutcome::Read {
                    snapshot,
                    mut checkpoint,
                    complete,
                    moved_to,
                    denied,
                    parse_permit,
                } => {
                    if snapshot.page.id.is_some() && snapshot.page.id == shared.own_page {
                        // It would report its own reports, each time with another id.
                        let reason = "the page is this statuswatch's own: it must not watch itself";
                        return Done::Failed(PollError::document("own_page", reason));
                    }
                    checkpoint.next_poll_at = Some(next);
                    checkpoint.full_at = Some(crate::clock::now());
                    (checkpoint.false_304_at, checkpoint.unconditional_until) =
                        if denied { found_out } else { trusted };
                    for rejected in snapshot.rejected.iter().take(5) {
                        tracing::info!(
                            provider = provider.id,
                            rejected,
                            "skipped an unusable item"
                        );
                    }
                    if let Some(warning) = snapshot.unread_times.warning() {
                        tracing::info!(provider = provider.id, "{warning}");
                    }
                    let unmatched = unmatched(&provider.filter, &snapshot);
                    let observed_at = crate::clock::now();
                    let record = Record {
                        provider,
                        generation,
                        snapshot,
                        checkpoint: (*checkpoint).clone(),
                        complete,
                        observed_at,
                    };
                    let answer = shared.ledger.ask(record).await;
                    drop(parse_permit);
                    match answer {
                        Ok(recorded) => {
                            Done::Recorded { recorded, checkpoint, moved_to, unmatched, denied }
                        }
                        Err(error) => Done::Unrecorded(error),
                    }
                }
            }
        }
    }

    /// Applies what the poll learned and schedules the next one.
    fn settle(&mut self, done: Done, began: Time, context: &mut Context<Self>) {
        let now = self.shared.time();
        let took = (now - began).to_std().unwrap_or_default();
        self.shared.metrics.polled(done.outcome(), took);
        match done {
            Done::Unchanged { validators, sidecars, full } => {
                if full {
                    Arc::make_mut(&mut self.start).checkpoint.full_at = Some(crate::clock::now());
                }
                if self.start.checkpoint.sidecars != sidecars {
                    Arc::make_mut(&mut self.start).checkpoint.sidecars = sidecars;
                }
                if let Some(validators) =
                    validators.as_ref().filter(|validators| !validators.is_empty())
                {
                    Arc::make_mut(&mut self.start).checkpoint.validators = validators.clone();
                }
                self.succeeded();
                let next_poll_at = self.next(began, now);
                self.never_read = false;
                let hint = Unchanged {
                    provider: self.provider.id.clone(),
                    generation: self.generation,
                    at: crate::clock::now(),
                    next_poll_at: self.shared.anchor_to_wall_clock(next_poll_at),
                    validators,
                    full,
                };
                self.shared.ledger.hint(hint);
                self.schedule(next_poll_at, context);
            }
            Done::Recorded {
                recorded: Recorded { verdict: Verdict::WrongTenant { expected, found }, .. },
                ..
            } => {
                let reason =
                    format!("the response is from another page (id {found}, expected {expected})");
                self.fail(PollError::document("wrong_tenant", reason), now, context);
            }
            Done::Recorded { recorded: Recorded { verdict: Verdict::Stale, .. }, .. } => {
                // The host answered, so the next poll is due as usual. A stale answer proves
                // neither what the page contains nor that it is readable again.
                self.failures = 0;
                self.not_before = None;
                self.finished();
                let next = self.next(began, now);
                self.schedule(next, context);
            }
            Done::Recorded { recorded, mut checkpoint, moved_to, unmatched, denied } => {
                if denied {
                    self.settle_denial(&recorded.verdict, &mut checkpoint);
                }
                self.shared.warn_unmatched(&self.provider, unmatched);
                if moved_to.is_some() && moved_to != self.moved_to {
                    let to = moved_to.as_ref().map(crate::redact::redact);
                    tracing::warn!(
                        provider = self.provider.id,
                        to,
                        "the address redirects permanently: update it in providers.yaml"
                    );
                    self.moved_to = moved_to;
                }
                let start = Arc::make_mut(&mut self.start);
                start.checkpoint = *checkpoint;
                start.known = recorded.known;
                start.unconditional = recorded.recheck;
                self.window_at = recorded.window_at;
                self.active = recorded.active;
                self.succeeded();
                let next = self.next(began, now);
                self.never_read = false;
                self.schedule(next, context);
            }
            Done::Unrecorded(LedgerError::Superseded) => {
                // A newer poller has taken over; this one is about to be dropped.
                tracing::debug!(provider = self.provider.id, "superseded");
            }
            Done::Unrecorded(error) => {
                // Not the provider's fault: keep the checkpoint and fetch again soon. The request
                // is unconditional because what was seen but not recorded may be over by then,
                // leaving the page as it was before.
                Arc::make_mut(&mut self.start).unconditional = true;
                self.shared.ledger.network().answered(self.polled());
                tracing::debug!(provider = self.provider.id, %error, "not recorded");
                let wait = self.provider.settings.interval.min(Duration::from_secs(2));
                self.schedule(now + chrono::Duration::from_std(wait).unwrap_or_default(), context);
            }
            Done::Failed(error) => self.fail(error, now, context),
        }
    }

    /// Reports a change that the server denies with a 304, provided that it changed something: if
    /// only the bytes differ, the 304 was not wrong.
    fn settle_denial(&self, verdict: &Verdict, checkpoint: &mut Checkpoint) {
        if *verdict == Verdict::Changed {
            tracing::warn!(
                provider = self.provider.id,
                until = checkpoint.unconditional_until.map(crate::event::format_time),
                "the server answered 304 (Not Modified) although the page had changed; using unconditional requests"
            );
        } else {
            (checkpoint.false_304_at, checkpoint.unconditional_until) =
                self.start.trust(false, crate::clock::now());
        }
    }

    fn next(&self, began: Time, now: Time) -> Time {
        if self.never_read {
            let active = self.active || self.start.unconditional;
            return schedule::after_first(self.slot, &self.provider.settings, active, began, now);
        }
        let next = schedule::after_success(
            self.slot,
            &self.provider.settings,
            self.active,
            began,
            now,
            fastrand::f64(),
        );
        if self.start.unconditional {
            // Data is missing, so the second attempt should not wait a whole interval.
            next.min(
                now + chrono::Duration::from_std(self.provider.settings.incident_interval)
                    .unwrap_or_default(),
            )
        } else {
            next
        }
    }

    fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = None;
        if self.start.unread > 0 {
            Arc::make_mut(&mut self.start).unread = 0;
        }
        self.shared.ledger.network().read(self.polled());
        self.finished();
    }

    fn fail(&mut self, error: PollError, now: Time, context: &mut Context<Self>) {
        self.failures = self.failures.saturating_add(1);
        self.shared.metrics.failed(&error.code);
        let forget = Arc::make_mut(&mut self.start).failed(&error);
        tracing::debug!(
            provider = self.provider.id,
            reason = error.reason,
            failures = self.failures,
            "a poll failed"
        );
        let network = self.shared.ledger.network();
        network.failed(self.polled(), error.cause(), &error.reason);
        let mut next = schedule::after_failure(
            &self.provider.settings,
            error.kind,
            self.failures,
            error.retry_after,
            now,
            &mut fastrand::Rng::new(),
        );
        if error.cause().is_some() && network.is_offline() {
            // Waiting spares no server: our requests reach no host.
            next = next.min(schedule::while_offline(&self.provider.settings, now));
        }
        let next_poll_at = self.shared.anchor_to_wall_clock(next);
        let message = Failed {
            provider: Arc::clone(&self.provider),
            generation: self.generation,
            at: crate::clock::now(),
            kind: error.code,
            reason: error.reason,
            next_poll_at,
            retry_until: error.retry_after.map(|wait| {
                self.shared.anchor_to_wall_clock(
                    now + chrono::Duration::from_std(wait).unwrap_or_default(),
                )
            }),
            asked_by: error.asked_by,
            failures: self.failures,
            forget_validators: forget,
        };
        let ledger = self.shared.ledger.clone();
        context.spawn(
            async move {
                if let Err(error) = ledger.ask(message).await {
                    tracing::debug!(%error, "cannot record a failed poll");
                }
            }
            .into_actor(self)
            // With `--once`, this report may end the program, so it must come after the write.
            .map(|(), poller, _| poller.finished()),
        );
        self.schedule(next, context);
    }

    /// Reports the end of this poller's first poll.
    fn finished(&mut self) {
        if let Some(polled) = &self.shared.polled
            && !std::mem::replace(&mut self.reported, true)
        {
            // The receiver is closed where nothing waits for first polls.
            drop(polled.send(self.provider.id.clone()));
        }
    }
}

/// The outcome of a poll, once the ledger has answered.
enum Done {
    Unchanged {
        validators: Option<crate::fetch::Validators>,
        sidecars: Vec<crate::ledger::Sidecar>,
        full: bool,
    },
    Recorded {
        recorded: Recorded,
        checkpoint: Box<Checkpoint>,
        moved_to: Option<url::Url>,
        unmatched: Vec<Unmatched>,
        denied: bool,
    },
    Unrecorded(LedgerError),
    Failed(PollError),
}

impl Done {
    const fn outcome(&self) -> Outcome {
        match self {
            Self::Unchanged { .. } => Outcome::Unchanged,
            Self::Recorded { recorded: Recorded { verdict: Verdict::Stale, .. }, .. } => {
                Outcome::Stale
            }
            Self::Recorded {
                recorded: Recorded { verdict: Verdict::WrongTenant { .. }, .. },
                ..
            }
            | Self::Failed(_) => Outcome::Failed,
            Self::Recorded { .. } => Outcome::Read,
            Self::Unrecorded(_) => Outcome::Unrecorded,
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
