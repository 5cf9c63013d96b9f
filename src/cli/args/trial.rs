//! Flags of the commands that try the program out: on a recording, on fake pages, under kills.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

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
pub struct ChaosArgs {
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
