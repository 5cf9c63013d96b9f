//! `status` as people read it: a table, and what is wrong. Pure like the view it shows.

use std::time::Duration;

use super::output::Paint;
use super::table::{Cell, Table, one_line};
use super::view_status::{Freshness, OpenView, ProviderView, SinkView, view};
use super::when;
use crate::event::{ComponentStatus, Status, Time};
use crate::ledger::{OpenItem, ProviderRow, SinkRow};
use crate::poller::host_load::shown;

/// The text people read: a table, then what is open, then what is wrong with the watching itself.
#[must_use]
pub fn render(
    rows: &[ProviderRow],
    open: &[OpenItem],
    sinks: &[SinkRow],
    now: Time,
    colour: bool,
) -> String {
    if rows.is_empty() {
        return "No provider is watched.\n".to_owned();
    }
    let view = view(rows, open, sinks, now);
    let mut table = Table::new(&[
        "PROVIDER",
        "STATUS",
        "OPEN",
        "FRESHNESS",
        "LAST POLL",
        "NEXT POLL",
        "RESTARTS",
    ]);
    for (row, provider) in rows.iter().zip(&view.providers) {
        table.row([
            provider.name.as_str().into(),
            Cell::painted(&provider.status.label(), status_paint(provider.status)),
            if provider.open.is_empty() { "-".to_owned() } else { provider.open.len().to_string() }
                .into(),
            Cell::painted(provider.freshness.word(), freshness_paint(provider.freshness)),
            row.last_success_at
                .map_or_else(|| "never".to_owned(), |last| when::relative(last, now))
                .into(),
            row.next_poll_at
                .map_or_else(|| "-".to_owned(), |next| when::relative(next, now))
                .into(),
            if provider.restarts == 0 { "-".to_owned() } else { provider.restarts.to_string() }
                .into(),
        ]);
    }
    let mut out = table.render(colour);
    for provider in &view.providers {
        for item in &provider.open {
            out.push_str(&open_block(provider, item));
        }
    }
    let troubles: String =
        view.providers.iter().map(trouble).chain(view.sinks.iter().map(sink_trouble)).collect();
    if !troubles.is_empty() {
        out.push('\n');
        out.push_str(&troubles);
    }
    out
}

fn open_block(provider: &ProviderView, item: &OpenView) -> String {
    let title = if item.title.trim().is_empty() { "(no title)" } else { &item.title };
    let status =
        item.status.parse().map_or_else(|_| item.status.clone(), |status: Status| status.label());
    let facts = [
        Some(format!("{status}, {}", item.impact)),
        item.started_at.as_ref().map(|since| format!("since {since}")),
        item.scheduled_for.as_ref().map(|from| format!("from {from}")),
        item.scheduled_until.as_ref().map(|until| format!("until {until}")),
    ];
    let lines = [
        Some(format!("{}: {}", provider.name, one_line(title))),
        Some(format!("  {}", facts.into_iter().flatten().collect::<Vec<_>>().join(", "))),
        (!item.components.is_empty()).then(|| format!("  affects {}", item.components.join(", "))),
        item.url.as_ref().map(|url| format!("  {url}")),
    ];
    std::iter::once("\n".to_owned())
        .chain(lines.into_iter().flatten().map(|line| safe_line(&line)))
        .collect()
}

