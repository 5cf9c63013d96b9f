//! The ledger's messages. Requests are named in the imperative, facts in the past tense.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use actix::Message;
use serde::{Deserialize, Serialize};
use url::Url;

use super::declared::longest_quarantine;
use super::numbering::NewEvent;
use super::{LedgerError, Network};
use crate::config::Provider;
use crate::event::{Component, Draft, Time};
use crate::fetch::Validators;
use crate::ledger::delivery::Cursor;
use crate::snapshot::Snapshot;
use crate::source::PriorItems;

/// The source that reads a provider and the URL of its first document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The source's name.
    pub source: String,
    /// The source's version when the checkpoint was written.
    pub version: u32,
    /// The first document.
    pub document_url: Url,
}

/// The state of a sidecar document: one that can change while the provider's first document stays
/// the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// The document's URL.
    pub url: Url,
    /// For the next conditional request.
    pub validators: Validators,
    /// Hash of the last body.
    pub body_hash: u128,
}

/// A poller's position, persisted across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The source and its document; `None` if the source has not been detected yet.
    pub binding: Option<Binding>,
    /// For the next conditional request.
    pub validators: Validators,
    /// Hash of the last body that was read in full and recorded.
    pub body_hash: Option<u128>,
    /// Sidecar documents to request while the first document is unchanged.
    pub sidecars: Vec<Sidecar>,
    /// When the page last answered with a full body, either because it was requested
    /// unconditionally or because it had changed.
    pub full_at: Option<Time>,
    /// When the server last answered "not modified" although the page had changed. Persisted only
    /// together with a snapshot that contains something new.
    pub false_304_at: Option<Time>,
    /// Requests are unconditional until this time because of a false 304. Persisted under the same
    /// condition.
    pub unconditional_until: Option<Time>,
    /// When the next poll is due.
    pub next_poll_at: Option<Time>,
    /// No poll before this time, as requested by the host.
    pub retry_until: Option<Time>,
    /// Consecutive failed polls.
    pub failures: u32,
}

/// A provider's state at startup: its checkpoint and what determines which documents are needed.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The poller's position.
    pub checkpoint: Checkpoint,
    /// When the provider was last polled, by the clock of whoever did: the same one by which the times
    /// of the checkpoint were set.
    pub polled_at: Option<Time>,
    /// Open items, and how far incident details have been read.
    pub known: PriorItems,
    /// Whether an incident is open or a maintenance under way.
    pub active: bool,
    /// When the next window of an open maintenance begins or ends, as of the last successful poll.
    /// From then on the same document can mean something else.
    pub window_at: Option<Time>,
    /// Consecutive process deaths while reading this provider's document.
    pub deaths: u32,
    /// The provider is not read before this time because its document killed the process.
    pub quarantined_until: Option<Time>,
    /// The effective interval, if the host allows only a longer one than configured.
    pub real_interval: Option<std::time::Duration>,
    /// All components of the page, if the provider's filter names components and the page is known
    /// to list all of them.
    pub components: Vec<Component>,
}

impl Loaded {
    /// Returns until when the provider is not read because its document killed the process: no longer
    /// than that many deaths ever mean, since the clock of whoever counted them may have been ahead.
    #[must_use]
    pub fn quarantine(&self, now: Time) -> Option<Time> {
        self.quarantined_until.map(|until| until.min(now + longest_quarantine(self.deaths)))
    }
}

/// Declares the configured providers. Others are kept but no longer watched.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Loaded>, LedgerError>")]
pub struct Watch {
    /// The providers; the reply has the same order.
    pub providers: Vec<Arc<Provider>>,
    /// Providers whose document was being read when the process died.
    pub died: Vec<String>,
    /// Effective interval by provider id, for hosts that cannot be polled as often as configured.
    pub real_intervals: HashMap<String, std::time::Duration>,
    /// Where several nodes share a database: the shards whose providers are declared. Providers of
    /// others are left as they are. `None`: all that this process holds.
    pub shards: Option<Arc<BTreeSet<u16>>>,
}

/// Registers a new poller generation: results of older generations are refused from now on. Returns
/// the provider's state.
#[derive(Debug, Message)]
#[rtype(result = "Result<Loaded, LedgerError>")]
pub struct Resume {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The generation of the new poller.
    pub generation: u64,
}

/// The result of a poll that returned a new document.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Recorded, LedgerError>")]
pub struct Record {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Of the poller.
    pub generation: u64,
    /// The parsed page.
    pub snapshot: Box<Snapshot>,
    /// The poller's checkpoint after this result is recorded.
    pub checkpoint: Checkpoint,
    /// Whether every requested detail document was read.
    pub complete: bool,
    /// When the documents were fetched.
    pub observed_at: Time,
}

impl Record {
    /// Returns the name of the source that read the page.
    #[must_use]
    pub fn source(&self) -> &str {
        self.checkpoint.binding.as_ref().map_or("unknown", |binding| binding.source.as_str())
    }

