//! What can be asked of the ledger, and what it answers. Requests are imperative, facts past.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix::Message;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{LedgerError, Network};
use crate::config::Provider;
use crate::event::{Component, Time};
use crate::fetch::Validators;
use crate::sink::Cursor;
use crate::snapshot::Snapshot;
use crate::source::Known;

/// Which source reads a provider, and where its first document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The source's name.
    pub source: String,
    /// The source's version when its checkpoint was made.
    pub version: u32,
    /// The first document.
    pub document_url: Url,
}

/// A document that may change while the first one does not, as it was last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Where it is.
    pub url: Url,
    /// For the next conditional request.
    pub validators: Validators,
    /// Of its body.
    pub body_hash: u128,
}

/// Where a poller stands: survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// `None`: to be recognised.
    pub binding: Option<Binding>,
    /// For the next conditional request.
    pub validators: Validators,
    /// Of the last body that was read in full and recorded.
    pub body_hash: Option<u128>,
    /// Documents to be asked for while the first one stays the same.
    pub companions: Vec<Sidecar>,
    /// When the page last answered with its body, asked in full or changed.
    pub full_at: Option<Time>,
    /// When its server last said "not modified" of a page that had changed. Recorded only where the
    /// snapshot it comes with brings something new.
    pub false_304_at: Option<Time>,
    /// Until when the page is asked for in full because of that; recorded likewise.
    pub unconditional_until: Option<Time>,
    /// When the next poll is due.
    pub next_poll_at: Option<Time>,
    /// Not before this; the host asked for it.
    pub retry_until: Option<Time>,
    /// Failed polls in a row.
    pub failures: u32,
}

/// A provider at the start: its checkpoint and what decides which documents are needed.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Where its poller stands.
    pub checkpoint: Checkpoint,
    /// What is open and how far details were read.
    pub known: Known,
    /// Whether an incident is open or a maintenance under way.
    pub active: bool,
    /// When the next window of an open maintenance begins or ends, as far as the last good poll
    /// knew: from then on the same document may say something else.
    pub window_at: Option<Time>,
    /// Times the process died while reading this provider's document, in a row.
    pub deaths: u32,
    /// Not to be read before this: its document killed the process.
    pub quarantined_until: Option<Time>,
    /// How often its host lets it be polled, where that is less often than was asked for.
    pub real_interval: Option<std::time::Duration>,
    /// All components of its page, where its filter names some and the page is known to list all it
    /// has.
    pub components: Vec<Component>,
}

/// Declares the providers of the configuration; the others are kept but no longer watched.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Loaded>, LedgerError>")]
pub struct Watch {
    /// In the order of the answer.
    pub providers: Vec<Arc<Provider>>,
    /// Providers whose document was being read when the process died.
    pub died: Vec<String>,
    /// By id, for those whose host cannot be polled as often as was asked for: how often it can.
    pub real_intervals: HashMap<String, std::time::Duration>,
}

/// A poller of this generation takes over; from now on results of older ones are refused. Answers
/// where it stands.
#[derive(Debug, Message)]
#[rtype(result = "Result<Loaded, LedgerError>")]
pub struct Resume {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The generation of its new poller.
    pub generation: u64,
}

/// The result of a poll that brought something.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Recorded, LedgerError>")]
pub struct Record {
    /// The provider.
    pub provider: Arc<Provider>,
    /// Of the poller.
    pub generation: u64,
    /// What the poll says.
    pub snapshot: Box<Snapshot>,
    /// Where the poller stands once this is recorded.
    pub checkpoint: Checkpoint,
    /// Whether every detail asked for was read.
    pub complete: bool,
    /// When the documents were fetched.
    pub observed_at: Time,
}

impl Record {
    /// The source that read it.
    #[must_use]
    pub fn source(&self) -> &str {
        self.checkpoint.binding.as_ref().map_or("unknown", |binding| binding.source.as_str())
    }

