//! `status`: from what the ledger knows to what people and programs are shown. Pure: the present is an argument.
//!
//! A provider that has not been read within its `stale_after` is shown as unknown, whatever was last seen:
//! not knowing is never shown as operational.

use std::time::Duration;

use serde::Serialize;

use super::output::Paint;
use super::table::{Cell, Table, one_line};
use super::when;
use crate::event::{ComponentStatus, Impact, Kind, Status, Time, format_time};

/// What is known of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderRow {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// The platform it was last read from.
    pub source: Option<String>,
    /// How bad it was at the last successful poll.
    pub impact: Option<Impact>,
    /// The last successful poll.
    pub last_success: Option<Time>,
    /// The next poll.
    pub next_poll: Option<Time>,
    /// Why the last poll failed; `None` after a successful one.
    pub last_error: Option<String>,
    /// Failed polls since the last successful one.
    pub failures: u64,
    /// Whether `unreachable` has been told and `reachable` not yet.
    pub unreachable: bool,
    /// Without a successful poll for so long it is stale.
    pub stale_after: Duration,
    /// How often its poller was restarted.
    pub restarts: u64,
    /// Why the last time.
    pub last_restart: Option<String>,
}

/// An incident or maintenance that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRow {
    /// The provider's id.
    pub provider: String,
    /// Incident or maintenance.
    pub kind: Kind,
    /// The platform's id.
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// How bad it is.
    pub impact: Impact,
    /// When it began.
    pub started_at: Option<Time>,
    /// When its latest update was published.
    pub updated_at: Option<Time>,
    /// The page a person would open.
    pub url: Option<String>,
}

/// How far what is known may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// Read within `stale_after`.
    Fresh,
    /// Not read for longer.
    Stale,
    /// Not read for longer, and `unreachable` has been told.
    Unreachable,
    /// Never read.
    Never,
}

impl Freshness {
    const fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Never => "never",
        }
    }
}

/// The whole answer of `status`, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusView {
    /// When it was asked.
    pub at: String,
    /// Whether at least one provider is fresh.
    pub healthy: bool,
    /// In the order of the rows given.
    pub providers: Vec<ProviderView>,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderView {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// The platform it was last read from.
    pub source: Option<String>,
    /// Where it stands now; `unknown` unless it is fresh.
    pub status: ComponentStatus,
    /// Where it stood when it was last read.
    pub last_known_status: ComponentStatus,
    /// How far that may be trusted.
    pub freshness: Freshness,
    /// Incidents and maintenances that are not over, as last known.
    pub open: Vec<OpenView>,
    /// The last successful poll.
    pub last_success: Option<String>,
    /// Seconds since.
    pub last_success_age: Option<i64>,
    /// The next poll.
    pub next_poll: Option<String>,
    /// Why the last poll failed.
    pub last_error: Option<String>,
    /// Failed polls since the last successful one.
    pub failures: u64,
    /// How often its poller was restarted.
    pub restarts: u64,
    /// Why the last time.
    pub last_restart: Option<String>,
}

/// One incident or maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenView {
    /// `incident` or `maintenance`.
    pub kind: Kind,
    /// The platform's id.
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// How bad it is.
    pub impact: Impact,
    /// When it began.
    pub started_at: Option<String>,
    /// When its latest update was published.
    pub updated_at: Option<String>,
    /// The page a person would open.
    pub url: Option<String>,
}

/// Makes the view at `now`.
#[must_use]
pub fn view(rows: &[ProviderRow], open: &[OpenRow], now: Time) -> StatusView {
    let providers: Vec<ProviderView> = rows.iter().map(|row| provider(row, open, now)).collect();
    let healthy = providers.iter().any(|provider| provider.freshness == Freshness::Fresh);
    StatusView { at: format_time(now), healthy, providers }
}

/// How far what is known of `row` may be trusted at `now`.
#[must_use]
pub fn freshness(row: &ProviderRow, now: Time) -> Freshness {
    let Some(last) = row.last_success else {
        return if row.unreachable { Freshness::Unreachable } else { Freshness::Never };
    };
    // A clock that was set back makes an age negative: that is no reason for doubt.
    let age = (now - last).to_std().unwrap_or_default();
    match (row.unreachable, age > row.stale_after) {
        (true, _) => Freshness::Unreachable,
        (false, true) => Freshness::Stale,
        (false, false) => Freshness::Fresh,
    }
}

