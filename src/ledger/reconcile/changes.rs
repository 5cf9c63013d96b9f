//! Changes of an incident that no update states: its end, its impact, its window.

use super::state::{ItemState, newest_time};
use super::{Context, Reconciled};
use crate::event::{
    Draft, Fingerprint, Impact, IncidentKey, IncidentStatus, Status, UpdateKey, event_id,
    format_time,
};
use crate::ledger::provider_time::plausible;
use crate::ledger::versions::recognize;
use crate::snapshot::Incident;

/// Keeps the last known impact of an incident that is over, because many documents stop stating it
/// then. The digest remains that of the document, and no identity depends on the impact.
pub(super) fn keep_impact(outcome: &mut Reconciled, known: &ItemState, incident: &Incident) {
    if incident.status.is_over() && incident.impact == Impact::Unknown {
        outcome.item.impact = known.impact;
        outcome.drafts.iter_mut().for_each(|draft| draft.impact = known.impact);
    }
}

/// Adds the end of an incident or the start of a maintenance where no update states it.
///
/// Not every platform gives its updates a status. If the newest update is new, it takes the
/// incident's status; if it is not, or was only edited, the change becomes an event of its own. The
/// update's identity is unchanged, so nothing is emitted twice when the next update follows.
pub(super) fn conclude(
    outcome: &mut Reconciled,
    known: Option<&ItemState>,
    key: IncidentKey,
    incident: &Incident,
    context: Context<'_>,
) {
    let changed = known.is_some_and(|known| known.status != incident.status)
        && incident.status != IncidentStatus::Update;
    let newest = incident.updates.last().map(|update| recognize(key, update).shown);
    let over = incident.status.is_over();
    let ended = over && known.is_some_and(|known| !known.status.is_over());
    let announced = |status: Status| {
        matches!(status, Status::Incident(IncidentStatus::Scheduled | IncidentStatus::Update))
    };
    let begun = incident.status == IncidentStatus::InProgress
        && known.is_none_or(|known| announced(known.status.into()));
    let says_so = outcome
        .drafts
        .iter()
        .any(|draft| if over { draft.status.is_over() } else { draft.status == incident.status });
    let Some(last) = outcome.drafts.last_mut() else {
        return;
    };
    let says_nothing = last.status == IncidentStatus::Update
        || (over && !last.status.is_over())
        || (begun && announced(last.status));
    if last.revision == 1 && last.update_id == newest && (over || changed || begun) {
        if says_nothing {
            last.status = incident.status.into();
        }
    } else if (ended || (begun && known.is_some())) && !says_so {
        let from = known.map_or("", |known| known.status.as_str());
        let count = outcome.item.changes.to_string();
        outcome.drafts.push(change(
            key,
            incident,
            "status",
            &[from, incident.status.as_str(), &count],
            context,
        ));
        outcome.item.changes += 1;
    }
}

/// Keeps an incident that is over from being reopened: an edit of an old update, or an update added
/// after the end, carries the final status.
pub(super) fn keep_end(outcome: &mut Reconciled, known: Option<&ItemState>, incident: &Incident) {
    let ended = incident.status.is_over() && known.is_some_and(|known| known.status.is_over());
    let reopening = outcome.drafts.iter_mut().filter(|draft| ended && !draft.status.is_over());
    reopening.for_each(|draft| draft.status = incident.status.into());
}

/// Returns a draft with the fields that all updates of the incident share.
pub(super) fn draft(incident: &Incident, context: Context<'_>) -> Draft {
    let id = crate::event::EventId([0; 16]);
    Draft {
        incident_id: Some(incident.id.clone()),
        impact: incident.impact,
        components: incident.components.clone(),
        url: incident.url.clone(),
        started_at: incident.started_at,
        scheduled_for: incident.scheduled_for,
        scheduled_until: incident.scheduled_until,
        ..Draft::new(id, incident.kind, incident.title.clone(), incident.status, context.now)
    }
}

/// Returns an event for a change that no update announced.
pub(super) fn change(
    key: IncidentKey,
    incident: &Incident,
    what: &str,
    parts: &[&str],
    context: Context<'_>,
) -> Draft {
    let opened = what == "opened";
    let update = UpdateKey::change(key, what, parts);
    let fingerprint = Fingerprint::new(incident.status, what);
    let published_at =
        if opened { incident.started_at.unwrap_or(context.now) } else { context.now };
    Draft {
        id: event_id(update, incident.kind, fingerprint),
        update_id: Some(update.shown(what)),
        published_at,
        backfill: published_at < context.watched_since,
        recurs: !opened,
        ..draft(incident, context)
    }
}

/// Returns an event that reopens an incident whose end was reported because it had left a complete
/// list, and which is listed again.
pub(super) fn back_from_its_end(
    item: &mut ItemState,
    known: &ItemState,
    key: IncidentKey,
    incident: &Incident,
    context: Context<'_>,
) -> Option<Draft> {
    let ended = known.emitted_status.filter(|emitted| {
        matches!(emitted, Status::Incident(IncidentStatus::Resolved | IncidentStatus::Completed))
            && !known.open
            && !known.status.is_over()
            && !incident.status.is_over()
    })?;
    let parts = [ended.as_str(), incident.status.as_str(), &known.changes.to_string()];
    item.changes += 1;
    Some(change(key, incident, "status", &parts, context))
}

/// Returns an event for a status, impact or maintenance window that changed without a new update.
/// Titles and components change often without significance: they are stored and shown with the next
/// event.
pub(super) fn silent_change(
    item: &mut ItemState,
    known: &ItemState,
    key: IncidentKey,
    incident: &Incident,
    context: Context<'_>,
) -> Option<Draft> {
    let (newest, before) =
        (newest_time(incident, context.now), plausible(known.newest_at, context.now));
    if let (Some(newest), Some(before)) = (newest, before)
        && newest < before
    {
        // The newest update is missing: it was deleted, or a stale replica answered. Neither is a
        // new event.
        item.status = known.status;
        item.impact = known.impact;
        item.open = known.open;
        return None;
    }
    if context.reread
        && newest <= before
        && known.title == incident.title
        && (known.status == IncidentStatus::Update
            || known.status.is_over()
            || known.status == incident.status)
    {
        // A newer parser extracts more from the same content: correct the stored state without an
        // event.
        return None;
    }
    let count = known.changes.to_string();
    let window = |item: &ItemState| (item.scheduled_for, item.scheduled_until);
    let moved = window(known) != window(item)
        && known.scheduled_for.is_some()
        && item.scheduled_for.is_some();
    let draft = if known.status != incident.status && incident.status != IncidentStatus::Update {
        change(
            key,
            incident,
            "status",
            &[known.status.as_str(), incident.status.as_str(), &count],
            context,
        )
    } else if known.impact != incident.impact
        && incident.impact != Impact::Unknown
        && known.impact != Impact::Unknown
    {
        change(
            key,
            incident,
            "impact",
            &[known.impact.as_str(), incident.impact.as_str(), &count],
            context,
        )
    } else if moved && !incident.status.is_over() {
        let times = [incident.scheduled_for, incident.scheduled_until]
            .map(|time| time.map(format_time).unwrap_or_default());
        change(key, incident, "window", &[&times[0], &times[1], &count], context)
    } else {
        return None;
    };
    item.changes += 1;
    Some(draft)
}
