//! The platform-independent model of status pages, shared by `statuswatch` and its sources.
//!
//! * [`event`]: the contract's vocabulary and the [`event::StatusEvent`] with its stable
//!   identities.
//! * [`snapshot`]: the contents of a page at one poll, and how much it covers.
//! * [`document`]: a fetched and decompressed document.
//! * [`text`]: converts HTML to plain text that is safe to print on a terminal.
//! * [`redact`]: URLs without secrets.
//! * [`zone`]: time zones by name.
//!
//! Nothing in this crate does I/O or reads a clock.

pub mod document;
pub mod event;
pub mod redact;
pub mod snapshot;
pub mod text;
pub mod zone;
