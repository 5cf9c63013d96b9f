//! `run` from outside: what it prints, how it ends, what it refuses, and what signals do.

mod endings;
mod filters;
mod reload;
mod restarts;
mod talk;

use statuswatch::event::Impact;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Posted, Provider, Request, Server};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};
use crate::support::wait::within;

/// One provider on Statuspage and a bench that watches it.
async fn acme() -> (Provider, Server, Bench) {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = Bench::new().provider("acme", &server.url("acme"), "");
    (acme, server, bench)
}

/// Opens an incident.
fn open_incident(provider: &Provider) -> Posted {
    provider.open_incident(
        "Failed requests",
        Impact::Major,
        &["Compute"],
        "Requests fail in one of two zones.",
    )
}

/// Waits until so many more requests of a provider have been answered, so that the polls before the
/// last are over.
async fn polls(server: &Server, id: &str, more: usize) {
    let before = server.requests_of(id).len();
    within(&format!("{more} more requests of {id}"), server.wait_answered(id, before + more)).await;
}

/// Whether it asks only for what is new.
fn is_conditional(request: &Request) -> bool {
    request.header("If-None-Match").is_some() || request.header("If-Modified-Since").is_some()
}
