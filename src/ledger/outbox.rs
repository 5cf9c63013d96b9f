//! Messages on their way to channels: what the dispatcher reads and changes in the ledger.
//!
//! A message is a row from the moment an event is routed until the channel has accepted it or it is
//! declared dead. Its bytes are stored before the first attempt, so that every attempt sends the
//! same. The dispatcher decides; the ledger stores its decisions in the transactions of
//! [`super::LedgerActor`].

use actix::Message;
use statuswatch_notify::{Phase, Reference, Step};

use super::LedgerError;
use crate::event::{Impact, Time};

/// Identifies a message in the outbox; later messages have greater ones.
pub type MessageId = i64;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The event with this sequence number.
    Event(u64),
    /// A summary or notice, as JSON.
    Text(String),
}

/// A message to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The channel.
    pub channel: String,
    /// What it belongs to.
    pub thread: String,
    /// What it says.
    pub payload: Payload,
    /// The idempotency key; one that is known already is not added again.
    pub key: String,
    /// Its place in the thread when it was routed.
    pub phase: Phase,
    /// Sent before the channel's other messages.
    pub urgent: bool,
    /// Why it is held back and until when.
    pub hold: Option<Hold>,
    /// When it was routed.
    pub at: Time,
}

/// Why and how long a message is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The word of the reason: `digest`, `quiet_hours`, `mute`, ...
    pub reason: String,
    /// When it is looked at again.
    pub until: Time,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: MessageId,
    /// The channel.
    pub channel: String,
    /// What it belongs to.
    pub thread: String,
    /// What it says.
    pub payload: Payload,
    /// The idempotency key.
    pub key: String,
    /// Its place in the thread when it was routed.
    pub phase: Phase,
    /// Sent before others.
    pub urgent: bool,
    /// Why it is held back.
    pub hold: Option<Hold>,
    /// When it was routed.
    pub at: Time,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub first_attempt_at: Option<Time>,
    /// Not tried again before this time.
    pub next_at: Option<Time>,
    /// Whether an earlier attempt may have been accepted without an answer: its bytes must stay the
    /// same.
    pub in_doubt: bool,
    /// Whether it is in its plain form, after the rich one was refused.
    pub plain: bool,
    /// The rendered steps, once it was tried.
    pub steps: Option<Vec<Step>>,
    /// Earlier messages of the thread that are not sent because this one is newer.
    pub skipped: u32,
}

/// What a channel knows of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// What it is.
    pub thread: String,
    /// The event that opened it.
    pub first_seq: u64,
    /// The newest event.
    pub last_seq: u64,
    /// When it was opened.
    pub opened_at: Time,
    /// When its newest event was routed.
    pub last_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// The worst impact the channel was sent.
    pub worst: Impact,
    /// When the channel was last sent an edit.
    pub edited_at: Option<Time>,
    /// How many of its messages the channel has accepted.
    pub delivered: u32,
    /// What the service called its messages.
    pub reference: Option<Reference>,
}

/// A change of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxChange {
    /// Events up to this one are routed.
    Routed {
        /// The newest routed event.
        seq: u64,
        /// How many of them no rule sent anywhere.
        unrouted: u64,
    },
    /// Adds a message.
    Add(Box<NewMessage>),
    /// Holds a waiting message back, or releases it.
    Hold {
        /// The message.
        id: MessageId,
        /// Why; `None`: it waits to be sent.
        hold: Option<Hold>,
        /// Further messages of its thread that it stands for.
        skipped: u32,
        /// When; a message that is released counts as late from then on.
        at: Time,
    },
    /// Removes a message that another one stands for.
    Superseded {
        /// The message.
        id: MessageId,
    },
    /// Notes that a channel was sent, or is about to be sent, an event of a thread.
    Notify {
        /// The channel.
        channel: String,
        /// The thread.
        thread: String,
        /// The provider.
        provider: String,
        /// The event.
        seq: u64,
        /// The impact it states.
        impact: Impact,
        /// Whether the thread has ended with it.
        ended: bool,
        /// Whether it is an edit.
        edit: bool,
        /// When.
        at: Time,
    },
    /// Takes back that a channel was to be sent a thread, of which it has accepted nothing.
    Forget {
        /// The channel.
        channel: String,
        /// The thread.
        thread: String,
    },
    /// A message is about to be tried: stores its bytes.
    Claim {
        /// The message.
        id: MessageId,
        /// The rendered steps.
        steps: Vec<Step>,
        /// Whether they are in the plain form.
        plain: bool,
        /// Earlier messages of the thread it stands for.
        skipped: u32,
        /// When.
        at: Time,
    },
    /// A message was not accepted and is tried again.
    Retry {
        /// The message.
        id: MessageId,
        /// Not before this time.
        next_at: Time,
        /// Why it was not accepted.
        error: String,
        /// Whether it may have been accepted without an answer.
        in_doubt: bool,
    },
    /// A message is to be rendered again: in its plain form, or without a reference that is gone.
    Rerender {
        /// The message.
        id: MessageId,
        /// Whether in the plain form.
        plain: bool,
        /// Whether what the service called the thread's messages is forgotten.
        forget_reference: bool,
        /// Why.
        error: String,
    },
    /// A channel accepted a message.
    Delivered {
        /// The message.
        id: MessageId,
        /// What the service called it.
        reference: Option<String>,
        /// When.
        at: Time,
        /// Milliseconds since the event was recorded or the message was released.
        lag_ms: i64,
    },
    /// A message is given up.
    Dead {
        /// The message.
        id: MessageId,
        /// Why.
        reason: String,
        /// When.
        at: Time,
    },
    /// Makes a message of its own, in a thread of its own, for recipients of another one that left
    /// them out: nothing waits for it. Stands before what becomes of the other one.
    SetAside {
        /// The other message.
        id: MessageId,
        /// The thread of its own.
        thread: String,
        /// The idempotency key.
        key: String,
        /// The steps, for these recipients alone.
        steps: Vec<Step>,
        /// Who they are and why.
        error: String,
        /// Not tried before this time; `None`: never, it is given up.
        next_at: Option<Time>,
        /// When.
        at: Time,
    },
    /// A mute is over: its time has come, or what it muted has ended.
    EndMute {
        /// The mute.
        id: i64,
        /// When.
        at: Time,
    },
    /// The state of a channel has changed.
    Channel(ChannelState),
}

