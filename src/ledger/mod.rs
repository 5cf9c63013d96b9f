//! The ledger: deduplicates poll results, numbers events and stores both in SQLite.
//!
//! * [`actor`] is the only writer. It groups the results of many pollers into one transaction.
//! * [`reconcile`] is the pure core: it compares the stored state of one incident with a snapshot
//!   and returns the new events.
//! * `commit` applies one poll result: it runs reconciliation and writes the outcome to the open
//!   transaction.
//! * `sqlite::import` imports events from the event log after the database was restored or recreated.
//! * [`ScratchLedger`] is an in-process ledger without an actor or a clock, for replaying
//!   recordings.
//! * `sqlite` contains the SQL. [`Reader`] gives other processes read access while
//!   `run` is writing.
//!
//! Guarantees: events, seen versions and checkpoints change in one transaction; `seq` has no gaps;
//! an unchanged poll writes only its time, in batches.

pub mod abandoned;
mod absence;
pub mod actor;
mod anomalies;
mod commit;
mod components;
mod connectivity;
mod elsewhere;
mod error;
mod failures;
pub mod filter;
mod group;
mod handle;
mod handlers;
mod identify;
mod lock;
mod messages;
mod min_duration;
mod network;
mod numbering;
mod offline;
pub mod outbox;
mod provider_events;
mod provider_time;
pub mod reconcile;
mod rematch;
mod retention;
mod scratch;
mod sqlite;
mod staleness;
mod vanished;
mod versions;
mod windows;

pub use actor::{LedgerActor, LedgerOptions};
pub use connectivity::Cause;
pub use error::LedgerError;
pub use handle::Ledger;
pub use lock::{LockError, StateLock};
pub use messages::{
    AddSink, Binding, Checkpoint, Crash, Delivered, Failed, Flush, LastRead, Loaded, Record,
    Recorded, Restarted, Resume, Sidecar, SinkHealth, Unchanged, Verdict, Wake, Watch,
};
pub use network::{Network, Polled};
pub use offline::OwnNetwork;
pub use scratch::ScratchLedger;
pub use sqlite::migrate::{DATABASE, open_writer};
pub use sqlite::outbox::ROUTER;
pub use sqlite::outbox_control::Control;
pub use sqlite::read::{OpenItem, ProviderRow, Query, Reader, SinkRow};

/// The version of the SQLite library in use.
#[must_use]
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
