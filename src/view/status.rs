//! The present state: builds the view from the ledger's rows. Pure: the current time is an argument.
//!
//! A provider that was not read within its `stale_after` is shown as unknown, whatever its last known
//! state: an unknown state is never shown as operational.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time, format_time};
use crate::ledger::{OpenItem, OwnNetwork, ProviderRow, SinkRow};
use crate::snapshot::UnreadTimes;
use crate::text::one_line;

/// How current a provider's state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// Read within `stale_after`.
    Fresh,
    /// The last response was rejected: see `doubt`.
    Doubted,
    /// Not read for longer.
    Stale,
    /// Not read for longer, and reported as `unreachable`.
    Unreachable,
    /// Never read.
    Never,
}

impl Freshness {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Fresh, Self::Doubted, Self::Stale, Self::Unreachable, Self::Never];

    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Doubted => "doubted",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Never => "never",
        }
    }
}

/// The whole answer of `status`, as `--json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StatusView {
    /// When it was asked.
    pub at: String,
    /// Whether at least one provider is fresh, and we are not offline.
    pub healthy: bool,
    /// Our own network is down: since when, and what was seen.
    pub offline: Option<OfflineView>,
    /// In the order of the rows given.
    pub providers: Vec<ProviderView>,
    /// Where events are delivered.
    pub sinks: Vec<SinkView>,
}

/// An outage of our own network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OfflineView {
    /// Since when.
    pub since: String,
    /// What was seen when it began: `names do not resolve: 140 of 142 providers fail`.
    pub reason: Option<String>,
}

impl StatusView {
    /// The same, with what is known of our own network.
    #[must_use]
    pub fn with_network(mut self, own: &OwnNetwork) -> Self {
        self.offline = own
            .offline_since
            .map(|since| OfflineView { since: format_time(since), reason: own.seen.clone() });
        self.healthy &= self.offline.is_none();
        self
    }
}

/// `offline since 2026-02-23T11:48:00Z: names do not resolve: 140 of 142 providers fail`, where our
/// own network is down.
#[must_use]
pub fn offline_in_one_line(own: &OwnNetwork) -> Option<String> {
    let since = format_time(own.offline_since?);
    Some(match &own.seen {
        Some(seen) => format!("offline since {since}: {}", one_line(seen, usize::MAX)),
        None => format!("offline since {since}"),
    })
}

/// One sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SinkView {
    /// Its id.
    pub id: String,
    /// Delivered up to this event.
    pub seq: u64,
    /// Events that wait for it.
    pub behind: u64,
    /// Why it is down.
    pub trouble: Option<String>,
    /// Its last delivery.
    pub delivered_at: Option<String>,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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
    /// Not polled before this: its host asked for it.
    pub wait_until: Option<String>,
    /// Who asked for that, and what was asked for.
    pub wait_asked_by: Option<String>,
    /// Seconds between polls, as asked for.
    pub interval: f64,
    /// Seconds between polls that its host allows; null where that is as often as asked for.
    pub real_interval: Option<f64>,
    /// When its server last answered "not modified" although the page had changed.
    pub false_not_modified: Option<String>,
    /// Until when the page is asked for in full because of that.
    pub unconditional_until: Option<String>,
    /// Failed polls since the last successful one.
    pub failures: u32,
    /// How often its poller was restarted.
    pub restarts: u32,
    /// When the last time.
    pub last_restart: Option<String>,
    /// Why the last time.
    pub last_restart_cause: Option<String>,
    /// Restarted too often: tried again at long intervals.
    pub parked: bool,
    /// Its document killed the process: not read before this.
    pub quarantined_until: Option<String>,
    /// Why its answers are not to be trusted blindly.
    pub suspect: Option<String>,
    /// Events that were decided to be new and dropped, because their ids were in use: a defect.
    pub dropped_events: u32,
    /// Times of its documents that could not be read, and some of them.
    pub unread_times: UnreadTimes,
    /// Why its last response was rejected.
    pub doubt: Option<String>,
    /// Since when its responses have been rejected.
    pub doubt_since: Option<String>,
}

