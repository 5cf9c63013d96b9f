//! What the end of a poll means for the start of the next one. Pure: a poller and a replay do the
//! same.

use super::cycle::Start;
use super::error::PollError;
use super::verify;
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::{FailureKind, Validators};

impl Start {
    /// Whether a poll at this time is in full, to see whether the validators mean something, and
    /// whether it is because they mean nothing.
    #[must_use]
    pub fn judged(&self, provider: &Provider, now: Time) -> (bool, bool) {
        let interval = provider.settings.interval;
        (
            verify::is_due(&provider.id, &self.checkpoint, interval, now),
            verify::is_distrusted(&self.checkpoint, now),
        )
    }

    /// What is known of false "not modified" after a poll at this time: when the last one was, and
    /// until when the page is asked for in full. `denied`: the poll has found one out.
    #[must_use]
    pub fn trust(&self, denied: bool, now: Time) -> (Option<Time>, Option<Time>) {
        let former = &self.checkpoint;
        if denied {
            (Some(now), Some(verify::distrust_until(former, now)))
        } else {
            (former.false_304_at, former.unconditional_until)
        }
    }

    /// A poll has failed. Answers whether the next request must not be conditional: what was
    /// answered could not be read, and a 304 to it must not pass for a good answer.
    pub fn failed(&mut self, trouble: &PollError) -> bool {
        let forget = trouble.kind.is_none();
        if forget || matches!(trouble.kind, Some(FailureKind::NotFound | FailureKind::Gone)) {
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

    #[test]
    fn only_an_answer_that_could_not_be_read_is_forgotten() {
        let good = Start {
            checkpoint: crate::ledger::Checkpoint { body_hash: Some(7), ..Default::default() },
            ..Start::default()
        };
        for (trouble, forget, unread) in [
            (PollError::word("malformed", "cut"), true, 1),
            (Failure::new(FailureKind::NotFound, "404").into(), false, 1),
            (Failure::new(FailureKind::Timeout, "no answer").into(), false, 0),
        ] {
            let mut start = good.clone();
            assert_eq!(start.failed(&trouble), forget, "{trouble:?}");
            assert_eq!(start.unread, unread, "{trouble:?}");
            assert_eq!(start.checkpoint.body_hash.is_none(), unread == 1, "{trouble:?}");
        }
    }
}