/// The state of a channel.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct ChannelState {
    /// Its id.
    pub id: String,
    /// `slack`, `email`, ...
    pub kind: String,
    /// Whether messages are accepted.
    pub health: ChannelHealth,
    /// Since when.
    pub since: Time,
    /// What its last failure was; without secrets.
    pub last_error: Option<String>,
    /// When a broken channel is tried again.
    pub probe_at: Option<Time>,
}

/// Whether a channel accepts messages.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ChannelHealth {
    /// It does, or was never tried.
    Ok,
    /// It does not answer, or not now.
    Failing,
    /// It refuses everything: credentials, address, permission.
    Broken,
    /// It is not in the configuration any more.
    Removed,
}

impl ChannelHealth {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Failing, Self::Broken, Self::Removed];

    /// Returns its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Broken => "broken",
            Self::Removed => "removed",
        }
    }

    /// Returns the state with this word; an unknown one is taken for failing.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == word).unwrap_or(Self::Failing)
    }
}

/// Stores decisions of the dispatcher, all of them or none.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct ChangeOutbox(pub Vec<OutboxChange>);

/// A channel as shown by `channels`.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct ChannelRow {
    /// Its state.
    pub state: ChannelState,
    /// When it last accepted a message.
    pub last_success_at: Option<Time>,
    /// When its last failure was.
    pub last_error_at: Option<Time>,
    /// Messages waiting to be sent.
    pub waiting: u64,
    /// When the oldest of them was routed.
    pub oldest_at: Option<Time>,
    /// Messages held back.
    pub held: u64,
    /// Messages given up.
    pub dead: u64,
    /// Messages accepted within the last 24 hours.
    pub delivered_today: u64,
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id, as commands name it.
    pub id: i64,
    /// The channel.
    pub channel: String,
    /// What it belongs to.
    pub thread: String,
    /// What it says.
    pub payload: Payload,
    /// Why it was given up.
    pub reason: String,
    /// When.
    pub at: Time,
    /// The rendered steps, if it was ever tried.
    pub steps: Option<Vec<Step>>,
}

/// When a channel accepted a message about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event.
    pub seq: u64,
    /// The channel.
    pub channel: String,
    /// When.
    pub at: Time,
    /// Milliseconds since the event was recorded.
    pub lag_ms: i64,
}

/// A message that a channel has not accepted yet, as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The channel.
    pub channel: String,
    /// What it belongs to.
    pub thread: String,
    /// Why it is held back and until when.
    pub hold: Option<Hold>,
    /// When it was routed.
    pub at: Time,
    /// How often it was tried.
    pub attempts: u32,
}

/// A mute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuteRow {
    /// Its id, as commands name it.
    pub id: i64,
    /// The provider.
    pub provider: String,
    /// The component, if only one is muted.
    pub component: Option<String>,
    /// Until when; `None`: until everything of it has ended.
    pub until: Option<Time>,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub created_at: Time,
    /// When it was taken back or expired.
    pub ended_at: Option<Time>,
}
