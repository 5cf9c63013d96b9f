//! The supervisor: spawns pollers, sinks and the ledger, watches them, and replaces what panics, stops or stalls.
//!
//! * [`actor`] holds the children.
//! * `child` runs one actor so that no panic, wherever it happens, goes unnoticed or takes more with it.
//! * [`restart`] is pure: after which delay, or parked.
//! * [`reload`] is pure: which providers start, stop or change.
//!
//! actix's own supervisor does not survive a panic and reuses the old value; here every child is built anew.

pub mod actor;
mod child;
pub mod reload;
pub mod restart;

pub use actor::{Ending, Options, Reload, Shutdown, Supervisor, WhatToBreak};
