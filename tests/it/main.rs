//! Integration tests: one binary, so that one link serves all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should fail where it stands"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "between two looks at a foreign process a test waits a moment; what it measured it says"
)]

mod anomalies;
mod architecture;
mod calls;
mod cases;
mod clocks;
mod commands;
mod config;
mod console;
mod crash;
mod deploy;
mod discover;
mod dispatch;
mod dns;
mod docs;
mod echo;
mod failing;
mod fake;
mod fake_faults;
mod fake_pages;
mod fake_sources;
mod fake_storm;
mod feed;
mod feed_history;
mod fetch;
mod first_poll;
mod fuzz;
mod gate;
mod ignored;
mod json_source;
mod ledger;
mod limits;
mod many_providers;
mod mcp;
mod memory;
mod nodes;
mod offline;
mod online;
mod outages;
mod politeness;
mod poll_errors;
mod postgres;
mod power;
mod receivers;
mod recording;
mod rematch;
mod replay;
mod restored;
mod retry_after;
mod run;
mod security;
mod server;
mod service;
mod sidecars;
mod sinks;
mod sources;
mod storage;
mod supervision;
mod support;
mod top;
mod traces;
mod transport;
mod upgrade;
mod validators;
