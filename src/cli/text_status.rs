//! `status` as people read it: a table, and what is wrong. Pure like the view it shows.

use std::time::Duration;

use super::output::Paint;
use super::table::{Cell, Table, one_line};
use crate::event::{ComponentStatus, IncidentStatus, Kind, Status, Time, parse_time};
use crate::ledger::{OpenItem, ProviderRow, SinkRow};
use crate::poller::host_load::shown;
use crate::view::status::{
    Freshness, OpenView, ProviderView, SinkView, StatusView, severity, summary, view,
};
use crate::view::when;

/// Open items listed by [`present`]; the others are counted.
const LISTED: usize = 20;

/// Which providers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// All of them, in the order given.
    All,
    /// Those that are not fine, worst first; the others are counted.
    NotFine,
}

/// Renders the text people read: a summary, a table, what is open, and what is wrong with the
/// watching itself.
#[must_use]
pub fn render(
    rows: &[ProviderRow],
    open: &[OpenItem],
    sinks: &[SinkRow],
    now: Time,
    color: bool,
    shown: Shown,
) -> String {
    if rows.is_empty() {
        return "No provider is watched.\n".to_owned();
    }
    let StatusView { providers, sinks, .. } = view(rows, open, sinks, now);
    let mut out = summary(&providers) + "\n";
    let mut providers: Vec<(&ProviderRow, ProviderView)> = rows.iter().zip(providers).collect();
    let all = providers.len();
    if shown == Shown::NotFine {
        providers.retain(|(_, provider)| !is_fine(provider));
        providers
            .sort_by_key(|(_, provider)| std::cmp::Reverse(severity(provider.status.impact())));
    }
    let mut table = Table::new(&[
        "PROVIDER",
        "STATUS",
        "OPEN",
        "FRESHNESS",
        "LAST POLL",
        "NEXT POLL",
        "RESTARTS",
    ]);
    for (row, provider) in &providers {
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
    if !table.is_empty() {
        out.push('\n');
        out.push_str(&table.render(color));
    }
    match all - providers.len() {
        0 => {}
        hidden if providers.is_empty() => {
            out.push_str(&["All ", &hidden.to_string(), " are fine.\n"].concat());
        }
        1 => out.push_str("1 other provider is fine.\n"),
        hidden => out.push_str(&[&hidden.to_string(), " other providers are fine.\n"].concat()),
    }
    for (_, provider) in &providers {
        for item in &provider.open {
            out.push_str(&open_block(provider, item));
        }
    }
    let errors: String = providers
        .iter()
        .map(|(_, provider)| provider_errors(provider))
        .chain(sinks.iter().map(sink_error))
        .collect();
    if !errors.is_empty() {
        out.push('\n');
        out.push_str(&errors);
    }
    out
}

/// Renders the present state in short: what is open, worst first, and the summary.
#[must_use]
pub fn present(rows: &[ProviderRow], open: &[OpenItem], now: Time) -> String {
    let view = view(rows, open, &[], now);
    let mut items: Vec<(&ProviderView, &OpenView)> = view
        .providers
        .iter()
        .flat_map(|provider| provider.open.iter().map(move |item| (provider, item)))
        .filter(|(_, item)| !is_only_announced(item))
        .collect();
    items.sort_by_key(|(_, item)| {
        (item.kind == Kind::Maintenance, std::cmp::Reverse(severity(item.impact)))
    });
    let mut out = String::new();
    if !items.is_empty() {
        out.push_str("Open now, worst first:\n");
    }
    for (provider, item) in items.iter().take(LISTED) {
        let began = item.started_at.as_deref().and_then(parse_time);
        let began = began.map(|began| format!(", began {}", when::relative(began, now)));
        let what = format!(
            "{}: {} ({}{})",
            provider.name,
            title(item),
            status_label(item).to_lowercase(),
            began.unwrap_or_default()
        );
        let line = format!("  {:<11}  {}\n", item.impact.as_str(), one_line(&what));
        out.push_str(&line);
    }
    if items.len() > LISTED {
        out.push_str(&["  and ", &(items.len() - LISTED).to_string(), " more\n"].concat());
    }
    out + &summary(&view.providers) + "\n"
}

/// Whether there is nothing to say about a provider.
fn is_fine(provider: &ProviderView) -> bool {
    provider.status == ComponentStatus::Operational
        && provider.open.iter().all(is_only_announced)
        && provider_errors(provider).is_empty()
}

/// A maintenance that has not begun.
fn is_only_announced(item: &OpenView) -> bool {
    item.status == IncidentStatus::Scheduled.as_str()
}

fn title(item: &OpenView) -> String {
    if item.title.trim().is_empty() { "(no title)".to_owned() } else { one_line(&item.title) }
}

fn status_label(item: &OpenView) -> String {
    item.status.parse().map_or_else(|_| item.status.clone(), |status: Status| status.label())
}

fn open_block(provider: &ProviderView, item: &OpenView) -> String {
    let facts = [
        Some(format!("{}, {}", status_label(item), item.impact)),
        item.started_at.as_ref().map(|since| format!("since {since}")),
        item.scheduled_for.as_ref().map(|from| format!("from {from}")),
        item.scheduled_until.as_ref().map(|until| format!("until {until}")),
    ];
    let lines = [
        Some(format!("{}: {}", provider.name, title(item))),
        Some(format!("  {}", facts.into_iter().flatten().collect::<Vec<_>>().join(", "))),
        (!item.components.is_empty()).then(|| format!("  affects {}", item.components.join(", "))),
        item.url.as_ref().map(|url| format!("  {url}")),
    ];
    std::iter::once("\n".to_owned())
        .chain(lines.into_iter().flatten().map(|line| safe_line(&line)))
        .collect()
}

/// A line for each thing that is wrong with the watching of a provider.
fn provider_errors(provider: &ProviderView) -> String {
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

fn sink_error(sink: &SinkView) -> String {
    let Some(failure) = &sink.trouble else {
        return String::new();
    };
    safe_line(&format!("{}: down, {} events wait: {failure}", sink.id, sink.behind))
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
    use crate::event::Impact;
    use crate::view::status::tests::{incident, now, row, time};

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
        let open = [incident("acme", IncidentStatus::Investigating, Impact::Minor)];
        let sinks = [SinkRow {
            id: "event_log".to_owned(),
            seq: 7,
            behind: 3,
            failure: Some("disk full".to_owned()),
            delivered_at: None,
        }];
        insta::assert_snapshot!(render(&rows, &open, &sinks, now(), false, Shown::All), @"
        2 providers: 1 degraded, 1 unknown

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

    #[test]
    fn what_is_fine_is_only_counted() {
        let fresh = Some("2026-02-23T11:59:00Z");
        let fine = |id: &str| row(id, Some(Impact::None), fresh);
        let rows = [
            fine("acme"),
            row("never", None, None),
            row("broken", Some(Impact::Critical), fresh),
            fine("other"),
        ];
        let announced = incident("other", IncidentStatus::Scheduled, Impact::Maintenance);
        let render = |rows: &[ProviderRow]| {
            render(rows, std::slice::from_ref(&announced), &[], now(), false, Shown::NotFine)
        };
        insta::assert_snapshot!(render(&rows), @"
        4 providers: 2 operational, 1 major outage, 1 unknown

        PROVIDER  STATUS        OPEN  FRESHNESS  LAST POLL  NEXT POLL  RESTARTS
        BROKEN    Major outage  -     fresh      60s ago    -          -
        NEVER     Unknown       -     never      never      -          -
        2 other providers are fine.
        ");
        insta::assert_snapshot!(render(&[fine("acme"), fine("other")]), @"
        2 providers: 2 operational
        All 2 are fine.
        ");
    }

    #[test]
    fn the_present_state_lists_what_is_open_worst_first() {
        let fresh = Some("2026-02-23T11:59:00Z");
        let rows = [row("acme", None, fresh), row("other", Some(Impact::None), fresh)];
        let open = [
            incident("acme", IncidentStatus::Monitoring, Impact::Minor),
            OpenItem {
                kind: Kind::Maintenance,
                ..incident("acme", IncidentStatus::InProgress, Impact::Maintenance)
            },
            incident("other", IncidentStatus::Investigating, Impact::Critical),
            incident("other", IncidentStatus::Scheduled, Impact::Maintenance),
        ];
        insta::assert_snapshot!(present(&rows, &open, now()), @"
        Open now, worst first:
          critical     OTHER: Slow answers (investigating, began 60m ago)
          minor        ACME: Slow answers (monitoring, began 60m ago)
          maintenance  ACME: Slow answers (in progress, began 60m ago)
        2 providers: 1 degraded, 1 major outage
        ");
    }
}
