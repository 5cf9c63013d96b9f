//! A page whose ids have changed: the same incidents under other ids, on the same platform or on
//! another one.
//!
//! An incident listed under an unknown id is matched to a known one: by the end of its link, by its
//! title and the time it began, by its title and any time it carries, by its title within a day; in
//! this order, so that the surest match of each is taken before a less sure one of another. Only
//! what was matched counts as reported; how its updates are is the matter of `elsewhere`.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::reconcile::ItemState;
use super::staleness::Warning;
use super::store;
use crate::event::{IncidentKey, Time};
use crate::snapshot::Incident;

/// Known items looked at: as many as a page may list.
const CANDIDATES: u32 = 5000;

/// Of those with one title so many: pages call all they do "Maintenance".
const OF_ONE_TITLE: usize = 400;

/// Two incidents of one title begin within this time of each other if they are one.
const NEAR: chrono::Duration = chrono::Duration::hours(24);

/// Some platforms write minutes alone: times that differ by less are the same.
const SAME: chrono::Duration = chrono::Duration::seconds(60);

/// With so few items an overlap says nothing.
const ENOUGH: usize = 3;

/// Foreign page ids in a row after which the incidents of the page are asked whose it is: mix-ups
/// of customers lasted for one poll each.
pub(super) const ANEW_AFTER: u32 = 3;

/// A known item that may stand under another id now.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) key: IncidentKey,
    pub(super) item: ItemState,
    pub(super) url: Option<String>,
    pub(super) began: Option<Time>,
    /// Its incident stands under another id already.
    pub(super) retired: bool,
}

/// What a known and a listed item have in common, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Link,
    Begin,
    Time,
    /// Of title alone, within a day: not sure by itself.
    Title,
}

impl Likeness {
    const ALL: [Self; 4] = [Self::Link, Self::Begin, Self::Time, Self::Title];
}

/// What became of the ids.
#[derive(Debug, Default)]
pub(super) struct Rematch {
    /// The former key of each incident listed under an id that was not known.
    pub(super) matched: HashMap<IncidentKey, IncidentKey>,
    /// Listed and not matched.
    pub(super) unmatched: usize,
    /// The page as a whole has other ids than when it was last read.
    pub(super) moved: bool,
    /// Matches of which nothing is sure but the title.
    unsure: HashSet<IncidentKey>,
    /// The oldest time of anything known.
    oldest: Option<Time>,
}

impl Rematch {
    /// Whether an incident that was not matched lies beyond everything known: a list that reaches
    /// further back than the former one.
    pub(super) fn is_deeper(&self, incident: &Incident) -> bool {
        let times = incident.updates.iter().filter_map(|update| update.published_at);
        let newest = times.chain(incident.started_at).chain(incident.scheduled_for).max();
        self.oldest.is_none_or(|oldest| newest.is_some_and(|newest| newest < oldest))
    }
}

/// Whether so many ids have changed that the page may have moved: of the ids listed before nearly
/// none is left.
pub(super) fn ids_changed(listed: usize, still_listed: usize, listed_before: usize) -> bool {
    let least = listed.min(listed_before);
    least >= ENOUGH && still_listed * 5 < least
}

/// How many of the incidents listed are known under the id they have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// All that are listed.
    pub(super) listed: usize,
    /// Those that were listed under it when the page was last read.
    pub(super) still: usize,
    /// Those that stood under another one meanwhile.
    pub(super) back: usize,
}

/// Looks whether the page has other ids than before, and which known incidents those listed are.
pub(super) fn changed_ids(
    db: &Connection,
    provider: &str,
    new_source: bool,
    incidents: &[Incident],
    listed: &HashSet<IncidentKey>,
    known: Known,
    warnings: &mut Vec<Warning>,
) -> rusqlite::Result<Rematch> {
    let back = known.back * 2 > known.listed;
    if !new_source && !back {
        // The window known before is counted only where nearly nothing of this one is known: mostly
        // it is not looked at.
        if known.still * 5 >= known.listed
            || !ids_changed(known.listed, known.still, store::listed_items(db, provider)?.len())
        {
            return Ok(Rematch::default());
        }
    }
    let mut rematch = match_items(db, provider, incidents, listed)?;
    let before = store::listed_items(db, provider)?.len();
    rematch.moved =
        new_source || back || (rematch.matched.len() + known.back) * 2 >= known.listed.min(before);
    if !rematch.moved {
        // The window has rolled on while nobody looked. What is surely the same is so all the same.
        let Rematch { matched, unsure, .. } = &mut rematch;
        matched.retain(|key, _| !unsure.contains(key));
        warnings.push(Warning::RolledOn { listed: known.listed });
    }
    Ok(rematch)
}

