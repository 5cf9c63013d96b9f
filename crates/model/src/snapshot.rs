//! The contents of a page at one poll: incidents with their updates, maintenances and component
//! states, and how complete they are. Sources produce snapshots; the ledger compares them with its
//! stored state.
//!
//! A snapshot is never partial by accident: a source that cannot read a document returns an error.
//! An item missing from a snapshot means nothing unless its [`Coverage`] says that the item would
//! have been listed.

mod windows;

use serde::{Deserialize, Serialize};

use crate::event::{Component, ComponentStatus, Impact, IncidentStatus, Kind, Time};

/// The contents of a page at one poll.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The page's identity and overall state.
    pub page: Page,
    /// Incidents and maintenances, in document order.
    pub incidents: Vec<Incident>,
    /// Components with their current state.
    pub components: Vec<Component>,
    /// How complete the lists are.
    pub coverage: Coverage,
    /// Items of the document that could not be used. Reported as diagnostics, never as events.
    pub rejected: Vec<String>,
    /// Times that could not be parsed. Items that carry one are dated with the time of observation.
    pub unread_times: UnreadTimes,
}

/// Times of a document that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UnreadTimes {
    /// Number of such times.
    pub count: usize,
    /// Up to three examples as written: plain text, at most 60 characters each.
    pub examples: Vec<String>,
}

impl UnreadTimes {
    /// Returns a warning for the user; `None` if all times were parsed.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let (noun, such) = match self.count {
            0 => return None,
            1 => ("time", ""),
            _ => ("times", "such as "),
        };
        let examples: Vec<String> =
            self.examples.iter().map(|example| format!("\"{example}\"")).collect();
        Some(format!("{} {noun} cannot be read: {such}{}", self.count, examples.join(", ")))
    }
}

/// The page the documents belong to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The platform's id of the page. Pinned at the first successful poll: another id means another
    /// tenant.
    pub id: Option<String>,
    /// The page's name.
    pub name: Option<String>,
    /// The page a person would open.
    pub url: Option<String>,
    /// A time that only increases when incidents change; an older one indicates a stale response.
    /// `None` if the platform has no such time.
    pub version: Option<Time>,
    /// The page's own overall status, if it states one.
    pub impact: Option<Impact>,
    /// Number of components in an unknown state that the page itself declares as not monitored: its
    /// overall status does not include them.
    pub unwatched: usize,
}

/// An incident or maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// [`Kind::Incident`] or [`Kind::Maintenance`].
    pub kind: Kind,
    /// The platform's id, unique within the provider. Never invented: an item without an id is
    /// rejected.
    pub id: String,
    /// Plain text on one line.
    pub title: String,
    /// Its current status.
    pub status: IncidentStatus,
    /// What the status is based on.
    pub basis: Basis,
    /// Its current impact.
    pub impact: Impact,
    /// The page a person would open.
    pub url: Option<String>,
    /// When it started.
    pub started_at: Option<Time>,
    /// Maintenance only: start of the window.
    pub scheduled_for: Option<Time>,
    /// Maintenance only: end of the window.
    pub scheduled_until: Option<Time>,
    /// Affected components.
    pub components: Vec<Component>,
    /// Its updates, oldest first.
    pub updates: Vec<Update>,
}

/// What the status of an incident or maintenance is based on. See [`Snapshot::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// The document: its own status word, or the list it appears in. A listed item is open unless
    /// its status says that it is over.
    #[default]
    Stated,
    /// The start of its window: a maintenance without a status in a list of planned and current
    /// ones. It is not over as long as it is listed.
    Begin,
    /// Its whole window: a maintenance without a status in a list that also contains past ones.
    Window,
    /// Nothing: a feed item without a status. It may be open or long over.
    Silent,
}

/// A written update of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What identifies it.
    pub id: UpdateId,
    /// The status it gives the incident; [`IncidentStatus::Update`] if it states none.
    pub status: IncidentStatus,
    /// The status stated in the update itself. Together with the text it determines whether the
    /// update was edited. [`IncidentStatus::Update`] if the source inferred `status` from the
    /// update's position, its time or the incident, all of which can change without an edit.
    pub stated: IncidentStatus,
    /// The provider's time of the update, displayed to users and used to order events.
    pub published_at: Option<Time>,
    /// When its text was last edited, if the platform says so. An older time than the stored one
    /// indicates a stale response.
    pub edited_at: Option<Time>,
    /// Plain text with `\n` between paragraphs; may be empty.
    pub text: String,
}

/// What identifies an update, most reliable first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateId {
    /// The platform's own id.
    Native(String),
    /// The time of the update and its position (0, 1, …) among those of the same incident and time.
    Timed(Time, u32),
    /// Its content, if there is no id and times are unreliable. An edit looks like a new update.
    Content,
    /// The document shows only the latest update and replaces it: different text with a newer
    /// `published_at` is a new update, different text with the same time is an edit.
    Latest,
}

