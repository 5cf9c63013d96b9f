//! What readers of the ledger are shown: providers, open items and sinks. They are also what `top` on
//! another machine is sent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Component, Impact, Kind, Time};
use crate::snapshot::UnreadTimes;

/// A provider as shown by `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderRow {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// The detected platform.
    pub source: Option<String>,
    /// The page for people.
    pub page_url: Option<String>,
    /// The worst impact of components and open incidents at the last change; `None` if never read.
    pub impact: Option<Impact>,
    /// Whether it is in the current configuration.
    pub watched: bool,
    /// Milliseconds between polls.
    pub interval_ms: i64,
    /// Milliseconds without a successful poll after which it is stale.
    pub stale_after_ms: i64,
    /// When it was first declared.
    pub first_watched_at: Option<Time>,
    /// The last poll, successful or not.
    pub last_poll_at: Option<Time>,
    /// The last successful poll.
    pub last_success_at: Option<Time>,
    /// The last poll with something new.
    pub last_change_at: Option<Time>,
    /// `changed`, `same`, `unchanged` or a kind of failure.
    pub last_outcome: Option<String>,
    /// Why the last poll failed.
    pub last_error: Option<String>,
    /// When the next poll is due.
    pub next_poll_at: Option<Time>,
    /// No poll before this time, as requested by its host.
    pub retry_until: Option<Time>,
    /// Who asked for the delay.
    pub retry_by: Option<String>,
    /// Milliseconds between polls that its host allows, if longer than configured.
    pub real_interval_ms: Option<i64>,
    /// When its server last answered "not modified" although the page had changed.
    pub false_304_at: Option<Time>,
    /// Until when requests are unconditional because of a false 304.
    pub unconditional_until: Option<Time>,
    /// Consecutive failed polls.
    pub failures: u32,
    /// Whether it is reported as unreachable.
    pub unreachable: bool,
    /// Total restarts of its poller.
    pub restarts: u32,
    /// The last restart.
    pub last_restart_at: Option<Time>,
    /// The cause of the last restart.
    pub last_restart_cause: Option<String>,
    /// Whether it exceeded the restart intensity and is retried at long intervals.
    pub parked: bool,
    /// Not read before this time because its document killed the process.
    pub quarantined_until: Option<Time>,
    /// Why its responses are suspicious, in human-readable form.
    pub suspect: Option<String>,
    /// Number of new events dropped because their ids were taken: a bug.
    pub dropped_events: u32,
    /// Times that could not be parsed at the last poll that returned a document.
    pub unread_times: UnreadTimes,
    /// Why its last response was rejected, in human-readable form.
    pub doubt: Option<String>,
    /// Since when its responses have been rejected.
    pub doubt_since: Option<Time>,
}

/// An open incident or maintenance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenItem {
    /// The provider.
    pub provider: String,
    /// The native id.
    pub incident_id: String,
    /// Incident or maintenance.
    pub kind: Kind,
    /// Plain text.
    pub title: String,
    /// Its status word.
    pub status: String,
    /// Its impact.
    pub impact: Impact,
    /// The page for people.
    pub url: Option<String>,
    /// When it began.
    pub started_at: Option<Time>,
    /// Maintenance: the window's begin.
    pub scheduled_for: Option<Time>,
    /// Maintenance: the window's end.
    pub scheduled_until: Option<Time>,
    /// What is affected.
    pub components: Vec<Component>,
}

/// A sink as shown by `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SinkRow {
    /// Its id.
    pub id: String,
    /// The last delivered event.
    pub seq: u64,
    /// Number of undelivered events.
    pub behind: u64,
    /// Why it is down.
    pub failure: Option<String>,
    /// Its last delivery.
    pub delivered_at: Option<Time>,
}

/// A query for events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Providers; empty for all.
    pub providers: Vec<String>,
    /// Earliest observation time.
    pub since: Option<Time>,
    /// Kinds; empty for all.
    pub kinds: Vec<Kind>,
    /// Impacts; empty for all.
    pub impacts: Vec<Impact>,
    /// Keep only this many of the newest events; `None` for all.
    pub limit: Option<usize>,
}

/// The times of one update: of the provider's clock and ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateTimes {
    /// What it is about.
    pub kind: Kind,
    /// Whether it is the first that was reported of its incident.
    pub first: bool,
    /// 1, or more for an edit.
    pub revision: u32,
    /// Whether it was published before the provider was first watched.
    pub backfill: bool,
    /// When the incident began, as the provider says.
    pub started_at: Option<Time>,
    /// The provider's time of the update, or the time of observation if it gives none.
    pub published_at: Time,
    /// When it was observed.
    pub observed_at: Time,
}
