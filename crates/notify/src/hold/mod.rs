//! Holding messages back without losing any.
//!
//! [`place`] decides whether an event is sent now or held. Whoever calls it stores held events with
//! the reason and the time, asks [`place_again`] when they are due, and [`release`] what to send in
//! their place: the present state, not a replay of the past. Nothing here remembers anything.
//!
//! # What holds a message, and what passes
//!
//! The first rule that holds a message determines its reason. Machines are sent everything at once.
//!
//! | | reason | channels | holds | until | passes |
//! |---|---|---|---|---|---|
//! | 1 | [mute](HoldReason::Mute) | chats, pagers | everything it covers | its end | the end of a thread the channel was notified of |
//! | 2 | [quiet hours](HoldReason::QuietHours) | chats; pagers they name | everything | they end | `pass` |
//! | 3 | [storm](HoldReason::Storm) | chats | threads the channel was not notified of; with a backlog, also those it knows from a summary | 2 min after it began | |
//! | 4 | [unstable](HoldReason::Unstable) | chats | from the third change of a state in an hour | 15 min without a change | what is urgent, if its impact is worse than all that was sent |
//! | 5 | [settle](HoldReason::Settle) | chats, pagers | changes of the state of a component, a provider that is reachable again | `settle` after the latest | |
//! | 6 | [digest](HoldReason::Digest) | chats | everything | the window ends | |
//! | 7 | [cap](HoldReason::Cap) | chats | everything beyond it | the hour ends | the end of a thread the channel was notified of |
//! | 8 | [edits](HoldReason::Edits) | chats | edits that change neither status nor impact | `edits` after the last one | |
//!
//! What passes whatever the rule:
//!
//! * The end of a thread that a pager was notified of is never held.
//! * What is urgent is held by rules 1, 2 and 4 alone: an impact of at least `immediate` before or
//!   after the event, `unreachable` and `offline`.
//! * In quiet hours, an impact of at least `pass`, `unreachable` and `offline` are urgent. An impact
//!   of at least `immediate` is not: quiet hours have a threshold of their own.
//!
//! # When a hold ends
//!
//! Rows of one channel are released together or thread by thread: see [`HoldReason::scope`]. A hold
//! can end while a stronger reason is in force: [`place_again`] then gives the new one. A row of
//! scope [`Scope::Channel`] is placed again before the release; of scope [`Scope::Thread`] after it,
//! and only if there is something to send. Rows that an event of the same thread was sent after are
//! superseded.
//!
//! # What a channel was notified of
//!
//! A channel was notified of a thread from the first message about it, by itself, in a summary or
//! that it is unstable, until it was sent the end: not until the thread ends, since the end may be
//! held. [`Facts::notified`] and [`Present::notified`] say so.

mod coalesce;
mod intro;
pub mod mute;
mod place;
pub mod quiet;
mod release;
mod thread;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use statuswatch_model::event::{Impact, StatusEvent, Time};

use crate::channel::Audience;
use crate::notification::SummaryReason;
use crate::policy::QuietHours;

pub use coalesce::{COALESCE_AFTER, Coalesced, Waiting, coalesce};
pub use mute::{Mute, Muted};
pub use place::{CALM, UNSTABLE_CHANGES, place, place_again, window_end};
pub use release::{Due, Fate, MAX_ENTRIES, Message, Present, Release, release, unstable};
pub use thread::{ends, impact_of, is_end, is_state_change, opens, phase_of, reaches, thread_of};

/// Why a message is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The provider or component is muted.
    Mute,
    /// Quiet hours.
    QuietHours,
    /// Many providers failed at once.
    Storm,
    /// The state changes again and again.
    Unstable,
    /// The state may not last.
    Settle,
    /// The channel collects messages.
    Digest,
    /// The channel had its messages of the hour.
    Cap,
    /// The incident was edited a short time ago.
    Edits,
}

