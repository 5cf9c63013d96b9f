//! Flags of the commands that try the program out: on a recording, on fake pages, under kills.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::filter::parse_duration;

/// Arguments of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// A recording directory, or a single run in it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Compare with the reported events; exit with status 1 if they differ
    #[arg(long, value_name = "WHAT")]
    pub against: Option<Against>,
    /// Print one JSON object per line, as in the event log
    #[arg(long)]
    pub json: bool,
}

/// What to compare a replay with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// Events in the ledger.
    History,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Stop after this duration
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Number of fake providers
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub providers: u16,
    /// Seed of the simulation
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `chaos`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ChaosArgs {
    /// What to break in place of one process.
    #[command(subcommand)]
    pub what: Option<ChaosCommand>,
    /// Duration of the simulation
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub duration: Duration,
    /// Number of fake providers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub providers: u16,
    /// Seed of the simulation; the timing of kills still varies
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Be the process that is killed: run the configuration and break actors at random, with this
    /// seed. `chaos` starts itself so.
    #[arg(long, value_name = "SEED", hide = true)]
    pub victim: Option<u64>,
}

/// What `chaos` breaks in place of one process.
#[derive(Debug, Clone, Subcommand)]
pub enum ChaosCommand {
    /// Break nodes that share a PostgreSQL database, and verify that no event is lost
    #[command(long_about = "\
Start a scratch PostgreSQL server, fake providers and three nodes that share it. In each round something is broken at \
random: a node is killed, frozen, stopped or cut off, or the database is. Prints what was broken, how long providers \
were not polled, and whether any update was lost, reported twice or out of order, or a provider polled by two nodes. \
Exits with status 1 if so, and keeps its files.

Needs the programs of a PostgreSQL server, which are looked for in PATH and /usr/lib/postgresql. As root, the server \
runs as the user with id 65534.

  statuswatch chaos nodes
  statuswatch chaos nodes --rounds 500 --seed 42 --json", after_help = crate::cli::args::EXIT_STATUSES)]
    Nodes(ChaosNodesArgs),
}

/// Arguments of `chaos nodes`.
#[derive(Debug, Clone, Args)]
pub struct ChaosNodesArgs {
    /// Number of rounds
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,
    /// Start no further round after this duration
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Number of fake providers
    #[arg(long, value_name = "N", default_value_t = 240, value_parser = clap::value_parser!(u16).range(3..=400))]
    pub providers: u16,
    /// Seed of what is broken and published; the timing still varies
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Break only this, by its name in the summary; may be repeated
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Program of another version that the second node runs
    #[arg(long, value_name = "FILE")]
    pub other: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Be the node of this name: its requests say so. `chaos nodes` starts itself so.
    #[arg(long, value_name = "NAME", hide = true)]
    pub node: Option<String>,
}
