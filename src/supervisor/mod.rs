//! The supervisor: spawns pollers, sinks and the ledger, monitors them, and replaces those that
//! panic, stop or stall.
//!
//! * [`actor`] checks everything each second and holds the `children`; `lifecycle` starts each kind
//!   and handles its end; `worker` is a thread that runs pollers; `handlers` holds the messages that
//!   others may send.
//! * `share` starts and ends them as shards and the duty come and go, where several nodes share the
//!   providers.
//! * `child` runs one actor so that every panic is noticed and affects only that actor.
//! * [`restart`] decides whether a child is restarted after a delay or parked. Pure.
//! * [`reload`] decides which providers start, stop or change. Pure.
//!
//! actix's own supervisor does not survive a panic and reuses the old value; here every child is
//! built anew.

pub mod actor;
mod child;
mod children;
mod crowd;
mod handlers;
mod lifecycle;
pub mod reload;
pub mod restart;
mod share;
mod worker;

pub use actor::{Options, Supervisor};
pub use children::SinkFactory;
pub use handlers::{Ending, InjectedFault, PollSoon, Reload, Shutdown};
pub use share::Reshare;