    /// Returns an event that was observed with this record.
    pub(super) fn event<'a>(
        &'a self,
        draft: Draft,
        suppressed_by: Option<&'a str>,
    ) -> NewEvent<'a> {
        NewEvent::of(&self.provider, self.source(), draft, suppressed_by, self.observed_at)
    }

    /// Returns the record with each maintenance in the status its window implies at the time of
    /// observation; borrows if nothing changes.
    pub(super) fn settled(&self) -> Cow<'_, Self> {
        if self.snapshot.is_settled(self.observed_at) {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.snapshot.settle(self.observed_at);
        Cow::Owned(settled)
    }
}

/// The outcome of a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The verdict on the snapshot.
    pub verdict: Verdict,
    /// Number of events emitted.
    pub events: usize,
    /// What determines which documents are needed for the next poll.
    pub known: PriorItems,
    /// Whether an incident is open or a maintenance under way.
    pub active: bool,
    /// When the next window of an open maintenance begins or ends. From then on the same document
    /// can mean something else.
    pub window_at: Option<Time>,
    /// Something is missing and must be missing twice to count: the next poll must be
    /// unconditional.
    pub recheck: bool,
}

/// The verdict on a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The provider's first successful poll.
    Baseline,
    /// The snapshot contains something new.
    Changed,
    /// The snapshot contains nothing new.
    Same,
    /// The snapshot is older than the stored state: it was discarded and the checkpoint is
    /// unchanged.
    Stale,
    /// The snapshot belongs to another customer's page: it was discarded and the poll counts as
    /// failed.
    WrongTenant {
        /// The pinned page id.
        expected: String,
        /// The page id in the response.
        found: String,
    },
}

/// An unchanged poll. Buffered in memory and written in batches: losing one costs a single request.
#[derive(Clone, Debug)]
pub struct Unchanged {
    /// The provider.
    pub provider: String,
    /// Of the poller.
    pub generation: u64,
    /// When.
    pub at: Time,
    /// When the next poll is due.
    pub next_poll_at: Time,
    /// Validators from the response.
    pub validators: Option<Validators>,
    /// Whether the request was unconditional, to check that the page's validators work.
    pub full: bool,
}

impl Unchanged {
    /// Merges in the fields of an earlier hint that has not been written yet.
    pub(super) fn keeping(mut self, earlier: Option<&Self>) -> Self {
        if let Some(earlier) = earlier {
            self.full |= earlier.full;
            self.validators = self.validators.or_else(|| earlier.validators.clone());
        }
        self
    }
}

/// Where pollers leave their latest [`Unchanged`], one per provider. The ledger drains it every
/// second and before it handles any other message of a provider: one actor message per poll would
/// wake the ledger's thread each time, which costs more than the poll itself.
#[derive(Debug, Clone, Default, Message)]
#[rtype(result = "()")]
pub(super) struct Hints(pub(super) Arc<Mutex<HashMap<String, Unchanged>>>);

/// The pollers' view of the network, which the ledger evaluates.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub(super) struct Attach(pub(super) Network);

/// A poll that failed.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Failed {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Of the poller.
    pub generation: u64,
    /// When.
    pub at: Time,
    /// The kind of failure, as one word.
    pub kind: String,
    /// What happened, in human-readable form.
    pub reason: String,
    /// When the next poll is due.
    pub next_poll_at: Time,
    /// No poll before this time, as requested by the host.
    pub retry_until: Option<Time>,
    /// Who asked for the delay, in human-readable form.
    pub asked_by: Option<String>,
    /// Consecutive failed polls, including this one.
    pub failures: u32,
    /// The response could not be parsed: the next request must be unconditional.
    pub forget_validators: bool,
}

/// These providers are not polled by this process any more. What was found is written first; what
/// still comes is refused.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Release {
    /// Their ids.
    pub providers: Vec<String>,
}

/// Another process has taken over: no provider is watched any more, and what is not written yet never
/// will be.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Void;

/// Forgets up to which event messages to channels were routed: the next dispatcher begins with the
/// events that are recorded after its start.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ForgetRouting;

/// A poller was restarted or parked.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Restarted {
    /// The provider.
    pub provider: String,
    /// `panic: …`, `stall`, `stopped`.
    pub cause: String,
    /// When.
    pub at: Time,
    /// Whether it exceeded the restart intensity.
    pub parked: bool,
}

/// Registers a sink and returns its cursor. A new sink starts after the newest event, or at the
/// first event of a new ledger.
#[derive(Debug, Message)]
#[rtype(result = "Result<Cursor, LedgerError>")]
pub struct AddSink {
    /// Its id.
    pub id: String,
    /// Receives a [`Wake`] when there are new events.
    pub nudge: actix::Recipient<Wake>,
}

/// A sink has delivered all events up to its cursor.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Delivered {
    /// The sink.
    pub id: String,
    /// The new cursor.
    pub cursor: Cursor,
}

/// A sink went down or recovered.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SinkHealth {
    /// The sink.
    pub id: String,
    /// Why the sink is down; `None` if it is up.
    pub failure: Option<String>,
}

/// Returns when any provider that is still fresh was last read; `None` if none is fresh.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<std::time::Instant>, LedgerError>")]
pub struct LastRead;

/// There are new events. Delivery is best-effort.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// Makes the actor panic. Used by the chaos command and by tests.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Crash;

/// Writes everything that is still buffered, before shutdown.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Flush;
