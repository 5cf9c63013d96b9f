//! One poll of a replay, and the state kept for the next one.

use std::sync::Arc;

use super::play::{Player, ReplayError, Watched};
use crate::event::Time;
use crate::ledger::{Failed, Record, Recorded, Unchanged, Verdict};
use crate::poller::PollError;
use crate::poller::cycle::{self, PollOutcome, Start};

/// In a run of unchanged polls, at most this many are replayed if the current program may find
/// something in them.
const LOOKS: u64 = 100;

impl Player<'_> {
    /// Replays a run of unchanged polls. If the current program still has work to do, such as a
    /// second attempt at missing data, it gets them.
    pub(super) fn quiet(&mut self, id: &str, polls: u64, at: Time) -> Result<(), ReplayError> {
        let Some(watched) = self.watched.get(id) else { return self.reach(at) };
        let (from, looks) = (watched.polled, polls.min(LOOKS));
        for look in 1..=looks {
            let part = (at - from).num_milliseconds() as f64 * look as f64 / looks as f64;
            let then = from + chrono::Duration::milliseconds(part as i64);
            if self.watched.get(id).is_none_or(|watched| self.is_settled(watched, at)) {
                break;
            }
            self.reach(then)?;
            self.poll(id, then)?;
        }
        if let Some(watched) = self.watched.get_mut(id)
            && !self.failing.contains(id)
        {
            (watched.fresh, watched.polled) = (watched.fresh.max(at), at);
        }
        self.reach(at)
    }

    /// Returns whether further polls up to `until` would bring nothing as long as the responses
    /// stay the same.
    fn is_settled(&self, watched: &Watched, until: Time) -> bool {
        let Start { checkpoint, unconditional, .. } = &watched.start;
        let Some(binding) = &checkpoint.binding else { return false };
        !unconditional
            && !self.failing.contains(&watched.provider.id)
            && watched.window_at.is_none_or(|at| at > until)
            && checkpoint.body_hash.is_some()
            && checkpoint.body_hash
                == self.answers.hash(&watched.provider.id, &binding.document_url)
    }

    pub(super) fn poll(&mut self, id: &str, at: Time) -> Result<(), ReplayError> {
        let Some(watched) = self.watched.get_mut(id) else { return Ok(()) };
        let provider = Arc::clone(&watched.provider);
        watched.start.unconditional |= watched.window_at.is_some_and(|window| window <= at);
        let (verify, distrust) = watched.start.judged(&provider, at);
        let in_full = std::mem::take(&mut watched.in_full);
        (watched.start.verify, watched.start.distrust) = (verify || in_full, distrust);
        let outcome = self.runtime.block_on(async {
            let permit = self.shared.admission.acquire(None).await;
            cycle::poll(&self.shared, &provider, &watched.start, permit).await
        });
        self.summary.polls += 1;
        watched.polled = at;
        match outcome {
            PollOutcome::Unchanged { validators, sidecars, full } => {
                let checkpoint = &mut watched.start.checkpoint;
                checkpoint.sidecars = sidecars;
                if full {
                    checkpoint.full_at = Some(at);
                }
                if let Some(validators) = validators.as_ref().filter(|sent| !sent.is_empty()) {
                    checkpoint.validators = validators.clone();
                }
                let next_poll_at = at;
                let id = id.to_owned();
                let message =
                    Unchanged { provider: id, generation: 0, at, next_poll_at, validators, full };
                self.ledger.unchanged(&provider, &message)?;
                if watched.unreachable {
                    self.ledger.reachable(&provider, true, None, at)?;
                }
                watched.succeeded(at);
                self.failing.remove(&provider.id);
            }
            PollOutcome::Read {
                snapshot, mut checkpoint, complete, denied, parse_permit, ..
            } => {
                checkpoint.full_at = Some(at);
                (checkpoint.false_304_at, checkpoint.unconditional_until) =
                    watched.start.trust(denied, at);
                let mut record = Record {
                    provider: Arc::clone(&provider),
                    generation: 0,
                    snapshot,
                    checkpoint: *checkpoint,
                    complete,
                    observed_at: at,
                };
                let (recorded, doubted) = self.ledger.record(&record)?;
                drop(parse_permit);
                let Recorded { verdict, known, recheck, window_at, .. } = recorded;
                if let Verdict::WrongTenant { expected, found } = verdict {
                    let reason = format!(
                        "the response is from another page (id {found}, expected {expected})"
                    );
                    return self.fail(id, &PollError::document("wrong_tenant", reason), at);
                }
                if denied && verdict != Verdict::Changed {
                    let checkpoint = &mut record.checkpoint;
                    (checkpoint.false_304_at, checkpoint.unconditional_until) =
                        watched.start.trust(false, at);
                }
                if verdict == Verdict::Stale {
                    // The provider answered, but the answer is ignored.
                    watched.failures = 0;
                    watched.last_error = doubted;
                    self.failing.insert(provider.id.clone());
                    return Ok(());
                }
                watched.start.checkpoint = record.checkpoint;
                watched.window_at = window_at;
                watched.start.known = known;
                watched.start.unconditional = recheck;
                watched.succeeded(at);
                self.failing.remove(&provider.id);
            }
            PollOutcome::Failed(error) => return self.fail(id, &error, at),
        }
        Ok(())
    }

    fn fail(&mut self, id: &str, error: &PollError, at: Time) -> Result<(), ReplayError> {
        let Some(watched) = self.watched.get_mut(id) else { return Ok(()) };
        self.summary.failed += 1;
        watched.failures = watched.failures.saturating_add(1);
        let forget = watched.start.failed(error);
        watched.last_error = Some(error.reason.clone());
        self.failing.insert(id.to_owned());
        self.ledger.failed(&Failed {
            provider: Arc::clone(&watched.provider),
            generation: 0,
            at,
            kind: error.code.clone(),
            reason: error.reason.clone(),
            next_poll_at: at,
            retry_until: None,
            asked_by: None,
            failures: watched.failures,
            forget_validators: forget,
        })?;
        Ok(())
    }
}

impl Watched {
    fn succeeded(&mut self, at: Time) {
        self.fresh = at;
        self.failures = 0;
        self.unreachable = false;
        self.last_error = None;
        self.start.unread = 0;
    }
}
