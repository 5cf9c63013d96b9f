//! `schema`.

use super::exit::Exit;
use super::output;
use crate::config;

/// Prints the JSON Schema of `providers.yaml`.
///
/// # Errors
/// Standard output could not be written.
pub fn run() -> anyhow::Result<Exit> {
    output::print_json(&config::schema())?;
    Ok(Exit::Done)
}
