//! Judges what was collected of a run. Pure.

mod deliveries;
mod events;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fake::Publication;

/// Milliseconds since 1970 by the clock of this machine, which the database and the fake providers
/// share.
pub(super) type Ms = i64;

/// A node: its place in the list of names.
pub(super) type NodeId = usize;

/// A time from its first to its last moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The first moment.
    pub(super) from: Ms,
    /// The last one.
    pub(super) to: Ms,
}

impl Span {
    /// Returns whether any moment is in both.
    const fn meets(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// Returns how long it lasts.
    const fn length(self) -> Ms {
        self.to - self.from
    }
}

/// What is known of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The names of the nodes.
    pub(super) nodes: Vec<String>,
    /// The ids of the providers, and the shard of each.
    pub(super) providers: Vec<(String, u16)>,
    /// The longest time between two polls.
    pub(super) interval: Ms,
    /// From the moment when all nodes polled to the end.
    pub(super) watched: Option<Span>,
    /// Requests of pages, in order of arrival.
    pub(super) requests: Vec<Request>,
    /// Lives, as the database has recorded them.
    pub(super) lives: Vec<Life>,
    /// Which life held which shard, as the database has recorded it.
    pub(super) holds: Vec<Hold>,
    /// When the database did not answer.
    pub(super) outages: Vec<Span>,
    /// When the process of a node was frozen.
    pub(super) frozen: Vec<(NodeId, Span)>,
    /// When the process of a node ended.
    pub(super) ends: Vec<(NodeId, Ms)>,
    /// When a node was killed.
    pub(super) kills: Vec<(NodeId, Ms)>,
    /// When the machine was too busy for the fake providers, in order: what arrived then was noted
    /// late.
    pub(super) stalls: Vec<Span>,
    /// Numbers that were used by events which a database did not have when it was promoted, from the
    /// first to the last.
    pub(super) lost: Vec<(u64, u64)>,
    /// The event log of each node.
    pub(super) logs: Vec<Log>,
    /// How many events the database has, and the highest number.
    pub(super) database: (u64, u64),
    /// What the webhook received, in order.
    pub(super) deliveries: Vec<Delivery>,
    /// What the pages published.
    pub(super) published: Vec<Publication>,
    /// What of it must have been reported.
    pub(super) owed: Vec<Publication>,
}

impl Facts {
    /// Returns whether a number was used by an event that was lost with the tail of a database.
    pub(super) fn is_lost(&self, seq: u64) -> bool {
        is_within(&self.lost, seq)
    }
}

/// Returns whether a number is in one of these ranges.
pub(super) fn is_within(ranges: &[(u64, u64)], seq: u64) -> bool {
    ranges.iter().any(|(first, last)| *first <= seq && seq <= *last)
}

/// A request of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// The provider: its place in the list.
    pub(super) provider: usize,
    /// Who sent it.
    pub(super) node: NodeId,
    /// When it arrived.
    pub(super) at: Ms,
    /// When it was answered, or the connection ended.
    pub(super) finished: Ms,
}

/// A life of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// Its number.
    pub(super) number: i64,
    /// Whose it is.
    pub(super) node: NodeId,
    /// When it began.
    pub(super) begun: Ms,
    /// When it was fenced, or left.
    pub(super) fenced: Option<Ms>,
}

/// A shard in the hands of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// The shard.
    pub(super) shard: u16,
    /// The life.
    pub(super) life: i64,
    /// From its claim to its end; the end is far away while it is held.
    pub(super) span: Span,
}

/// The event log of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    /// Whose it is.
    pub(super) node: NodeId,
    /// Whether the node was there from the first event on.
    pub(super) is_founder: bool,
    /// Whether the node runs: the log of one that does not may end early.
    pub(super) is_running: bool,
    /// Its lines; `None` for one that is no event.
    pub(super) lines: Vec<Option<Line>>,
    /// How many of its lines differ from the events in its replica.
    pub(super) unlike_replica: usize,
}

