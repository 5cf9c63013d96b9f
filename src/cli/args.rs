//! Defines the command line: every command and flag, with its help text.

mod delivery;
mod pages;
mod state;
mod trial;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use delivery::{
    ChannelsArgs, ChannelsCommand, ChosenLetters, DeadlettersCommand, MuteArgs, MutesArgs,
    RouteTestArgs, RoutesCommand, UnmuteArgs,
};

pub use pages::{AddArgs, CatalogArgs, CheckArgs, DiscoverArgs, ProbeArgs};
pub use state::{
    GateArgs, GateImpact, GateUnknown, HistoryArgs, LedgerCommand, LogsArgs, StatusArgs, TopArgs,
};
pub use trial::{Against, ChaosArgs, ChaosCommand, ChaosNodesArgs, DemoArgs, ReplayArgs};

const ABOUT: &str = "Watch the official status pages of everything you depend on and report every update exactly once";

const LONG_ABOUT: &str = "\
Watch the official status pages of everything you depend on and report every update exactly once.

Each provider in providers.yaml is polled by its own actor. Updates are written to the console and to the event log, \
in order and exactly once, even across crashes and restarts.

Results go to standard output, everything else to standard error. Commands that print a table print JSON with --json. \
`status`, `top`, `history`, `logs`, `gate` and `mcp` need no network and work while `run` is active and after it has stopped.";

/// The default of `--config`.
pub const DEFAULT_CONFIG: &str = "providers.yaml";

/// The exit statuses of [`super::exit::Exit`].
pub const EXIT_STATUSES: &str = "\
Exit status:
  0   success
  1   runtime error, including storage errors
  2   invalid arguments or configuration
  75  the state directory is in use by another run";

/// `replay` also exits with 1 on differences.
const REPLAY_EXIT_STATUSES: &str = "\
Exit status:
  0   success; with --against history: no differences
  1   the recording or the ledger cannot be read; with --against history: differences were found
  2   invalid arguments or configuration";

/// `gate` has two of its own.
const GATE_EXIT_STATUSES: &str = "\
Exit status:
  0   pass: no need has an impact of --min-impact or worse
  1   the ledger cannot be read
  2   invalid arguments, or a need that names nothing or several things
  10  hold: at least one need has such an impact
  11  unknown: nothing holds, but the state of at least one need is unknown";

/// `discover` also exits with 1 if a dependency is not watched.
const DISCOVER_EXIT_STATUSES: &str = "\
Exit status:
  0   success
  1   the directory cannot be read; with --check: a dependency is not watched
  2   invalid arguments or configuration";

const AFTER_HELP: &str = "\
Examples:
  statuswatch catalog cloud              Search the catalog of known providers
  statuswatch add openai                 Add a provider to providers.yaml
  statuswatch check                      Validate providers.yaml
  statuswatch status                     Show the current state of every provider
  statuswatch history --since 7d         Show the events of the past week

Environment:
  STATUSWATCH_CONFIG, STATUSWATCH_STATE  Same as --config and --state
  HOSTED_MODE=true                       Same as --hosted
  NO_COLOR                               Disable colors

Exit status:
  0   success
  1   runtime error, including storage errors
  2   invalid arguments or configuration
  10  gate: hold
  11  gate: unknown
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
    /// Options shared by all commands.
    #[command(flatten)]
    pub common: Common,
    /// Options of `run`, which is the default command.
    #[command(flatten)]
    pub run: RunArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Parses the command line. Also returns whether `--config` was given explicitly.
///
/// # Errors
/// Invalid arguments, or a request for help or the version.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<(Cli, bool), clap::Error> {
    let matches = Cli::command().try_get_matches_from(line)?;
    let cli = Cli::from_arg_matches(&matches)?;
    let below =
        |matches: &'_ clap::ArgMatches| matches.subcommand().map(|(_, below)| below.clone());
    let levels = std::iter::successors(Some(matches.clone()), below);
    let is_given = |matches: clap::ArgMatches| {
        matches.value_source("config") == Some(ValueSource::CommandLine)
    };
    let given = levels.into_iter().any(is_given);
    Ok((cli, given))
}

/// Options shared by all commands.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Path to the configuration file
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "STATUSWATCH_CONFIG",
        default_value = DEFAULT_CONFIG,
        hide_env_values = true
    )]
    pub config: PathBuf,
    /// Directory of the ledger database, or the address of a database that nodes share
    /// (postgres://...) [default: `state_dir` of the configuration, or ./state]
    #[arg(
        long,
        global = true,
        value_name = "DIR|URL",
        env = "STATUSWATCH_STATE",
        hide_env_values = true
    )]
    pub state: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch all providers until stopped (default command)
    #[command(long_about = "\
