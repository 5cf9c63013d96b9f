//! The columns of each tab, and the cells of one line.

use super::entry::{Entry, State, is_announced, name_of};
use super::facts::Facts;
use super::tab::Tab;
use super::table::{Cell, Column, Tone};
use crate::event::{ComponentStatus, Impact, Kind, Status, Time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow};
use crate::ledger::{OpenItem, ProviderRow, SinkRow};
use crate::view::status::Freshness;
use crate::view::when::span;

/// Returns the columns of a tab.
pub(super) const fn columns(tab: Tab) -> &'static [Column] {
    match tab {
        Tab::Open => OPEN,
        Tab::Providers => PROVIDERS,
        Tab::Events => EVENTS,
        Tab::Channels => CHANNELS,
        Tab::Pollers => POLLERS,
    }
}

const OPEN: &[Column] = &[
    Column::new("", 0),
    Column::new("IMPACT", 3),
    Column::new("PROVIDER", 0).shrinks(8),
    Column::new("TITLE", 0).shrinks(10).fills(),
    Column::new("STATUS", 2),
    Column::new("AGE", 1),
    Column::new("NOTIFIED", 4).shrinks(10),
];

const PROVIDERS: &[Column] = &[
    Column::new("", 0),
    Column::new("PROVIDER", 0).shrinks(10).fills(),
    Column::new("STATUS", 0).shrinks(11),
    Column::new("OPEN", 2),
    Column::new("FRESHNESS", 3),
    Column::new("LAST READ", 1),
];

const EVENTS: &[Column] = &[
    Column::new("TIME", 0),
    Column::new("", 0),
    Column::new("IMPACT", 2),
    Column::new("PROVIDER", 0).shrinks(8),
    Column::new("TITLE", 0).shrinks(10).fills(),
    Column::new("STATUS", 1),
];

const CHANNELS: &[Column] = &[
    Column::new("", 0),
    Column::new("CHANNEL", 0).shrinks(8),
    Column::new("KIND", 3),
    Column::new("HEALTH", 0),
    Column::new("WAITING", 1),
    Column::new("OLDEST", 2),
    Column::new("HELD", 5),
    Column::new("DEAD", 2),
    Column::new("24 H", 6),
    Column::new("LAST ERROR", 4).shrinks(10).fills(),
];

const POLLERS: &[Column] = &[
    Column::new("PROVIDER", 0).shrinks(8),
    Column::new("SOURCE", 5),
    Column::new("LAST", 1),
    Column::new("NEXT", 2),
    Column::new("EVERY", 4),
    Column::new("FAILED", 0),
    Column::new("RESTARTS", 3),
    Column::new("LAST RESULT", 0).shrinks(10).fills(),
];

/// Returns the cells of a line, in the order of its columns.
pub(super) fn cells(entry: Entry, facts: &Facts, states: &[State], now: Time) -> Vec<Cell> {
    let provider = |index: usize| facts.providers.get(index).zip(states.get(index));
    let cells = match entry {
        Entry::Item(index) => facts.open.get(index).map(|item| open(item, facts, now)),
        Entry::Blind(index) => provider(index).map(|(row, state)| blind(row, *state, now)),
        Entry::Provider(index) => provider(index).map(|(row, state)| present(row, *state, now)),
        Entry::Event(index) => facts.events.get(index).map(|event| {
            vec![
                time(event.observed_at, now).into(),
                sign(event.impact),
                impact(event.impact),
                event.provider_name.as_str().into(),
                event.title.as_str().into(),
                lower(&event.status.label()).into(),
            ]
        }),
        Entry::Sink(index) => facts.sinks.get(index).map(sink),
        Entry::Channel(index) => facts.channels.get(index).map(|row| channel(row, now)),
        Entry::Poller(index) => facts.providers.get(index).map(|row| poller(row, now)),
    };
    cells.unwrap_or_default()
}

/// Returns the sign of an impact, which means the same without color.
pub(super) fn sign(impact: Impact) -> Cell {
    let sign = match impact {
        Impact::Critical | Impact::Major => "●",
        Impact::Minor => "◐",
        Impact::Maintenance => "◆",
        Impact::None => "○",
        Impact::Unknown => "?",
    };
    Cell::new(sign, tone(impact))
}

const fn tone(impact: Impact) -> Tone {
    match impact {
        Impact::Critical | Impact::Major => Tone::Bad,
        Impact::Minor | Impact::Unknown => Tone::Warning,
        Impact::Maintenance => Tone::Planned,
        Impact::None => Tone::Good,
    }
}

fn impact(impact: Impact) -> Cell {
    Cell::new(impact.as_str(), tone(impact))
}

/// `Monitoring` of a known status; what an unknown one says.
pub(super) fn status_word(status: &str) -> String {
    lower(&status.parse().map_or_else(|_| status.to_owned(), |status: Status| status.label()))
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// Returns how long ago, or in how long.
pub(super) fn age(time: Option<Time>, now: Time) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let seconds = (now - time).num_seconds();
    let age = span(seconds.unsigned_abs());
    if seconds < 0 { format!("in {age}") } else { age }
}

/// Returns the hour of a time within a day, else its date too.
pub(super) fn time(time: Time, now: Time) -> String {
    let is_near = (now - time).num_hours().abs() < 12;
    time.format(if is_near { "%H:%M:%S" } else { "%m-%d %H:%M" }).to_string()
}

