//! The command line: arguments, one file for each command, and what they share.
//!
//! [`main`] is the program. A command returns its exit status; an error is reported on one line with
//! its causes and exits with 1. Nothing in here ends the process directly.

pub mod add;
pub mod args;
pub mod catalog;
pub mod channel_test;
pub mod channels;
pub mod chaos;
pub mod check;
pub mod completions;
pub mod context;
pub mod deadletters;
pub mod delivery;
pub mod demo;
pub mod discover;
mod examine;
pub mod exit;
pub mod filter;
pub mod gate;
pub mod history;
pub mod ledger;
pub mod logs;
pub mod man;
pub mod mcp;
pub mod mutes;
mod nodes_view;
mod online;
pub mod output;
pub mod probe;
mod refuse;
pub mod replay;
pub mod replay_view;
pub mod route_replay;
pub mod route_test;
pub mod run;
pub mod schema;
pub mod status;
pub mod table;
mod text_lag;
pub mod text_status;
pub mod top;
pub mod version;
pub mod view_history;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use args::{Cli, Command, Common};
use exit::Exit;

use crate::postgres::DatabaseUrl;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    // State and logs show what a company depends on: other users must not read them.
    #[cfg(unix)]
    let _before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    refuse::report_panics();
    run(std::env::args_os()).into()
}

/// Runs the program with `line`, the program's name first.
pub fn run(line: impl IntoIterator<Item = OsString>) -> Exit {
    let line: Vec<OsString> = line.into_iter().collect();
    match args::parse(line.iter().cloned()) {
        Ok((cli, configured)) => ended(dispatch(cli, configured)),
        Err(error) => refuse::usage(error, &line),
    }
}

/// `configured`: `--config` was given.
fn dispatch(cli: Cli, configured: bool) -> anyhow::Result<Exit> {
    let Cli { common, run, command } = cli;
    match command.unwrap_or(Command::Run(run)) {
        Command::Run(args) => run::run(&common, &args),
        Command::Demo(args) => demo::run(&args),
        Command::Chaos(args) => chaos::run(&common, &args),
        Command::Check(args) => check::run(&common, &args),
        Command::Status(args) => with_state(&common, |dir| status::run(&common, dir, &args)),
        Command::Mcp => with_state(&common, |dir| mcp::run(&common, dir)),
        Command::Top(args) => top::run(&common, &args),
        Command::History(args) => with_state(&common, |dir| history::run(dir, &args)),
        Command::Channels(args) => channels::run(&common, &args),
        Command::Routes(args::RoutesCommand::Test(args)) => route_test::run(&common, &args),
        Command::Routes(args::RoutesCommand::Replay { since, json }) => {
            route_replay::run(&common, since, json, configured)
        }
        Command::Mute(args) => with_ledger(&common, |dir, db| mutes::mute(dir, db, &args)),
        Command::Unmute(args) => with_ledger(&common, |dir, db| mutes::unmute(dir, db, &args)),
        Command::Mutes(args) => with_state(&common, |dir| mutes::list(dir, &args)),
        Command::Deadletters(args) => {
            with_ledger(&common, |dir, db| deadletters::run(dir, db, &args))
        }
        Command::Ledger(args) => ledger::run(&args),
        Command::Gate(args) => with_state(&common, |dir| gate::run(dir, &args)),
        Command::Probe(args) => probe::run(&args),
        Command::Logs(args) => logs::run(&common, &args),
        Command::Replay(args) => replay::run(&common, &args, configured),
        Command::Add(args) => add::run(&common, &args),
        Command::Discover(args) => discover::run(&common, &args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Schema => schema::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man => man::run(),
    }
}

/// Runs a command that reads the state directory.
fn with_state(
    common: &Common,
    command: impl FnOnce(&Path) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    match context::state_dir(common) {
        Ok(dir) => command(&dir),
        Err(exit) => Ok(exit),
    }
}

/// Runs a command that changes the ledger, in the state directory or in the database that several
/// nodes share.
fn with_ledger(
    common: &Common,
    command: impl FnOnce(&Path, Option<&DatabaseUrl>) -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    match context::ledger(common) {
        Ok((dir, database)) => command(&dir, database.as_ref()),
        Err(exit) => Ok(exit),
    }
}

/// Reports an error returned by a command.
fn ended(result: anyhow::Result<Exit>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(error) if error.is::<output::Closed>() => Exit::Done,
        Err(error) => {
            output::note(&format!("statuswatch: {}", refuse::causes(&error)));
            Exit::Failed
        }
    }
}
