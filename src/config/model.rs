//! The validated configuration, with every value present and typed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use statuswatch_notify::{QuietHours, Routes};
use url::Url;

use super::channels::ChannelConfig;
use super::http::Http;
use crate::event::{Impact, Kind};
use crate::postgres::DatabaseUrl;
use crate::source::JsonMap;
use crate::zone::Zone;

/// A valid configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Directory of the ledger database; of a replica of it if there is `state`.
    pub state_dir: PathBuf,
    /// The database that several nodes share, if there is one.
    pub state: Option<DatabaseUrl>,
    /// The name of this node among them: `[A-Za-z0-9._-]{1,64}`; `None`: the name of the host.
    pub node: Option<String>,
    /// How crashed actors are restarted.
    pub supervision: Supervision,
    /// Time limit of a graceful shutdown.
    pub shutdown_timeout: Duration,
    /// The console sink.
    pub console: Console,
    /// The event log sink.
    pub event_log: EventLog,
    /// The diagnostics log of the program itself.
    pub diagnostics: Diagnostics,
    /// The heartbeat, if any.
    pub beat: Option<Heartbeat>,
    /// Where responses are recorded, if at all.
    pub record: Option<Recording>,
    /// The enabled channels, in the order of the file.
    pub channels: Vec<Arc<ChannelConfig>>,
    /// Which channels an event goes to; each that a rule names is in `channels`.
    pub routes: Routes,
    /// When messages are held back; each channel named is in `channels`.
    pub quiet_hours: Vec<QuietHours>,
    /// The HTTP server, if it is on.
    pub http: Option<Http>,
    /// The enabled providers, in the order of the file.
    pub providers: Vec<Arc<Provider>>,
}

/// One provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// `[a-z0-9][a-z0-9_-]{0,63}`, unique.
    pub id: String,
    /// Display name.
    pub name: String,
    /// As written, or the catalog's.
    pub url: Url,
    /// The source named in the file or the catalog; `None`: detect it.
    pub source: Option<String>,
    /// Whether the address stands in the user's file. It may be private then; one from the
    /// catalog may not.
    pub url_written: bool,
    /// Intervals, limits and waits.
    pub settings: Settings,
    /// Which events are reported.
    pub filter: Filter,
    /// Where things are in its document, for the source `json`.
    pub json: Option<Arc<JsonMap>>,
}

/// Settings of `defaults` and of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Interval between polls.
    pub interval: Duration,
    /// Interval between polls during incidents.
    pub incident_interval: Duration,
    /// Timeout of a whole request.
    pub timeout: Duration,
    /// Timeout of DNS and connection.
    pub connect_timeout: Duration,
    /// Fraction of the interval, 0.0 to 0.5.
    pub jitter: f64,
    /// Backoff after failed polls.
    pub backoff: Backoff,
    /// Maximum body size in bytes, after decompression.
    pub max_body: usize,
    /// Maximum number of items per document.
    pub max_items: usize,
    /// Which existing updates to report for a new provider.
    pub first_run: FirstRun,
    /// Time without a successful poll until `unreachable`.
    pub stale_after: Duration,
    /// The longest wait a provider may impose by `Retry-After` or status 410.
    pub max_wait: Duration,
    /// From the start of a request at one host and port to that of this provider's next poll there;
    /// `None`: 250 ms, and nothing at a loopback or private address.
    pub host_pace: Option<Duration>,
    /// A component state that does not last so long is recorded and not reported; zero: each is
    /// reported at once.
    pub min_duration: Duration,
    /// Whether names and redirects may lead to private addresses.
    pub allow_private_addresses: bool,
    /// The zone of times that a page writes without one and does not state.
    pub time_zone: Zone,
    /// Words that routes select by: `[a-z0-9_-]+`, each once.
    pub tags: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(1),
            incident_interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            jitter: 0.10,
            backoff: Backoff { initial: Duration::from_secs(5), max: Duration::from_mins(10) },
            max_body: 8 << 20,
            max_items: 5000,
            first_run: FirstRun::Active,
            stale_after: Duration::from_mins(10),
            max_wait: Duration::from_hours(1),
            host_pace: None,
            min_duration: Duration::ZERO,
            allow_private_addresses: false,
            time_zone: Zone::UTC,
            tags: Vec::new(),
        }
    }
}