impl HoldReason {
    /// Every reason, strongest first.
    pub const ALL: &'static [Self] = &[
        Self::Mute,
        Self::QuietHours,
        Self::Storm,
        Self::Unstable,
        Self::Settle,
        Self::Digest,
        Self::Cap,
        Self::Edits,
    ];

    /// Returns the word stored in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::QuietHours => "quiet_hours",
            Self::Storm => "storm",
            Self::Unstable => "unstable",
            Self::Settle => "settle",
            Self::Digest => "digest",
            Self::Cap => "cap",
            Self::Edits => "edits",
        }
    }

    /// Returns which rows of a channel are released together. A pager is never sent a summary, in
    /// which nothing could be resolved.
    #[must_use]
    pub const fn scope(self, audience: Audience) -> Scope {
        match (self, audience) {
            (Self::QuietHours | Self::Storm | Self::Digest | Self::Cap, Audience::Chat) => {
                Scope::Channel
            }
            _ => Scope::Thread,
        }
    }

    /// Returns the reason a summary states.
    const fn summary(self) -> SummaryReason {
        match self {
            Self::Mute => SummaryReason::Mute,
            Self::QuietHours => SummaryReason::QuietHours,
            Self::Storm => SummaryReason::Storm,
            Self::Unstable | Self::Settle => SummaryReason::Unstable,
            Self::Digest | Self::Edits => SummaryReason::Digest,
            Self::Cap => SummaryReason::Cap,
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown reason for holding a message")]
pub struct UnknownReason;

impl FromStr for HoldReason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word).ok_or(UnknownReason)
    }
}

/// Which rows of a channel are released together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All rows with this reason, when the first is due.
    Channel,
    /// All rows of the thread with this reason, when the last is due.
    Thread,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// It is sent at once.
    Now,
    /// It is stored and released later.
    Hold {
        /// Why.
        reason: HoldReason,
        /// Until when; `None`: until the mute ends, which no clock determines.
        until: Option<Time>,
    },
    /// The summary of [`unstable`] is sent at once. The event, together with all rows of its thread
    /// that are held by [`HoldReason::Settle`], is held by [`HoldReason::Unstable`]: after a calm
    /// the reader learns the state.
    Unstable {
        /// When it has been calm for long enough, unless the state changes again.
        until: Time,
    },
}

/// What a decision about an event depends on besides the event and the policy.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The present.
    pub now: Time,
    /// Until when the event is muted: see [`mute::muted`].
    pub mute: Option<Muted>,
    /// What the channel was sent of this thread, including that it is unstable; `None`: nothing, or
    /// nothing after its end.
    pub notified: Option<Notified>,
    /// When this channel was last sent an edit of this thread.
    pub last_edit_at: Option<Time>,
    /// How many messages this channel was sent within the last hour.
    pub sent_last_hour: u32,
    /// How many providers opened something within [`Policy::STORM_WITHIN`], including this one: see
    /// [`opens`].
    ///
    /// [`Policy::STORM_WITHIN`]: crate::Policy::STORM_WITHIN
    pub openings: u32,
    /// The end of the storm of this channel: of its rows held by [`HoldReason::Storm`].
    pub storm_until: Option<Time>,
    /// Whether the channel has accepted no message about this thread alone: it knows it from a
    /// summary, or what it was sent still waits.
    pub summed_up: bool,
    /// How many messages of the last [`Policy::STORM_WITHIN`] wait for this channel, which accepts
    /// messages; zero if it does not.
    ///
    /// [`Policy::STORM_WITHIN`]: crate::Policy::STORM_WITHIN
    pub backlog: u32,
    /// When the state of this thread changed before, in ascending order: see [`is_state_change`].
    /// An hour is enough; with two, what was unstable before begins anew in more cases.
    pub changes: &'a [Time],
    /// Until when this thread is held as unstable: of its rows held by [`HoldReason::Unstable`] in
    /// this channel.
    pub unstable_until: Option<Time>,
    /// The quiet hours of the configuration.
    pub quiet_hours: &'a [QuietHours],
}

impl Facts<'_> {
    /// Returns the facts of a channel about which nothing is known.
    #[must_use]
    pub const fn new(now: Time) -> Self {
        Self {
            now,
            mute: None,
            notified: None,
            last_edit_at: None,
            sent_last_hour: 0,
            openings: 0,
            storm_until: None,
            summed_up: false,
            backlog: 0,
            changes: &[],
            unstable_until: None,
            quiet_hours: &[],
        }
    }
}

/// What a channel was sent of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notified {
    /// When it was first sent something.
    pub at: Time,
    /// The worst impact it was sent since the thread opened: see [`impact_of`].
    pub worst: Impact,
}

/// An event that is held for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The event.
    pub event: StatusEvent,
    /// Its thread: see [`thread_of`].
    pub thread: String,
}

/// Adds a duration to a time; the latest time there is if that is later.
fn after(time: Time, duration: Duration) -> Time {
    TimeDelta::from_std(duration)
        .ok()
        .and_then(|delta| time.checked_add_signed(delta))
        .unwrap_or(Time::MAX_UTC)
}
