//! Imports events that the event log contains beyond the ledger.
//!
//! Ids are derived from content, so a page that is read again yields the same ids, and a known
//! event is not emitted again. Counters of changes (components, outages, impacts) are brought up to
//! date, so that the next change is not mistaken for an old one.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::components::{components, put_components};
use super::events::{EventRow, put_event, put_imported};
use super::items::item;
use super::millis;
use super::network::{network, put_network};
use crate::event::{
    EventId, IncidentKey, IncidentStatus, Kind, ProviderStatus, Status, StatusEvent,
};
use crate::ledger::component_state::{self, ComponentState};
use crate::ledger::delivery::LongerLog;
use crate::ledger::error::RecoveryError;
use crate::ledger::identify;

/// Sinks that have delivered everything the event log contains; others deliver it again, under the
/// same ids.
const UP_TO_DATE_SINKS: [&str; 2] = ["event_log.json", "console"];

/// The result of an import.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recovered {
    /// The newest sequence number.
    pub(super) seq: u64,
    /// Number of imported events.
    pub(super) events: u64,
}

/// Imports the events after `newest`, as long as their numbers are consecutive.
pub(super) fn import(
    db: &Connection,
    newest: u64,
    log: &mut dyn LongerLog,
) -> Result<Recovered, RecoveryError> {
    let mut recovered = Recovered { seq: newest, events: 0 };
    while let Some((line, event)) = log.next_line().map_err(RecoveryError::Log)? {
        let Some(event) = event else { continue };
        if event.seq <= newest {
            if event.seq == newest && stored_line(db, newest)?.is_some_and(|stored| stored != line)
            {
                return Err(RecoveryError::Foreign { seq: newest });
            }
            continue;
        }
        // The oldest files may have been removed: an empty ledger starts with what is left.
        let begins = recovered.seq == 0;
        let Some(id) = parse_id(&event.id).filter(|_| begins || event.seq == recovered.seq + 1)
        else {
            return Err(RecoveryError::Foreign { seq: event.seq });
        };
        let row = EventRow {
            seq: event.seq,
            id,
            provider: &event.provider,
            kind: event.kind,
            impact: event.impact,
            observed_at: event.observed_at,
            line: &line,
        };
        if !put_event(db, &row)? {
            return Err(RecoveryError::Foreign { seq: event.seq });
        }
        remember(db, &event)?;
        recovered = Recovered { seq: event.seq, events: recovered.events + 1 };
    }
    if recovered.events > 0 {
        put_imported(db, recovered.seq)?;
        let memory = log.memory().map_err(RecoveryError::Log)?;
        for sink in UP_TO_DATE_SINKS {
            let memory = memory.as_ref().filter(|_| sink != "console");
            db.execute(
                "INSERT INTO sink(id, seq, memory, started_at) VALUES(?1, ?2, ?3, ?4)
                 ON CONFLICT(id) DO UPDATE SET seq = ?2, memory = ?3",
                params![
                    sink,
                    recovered.seq.cast_signed(),
                    memory,
                    crate::clock::now().timestamp_millis()
                ],
            )?;
        }
    }
    Ok(recovered)
}

fn stored_line(db: &Connection, seq: u64) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT line FROM event WHERE seq = ?1", [seq.cast_signed()], |row| row.get(0))
        .optional()
}

fn parse_id(text: &str) -> Option<EventId> {
    let whole = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| whole).map(|id| EventId(id.to_be_bytes()))
}