fn provider(row: &ProviderRow, open: &[OpenRow], now: Time) -> ProviderView {
    let freshness = freshness(row, now);
    let mine: Vec<&OpenRow> = open.iter().filter(|item| item.provider == row.id).collect();
    let last_known_status = overall(row.impact, &mine);
    ProviderView {
        id: row.id.clone(),
        name: row.name.clone(),
        source: row.source.clone(),
        status: if freshness == Freshness::Fresh { last_known_status } else { ComponentStatus::Unknown },
        last_known_status,
        freshness,
        open: mine
            .iter()
            .map(|item| OpenView {
                kind: item.kind,
                id: item.id.clone(),
                title: item.title.clone(),
                status: item.status,
                impact: item.impact,
                started_at: item.started_at.map(format_time),
                updated_at: item.updated_at.map(format_time),
                url: item.url.clone(),
            })
            .collect(),
        last_success: row.last_success.map(format_time),
        last_success_age: row.last_success.map(|last| (now - last).num_seconds().max(0)),
        next_poll: row.next_poll.map(format_time),
        last_error: row.last_error.clone(),
        failures: row.failures,
        restarts: row.restarts,
        last_restart: row.last_restart.clone(),
    }
}

/// The worst that the page or an open incident says. A maintenance that is only announced changes nothing yet, and
/// an open incident of unknown impact means that not all is well, so the page's "none" is not repeated.
fn overall(page: Option<Impact>, open: &[&OpenRow]) -> ComponentStatus {
    let begun: Vec<Impact> = open.iter().filter(|item| item.status != Status::Scheduled).map(|item| item.impact).collect();
    let worst = begun.iter().copied().chain(page).max_by_key(|impact| impact.rank()).unwrap_or(Impact::Unknown);
    match worst {
        Impact::None if begun.contains(&Impact::Unknown) => ComponentStatus::Unknown,
        Impact::None => ComponentStatus::Operational,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::Major => ComponentStatus::PartialOutage,
        Impact::Critical => ComponentStatus::MajorOutage,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::Unknown => ComponentStatus::Unknown,
    }
}

/// The text people read: a table, then what is open, then what is wrong with the watching itself.
#[must_use]
pub fn render(rows: &[ProviderRow], open: &[OpenRow], now: Time, colour: bool) -> String {
    let view = view(rows, open, now);
    let mut table = Table::new(&["PROVIDER", "STATUS", "OPEN", "FRESHNESS", "LAST POLL", "NEXT POLL", "RESTARTS"]);
    for (row, provider) in rows.iter().zip(&view.providers) {
        table.row([
            provider.name.as_str().into(),
            Cell::painted(&provider.status.label(), status_paint(provider.status)),
            if provider.open.is_empty() { "-".to_owned() } else { provider.open.len().to_string() }.into(),
            Cell::painted(provider.freshness.word(), freshness_paint(provider.freshness)),
            row.last_success.map_or_else(|| "never".to_owned(), |last| when::relative(last, now)).into(),
            row.next_poll.map_or_else(|| "-".to_owned(), |next| when::relative(next, now)).into(),
            if provider.restarts == 0 { "-".to_owned() } else { provider.restarts.to_string() }.into(),
        ]);
    }
    let mut out = table.render(colour);
    for provider in &view.providers {
        for item in &provider.open {
            out.push_str(&open_block(provider, item));
        }
    }
    let troubles: String = view.providers.iter().map(trouble).collect();
    if !troubles.is_empty() {
        out.push('\n');
        out.push_str(&troubles);
    }
    out
}

fn open_block(provider: &ProviderView, item: &OpenView) -> String {
    let title = if item.title.trim().is_empty() { "(no title)".to_owned() } else { one_line(&item.title) };
    let facts = [
        Some(format!("{}, {}", item.status.label(), item.impact)),
        item.started_at.as_ref().map(|since| format!("since {since}")),
        item.updated_at.as_ref().map(|updated| format!("updated {updated}")),
    ];
    let facts = facts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let url = item.url.as_ref().map(|url| format!("  {}\n", one_line(url))).unwrap_or_default();
    format!("\n{}: {title}\n  {facts}\n{url}", one_line(&provider.name))
}