Watch all providers in providers.yaml until stopped. This is the default command.

Updates are written to standard output and to the event log. Providers that were never polled are polled immediately. \
SIGINT and SIGTERM shut down gracefully, within `shutdown_timeout`; a second signal exits immediately. SIGHUP reloads \
providers.yaml and reopens the logs, SIGUSR1 reopens the logs. On a terminal, press h for history, s for status and \
q to quit.

  statuswatch run
  statuswatch run --once --format json | jq .title
  statuswatch run --duration 5m
  statuswatch run --dry-run         Send nothing to channels: log what would be sent
  HOSTED_MODE=true statuswatch run", after_help = EXIT_STATUSES)]
    Run(RunArgs),
    /// Validate the configuration
    #[command(long_about = "\
Validate the configuration.

All errors are reported together, each with file, line, column and a suggested fix. Nothing is started or written. \
Errors go to standard error, a one-line summary to standard output. Exits with status 2 if the file is invalid.", after_help = EXIT_STATUSES)]
    Check(CheckArgs),
    /// Show the current state of every provider
    #[command(long_about = "\
Show the current state of every provider. Reads the state directory; needs no network.

A summary comes first. For each provider, the table shows its status, the freshness of that status (fresh, doubted, \
stale, unreachable, never), open incidents and maintenances, the last and next poll, restarts and the last error. \
A state that is not fresh is shown as unknown, never as operational.

  statuswatch status
  statuswatch status github openai
  statuswatch status --json | jq '.providers[] | select(.freshness != \"fresh\")'
  statuswatch status --check        For health checks", after_help = EXIT_STATUSES)]
    Status(StatusArgs),
    /// Show a dashboard on the terminal
    #[command(long_about = "\
Show a dashboard on the terminal: what is open and who was notified, providers, events, channels and pollers. Reads the \
state directory; needs no network. Works while `run` is active, and follows it.

Keys: 1 to 5 and Tab show a list, j and k move, Enter shows details, / filters, R reads again, ? shows all keys, \
q quits.

With --url it shows what the HTTP server of a `run` on another machine says, and needs no state directory. It keeps \
asking while the server is away. The token of the server is read from --token-file, or from STATUSWATCH_TOKEN; it is \
sent over https, and over http to this machine alone.

  statuswatch top
  statuswatch top --state /var/lib/statuswatch
  statuswatch top --url https://statuswatch.example --token-file ~/.config/statuswatch/token
  NO_COLOR=1 statuswatch top", after_help = EXIT_STATUSES)]
    Top(TopArgs),
    /// Show past events from the ledger
    #[command(long_about = "\
Show past events from the ledger, oldest first, limited to the newest 50 by default.

  statuswatch history
  statuswatch history --provider github --since 7d
  statuswatch history --since 2026-02-01 --kind incident --impact major+ --limit 0
  statuswatch history --json          One JSON object per line, as in the event log", after_help = EXIT_STATUSES)]
    History(HistoryArgs),
    /// Decide whether a deployment may go ahead, by the state of what it needs
    #[command(long_about = "\
Decide whether a deployment may go ahead, by the state of the providers and components it needs. Reads the state \
directory; needs no network and asks no provider. Works while `run` is active.

A need is PROVIDER or PROVIDER#COMPONENT. Each is an id, or a name in lower case with dashes: github#actions, \
google-cloud. A component may be preceded by its group (aws#us-east-1-ec2), and a group stands for all of its \
components. A need holds if its component, or an incident or maintenance in progress that affects it, has an impact of \
--min-impact or worse. Incidents that name no components affect all of them.

A need is unknown if its provider is not watched, unreachable, stale, or was last read before --max-age, or if its page \
does not state the impact.

  statuswatch gate --needs github#actions,npm
  statuswatch gate --needs openai --min-impact minor --max-age 5m
  statuswatch gate --needs aws --wait 15m && ./deploy
  statuswatch gate --needs npm --json | jq -r .reason", after_help = GATE_EXIT_STATUSES)]
    Gate(GateArgs),
    /// Show the channels, or test one
    #[command(long_about = "\
Show the channels and what they were sent: state, messages that wait, are held back or were given up, messages \
accepted within 24 hours, the last success and the last error. Reads the state directory; needs no network. A channel \
that no run has used yet is shown as \"not started\".

  statuswatch channels
  statuswatch channels --json | jq '.channels[] | select(.state == \"broken\")'
  statuswatch channels test ops            Send a message that says it is a test
  statuswatch channels test ops --seq 42   Send the event 42, as it would be sent", after_help = EXIT_STATUSES)]
    Channels(ChannelsArgs),
    /// Explain routes, or play past events through them
    #[command(subcommand, long_about = "\
Explain where an event goes, or play past events through the routes. Sends nothing and changes nothing.

  statuswatch routes test --provider github --impact major
  statuswatch routes replay --since 30d
  statuswatch routes replay --since 30d --config new.yaml", after_help = EXIT_STATUSES)]
    Routes(RoutesCommand),
    /// Mute a provider or one of its components
    #[command(long_about = "\
Mute a provider or one of its components: chats and pagers are sent nothing about it for a time. The end of what they \
were notified of is still sent. What is open when the mute ends is sent as one message. Works while `run` is active, \
which follows within a second. A mute in effect for the same provider and component is replaced.

COMPONENT is the name, id or group of a component, and may be a glob. It covers changes of the component's state and \
incidents that name no other component.

  statuswatch mute github --for 2h --reason \"planned migration\"
  statuswatch mute \"aws#us-east-1/*\" --until-resolved", after_help = EXIT_STATUSES)]
    Mute(MuteArgs),
    /// End mutes of a provider or one of its components
    #[command(long_about = "\
