//! A book in memory, as a second database would judge with: everything known of a provider is
//! there before, and events are numbered when it commits.

use std::collections::{BTreeMap, HashSet};

use super::{Book, Change, Success};
use crate::event::{EventId, Fingerprint, IncidentKey, Kind, Time, UpdateKey};
use crate::ledger::component_state::{self, Components};
use crate::ledger::error::Result;
use crate::ledger::known::AnomalyStreak;
use crate::ledger::known::{ItemSummary, Open, ProviderState, Twin};
use crate::ledger::numbering::NewEvent;
use crate::ledger::offline::OwnNetwork;
use crate::ledger::reconcile::{ItemState, SeenVersion};
use crate::ledger::rematch::Candidate;
use crate::ledger::vanished::Vanished;

/// An item with what is stored next to its state.
#[derive(Debug, Clone)]
struct Row {
    item: ItemState,
    url: Option<String>,
    began: Option<Time>,
    last_listed: Time,
    same_as: Option<IncidentKey>,
}

impl Row {
    fn retired(&self) -> bool {
        self.same_as.is_some() && self.item.missing >= 2
    }
}

/// Everything that is known of one provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    state: ProviderState,
    items: BTreeMap<IncidentKey, Row>,
    seen: BTreeMap<(IncidentKey, UpdateKey, Fingerprint), SeenVersion>,
    components: Components,
    vanished: Vanished,
    network: OwnNetwork,
    ids: HashSet<EventId>,
    /// What follows the number in the lines of events that have none yet.
    pending: Vec<String>,
    /// Lines of numbered events.
    pub(super) lines: Vec<String>,
    /// Lines of suppressed events, with the reason.
    pub(super) suppressed: Vec<(String, String)>,
    /// Number of events that were dropped because their id was taken.
    pub(super) dropped: usize,
}

impl Memory {
    /// Numbers the events: what follows the number is fixed when they are emitted.
    pub(super) fn commit(&mut self) {
        for tail in std::mem::take(&mut self.pending) {
            let seq = self.lines.len() + 1;
            self.lines.push(format!("{{\"seq\":{seq},{tail}"));
        }
    }

    /// Returns the number of items and of seen versions.
    pub(super) fn stored(&self) -> (usize, usize) {
        (self.items.len(), self.seen.len())
    }

    fn change(&mut self, key: IncidentKey, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.items.get_mut(&key) {
            change(row);
        }
    }

    fn succeed(&mut self, success: &Success<'_>) {
        let Success { message, .. } = success;
        let page = &message.snapshot.page;
        let binding = message.checkpoint.binding.as_ref();
        let state = &mut self.state;
        state.baseline_at = state.baseline_at.or(Some(message.observed_at));
        state.source = binding.map(|binding| binding.source.clone());
        state.source_version = binding.map(|binding| binding.version);
        state.page_id = page.id.clone().or(state.page_id.take());
        state.page_url = page.url.clone().or(state.page_url.take());
        state.page_version = success.page_version.or(state.page_version);
        state.complete_version = success.complete_version.or(state.complete_version);
        state.recent_incidents_at = success.recent_incidents_at;
        state.recent_maintenances_at = success.recent_maintenances_at;
        state.anomaly_streak = AnomalyStreak::default();
    }
}

impl Book for Memory {
    fn state(&mut self) -> Result<ProviderState> {
        Ok(self.state.clone())
    }

    fn summaries(&mut self, keys: &[IncidentKey]) -> Result<Vec<Option<ItemSummary>>> {
        let summary = |row: &Row| ItemSummary {
            digest: row.item.digest,
            missing: row.item.missing,
            open: row.item.open,
            last_listed: row.last_listed.timestamp_millis(),
            retired: row.retired(),
        };
        Ok(keys.iter().map(|key| self.items.get(key).map(summary)).collect())
    }

    fn item(&mut self, key: IncidentKey) -> Result<Option<ItemState>> {
        Ok(self.items.get(&key).map(|row| row.item.clone()))
    }

    fn seen(&mut self, key: IncidentKey) -> Result<Vec<SeenVersion>> {
        Ok(self.seen.iter().filter(|((item, ..), _)| *item == key).map(|(_, seen)| *seen).collect())
    }

    fn twins(&mut self, key: IncidentKey) -> Result<Vec<Twin>> {
        let same_as = self.items.get(&key).and_then(|row| row.same_as);
        let same = self.items.iter().filter(|(_, row)| same_as.is_some() && row.same_as == same_as);
        let mut twins: Vec<Twin> = same
            .filter(|(other, _)| **other != key)
            .map(|(key, row)| Twin { key: *key, last_listed: row.last_listed.timestamp_millis() })
            .collect();
        twins.sort_by_key(|twin| std::cmp::Reverse(twin.last_listed));
        Ok(twins)
    }

    fn open_items(&mut self) -> Result<Vec<Open>> {
        let open = self.items.iter().filter(|(_, row)| row.item.open);
        let open = open.map(|(key, Row { item, .. })| Open {
            key: *key,
            kind: item.kind,
            native_id: item.native_id.clone(),
            status: item.status,
            window: (item.scheduled_for, item.scheduled_until),
        });
        Ok(open.collect())
    }

