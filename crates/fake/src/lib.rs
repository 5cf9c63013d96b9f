//! A small universe of fake providers on loopback, shared by `statuswatch demo`, `statuswatch
//! chaos`, the tests and the benchmarks: pages in the real platforms' shapes, changed by a script,
//! served over real sockets, misbehaving on demand.
//!
//! ```text
//! State (what a page says) -> Platform (its documents) -> Provider (handle, faults) -> Server (listeners, request log)
//! ```
//!
//! It promises that what it serves is what its script published, that every request is on record,
//! and that each [`Fault`] does on the wire what its name says. It is loopback only and reaches out
//! to nobody.

mod answer;
mod authority;
mod bodies;
mod fault;
mod head;
mod inner;
mod log;
pub mod platform;
mod provider;
mod server;
mod state;
mod storm;
mod universe;
mod validators;
mod wire;

pub use authority::{Authority, AuthorityError, CertificateFlaw};
pub use fault::{Behaviour, Charset, Etag, Fault, RetryAfter};
pub use log::Request;
pub use provider::{Clock, Provider};
pub use server::{Server, World};
pub use state::{Component, Incident, Opening, Posted, State, Update};
pub use storm::{DEFAULT_DURATION, Storm};
pub use universe::{Publication, Published, Universe};
