//! The seam between decisions and storage, for one provider.
//!
//! What judges a poll reads and writes through a [`Book`], never through a database. A store loads
//! what a book shows, and writes what was put into it, in whatever way suits its database:
//! statement by statement, or everything of a transaction at once.

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;

use super::component_state::Components;
use super::error::Result;
use super::known::{AnomalyStreak, ItemSummary, Open, ProviderState, Twin};
use super::messages::{Delivered, Failed, Record, Restarted, SinkHealth};
use super::numbering::NewEvent;
use super::offline::OwnNetwork;
use super::outbox::OutboxChange;
use super::reconcile::{ItemState, SeenVersion};
use super::rematch::Candidate;
use super::vanished::Vanished;
use crate::event::{Impact, IncidentKey, Kind, Status, Time};
use crate::snapshot::Incident;

/// What is known of one provider, and what is recorded about it, within one transaction.
///
/// Reads show what was put before in the same transaction. After an error the transaction is rolled
/// back, so no method need leave the book usable.
pub(super) trait Book {
    /// Returns the provider's state; an error if it was never declared.
    fn state(&mut self) -> Result<ProviderState>;

    /// Returns summaries of these items, in order; `None` for unknown ones.
    fn summaries(&mut self, keys: &[IncidentKey]) -> Result<Vec<Option<ItemSummary>>>;

    /// Returns an item as last seen.
    fn item(&mut self, key: IncidentKey) -> Result<Option<ItemState>>;

    /// Returns every seen version of an item's updates.
    fn seen(&mut self, key: IncidentKey) -> Result<Vec<SeenVersion>>;

    /// Returns the other ids of an incident, most recently listed first.
    fn twins(&mut self, key: IncidentKey) -> Result<Vec<Twin>>;

    /// Returns the open items.
    fn open_items(&mut self) -> Result<Vec<Open>>;

    /// Returns how many items are not missing, at most 400: the size of the known window.
    fn listed_items(&mut self) -> Result<usize>;

    /// Returns at most `most` items, open ones first, then those not missing, the newest first.
    fn recent_items(&mut self, most: u32) -> Result<Vec<Candidate>>;

    /// Returns the items of a kind whose newest update is newer than this, without those that are
    /// now listed under another id.
    fn newer_items(&mut self, kind: Kind, than: Time) -> Result<Vec<IncidentKey>>;

    /// Returns the components; empty if none are known.
    fn components(&mut self) -> Result<Components>;

    /// Returns since when the oldest unreported component change has been held back.
    fn held_since(&mut self) -> Result<Option<Time>>;

    /// Returns what the filter names and the page no longer lists.
    fn vanished(&mut self) -> Result<Vanished>;

    /// Returns the state of our own network.
    fn network(&mut self) -> Result<OwnNetwork>;

