//! One attempt to deliver a message: its steps in order, each judged.

use std::sync::Arc;
use std::time::Duration;

use statuswatch_notify::{Channel, Request, Sending, Step, Verdict};

use crate::clock;
use crate::transport::{SendError, Transport};

/// Longest wait for an answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a program may take to end after its own limit.
const GRACE: Duration = Duration::from_secs(5);

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The channel has judged the answer to the last step that was sent.
    Judged(Verdict),
    /// There was no answer.
    Lost {
        /// Why, without secrets.
        reason: String,
        /// Whether the request may have arrived.
        in_doubt: bool,
    },
}

/// Sends the steps of a message one after the other until one is not accepted.
pub(super) async fn attempt(
    transport: &Transport,
    channel: &Arc<dyn Channel>,
    key: &str,
    steps: &[Step],
) -> Attempt {
    let mut reference = None;
    for step in steps {
        let request = channel.request(step, &Sending { delivery_id: key, now: clock::now() });
        // A program is stopped by its own limit, which the user chose.
        let timeout = match &request {
            Request::Exec(exec) => exec.timeout + GRACE,
            _ => TIMEOUT,
        };
        match transport.send(request, timeout).await {
            Ok(answer) => match channel.judge(step, &answer) {
                Verdict::Delivered { reference: given } => reference = given.or(reference),
                other => return Attempt::Judged(other),
            },
            Err(error) => {
                let in_doubt = matches!(error, SendError::Unknown { .. });
                return Attempt::Lost { reason: error.to_string(), in_doubt };
            }
        }
    }
    Attempt::Judged(Verdict::Delivered { reference })
}
