//! The supervisor: spawns pollers, sinks and the ledger, watches them, and replaces what panics,
//! stops or stalls.
//!
//! * [`actor`] begins, looks after everything each second, and holds the children; `children`
//!   starts each kind and decides what its end leads to; `lane` is a thread of pollers; `handlers`
//!   is what others may ask.
//! * `child` runs one actor so that no panic, wherever it happens, goes unnoticed or takes more
//!   with it.
//! * [`restart`] is pure: after which delay, or parked.
//! * [`reload`] is pure: which providers start, stop or change.
//!
//! actix's own supervisor does not survive a panic and reuses the old value; here every child is
//! built anew.

pub mod actor;
mod child;
mod children;
mod handlers;
pub mod reload;
pub mod restart;
mod worker;

pub use actor::{Options, Supervisor};
pub use handlers::{Ending, Reload, Shutdown, WhatToBreak};
