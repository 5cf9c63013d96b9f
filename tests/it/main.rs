//! Integration tests: one binary, so that one link serves all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should fail where it stands"
)]

mod commands;
mod config;
mod deploy;
mod feed;
mod fetch;
mod fuzz;
mod ledger;
mod security;
mod sinks;
mod sources;
mod support;
mod world;
mod world_faults;
mod world_pages;
mod world_sources;
mod world_storm;
