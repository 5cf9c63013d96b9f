//! What one poll says: incidents with their updates, maintenances, component states, and how much
//! of the truth that covers. Sources make it, the ledger compares it with what it knows.
//!
//! A snapshot is never partial by accident: a source that cannot read a document returns an error.
//! What a snapshot leaves out means nothing unless its [`Coverage`] says that it would have been
//! listed.

mod windows;

use serde::{Deserialize, Serialize};

use crate::event::{Component, ComponentStatus, Impact, Kind, Status, Time};

/// What one poll says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Whose page it is.
    pub page: Page,
    /// Incidents and maintenances, in the order of the document.
    pub incidents: Vec<Incident>,
    /// Components with their present state.
    pub components: Vec<Component>,
    /// What an absence would mean.
    pub coverage: Coverage,
    /// What was in the document and could not be used: told as a diagnostic, never as an event.
    pub rejected: Vec<String>,
    /// Times that were written and could not be read: what carries one is told under the time of
    /// observation.
    pub unread_times: UnreadTimes,
}

/// Times of a document that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UnreadTimes {
    /// How many.
    pub count: usize,
    /// Some of them as written, at most three: plain text, at most 60 characters each.
    pub examples: Vec<String>,
}

impl UnreadTimes {
    /// What a person should know; `None` where all was read.
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

/// The page behind the documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The platform's id of the page. Pinned at the first good poll: another id is another tenant.
    pub id: Option<String>,
    /// What the page calls itself.
    pub name: Option<String>,
    /// The page a person would open.
    pub url: Option<String>,
    /// A time that only grows when incidents change: an older one marks a stale answer. `None`
    /// where the platform has no such thing.
    pub version: Option<Time>,
    /// How the page sums itself up, where it does.
    pub impact: Option<Impact>,
    /// Of how many components in an unknown state the page itself says that nobody watches them:
    /// its own word for the whole was given without them.
    pub unwatched: usize,
}

/// An incident or maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// [`Kind::Incident`] or [`Kind::Maintenance`].
    pub kind: Kind,
    /// The platform's id, unique within the provider. Never invented: an item without one is
    /// rejected.
    pub id: String,
    /// Plain text, one line.
    pub title: String,
    /// Where it stands now.
    pub status: Status,
    /// What that rests on.
    pub basis: Basis,
    /// How bad it is now.
    pub impact: Impact,
    /// The page a person would open.
    pub url: Option<String>,
    /// When it began.
    pub started_at: Option<Time>,
    /// Maintenance: the window's begin.
    pub scheduled_for: Option<Time>,
    /// Maintenance: the window's end.
    pub scheduled_until: Option<Time>,
    /// What is affected.
    pub components: Vec<Component>,
    /// What was written about it, oldest first.
    pub updates: Vec<Update>,
}

/// What the status of an incident or maintenance rests on. See [`Snapshot::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// The document: by a word of its own, or by the list it stands in. What is listed is open
    /// unless its status says that it is over.
    #[default]
    Stated,
    /// The begin of its window: a maintenance without a word of its own in a list that holds those
    /// planned and those under way. As long as it is listed it is not over.
    Begin,
    /// Its whole window: a maintenance without a word of its own in a list that holds past ones,
    /// too.
    Window,
    /// Nothing: an item of a feed that names no status. It may be open, and it may be long over.
    Silent,
}

/// One written update of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What it is recognised by.
    pub id: UpdateId,
    /// The status it gives the incident; [`Status::Update`] where it names none.
    pub status: Status,
    /// The status that is written in the update itself, which with its text is what an edit
    /// changes. [`Status::Update`] where the source concluded `status` from the update's place in
    /// the list, from its time, or from what stands beside it: that changes without an edit.
    pub stated: Status,
    /// The provider's time of it, shown to people and used to order events.
    pub published_at: Option<Time>,
    /// When its text was last edited, where the platform says: an older one than known is a stale
    /// answer.
    pub edited_at: Option<Time>,
    /// Plain text with `\n` between paragraphs; may be empty.
    pub text: String,
}

