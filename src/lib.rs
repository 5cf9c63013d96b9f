//! statuswatch polls the official status pages of the services you depend on, reports each update
//! exactly once and as soon as it is seen, and raises an event when a page cannot be read.
//!
//! The data flow, from `providers.yaml` to a line in the event log:
//!
//! ```text
//! providers.yaml -> config -> supervisor -> poller: due -> fetch -> unchanged?
//!    -> source.parse -> Snapshot -> ledger: one transaction (reconcile, number, store)
//!    -> sink: read from its cursor -> deliver -> move the cursor
//! ```
//!
//! ARCHITECTURE.md lists the modules and the invariants they maintain.

pub mod backoff;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod discover;
pub mod dispatch;
pub mod fetch;
pub mod gate;
pub mod heartbeat;
pub mod lease;
pub mod ledger;
pub mod mcp;
pub mod memory;
pub mod metrics;
pub mod nodes;
pub mod otlp;
pub mod pipeline;
pub mod poller;
pub mod postgres;
pub mod prometheus;
pub mod record;
pub mod replay;
pub mod server;
pub mod sink;
pub mod supervisor;
pub mod telemetry;
pub mod top;
pub mod trace;
pub mod transport;
pub mod view;

pub use statuswatch_fake as fake;
pub use statuswatch_model::{document, event, redact, snapshot, text, zone};
pub use statuswatch_notify as notify;
pub use statuswatch_sources as source;
