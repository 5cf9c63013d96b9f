//! Turns drafts into events: assigns the sequence number, serializes the line and inserts the row.

use rusqlite::Connection;

use super::offline::OURSELVES;
use super::sqlite::{self, EventRow};
use crate::config::Provider;
use crate::event::{Draft, EventId, StatusEvent, Time};

type Sql<T> = rusqlite::Result<T>;

/// Maximum number of alternative ids tried for a change whose id is taken: more than any lost
/// counter could be off by.
const MOST_AGAIN: u32 = 10_000;
/// The provider an event is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
}

impl Subject<'static> {
    /// The program itself.
    pub(super) const OURSELVES: Self = Self { id: OURSELVES, name: OURSELVES };
}

/// Assigns sequence numbers within a transaction.
pub(super) struct Numbering<'a> {
    pub(super) db: &'a Connection,
    /// The last assigned number.
    pub(super) seq: u64,
    /// New events whose id was already taken: a bug, reported after the commit.
    pub(super) dropped: Vec<Dropped>,
}

/// An event that was judged new but not emitted because its id was already taken.
#[derive(Debug)]
pub(super) struct Dropped {
    provider: String,
    id: EventId,
    title: String,
}

impl Dropped {
    /// Logs a warning.
    pub(super) fn warn(&self) {
        let Self { provider, id, title } = self;
        tracing::warn!(
            provider,
            id = %id,
            title,
            "an event was dropped because its id was already reported: this is a bug in statuswatch, please report it"
        );
    }
}

impl<'a> Numbering<'a> {
    /// Continues after `seq`.
    pub(super) const fn new(db: &'a Connection, seq: u64) -> Self {
        Self { db, seq, dropped: Vec::new() }
    }

    /// Stores the event of `draft` unless it is known. Returns whether it is emitted.
    ///
    /// A change is always new: the caller saw the state change within this transaction, so if its
    /// id is taken, it gets another one. A written update is identified by its content: it may have
    /// been imported from the event log; otherwise the drop is counted.
    pub(super) fn store(
        &mut self,
        provider: &Provider,
        source: &str,
        draft: Draft,
        suppressed_by: Option<&str>,
        now: Time,
    ) -> Sql<bool> {
        let subject = Subject { id: &provider.id, name: &provider.name };
        self.store_of(subject, source, draft, suppressed_by, now)
    }

    /// Like [`Self::store`], for a subject that need not be a configured provider.
    pub(super) fn store_of(
        &mut self,
        provider: Subject<'_>,
        source: &str,
        mut draft: Draft,
        suppressed_by: Option<&str>,
        now: Time,
    ) -> Sql<bool> {
        if draft.recurs {
            self.make_unique(&mut draft)?;
        }
        let id = draft.id;
        let seq = if suppressed_by.is_some() { 0 } else { self.seq + 1 };
        let event = number(provider, source, draft, seq, now);
        let line = serde_json::to_string(&event)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        let row = EventRow {
            seq,
            id,
            provider: provider.id,
            kind: event.kind,
            impact: event.impact,
            observed_at: now,
            line: &line,
        };
        if let Some(suppressed_by) = suppressed_by {
            sqlite::put_filtered(self.db, &row, suppressed_by)?;
            return Ok(false);
        }
        let new = sqlite::put_event(self.db, &row)?;
        if new {
            self.seq = seq;
        } else if !sqlite::was_imported(self.db, id)? {
            sqlite::count_dropped(self.db, provider.id)?;
            self.dropped.push(Dropped { provider: provider.id.to_owned(), id, title: event.title });
        }
        Ok(new)
    }

    /// Gives a change whose id is taken the first free alternative.
    fn make_unique(&self, draft: &mut Draft) -> Sql<()> {
        let id = draft.id;
        for n in 2..MOST_AGAIN {
            if !sqlite::is_known_event(self.db, draft.id)? {
                break;
            }
            draft.id = id.again(n);
            if let Some(shown) = &draft.update_id {
                let first = shown.split('~').next().unwrap_or_default();
                draft.update_id = Some(format!("{first}~{n}"));
            }
        }
        Ok(())
    }
}

/// Builds the event. This is the only place where a draft becomes an event.
fn number(
    provider: Subject<'_>,
    source: &str,
    draft: Draft,
    seq: u64,
    observed_at: Time,
) -> StatusEvent {
    StatusEvent {
        seq,
        id: draft.id.to_string(),
        kind: draft.kind,
        provider: provider.id.to_owned(),
        provider_name: provider.name.to_owned(),
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
