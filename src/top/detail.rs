//! The details of one line: what the page says, and the timeline.

use super::cells::{self, age, status_word, time};
use super::entry::{Entry, State, name_of};
use super::facts::{Details, Facts};
use super::table::Tone;
use crate::event::{StatusEvent, Time, format_time};
use crate::ledger::{OpenItem, ProviderRow};
use crate::text::{one_line, plain};
use crate::view::link;

/// Characters of one message that are shown.
const MESSAGE: usize = 4_000;

/// A paragraph of the details, which is wrapped when it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// What stands before it: a time and a status.
    pub(super) label: String,
    /// One line of text without control characters.
    pub(super) text: String,
    /// The color of the label.
    pub(super) tone: Tone,
}

impl Line {
    fn new(label: &str, text: &str) -> Self {
        let (label, text) = (one_line(label, 60), one_line(text, MESSAGE));
        Self { label, text, tone: Tone::Dim }
    }
}

/// Returns the details of a line, the newest update first.
pub(super) fn lines(
    entry: Entry,
    facts: &Facts,
    states: &[State],
    read: Option<&Details>,
    now: Time,
) -> Vec<Line> {
    let mut lines = match entry {
        Entry::Item(index) => facts.open.get(index).map(|item| about_item(item, facts, now)),
        Entry::Blind(index) | Entry::Provider(index) | Entry::Poller(index) => {
            let row = facts.providers.get(index).zip(states.get(index));
            row.map(|(row, state)| about_provider(row, *state, now))
        }
        Entry::Event(index) => facts.events.get(index).map(|event| {
            let mut lines =
                vec![Line::new("", &format!("{}: {}", event.provider_name, event.title))];
            lines.extend(update(event, now));
            lines.extend(link(event.url.as_deref()).map(|url| Line::new("page", url)));
            lines.push(Line::new("published", &format_time(event.published_at)));
            lines.push(Line::new("seq", &event.seq.to_string()));
            lines
        }),
        Entry::Sink(index) => facts.sinks.get(index).map(|sink| {
            let mut lines = vec![Line::new("", &sink.id)];
            lines.extend(sink.failure.as_ref().map(|error| Line::new("error", error)));
            lines.push(Line::new("delivered", &format!("up to event {}", sink.seq)));
            lines
        }),
        Entry::Channel(index) => facts.channels.get(index).map(|row| {
            let state = &row.state;
            let title = format!("{} ({}): {}", state.id, state.kind, state.health.as_str());
            let mut lines = vec![Line::new("", &title)];
            lines.extend(state.last_error.as_ref().map(|error| {
                let at = row.last_error_at.map_or_else(|| "-".to_owned(), |at| time(at, now));
                Line::new("last error", &format!("{at}: {error}"))
            }));
            lines.extend(state.probe_at.map(|at| Line::new("tried again", &age(Some(at), now))));
            lines.extend(
                row.last_success_at
                    .map(|at| Line::new("last accepted", &format!("{} ago", age(Some(at), now)))),
            );
            lines
        }),
    }
    .unwrap_or_default();
    match read {
        Some(Details::Events(events)) => {
            let of_many = !matches!(entry, Entry::Item(_));
            for event in events {
                if of_many {
                    lines.push(Line::new(&time(event.observed_at, now), &event.title));
                }
                lines.extend(update(event, now));
            }
        }
        Some(Details::DeadLetters(dead)) => lines.extend(dead.iter().map(|letter| {
            Line::new("given up", &format!("{}: {}", time(letter.at, now), letter.reason))
        })),
        None => {}
    }
    lines
}

/// An update: the provider's time, the status, and the message, a line for each of its paragraphs.
fn update(event: &StatusEvent, now: Time) -> Vec<Line> {
    let label = format!("{} {}", time(event.published_at, now), status_word(event.status.as_str()));
    let message = plain(event.message.as_deref().unwrap_or_default());
    let message = crate::text::head(&message, MESSAGE);
    let mut paragraphs = message.lines().filter(|line| !line.is_empty());
    let mut first = Line::new(&label, paragraphs.next().unwrap_or("(no text)"));
    first.tone = cells::sign(event.impact).tone;
    std::iter::once(first).chain(paragraphs.map(|line| Line::new("", line))).collect()
}

fn about_item(item: &OpenItem, facts: &Facts, now: Time) -> Vec<Line> {
    let title = if item.title.trim().is_empty() { "(no title)" } else { &item.title };
    let mut lines = vec![Line::new("", &format!("{}: {title}", name_of(facts, &item.provider)))];
    let names: Vec<&str> =
        item.components.iter().map(|component| component.name.as_str()).collect();
    if !names.is_empty() {
        lines.push(Line::new("affects", &names.join(", ")));
    }
    let window = [("from", item.scheduled_for), ("until", item.scheduled_until)];
    for (label, at) in window.into_iter().filter_map(|(label, at)| Some((label, at?))) {
        let relative = crate::view::when::relative(at, now);
        lines.push(Line::new(label, &format!("{} ({relative})", format_time(at))));
    }
    lines.extend(link(item.url.as_deref()).map(|url| Line::new("page", url)));
    lines
}

fn about_provider(row: &ProviderRow, state: State, now: Time) -> Vec<Line> {
    let mut lines = vec![Line::new(
        "",
        &format!("{} ({}): {}", row.name, row.id, state.status.label().to_lowercase()),
    )];
    if state.status != state.last_known {
        lines.push(Line::new("last known", &state.last_known.label().to_lowercase()));
    }
    let ago = |at: Option<Time>| at.map(|at| crate::view::when::relative(at, now));
    let facts = [
        ("last read", ago(row.last_success_at)),
        ("next poll", ago(row.next_poll_at)),
        ("last error", row.last_error.clone()),
        ("rejected", row.doubt.clone()),
        ("suspect", row.suspect.clone()),
        ("waits until", row.retry_until.filter(|until| *until > now).map(format_time)),
        ("restarted", row.last_restart_cause.clone()),
        ("parked", row.parked.then(|| "restarted too often; tried at long intervals".to_owned())),
        ("not read until", row.quarantined_until.filter(|until| *until > now).map(format_time)),
        ("page", link(row.page_url.as_deref()).map(str::to_owned)),
    ];
    lines.extend(facts.into_iter().filter_map(|(label, text)| Some(Line::new(label, &text?))));
    lines
}
