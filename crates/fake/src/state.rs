//! What a fake provider's page says at present, and the operations by which its operators change
//! it.
//!
//! Times are passed in. Every change moves [`State::version`] forward, by a millisecond at least,
//! so that two changes never share a version.

use chrono::{Duration, SubsecRound};

use statuswatch_model::event::{ComponentStatus, Impact, Kind, Status, Time};

/// What a page says.
#[derive(Debug, Clone)]
pub struct State {
    /// The tenant: all ids of the page are derived from it.
    pub tenant: String,
    /// What the page calls itself.
    pub name: String,
    /// The time of the last change; it only grows.
    pub version: Time,
    /// Its components.
    pub components: Vec<Component>,
    /// Incidents and maintenances, oldest first, over or not.
    pub incidents: Vec<Incident>,
    /// How many entries lists and feeds show; `None`: as many as the platform usually does.
    pub window: Option<usize>,
    next: u64,
}

/// A component of a page.
#[derive(Debug, Clone)]
pub struct Component {
    /// Its number within the page.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: ComponentStatus,
    /// When it last changed.
    pub changed: Time,
}

/// An incident or maintenance.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Its number within the page; platforms make their ids of it.
    pub number: u64,
    /// Incident or maintenance.
    pub kind: Kind,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// How bad it is.
    pub impact: Impact,
    /// When it was opened.
    pub created: Time,
    /// When anything about it last changed.
    pub changed: Time,
    /// When it ended.
    pub resolved: Option<Time>,
    /// Maintenance: begin and end of the window.
    pub window: Option<(Time, Time)>,
    /// Names of the components it concerns.
    pub components: Vec<String>,
    /// What was written, oldest first.
    pub updates: Vec<Update>,
}

/// A written update.
#[derive(Debug, Clone)]
pub struct Update {
    /// Its number within the page.
    pub number: u64,
    /// The status it gives the incident.
    pub status: Status,
    /// What it says.
    pub text: String,
    /// When it was published.
    pub at: Time,
    /// When it was last edited.
    pub changed: Time,
}

/// What an incident is opened with.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// Its title.
    pub title: &'a str,
    /// How bad it is.
    pub impact: Impact,
    /// Names of the components it concerns.
    pub components: &'a [&'a str],
    /// The first update.
    pub text: &'a str,
}

/// The numbers of an incident and of the update just written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The incident's.
    pub incident: u64,
    /// The update's.
    pub update: u64,
}

impl State {
    /// A page on which all is well.
    #[must_use]
    pub fn new(tenant: &str, name: &str, components: &[&str], now: Time) -> Self {
        let version = now.trunc_subsecs(3);
        let mut state = Self {
            tenant: tenant.to_owned(),
            name: name.to_owned(),
            version,
            components: Vec::new(),
            incidents: Vec::new(),
            window: None,
            next: 1,
        };
        for name in components {
            let number = state.number();
            let status = ComponentStatus::Operational;
            state.components.push(Component {
                number,
                name: (*name).to_owned(),
                status,
                changed: version,
            });
        }
        state
    }

    /// Opens an incident with its first update.
    pub fn open(&mut self, now: Time, opening: &Opening<'_>) -> Posted {
        self.begin(now, Kind::Incident, Status::Investigating, opening, None)
    }

    /// Announces a maintenance from `window.0` to `window.1`.
    pub fn schedule(&mut self, now: Time, opening: &Opening<'_>, window: (Time, Time)) -> Posted {
        self.begin(now, Kind::Maintenance, Status::Scheduled, opening, Some(window))
    }

    /// Writes an update; a status that ends the incident ends it. `None` where there is no such
    /// incident.
    pub fn update(
        &mut self,
        now: Time,
        incident: u64,
        status: Status,
        text: &str,
    ) -> Option<Posted> {
        let number = self.number();
        self.touch(now, incident, |found, at| {
            found.status = status;
            found.resolved = status.is_over().then_some(at);
            found.updates.push(Update { number, status, text: text.to_owned(), at, changed: at });
            Some(Posted { incident, update: number })
        })
    }

    /// Replaces the text of an update in place.
    pub fn edit(&mut self, now: Time, posted: Posted, text: &str) -> Option<Posted> {
        self.touch(now, posted.incident, |found, at| {
            let update = found.updates.iter_mut().find(|update| update.number == posted.update)?;
            text.clone_into(&mut update.text);
            update.changed = at;
            Some(posted)
        })
    }