fn open(item: &OpenItem, facts: &Facts, now: Time) -> Vec<Cell> {
    let title = if item.title.trim().is_empty() { "(no title)" } else { &item.title };
    let began = if is_announced(item) {
        item.scheduled_for
    } else {
        item.started_at.or(item.scheduled_for)
    };
    let shown = if item.kind == Kind::Maintenance { Impact::Maintenance } else { item.impact };
    vec![
        sign(shown),
        impact(shown),
        name_of(facts, &item.provider).into(),
        title.into(),
        status_word(&item.status).into(),
        age(began, now).into(),
        notified(facts.notified_of(item)),
    ]
}

/// `pager ✓ ops …`: which channels know of it.
fn notified(channels: &[(String, bool)]) -> Cell {
    let waits = channels.iter().any(|(_, accepted)| !accepted);
    let mark = |(channel, accepted): &(String, bool)| {
        format!("{channel} {}", if *accepted { '✓' } else { '…' })
    };
    let text = channels.iter().map(mark).collect::<Vec<_>>().join(" ");
    match (text.is_empty(), waits) {
        (true, _) => Cell::new("-", Tone::Dim),
        (false, waits) => Cell::new(&text, if waits { Tone::Warning } else { Tone::Plain }),
    }
}

/// A provider that cannot be seen, among what is open.
fn blind(row: &ProviderRow, state: State, now: Time) -> Vec<Cell> {
    let age = age(row.last_success_at, now);
    let known = state.last_known.label().to_lowercase();
    let title = match state.freshness {
        Freshness::Doubted => {
            format!("last answer rejected: {}", row.doubt.as_deref().unwrap_or("implausible"))
        }
        _ if row.last_success_at.is_none() => "never read".to_owned(),
        _ => format!("no good answer for {age}; was {known}"),
    };
    let tone = freshness_tone(state.freshness);
    vec![
        Cell::new("?", tone),
        Cell::new(state.freshness.word(), tone),
        row.name.as_str().into(),
        title.into(),
        short_error(row).into(),
        age.into(),
        Cell::new("-", Tone::Dim),
    ]
}

/// Why the last poll failed, in a few words.
fn short_error(row: &ProviderRow) -> String {
    let outcome = row.last_outcome.as_deref().filter(|_| row.last_error.is_some());
    crate::text::one_line(outcome.unwrap_or("-"), 16)
}

const fn freshness_tone(freshness: Freshness) -> Tone {
    match freshness {
        Freshness::Fresh => Tone::Plain,
        Freshness::Unreachable => Tone::Bad,
        Freshness::Doubted | Freshness::Stale | Freshness::Never => Tone::Warning,
    }
}

fn present(row: &ProviderRow, state: State, now: Time) -> Vec<Cell> {
    let label = match state.status {
        ComponentStatus::Unknown if state.last_known != ComponentStatus::Unknown => {
            format!("unknown, was {}", state.last_known.label().to_lowercase())
        }
        status => status.label().to_lowercase(),
    };
    vec![
        sign(state.status.impact()),
        row.name.as_str().into(),
        Cell::new(&label, tone(state.status.impact())),
        count(state.open as u64, Tone::Plain),
        Cell::new(state.freshness.word(), freshness_tone(state.freshness)),
        age(row.last_success_at, now).into(),
    ]
}

fn count(count: u64, tone: Tone) -> Cell {
    if count == 0 { Cell::new("-", Tone::Dim) } else { Cell::new(&count.to_string(), tone) }
}

fn sink(sink: &SinkRow) -> Vec<Cell> {
    let (sign, health, tone) = match sink.failure {
        None => ("○", "ok", Tone::Good),
        Some(_) => ("●", "down", Tone::Bad),
    };
    let dash = || Cell::new("-", Tone::Dim);
    vec![
        Cell::new(sign, tone),
        sink.id.as_str().into(),
        "sink".into(),
        Cell::new(health, tone),
        count(sink.behind, Tone::Warning),
        dash(),
        dash(),
        dash(),
        dash(),
        sink.failure.as_deref().unwrap_or("-").into(),
    ]
}

fn channel(row: &ChannelRow, now: Time) -> Vec<Cell> {
    let state = &row.state;
    let (sign, tone) = match state.health {
        ChannelHealth::Ok => ("○", Tone::Good),
        ChannelHealth::Failing => ("◐", Tone::Warning),
        ChannelHealth::Broken => ("●", Tone::Bad),
        ChannelHealth::Removed => ("-", Tone::Dim),
    };
    // A failure of the past is no failure of the present.
    let error = state.last_error.as_deref().filter(|_| state.health != ChannelHealth::Ok);
    vec![
        Cell::new(sign, tone),
        state.id.as_str().into(),
        state.kind.as_str().into(),
        Cell::new(state.health.as_str(), tone),
        count(row.waiting, Tone::Warning),
        age(row.oldest_at, now).into(),
        count(row.held, Tone::Plain),
        count(row.dead, Tone::Bad),
        count(row.delivered_today, Tone::Plain),
        error.unwrap_or("-").into(),
    ]
}

fn poller(row: &ProviderRow, now: Time) -> Vec<Cell> {
    let every = row.real_interval_ms.unwrap_or(row.interval_ms).max(0) / 1000;
    let result = match &row.last_error {
        Some(error) => Cell::new(error, Tone::Warning),
        None => Cell::new(row.last_outcome.as_deref().unwrap_or("-"), Tone::Plain),
    };
    let restarts = if row.parked { Tone::Bad } else { Tone::Plain };
    vec![
        row.name.as_str().into(),
        row.source.as_deref().unwrap_or("-").into(),
        age(row.last_poll_at, now).into(),
        age(row.next_poll_at, now).into(),
        span(every.unsigned_abs()).into(),
        count(u64::from(row.failures), Tone::Warning),
        count(u64::from(row.restarts), restarts),
        result,
    ]
}
