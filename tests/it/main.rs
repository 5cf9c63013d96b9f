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
    reason = "between two looks at a foreign process a test waits a moment; what it skipped or measured it says"
)]

mod architecture;
mod calls;
mod cases;
mod clocks;
mod commands;
mod config;
mod console;
mod crash;
mod crowd;
mod deploy;
mod described;
mod discover;
mod dispatch;
mod docs;
mod doubt;
mod echo;
mod failing;
mod fake;
mod fake_faults;
mod fake_pages;
mod fake_sources;
mod fake_storm;
mod feed;
mod fetch;
mod first_look;
mod fuzz;
mod gate;
mod healing;
mod ledger;
mod limits;
mod mcp;
mod meaning;
mod memory;
mod names;
mod offline;
mod online;
mod outages;
mod politeness;
mod power;
mod reasons;
mod receivers;
mod recording;
mod replay;
mod restored;
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
mod transport;
mod upgrade;
mod validators;
mod waits;
