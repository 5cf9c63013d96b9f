//! A provider that moved to another platform: the same incidents under other ids.
//!
//! Pure but for reading candidates. An incident listed under a new id is matched to a known one by
//! its title and time, by the words of an update, or by the end of its link. What was told under
//! the old id is not told again; what is newer than the last good poll is news, as always.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::reconcile::KnownItem;
use super::store;
use crate::event::{IncidentKey, Time};
use crate::snapshot::Incident;

/// Known items looked at: more than any page lists.
const CANDIDATES: u32 = 400;

/// Two incidents of one title begin within this time of each other if they are one.
const NEAR: chrono::Duration = chrono::Duration::hours(24);

/// With so few items an overlap says nothing.
const ENOUGH: usize = 3;

/// Foreign page ids in a row after which the incidents of the page are asked whose it is: mix-ups
/// of customers lasted for one poll each.
pub(super) const ANEW_AFTER: u32 = 3;

/// A known item that may stand under another id now.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) key: IncidentKey,
    pub(super) item: KnownItem,
    pub(super) url: Option<String>,
    pub(super) began: Option<Time>,
}

/// What the move came to.
#[derive(Debug, Default)]
pub(super) struct Healed {
    /// The old key and item of each incident listed, by its new key.
    pub(super) matched: HashMap<IncidentKey, Candidate>,
    /// Listed and not matched.
    pub(super) unmatched: usize,
}

/// Whether so many ids have changed that the page may have moved: of the ids listed before nearly
/// none is left.
pub(super) fn ids_changed(listed: usize, still_listed: usize, listed_before: usize) -> bool {
    let least = listed.min(listed_before);
    least >= ENOUGH && still_listed * 5 < least
}

/// Matches the incidents listed to known items.
pub(super) fn heal(
    db: &Connection,
    provider: &str,
    incidents: &[Incident],
    listed: &HashSet<IncidentKey>,
) -> rusqlite::Result<Healed> {
    let candidates: Vec<Candidate> = store::recent_items(db, provider, CANDIDATES)?
        .into_iter()
        .filter(|c| !listed.contains(&c.key))
        .collect();
    let mut healed = Healed::default();
    let mut taken = HashSet::new();
    let keys: Vec<_> =
        incidents.iter().map(|incident| IncidentKey::new(provider, &incident.id)).collect();
    let known = store::glances(db, provider, keys.iter().copied())?;
    for ((incident, key), known) in incidents.iter().zip(keys).zip(known) {
        if known.is_some() {
            continue;
        }
        let best = candidates
            .iter()
            .filter(|candidate| !taken.contains(&candidate.key))
            .find(|candidate| same(candidate, incident));
        if let Some(candidate) = best {
            taken.insert(candidate.key);
            healed.matched.insert(key, candidate.clone());
        } else {
            healed.unmatched += 1;
        }
    }
    Ok(healed)
}

/// Whether the incidents listed are so plainly those known before that it is the same provider's
/// page, whatever its id.
pub(super) fn is_known_page(
    db: &Connection,
    provider: &str,
    incidents: &[Incident],
) -> rusqlite::Result<bool> {
    let healed = heal(db, provider, incidents, &HashSet::new())?;
    let matched = healed.matched.len();
    Ok(matched >= ENOUGH && matched >= healed.unmatched)
}

fn same(candidate: &Candidate, incident: &Incident) -> bool {
    if candidate.item.kind != incident.kind {
        return false;
    }
    let link = |url: Option<&str>| {
        url.and_then(|url| url.rsplit('/').next()).filter(|end| end.len() >= 8).map(str::to_owned)
    };
    if link(candidate.url.as_deref()).is_some_and(|end| Some(end) == link(incident.url.as_deref()))
    {
        return true;
    }
    let times =
        incident.updates.iter().filter_map(|update| update.published_at).chain(incident.started_at);
    let times = times.chain(incident.scheduled_for);
    let known = [candidate.began, candidate.item.newest_at, candidate.item.scheduled_for];
    words(&candidate.item.title) == words(&incident.title)
        && times
            .into_iter()
            .any(|time| known.iter().flatten().any(|known| (time - *known).abs() <= NEAR))
}

/// A title without case, punctuation and white space.
fn words(title: &str) -> String {
    title.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_items_say_nothing_and_many_new_ids_do() {
        assert!(!ids_changed(2, 0, 10));
        assert!(!ids_changed(10, 2, 10));
        assert!(ids_changed(10, 1, 10));
        assert!(!ids_changed(10, 0, 2));
        assert!(!ids_changed(310, 10, 10), "an import of past incidents is no move");
        assert_eq!(words("API: Elevated  errors!"), words("api elevated errors"));
    }
}