/// One incident or maintenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OpenView {
    /// `incident` or `maintenance`.
    pub kind: Kind,
    /// The platform's id.
    pub id: String,
    /// One line.
    pub title: String,
    /// Where it stands.
    pub status: String,
    /// How bad it is.
    pub impact: Impact,
    /// When it began.
    pub started_at: Option<String>,
    /// Maintenance: the window's begin.
    pub scheduled_for: Option<String>,
    /// Maintenance: the window's end.
    pub scheduled_until: Option<String>,
    /// Names of what is affected.
    pub components: Vec<String>,
    /// The page a person would open.
    pub url: Option<String>,
}

/// Makes the view at `now`.
#[must_use]
pub fn view(rows: &[ProviderRow], open: &[OpenItem], sinks: &[SinkRow], now: Time) -> StatusView {
    let mut by_provider: HashMap<&str, Vec<&OpenItem>> = HashMap::new();
    for item in open {
        by_provider.entry(&item.provider).or_default().push(item);
    }
    let providers: Vec<ProviderView> = rows
        .iter()
        .map(|row| provider(row, by_provider.get(row.id.as_str()).map_or(&[], Vec::as_slice), now))
        .collect();
    let healthy = providers.iter().any(|provider| provider.freshness == Freshness::Fresh);
    let sinks = sinks.iter().map(|sink| SinkView {
        id: sink.id.clone(),
        seq: sink.seq,
        behind: sink.behind,
        trouble: sink.failure.clone(),
        delivered_at: sink.delivered_at.map(format_time),
    });
    StatusView { at: format_time(now), healthy, offline: None, providers, sinks: sinks.collect() }
}

/// Returns the summary of all providers in one line:
/// `142 providers: 137 operational, 3 degraded, 2 unknown`.
#[must_use]
pub fn summary(providers: &[ProviderView]) -> String {
    let count = providers.len();
    let states: Vec<String> = ComponentStatus::ALL
        .iter()
        .filter_map(|&status| {
            let count = providers.iter().filter(|provider| provider.status == status).count();
            (count > 0).then(|| format!("{count} {}", short_label(status)))
        })
        .collect();
    format!("{count} provider{}: {}", if count == 1 { "" } else { "s" }, states.join(", "))
}

fn short_label(status: ComponentStatus) -> String {
    match status {
        ComponentStatus::DegradedPerformance => "degraded".to_owned(),
        other => other.label().to_lowercase(),
    }
}

/// Returns a number to sort by, the worst highest. What is unknown is worse than what is known to
/// be well, and less than what is known to be broken.
#[must_use]
pub const fn severity(impact: Impact) -> u8 {
    match impact {
        Impact::None => 0,
        Impact::Unknown => 1,
        other => other.rank(),
    }
}

/// How far what is known of `row` may be trusted at `now`.
#[must_use]
pub fn freshness(row: &ProviderRow, now: Time) -> Freshness {
    let Some(last) = row.last_success_at else {
        return if row.unreachable { Freshness::Unreachable } else { Freshness::Never };
    };
    // After the clock was set back an age is negative. A little is no reason for doubt; of more
    // its age is unknown.
    let age = (now - last).num_milliseconds().abs();
    match (row.unreachable, age > row.stale_after_ms, row.doubt_since.is_some()) {
        (true, ..) => Freshness::Unreachable,
        (false, true, _) => Freshness::Stale,
        (false, false, true) => Freshness::Doubted,
        (false, false, false) => Freshness::Fresh,
    }
}

/// Makes the view of one provider at `now`; `mine` are its open items.
#[must_use]
pub fn provider(row: &ProviderRow, mine: &[&OpenItem], now: Time) -> ProviderView {
    let freshness = freshness(row, now);
    let last_known_status = overall(row.impact, mine);
    let waits = row.retry_until.filter(|until| *until > now);
    ProviderView {
        id: row.id.clone(),
        name: row.name.clone(),
        source: row.source.clone(),
        status: if freshness == Freshness::Fresh {
            last_known_status
        } else {
            ComponentStatus::Unknown
        },
        last_known_status,
        freshness,
        open: mine.iter().copied().map(open_view).collect(),
        last_success: row.last_success_at.map(format_time),
        last_success_age: row.last_success_at.map(|last| (now - last).num_seconds().max(0)),
        next_poll: row.next_poll_at.map(format_time),
        last_error: row.last_error.clone(),
        wait_until: waits.map(format_time),
        wait_asked_by: waits.and_then(|_| row.retry_by.clone()),
        interval: row.interval_ms as f64 / 1000.0,
        real_interval: row.real_interval_ms.map(|real| real as f64 / 1000.0),
        false_not_modified: row.false_304_at.map(format_time),
        unconditional_until: row.unconditional_until.filter(|until| *until > now).map(format_time),
        failures: row.failures,
        restarts: row.restarts,
        last_restart: row.last_restart_at.map(format_time),
        last_restart_cause: row.last_restart_cause.clone(),
        parked: row.parked,
        quarantined_until: row.quarantined_until.filter(|until| *until > now).map(format_time),
        suspect: row.suspect.clone(),
        dropped_events: row.dropped_events,
        unread_times: row.unread_times.clone(),
        doubt: row.doubt.clone(),
        doubt_since: row.doubt_since.map(format_time),
    }
}

