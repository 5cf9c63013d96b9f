//! `top`: the dashboard, on a terminal.

use std::io::{IsTerminal, stdin, stdout};
use std::path::Path;

use super::exit::Exit;
use super::output;
use crate::top;

/// Shows the dashboard until the user quits.
///
/// # Errors
/// The ledger cannot be read, or the terminal fails.
pub fn run(state_dir: &Path) -> anyhow::Result<Exit> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if !stdin().is_terminal() || !stdout().is_terminal() || is_dumb {
        output::note(
            "statuswatch: top needs a terminal; use `statuswatch status`, which prints the same as text or JSON",
        );
        return Ok(Exit::Failed);
    }
    top::run(state_dir, output::color())?;
    Ok(Exit::Done)
}