/// How complete the lists of a snapshot are, and so what a missing item means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// The list of incidents.
    pub incidents: Listing,
    /// The list of maintenances.
    pub maintenances: Listing,
    /// Whether `components` is the complete list. Otherwise a missing component means nothing.
    pub all_components: bool,
}

/// What a list of incidents contains, and so what a missing item means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listing {
    /// Nothing can be concluded from a missing item.
    #[default]
    Unknown,
    /// All open items. How a missing one ended is unknown.
    Open,
    /// The newest items, open or over, up to some limit. One missing in between was removed from
    /// the page.
    Recent,
    /// All open items, and a missing one has ended: stated by the user who described the list.
    Whole,
}

impl Snapshot {
    /// Returns the incidents and maintenances that are not over.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| !incident.status.is_over())
    }

    /// Returns the worst impact of the page's own status, its components and its open incidents.
    ///
    /// Anything not known to be fine keeps the result from being [`Impact::None`]: an unrecognized
    /// page status, a component in an unknown state, an open incident of unknown impact, a
    /// component that could not be parsed and, if the page states no status, any other part that
    /// could not be.
    #[must_use]
    pub fn impact(&self) -> Impact {
        let incidents = self
            .open()
            .filter(|incident| incident.status != IncidentStatus::Scheduled)
            .map(|incident| incident.impact);
        let states = self.components.iter().map(|component| component.status);
        let unknown = states.clone().filter(|state| *state == ComponentStatus::Unknown).count();
        let has_word = self.page.impact.is_some();
        // A status that covers only unmonitored components means nothing.
        let summed_up = has_word && unknown < self.components.len();
        let explained = if summed_up { self.page.unwatched } else { 0 };
        let unread = !(self.rejected.is_empty() || has_word && self.coverage.all_components);
        let known = states
            .filter(|state| *state != ComponentStatus::Unknown)
            .map(ComponentStatus::impact)
            .chain(incidents)
            .chain(self.page.impact);
        Impact::worst(known.chain((unread || unknown > explained).then_some(Impact::Unknown)))
    }

    /// Returns whether everything is known to be operational and nothing is in progress.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.impact() == Impact::None
            && self.open().all(|incident| incident.status == IncidentStatus::Scheduled)
    }
}

impl Incident {
    /// Creates an incident of which only the identity is known.
    #[must_use]
    pub fn new(kind: Kind, id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            title: title.into(),
            status: if kind == Kind::Maintenance {
                IncidentStatus::Scheduled
            } else {
                IncidentStatus::Update
            },
            basis: Basis::default(),
            impact: if kind == Kind::Maintenance { Impact::Maintenance } else { Impact::Unknown },
            url: None,
            started_at: None,
            scheduled_for: None,
            scheduled_until: None,
            components: Vec::new(),
            updates: Vec::new(),
        }
    }
}

/// Creates a component from its name and state.
#[must_use]
pub fn component(
    id: Option<String>,
    name: impl Into<String>,
    group: Option<String>,
    status: ComponentStatus,
) -> Component {
    Component { id, name: name.into(), group, status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_state_is_never_operational() {
        use ComponentStatus::{MajorOutage, Operational, Unknown};
        let impact = |word: Option<Impact>, states: &[ComponentStatus], unwatched: usize| {
            let components = states.iter().map(|&state| component(None, "x", None, state));
            let page = Page { impact: word, unwatched, ..Page::default() };
            Snapshot { page, components: components.collect(), ..Snapshot::default() }.impact()
        };
        let (fine, unknown_word) = (Some(Impact::None), Some(Impact::Unknown));
        for (word, states, unwatched, expected) in [
            (None, &[][..], 0, Impact::Unknown),
            (fine, &[], 0, Impact::None),
            (None, &[Operational], 0, Impact::None),
            (unknown_word, &[Operational, Operational], 0, Impact::Unknown),
            (unknown_word, &[Operational, MajorOutage], 0, Impact::Critical),
            (fine, &[Operational, Unknown], 0, Impact::Unknown),
            // The second one is declared unmonitored, and the page's status covers the first.
            (fine, &[Operational, Unknown], 1, Impact::None),
            (fine, &[Operational, Unknown, Unknown], 1, Impact::Unknown),
            (fine, &[Unknown], 1, Impact::Unknown),
            (None, &[Operational, Unknown], 1, Impact::Unknown),
        ] {
            assert_eq!(impact(word, states, unwatched), expected, "{word:?} {states:?}");
        }
        let open = Incident::new(Kind::Incident, "i", "x");
        let page = Page { impact: fine, ..Page::default() };
        let mut snapshot = Snapshot { page, incidents: vec![open], ..Snapshot::default() };
        assert_eq!(snapshot.impact(), Impact::Unknown, "its impact is unknown");
        snapshot.incidents.clear();
        snapshot.rejected.push("a component without a name".to_owned());
        assert_eq!(snapshot.impact(), Impact::Unknown, "the rejected component may be down");
        snapshot.coverage.all_components = true;
        assert_eq!(
            snapshot.impact(),
            Impact::None,
            "every component was read and the page is operational"
        );
    }
}
