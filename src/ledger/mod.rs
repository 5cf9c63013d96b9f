//! The ledger: the dedup actor and its embedded database. Every event once, in one sequence.
//!
//! * [`actor`] is the only writer. It groups the results of many pollers into one transaction.
//! * [`reconcile`] is the pure heart: what is known and what a snapshot says in, what is new out.
//! * `commit` carries one poll's result through reconciliation into the transaction.
//! * `adopt` takes over what the event log holds beyond a database that was restored or begun anew.
//! * [`ScratchLedger`] is the same without an actor and a clock, for a recording that is played again.
//! * `store` and `migrate` hold the SQL; [`Reader`] is for everybody else, while `run` is writing.
//!
//! Promises: events, what was seen and the checkpoint change in one transaction; `seq` has no gap;
//! an unchanged poll writes nothing but its time, and that in batches.

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
mod load;
mod lock;
mod messages;
mod migrate;
mod min_duration;
mod network;
mod numbering;
mod offline;
mod provider_events;
mod provider_time;
mod read;
pub mod reconcile;
mod recovery;
mod rematch;
mod retention;
mod scratch;
mod staleness;
mod store;
mod vanished;
mod versions;
mod wal;
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
pub use migrate::{DATABASE, open_writer};
pub use network::{Network, Polled};
pub use offline::OwnNetwork;
pub use read::{OpenItem, ProviderRow, Query, Reader, SinkRow};
pub use scratch::ScratchLedger;

/// The version of the SQLite library in use.
#[must_use]
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}
