//! What an attempt means for the message, for its channel and for others. Pure.

use std::time::Duration;

use statuswatch_notify::{Policy, Rest, Verdict};

use super::attempt::Attempt;
use super::lane::until;
use crate::event::Time;
use crate::ledger::outbox::Waiting;

/// What is to be done after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The message was accepted.
    Delivered {
        /// What the service called it.
        reference: Option<String>,
    },
    /// The message was accepted for some of its recipients.
    Partly {
        /// For those that may accept it later.
        again: Option<Rest>,
        /// For those that never will.
        never: Option<Rest>,
    },
    /// The message alone is tried again; the channel works.
    Later {
        /// Why.
        error: String,
    },
    /// The channel does not answer, or not now: the message is tried again.
    Retry {
        /// Not before this time has passed.
        after: Option<Duration>,
        /// Why.
        error: String,
        /// Whether it may have arrived.
        in_doubt: bool,
    },
    /// The channel refuses everything: the message waits.
    Broken {
        /// Why.
        error: String,
    },
    /// The message is rendered again and tried at once.
    Rerender {
        /// In the plain form.
        plain: bool,
        /// Without the reference to an earlier message, which is gone.
        forget_reference: bool,
        /// Why.
        error: String,
    },
    /// The message is given up.
    Dead {
        /// Why.
        reason: String,
        /// Whether it is the message that is at fault, and not the channel.
        refused: bool,
    },
}

/// Attempts after which a message that is to be rendered again is given up instead: a service that
/// answers "gone" to everything must not be asked for ever.
const RERENDERED: u32 = 4;

/// Decides what becomes of a message after an attempt.
pub(super) fn outcome(row: &Waiting, policy: &Policy, attempt: Attempt, now: Time) -> Outcome {
    let mut alone = false;
    let (after, error, in_doubt, broken) = match attempt {
        Attempt::Judged(Verdict::Delivered { reference }) => {
            return Outcome::Delivered { reference };
        }
        Attempt::Judged(Verdict::Refused { reason }) if !row.plain => {
            return Outcome::Rerender { plain: true, forget_reference: false, error: reason };
        }
        Attempt::Judged(Verdict::Refused { reason }) => {
            return Outcome::Dead { reason, refused: true };
        }
        Attempt::Judged(Verdict::Gone) if row.attempts < RERENDERED => {
            return Outcome::Rerender {
                plain: row.plain,
                forget_reference: true,
                error: "the earlier message is gone".to_owned(),
            };
        }
        Attempt::Judged(Verdict::Gone) => {
            let reason = "the service says again and again that an earlier message is gone";
            return Outcome::Dead { reason: reason.to_owned(), refused: true };
        }
        Attempt::Judged(Verdict::Partly { again, never }) => {
            return Outcome::Partly { again, never };
        }
        Attempt::Judged(Verdict::Later { reason }) => {
            alone = true;
            (None, reason, true, false)
        }
        // An answer of 5xx does not say that nothing was done.
        Attempt::Judged(Verdict::Retry { after, reason }) => (after, reason, true, false),
        Attempt::Judged(Verdict::Broken { reason }) => (None, reason, false, true),
        Attempt::Lost { reason, in_doubt } => (None, reason, in_doubt, false),
    };
    let tried = until(now, row.first_attempt_at.unwrap_or(row.at));
    if tried >= policy.retry_for {
        let reason =
            format!("not accepted for {}: {error}", statuswatch_notify::text::duration(tried));
        return Outcome::Dead { reason, refused: alone };
    }
    if alone {
        return Outcome::Later { error };
    }
    if broken { Outcome::Broken { error } } else { Outcome::Retry { after, error, in_doubt } }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use statuswatch_notify::{Audience, Phase};

    use super::*;
    use crate::event::parse_time;
    use crate::ledger::outbox::Payload;

    fn row() -> Waiting {
        let at = parse_time("2026-11-27T10:00:00Z").unwrap();
        Waiting {
            id: 1,
            channel: "ops".into(),
            thread: "t".into(),
            payload: Payload::Event(1),
            key: "k".into(),
            phase: Phase::Open,
            urgent: false,
            hold: None,
            at,
            attempts: 0,
            first_attempt_at: Some(at),
            next_at: None,
            in_doubt: false,
            plain: false,
            steps: None,
            skipped: 0,
        }
    }

    fn decided(row: &Waiting, audience: Audience, attempt: Attempt, minutes: i64) -> Outcome {
        outcome(row, &Policy::new(audience), attempt, row.at + TimeDelta::minutes(minutes))
    }

    fn refused() -> Attempt {
        Attempt::Judged(Verdict::Refused { reason: "HTTP 400".into() })
    }

    #[test]
    fn a_refused_message_is_tried_in_its_plain_form_and_then_dead() {
        let rich = decided(&row(), Audience::Chat, refused(), 0);
        assert!(matches!(rich, Outcome::Rerender { plain: true, forget_reference: false, .. }));
        let plain = Waiting { plain: true, ..row() };
        let dead = decided(&plain, Audience::Chat, refused(), 0);
        assert_eq!(dead, Outcome::Dead { reason: "HTTP 400".into(), refused: true });
    }

    #[test]
    fn what_gets_no_answer_is_given_up_after_the_time_of_its_audience() {
        let lost = || Attempt::Lost { reason: "reset".into(), in_doubt: true };
        let retry = Outcome::Retry { after: None, error: "reset".into(), in_doubt: true };
        assert_eq!(decided(&row(), Audience::Pager, lost(), 59), retry);
        let dead = decided(&row(), Audience::Pager, lost(), 60);
        assert_eq!(
            dead,
            Outcome::Dead { reason: "not accepted for 1 h: reset".into(), refused: false }
        );
        assert_eq!(decided(&row(), Audience::Chat, lost(), 60), retry);
    }

    #[test]
    fn a_message_that_waits_for_its_recipients_alone_is_given_up_in_the_end() {
        let later = || Attempt::Judged(Verdict::Later { reason: "full".into() });
        let again = decided(&row(), Audience::Chat, later(), 71 * 60);
        assert_eq!(again, Outcome::Later { error: "full".into() });
        let dead = decided(&row(), Audience::Chat, later(), 72 * 60);
        let reason = "not accepted for 3 d: full".to_owned();
        assert_eq!(dead, Outcome::Dead { reason, refused: true });
    }

    #[test]
    fn a_service_that_forgets_everything_is_not_asked_for_ever() {
        let gone = || Attempt::Judged(Verdict::Gone);
        let first = decided(&row(), Audience::Chat, gone(), 0);
        assert!(matches!(first, Outcome::Rerender { plain: false, forget_reference: true, .. }));
        let often = Waiting { attempts: RERENDERED, ..row() };
        let last = decided(&often, Audience::Chat, gone(), 0);
        assert!(matches!(last, Outcome::Dead { refused: true, .. }));
    }
}
