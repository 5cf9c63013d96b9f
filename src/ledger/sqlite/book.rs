//! The book of one provider, read and written statement by statement in the open transaction.

use rusqlite::Connection;

use super::components::{components, provider_held_since, put_components};
use super::doubt::put_rejected;
use super::events::{
    EventRow, count_dropped, is_known_event, put_event, put_filtered, was_imported,
};
use super::items;
use super::network::{network, put_network};
use super::outbox::change_outbox;
use super::providers;
use super::sinks::{put_cursor, put_sink_health};
use super::twins::{forget_item, twins, unite};
use crate::event::{IncidentKey, Kind, Time};
use crate::ledger::book::{Book, Change};
use crate::ledger::component_state::Components;
use crate::ledger::error::Result;
use crate::ledger::known::{ItemSummary, Open, ProviderState, Twin};
use crate::ledger::numbering::{Dropped, NewEvent, Numbered};
use crate::ledger::offline::OwnNetwork;
use crate::ledger::reconcile::{ItemState, SeenVersion};
use crate::ledger::rematch::Candidate;
use crate::ledger::vanished::Vanished;

/// The sequence numbers assigned in a transaction.
pub(in crate::ledger) struct Numbering {
    /// The last assigned number.
    pub(in crate::ledger) seq: u64,
    /// New events whose id was already taken.
    pub(in crate::ledger) dropped: Vec<Dropped>,
}

impl Numbering {
    /// Continues after `seq`.
    pub(in crate::ledger) const fn after(seq: u64) -> Self {
        Self { seq, dropped: Vec::new() }
    }
}

/// The book of one provider.
pub(in crate::ledger) struct SqliteBook<'a> {
    db: &'a Connection,
    provider: &'a str,
    numbering: &'a mut Numbering,
}

impl<'a> SqliteBook<'a> {
    /// Opens the book of `provider` in the transaction of `db`. Events are numbered at once.
    pub(in crate::ledger) const fn new(
        db: &'a Connection,
        provider: &'a str,
        numbering: &'a mut Numbering,
    ) -> Self {
        Self { db, provider, numbering }
    }
}

impl Book for SqliteBook<'_> {
    fn state(&mut self) -> Result<ProviderState> {
        Ok(providers::provider_state(self.db, self.provider)?)
    }

    fn summaries(&mut self, keys: &[IncidentKey]) -> Result<Vec<Option<ItemSummary>>> {
        Ok(items::item_summaries(self.db, self.provider, keys)?)
    }

    fn item(&mut self, key: IncidentKey) -> Result<Option<ItemState>> {
        Ok(items::item(self.db, self.provider, key)?)
    }

    fn seen(&mut self, key: IncidentKey) -> Result<Vec<SeenVersion>> {
        Ok(items::seen(self.db, key)?)
    }

    fn twins(&mut self, key: IncidentKey) -> Result<Vec<Twin>> {
        Ok(twins(self.db, self.provider, key)?)
    }

    fn open_items(&mut self) -> Result<Vec<Open>> {
        Ok(items::open_items(self.db, self.provider)?)
    }

    fn listed_items(&mut self) -> Result<usize> {
        Ok(items::listed_items(self.db, self.provider)?)
    }

    fn recent_items(&mut self, most: u32) -> Result<Vec<Candidate>> {
        Ok(items::recent_items(self.db, self.provider, most)?)
    }

    fn newer_items(&mut self, kind: Kind, than: Time) -> Result<Vec<IncidentKey>> {
        Ok(items::newer_items(self.db, self.provider, kind, than)?)
    }

    fn components(&mut self) -> Result<Components> {
        Ok(components(self.db, self.provider)?)
    }

    fn held_since(&mut self) -> Result<Option<Time>> {
        Ok(provider_held_since(self.db, self.provider)?)
    }

    fn vanished(&mut self) -> Result<Vanished> {
        Ok(providers::vanished(self.db, self.provider)?)
    }

    fn network(&mut self) -> Result<OwnNetwork> {
        Ok(network(self.db)?)
    }

    fn put(&mut self, change: Change<'_>) -> Result<()> {
        let (db, provider) = (self.db, self.provider);
        match change {
            Change::Item { key, item, incident, at } => {
                items::put_item(db, provider, key, item, incident, at)
            }
            Change::Seen { key, seen, at } => items::put_seen(db, key, seen, at),
            Change::Listed { key, at } => items::touch_item(db, provider, key, at),
            Change::Missing { key, documents, open, emitted } => {
                items::miss_item(db, provider, key, documents, open, emitted)
            }
            Change::Retired(key) => items::retire_item(db, provider, key),
            Change::United { key, former } => unite(db, provider, key, former),
            Change::Forgotten(key) => forget_item(db, provider, key),
            Change::Components(known, digest) => put_components(db, provider, known, digest),
            Change::Success(success) => providers::put_success(db, &success),
            Change::Rejected(rejected) => put_rejected(db, &rejected),
            Change::Failed(message) => providers::fail(db, message),
            Change::Moved { at, between, reported } => {
                providers::put_move(db, provider, at, &between, reported)
            }
            Change::Reachable { reachable, outages } => {
                providers::put_reachable(db, provider, reachable, outages)
            }
            Change::Shrunk { reason, at } => providers::put_shrunk(db, provider, reason, at),
            Change::Usual { incidents, components } => {
                providers::put_usual(db, provider, incidents, components)
            }
            Change::QuietSince(since) => providers::put_quiet_since(db, provider, since),
            Change::Vanished(vanished) => providers::put_vanished(db, provider, vanished),
            Change::Restarted(message) => providers::put_restart(db, message),
            Change::Network(own) => put_network(db, own),
            Change::Delivered(message, at) => put_cursor(db, message, at),
            Change::Outbox(change) => change_outbox(db, change),
            Change::SinkHealth(message) => put_sink_health(db, message),
        }?;
        Ok(())
    }

    fn emit(&mut self, mut event: NewEvent<'_>) -> Result<bool> {
        let db = self.db;
        event.make_unique(|id| Ok(is_known_event(db, id)?))?;
        let NewEvent { subject, suppressed_by, observed_at, .. } = event;
        let seq = if suppressed_by.is_some() { 0 } else { self.numbering.seq + 1 };
        let Numbered { id, event, line } = event.number(seq)?;
        let row = EventRow {
            seq,
            id,
            provider: subject.id,
            kind: event.kind,
            impact: event.impact,
            observed_at,
            line: &line,
        };
        if let Some(suppressed_by) = suppressed_by {
            put_filtered(db, &row, suppressed_by)?;
            return Ok(false);
        }
        let new = put_event(db, &row)?;
        if new {
            self.numbering.seq = seq;
        } else if !was_imported(db, id)? {
            count_dropped(db, subject.id)?;
            let provider = subject.id.to_owned();
            self.numbering.dropped.push(Dropped { provider, id, title: event.title });
        }
        Ok(new)
    }
}