/// Updates the stored state of the event's subject.
fn remember(db: &Connection, event: &StatusEvent) -> rusqlite::Result<()> {
    if event.kind == Kind::Provider
        && matches!(
            event.status,
            Status::Provider(ProviderStatus::Offline | ProviderStatus::Online)
        )
    {
        return put_network(db, &network(db)?.imported(event));
    }
    db.prepare_cached(
        "INSERT INTO provider(id, name, url, watched, interval_ms, stale_after_ms, first_watched_at) VALUES(?1, ?2, '', 0, 0, 0, ?3)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![event.provider, event.provider_name, event.observed_at.timestamp_millis()])?;
    match event.kind {
        Kind::Provider => remember_outage(db, event),
        Kind::Component => remember_component(db, event),
        Kind::Incident | Kind::Maintenance => remember_incident(db, event),
    }
}

fn remember_outage(db: &Connection, event: &StatusEvent) -> rusqlite::Result<()> {
    // The kind precedes the counter, see `provider_events`. An id made unique has a suffix after
    // it.
    let update = event.update_id.as_deref().unwrap_or_default();
    let (kind, count) = update.rsplit_once('-').unwrap_or_default();
    let count: u32 = count.split('~').next().and_then(|count| count.parse().ok()).unwrap_or(0);
    let set = match kind {
        "moved" => "epoch = max(epoch, ?2)",
        "unreachable" => "unreachable = 1, outages = max(outages, ?2)",
        "reachable" => "unreachable = 0, outages = max(outages, ?2)",
        _ => return Ok(()),
    };
    db.prepare_cached(&format!("UPDATE provider SET {set} WHERE id = ?1"))?
        .execute(params![event.provider, count])?;
    Ok(())
}

fn remember_component(db: &Connection, event: &StatusEvent) -> rusqlite::Result<()> {
    let Some(component) = event.components.first() else {
        return Ok(());
    };
    let mut known = components(db, &event.provider)?;
    let key = identify::one(&known, component);
    let changes = past(known.get(&key).map_or(0, |known| known.changes), event);
    known.insert(
        key.clone(),
        ComponentState::new(component, Some(event.status), changes, event.observed_at),
    );
    component_state::bound(&mut known, &HashSet::from([key]));
    put_components(db, &event.provider, known, None)
}

/// Returns a counter that no earlier change had: no subject has more changes than there are events.
fn past(changes: u32, event: &StatusEvent) -> u32 {
    u32::try_from(event.seq).unwrap_or(u32::MAX).max(changes.saturating_add(1))
}

fn remember_incident(db: &Connection, event: &StatusEvent) -> rusqlite::Result<()> {
    let Some(native_id) = &event.incident_id else {
        return Ok(());
    };
    let key = IncidentKey::new(&event.provider, native_id);
    let known = item(db, &event.provider, key)?;
    let before = known.as_ref().map_or(0, |known| known.changes);
    // An update does not count as a change.
    let is_change = event.message.is_none();
    let changes = if is_change { past(before, event) } else { before };
    let status = match (event.status.incident(), &known) {
        (None | Some(IncidentStatus::Update), Some(known)) => known.status,
        (status, _) => status.unwrap_or(IncidentStatus::Update),
    };
    // An empty digest: the next snapshot is compared in full.
    db.prepare_cached(
        "INSERT INTO item(provider, key, native_id, kind, title, status, impact, url, started_at, scheduled_for, scheduled_until,
           components, digest, open, first_seen, last_listed, told_status, told_impact, changes)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, zeroblob(16), ?13, ?14, ?14, ?15, ?7, ?16)
         ON CONFLICT(provider, key) DO UPDATE SET title = ?5, status = ?6, impact = ?7, scheduled_for = ?10, scheduled_until = ?11,
           digest = zeroblob(16), open = ?13, missing = 0, last_listed = ?14, told_status = ?15, told_impact = ?7, changes = ?16",
    )?
    .execute(params![
        event.provider,
        key.as_bytes(),
        native_id,
        event.kind.as_str(),
        event.title,
        status.as_str(),
        event.impact.as_str(),
        event.url,
        millis(event.started_at),
        millis(event.scheduled_for),
        millis(event.scheduled_until),
        serde_json::to_string(&event.components).unwrap_or_else(|_| "[]".to_owned()),
        !status.is_over(),
        event.observed_at.timestamp_millis(),
        event.status.as_str(),
        changes,
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_provider_event_counter_continues_after_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let db = super::super::migrate::open_writer(dir.path()).unwrap();
        let notice = |seq: u64, update: &str, status: &str| -> StatusEvent {
            let at = "2026-03-01T12:00:00Z";
            serde_json::from_value(json!({
                "seq": seq, "id": format!("{seq:032x}"), "kind": "provider", "provider": "acme",
                "provider_name": "Acme", "source": "statuspage", "incident_id": null, "update_id": update,
                "revision": 1, "title": "Acme", "status": status, "previous_status": null,
                "impact": "unknown", "previous_impact": null, "components": [], "message": null,
                "url": null, "started_at": null, "published_at": at, "observed_at": at,
                "scheduled_for": null, "scheduled_until": null, "backfill": false,
            }))
            .unwrap()
        };
        let counts = || -> (u32, u32, bool) {
            let sql = "SELECT epoch, outages, unreachable FROM provider";
            db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
        };
        remember(&db, &notice(1, "unreachable-2", "unreachable")).unwrap();
        assert_eq!(counts(), (0, 2, true));
        // A move does not tell whether the page can be read, and has its own counter.
        remember(&db, &notice(2, "moved-7~2", "reachable")).unwrap();
        assert_eq!(counts(), (7, 2, true));
        remember(&db, &notice(3, "reachable-2", "reachable")).unwrap();
        remember(&db, &notice(4, "something-99", "reachable")).unwrap();
        assert_eq!(counts(), (7, 2, false));
    }
}