End the mutes of a provider, or the mute of one of its components. Exits with status 1 if there is none. What the mute held \
back is sent within a second, as one message with the present state.

  statuswatch unmute github
  statuswatch unmute \"aws#us-east-1/*\"", after_help = EXIT_STATUSES)]
    Unmute(UnmuteArgs),
    /// Show mutes
    #[command(long_about = "\
Show the mutes in effect; with --all, also those that ended within the last 30 days.", after_help = EXIT_STATUSES)]
    Mutes(MutesArgs),
    /// Show, retry or discard messages that were given up
    #[command(subcommand, long_about = "\
Show, retry or discard messages that channels could not be sent. Works while `run` is active, which follows within a second.

  statuswatch deadletters list
  statuswatch deadletters show 3
  statuswatch deadletters retry 3
  statuswatch deadletters retry --all --channel ops
  statuswatch deadletters discard --all", after_help = EXIT_STATUSES)]
    Deadletters(DeadlettersCommand),
    /// Move the ledger between a state directory and a database that several nodes share
    #[command(subcommand, long_about = "\
Move the ledger from a state directory to a PostgreSQL database that several nodes share, or back. Nothing may use either \
of them meanwhile. The copy is compared with the original, which is then marked as moved: `run` does not start on it any \
more. Event logs stay valid. An address with a password is better given in a variable than typed.

  statuswatch ledger move state postgres://status@db.example/status
  statuswatch ledger move \"$STATUSWATCH_DATABASE\" state", after_help = EXIT_STATUSES)]
    Ledger(LedgerCommand),
    /// Serve agents over the Model Context Protocol
    #[command(long_about = "\
Serve agents over the Model Context Protocol, on standard input and output. Reads the state directory; needs no network. \
All tools only read. Works while `run` is active.

An agent starts it with a configuration such as:
  {\"mcpServers\": {\"statuswatch\": {\"command\": \"statuswatch\", \"args\": [\"mcp\", \"--state\", \"/var/lib/statuswatch\"]}}}", after_help = EXIT_STATUSES)]
    Mcp,
    /// Inspect a status page and print its entry for providers.yaml
    #[command(long_about = "\
Inspect a status page. Prints the detected platform and how it was detected, the current snapshot with its component \
names, and the entry for providers.yaml.

  statuswatch probe status.acme.example
  statuswatch probe github           A slug from the catalog
  statuswatch probe https://status.acme.example/history.atom --json", after_help = EXIT_STATUSES)]
    Probe(ProbeArgs),
    /// Print the event log across rotated files
    #[command(long_about = "\
Print the event log across rotated files, oldest first. With -f, follow it across rotations until interrupted.

  statuswatch logs --since 24h
  statuswatch logs -f --provider openai
  statuswatch logs --json | jq -r '.title'", after_help = EXIT_STATUSES)]
    Logs(LogsArgs),
    /// Replay a recording through the current parsers, ledger and filters
    #[command(long_about = "\
Replay a recording made by `run --record` through the current parsers, ledger and filters, and print the events that \
would be reported. Uses the timestamps of the recording but runs at full speed. Needs no network and touches neither \
state nor logs.

