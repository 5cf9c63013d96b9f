//! The `/api/v2` format: defined by Statuspage, imitated by others.
//!
//! [`Reader`] converts its lists to the model. What a page must contain, and what an absence means,
//! is decided by each source; what the fields mean is decided here.

mod wire;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use self::wire::Update;
pub use self::wire::{Component, Incident, Overall, Page};
use super::fields::Id;
use super::{Decode, Items};
use crate::{Limits, ParseError};
use statuswatch_model::event::{self, ComponentStatus, Impact, IncidentStatus, Kind, Time};
use statuswatch_model::snapshot::{self, Listing, UpdateId};

/// An incident with the data needed to merge it with its duplicate in another document.
#[derive(Debug)]
pub struct Read {
    /// The incident without its updates.
    incident: snapshot::Incident,
    changed: Option<Time>,
    updates: Vec<Dated>,
}

impl Read {
    /// Returns the incident, still without its updates.
    #[must_use]
    pub fn incident(&self) -> &snapshot::Incident {
        &self.incident
    }

    /// Sets the link to the incident, if the document has none.
    pub fn set_url(&mut self, url: Option<String>) {
        if self.incident.url.is_none() {
            self.incident.url = url;
        }
    }

    /// Merges another document's view of the same incident: the later view wins for the incident,
    /// and the last edit wins for each update.
    fn join(&mut self, other: Self) {
        let later = other.changed > self.changed;
        if later {
            let url = self.incident.url.take();
            self.incident = other.incident;
            self.set_url(url);
            self.changed = other.changed;
        }
        self.updates = as_last_edited(
            std::mem::take(&mut self.updates).into_iter().chain(other.updates).collect(),
        );
    }

    /// Returns the complete incident, updates oldest first.
    #[must_use]
    pub fn finish(mut self) -> snapshot::Incident {
        self.updates.sort_by_key(|dated| dated.created);
        self.incident.updates = self.updates.into_iter().map(|dated| dated.update).collect();
        self.incident
    }
}

/// An update with the time it was written, which orders it: the displayed time can be set by hand.
#[derive(Debug)]
struct Dated {
    created: Option<Time>,
    update: snapshot::Update,
}

/// Returns each update once, at the position where its id occurs first, as last edited.
fn as_last_edited(list: Vec<Dated>) -> Vec<Dated> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(list.len());
    // The index of each id's latest version.
    let mut chosen: Vec<usize> = Vec::with_capacity(list.len());
    let edited = |place: usize| list.get(place).and_then(|dated| dated.update.edited_at);
    for (at, dated) in list.iter().enumerate() {
        let UpdateId::Native(id) = &dated.update.id else {
            continue;
        };
        match places.entry(id) {
            Entry::Vacant(place) => {
                place.insert(chosen.len());
                chosen.push(at);
            }
            Entry::Occupied(place) => {
                if let Some(known) =
                    chosen.get_mut(*place.get()).filter(|known| edited(at) > edited(**known))
                {
                    *known = at;
                }
            }
        }
    }
    if chosen.len() == list.len() {
        return list;
    }
    let mut list: Vec<Option<Dated>> = list.into_iter().map(Some).collect();
    chosen.into_iter().filter_map(|at| list.get_mut(at).and_then(Option::take)).collect()
}

/// Reads the lists of the documents of one poll.
#[derive(Debug)]
pub struct Reader {
    items: Items,
    groups: HashMap<Id, String>,
}

