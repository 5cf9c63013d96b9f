//! What was reported of an incident while it stood under another id.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::reconcile::{self, ItemState, SeenVersion};
use super::store;
use crate::event::{Fingerprint, IncidentKey, Status, Time};
use crate::snapshot::Incident;

/// Some platforms write minutes alone: times that differ by less are the same.
const SAME: chrono::Duration = chrono::Duration::seconds(60);

/// An incident under its other ids.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// The one it was last listed under.
    pub(super) former: IncidentKey,
    /// As it stood there.
    item: ItemState,
    /// What was seen of it under each of the others.
    seen: Vec<Vec<SeenVersion>>,
    /// Both ids are of one platform, which renders a text the same each time.
    same_source: bool,
}

/// What is known of the incident listed under `key`, which was `matched` to a former key or was
/// last listed under this one at `retired_at` (milliseconds). `None`: it has no other id.
pub(super) fn elsewhere(
    db: &Connection,
    provider: &str,
    key: IncidentKey,
    matched: Option<IncidentKey>,
    retired_at: Option<i64>,
    same_source: bool,
) -> rusqlite::Result<Option<Elsewhere>> {
    let keys: Vec<IncidentKey> = match (matched, retired_at) {
        (Some(former), _) => {
            let twins = store::twins(db, provider, former)?.into_iter().map(|twin| twin.key);
            std::iter::once(former).chain(twins).collect()
        }
        (None, Some(retired_at)) => {
            let twins = store::twins(db, provider, key)?;
            // It was listed under this id last: gone from the page and back again.
            let newer = twins.first().is_some_and(|twin| twin.last_listed >= retired_at);
            twins.into_iter().filter(|_| newer).map(|twin| twin.key).collect()
        }
        (None, None) => return Ok(None),
    };
    let Some(&former) = keys.first() else {
        return Ok(None);
    };
    let Some(item) = store::item(db, provider, former)? else {
        return Ok(None);
    };
    let seen = keys.iter().map(|key| store::seen(db, *key)).collect::<Result<_, _>>()?;
    Ok(Some(Elsewhere { former, item, seen, same_source }))
}

impl Elsewhere {
    /// Which of the updates listed were seen under another id, by their place. The same words twice
    /// count twice.
    ///
    /// Another platform may render its texts otherwise. There, whatever stands before one that is
    /// recognised was known, too; and where none is, as many as were known.
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

    /// Updates known under one id.
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
            // A list that shows less than was known: what it shows last may be new.
            None => count.saturating_sub(1),
        };
        reported.iter_mut().take(known).for_each(|reported| *reported = true);
    }

    /// What is to be compared with: how the incident stood under its former id, counted as under
    /// this one.
    pub(super) fn known(&self, own: Option<&ItemState>, incident: &Incident) -> ItemState {
        let mut known = self.item.clone();
        known.native_id.clone_from(&incident.id);
        known.changes = own.map_or(0, |own| own.changes);
        known.missing = 0;
        if known.emitted_status.is_none_or(|emitted| !emitted.is_over()) {
            // It was closed under its former id only because it stands under another one.
            known.open = !known.status.is_over();
        }
        if !self.same_source {
            // Platforms grade and name things otherwise: that alone is no change.
            known.impact = incident.impact;
            known.scheduled_for = incident.scheduled_for;
            known.scheduled_until = incident.scheduled_until;
            known.newest_at = None;
            known.latest = None;
            let begun = |status: Status| status != Status::Scheduled && !status.is_over();
            if known.status.is_over() == incident.status.is_over()
                && begun(known.status) == begun(incident.status)
            {
                known.status = incident.status;
            }
        }
        known
    }
}
