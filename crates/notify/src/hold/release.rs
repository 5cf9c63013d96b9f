//! What is sent in place of messages that were held: the present state, not a replay of the past.

use std::collections::BTreeMap;
use std::time::Duration;

use statuswatch_model::event::{StatusEvent, Time};
use statuswatch_model::text::one_line;

use super::place::{CALM, UNSTABLE_CHANGES};
use super::thread::{ends, is_end};
use super::{Held, HoldReason, Scope};
use crate::notification::{Entry, Severity, Summary, SummaryReason};
use crate::policy::{Policy, QuietHours};
use crate::text::duration;

/// Most threads in one summary; further ones are counted.
pub const MAX_ENTRIES: usize = 50;

/// Longest title of an entry, in characters.
const TITLE: usize = 200;

/// The end of a hold.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Why the rows were held.
    pub reason: HoldReason,
    /// The id of the channel.
    pub channel: &'a str,
    /// How the channel is served.
    pub policy: &'a Policy,
    /// The quiet hours of the configuration.
    pub quiet_hours: &'a [QuietHours],
    /// When the rows were due.
    pub due_at: Time,
    /// When this program was last not running, from and to.
    pub not_running: Option<(Time, Time)>,
    /// The present.
    pub now: Time,
}

/// A thread at the time of a release.
#[derive(Debug, Clone, Copy)]
pub struct Present<'a> {
    /// The latest event of the thread that was placed for the channel, whatever became of it.
    pub event: &'a StatusEvent,
    /// The sequence number of the latest event of the thread that the channel was sent, by itself or
    /// in a summary; `None`: it was sent none. The message that a state is unstable does not count.
    pub sent: Option<u64>,
    /// Whether the channel was sent something of the thread, including that it is unstable, and not
    /// its end.
    pub notified: bool,
}

/// What is sent in place of held rows, and what becomes of each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Release {
    /// The messages; none if there is nothing that the reader does not know.
    pub messages: Vec<Message>,
    /// The fate of each row, by sequence number, in ascending order.
    pub fates: Vec<(u64, Fate)>,
}

/// One message of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// An event: the present state of its thread.
    One {
        /// The latest event of the thread.
        event: Box<StatusEvent>,
        /// The number of held rows it stands for, besides itself.
        skipped: u32,
    },
    /// Several threads.
    Summary(Summary),
}

/// What became of a held row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is sent.
    Sent,
    /// It is part of a summary, which gives the present state: the channel is sent the thread up to
    /// [`Present::event`], or up to the last row if that is newer.
    Summarized,
    /// A later event of the same thread is or was sent.
    Superseded {
        /// The sequence number of that event.
        by: u64,
    },
    /// The state is again what the reader knows: there is nothing to send.
    Returned,
}

/// Decides what is sent in place of `held`: rows of one channel with the reason of `due`; all of
/// them or those of one thread, see [`HoldReason::scope`]. `present` returns the state of a thread.
#[must_use]
pub fn release<'a>(
    due: &Due<'_>,
    held: &'a [Held],
    present: &dyn Fn(&str) -> Option<Present<'a>>,
) -> Release {
    let mut threads: BTreeMap<&str, Vec<&'a StatusEvent>> = BTreeMap::new();
    for row in held {
        threads.entry(&row.thread).or_default().push(&row.event);
    }
    let mut release = Release::default();
    let mut entries = Vec::new();
    let mut news = true;
    for (id, mut rows) in threads {
        rows.sort_by_key(|event| event.seq);
        let thread = present(id);
        let sent = thread.and_then(|thread| thread.sent);
        let mut unsent = Vec::new();
        for event in rows {
            match sent.filter(|sent| *sent >= event.seq) {
                Some(by) => release.fates.push((event.seq, Fate::Superseded { by })),
                None => unsent.push(event),
            }
        }
        let (Some(first), Some(last)) = (unsent.first(), unsent.last()) else { continue };
        let latest = thread.map(|thread| thread.event).filter(|event| event.seq > last.seq);
        let thread = Thread {
            first,
            latest: latest.unwrap_or(last),
            is_notified: thread.is_some_and(|thread| thread.notified),
            rows: &unsent,
        };
        if due.reason.scope(due.policy.audience) == Scope::Channel {
            release.fates.extend(unsent.iter().map(|event| (event.seq, Fate::Summarized)));
            news &= !thread.is_notified;
            entries.push(thread.entry());
        } else if thread.is_back(due.reason) {
            release.fates.extend(unsent.iter().map(|event| (event.seq, Fate::Returned)));
        } else {
            release.messages.push(thread.one());
            release.fates.extend(thread.fates());
        }
    }
    if !entries.is_empty() {
        let summary = summary(due.reason.summary(), due.intro(news), entries);
        release.messages.push(Message::Summary(summary));
    }
    release.fates.sort_by_key(|(seq, _)| *seq);
    release
}

