//! `completions SHELL`.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;
use super::output;

/// Prints the completions of a shell.
///
/// # Errors
/// Standard output could not be written.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "statuswatch", &mut text);
    output::print(&String::from_utf8(text)?)?;
    Ok(Exit::Done)
}