/// Matches the incidents listed under unknown ids to known items.
fn match_items(
    db: &Connection,
    provider: &str,
    incidents: &[Incident],
    listed: &HashSet<IncidentKey>,
) -> rusqlite::Result<Rematch> {
    let keys: Vec<_> =
        incidents.iter().map(|incident| IncidentKey::new(provider, &incident.id)).collect();
    let summaries = store::item_summaries(db, provider, keys.iter().copied())?;
    // What stands under its former id again has its match already.
    let mut taken = HashSet::new();
    for (key, summary) in keys.iter().zip(&summaries) {
        if summary.as_ref().is_some_and(|summary| summary.retired) {
            taken.extend(store::twins(db, provider, *key)?.into_iter().map(|twin| twin.key));
        }
    }
    let mut candidates = store::recent_items(db, provider, CANDIDATES)?;
    let times = candidates.iter().filter_map(|one| one.item.newest_at.or(one.began));
    let mut rematch = Rematch { oldest: times.min(), ..Rematch::default() };
    candidates
        .retain(|candidate| !listed.contains(&candidate.key) && !taken.contains(&candidate.key));
    candidates.sort_by_key(|candidate| candidate.retired);
    let candidates: Vec<(Signature, &Candidate)> =
        candidates.iter().map(|candidate| (Signature::of_known(candidate), candidate)).collect();
    let mut titles: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut links: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, (signature, _)) in candidates.iter().enumerate() {
        titles.entry(&signature.title).or_default().push(place);
        if let Some(link) = &signature.link {
            links.entry(link).or_default().push(place);
        }
    }
    let unknown =
        incidents.iter().zip(&keys).zip(&summaries).filter(|(_, summary)| summary.is_none());
    let mut left: Vec<(Signature, IncidentKey)> =
        unknown.map(|((incident, key), _)| (Signature::of_listed(incident), *key)).collect();
    for likeness in Likeness::ALL {
        left.retain(|(signature, key)| {
            let places = match likeness {
                Likeness::Link => signature.link.as_ref().and_then(|link| links.get(link.as_str())),
                _ => titles.get(signature.title.as_str()),
            };
            let alike = places.into_iter().flatten().filter_map(|place| candidates.get(*place));
            let found = alike
                .filter(|(_, candidate)| !taken.contains(&candidate.key))
                .take(OF_ONE_TITLE)
                .find(|(known, _)| known.is_like(signature, likeness));
            let Some((_, candidate)) = found else { return true };
            taken.insert(candidate.key);
            rematch.matched.insert(*key, candidate.key);
            if likeness == Likeness::Title {
                rematch.unsure.insert(*key);
            }
            false
        });
    }
    rematch.unmatched = left.len();
    Ok(rematch)
}

/// Whether the incidents listed are so plainly those known before that it is the same provider's
/// page, whatever its id.
pub(super) fn is_known_page(
    db: &Connection,
    provider: &str,
    incidents: &[Incident],
) -> rusqlite::Result<bool> {
    let rematch = match_items(db, provider, incidents, &HashSet::new())?;
    let known = incidents.len().saturating_sub(rematch.unmatched);
    Ok(known >= ENOUGH && known >= rematch.unmatched)
}

/// What an incident is recognised by beside its id.
struct Signature {
    kind: crate::event::Kind,
    title: String,
    link: Option<String>,
    began: Vec<Time>,
    times: Vec<Time>,
}

impl Signature {
    fn of_known(candidate: &Candidate) -> Self {
        let Candidate { item, url, began, .. } = candidate;
        Self {
            kind: item.kind,
            title: words(&item.title),
            link: link_end(url.as_deref()),
            began: began.iter().chain(&item.scheduled_for).copied().collect(),
            times: began
                .iter()
                .chain(&item.newest_at)
                .chain(&item.scheduled_for)
                .copied()
                .collect(),
        }
    }

    fn of_listed(incident: &Incident) -> Self {
        let own = incident.started_at.into_iter().chain(incident.scheduled_for);
        let updates = incident.updates.iter().filter_map(|update| update.published_at);
        Self {
            kind: incident.kind,
            title: words(&incident.title),
            link: link_end(incident.url.as_deref()),
            began: own.clone().collect(),
            times: own.chain(updates).collect(),
        }
    }

    fn is_like(&self, other: &Self, likeness: Likeness) -> bool {
        let within = |most: chrono::Duration, these: &[Time], those: &[Time]| {
            these.iter().any(|one| those.iter().any(|other| (*one - *other).abs() <= most))
        };
        self.kind == other.kind
            && match likeness {
                Likeness::Link => self.link.is_some() && self.link == other.link,
                _ if self.title != other.title => false,
                Likeness::Begin => within(SAME, &self.began, &other.began),
                Likeness::Time => within(SAME, &self.times, &other.times),
                Likeness::Title => within(NEAR, &self.times, &other.times),
            }
    }
}

/// The end of a link, where it may tell incidents apart.
fn link_end(url: Option<&str>) -> Option<String> {
    url.and_then(|url| url.rsplit('/').next()).filter(|end| end.len() >= 8).map(str::to_owned)
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
