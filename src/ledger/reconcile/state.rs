//! The stored state of an incident, and how it follows from what is listed.

use xxhash_rust::xxh3::Xxh3;

use crate::event::{Fingerprint, Impact, IncidentStatus, Kind, Status, Time, UpdateKey};
use crate::ledger::provider_time::plausible;
use crate::snapshot::{Incident, UpdateId};

/// The stored state of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemState {
    /// The native id.
    pub native_id: String,
    /// Incident or maintenance.
    pub kind: Kind,
    /// As last seen.
    pub title: String,
    /// As last seen.
    pub status: IncidentStatus,
    /// As last seen.
    pub impact: Impact,
    /// As last seen.
    pub scheduled_for: Option<Time>,
    /// As last seen.
    pub scheduled_until: Option<Time>,
    /// Digest of all fields: an equal digest means nothing is new.
    pub digest: u128,
    /// The newest time of any of its updates.
    pub newest_at: Option<Time>,
    /// Whether it is listed and not over.
    pub open: bool,
    /// Consecutive successful documents that should have listed it and did not.
    pub missing: u32,
    /// As last reported.
    pub emitted_status: Option<Status>,
    /// As last reported.
    pub emitted_impact: Option<Impact>,
    /// Number of changes emitted that no update announced. Part of their ids, so that each is
    /// distinct.
    pub changes: u32,
    /// The last update seen, if the document shows only the latest one.
    pub latest: Option<Latest>,
}

/// The last update seen of an incident whose document shows only the latest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The `update_id` it was emitted under.
    pub id: String,
    /// Its time.
    pub at: Option<Time>,
    /// Its latest revision.
    pub revision: u32,
}

/// A version of an update that has been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenVersion {
    /// The update's key.
    pub update: UpdateKey,
    /// Fingerprint of its content.
    pub fingerprint: Fingerprint,
    /// Its revision number.
    pub revision: u32,
    /// The platform's edit time.
    pub edited_at: Option<Time>,
}

/// Computes a digest of all fields of an incident. Equal digests need no further comparison.
#[must_use]
pub fn digest(incident: &Incident) -> u128 {
    let mut hasher = Xxh3::new();
    let mut put = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    put(incident.kind.as_str().as_bytes());
    put(incident.title.as_bytes());
    put(incident.status.as_str().as_bytes());
    put(incident.impact.as_str().as_bytes());
    put(incident.url.as_deref().unwrap_or_default().as_bytes());
    for time in [incident.started_at, incident.scheduled_for, incident.scheduled_until] {
        put(&time.map_or(i64::MIN, |time| time.timestamp_millis()).to_le_bytes());
    }
    for component in &incident.components {
        put(component.name.as_bytes());
        put(component.status.as_str().as_bytes());
    }
    for update in &incident.updates {
        match &update.id {
            UpdateId::Native(id) => put(id.as_bytes()),
            UpdateId::Timed(time, ordinal) => {
                put(&time.timestamp_millis().to_le_bytes());
                put(&ordinal.to_le_bytes());
            }
            UpdateId::Content => put(b"content"),
            UpdateId::Latest => put(b"latest"),
        }
        put(update.status.as_str().as_bytes());
        put(update.text.as_bytes());
        for time in [update.published_at, update.edited_at] {
            put(&time.map_or(i64::MIN, |time| time.timestamp_millis()).to_le_bytes());
        }
    }
    hasher.digest128()
}

/// Returns the newest time of any of its updates that is not in the future.
pub(super) fn newest_time(incident: &Incident, now: Time) -> Option<Time> {
    let times = incident.updates.iter().flat_map(|update| [update.published_at, update.edited_at]);
    times.filter_map(|time| plausible(time, now)).max()
}

/// Returns the state to store after this poll.
pub(super) fn remember(known: Option<&ItemState>, incident: &Incident, now: Time) -> ItemState {
    ItemState {
        native_id: incident.id.clone(),
        kind: incident.kind,
        title: incident.title.clone(),
        status: incident.status,
        impact: incident.impact,
        scheduled_for: incident.scheduled_for,
        scheduled_until: incident.scheduled_until,
        digest: digest(incident),
        newest_at: newest_time(incident, now)
            .max(known.and_then(|known| plausible(known.newest_at, now))),
        open: !incident.status.is_over(),
        missing: 0,
        emitted_status: known.and_then(|known| known.emitted_status),
        emitted_impact: known.and_then(|known| known.emitted_impact),
        changes: known.map_or(0, |known| known.changes),
        latest: known.and_then(|known| known.latest.clone()),
    }
}
