//! The command line: every command and flag of the contract, with the help people read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::filter::FilterArgs;

const ABOUT: &str =
    "Watches the official status pages of everything you depend on and tells every update once";

const LONG_ABOUT: &str = "\
Watches the official status pages of everything you depend on and tells every update once.

Every provider of providers.yaml is polled by an actor of its own; what is new goes to the console and to \
the event log, exactly once and in order, also across crashes and restarts.

Results go to standard output, everything else to standard error. Whatever prints a table prints JSON with \
--json. `status`, `history` and `logs` work beside a running watch and after it, without network.";

/// The numbers are those of [`super::exit::Exit`].
pub const EXIT_STATUSES: &str = "\
Exit status:
  0   done
  1   something went wrong while running, storage included
  2   wrong usage or an invalid configuration
  75  the state directory is in use by another run";

/// `replay` has one more way to end with 1.
const REPLAY_EXIT_STATUSES: &str = "\
Exit status:
  0   done; with --against history: no difference
  1   the recording or the ledger cannot be read; with --against history: there are differences
  2   wrong usage or an invalid configuration";

const AFTER_HELP: &str = "\
Start:
  statuswatch catalog cloud              which providers are known by name
  statuswatch add openai                 put one into providers.yaml
  statuswatch check                      every mistake of the file at once
  statuswatch status                     the present state of every provider
  statuswatch history --since 7d         what happened this week

Environment:
  STATUSWATCH_CONFIG, STATUSWATCH_STATE  as --config and --state
  HOSTED_MODE=true                       as --hosted: never read standard input
  NO_COLOR                               no colour

Exit status:
  0   done
  1   something went wrong while running, storage included
  2   wrong usage or an invalid configuration
  75  the state directory is in use by another run";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "statuswatch",
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = AFTER_HELP,
    version = super::version::short(),
    long_version = super::version::long(),
    disable_help_subcommand = true,
    max_term_width = 110
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// `statuswatch` alone is `statuswatch run`, with its flags.
    #[command(flatten)]
    pub run: RunArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Reads the command line; also answers whether `--config` stands there, whatever its default.
///
/// # Errors
/// Wrong usage, or a wish for help.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<(Cli, bool), clap::Error> {
    let matches = Cli::command().try_get_matches_from(line)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let below = matches.subcommand().map(|(_, below)| below);
    let given = [Some(&matches), below]
        .into_iter()
        .flatten()
        .any(|matches| matches.value_source("config") == Some(ValueSource::CommandLine));
    Ok((cli, given))
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The file that says what to watch
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "STATUSWATCH_CONFIG",
        default_value = super::context::DEFAULT_CONFIG,
        hide_env_values = true
    )]
    pub config: PathBuf,
    /// Where the ledger's database lives [default: the file's `state_dir`, else ./state]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "STATUSWATCH_STATE",
        hide_env_values = true
    )]
    pub state: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch until stopped (also what `statuswatch` alone does)
    #[command(long_about = "\
Watch every provider of providers.yaml until stopped; this is also what `statuswatch` alone does.

New updates go to standard output and to the event log. SIGINT and SIGTERM end it in order within `shutdown_timeout`, a second \
one at once. SIGHUP reads providers.yaml again and reopens the logs, SIGUSR1 reopens the logs. At a terminal the keys \
are h (history), s (status) and q (quit).

  statuswatch run
  statuswatch run --once --format json | jq .title
  statuswatch run --duration 5m
  HOSTED_MODE=true statuswatch run", after_help = EXIT_STATUSES)]
    Run(RunArgs),
    /// Validate the configuration: every mistake at once, with file, line, column and a hint
    #[command(long_about = "\
Validate the configuration: every mistake at once, with file, line and column, and a hint for a misspelt key.

Nothing is started and nothing is written. Mistakes go to standard error, one line that sums up to standard \
output. An invalid file ends with exit status 2.", after_help = EXIT_STATUSES)]
    Check(CheckArgs),
    /// The present state of every provider, from the state directory, without network
    #[command(long_about = "\
The present state of every provider, from the state directory, without network.

