//! Fake status pages on loopback, for testing programs that poll status pages.
//!
//! A [`Provider`] renders its page in the format of a real [`platform`]; a script changes the page
//! while a [`Server`] serves it over real sockets, with [`Fault`]s on demand. `statuswatch demo`,
//! `statuswatch chaos`, the tests and the benchmarks use it.
//!
//! ```text
//! State (content of a page) -> Platform (its documents) -> Provider (handle, faults) -> Server (listeners, request log)
//! ```
//!
//! The server serves exactly what the script published, logs every request, and applies each [`Fault`]
//! on the wire as documented. It listens on loopback only and opens no outgoing connections.
//!
//! ```
//! use std::sync::Arc;
//!
//! use statuswatch_fake::model::event::{Impact, IncidentStatus};
//! use statuswatch_fake::platform::Statuspage;
//! use statuswatch_fake::{Fault, Provider, Server, Cluster};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> std::io::Result<()> {
//!     let clock = Arc::new(chrono::Utc::now);
//!     let provider = Provider::new("acme", "Acme", &Statuspage, &["API"], clock);
//!     let server = Server::start(Cluster::new([provider.clone()])).await?;
//!     println!("poll {}api/v2/summary.json", server.url("acme"));
//!
//!     let posted = provider.open_incident("API down", Impact::Major, &["API"], "We investigate.");
//!     provider.fault_next(1, Fault::Truncated);
//!     provider.update(posted.incident, IncidentStatus::Identified, "A bad deploy.");
//!     server.stop().await;
//!     Ok(())
//! }
//! ```
//!
//! [`Universe`] is a ready-made cluster of thirty providers, and [`Storm`] a reproducible sequence of
//! incidents and faults for it.

mod answer;
mod authority;
mod bodies;
mod fault;
mod head;
mod inner;
mod log;
pub mod platform;
mod provider;
mod receive;
mod server;
mod state;
mod storm;
mod universe;
mod validators;
mod wire;

pub use statuswatch_model as model;

pub use authority::{Authority, AuthorityError, CertificateFlaw};
pub use fault::{Behaviour, Charset, Etag, Fault, RetryAfter};
pub use log::Request;
pub use provider::{Clock, Provider};
pub use server::{Cluster, Server};
pub use state::{Component, Incident, Opening, Posted, State, Update};
pub use storm::{DEFAULT_DURATION, Storm};
pub use universe::{Publication, Published, Universe};

/// Runs the examples of the README as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
