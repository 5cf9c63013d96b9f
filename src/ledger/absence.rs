//! Handles open items that are no longer listed.

use std::collections::HashSet;

use super::book::{Book, Change};
use super::error::Result;
use super::filter::suppressed_by;
use super::known::Open;
use super::messages::Record;
use super::reconcile::ItemState;
use crate::event::{Draft, Fingerprint, IncidentKey, IncidentStatus, Kind, UpdateKey, event_id};
use crate::snapshot::{Incident, Listing, Snapshot};

/// Processes open items that are not listed, and removes the ones that are absent for good from
/// `open`. Returns the number of events emitted and whether the page must be read again.
pub(super) fn missing_items(
    book: &mut dyn Book,
    message: &Record,
    listed: &HashSet<IncidentKey>,
    open: &mut Vec<Open>,
) -> Result<(usize, bool)> {
    let snapshot = &message.snapshot;
    let (mut events, mut recheck) = (0, false);
    let mut gone = HashSet::new();
    for &Open { key, kind, .. } in open.iter().filter(|open| !listed.contains(&open.key)) {
        let Some(item) = book.item(key)? else {
            continue;
        };
        let missing = item.missing + 1;
        if missing < 2 {
            book.put(Change::Missing { key, documents: missing, open: true, emitted: None })?;
            recheck = true;
            continue;
        }
        let listing = if kind == Kind::Maintenance {
            snapshot.coverage.maintenances
        } else {
            snapshot.coverage.incidents
        };
        let end = match listing {
            Listing::Recent if within_window(&item, snapshot) => Some(IncidentStatus::Withdrawn),
            Listing::Whole if kind == Kind::Maintenance => Some(IncidentStatus::Completed),
            Listing::Whole => Some(IncidentStatus::Resolved),
            Listing::Recent | Listing::Open | Listing::Unknown => None,
        };
        // An end is reported only once.
        let end = end.filter(|_| item.emitted_status.is_some_and(|emitted| !emitted.is_over()));
        if let Some(status) = end {
            events += usize::from(emit_end(book, message, key, &item, status)?);
        }
        // Whether it was removed or only left the list, it is no longer open, even if no event
        // reports its end.
        book.put(Change::Missing {
            key,
            documents: missing,
            open: false,
            emitted: end.map(Into::into),
        })?;
        gone.insert(key);
    }
    open.retain(|open| !gone.contains(&open.key));
    Ok((events, recheck))
}

/// Whether the item is newer than the oldest one listed, so that it would be listed if it still
/// existed.
fn within_window(item: &ItemState, snapshot: &Snapshot) -> bool {
    let of_kind = snapshot.incidents.iter().filter(|incident| incident.kind == item.kind);
    let newest = |incident: &Incident| {
        let updates = incident.updates.iter().filter_map(|update| update.published_at);
        updates.chain(incident.started_at).chain(incident.scheduled_for).max()
    };
    let oldest = of_kind.filter_map(newest).min();
    matches!((oldest, item.newest_at.max(item.scheduled_for)), (Some(oldest), Some(newest)) if newest > oldest)
}

/// Emits the end of an item that is no longer listed; its absence is the only evidence.
fn emit_end(
    book: &mut dyn Book,
    message: &Record,
    key: IncidentKey,
    item: &ItemState,
    status: IncidentStatus,
) -> Result<bool> {
    let update = UpdateKey::change(key, status.as_str(), &[&item.changes.to_string()]);
    let id = event_id(update, item.kind, Fingerprint::new(status, ""));
    let draft = Draft {
        incident_id: Some(item.native_id.clone()),
        update_id: Some(update.shown(status.as_str())),
        impact: item.impact,
        previous_status: item.emitted_status,
        previous_impact: item.emitted_impact,
        url: message.snapshot.page.url.clone(),
        scheduled_for: item.scheduled_for,
        scheduled_until: item.scheduled_until,
        recurs: true,
        ..Draft::new(id, item.kind, item.title.clone(), status, message.observed_at)
    };
    let suppression = suppressed_by(&message.provider.filter, &draft, true);
    book.emit(message.event(draft, suppression))
}
