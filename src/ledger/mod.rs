//! The ledger: deduplicates poll results, numbers events and stores both.
//!
//! * [`actor`] is the only writer. It groups the results of many pollers into one transaction.
//! * [`reconcile`] is the pure core: it compares the stored state of one incident with a snapshot
//!   and returns the new events.
//! * `commit` judges one poll result. It sees the state of a provider as a `Book`, and no database.
//! * `store` is a database as the actor uses it; `sqlite` implements it and contains all SQL of a
//!   ledger. `shared` implements it for several nodes on one PostgreSQL, each with a replica in SQLite.
//! * [`Reader`] gives other processes read access while `run` is writing.
//! * [`ScratchLedger`] is an in-process ledger without an actor or a clock, for replaying
//!   recordings.
//!
//! Guarantees: events, seen versions and checkpoints change in one transaction; `seq` has no gaps;
//! an unchanged poll writes only its time, in batches.

pub mod abandoned;
mod absence;
pub mod actor;
mod anomalies;
mod book;
mod changed;
mod commit;
mod component_state;
mod components;
mod connectivity;
mod control;
mod declared;
mod delivery;
mod elsewhere;
mod error;
mod failures;
pub mod filter;
mod group;
mod handle;
mod handlers;
mod identify;
mod image;
mod job;
mod judge;
mod known;
mod lock;
mod messages;
mod min_duration;
mod network;
mod numbering;
mod observation;
mod offline;
pub mod outbox;
mod poll;
mod post_commit;
mod provider_events;
mod provider_time;
pub mod reconcile;
mod rematch;
mod retention;
mod rows;
mod scratch;
mod shared;
mod sqlite;
mod staleness;
mod store;
mod vanished;
mod versions;
mod watched;
mod windows;

pub use actor::{LedgerActor, LedgerOptions};
pub use connectivity::Cause;
pub use control::Control;
pub use delivery::{Cursor, LogError, LongerLog, StoredEvent};
pub use error::{LedgerError, RecoveryError};
pub use handle::Ledger;
pub(crate) use judge::panic_text;
pub use lock::{LockError, StateLock};
pub use messages::{
    AddSink, Binding, Checkpoint, Crash, Delivered, Failed, Flush, ForgetRouting, LastRead, Loaded,
    Record, Recorded, Release, Restarted, Resume, Sidecar, SinkHealth, Unchanged, Verdict, Void,
    Wake, Watch,
};
pub use network::{Network, Polled};
pub use offline::OwnNetwork;
pub use rows::{OpenItem, ProviderRow, Query, SinkRow, UpdateTimes};
pub use scratch::ScratchLedger;
pub use shared::Shared;
pub use shared::moving::{MoveError, Moved, Place, move_ledger};
pub use sqlite::{
    DATABASE, ItemQuery, ItemRow, LastEvent, OutboxCopy, ROUTER, Reader, Span, open_writer,
    sqlite_version,
};
