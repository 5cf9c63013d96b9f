//! What a channel is to deliver.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use statuswatch_model::event::{Impact, Kind, ProviderStatus, Status, StatusEvent, Time};

/// One message for one channel.
#[derive(Debug, Clone)]
pub struct Notification<'a> {
    /// The idempotency key: the same on every attempt, 32 hexadecimal digits.
    pub delivery_id: &'a str,
    /// What the message belongs to: the same for every message about one incident, component or
    /// provider, 32 hexadecimal digits. A summary or notice has its own.
    pub thread: &'a str,
    /// What it says.
    pub content: Content<'a>,
    /// Its place in the thread, as this channel sees it.
    pub phase: Phase,
    /// How long after it was recorded the message is sent, if that is worth saying.
    pub late: Option<Duration>,
    /// How many earlier updates of the thread this channel is not sent because this one is newer.
    pub skipped: u32,
    /// Since when the thread is open, if the channel was sent nothing of it although it had events
    /// before.
    pub open_since: Option<Time>,
    /// The message that started the thread in this channel, if the service gave it an id.
    pub reference: Option<&'a Reference>,
    /// Texts from templates of the configuration, in place of the built-in ones.
    pub custom: Custom,
    /// The time of the attempt.
    pub now: Time,
}

/// What a message says.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// One event of the ledger.
    Event(&'a StatusEvent),
    /// Several threads in one message, after they were held back.
    Summary(&'a Summary),
    /// Something about this program: a channel that fails, messages that cannot be delivered.
    Notice(&'a Notice),
}

/// The place of a message in its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The first message of the thread in this channel.
    Open,
    /// Neither the first nor the last.
    Update,
    /// The thread has ended: resolved, completed, operational, reachable.
    End,
}

/// Ids that a service gave to messages of a thread; what they look like is up to the channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reference {
    /// The message that started the thread.
    pub root: String,
    /// The latest message, if it is another one.
    pub last: Option<String>,
}

/// Texts rendered from templates of the configuration; plain text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Custom {
    /// In place of the built-in title.
    pub title: Option<String>,
    /// In place of the built-in body.
    pub body: Option<String>,
    /// The body of a `webhook`: a complete JSON document.
    pub json: Option<String>,
}

/// Several threads in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Why they were held back.
    pub reason: SummaryReason,
    /// One sentence that says so: `Quiet hours ended at 07:00 (Europe/Berlin).`
    pub intro: String,
    /// One per thread: what is open first, worst first.
    pub entries: Vec<Entry>,
    /// How many more threads there are than entries.
    pub omitted: u32,
    /// How many of those are still open.
    #[serde(default)]
    pub omitted_open: u32,
}

/// Why messages were held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryReason {
    /// The channel collects messages.
    Digest,
    /// Quiet hours.
    QuietHours,
    /// A mute.
    Mute,
    /// Many providers failed at once.
    Storm,
    /// The channel had its messages of the hour.
    Cap,
    /// A component or provider changes its state again and again.
    Unstable,
}

/// One thread in a summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The provider's display name.
    pub provider: String,
    /// Plain text, one line.
    pub title: String,
    /// What it is about.
    pub kind: Kind,
    /// The status of the first message held back.
    pub first: Status,
    /// The present status.
    pub last: Status,
    /// The present impact.
    pub impact: Impact,
    /// How many messages were held back.
    pub updates: u32,
    /// Whether it is still open.
    pub open: bool,
    /// When the last update was published.
    pub at: Time,
    /// The page a person would open.
    pub url: Option<String>,
}

/// Something about this program itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// One line.
    pub title: String,
    /// Plain text: what happened and what to do.
    pub message: String,
    /// How bad it is.
    pub impact: Impact,
    /// Whether it says that something is fine again.
    pub over: bool,
    /// When it happened.
    pub at: Time,
}

/// How bad it is, in the four levels that pagers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No effect, maintenance or unknown.
    Info,
    /// `minor`.
    Minor,
    /// `major`.
    Major,
    /// `critical`.
    Critical,
}

impl Severity {
    /// Returns the severity of an impact.
    #[must_use]
    pub const fn of(impact: Impact) -> Self {
        match impact {
            Impact::Critical => Self::Critical,
            Impact::Major => Self::Major,
            Impact::Minor => Self::Minor,
            Impact::None | Impact::Maintenance | Impact::Unknown => Self::Info,
        }
    }

    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

impl Notification<'_> {
    /// Returns how bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.content {
            Content::Event(event) if event.kind == Kind::Provider => {
                // A page that cannot be read hides an impact of any size.
                if event.status == ProviderStatus::Unreachable
                    || event.status == ProviderStatus::Offline
                {
                    Severity::Major
                } else {
                    Severity::Info
                }
            }
            Content::Event(event) => Severity::of(event.impact),
            Content::Summary(summary) => summary
                .entries
                .iter()
                .filter(|entry| entry.open)
                .map(|entry| Severity::of(entry.impact))
                .max()
                .unwrap_or(Severity::Info),
            Content::Notice(notice) => Severity::of(notice.impact),
        }
    }

    /// Returns whether the message says that something is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.content {
            Content::Event(_) => self.phase == Phase::End,
            Content::Summary(summary) => summary.entries.iter().all(|entry| !entry.open),
            Content::Notice(notice) => notice.over,
        }
    }
}

/// Returns the idempotency key of `item`, an event's id or what identifies a summary, at `channel`.
#[must_use]
pub fn delivery_id(item: &str, channel: &str) -> String {
    hash(&["delivery", item, channel])
}

/// SHA-256 over length-prefixed parts, cut to 128 bits: 32 hexadecimal digits.
pub(crate) fn hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let number =
        hasher.finalize().iter().take(16).fold(0u128, |n, byte| (n << 8) | u128::from(*byte));
    format!("{number:032x}")
}
