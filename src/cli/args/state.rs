//! Flags of the commands that read the state directory.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::filter::{FilterArgs, parse_duration};

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Show only these providers
    #[arg(value_name = "PROVIDER")]
    pub providers: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Show how late updates were seen and published within 30 days
    #[arg(long, conflicts_with = "check")]
    pub lag: bool,
    /// Exit with status 1 if no provider was read within its `stale_after`, if the local network is
    /// down, or if a channel refuses everything
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `top`.
#[derive(Debug, Clone, Args)]
pub struct TopArgs {
    /// Show what the HTTP server at this address says, instead of a state directory
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Read the token of the server from this file (default: `STATUSWATCH_TOKEN`)
    #[arg(long, value_name = "FILE", requires = "url")]
    pub token_file: Option<std::path::PathBuf>,
}

/// Arguments of `gate`.
#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// Providers and components needed (repeatable or comma-separated)
    #[arg(long, value_name = "PROVIDER[#COMPONENT]", required = true)]
    pub needs: Vec<String>,
    /// Hold at this impact or worse
    #[arg(long, value_name = "IMPACT", default_value = "major")]
    pub min_impact: GateImpact,
    /// Treat a state older than this as unknown [default: `stale_after` of each provider]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_age: Option<Duration>,
    /// Keep reading the state directory until all needs pass, for at most this long
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub wait: Option<Duration>,
    /// Treat unknown needs as passing or holding, instead of exiting with status 11
    #[arg(long, value_name = "VERDICT")]
    pub on_unknown: Option<GateUnknown>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Impacts at which `gate` can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateImpact {
    /// Maintenance in progress, or anything worse.
    Maintenance,
    /// Minor, or anything worse.
    Minor,
    /// Major or critical.
    Major,
    /// Critical.
    Critical,
}

/// What `gate` makes of an unknown need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateUnknown {
    /// It passes.
    Pass,
    /// It holds.
    Hold,
}

/// Commands below `ledger`.
#[derive(Debug, Clone, Subcommand)]
pub enum LedgerCommand {
    /// Move the ledger from one place to another
    Move {
        /// Where it is: a state directory, or the address of a database
        #[arg(value_name = "FROM")]
        from: String,
        /// Where it goes: the other of the two
        #[arg(value_name = "TO")]
        to: String,
    },
}

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Filters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show only the newest N events; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Include updates suppressed by filters; they have no sequence number
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Filters.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show only the newest N events; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub limit: usize,
    /// Print new events as they are written, until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}
