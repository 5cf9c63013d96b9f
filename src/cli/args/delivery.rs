//! Flags of the commands of notification delivery.

use clap::{Args, Subcommand};

use super::EXIT_STATUSES;

use crate::event::{Impact, Kind, Status};
use crate::view::filter::{Since, parse_since};

/// Arguments of `channels`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ChannelsArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub command: Option<ChannelsCommand>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Commands below `channels`.
#[derive(Debug, Clone, Subcommand)]
pub enum ChannelsCommand {
    /// Send one message through a channel and show what came back
    #[command(long_about = "\
Send one message through a channel and show the request, the answer and what it means. Addresses and credentials are not \
shown. Without --seq, the message says that it is a test; a pager is sent the end of the test as well. Exits with status 1 if the \
message was not delivered. Nothing is recorded.", after_help = EXIT_STATUSES)]
    Test {
        /// The id of the channel
        #[arg(value_name = "NAME")]
        name: String,
        /// Send this event of the ledger
        #[arg(long, value_name = "N")]
        seq: Option<u64>,
    },
}

/// Commands below `routes`.
#[derive(Debug, Clone, Subcommand)]
pub enum RoutesCommand {
    /// Show where an event would go, rule by rule
    #[command(long_about = "\
Show where an event would go, rule by rule, and what would hold it back now: quiet hours, mutes, digests and the other \
reasons. Uses the ledger's mutes and messages if there is one.

  statuswatch routes test --provider github --impact major
  statuswatch routes test --provider aws --kind component --component \"EC2 (us-east-1)\" --impact critical
  statuswatch routes test --notice ops", after_help = EXIT_STATUSES)]
    Test(RouteTestArgs),
    /// Play past events of the ledger through the routes
    #[command(long_about = "\
Play past events of the ledger through the routes and count what each channel would have been sent: messages, threads, \
events held back by reason, and events that a later message stands for. Every message counts as accepted at once, and mutes are \
not applied.

If --config names a file, its routes are compared with those of STATUSWATCH_CONFIG or ./providers.yaml, if that is \
another file. The ledger is that of the latter.", after_help = EXIT_STATUSES)]
    Replay {
        /// Play events observed since a duration ago (30d, 2h) or a UTC time
        #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = parse_since)]
        since: Since,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `routes test`.
#[derive(Debug, Clone, Args)]
pub struct RouteTestArgs {
    /// The provider's id
    #[arg(long, value_name = "ID", required_unless_present = "notice")]
    pub provider: Option<String>,
    /// In place of an event, a notice that this channel fails
    #[arg(long, value_name = "CHANNEL", conflicts_with_all = ["provider", "impact", "kind", "status", "component", "tag"])]
    pub notice: Option<String>,
    /// The impact [default: maintenance for a maintenance, unknown for a provider, else major]
    #[arg(long, value_name = "IMPACT")]
    pub impact: Option<Impact>,
    /// The kind: incident, maintenance, component, provider
    #[arg(long, value_name = "KIND", default_value = "incident")]
    pub kind: Kind,
    /// The status [default: `investigating`, `scheduled`, `major_outage` or `unreachable`, by kind]
    #[arg(long, value_name = "STATUS")]
    pub status: Option<Status>,
    /// Name of an affected component (repeatable)
    #[arg(long, value_name = "NAME")]
    pub component: Vec<String>,
    /// The title of the event or notice
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// A tag of the provider besides those of the configuration (repeatable)
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `mute`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("end").required(true).args(["time", "until_resolved"]))]
pub struct MuteArgs {
    /// What to mute
    #[arg(value_name = "PROVIDER[#COMPONENT]")]
    pub what: String,
    /// Mute for this long, at most 365d
    #[arg(long = "for", id = "time", value_name = "TIME", value_parser = super::super::filter::parse_duration)]
    pub time: Option<std::time::Duration>,
    /// Mute until nothing of the provider is open
    #[arg(long)]
    pub until_resolved: bool,
    /// Why, for those who see the mute
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Arguments of `unmute`.
#[derive(Debug, Clone, Args)]
pub struct UnmuteArgs {
    /// What is muted
    #[arg(value_name = "PROVIDER[#COMPONENT]")]
    pub what: String,
}

/// Arguments of `mutes`.
#[derive(Debug, Clone, Args)]
pub struct MutesArgs {
    /// Include mutes that have ended
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Commands below `deadletters`.
#[derive(Debug, Clone, Subcommand)]
pub enum DeadlettersCommand {
    /// List messages that were given up, newest first
    List {
        /// Only those of this channel
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a message with the content that was sent
    Show {
        /// Its id, as listed
        #[arg(value_name = "ID")]
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send messages again, with the same content
    Retry(ChosenLetters),
    /// Remove messages for good
    Discard(ChosenLetters),
}

/// Which messages that were given up.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["id", "all"]))]
pub struct ChosenLetters {
    /// Its id, as listed
    #[arg(value_name = "ID")]
    pub id: Option<i64>,
    /// All of them
    #[arg(long)]
    pub all: bool,
    /// Of all, only those of this channel
    #[arg(long, value_name = "NAME", conflicts_with = "id")]
    pub channel: Option<String>,
}