/// Returns the message that the state of a component or provider is unstable, sent once in place of
/// `event` and the changes after it.
#[must_use]
pub fn unstable(event: &StatusEvent) -> Summary {
    let thread = Thread { first: event, latest: event, is_notified: true, rows: &[] };
    let entry = Entry {
        first: event.previous_status.unwrap_or(event.status),
        updates: UNSTABLE_CHANGES as u32,
        open: true,
        ..thread.entry()
    };
    let intro = format!(
        "The state changed {UNSTABLE_CHANGES} times within an hour. The next message follows when it has not changed for {}.",
        duration(CALM)
    );
    summary(SummaryReason::Unstable, intro, vec![entry])
}

fn summary(reason: SummaryReason, intro: String, mut entries: Vec<Entry>) -> Summary {
    entries.sort_by(|one, other| {
        let key = |entry: &Entry| {
            (!entry.open, std::cmp::Reverse(Severity::of(entry.impact)), entry.provider.clone())
        };
        key(one).cmp(&key(other)).then(one.at.cmp(&other.at))
    });
    let more = entries.split_off(entries.len().min(MAX_ENTRIES));
    let omitted_open = more.iter().filter(|entry| entry.open).count() as u32;
    Summary { reason, intro, entries, omitted: more.len() as u32, omitted_open }
}

/// The rows of one thread that the reader does not know yet.
struct Thread<'a> {
    first: &'a StatusEvent,
    /// The present state: the last row or a later event.
    latest: &'a StatusEvent,
    /// Whether the reader believes that it is open.
    is_notified: bool,
    rows: &'a [&'a StatusEvent],
}

impl Thread<'_> {
    /// Returns whether there is nothing to send since the state is what the reader knows.
    fn is_back(&self, reason: HoldReason) -> bool {
        let is_over = is_end(self.latest) && !self.is_notified;
        match reason {
            HoldReason::Unstable | HoldReason::Edits => false,
            HoldReason::Settle if is_end(self.latest) => is_over,
            HoldReason::Settle => {
                self.is_notified && self.first.previous_status == Some(self.latest.status)
            }
            // What began before, or was added after the end, is worth a message.
            _ => is_over && self.rows.iter().any(|event| !is_end(event)),
        }
    }

    fn one(&self) -> Message {
        let others = self.rows.iter().filter(|event| event.seq != self.latest.seq).count();
        Message::One { event: Box::new(self.latest.clone()), skipped: others as u32 }
    }

    fn fates(&self) -> impl Iterator<Item = (u64, Fate)> {
        let by = self.latest.seq;
        self.rows.iter().map(move |event| {
            (event.seq, if event.seq == by { Fate::Sent } else { Fate::Superseded { by } })
        })
    }

    fn entry(&self) -> Entry {
        let latest = self.latest;
        let name = one_line(&latest.provider_name, TITLE);
        let mut title = one_line(&latest.title, TITLE);
        if let Some(lasted) = self.lasted() {
            title = format!("{title}, lasted {}", duration(lasted));
        }
        Entry {
            provider: if name.is_empty() { latest.provider.clone() } else { name },
            title,
            kind: latest.kind,
            first: self.first.status,
            last: latest.status,
            impact: latest.impact,
            updates: self.rows.len() as u32,
            open: !is_end(latest),
            at: latest.published_at,
            url: latest.url.clone(),
        }
    }

    /// How long something lasted that began and ended while it was held.
    fn lasted(&self) -> Option<Duration> {
        let began = self.first.previous_status.is_none_or(ends) && !is_end(self.first);
        (began && is_end(self.latest)).then_some(())?;
        let end = self.rows.iter().find(|event| is_end(event)).map_or(self.latest, |end| end);
        let from = self.latest.started_at.unwrap_or(self.first.published_at);
        (end.published_at - from).to_std().ok()
    }
}
