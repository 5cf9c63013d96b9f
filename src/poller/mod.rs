//! Pollers: one actor a provider. Due, fetch, unchanged? parse, record, due again.
//!
//! * [`schedule`] is pure: when the next poll is due.
//! * [`cycle`] is one poll: which documents, unchanged or read or failed and why.
//! * `companions` asks for the documents that change while the first one does not.
//! * [`parse_pool`] parses away from the actors' threads, with a deadline, and remembers on disk which
//!   provider's document was being read, should it take the whole process with it.
//! * `verify` asks in full now and then, to see whether "not modified" means something.
//! * [`admission`] bounds how many documents and snapshots of all polls are in memory at once.
//! * [`host_load`] finds hosts that cannot be polled as often as was asked for, pure.
//! * [`filters`] finds names in filters that the page does not have.
//! * `shared` is what all of them share; `trouble` is why a poll failed; `progress` is how one gets
//!   on, seen from outside.
//! * [`actor`] holds the little that has to be kept between polls.
//!
//! A poller never has two requests under way. Nothing of a document is kept between polls but its
//! hash.

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
pub mod schedule;
mod sidecars;
mod start;
mod verify;

pub use actor::{Poller, Sabotage};
pub use context::PollerContext;
pub use error::PollError;
pub use progress::Progress;