Shows for each provider: where it stands, how fresh that is (fresh, stale, unreachable, never), open incidents \
and maintenances, the last successful poll, restarts with their last cause, the next poll and the last error. \
A state that is not fresh is shown as unknown, never as operational.

  statuswatch status
  statuswatch status github openai
  statuswatch status --json | jq '.providers[] | select(.freshness != \"fresh\")'
  statuswatch status --check        for health checks: exit status 1 when no provider was read in time, or our own network is down", after_help = EXIT_STATUSES)]
    Status(StatusArgs),
    /// Past events from the ledger
    #[command(long_about = "\
Past events from the ledger, oldest first; the newest 50 unless --limit says otherwise.

  statuswatch history
  statuswatch history --provider github --since 7d
  statuswatch history --since 2026-02-01 --kind incident --impact major+ --limit 0
  statuswatch history --json          one JSON object a line, as in the event log", after_help = EXIT_STATUSES)]
    History(HistoryArgs),
    /// What is behind an address: the platform, how it was recognised, the snapshot it gives, the
    /// entry for providers.yaml
    #[command(long_about = "\
What is behind an address: the platform, how it was recognised, the snapshot it gives with its components by name, \
and the entry for providers.yaml.

  statuswatch probe status.acme.example
  statuswatch probe github           a slug of the catalogue
  statuswatch probe https://status.acme.example/history.atom --json", after_help = EXIT_STATUSES)]
    Probe(ProbeArgs),
    /// Read the event log across its rotated files, oldest first
    #[command(long_about = "\
Read the event log across its rotated files, oldest first. With -f it goes on as events are written, across a \
rotation too, until interrupted.

  statuswatch logs --since 24h
  statuswatch logs -f --provider openai
  statuswatch logs --json | jq -r '.title'", after_help = EXIT_STATUSES)]
    Logs(LogsArgs),
    /// Run a recording through the present parsers, ledger and filters, without network
    #[command(long_about = "\
Run a recording of `run --record` through the present parsers, ledger and filters, with the times of the recording and \
as fast as it goes, and print what would be reported. It works offline, and touches neither state nor logs.

The providers are configured as they were when it was recorded; with --config, as in that file. With --against history \
it prints what differs from what was reported then, by the ledger of the state directory: events that are missing, extra \
or different.

  statuswatch run --record recordings
  statuswatch replay recordings
  statuswatch replay recordings/2026-03-01T090000Z --json | jq .title
  statuswatch replay recordings --config other.yaml
  statuswatch replay recordings --against history", after_help = REPLAY_EXIT_STATUSES)]
    Replay(ReplayArgs),
    /// Put a provider into providers.yaml, keeping its comments and order
    #[command(long_about = "\
Put a provider into providers.yaml, keeping its comments and order. A file that is not there is begun. An address is \
read once to recognise what is there; a page of the catalogue is added by its slug.

  statuswatch add openai github              known by name: see `statuswatch catalog`
  statuswatch add https://status.acme.example", after_help = EXIT_STATUSES)]
    Add(AddArgs),
    /// The providers known by name
    #[command(long_about = "\
The providers known by name: what may stand in providers.yaml as a bare slug.

  statuswatch catalog                all of them
  statuswatch catalog tier1          a tier; likewise a category, such as ai
  statuswatch catalog google cloud   those whose slug or name begins with it, has it in it or resembles it", after_help = EXIT_STATUSES)]
    Catalog(CatalogArgs),
    /// A small universe of fake providers on loopback: something to see within seconds, without a
    /// network
    #[command(long_about = "\
A small universe of fake providers on loopback, watched by the real pipeline over real HTTP: incidents, maintenances, \
component changes and broken pages play in about a minute. State and logs go to a temporary directory that is named at the start.

  statuswatch demo
  statuswatch demo --duration 20s --seed 7", after_help = EXIT_STATUSES)]
    Demo(DemoArgs),
    /// The demo's world with pollers, sinks and the process itself killed at random; prints what
    /// was lost or told twice
    #[command(long_about = "\
The demo's world, with pollers, sinks, the ledger and the process itself (SIGKILL) killed at random while incidents play. \
Prints what was published, recorded, delivered, lost, told twice or torn; exit status 1 on any of the last three.

  statuswatch chaos
  statuswatch chaos --duration 5m --seed 42 --json", after_help = EXIT_STATUSES)]
    Chaos(ChaosArgs),
    /// JSON Schema of providers.yaml
    #[command(long_about = "\