Providers are configured as they were when recorded, or as in the file given by --config. With --against history, print \
the differences from the events in the ledger instead: missing, extra and changed events.

  statuswatch run --record recordings
  statuswatch replay recordings
  statuswatch replay recordings/2026-03-01T090000Z --json | jq .title
  statuswatch replay recordings --config other.yaml
  statuswatch replay recordings --against history", after_help = REPLAY_EXIT_STATUSES)]
    Replay(ReplayArgs),
    /// Add providers to providers.yaml
    #[command(long_about = "\
Add providers to providers.yaml. Comments and order are kept; the file is created if it does not exist. A URL is \
fetched once to detect its platform. A page that is in the catalog is added by its slug.

  statuswatch add openai github
  statuswatch add https://status.acme.example", after_help = EXIT_STATUSES)]
    Add(AddArgs),
    /// Find the providers that a repository depends on
    #[command(long_about = "\
Find the providers that a repository depends on, and print their entries for providers.yaml. Reads workflows and \
pipelines, Terraform, manifests and lock files, container images, configurations of platforms, host names, and the \
names of variables in .env files, never their values. Needs no network and executes nothing.

Each entry names the file and line it is based on. Providers that are only possible are commented out. Skips \
node_modules, vendor, target, .git, files over 5 MB, and symbolic links.

  statuswatch discover               Print what the current directory needs
  statuswatch discover ../shop --write
  statuswatch discover --check       Exit with status 1 if a dependency is not watched", after_help = DISCOVER_EXIT_STATUSES)]
    Discover(DiscoverArgs),
    /// Search the catalog of known providers
    #[command(long_about = "\
Search the catalog of known providers, which can be listed in providers.yaml by slug alone.

  statuswatch catalog                All providers
  statuswatch catalog tier1          A tier or a category, such as ai
  statuswatch catalog google cloud   Slugs and names that start with, contain or resemble the query", after_help = EXIT_STATUSES)]
    Catalog(CatalogArgs),
    /// Watch fake providers on loopback
    #[command(long_about = "\
Watch fake providers on loopback with the real pipeline over real HTTP. Simulates incidents, maintenances, component \
changes and broken pages for about a minute. State and logs go to a temporary directory, which is printed at startup.

  statuswatch demo
  statuswatch demo --duration 20s --seed 7", after_help = EXIT_STATUSES)]
    Demo(DemoArgs),
    /// Kill pollers, sinks and the process at random, and verify that no event is lost
    #[command(long_about = "\
Watch fake providers while pollers, sinks, the ledger and the process itself (SIGKILL) are killed at random. Prints how \
many updates were published, recorded, delivered, lost, duplicated or torn. Exits with status 1 if any were lost, \
duplicated or torn.

  statuswatch chaos
  statuswatch chaos --duration 5m --seed 42 --json
  statuswatch chaos nodes --rounds 20 --seed 42", after_help = EXIT_STATUSES)]
    Chaos(ChaosArgs),
    /// Print the JSON Schema of providers.yaml
    #[command(long_about = "\
Print the JSON Schema of providers.yaml, for completion and validation in editors.

  statuswatch schema > providers.schema.json

Then add this as the first line of providers.yaml:
  # yaml-language-server: $schema=providers.schema.json")]
    Schema,
    /// Generate shell completions
    #[command(long_about = "\
Generate shell completions on standard output.

  statuswatch completions bash > ~/.local/share/bash-completion/completions/statuswatch
  statuswatch completions zsh  > ~/.zfunc/_statuswatch
  statuswatch completions fish > ~/.config/fish/completions/statuswatch.fish")]
    Completions(CompletionsArgs),
    /// Generate the manual page
    #[command(long_about = "\
Generate the manual page on standard output.

  statuswatch man > ~/.local/share/man/man1/statuswatch.1
  statuswatch man | man -l -")]
    Man,
}

/// Flags of `run`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct RunArgs {
    /// Poll every provider once, report new updates, then exit
    #[arg(long, conflicts_with = "duration")]
    pub once: bool,
    /// Stop after this duration, for example 90s, 5m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = super::filter::parse_duration)]
    pub duration: Option<std::time::Duration>,
    /// Disable keys, colors and progress; for services and containers
    #[arg(long, env = "HOSTED_MODE", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub hosted: bool,
    /// Log which messages channels would be sent, in place of sending them
    #[arg(long)]
    pub dry_run: bool,
    /// Console output format [default: `console.format` of the configuration]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Record every changed response in this directory, for `replay` [default: `record.dir` of the
    /// configuration]
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
}

/// Console output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Human-readable blocks.
    Text,
    /// One JSON object per line.
    Json,
}

/// Arguments of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// Shell to generate completions for
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
            GateArgs::augment_args(clap::Command::new("gate")),
            DiscoverArgs::augment_args(clap::Command::new("discover")),
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