/// An exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first delay.
    pub initial: Duration,
    /// The maximum delay.
    pub max: Duration,
}

/// Which existing updates to report for a new provider.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum FirstRun {
    /// Nothing.
    None,
    /// The latest update of each incident open right then.
    Active,
    /// The latest update of all.
    Latest,
    /// Everything listed.
    All,
}

/// How crashed actors are restarted.
#[derive(Debug, Clone, PartialEq)]
pub struct Supervision {
    /// Delays between restarts.
    pub restart_backoff: Backoff,
    /// An actor that is restarted more often is parked.
    pub intensity: Intensity,
    /// Time without progress after which a poller is replaced.
    pub stall_after: Duration,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            restart_backoff: Backoff {
                initial: Duration::from_millis(500),
                max: Duration::from_mins(5),
            },
            intensity: Intensity { restarts: 5, within: Duration::from_mins(1) },
            stall_after: Duration::from_mins(2),
        }
    }
}

/// The number of restarts tolerated within a time window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts.
    pub restarts: u32,
    /// Within this time.
    pub within: Duration,
}

/// The console sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Console {
    /// Output format.
    pub format: ConsoleFormat,
}

/// Console output formats.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleFormat {
    /// The text block.
    Text,
    /// JSON Lines.
    Json,
    /// Nothing.
    Off,
}

/// The event log sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    /// Its directory.
    pub dir: PathBuf,
    /// JSON Lines, text blocks, or a file of each.
    pub format: LogFormat,
    /// When to rotate the file.
    pub rotation: Rotation,
    /// Number of rotated files to keep; 0 keeps all.
    pub keep: usize,
}

/// The event log's format.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// JSON Lines.
    Json,
    /// Text blocks.
    Text,
    /// Both, in files of their own.
    Both,
}

/// When to rotate the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Never.
    Never,
    /// At each full hour, UTC.
    Hourly,
    /// At midnight, UTC.
    Daily,
    /// Before the file would grow beyond this many bytes.
    Size(u64),
}

/// The diagnostics log of the program itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// Its directory.
    pub dir: PathBuf,
    /// Minimum level to log.
    pub level: tracing::Level,
    /// `Size` is refused here: tracing-appender rotates by time alone.
    pub rotation: Rotation,
    /// Rotated files kept.
    pub keep: usize,
}

/// A dead-man beat: an address called while watching works, for whoever raises an alarm when the
/// calls stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// What is called. Its path is often a secret.
    pub url: Url,
    /// At least so long from one call to the next.
    pub every: Duration,
}

/// Where answers are recorded, and how much of them is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its directory; made where it is not there.
    pub dir: PathBuf,
    /// What is older is removed.
    pub keep: Duration,
    /// Bytes on disk; beyond it the oldest is removed.
    pub max: u64,
}

impl Default for Recording {
    fn default() -> Self {
        Self { dir: PathBuf::from("recordings"), keep: Duration::from_hours(14 * 24), max: 2 << 30 }
    }
}

/// What is reported of a provider. Empty lists let everything pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Names, globs or ids of components.
    pub components: Vec<String>,
    /// Globs of regions, where the platform has them.
    pub regions: Vec<String>,
    /// The least impact reported.
    pub min_impact: Option<Impact>,
    /// The kinds reported.
    pub kinds: Vec<Kind>,
    /// What is reported of maintenances.
    pub maintenance: MaintenanceFilter,
}

impl Filter {
    /// Whether it names components or regions, which a page may not have.
    #[must_use]
    pub fn names_something(&self) -> bool {
        !self.components.is_empty() || !self.regions.is_empty()
    }
}

/// What is reported of maintenances.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceFilter {
    /// Everything.
    #[default]
    On,
    /// Nothing.
    Off,
    /// The announcement of a start alone: `in_progress`.
    StartsOnly,
}