fn open_view(item: &OpenItem) -> OpenView {
    OpenView {
        kind: item.kind,
        id: item.incident_id.clone(),
        title: item.title.clone(),
        status: item.status.clone(),
        impact: item.impact,
        started_at: item.started_at.map(format_time),
        scheduled_for: item.scheduled_for.map(format_time),
        scheduled_until: item.scheduled_until.map(format_time),
        components: item.components.iter().map(|component| component.name.clone()).collect(),
        url: item.url.clone(),
    }
}

/// The worst that the page or an open incident says. A maintenance that is only announced changes
/// nothing yet. What is not known to be well is unknown: an open incident of unknown impact next to a
/// page that is well, and an unknown page next to an incident of no impact.
#[must_use]
pub fn overall(page: Option<Impact>, open: &[&OpenItem]) -> ComponentStatus {
    let begun = open
        .iter()
        .filter(|item| item.status != IncidentStatus::Scheduled.as_str())
        .map(|item| item.impact);
    match Impact::worst(begun.chain([page.unwrap_or(Impact::Unknown)])) {
        Impact::None => ComponentStatus::Operational,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::Major => ComponentStatus::PartialOutage,
        Impact::Critical => ComponentStatus::MajorOutage,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::Unknown => ComponentStatus::Unknown,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::parse_time;

    pub(crate) fn time(text: &str) -> Time {
        parse_time(text).unwrap()
    }

    pub(crate) fn now() -> Time {
        time("2026-02-23T12:00:00Z")
    }

    pub(crate) fn row(id: &str, impact: Option<Impact>, last_success: Option<&str>) -> ProviderRow {
        ProviderRow {
            id: id.to_owned(),
            name: id.to_uppercase(),
            source: Some("statuspage".to_owned()),
            page_url: None,
            impact,
            watched: true,
            interval_ms: 60_000,
            stale_after_ms: 600_000,
            first_watched_at: None,
            last_poll_at: None,
            last_success_at: last_success.map(time),
            last_change_at: None,
            last_outcome: None,
            last_error: None,
            next_poll_at: None,
            retry_until: None,
            retry_by: None,
            real_interval_ms: None,
            false_304_at: None,
            unconditional_until: None,
            failures: 0,
            unreachable: false,
            restarts: 0,
            last_restart_at: None,
            last_restart_cause: None,
            parked: false,
            quarantined_until: None,
            suspect: None,
            dropped_events: 0,
            unread_times: UnreadTimes::default(),
            doubt: None,
            doubt_since: None,
        }
    }

    pub(crate) fn incident(provider: &str, status: IncidentStatus, impact: Impact) -> OpenItem {
        OpenItem {
            provider: provider.to_owned(),
            kind: Kind::Incident,
            incident_id: "i1".to_owned(),
            title: "Slow answers".to_owned(),
            status: status.to_string(),
            impact,
            started_at: Some(time("2026-02-23T11:00:00Z")),
            scheduled_for: None,
            scheduled_until: None,
            components: vec![crate::snapshot::component(
                None,
                "API",
                None,
                ComponentStatus::DegradedPerformance,
            )],
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
            let view = view(&[row], &[], &[], now());
            let provider = &view.providers[0];
            assert_eq!(
                (provider.freshness, provider.status),
                (freshness, status),
                "{last:?} {unreachable}"
            );
            assert_eq!(view.healthy, freshness == Freshness::Fresh);
        }
    }

    #[test]
    fn the_worst_open_incident_decides() {
        let fresh = Some("2026-02-23T11:59:00Z");
        let status = |page, open: &[OpenItem]| {
            view(&[row("acme", page, fresh)], open, &[], now()).providers[0].status
        };
        let table = [
            (
                incident("acme", IncidentStatus::Identified, Impact::Major),
                ComponentStatus::PartialOutage,
            ),
            (
                incident("other", IncidentStatus::Identified, Impact::Major),
                ComponentStatus::Operational,
            ),
            (
                incident("acme", IncidentStatus::Scheduled, Impact::Maintenance),
                ComponentStatus::Operational,
            ),
            (
                incident("acme", IncidentStatus::InProgress, Impact::Maintenance),
                ComponentStatus::UnderMaintenance,
            ),
            (incident("acme", IncidentStatus::Update, Impact::Unknown), ComponentStatus::Unknown),
        ];
        for (item, expected) in table {
            assert_eq!(
                status(Some(Impact::None), std::slice::from_ref(&item)),
                expected,
                "{item:?}"
            );
        }
        assert_eq!(status(None, &[]), ComponentStatus::Unknown);
        // An unknown state does not become operational because an incident without impact is open.
        let notice = [incident("acme", IncidentStatus::Investigating, Impact::None)];
        for page in [None, Some(Impact::Unknown)] {
            assert_eq!(status(page, &notice), ComponentStatus::Unknown, "{page:?}");
        }
        assert_eq!(status(Some(Impact::None), &notice), ComponentStatus::Operational);
    }

    #[test]
    fn an_offline_statuswatch_is_not_healthy() {
        let rows = [row("acme", Some(Impact::None), Some("2026-02-23T11:59:00Z"))];
        let own = OwnNetwork {
            offline_since: Some(time("2026-02-23T11:58:00Z")),
            seen: Some("names do not resolve: 3 of 3 providers fail".to_owned()),
            outages: 1,
        };
        let offline = view(&rows, &[], &[], now()).with_network(&own);
        let json = serde_json::to_value(&offline).unwrap();
        assert_eq!(
            (&json["healthy"], &json["offline"]["since"]),
            (&false.into(), &"2026-02-23T11:58:00Z".into())
        );
        assert_eq!(
            offline_in_one_line(&own).unwrap(),
            "offline since 2026-02-23T11:58:00Z: names do not resolve: 3 of 3 providers fail"
        );
        let online = view(&rows, &[], &[], now()).with_network(&OwnNetwork::default());
        assert!(online.healthy && online.offline.is_none());
    }

    #[test]
    fn a_summary_counts_the_providers_by_state() {
        let fresh = Some("2026-02-23T11:59:00Z");
        let rows = [
            row("a", Some(Impact::None), fresh),
            row("b", Some(Impact::None), None),
            row("c", Some(Impact::Minor), fresh),
            row("d", Some(Impact::None), fresh),
            row("e", Some(Impact::Critical), fresh),
        ];
        let of = |rows: &[ProviderRow]| summary(&view(rows, &[], &[], now()).providers);
        assert_eq!(of(&rows), "5 providers: 2 operational, 1 degraded, 1 major outage, 1 unknown");
        assert_eq!(of(&rows[..1]), "1 provider: 1 operational");
    }

    /// Programs read these names.
    #[test]
    fn programs_read_the_same_as_json() {
        let open = [incident("acme", IncidentStatus::Investigating, Impact::Minor)];
        let view = view(
            &[row("acme", Some(Impact::None), Some("2026-02-23T10:00:00Z"))],
            &open,
            &[],
            now(),
        );
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(
            (&json["healthy"], &json["at"]),
            (&false.into(), &"2026-02-23T12:00:00Z".into())
        );
        let provider = &json["providers"][0];
        assert_eq!(
            (&provider["status"], &provider["last_known_status"]),
            (&"unknown".into(), &"degraded_performance".into())
        );
        assert_eq!(
            (&provider["freshness"], &provider["last_success_age"]),
            (&"stale".into(), &7200.into())
        );
        assert_eq!(provider["open"][0]["status"], "investigating");
        assert!(provider["last_error"].is_null());
    }
}
