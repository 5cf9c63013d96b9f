//! Matches incidents of a page whose ids have changed, on the same platform or a different one.
//!
//! An incident listed under an unknown id is matched to a known one by the last segment of its
//! link, by title and start time, by title and any time it carries, then by title within a day. All
//! incidents go through each step before the next, weaker one. Only matched incidents count as
//! reported; how their updates are handled is up to `elsewhere`.

use std::collections::{HashMap, HashSet};

use super::book::Book;
use super::error::Result;
use super::known::ItemSummary;
use super::reconcile::ItemState;
use crate::event::{IncidentKey, Time};
use crate::snapshot::Incident;

/// Maximum number of known items considered: as many as a page may list.
const CANDIDATES: u32 = 5000;

/// Maximum number considered per title: some pages title everything "Maintenance".
const OF_ONE_TITLE: usize = 400;

/// Two incidents with the same title are the same only if they begin within this time of each
/// other.
const NEAR: chrono::Duration = chrono::Duration::hours(24);

/// Some platforms give times in whole minutes: smaller differences are ignored.
const SAME: chrono::Duration = chrono::Duration::seconds(60);

/// With fewer items than this, an overlap is not significant.
const ENOUGH: usize = 3;

/// Consecutive responses with a foreign page id after which the incidents decide whose page it is.
/// Observed tenant mix-ups lasted for one poll.
pub(super) const ANEW_AFTER: u32 = 3;

/// A known item that may now be listed under another id.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) key: IncidentKey,
    pub(super) item: ItemState,
    pub(super) url: Option<String>,
    pub(super) began: Option<Time>,
    /// Whether its incident is already listed under another id.
    pub(super) retired: bool,
}

/// The evidence that a known and a listed item are the same, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    Link,
    Begin,
    Time,
    /// Title alone, within a day: not certain by itself.
    Title,
}

impl Likeness {
    const ALL: [Self; 4] = [Self::Link, Self::Begin, Self::Time, Self::Title];
}

/// The result of matching ids.
#[derive(Debug, Default)]
pub(super) struct Rematch {
    /// The former key of each incident listed under an unknown id.
    pub(super) matched: HashMap<IncidentKey, IncidentKey>,
    /// Number of listed incidents without a match.
    pub(super) unmatched: usize,
    /// Whether the page as a whole uses other ids than at the last poll.
    pub(super) moved: bool,
    /// Number of listed incidents, if almost none of them is known although the page's ids have not
    /// changed: its window moved on between polls.
    pub(super) rolled_on: Option<usize>,
    /// Matches based on the title alone.
    unsure: HashSet<IncidentKey>,
    /// The oldest time of any known item.
    oldest: Option<Time>,
}

impl Rematch {
    /// Whether an unmatched incident is older than everything known: the list reaches further back
    /// than the previous one.
    pub(super) fn is_deeper(&self, incident: &Incident) -> bool {
        let times = incident.updates.iter().filter_map(|update| update.published_at);
        let newest = times.chain(incident.started_at).chain(incident.scheduled_for).max();
        self.oldest.is_none_or(|oldest| newest.is_some_and(|newest| newest < oldest))
    }
}

/// Whether the page may have moved: almost none of the previously listed ids is left.
pub(super) fn ids_changed(listed: usize, still_listed: usize, listed_before: usize) -> bool {
    let least = listed.min(listed_before);
    least >= ENOUGH && still_listed * 5 < least
}

/// The incidents of a page, with what is known under their ids.
pub(super) struct Listed<'a> {
    /// Each of them once.
    pub(super) incidents: &'a [Incident],
    /// Their keys, in the same order.
    keys: Vec<IncidentKey>,
    /// What is known of them, in the same order.
    summaries: Vec<Option<ItemSummary>>,
    /// Their keys.
    pub(super) set: HashSet<IncidentKey>,
}