/// What an update is recognised by, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateId {
    /// The platform's own id.
    Native(String),
    /// The time of the update and its place (0, 1, …) among those of the same incident and time.
    Timed(Time, u32),
    /// Its words: where there is no id and times are not to be trusted. An edit looks like a new
    /// update.
    Content,
    /// The document shows the latest update alone and replaces it: other words with a newer
    /// `published_at` are a new update, other words with the same time are an edit of the last one.
    Latest,
}

/// What an absence would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Of incidents.
    pub incidents: Listing,
    /// Of maintenances.
    pub maintenances: Listing,
    /// Whether `components` is the whole list. Otherwise a missing component means nothing, as
    /// always.
    pub all_components: bool,
}

/// What a list of incidents holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listing {
    /// Nothing can be concluded from what is missing.
    #[default]
    Unknown,
    /// All that are open; how one ended is not shown.
    Open,
    /// The newest ones, over or not, down to some limit: one missing in between was taken off the
    /// page.
    Recent,
    /// All that are open, and one that is missing has come to its end: so says the user who
    /// described the list.
    Whole,
}

impl Snapshot {
    /// The incidents and maintenances that are not over.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| !incident.status.is_over())
    }

    /// The worst that the page's own word, a component or an open incident says. Whatever of them
    /// is not known to be well keeps the whole from being well: a word of the page that nobody
    /// knows, a component in an unknown state, an open incident of unknown impact, a component that
    /// could not be read, and, where the page has no word of its own, any part that could not.
    #[must_use]
    pub fn impact(&self) -> Impact {
        let incidents = self
            .open()
            .filter(|incident| incident.status != Status::Scheduled)
            .map(|incident| incident.impact);
        let states = self.components.iter().map(|component| component.status);
        let unknown = states.clone().filter(|state| *state == ComponentStatus::Unknown).count();
        let has_word = self.page.impact.is_some();
        // A word over nothing but components that nobody watches says nothing.
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

    /// Whether all is known to be well, and nothing is going on.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.impact() == Impact::None
            && self.open().all(|incident| incident.status == Status::Scheduled)
    }
}

impl Incident {
    /// An incident of which only the identity is known yet.
    #[must_use]
    pub fn new(kind: Kind, id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            title: title.into(),
            status: if kind == Kind::Maintenance { Status::Scheduled } else { Status::Update },
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

/// A component of which a platform gives name and state alone.
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
    fn only_what_is_known_to_be_well_is_well() {
        use ComponentStatus::{MajorOutage, Operational, Unknown};
        let impact = |word: Option<Impact>, states: &[ComponentStatus], unwatched: usize| {
            let components = states.iter().map(|&state| component(None, "x", None, state));
            let page = Page { impact: word, unwatched, ..Page::default() };
            Snapshot { page, components: components.collect(), ..Snapshot::default() }.impact()
        };
        let (well, odd) = (Some(Impact::None), Some(Impact::Unknown));
        for (word, states, unwatched, expected) in [
            (None, &[][..], 0, Impact::Unknown),
            (well, &[], 0, Impact::None),
            (None, &[Operational], 0, Impact::None),
            (odd, &[Operational, Operational], 0, Impact::Unknown),
            (odd, &[Operational, MajorOutage], 0, Impact::Critical),
            (well, &[Operational, Unknown], 0, Impact::Unknown),
            // Nobody watches the second one, and the page says so and sums up the first.
            (well, &[Operational, Unknown], 1, Impact::None),
            (well, &[Operational, Unknown, Unknown], 1, Impact::Unknown),
            (well, &[Unknown], 1, Impact::Unknown),
            (None, &[Operational, Unknown], 1, Impact::Unknown),
        ] {
            assert_eq!(impact(word, states, unwatched), expected, "{word:?} {states:?}");
        }
        let open = Incident::new(Kind::Incident, "i", "x");
        let page = Page { impact: well, ..Page::default() };
        let mut snapshot = Snapshot { page, incidents: vec![open], ..Snapshot::default() };
        assert_eq!(snapshot.impact(), Impact::Unknown, "nobody knows how bad it is");
        snapshot.incidents.clear();
        snapshot.rejected.push("a component without a name".to_owned());
        assert_eq!(snapshot.impact(), Impact::Unknown, "it may be one that is down");
        snapshot.coverage.all_components = true;
        assert_eq!(
            snapshot.impact(),
            Impact::None,
            "every component was read, and the page is well"
        );
    }
}