    fn listed_items(&mut self) -> Result<usize> {
        Ok(self.items.values().filter(|row| row.item.missing == 0).take(400).count())
    }

    fn recent_items(&mut self, most: u32) -> Result<Vec<Candidate>> {
        let candidate = |(key, row): (&IncidentKey, &Row)| Candidate {
            key: *key,
            item: row.item.clone(),
            url: row.url.clone(),
            began: row.began,
            retired: row.retired(),
        };
        let mut recent: Vec<Candidate> = self.items.iter().map(candidate).collect();
        recent.sort_by_key(|Candidate { item, .. }| {
            (!item.open, item.missing >= 2, std::cmp::Reverse(item.newest_at))
        });
        recent.truncate(most as usize);
        Ok(recent)
    }

    fn newer_items(&mut self, kind: Kind, than: Time) -> Result<Vec<IncidentKey>> {
        let newer = self.items.iter().filter(|(_, row)| {
            row.item.kind == kind && row.item.newest_at > Some(than) && !row.retired()
        });
        Ok(newer.map(|(key, _)| *key).collect())
    }

    fn components(&mut self) -> Result<Components> {
        Ok(self.components.clone())
    }

    fn held_since(&mut self) -> Result<Option<Time>> {
        Ok(component_state::held_since(&self.components))
    }

    fn vanished(&mut self) -> Result<Vanished> {
        Ok(self.vanished.clone())
    }

    fn network(&mut self) -> Result<OwnNetwork> {
        Ok(self.network.clone())
    }

    fn put(&mut self, change: Change<'_>) -> Result<()> {
        let state = &mut self.state;
        match change {
            Change::Item { key, item, incident, at } => {
                let same_as = self.items.get(&key).and_then(|row| row.same_as);
                let (url, began) = (incident.url.clone(), incident.started_at);
                let row = Row { item: item.clone(), url, began, last_listed: at, same_as };
                self.items.insert(key, row);
            }
            Change::Seen { key, seen, .. } => {
                self.seen.entry((key, seen.update, seen.fingerprint)).or_insert(*seen);
            }
            Change::Listed { key, at } => self.change(key, |row| {
                row.last_listed = at;
                row.item.missing = 0;
            }),
            Change::Missing { key, documents, open, emitted } => self.change(key, |row| {
                row.item.missing = documents;
                row.item.open = open;
                row.item.emitted_status = emitted.or(row.item.emitted_status);
            }),
            Change::Retired(key) => self.change(key, |row| {
                row.item.open = false;
                row.item.missing = 2;
            }),
            Change::United { key, former } => {
                let same_as = |key| self.items.get(&key).and_then(|row| row.same_as);
                let united = same_as(former).or(same_as(key)).unwrap_or(former);
                self.change(key, |row| row.same_as = Some(united));
                self.change(former, |row| row.same_as = Some(united));
            }
            Change::Forgotten(key) => {
                self.items.remove(&key);
                self.seen.retain(|(item, ..), _| *item != key);
            }
            Change::Components(known, digest) => {
                self.components = known;
                state.components_digest = digest;
            }
            Change::Success(success) => self.succeed(&success),
            Change::Rejected(rejected) => {
                state.anomaly_streak = rejected.streak;
                if rejected.logged {
                    state.doubt_said_at = Some(rejected.message.observed_at);
                }
            }
            Change::Moved { at, between, reported } => {
                state.moved_at = Some(at);
                state.moved_between = between;
                state.epoch += u32::from(reported);
            }
            Change::Reachable { reachable, outages } => {
                state.unreachable = !reachable;
                state.outages = outages;
            }
            Change::Shrunk { at, .. } => {
                state.usual.shrunk_since = state.usual.shrunk_since.or(Some(at));
            }
            Change::Usual { incidents, components } => {
                state.usual.incidents = incidents.or(state.usual.incidents);
                state.usual.components = components.or(state.usual.components);
                state.usual.shrunk_since = None;
            }
            Change::Vanished(vanished) => self.vanished = vanished.clone(),
            Change::Network(own) => self.network = own.clone(),
            // Nothing that a judgement reads again.
            Change::QuietSince(_)
            | Change::Failed(_)
            | Change::Restarted(_)
            | Change::Outbox(_)
            | Change::Delivered(..)
            | Change::SinkHealth(_) => {}
        }
        Ok(())
    }

    fn emit(&mut self, mut event: NewEvent<'_>) -> Result<bool> {
        event.make_unique(|id| Ok(self.ids.contains(&id)))?;
        let reason = event.suppressed_by.map(str::to_owned);
        let numbered = event.number(0)?;
        let new = self.ids.insert(numbered.id);
        if let Some(reason) = reason {
            if new {
                self.suppressed.push((reason, numbered.line));
            }
            return Ok(false);
        }
        if new {
            // Its number is the first field, so that all the rest is known already.
            let tail = numbered.line.strip_prefix("{\"seq\":0,").unwrap();
            self.pending.push(tail.to_owned());
        } else {
            self.dropped += 1;
        }
        Ok(new)
    }
}
