//! The `/api/v2` contract: made by Statuspage, imitated by others.
//!
//! [`Reader`] turns its lists into ours. What a page must hold, and what an absence means, is each source's
//! own business; what the fields mean is settled here.

mod wire;

use std::collections::{HashMap, HashSet};

use serde_json::value::RawValue;

use self::wire::{Component, Incident, Update};
pub use self::wire::{Overall, Page};
use super::fields::Id;
use super::{Items, MAX_NAME, link, prose, words};
use crate::event::{self, Impact, Kind, Time};
use crate::snapshot::{self, UpdateId};
use crate::source::{Limits, ParseError};
use crate::text::one_line;

/// An incident with what is needed to unite it with its double in another document.
#[derive(Debug)]
pub struct Read {
    /// Without its updates.
    incident: snapshot::Incident,
    changed: Option<Time>,
    updates: Updates,
}

impl Read {
    /// The incident read, still without its updates.
    #[must_use]
    pub fn incident(&self) -> &snapshot::Incident {
        &self.incident
    }

    /// Where a person reads about it, should the document not say.
    pub fn set_url(&mut self, url: Option<String>) {
        if self.incident.url.is_none() {
            self.incident.url = url;
        }
    }

    /// The other document's view of the same incident joins this one: the later one is right about the
    /// incident, and each update is taken as last edited.
    fn join(&mut self, other: Self) {
        let later = other.changed > self.changed;
        if later {
            let url = self.incident.url.take();
            self.incident = other.incident;
            self.set_url(url);
            self.changed = other.changed;
        }
        for theirs in other.updates.list {
            self.updates.put(theirs);
        }
    }

    /// The whole incident, updates oldest first.
    #[must_use]
    pub fn finish(mut self) -> snapshot::Incident {
        self.updates.list.sort_by_key(|dated| dated.created);
        self.incident.updates = self.updates.list.into_iter().map(|dated| dated.update).collect();
        self.incident
    }
}

/// An update with the time it was written, which orders it: the time shown can be set by hand.
#[derive(Debug)]
struct Dated {
    created: Option<Time>,
    update: snapshot::Update,
}

/// Updates by id, each as last edited.
#[derive(Debug, Default)]
struct Updates {
    list: Vec<Dated>,
    places: HashMap<String, usize>,
}

impl Updates {
    fn put(&mut self, dated: Dated) {
        let UpdateId::Native(id) = &dated.update.id else { return };
        match self.places.get(id).and_then(|&place| self.list.get_mut(place)) {
            Some(known) if dated.update.edited_at > known.update.edited_at => *known = dated,
            Some(_) => {}
            None => {
                self.places.insert(id.clone(), self.list.len());
                self.list.push(dated);
            }
        }
    }
}

/// Reads the lists of the documents of one poll.
#[derive(Debug)]
pub struct Reader {
    items: Items,
    groups: HashMap<Id, String>,
}

