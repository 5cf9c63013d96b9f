//! The lines of each tab: which there are, in which order, and what a filter finds in them.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::facts::{Facts, Subject};
use super::tab::Tab;
use crate::event::{ComponentStatus, IncidentStatus, Kind, Time};
use crate::ledger::{OpenItem, ProviderRow};
use crate::view::status::{Freshness, freshness, overall, severity};

/// One line, as an index into the lists of [`Facts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// An open incident or maintenance.
    Item(usize),
    /// A provider that is not fresh, among what is open.
    Blind(usize),
    /// A provider.
    Provider(usize),
    /// An event.
    Event(usize),
    /// The console or the event log.
    Sink(usize),
    /// A channel.
    Channel(usize),
    /// A provider's poller.
    Poller(usize),
}

/// The present state of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    /// How far it may be trusted.
    pub(super) freshness: Freshness,
    /// Unknown unless it is fresh.
    pub(super) status: ComponentStatus,
    /// As last read.
    pub(super) last_known: ComponentStatus,
    /// Open incidents and maintenances.
    pub(super) open: usize,
}

/// Returns the state of each provider, in the order of the facts.
pub(super) fn states(facts: &Facts, now: Time) -> Vec<State> {
    let mut by_provider: HashMap<&str, Vec<&OpenItem>> = HashMap::new();
    for item in &facts.open {
        by_provider.entry(&item.provider).or_default().push(item);
    }
    let state = |row: &ProviderRow| {
        let mine = by_provider.get(row.id.as_str()).map_or(&[][..], Vec::as_slice);
        let (freshness, last_known) = (freshness(row, now), overall(row.impact, mine));
        let is_fresh = freshness == Freshness::Fresh;
        let status = if is_fresh { last_known } else { ComponentStatus::Unknown };
        State { freshness, status, last_known, open: mine.len() }
    };
    facts.providers.iter().map(state).collect()
}

/// Whether it is a maintenance that has not begun.
pub(super) fn is_announced(item: &OpenItem) -> bool {
    item.status == IncidentStatus::Scheduled.as_str()
}

/// Returns the lines of a tab that the filter takes.
pub(super) fn entries(tab: Tab, facts: &Facts, states: &[State], filter: &str) -> Vec<Entry> {
    let all = match tab {
        Tab::Open => open(facts, states),
        Tab::Providers => {
            let mut all: Vec<usize> = (0..facts.providers.len()).collect();
            all.sort_by_key(|&index| {
                let bad = states.get(index).map_or(0, |state| severity(state.status.impact()));
                (Reverse(bad), index)
            });
            all.into_iter().map(Entry::Provider).collect()
        }
        Tab::Events => (0..facts.events.len()).map(Entry::Event).collect(),
        Tab::Channels => {
            let sinks = (0..facts.sinks.len()).map(Entry::Sink);
            sinks.chain((0..facts.channels.len()).map(Entry::Channel)).collect()
        }
        Tab::Pollers => {
            let mut all: Vec<usize> = (0..facts.providers.len()).collect();
            all.sort_by_key(|&index| {
                let row = facts.providers.get(index);
                let failing = row.map_or((false, 0, false), |row| {
                    (row.parked, row.failures, row.last_error.is_some())
                });
                (Reverse(failing), index)
            });
            all.into_iter().map(Entry::Poller).collect()
        }
    };
    let (wanted, filter) = match filter.strip_prefix('!') {
        Some(filter) => (false, filter),
        None => (true, filter),
    };
    let filter = filter.trim().to_lowercase();
    if filter.is_empty() {
        return all;
    }
    let takes = |entry: &Entry| words(*entry, facts, states).contains(&filter) == wanted;
    all.into_iter().filter(takes).collect()
}

/// What is open, in the order of the questions on call: incidents, the worst and then the newest
/// first; providers that cannot be seen; maintenances in progress; those that are announced.
fn open(facts: &Facts, states: &[State]) -> Vec<Entry> {
    let mut items: Vec<(usize, &OpenItem)> = facts.open.iter().enumerate().collect();
    items.sort_by_key(|(_, item)| {
        let began = item.scheduled_for.or(item.started_at);
        match (item.kind == Kind::Maintenance, is_announced(item)) {
            (_, true) => (2, Reverse(0), Reverse(None), began),
            (true, false) => (1, Reverse(0), Reverse(began), None),
            (false, false) => (0, Reverse(severity(item.impact)), Reverse(began), None),
        }
    });
    let is_incident = |item: &OpenItem| item.kind != Kind::Maintenance && !is_announced(item);
    let incidents = items.iter().take_while(|(_, item)| is_incident(item)).count();
    let blind = states.iter().enumerate();
    let blind = blind.filter(|(_, state)| state.freshness != Freshness::Fresh);
    let mut all: Vec<Entry> =
        items.iter().take(incidents).map(|(index, _)| Entry::Item(*index)).collect();
    all.extend(blind.map(|(index, _)| Entry::Blind(index)));
    all.extend(items.iter().skip(incidents).map(|(index, _)| Entry::Item(*index)));
    all
}

