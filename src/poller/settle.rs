//! What a poller learns from a poll, and when it polls next.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::actor::Poller;
use super::error::PollError;
use super::report::Reported;
use super::schedule;
use crate::event::Time;
use crate::ledger::{Checkpoint, Failed, LedgerError, Recorded, Unchanged, Verdict};

impl Poller {
    /// Applies what the poll learned and schedules the next one.
    pub(super) fn settle(&mut self, done: Reported, began: Time, context: &mut Context<Self>) {
        let now = self.shared.time();
        let took = (now - began).to_std().unwrap_or_default();
        self.shared.metrics.polled(done.outcome(), took);
        match done {
            Reported::Unchanged { validators, sidecars, full } => {
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
            Reported::Recorded {
                recorded: Recorded { verdict: Verdict::WrongTenant { expected, found }, .. },
                ..
            } => {
                let reason =
                    format!("the response is from another page (id {found}, expected {expected})");
                self.fail(PollError::document("wrong_tenant", reason), now, context);
            }
            Reported::Recorded { recorded: Recorded { verdict: Verdict::Stale, .. }, .. } => {
                // The host answered, so the next poll is due as usual. A stale answer proves
                // neither what the page contains nor that it is readable again.
                self.failures = 0;
                self.not_before = None;
                self.finished();
                let next = self.next(began, now);
                self.schedule(next, context);
            }
            Reported::Recorded { recorded, mut checkpoint, moved_to, unmatched, denied } => {
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
            Reported::Unrecorded(LedgerError::Superseded) => {
                // A newer poller has taken over; this one is about to be dropped.
                tracing::debug!(provider = self.provider.id, "superseded");
            }
            Reported::Unrecorded(error) => {
                // Not the provider's fault: keep the checkpoint and fetch again soon. The request
                // is unconditional because what was seen but not recorded may be over by then,
                // leaving the page as it was before.
                Arc::make_mut(&mut self.start).unconditional = true;
                self.shared.ledger.network().answered(self.polled());
                tracing::debug!(provider = self.provider.id, %error, "not recorded");
                let wait = self.provider.settings.interval.min(Duration::from_secs(2));
                self.schedule(now + chrono::Duration::from_std(wait).unwrap_or_default(), context);
            }
            Reported::Void => {
                Arc::make_mut(&mut self.start).unconditional = true;
                self.schedule(self.without_lease(), context);
            }
            Reported::Failed(error) => self.fail(error, now, context),
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

    pub(super) fn next(&self, began: Time, now: Time) -> Time {
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
}