/// A line for each thing that is wrong with the watching of a provider.
fn trouble(provider: &ProviderView) -> String {
    let stale = provider.freshness != Freshness::Fresh && provider.last_known_status != ComponentStatus::Unknown;
    let times = if provider.failures > 1 { format!(" ({} times in a row)", provider.failures) } else { String::new() };
    let lines = [
        stale.then(|| format!("last known as {}", provider.last_known_status.label().to_lowercase())),
        provider.last_error.as_ref().map(|error| format!("the last poll failed{times}: {error}")),
        provider.last_restart.as_ref().map(|cause| format!("restarted last because of: {cause}")),
    ];
    lines.into_iter().flatten().flat_map(|line| [one_line(&format!("{}: {line}", provider.name)), "\n".to_owned()]).collect()
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
        Freshness::Stale | Freshness::Never => Paint::Yellow,
        Freshness::Unreachable => Paint::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    fn time(text: &str) -> Time {
        parse_time(text).unwrap()
    }

    fn now() -> Time {
        time("2026-02-23T12:00:00Z")
    }

    fn row(id: &str, impact: Option<Impact>, last_success: Option<&str>) -> ProviderRow {
        ProviderRow {
            id: id.to_owned(),
            name: id.to_uppercase(),
            impact,
            last_success: last_success.map(time),
            stale_after: Duration::from_mins(10),
            ..ProviderRow::default()
        }
    }

    fn incident(provider: &str, status: Status, impact: Impact) -> OpenRow {
        OpenRow {
            provider: provider.to_owned(),
            kind: Kind::Incident,
            id: "i1".to_owned(),
            title: "Slow answers".to_owned(),
            status,
            impact,
            started_at: Some(time("2026-02-23T11:00:00Z")),
            updated_at: None,
            url: Some("https://status.acme.example/i1".to_owned()),
        }
    }

    #[test]
    fn only_a_fresh_provider_is_operational() {
        let table = [
            (Some("2026-02-23T11:59:00Z"), false, Freshness::Fresh, ComponentStatus::Operational),
            (Some("2026-02-23T11:50:00Z"), false, Freshness::Fresh, ComponentStatus::Operational),
            (Some("2026-02-23T11:49:59Z"), false, Freshness::Stale, ComponentStatus::Unknown),
            (Some("2026-02-23T11:59:00Z"), true, Freshness::Unreachable, ComponentStatus::Unknown),
            (Some("2026-02-23T12:09:00Z"), false, Freshness::Fresh, ComponentStatus::Operational),
            (None, false, Freshness::Never, ComponentStatus::Unknown),
            (None, true, Freshness::Unreachable, ComponentStatus::Unknown),
        ];
        for (last, unreachable, freshness, status) in table {
            let row = ProviderRow { unreachable, ..row("acme", Some(Impact::None), last) };
            let view = view(&[row], &[], now());
            let provider = &view.providers[0];
            assert_eq!((provider.freshness, provider.status), (freshness, status), "{last:?} {unreachable}");
            assert_eq!(view.healthy, freshness == Freshness::Fresh);
        }
    }

    #[test]
    fn the_worst_open_incident_decides() {
        let fresh = Some("2026-02-23T11:59:00Z");
        let status = |page, open: &[OpenRow]| view(&[row("acme", page, fresh)], open, now()).providers[0].status;
        assert_eq!(
            status(Some(Impact::None), &[incident("acme", Status::Identified, Impact::Major)]),
            ComponentStatus::PartialOutage
        );
        assert_eq!(
            status(Some(Impact::None), &[incident("other", Status::Identified, Impact::Major)]),
            ComponentStatus::Operational
        );
        assert_eq!(
            status(Some(Impact::None), &[incident("acme", Status::Scheduled, Impact::Maintenance)]),
            ComponentStatus::Operational
        );
        assert_eq!(status(Some(Impact::None), &[incident("acme", Status::Update, Impact::Unknown)]), ComponentStatus::Unknown);
        assert_eq!(status(None, &[]), ComponentStatus::Unknown);
    }

    #[test]
    fn people_read_a_table_what_is_open_and_what_is_wrong() {
        let rows = [
            ProviderRow {
                next_poll: Some(time("2026-02-23T12:00:40Z")),
                ..row("acme", Some(Impact::None), Some("2026-02-23T11:58:00Z"))
            },
            ProviderRow {
                unreachable: true,
                failures: 7,
                last_error: Some("connection \u{1b}[31mrefused\nby peer".to_owned()),
                restarts: 2,
                last_restart: Some("panicked: boom".to_owned()),
                ..row("other", Some(Impact::None), Some("2026-02-23T10:00:00Z"))
            },
        ];
        let open = [incident("acme", Status::Investigating, Impact::Minor)];
        insta::assert_snapshot!(render(&rows, &open, now(), false), @"
        PROVIDER  STATUS                OPEN  FRESHNESS    LAST POLL  NEXT POLL  RESTARTS
        ACME      Degraded performance  1     fresh        2m ago     in 40s     -
        OTHER     Unknown               -     unreachable  2h ago     -          2

        ACME: Slow answers
          Investigating, minor, since 2026-02-23T11:00:00Z
          https://status.acme.example/i1

        OTHER: last known as operational
        OTHER: the last poll failed (7 times in a row): connection [31mrefused by peer
        OTHER: restarted last because of: panicked: boom
        ");
    }
}
