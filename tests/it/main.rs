//! Integration tests: one binary, so that one link serves all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on should fail where it stands"
)]

mod fetch;
mod support;
