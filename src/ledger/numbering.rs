//! Turns drafts into events: finds an id of their own, sets their number and fixes their line.

use super::error::{LedgerError, Result};
use crate::config::Provider;
use crate::event::{Draft, EventId, StatusEvent, Time};

/// The id, name and source of events about this program.
pub(super) const OURSELVES: &str = "statuswatch";

/// Maximum number of alternative ids tried for a change whose id is taken: more than any lost
/// counter could be off by.
const MOST_AGAIN: u32 = 10_000;

/// The provider an event is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// Its display name.
    pub(super) name: &'a str,
}

impl Subject<'static> {
    /// The program itself.
    pub(super) const OURSELVES: Self = Self { id: OURSELVES, name: OURSELVES };
}

/// An event that was decided on and has no number yet.
#[derive(Debug)]
pub(super) struct NewEvent<'a> {
    /// The provider, which need not be a configured one.
    pub(super) subject: Subject<'a>,
    /// The source that read it.
    pub(super) source: &'a str,
    /// Its content.
    pub(super) draft: Draft,
    /// The filter that keeps it from being emitted; it is only stored then.
    pub(super) suppressed_by: Option<&'a str>,
    /// When it was observed.
    pub(super) observed_at: Time,
}

impl<'a> NewEvent<'a> {
    /// An event of a configured provider.
    pub(super) fn of(
        provider: &'a Provider,
        source: &'a str,
        draft: Draft,
        suppressed_by: Option<&'a str>,
        observed_at: Time,
    ) -> Self {
        let subject = Subject { id: &provider.id, name: &provider.name };
        Self { subject, source, draft, suppressed_by, observed_at }
    }

    /// Gives a change whose id is taken the first free alternative. Others keep their id, which
    /// follows from their content.
    pub(super) fn make_unique(
        &mut self,
        mut is_known: impl FnMut(EventId) -> Result<bool>,
    ) -> Result<()> {
        let draft = &mut self.draft;
        if !draft.recurs {
            return Ok(());
        }
        let id = draft.id;
        for n in 2..MOST_AGAIN {
            if !is_known(draft.id)? {
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

    /// Sets its number: 0 for a suppressed one. This is the only place where a draft becomes an
    /// event.
    pub(super) fn number(self, seq: u64) -> Result<Numbered> {
        let Self { subject, source, draft, observed_at, .. } = self;
        let id = draft.id;
        let event = StatusEvent {
            seq,
            id: draft.id.to_string(),
            kind: draft.kind,
            provider: subject.id.to_owned(),
            provider_name: subject.name.to_owned(),
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
        };
        let line = serde_json::to_string(&event)
            .map_err(|error| LedgerError::Failed { reason: error.to_string() })?;
        Ok(Numbered { id, event, line })
    }
}

/// An event with its number.
#[derive(Debug)]
pub(super) struct Numbered {
    /// Its id.
    pub(super) id: EventId,
    /// The event.
    pub(super) event: StatusEvent,
    /// Its JSON line, which every attempt of every sink writes.
    pub(super) line: String,
}

/// An event that was judged new but not emitted because its id was already taken: a bug, reported
/// after the commit.
#[derive(Debug)]
pub(super) struct Dropped {
    /// The provider's id.
    pub(super) provider: String,
    /// The id that was taken.
    pub(super) id: EventId,
    /// The event's title.
    pub(super) title: String,
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