impl Reader {
    /// Creates a reader with the limits of the provider.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { items: Items::new(limits), groups: HashMap::new() }
    }

    /// Returns the number of items rejected so far.
    #[must_use]
    pub fn rejected(&self) -> usize {
        self.items.rejected()
    }

    /// Returns what an absence means; see [`Items::listing`].
    #[must_use]
    pub fn listing(&self, before: usize, whole: Listing) -> Listing {
        self.items.listing(before, whole)
    }

    /// Returns the recorded rejections.
    #[must_use]
    pub fn into_rejected(self) -> Vec<String> {
        self.items.into_rejected()
    }

    /// Returns the components with the names of their groups; rows that are groups themselves are
    /// left out. Must be called before reading incidents, which name groups by id.
    ///
    /// # Errors
    /// See [`Items::read`].
    pub fn components<W: Decode>(
        &mut self,
        list: W::List<Component>,
    ) -> Result<Vec<event::Component>, ParseError> {
        let read = W::read(&mut self.items, "components", list)?;
        for group in read.iter().filter(|row| row.group.0) {
            self.groups.insert(group.id.clone(), group.name.0.clone());
        }
        let mut seen = HashSet::with_capacity(read.len());
        let again: HashSet<usize> = read
            .iter()
            .enumerate()
            .filter(|(_, row)| !row.group.0 && !seen.insert(&row.id))
            .map(|(place, _)| place)
            .collect();
        let mut components = Vec::with_capacity(read.len());
        for (place, component) in read.into_iter().enumerate().filter(|(_, row)| !row.group.0) {
            if again.contains(&place) {
                self.items.reject("components", &format!("the id {} is duplicated", component.id));
            } else {
                components.push(self.component(component));
            }
        }
        Ok(components)
    }

    /// Returns the incidents of a list. `kind` is the kind the list is for; a maintenance listed
    /// among the incidents stays a maintenance.
    ///
    /// # Errors
    /// See [`Items::read`].
    pub fn incidents<W: Decode>(
        &mut self,
        kind: Kind,
        list: W::List<Incident<W>>,
    ) -> Result<Vec<Read>, ParseError> {
        let what = if kind == Kind::Maintenance { "scheduled_maintenances" } else { "incidents" };
        let read = W::read(&mut self.items, what, list)?;
        let read = read
            .into_iter()
            .map(|incident| self.incident(kind, incident))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(unite(Vec::new(), read))
    }

    fn incident<W: Decode>(&mut self, kind: Kind, wire: Incident<W>) -> Result<Read, ParseError> {
        let impact = wire.impact.unwrap_or(Impact::Unknown);
        let kind = if impact == Impact::Maintenance { Kind::Maintenance } else { kind };
        let components =
            W::nested(&mut self.items, "components of an incident", wire.components.0)?;
        let components = components
            .into_iter()
            .filter(|row| !row.group.0)
            .map(|row| self.component(row))
            .collect();
        let wire_updates = W::nested(&mut self.items, "incident_updates", wire.updates.0)?;
        // Listed newest first; of equal times the later position is the older update.
        let updates = as_last_edited(wire_updates.into_iter().rev().map(update).collect());
        let maintenance = kind == Kind::Maintenance;
        let incident = snapshot::Incident {
            title: wire.name.0,
            status: wire.status.unwrap_or(IncidentStatus::Update),
            impact,
            url: wire.shortlink,
            started_at: wire.started_at.or(wire.created_at.0),
            scheduled_for: wire.scheduled_for.filter(|_| maintenance),
            scheduled_until: wire.scheduled_until.filter(|_| maintenance),
            components,
            ..snapshot::Incident::new(kind, wire.id.0, "")
        };
        Ok(Read { incident, changed: wire.updated_at.0, updates })
    }

    fn component(&self, wire: Component) -> event::Component {
        let group = wire
            .group_id
            .as_ref()
            .and_then(|id| self.groups.get(id))
            .filter(|name| !name.is_empty())
            .cloned();
        snapshot::component(
            Some(wire.id.0),
            wire.name,
            group,
            wire.status.unwrap_or(ComponentStatus::Unknown),
        )
    }
}