impl Reader {
    /// With the bounds of the provider.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { items: Items::new(limits), groups: HashMap::new() }
    }

    /// How many items were rejected so far.
    #[must_use]
    pub fn rejected(&self) -> usize {
        self.items.rejected()
    }

    /// What was rejected.
    #[must_use]
    pub fn into_rejected(self) -> Vec<String> {
        self.items.into_rejected()
    }

    /// The components with the names of their groups; rows that are groups themselves are left out. Read
    /// before the incidents, which name groups by id.
    ///
    /// # Errors
    /// See [`Items::read`].
    pub fn components(&mut self, list: &[Box<RawValue>]) -> Result<Vec<event::Component>, ParseError> {
        let read: Vec<Component> = self.items.read("components", list)?;
        for group in read.iter().filter(|row| row.group) {
            self.groups.insert(group.id.clone(), one_line(&group.name, MAX_NAME));
        }
        let mut seen = HashSet::new();
        let mut components = Vec::with_capacity(read.len());
        for component in read.into_iter().filter(|row| !row.group) {
            if seen.insert(component.id.clone()) {
                components.push(self.component(component));
            } else {
                self.items.reject("components", &format!("the id {} stands twice", component.id));
            }
        }
        Ok(components)
    }

    /// The incidents of a list. `kind` is what the list is for; a maintenance put among the incidents is one
    /// all the same.
    ///
    /// # Errors
    /// See [`Items::read`].
    pub fn incidents(&mut self, kind: Kind, list: &[Box<RawValue>]) -> Result<Vec<Read>, ParseError> {
        let what = if kind == Kind::Maintenance { "scheduled_maintenances" } else { "incidents" };
        let read: Vec<Incident> = self.items.read(what, list)?;
        let read = read.into_iter().map(|incident| self.incident(kind, incident)).collect::<Result<Vec<_>, _>>()?;
        Ok(unite(Vec::new(), read))
    }

    fn incident(&mut self, kind: Kind, wire: Incident) -> Result<Read, ParseError> {
        let impact = words::impact(&wire.impact);
        let kind = if impact == Impact::Maintenance { Kind::Maintenance } else { kind };
        let components: Vec<Component> = self.items.nested("components of an incident", &wire.components)?;
        let components = components.into_iter().filter(|row| !row.group).map(|row| self.component(row)).collect();
        let wire_updates: Vec<Update> = self.items.nested("incident_updates", &wire.updates)?;
        let mut updates = Updates::default();
        // Written newest first; of equal times the later place is the older update.
        for wire in wire_updates.into_iter().rev() {
            updates.put(update(wire));
        }
        let maintenance = kind == Kind::Maintenance;
        let incident = snapshot::Incident {
            title: one_line(&wire.name, MAX_NAME),
            status: words::status(&wire.status),
            impact,
            url: link(&wire.shortlink),
            started_at: wire.started_at.or(wire.created_at),
            scheduled_for: wire.scheduled_for.filter(|_| maintenance),
            scheduled_until: wire.scheduled_until.filter(|_| maintenance),
            components,
            ..snapshot::Incident::new(kind, wire.id.0, "")
        };
        Ok(Read { incident, changed: wire.updated_at, updates })
    }

    fn component(&self, wire: Component) -> event::Component {
        let group = wire.group_id.as_ref().and_then(|id| self.groups.get(id)).filter(|name| !name.is_empty()).cloned();
        snapshot::component(Some(wire.id.0), one_line(&wire.name, MAX_NAME), group, words::component(&wire.status))
    }
}

/// The incidents of both lists, each once, in the order they are first listed.
#[must_use]
pub fn unite(first: Vec<Read>, second: Vec<Read>) -> Vec<Read> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(first.len() + second.len());
    let mut out: Vec<Read> = Vec::with_capacity(first.len() + second.len());
    for read in first.into_iter().chain(second) {
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
        created: wire.created_at.or(wire.display_at),
        update: snapshot::Update {
            id: UpdateId::Native(wire.id.0),
            status: words::status(&wire.status),
            published_at: wire.display_at.or(wire.created_at),
            edited_at: wire.updated_at,
            text: prose(&wire.body),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::*;

    fn read(kind: Kind, text: &str) -> Vec<Read> {
        Reader::new(Limits::default()).incidents(kind, &serde_json::from_str::<List>(text).unwrap()).unwrap()
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
            assert_eq!(incident.updates.iter().map(|u| u.text.as_str()).collect::<Vec<_>>(), ["edited", "done"]);
        }
    }

    #[test]
    fn a_maintenance_among_the_incidents_is_one() {
        let text = r#"[{"id": "i", "impact": "maintenance", "scheduled_for": "2026-01-01T00:00:00Z"}]"#;
        let incident = read(Kind::Incident, text).remove(0).finish();
        assert_eq!(incident.kind, Kind::Maintenance);
        assert!(incident.scheduled_for.is_some());
    }
}