    /// The result with every maintenance where its window says at the time of observation; itself
    /// where they all stand there already.
    pub(super) fn settled(&self) -> Cow<'_, Self> {
        if self.snapshot.is_settled(self.observed_at) {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.snapshot.settle(self.observed_at);
        Cow::Owned(settled)
    }
}

/// What became of a [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// How it was judged.
    pub verdict: Verdict,
    /// Events that are told.
    pub events: usize,
    /// What decides which documents are needed next time.
    pub known: Known,
    /// Whether an incident is open or a maintenance under way.
    pub active: bool,
    /// When the next window of an open maintenance begins or ends: from then on the same document
    /// may say something else.
    pub window_at: Option<Time>,
    /// Something is missing and has to be missing twice to count: the next poll must not be
    /// conditional.
    pub recheck: bool,
}

/// How a snapshot was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The first good poll of the provider.
    Baseline,
    /// Something is new.
    Changed,
    /// Nothing is.
    Same,
    /// Older than what is known: nothing was taken from it, the checkpoint stays.
    Stale,
    /// Another customer's page: nothing was taken from it, the poll failed.
    WrongTenant {
        /// The page id pinned.
        expected: String,
        /// The one answered.
        found: String,
    },
}

/// A poll that brought the same as before. Kept in memory and written in batches: losing one costs
/// a request.
#[derive(Debug)]
pub struct Unchanged {
    /// The provider.
    pub provider: String,
    /// Of the poller.
    pub generation: u64,
    /// When.
    pub at: Time,
    /// When the next one is due.
    pub next_poll_at: Time,
    /// Validators the answer itself carried.
    pub validators: Option<Validators>,
    /// Whether the page was asked for in full, to see whether its validators mean something.
    pub full: bool,
}

impl Unchanged {
    /// With what an earlier note says that is not written yet.
    pub(super) fn keeping(mut self, earlier: Option<&Self>) -> Self {
        if let Some(earlier) = earlier {
            self.full |= earlier.full;
            self.validators = self.validators.or_else(|| earlier.validators.clone());
        }
        self
    }
}

/// Where pollers leave their [`Unchanged`], the last one of each provider. The ledger looks here
/// every second and before it takes anything else of a provider: a message each would wake its
/// thread at every poll, which costs more than the poll.
#[derive(Debug, Clone, Default, Message)]
#[rtype(result = "()")]
pub(super) struct Hints(pub(super) Arc<Mutex<HashMap<String, Unchanged>>>);

/// What the pollers see of the network, for the ledger to judge.
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
    /// The kind of failure, one word.
    pub kind: String,
    /// What happened, for a person.
    pub reason: String,
    /// When the next poll is due.
    pub next_poll_at: Time,
    /// Not before this; the host asked for it.
    pub retry_until: Option<Time>,
    /// Who asked for that, for a person.
    pub asked_by: Option<String>,
    /// Failed polls in a row, this one included.
    pub failures: u32,
    /// What was answered could not be read: the next request must not be conditional.
    pub forget_validators: bool,
}

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
    /// Whether it went over the restart intensity.
    pub parked: bool,
}

/// A sink exists; answers its cursor. One never seen starts behind the newest event, in a new
/// ledger at the first.
#[derive(Debug, Message)]
#[rtype(result = "Result<Cursor, LedgerError>")]
pub struct AddSink {
    /// Its id.
    pub id: String,
    /// Is told of new events.
    pub nudge: actix::Recipient<Wake>,
}

/// A sink has delivered up to its cursor.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Delivered {
    /// The sink.
    pub id: String,
    /// How far.
    pub cursor: Cursor,
}

/// A sink is down, or up again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SinkHealth {
    /// The sink.
    pub id: String,
    /// Why it is down; `None`: it is up.
    pub trouble: Option<String>,
}

/// When a provider was last read that is still fresh; `None`: none is.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Option<std::time::Instant>, LedgerError>")]
pub struct LastRead;

/// There is something new; may be lost.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Wake;

/// Panics: what the chaos command and the tests do to it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Crash;

/// Writes what is held back, before the end.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), LedgerError>")]
pub struct Flush;
