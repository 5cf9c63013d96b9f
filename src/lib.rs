//! statuswatch watches the official status pages of everything you depend on and tells every
//! update once, at once, and never goes blind unnoticed.
//!
//! The flow, from `providers.yaml` to a line in the event log:
//!
//! ```text
//! providers.yaml -> config -> supervisor -> poller: due -> fetch -> unchanged?
//!    -> source.parse -> Snapshot -> ledger: one transaction (reconcile, number, store)
//!    -> sink: read from its cursor -> deliver -> move the cursor
//! ```
//!
//! ARCHITECTURE.md names where everything lives and which invariants hold.

pub mod backoff;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod fetch;
pub mod heartbeat;
pub mod ledger;
pub mod pipeline;
pub mod poller;
pub mod record;
pub mod replay;
pub mod sink;
pub mod supervisor;
pub mod telemetry;

pub use statuswatch_fake as fake;
pub use statuswatch_model::{document, event, redact, snapshot, text, zone};
pub use statuswatch_sources as source;