impl<'a> Listed<'a> {
    /// Looks up the incidents of a provider.
    pub(super) fn of(
        book: &mut dyn Book,
        provider: &str,
        incidents: &'a [Incident],
    ) -> Result<Self> {
        let keys: Vec<_> =
            incidents.iter().map(|incident| IncidentKey::new(provider, &incident.id)).collect();
        let summaries = book.summaries(&keys)?;
        let set = keys.iter().copied().collect();
        Ok(Self { incidents, keys, summaries, set })
    }

    /// Returns each incident with its key and what is known of it.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = (&'a Incident, IncidentKey, Option<&ItemSummary>)> {
        self.incidents
            .iter()
            .zip(&self.keys)
            .zip(&self.summaries)
            .map(|((incident, key), summary)| (incident, *key, summary.as_ref()))
    }

    /// Returns the number of incidents.
    fn len(&self) -> usize {
        self.set.len()
    }

    /// Returns how many were listed under the same id at the last poll, and how many under another
    /// one in the meantime.
    fn known(&self) -> (usize, usize) {
        let back = self.summaries.iter().flatten().filter(|summary| summary.retired).count();
        (self.summaries.iter().flatten().count() - back, back)
    }
}

/// Detects whether the page's ids have changed, and matches the listed incidents to known ones.
pub(super) fn changed_ids(
    book: &mut dyn Book,
    listed: &Listed<'_>,
    new_source: bool,
) -> Result<Rematch> {
    let (still, back) = listed.known();
    let is_back = back * 2 > listed.len();
    if !new_source && !is_back {
        // Count the previously known window only if almost nothing of this one is known; usually
        // this is skipped.
        if still * 5 >= listed.len() || !ids_changed(listed.len(), still, book.listed_items()?) {
            return Ok(Rematch::default());
        }
    }
    let mut rematch = match_items(book, listed, &listed.set)?;
    let before = book.listed_items()?;
    rematch.moved =
        new_source || is_back || (rematch.matched.len() + back) * 2 >= listed.len().min(before);
    if !rematch.moved {
        // The window moved on between polls. Certain matches still hold.
        let Rematch { matched, unsure, .. } = &mut rematch;
        matched.retain(|key, _| !unsure.contains(key));
        rematch.rolled_on = Some(listed.len());
    }
    Ok(rematch)
}

/// Matches incidents listed under unknown ids to known items, apart from the `present` ones.
fn match_items(
    book: &mut dyn Book,
    listed: &Listed<'_>,
    present: &HashSet<IncidentKey>,
) -> Result<Rematch> {
    // An incident that is back under its former id already has its match.
    let mut taken = HashSet::new();
    for (_, key, summary) in listed.iter() {
        if summary.is_some_and(|summary| summary.retired) {
            taken.extend(book.twins(key)?.into_iter().map(|twin| twin.key));
        }
    }
    let mut candidates = book.recent_items(CANDIDATES)?;
    let times = candidates.iter().filter_map(|one| one.item.newest_at.or(one.began));
    let mut rematch = Rematch { oldest: times.min(), ..Rematch::default() };
    candidates
        .retain(|candidate| !present.contains(&candidate.key) && !taken.contains(&candidate.key));
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
    let unknown = listed.iter().filter(|(.., summary)| summary.is_none());
    let mut left: Vec<(Signature, IncidentKey)> =
        unknown.map(|(incident, key, _)| (Signature::of_listed(incident), key)).collect();
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

/// Whether the listed incidents overlap enough with the known ones for this to be the same
/// provider's page, whatever its id.
pub(super) fn is_known_page(
    book: &mut dyn Book,
    provider: &str,
    incidents: &[Incident],
) -> Result<bool> {
    let listed = Listed::of(book, provider, incidents)?;
    let rematch = match_items(book, &listed, &HashSet::new())?;
    let known = incidents.len().saturating_sub(rematch.unmatched);
    Ok(known >= ENOUGH && known >= rematch.unmatched)
}

/// What identifies an incident apart from its id.
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

/// Returns the last segment of a link, if it is long enough to distinguish incidents.
fn link_end(url: Option<&str>) -> Option<String> {
    url.and_then(|url| url.rsplit('/').next()).filter(|end| end.len() >= 8).map(str::to_owned)
}

/// Returns a title without case, punctuation and whitespace.
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