/// A line of an event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The number.
    pub(super) seq: u64,
    /// The id.
    pub(super) id: String,
    /// A hash of the bytes.
    pub(super) hash: u64,
    /// The provider.
    pub(super) provider: String,
    /// Whether it is about the provider as a whole: that it cannot be read, or can be again.
    pub(super) is_about_provider: bool,
    /// The incident or maintenance; `None` for another kind of event.
    pub(super) incident: Option<String>,
    /// The text.
    pub(super) message: Option<String>,
}

/// A message that the webhook received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The delivery id.
    pub(super) key: String,
    /// A hash of the body.
    pub(super) hash: u64,
    /// The thread.
    pub(super) thread: String,
    /// The number of the event; `None` if it is about something else.
    pub(super) seq: Option<u64>,
    /// The id of the event.
    pub(super) id: String,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rule {
    /// What was published was recorded.
    Lost,
    /// Nothing was recorded or reported twice.
    Twice,
    /// What was reported had been published.
    Invented,
    /// Numbers have no gap, and no log lacks an event.
    Gap,
    /// All nodes, and the database, have the same events.
    Different,
    /// The updates of an incident are in the order in which they were published.
    OutOfOrder,
    /// Each event was delivered.
    Undelivered,
    /// A message that was repeated had the same id and the same bytes.
    RepeatedDifferently,
    /// The events of a thread were delivered in order.
    DeliveredOutOfOrder,
    /// No page was requested under a life that had been fenced.
    AfterFence,
    /// No page was requested by a life that did not hold its shard.
    NotHeld,
    /// No provider was polled by two nodes at once.
    PolledByTwo,
    /// No provider was left alone for long.
    Silent,
    /// All nodes shared the work again after each round.
    Unsettled,
    /// No process ended by itself.
    Ended,
}

/// Violations of one rule that are shown.
const SHOWN: usize = 5;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// How often each rule was broken.
    pub(super) violations: BTreeMap<Rule, usize>,
    /// The first few of each, for a person.
    pub(super) examples: Vec<String>,
    /// Figures.
    pub(super) figures: Figures,
}

/// What was counted and measured. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Updates and edits that the pages published.
    pub(super) published: usize,
    /// Events that were recorded.
    pub(super) events: usize,
    /// Numbers that were used by events that were lost with the tail of a database.
    pub(super) lost: u64,
    /// Messages that the webhook received.
    pub(super) deliveries: usize,
    /// How many of them were repeated.
    pub(super) repeated: usize,
    /// Requests of pages.
    pub(super) requests: usize,
    /// Requests that were under way in a process that was frozen, after others had taken over.
    pub(super) under_way: usize,
    /// Time between two requests of a provider.
    pub(super) between: Percentiles,
    /// From a kill to the next request of each provider of the node.
    pub(super) after_kill: Percentiles,
    /// When the machine was too busy for the fake providers, the longest time.
    pub(super) longest_stall: Ms,
}

/// Some of a list of values, in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Percentiles {
    /// How many values there are.
    pub(super) count: usize,
    /// The median.
    pub(super) p50: Ms,
    /// 99 of 100 are no longer.
    pub(super) p99: Ms,
    /// The longest.
    pub(super) worst: Ms,
}

impl Percentiles {
    fn of(mut values: Vec<Ms>) -> Self {
        values.sort_unstable();
        let at = |part: usize| {
            let place = (values.len() * part).div_ceil(100).saturating_sub(1);
            values.get(place).copied().unwrap_or_default()
        };
        Self { count: values.len(), p50: at(50), p99: at(99), worst: at(100) }
    }
}

impl Verdict {
    /// Adds a violation.
    pub(super) fn add(&mut self, rule: Rule, what: impl FnOnce() -> String) {
        let count = self.violations.entry(rule).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.examples.push(format!("{rule:?}: {}", what()));
        }
    }

    /// Returns whether every rule was kept.
    pub(super) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

/// Judges a run.
pub(super) fn judge(facts: &Facts) -> Verdict {
    let mut verdict = Verdict::default();
    events::judge(facts, &mut verdict);
    deliveries::judge(facts, &mut verdict);
    requests::judge(facts, &mut verdict);
    verdict.figures.longest_stall =
        facts.stalls.iter().map(|span| span.length()).max().unwrap_or_default();
    verdict
}
