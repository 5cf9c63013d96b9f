//! What was reported about an incident under its other ids.

use std::collections::{HashMap, HashSet};

use super::book::Book;
use super::error::Result;
use super::reconcile::{self, ItemState, SeenVersion};
use crate::event::{Fingerprint, IncidentKey, IncidentStatus, Time};
use crate::snapshot::Incident;

/// Some platforms give times in whole minutes: smaller differences are ignored.
const SAME: chrono::Duration = chrono::Duration::seconds(60);

/// An incident under its other ids.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// The key it was last listed under.
    pub(super) former: IncidentKey,
    /// Its state under that key.
    item: ItemState,
    /// The versions seen under each of its other keys.
    seen: Vec<Vec<SeenVersion>>,
    /// Whether both ids are from the same source, which renders texts identically.
    same_source: bool,
}

/// Returns what is known of the incident listed under `key`, which was `matched` to a former key or
/// was last listed under this one at `retired_at` (milliseconds). `None` if it has no other id.
pub(super) fn elsewhere(
    book: &mut dyn Book,
    key: IncidentKey,
    matched: Option<IncidentKey>,
    retired_at: Option<i64>,
    same_source: bool,
) -> Result<Option<Elsewhere>> {
    let keys: Vec<IncidentKey> = match (matched, retired_at) {
        (Some(former), _) => {
            let twins = book.twins(former)?.into_iter().map(|twin| twin.key);
            std::iter::once(former).chain(twins).collect()
        }
        (None, Some(retired_at)) => {
            let twins = book.twins(key)?;
            // It was last listed under this id: it disappeared and came back.
            let newer = twins.first().is_some_and(|twin| twin.last_listed >= retired_at);
            twins.into_iter().filter(|_| newer).map(|twin| twin.key).collect()
        }
        (None, None) => return Ok(None),
    };
    let Some(&former) = keys.first() else {
        return Ok(None);
    };
    let Some(item) = book.item(former)? else {
        return Ok(None);
    };
    let seen = keys.iter().map(|key| book.seen(*key)).collect::<Result<_, _>>()?;
    Ok(Some(Elsewhere { former, item, seen, same_source }))
}

impl Elsewhere {
    /// Returns, by position, which listed updates were seen under another id. The same text twice
    /// counts twice.
    ///
    /// Other platforms may render texts differently. There, everything before a recognized update
    /// counts as known; if none is recognized, as many as were known do.
    pub(super) fn reported(
        &self,
        key: IncidentKey,
        own: &[SeenVersion],
        incident: &Incident,
    ) -> Vec<bool> {
        let mut left: HashMap<Fingerprint, usize> = HashMap::new();
        for seen in &self.seen {
            let mut counts: HashMap<Fingerprint, usize> = HashMap::new();
            for seen in seen {
                *counts.entry(seen.fingerprint).or_default() += 1;
            }
            for (fingerprint, count) in counts {
                let most = left.entry(fingerprint).or_default();
                *most = count.max(*most);
            }
        }
        let mut reported = Vec::with_capacity(incident.updates.len());
        for update in &incident.updates {
            let (update_key, fingerprint) = reconcile::version(key, update);
            let is_own =
                own.iter().any(|seen| seen.update == update_key && seen.fingerprint == fingerprint);
            let count = left.get_mut(&fingerprint).filter(|count| **count > 0);
            reported.push(is_own || count.is_some());
            if let Some(count) = count {
                *count -= 1;
            }
        }
        let found = reported.iter().filter(|reported| **reported).count();
        if !self.same_source && found < self.known_updates() {
            self.by_place(incident, &mut reported);
        }
        reported
    }

    /// Returns the number of updates known under one id.
    fn known_updates(&self) -> usize {
        let distinct = |seen: &Vec<SeenVersion>| {
            seen.iter().map(|seen| seen.update).collect::<HashSet<_>>().len()
        };
        self.seen.iter().map(distinct).max().unwrap_or(0)
    }

    fn by_place(&self, incident: &Incident, reported: &mut [bool]) {
        let is_newest = |at: Option<Time>| {
            at.zip(self.item.newest_at).is_some_and(|(at, known)| (at - known).abs() <= SAME)
        };
        let updates = || incident.updates.iter().zip(reported.iter());
        let last = updates().rposition(|(update, found)| *found || is_newest(update.published_at));
        let count = incident.updates.len();
        let known = match last {
            Some(last) => last + 1,
            None if self.item.status.is_over() && incident.status.is_over() => count,
            None if count > self.known_updates() => self.known_updates(),
            // A list with fewer updates than known: its last one may be new.
            None => count.saturating_sub(1),
        };
        reported.iter_mut().take(known).for_each(|reported| *reported = true);
    }

    /// Returns the state to compare with: the incident's state under its former id, with the
    /// counters of this one.
    pub(super) fn known(&self, own: Option<&ItemState>, incident: &Incident) -> ItemState {
        let mut known = self.item.clone();
        known.native_id.clone_from(&incident.id);
        known.changes = own.map_or(0, |own| own.changes);
        known.missing = 0;
        if known.emitted_status.is_none_or(|emitted| !emitted.is_over()) {
            // It was closed under its former id only because it now has another one.
            known.open = !known.status.is_over();
        }
        if !self.same_source {
            // Platforms rate and name things differently: that alone is not a change.
            known.impact = incident.impact;
            known.scheduled_for = incident.scheduled_for;
            known.scheduled_until = incident.scheduled_until;
            known.newest_at = None;
            known.latest = None;
            let begun =
                |status: IncidentStatus| status != IncidentStatus::Scheduled && !status.is_over();
            if known.status.is_over() == incident.status.is_over()
                && begun(known.status) == begun(incident.status)
            {
                known.status = incident.status;
            }
        }
        known
    }
}
