//! After a long outage of a channel: only the newest state of a thread is worth a message.

use std::time::Duration;

use crate::channel::Audience;

/// Messages of a thread that wait for an answer are all sent unless the oldest has waited longer.
pub const COALESCE_AFTER: Duration = Duration::from_mins(15);

/// A message that waits to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The sequence number of its event.
    pub seq: u64,
    /// Whether it ends the thread: see [`super::is_end`].
    pub is_end: bool,
}

/// Which messages are sent and which are not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coalesced {
    /// Sequence numbers to send, in order, each with the number of updates before it that are not:
    /// [`Notification::skipped`].
    ///
    /// [`Notification::skipped`]: crate::Notification::skipped
    pub keep: Vec<(u64, u32)>,
    /// Sequence numbers not to send, each with the later one that is sent in its place.
    pub drop: Vec<(u64, u64)>,
}

/// Decides which of the messages of one thread are still sent, after the oldest has waited for
/// `oldest`; `waiting` in the order of the ledger, without any under way. `notified` is whether the
/// channel was sent something of the thread before.
///
/// A chat is sent the newest; a pager what opens the thread, what ends it, and the newest; a machine
/// is sent everything. The newest is always sent, so an end is dropped only for a later state.
#[must_use]
pub fn coalesce(
    audience: Audience,
    waiting: &[Waiting],
    oldest: Duration,
    notified: bool,
) -> Coalesced {
    let all = audience == Audience::Machine || oldest <= COALESCE_AFTER;
    let mut result = Coalesced::default();
    let mut skipped: Vec<u64> = Vec::new();
    let mut is_open = notified;
    for (at, message) in waiting.iter().enumerate() {
        let is_newest = at + 1 == waiting.len();
        let opens = !is_open && !message.is_end;
        is_open = !message.is_end;
        let matters = audience == Audience::Pager && (opens || message.is_end);
        if all || is_newest || matters {
            result.keep.push((message.seq, skipped.len() as u32));
            result.drop.extend(skipped.drain(..).map(|seq| (seq, message.seq)));
        } else {
            skipped.push(message.seq);
        }
    }
    result
}