    /// Records a change.
    fn put(&mut self, change: Change<'_>) -> Result<()>;

    /// Records an event unless one with its id was emitted or suppressed before. Returns whether it
    /// is emitted. A store that numbers events when it commits takes each id for a new one here.
    ///
    /// A change is always new: the caller saw the state change within this transaction, so if its
    /// id is taken, it gets another one. A written update is identified by its content: it may have
    /// been imported from the event log; otherwise the drop is counted.
    fn emit(&mut self, event: NewEvent<'_>) -> Result<bool>;
}

/// A change to record. Those of items, components and polls are about the book's provider.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// An item as it is listed now, open or over.
    Item {
        /// Its key.
        key: IncidentKey,
        /// The state to store.
        item: &'a ItemState,
        /// What is listed.
        incident: &'a Incident,
        /// When it was listed.
        at: Time,
    },
    /// A version of an update of an item; known ones are kept as they are.
    Seen {
        /// The item.
        key: IncidentKey,
        /// The version.
        seen: &'a SeenVersion,
        /// When it was seen.
        at: Time,
    },
    /// An unchanged item is listed.
    Listed {
        /// The item.
        key: IncidentKey,
        /// When it was listed.
        at: Time,
    },
    /// An item is not listed.
    Missing {
        /// The item.
        key: IncidentKey,
        /// For how many consecutive documents.
        documents: u32,
        /// Whether it still counts as open.
        open: bool,
        /// The end that was reported, if one was.
        emitted: Option<Status>,
    },
    /// An item is now listed under another id, and no longer open under this one.
    Retired(IncidentKey),
    /// An item is the incident that was listed under a former id.
    United {
        /// The item.
        key: IncidentKey,
        /// The former id.
        former: IncidentKey,
    },
    /// An item and its seen versions are removed.
    Forgotten(IncidentKey),
    /// All components, and the digest of the list they were compared with.
    Components(Components, Option<u128>),
    /// A document was accepted.
    Success(Success<'a>),
    /// A document was rejected.
    Rejected(Rejected<'a>),
    /// A poll failed. The validators are kept unless the response could not be parsed.
    Failed(&'a Failed),
    /// The ids of the page have changed.
    Moved {
        /// When.
        at: Time,
        /// The platforms involved in recent changes.
        between: String,
        /// Whether it is reported: it counts as a move then, and not as flapping.
        reported: bool,
    },
    /// The provider is reported as unreachable or as reachable.
    Reachable {
        /// Which of the two.
        reachable: bool,
        /// Number of times it was reported as unreachable.
        outages: u32,
    },
    /// A list is shorter than usual.
    Shrunk {
        /// Which one, in human-readable form.
        reason: &'a str,
        /// Since when, unless it was before.
        at: Time,
    },
    /// The lists have their usual lengths; `None` keeps the former one.
    Usual {
        /// Number of incidents.
        incidents: Option<usize>,
        /// Number of components.
        components: Option<usize>,
    },
    /// Nothing on the page is newer than this.
    QuietSince(Time),
    /// What the filter names and the page no longer lists.
    Vanished(&'a Vanished),
    /// The provider's poller was restarted.
    Restarted(&'a Restarted),
    /// The state of our own network.
    Network(&'a OwnNetwork),
    /// A sink has delivered events, at this time.
    Delivered(&'a Delivered, Time),
    /// A message to a channel was routed, sent, held back or given up.
    Outbox(&'a OutboxChange),
    /// A sink went down or recovered.
    SinkHealth(&'a SinkHealth),
}

/// What an accepted document changes in its provider's state. `None` keeps what is stored, unless
/// the field is part of the checkpoint.
#[derive(Debug)]
pub(super) struct Success<'a> {
    /// The document, with the checkpoint to store.
    pub(super) message: &'a Record,
    /// Whether it contains something new.
    pub(super) changed: bool,
    /// The worst impact it shows.
    pub(super) impact: Impact,
    /// The page's own time.
    pub(super) page_version: Option<Time>,
    /// The page's own time, if every detail was read.
    pub(super) complete_version: Option<Time>,
    /// When a document first listed past incidents.
    pub(super) recent_incidents_at: Option<Time>,
    /// When a document first listed past maintenances.
    pub(super) recent_maintenances_at: Option<Time>,
    /// Whether it lists an incident that is over.
    pub(super) lists_past_incidents: bool,
    /// Whether it lists a maintenance that is over.
    pub(super) lists_past_maintenances: bool,
    /// Whether the time of the last poll is stored apart from the rest: see
    /// [`ProviderState::quiet`].
    pub(super) was_quiet: bool,
}

/// A rejected document: it is not a success, and nothing else of it is stored.
#[derive(Debug)]
pub(super) struct Rejected<'a> {
    /// The document.
    pub(super) message: &'a Record,
    /// The run of rejected ones that it belongs to.
    pub(super) streak: AnomalyStreak,
    /// Why, in human-readable form.
    pub(super) reason: &'a str,
    /// Whether it is logged.
    pub(super) logged: bool,
}
