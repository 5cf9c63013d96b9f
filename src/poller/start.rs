//! Derives the start of the next poll from the end of the last one. Pure: pollers and replays share
//! it.

use super::cycle::Start;
use super::error::PollError;
use super::verify;
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::{FailureKind, Validators};
use crate::ledger::Checkpoint;

/// Moves the times at which the next poll is due back, if the last one is in the future: the clock of
/// whoever polled was ahead of ours, or ours was set back. How long to wait stays the same.
pub(super) fn set_by_our_clock(checkpoint: &mut Checkpoint, polled_at: Option<Time>, now: Time) {
    let Some(polled_at) = polled_at.filter(|at| *at > now) else { return };
    let ours = |at: Time| at.checked_sub_signed(polled_at - now).unwrap_or(now);
    checkpoint.next_poll_at = checkpoint.next_poll_at.map(ours);
    checkpoint.retry_until = checkpoint.retry_until.map(ours);
}

impl Start {
    /// Returns whether a poll at this time is unconditional in order to verify the validators, and
    /// whether it is because they are known to be unreliable.
    #[must_use]
    pub fn judged(&self, provider: &Provider, now: Time) -> (bool, bool) {
        let interval = provider.settings.interval;
        (
            verify::is_due(&provider.id, &self.checkpoint, interval, now),
            verify::is_distrusted(&self.checkpoint, now),
        )
    }

    /// Returns when the last false 304 was seen and until when requests are unconditional, after a
    /// poll at this time. `denied`: this poll has seen a false 304.
    #[must_use]
    pub fn trust(&self, denied: bool, now: Time) -> (Option<Time>, Option<Time>) {
        let former = &self.checkpoint;
        if denied {
            (Some(now), Some(verify::distrust_until(former, now)))
        } else {
            (former.false_304_at, former.unconditional_until)
        }
    }

    /// Applies a failed poll. Returns whether the next request must be unconditional: the document
    /// could not be read, and a 304 to it must not pass for a good answer.
    pub fn failed(&mut self, error: &PollError) -> bool {
        let forget = error.kind.is_none();
        if forget || matches!(error.kind, Some(FailureKind::NotFound | FailureKind::Gone)) {
            self.unread = self.unread.saturating_add(1);
            self.checkpoint.validators = Validators::default();
            self.checkpoint.body_hash = None;
        }
        forget
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Failure;
    use crate::ledger::Loaded;

    #[test]
    fn a_clock_that_was_ahead_makes_nobody_wait_longer() {
        let at = |seconds| Time::UNIX_EPOCH + chrono::Duration::seconds(seconds);
        let stored = Checkpoint {
            next_poll_at: Some(at(1_005)),
            retry_until: Some(at(1_060)),
            ..Checkpoint::default()
        };
        for (polled, next, retry) in [
            (Some(1_000), 405, 460),
            // The same clock, and one that was behind: the times are as good as they can be.
            (Some(399), 1_005, 1_060),
            (None, 1_005, 1_060),
        ] {
            let mut checkpoint = stored.clone();
            set_by_our_clock(&mut checkpoint, polled.map(at), at(400));
            assert_eq!(checkpoint.next_poll_at, Some(at(next)), "{polled:?}");
            assert_eq!(checkpoint.retry_until, Some(at(retry)), "{polled:?}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_sets_no_document_aside_for_longer() {
        let at = |seconds| Time::UNIX_EPOCH + chrono::Duration::seconds(seconds);
        for (deaths, until, waits) in [
            // What two deaths mean to one of several nodes, and four to a node alone.
            (2, 415, 415),
            (4, 415, 415),
            // The same by a clock that is 10 minutes ahead: as long as these deaths can mean.
            (2, 1_015, 415),
            (4, 1_015, 460),
            (40, 400_000, 400 + 61_440),
        ] {
            let quarantined_until = Some(at(until));
            let loaded = Loaded { deaths, quarantined_until, ..Loaded::default() };
            assert_eq!(loaded.quarantine(at(400)), Some(at(waits)), "{deaths} until {until}");
        }
        assert_eq!(Loaded::default().quarantine(at(400)), None);
    }

    #[test]
    fn only_an_answer_that_could_not_be_read_is_forgotten() {
        let good = Start {
            checkpoint: crate::ledger::Checkpoint { body_hash: Some(7), ..Default::default() },
            ..Start::default()
        };
        for (error, forget, unread) in [
            (PollError::document("malformed", "cut"), true, 1),
            (Failure::new(FailureKind::NotFound, "404").into(), false, 1),
            (Failure::new(FailureKind::Timeout, "no answer").into(), false, 0),
        ] {
            let mut start = good.clone();
            assert_eq!(start.failed(&error), forget, "{error:?}");
            assert_eq!(start.unread, unread, "{error:?}");
            assert_eq!(start.checkpoint.body_hash.is_none(), unread == 1, "{error:?}");
        }
    }
}