/// A line for each thing that is wrong with the watching of a provider.
fn trouble(provider: &ProviderView) -> String {
    let stale = provider.freshness != Freshness::Fresh
        && provider.last_known_status != ComponentStatus::Unknown;
    let times = if provider.failures > 1 {
        format!(" ({} times in a row)", provider.failures)
    } else {
        String::new()
    };
    let lines = [
        stale.then(|| {
            format!("last known as {}", provider.last_known_status.label().to_lowercase())
        }),
        provider.doubt.as_ref().map(|why| {
            let since = provider.doubt_since.as_deref().unwrap_or("an unknown time");
            format!("not believed since {since}: {why}")
        }),
        // Of another page's answer the poll failed for the same reason.
        provider
            .last_error
            .as_ref()
            .filter(|_| provider.last_error != provider.doubt)
            .map(|error| format!("the last poll failed{times}: {error}")),
        provider.wait_until.as_ref().map(|until| {
            let host = provider.wait_asked_by.as_deref().unwrap_or("its host");
            format!("not polled before {until}: {host} asked for it")
        }),
        provider.real_interval.map(|real| {
            let shown =
                |seconds: f64| shown(Duration::try_from_secs_f64(seconds).unwrap_or_default());
            format!(
                "polled every {}, not every {}: its host has too many providers for host_pace",
                shown(real),
                shown(provider.interval)
            )
        }),
        provider.false_not_modified.as_ref().map(|at| {
            let until = provider.unconditional_until.as_ref();
            let until = until.map(|until| format!("; asked for in full until {until}"));
            format!(
                "the server answered 304 (Not Modified) although the page had changed, last at {at}{}",
                until.unwrap_or_default()
            )
        }),
        provider
            .last_restart_cause
            .as_ref()
            .map(|cause| format!("restarted last because of: {cause}")),
        provider
            .parked
            .then(|| "restarted too often: it is tried again at long intervals".to_owned()),
        provider
            .quarantined_until
            .as_ref()
            .map(|until| format!("its document killed the process: not read before {until}")),
        provider.suspect.as_ref().map(|why| format!("suspect: {why}")),
        (provider.dropped_events > 0).then(|| {
            format!(
                "events dropped as already reported: {}. This is a defect in statuswatch, please report it",
                provider.dropped_events
            )
        }),
        provider.unread_times.warning(),
    ];
    lines
        .into_iter()
        .flatten()
        .map(|line| safe_line(&format!("{}: {line}", provider.name)))
        .collect()
}

fn sink_trouble(sink: &SinkView) -> String {
    let Some(trouble) = &sink.trouble else {
        return String::new();
    };
    safe_line(&format!("{}: down, {} events wait: {trouble}", sink.id, sink.behind))
}

/// A line with its line feed; what indents it stays.
fn safe_line(line: &str) -> String {
    let text = line.trim_start_matches(' ');
    let mut out = " ".repeat(line.len() - text.len());
    out.push_str(&one_line(text));
    out.push('\n');
    out
}

const fn status_paint(status: ComponentStatus) -> Paint {
    match status {
        ComponentStatus::Operational => Paint::Green,
        ComponentStatus::MajorOutage | ComponentStatus::PartialOutage => Paint::Red,
        _ => Paint::Yellow,
    }
}

const fn freshness_paint(freshness: Freshness) -> Paint {
    match freshness {
        Freshness::Fresh => Paint::Plain,
        Freshness::Stale | Freshness::Doubted | Freshness::Never => Paint::Yellow,
        Freshness::Unreachable => Paint::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::view_status::tests::{incident, now, row, time};
    use crate::event::Impact;

    #[test]
    fn people_read_a_table_what_is_open_and_what_is_wrong() {
        let rows = [
            ProviderRow {
                next_poll_at: Some(time("2026-02-23T12:00:40Z")),
                suspect: Some(
                    "the page is readable but has not changed since 2026-01-02".to_owned(),
                ),
                dropped_events: 2,
                ..row("acme", Some(Impact::None), Some("2026-02-23T11:58:00Z"))
            },
            ProviderRow {
                unreachable: true,
                failures: 7,
                last_error: Some("connection \u{1b}[31mrefused\nby peer".to_owned()),
                restarts: 2,
                last_restart_cause: Some("panicked: boom".to_owned()),
                ..row("other", Some(Impact::None), Some("2026-02-23T10:00:00Z"))
            },
        ];
        let open = [incident("acme", Status::Investigating, Impact::Minor)];
        let sinks = [SinkRow {
            id: "event_log".to_owned(),
            seq: 7,
            behind: 3,
            trouble: Some("disk full".to_owned()),
            delivered_at: None,
        }];
        insta::assert_snapshot!(render(&rows, &open, &sinks, now(), false), @"
        PROVIDER  STATUS                OPEN  FRESHNESS    LAST POLL  NEXT POLL  RESTARTS
        ACME      Degraded performance  1     fresh        2m ago     in 40s     -
        OTHER     Unknown               -     unreachable  2h ago     -          2

        ACME: Slow answers
          Investigating, minor, since 2026-02-23T11:00:00Z
          affects API
          https://status.acme.example/i1

        ACME: suspect: the page is readable but has not changed since 2026-01-02
        ACME: events dropped as already reported: 2. This is a defect in statuswatch, please report it
        OTHER: last known as operational
        OTHER: the last poll failed (7 times in a row): connection [31mrefused by peer
        OTHER: restarted last because of: panicked: boom
        event_log: down, 3 events wait: disk full
        ");
    }
}
