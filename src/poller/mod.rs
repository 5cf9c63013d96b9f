//! Pollers: one actor per provider. Each poll is due, fetches, compares, parses, records and
//! schedules the next one.
//!
//! * [`schedule`] computes when the next poll is due. Pure.
//! * [`cycle`] is one poll: which documents to fetch, and whether they are unchanged, read or
//!   failed.
//! * `sidecars` fetches documents that change while the first one does not.
//! * [`parse_pool`] parses outside the actors' threads, with a deadline, and notes on disk which
//!   provider's document is being parsed in case it takes the process down.
//! * `verify` sends an unconditional request now and then to check that 304 can be trusted.
//! * [`admission`] limits how many documents and snapshots are in memory at once.
//! * [`host_load`] finds hosts that cannot be polled as often as configured. Pure.
//! * [`filters`] finds filter patterns that match nothing on the page.
//! * `context` is the state shared by all pollers; `error` is why a poll failed; `progress` shows
//!   the supervisor how a poller is getting on.
//! * [`actor`] holds the little state that is kept between polls; `report` takes the outcome of one
//!   to the ledger, `settle` what was learned from it to the next.
//!
//! A poller never has two requests in flight. Between polls, only the hash of a document is kept.

pub mod actor;
pub mod admission;
mod context;
pub mod cycle;
mod detection;
mod error;
pub mod filters;
pub mod host_load;
pub mod parse_pool;
mod progress;
mod report;
mod request;
pub mod schedule;
mod settle;
mod sidecars;
mod start;
mod verify;

pub use actor::{PollNow, Poller, Sabotage};
pub use context::PollerContext;
pub use error::PollError;
pub use progress::Progress;
