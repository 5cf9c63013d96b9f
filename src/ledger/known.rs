//! What is known of a provider and its items while a result is judged.

use crate::event::{IncidentKey, IncidentStatus, Kind, Time};

/// A run of rejected responses. It is part of the provider's row in the database, so that it
/// survives restarts and spans single runs; an accepted response ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct AnomalyStreak {
    /// When the run started.
    pub(super) since: Option<Time>,
    /// Responses older than an earlier one.
    pub(super) stale: u32,
    /// Responses with another page's id.
    pub(super) foreign: u32,
}

/// The state of a provider.
#[derive(Debug, Clone, Default)]
pub(super) struct ProviderState {
    /// Counts the moves of its page, as part of their ids.
    pub(super) epoch: u32,
    /// When the ids of its page last changed.
    pub(super) moved_at: Option<Time>,
    /// The platforms involved in recent changes, by name.
    pub(super) moved_between: String,
    /// The page's own id.
    pub(super) page_id: Option<String>,
    /// The page's own time in the last accepted document.
    pub(super) page_version: Option<Time>,
    /// The page's own time in the last document of which every detail was read.
    pub(super) complete_version: Option<Time>,
    /// When it was first read.
    pub(super) baseline_at: Option<Time>,
    /// When a document first listed past incidents.
    pub(super) recent_incidents_at: Option<Time>,
    /// When a document first listed past maintenances.
    pub(super) recent_maintenances_at: Option<Time>,
    /// Whether it is reported as unreachable.
    pub(super) unreachable: bool,
    /// Number of times it was reported as unreachable.
    pub(super) outages: u32,
    /// The page for people.
    pub(super) page_url: Option<String>,
    /// The source that last read it.
    pub(super) source: Option<String>,
    /// The version of the source that last read it.
    pub(super) source_version: Option<u32>,
    /// The usual length of its lists.
    pub(super) usual: Usual,
    /// Digest of the component list last compared, unless the stored components changed otherwise
    /// since.
    pub(super) components_digest: Option<u128>,
    /// Its rejected responses.
    pub(super) anomaly_streak: AnomalyStreak,
    /// When the log last reported that its responses are rejected.
    pub(super) doubt_said_at: Option<Time>,
    /// Whether the time of the last poll is stored apart from the rest.
    pub(super) quiet: bool,
}

/// The usual length of the page's lists.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usual {
    /// Number of incidents.
    pub(super) incidents: Option<usize>,
    /// Number of components.
    pub(super) components: Option<usize>,
    /// Since when a list has been shorter than usual.
    pub(super) shrunk_since: Option<Time>,
}

/// The fields needed for an unchanged item.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemSummary {
    /// Digest of all fields as last listed.
    pub(super) digest: u128,
    /// Consecutive documents that should have listed it and did not.
    pub(super) missing: u32,
    /// Whether it is listed and not over.
    pub(super) open: bool,
    /// Milliseconds since 1970.
    pub(super) last_listed: i64,
    /// Whether the incident is now listed under another id, or was at the last poll.
    pub(super) retired: bool,
}

/// An open item of a provider.
#[derive(Debug, Clone)]
pub(super) struct Open {
    /// Its key.
    pub(super) key: IncidentKey,
    /// Incident or maintenance.
    pub(super) kind: Kind,
    /// The native id.
    pub(super) native_id: String,
    /// As last seen.
    pub(super) status: IncidentStatus,
    /// Start and end of a maintenance.
    pub(super) window: (Option<Time>, Option<Time>),
}

/// Another id of an incident, under which its page listed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Twin {
    /// Its key.
    pub(super) key: IncidentKey,
    /// Milliseconds since 1970.
    pub(super) last_listed: i64,
}
