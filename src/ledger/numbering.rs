//! Where a draft becomes an event: its number, its line, its row.

use rusqlite::Connection;

use super::store::{self, EventRow};
use crate::config::Provider;
use crate::event::{Draft, StatusEvent, Time};

type Sql<T> = rusqlite::Result<T>;

/// Numbers events within a transaction.
pub(super) struct Numbering<'a> {
    pub(super) db: &'a Connection,
    /// The newest number given.
    pub(super) seq: u64,
}

impl Numbering<'_> {
    /// Stores the event of `draft` unless it is known. Returns whether it is told.
    pub(super) fn store(
        &mut self,
        provider: &Provider,
        source: &str,
        draft: Draft,
        reason: Option<&str>,
        now: Time,
    ) -> Sql<bool> {
        let id = draft.id;
        let seq = if reason.is_some() { 0 } else { self.seq + 1 };
        let event = number(provider, source, draft, seq, now);
        let line = serde_json::to_string(&event)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let row = EventRow {
            seq,
            id,
            provider: &provider.id,
            kind: event.kind,
            impact: event.impact,
            observed_at: now,
            line: &line,
        };
        if let Some(reason) = reason {
            store::put_filtered(self.db, &row, reason)?;
            return Ok(false);
        }
        let new = store::put_event(self.db, &row)?;
        if new {
            self.seq = seq;
        }
        Ok(new)
    }
}

/// The one place where a draft becomes an event.
fn number(
    provider: &Provider,
    source: &str,
    draft: Draft,
    seq: u64,
    observed_at: Time,
) -> StatusEvent {
    StatusEvent {
        seq,
        id: draft.id.to_string(),
        kind: draft.kind,
        provider: provider.id.clone(),
        provider_name: provider.name.clone(),
        source: source.to_owned(),
        incident_id: draft.incident_id,
        update_id: draft.update_id,
        revision: draft.revision,
        title: draft.title,
        status: draft.status,
        previous_status: draft.previous_status,
        impact: draft.impact,
        previous_impact: draft.previous_impact,
        components: draft.components,
        message: draft.message,
        url: draft.url,
        started_at: draft.started_at,
        published_at: draft.published_at,
        observed_at,
        scheduled_for: draft.scheduled_for,
        scheduled_until: draft.scheduled_until,
        backfill: draft.backfill,
    }
}
