//! The state of a fake provider's page, and the operations that change it.
//!
//! Times are passed in. Every change advances [`State::version`], by at least a millisecond, so
//! that each change has its own version.

use chrono::{Duration, SubsecRound};

use statuswatch_model::event::{ComponentStatus, Impact, IncidentStatus, Kind, Time};

/// The state of a page.
#[derive(Debug, Clone)]
pub struct State {
    /// The tenant: all ids of the page are derived from it.
    pub tenant: String,
    /// The name of the page.
    pub name: String,
    /// The time of the last change; it never decreases.
    pub version: Time,
    /// Its components.
    pub components: Vec<Component>,
    /// Incidents and maintenances, oldest first, over or not.
    pub incidents: Vec<Incident>,
    /// Number of entries in lists and feeds; `None` for the platform's usual number.
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
    /// Its status.
    pub status: ComponentStatus,
    /// When it last changed.
    pub changed: Time,
}

/// An incident or maintenance.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Its number within the page, from which platforms derive their ids.
    pub number: u64,
    /// Incident or maintenance.
    pub kind: Kind,
    /// Its title.
    pub title: String,
    /// Its status.
    pub status: IncidentStatus,
    /// Its impact.
    pub impact: Impact,
    /// When it was opened.
    pub created: Time,
    /// When anything about it last changed.
    pub changed: Time,
    /// When it ended.
    pub resolved: Option<Time>,
    /// For a maintenance: start and end of the window.
    pub window: Option<(Time, Time)>,
    /// Names of the affected components.
    pub components: Vec<String>,
    /// Its updates, oldest first.
    pub updates: Vec<Update>,
}

/// An update.
#[derive(Debug, Clone)]
pub struct Update {
    /// Its number within the page.
    pub number: u64,
    /// The status it gives the incident.
    pub status: IncidentStatus,
    /// Its text.
    pub text: String,
    /// When it was published.
    pub at: Time,
    /// When it was last edited.
    pub changed: Time,
}

/// The initial data of an incident.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its impact.
    pub impact: Impact,
    /// Names of the affected components.
    pub components: &'a [&'a str],
    /// The first update.
    pub text: &'a str,
}

/// The numbers of an incident and of its new update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The number of the incident.
    pub incident: u64,
    /// The number of the update.
    pub update: u64,
}

impl State {
    /// Creates a page with everything operational.
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
        self.begin(now, Kind::Incident, IncidentStatus::Investigating, opening, None)
    }

    /// Announces a maintenance from `window.0` to `window.1`.
    pub fn schedule(&mut self, now: Time, opening: &Opening<'_>, window: (Time, Time)) -> Posted {
        self.begin(now, Kind::Maintenance, IncidentStatus::Scheduled, opening, Some(window))
    }

    /// Adds an update; a final status ends the incident. Returns `None` for an unknown incident.
    pub fn update(
        &mut self,
        now: Time,
        incident: u64,
        status: IncidentStatus,
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

    /// Removes an update from the page.
    pub fn delete_update(&mut self, now: Time, posted: Posted) -> Option<()> {
        self.touch(now, posted.incident, |found, _| {
            let before = found.updates.len();
            found.updates.retain(|update| update.number != posted.update);
            (found.updates.len() < before).then_some(())
        })
    }

    /// Removes an incident or maintenance from the page without an update.
    pub fn withdraw(&mut self, now: Time, incident: u64) -> Option<()> {
        let before = self.incidents.len();
        self.incidents.retain(|found| found.number != incident);
        self.tick(now);
        (self.incidents.len() < before).then_some(())
    }

    /// Changes the impact of an incident, without an update.
    pub fn set_impact(&mut self, now: Time, incident: u64, impact: Impact) -> Option<()> {
        self.touch(now, incident, |found, _| {
            found.impact = impact;
            Some(())
        })
    }

    /// Changes the status of a component.
    pub fn set_component(&mut self, now: Time, name: &str, status: ComponentStatus) -> Option<()> {
        let at = self.tick(now);
        let component = self.components.iter_mut().find(|component| component.name == name)?;
        component.status = status;
        component.changed = at;
        Some(())
    }

    /// Adds `count` resolved past incidents, an hour apart, before all others.
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
                    IncidentStatus::Investigating,
                    format!("We are looking into past problem {age}."),
                    created,
                ),
                (IncidentStatus::Resolved, format!("Past problem {age} is solved."), ended),
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
                status: IncidentStatus::Resolved,
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

    /// Returns the incident of that number.
    #[must_use]
    pub fn incident(&self, number: u64) -> Option<&Incident> {
        self.incidents.iter().find(|incident| incident.number == number)
    }

    /// Returns the components affected by an incident.
    pub fn components_of<'a>(
        &'a self,
        incident: &'a Incident,
    ) -> impl Iterator<Item = &'a Component> {
        self.components.iter().filter(|component| incident.components.contains(&component.name))
    }

    /// Returns the incidents of one kind, newest first, optionally only the open ones.
    pub fn listed(&self, kind: Kind, open_only: bool) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().rev().filter(move |incident| {
            incident.kind == kind && !(open_only && incident.status.is_over())
        })
    }

    /// Returns the worst status of the open incidents and the components.
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
        status: IncidentStatus,
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