JSON Schema of providers.yaml, for editors that complete and check while one types.

  statuswatch schema > providers.schema.json
  then, as the first line of providers.yaml:
  # yaml-language-server: $schema=providers.schema.json")]
    Schema,
    /// Shell completions
    #[command(long_about = "\
Shell completions, to standard output.

  statuswatch completions bash > ~/.local/share/bash-completion/completions/statuswatch
  statuswatch completions zsh  > ~/.zfunc/_statuswatch
  statuswatch completions fish > ~/.config/fish/completions/statuswatch.fish")]
    Completions(CompletionsArgs),
    /// Manual page
    #[command(long_about = "\
Manual page, to standard output.

  statuswatch man > ~/.local/share/man/man1/statuswatch.1
  statuswatch man | man -l -")]
    Man,
}

/// Flags of `run`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct RunArgs {
    /// Poll every provider once, deliver what is new, exit
    #[arg(long, conflicts_with = "duration")]
    pub once: bool,
    /// Stop in order after this time: 90s, 5m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = super::filter::parse_duration)]
    pub duration: Option<std::time::Duration>,
    /// Never read standard input, no keys, no colour: for services and containers
    #[arg(long, env = "HOSTED_MODE", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub hosted: bool,
    /// What the console shows [default: the file's `console.format`]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Record every changed answer in this directory, for `statuswatch replay` [default: the file's
    /// `record.dir`]
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

/// What the console shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Blocks for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Flags of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Also fetch every provider once and print a table of what was found; exit status 1 when one
    /// could not be read
    #[arg(long)]
    pub online: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Only these, by id
    #[arg(value_name = "PROVIDER")]
    pub providers: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 when no provider was read within its `stale_after`, or our own network is down:
    /// for health checks of containers
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Which events.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// The newest N; 0: all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Also what the filters of providers.yaml kept from being told: it has no number
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Which events.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// The newest N; 0: all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub limit: usize,
    /// Go on as events are written, until interrupted
    #[arg(short, long)]
    pub follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `probe`.
#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    /// A status page, a feed or an API document
    #[arg(value_name = "URL")]
    pub url: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// A recording, or one of the directories in it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print what differs from what was reported then; exit status 1 where anything does
    #[arg(long, value_name = "WHAT")]
    pub against: Option<Against>,
    /// Print one JSON object a line, as in the event log
    #[arg(long)]
    pub json: bool,
}

/// What a replay is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// The events in the ledger of the state directory.
    History,
}

/// Arguments of `add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    /// Slugs of the catalogue, or addresses of status pages
    #[arg(value_name = "SLUG|URL", required = true)]
    pub what: Vec<String>,
}

/// Arguments of `catalog`.
#[derive(Debug, Clone, Args)]
pub struct CatalogArgs {
    /// A slug, a name, or a part of one
    #[arg(value_name = "QUERY")]
    pub query: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Stop after this time
    #[arg(long, value_name = "TIME", value_parser = super::filter::parse_duration)]
    pub duration: Option<std::time::Duration>,
    /// How many fake providers
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub providers: u16,
    /// The same number gives the same story
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `chaos`.
#[derive(Debug, Clone, Args)]
pub struct ChaosArgs {
    /// How long the world is shaken
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::filter::parse_duration)]
    pub duration: std::time::Duration,
    /// How many fake providers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub providers: u16,
    /// The same number gives the same story; when each kill strikes is up to the machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
        for command in [
            RunArgs::augment_args(clap::Command::new("run")),
            ProbeArgs::augment_args(clap::Command::new("probe")),
            DemoArgs::augment_args(clap::Command::new("demo")),
            ChaosArgs::augment_args(clap::Command::new("chaos")),
        ] {
            command.debug_assert();
        }
    }

    #[test]
    fn config_and_state_stand_before_or_behind_the_command() {
        for line in [
            ["x", "-c", "a.yaml", "--state", "s", "man"],
            ["x", "man", "-c", "a.yaml", "--state", "s"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.common.config, PathBuf::from("a.yaml"));
            assert_eq!(cli.common.state, Some(PathBuf::from("s")));
        }
    }
}