/// What a filter searches, in lower case: names and words, no ages.
fn words(entry: Entry, facts: &Facts, states: &[State]) -> String {
    let provider = |index: usize, more: &[&str]| {
        let row = facts.providers.get(index);
        let state = states.get(index);
        let mut all = row.map_or_else(Vec::new, |row| {
            let texts = [&row.source, &row.last_error, &row.doubt, &row.suspect];
            let texts = texts.into_iter().flatten().map(String::as_str);
            [row.id.as_str(), row.name.as_str()].into_iter().chain(texts).collect()
        });
        all.extend(more);
        all.extend(state.map(|state| state.freshness.word()));
        all.join(" ")
    };
    let text = match entry {
        Entry::Item(index) => facts.open.get(index).map_or_else(String::new, |item| {
            let name = name_of(facts, &item.provider);
            let mut all = vec![&*item.provider, name, &*item.title, &*item.status];
            all.extend([item.impact.as_str(), item.kind.as_str()]);
            all.extend(item.components.iter().map(|component| component.name.as_str()));
            all.join(" ")
        }),
        Entry::Blind(index) | Entry::Poller(index) => provider(index, &[]),
        Entry::Provider(index) => {
            let label = states.get(index).map(|state| state.status.label()).unwrap_or_default();
            provider(index, &[&label])
        }
        Entry::Event(index) => facts.events.get(index).map_or_else(String::new, |event| {
            let words = [event.status.as_str(), event.impact.as_str(), event.kind.as_str()];
            let names = [&*event.provider, &*event.provider_name, &*event.title];
            [&names[..], &words[..]].concat().join(" ")
        }),
        Entry::Sink(index) => facts.sinks.get(index).map_or_else(String::new, |sink| {
            [&sink.id, sink.failure.as_deref().unwrap_or("ok"), "sink"].join(" ")
        }),
        Entry::Channel(index) => facts.channels.get(index).map_or_else(String::new, |row| {
            let error = row.state.last_error.as_deref().unwrap_or_default();
            [&row.state.id, &row.state.kind, row.state.health.as_str(), error].join(" ")
        }),
    };
    text.to_lowercase()
}

/// Returns the display name of a provider; its id if it is unknown.
pub(super) fn name_of<'a>(facts: &'a Facts, id: &'a str) -> &'a str {
    // Sorted by id: see `Reader::providers`.
    let found = facts.providers.binary_search_by(|row| row.id.as_str().cmp(id));
    found.ok().and_then(|index| facts.providers.get(index)).map_or(id, |row| &row.name)
}

/// Returns what identifies a line while the facts change.
pub(super) fn key(entry: Entry, facts: &Facts) -> Option<String> {
    let provider = |index: usize| facts.providers.get(index).map(|row| row.id.clone());
    match entry {
        Entry::Item(index) => {
            facts.open.get(index).map(|item| format!("{}\n{}", item.provider, item.incident_id))
        }
        Entry::Blind(index) | Entry::Provider(index) | Entry::Poller(index) => provider(index),
        Entry::Event(index) => facts.events.get(index).map(|event| event.seq.to_string()),
        Entry::Sink(index) => facts.sinks.get(index).map(|sink| format!("sink\n{}", sink.id)),
        Entry::Channel(index) => facts.channels.get(index).map(|row| row.state.id.clone()),
    }
}

/// Returns what is to be read to show the details of a line.
pub(super) fn subject(entry: Entry, facts: &Facts) -> Option<Subject> {
    match entry {
        Entry::Item(index) => facts
            .open
            .get(index)
            .map(|item| Subject::Incident(item.provider.clone(), item.incident_id.clone())),
        Entry::Blind(index) | Entry::Provider(index) | Entry::Poller(index) => {
            facts.providers.get(index).map(|row| Subject::Provider(row.id.clone()))
        }
        Entry::Channel(index) => {
            facts.channels.get(index).map(|row| Subject::Channel(row.state.id.clone()))
        }
        Entry::Event(_) | Entry::Sink(_) => None,
    }
}
