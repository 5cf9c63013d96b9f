//! What an attempt means for the message, for its channel and for others. Pure.

use std::time::Duration;

use statuswatch_notify::{Policy, Verdict};

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
        // An answer of 5xx does not say that nothing was done.
        Attempt::Judged(Verdict::Retry { after, reason }) => (after, reason, true, false),
        Attempt::Judged(Verdict::Broken { reason }) => (None, reason, false, true),
        Attempt::Lost { reason, in_doubt } => (None, reason, in_doubt, false),
    };
    let tried = until(now, row.first_attempt_at.unwrap_or(row.at));
    if tried >= policy.retry_for {
        let reason =
            format!("not accepted for {}: {error}", statuswatch_notify::text::duration(tried));
        return Outcome::Dead { reason, refused: false };
    }
    if broken { Outcome::Broken { error } } else { Outcome::Retry { after, error, in_doubt } }
}