/// Returns the incidents of both lists, each once, in order of first appearance.
#[must_use]
pub fn unite(first: Vec<Read>, second: Vec<Read>) -> Vec<Read> {
    let all: Vec<Read> = first.into_iter().chain(second).collect();
    let mut ids = HashSet::with_capacity(all.len());
    if all.iter().all(|read| ids.insert(read.incident.id.as_str())) {
        return all;
    }
    let mut places: HashMap<String, usize> = HashMap::with_capacity(all.len());
    let mut out: Vec<Read> = Vec::with_capacity(all.len());
    for read in all {
        if let Some(known) = places.get(&read.incident.id).and_then(|&place| out.get_mut(place)) {
            known.join(read);
        } else {
            places.insert(read.incident.id.clone(), out.len());
            out.push(read);
        }
    }
    out
}

fn update(wire: Update) -> Dated {
    Dated {
        created: wire.created_at.or(wire.display_at.0),
        update: snapshot::Update {
            id: UpdateId::Native(wire.id.0),
            status: wire.status.unwrap_or(IncidentStatus::Update),
            stated: wire.status.unwrap_or(IncidentStatus::Update),
            published_at: wire.display_at.or(wire.created_at.0),
            edited_at: wire.updated_at.0,
            text: wire.body.0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::Lenient;
    use super::*;

    fn read(kind: Kind, text: &str) -> Vec<Read> {
        Reader::new(Limits::default())
            .incidents::<Lenient>(kind, serde_json::from_str(text).unwrap())
            .unwrap()
    }

    fn ids(incident: &snapshot::Incident) -> Vec<&UpdateId> {
        incident.updates.iter().map(|update| &update.id).collect()
    }

    #[test]
    fn updates_are_ordered_by_when_they_were_written() {
        let text = r#"[{"id": "i", "incident_updates": [
            {"id": "c", "created_at": "2026-01-01T00:03:00Z"},
            {"id": "b", "created_at": "2026-01-01T00:02:00Z", "display_at": "2026-02-01T00:00:00Z"},
            {"id": "a", "created_at": "2025-12-31T16:02:00-08:00"}]}]"#;
        let incident = read(Kind::Incident, text).remove(0).finish();
        let id = |text: &str| UpdateId::Native(text.to_owned());
        assert_eq!(ids(&incident), [&id("a"), &id("b"), &id("c")]);
        assert_eq!(incident.updates[1].published_at, event::parse_time("2026-02-01T00:00:00Z"));
    }

    #[test]
    fn the_later_view_of_an_incident_wins_and_updates_are_united() {
        let old = r#"[{"id": "i", "name": "old", "status": "identified", "shortlink": "https://a.example/i",
            "updated_at": "2026-01-01T01:00:00Z", "incident_updates": [
            {"id": "a", "body": "edited", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T03:00:00Z"}]}]"#;
        let new = r#"[{"id": "i", "name": "new", "status": "resolved", "updated_at": "2026-01-01T02:00:00Z", "incident_updates": [
            {"id": "b", "body": "done", "created_at": "2026-01-01T02:00:00Z", "updated_at": "2026-01-01T02:00:00Z"},
            {"id": "a", "body": "first", "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}]}]"#;
        for (first, second) in [(old, new), (new, old)] {
            let mut united = unite(read(Kind::Incident, first), read(Kind::Incident, second));
            assert_eq!(united.len(), 1);
            let incident = united.remove(0).finish();
            assert_eq!(incident.title, "new");
            assert_eq!(
                incident.updates.iter().map(|u| u.text.as_str()).collect::<Vec<_>>(),
                ["edited", "done"]
            );
        }
    }

    #[test]
    fn a_maintenance_among_the_incidents_is_one() {
        let text =
            r#"[{"id": "i", "impact": "maintenance", "scheduled_for": "2026-01-01T00:00:00Z"}]"#;
        let incident = read(Kind::Incident, text).remove(0).finish();
        assert_eq!(incident.kind, Kind::Maintenance);
        assert!(incident.scheduled_for.is_some());
    }
}