    /// Takes an update off the page.
    pub fn delete_update(&mut self, now: Time, posted: Posted) -> Option<()> {
        self.touch(now, posted.incident, |found, _| {
            let before = found.updates.len();
            found.updates.retain(|update| update.number != posted.update);
            (found.updates.len() < before).then_some(())
        })
    }

    /// Takes an incident or maintenance off the page without a word.
    pub fn withdraw(&mut self, now: Time, incident: u64) -> Option<()> {
        let before = self.incidents.len();
        self.incidents.retain(|found| found.number != incident);
        self.tick(now);
        (self.incidents.len() < before).then_some(())
    }

    /// Changes how bad an incident is, without an update.
    pub fn set_impact(&mut self, now: Time, incident: u64, impact: Impact) -> Option<()> {
        self.touch(now, incident, |found, _| {
            found.impact = impact;
            Some(())
        })
    }

    /// Changes the state of a component.
    pub fn set_component(&mut self, now: Time, name: &str, status: ComponentStatus) -> Option<()> {
        let at = self.tick(now);
        let component = self.components.iter_mut().find(|component| component.name == name)?;
        component.status = status;
        component.changed = at;
        Some(())
    }

    /// Adds `count` resolved incidents of the past, an hour apart, before everything that is there.
    pub fn import(&mut self, now: Time, count: usize) {
        let first = self
            .incidents
            .iter()
            .map(|incident| incident.created)
            .min()
            .unwrap_or(self.version)
            .min(now.trunc_subsecs(3));
        let mut past = Vec::with_capacity(count);
        for age in (1..=count).rev() {
            let created = first - Duration::hours(age as i64);
            let ended = created + Duration::minutes(30);
            let number = self.number();
            let updates = [
                (
                    Status::Investigating,
                    format!("We are looking into past problem {age}."),
                    created,
                ),
                (Status::Resolved, format!("Past problem {age} is solved."), ended),
            ];
            let updates = updates.map(|(status, text, at)| Update {
                number: self.number(),
                status,
                text,
                at,
                changed: at,
            });
            past.push(Incident {
                number,
                kind: Kind::Incident,
                title: format!("Past problem {age}"),
                status: Status::Resolved,
                impact: Impact::Minor,
                created,
                changed: ended,
                resolved: Some(ended),
                window: None,
                components: self
                    .components
                    .first()
                    .map(|component| component.name.clone())
                    .into_iter()
                    .collect(),
                updates: updates.into(),
            });
        }
        self.tick(now);
        self.incidents.splice(0..0, past);
    }

    /// The incident of that number.
    #[must_use]
    pub fn incident(&self, number: u64) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.number == number)
    }

    /// The components an incident concerns.
    pub fn components_of<'a>(
        &'a self,
        incident: &'a Incident,
    ) -> impl Iterator<Item = &'a Component> {
        self.components.iter().filter(|component| incident.components.contains(&component.name))
    }

    /// Of one kind, newest first, the open ones alone if wished.
    pub fn listed(&self, kind: Kind, open_only: bool) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().rev().filter(move |incident| {
            incident.kind == kind && !(open_only && incident.status.is_over())
        })
    }

    /// The worst that open incidents and components say.
    #[must_use]
    pub fn impact(&self) -> Impact {
        let open = self.listed(Kind::Incident, true).map(|incident| incident.impact);
        let components = self.components.iter().map(|component| component.status.impact());
        open.chain(components).max_by_key(|impact| impact.rank()).unwrap_or(Impact::None)
    }

    fn begin(
        &mut self,
        now: Time,
        kind: Kind,
        status: Status,
        opening: &Opening<'_>,
        window: Option<(Time, Time)>,
    ) -> Posted {
        let at = self.tick(now);
        let (incident, update) = (self.number(), self.number());
        self.incidents.push(Incident {
            number: incident,
            kind,
            title: opening.title.to_owned(),
            status,
            impact: opening.impact,
            created: at,
            changed: at,
            resolved: None,
            window,
            components: opening.components.iter().map(|name| (*name).to_owned()).collect(),
            updates: vec![Update {
                number: update,
                status,
                text: opening.text.to_owned(),
                at,
                changed: at,
            }],
        });
        Posted { incident, update }
    }

    fn touch<R>(
        &mut self,
        now: Time,
        incident: u64,
        change: impl FnOnce(&mut Incident, Time) -> Option<R>,
    ) -> Option<R> {
        let at = self.tick(now);
        let found = self.incidents.iter_mut().find(|found| found.number == incident)?;
        found.changed = at;
        change(found, at)
    }

    fn tick(&mut self, now: Time) -> Time {
        self.version = now.trunc_subsecs(3).max(self.version + Duration::milliseconds(1));
        self.version
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
