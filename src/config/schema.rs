//! The JSON Schema of `providers.yaml`, for editors and generators.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::channels::ChannelSchema;
use super::http::HttpShape;
use super::model::{ConsoleFormat, FirstRun, LogFormat, MaintenanceFilter};
use super::quiet_hours::Quiet;
use super::routes::Route;
use super::shape::{Duration, MinImpact, shape};
use crate::event::Kind;

/// The schema of the whole file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

/// [`shape`] with everything that may stand in `defaults` and in each provider.
macro_rules! with_settings {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        shape! {
            $(#[$meta])* $name {
                $($(#[$field_meta])* $field: $type,)*
                /// Interval between polls. 100ms to 24h; default 60s.
                interval: Duration,
                /// Interval between polls while an incident or maintenance is in progress. Default
                /// 15s.
                incident_interval: Duration,
                /// Timeout of a whole request: DNS, connection, TLS and body. 100ms to 5m; default 10s.
                timeout: Duration,
                /// Timeout of DNS and connection. Default 5s.
                connect_timeout: Duration,
                /// Share of the interval by which polls are spread, each that much sooner at most,
                /// none later. 0% to 50%; default 10%.
                jitter: Fraction,
                /// Backoff after failed polls. Default 5s to 10m.
                backoff: Backoff,
                /// Maximum body size after decompression; a larger one fails the poll. 1KiB to 64MiB; default 8MiB.
                max_body: Size,
                /// Maximum number of items per document; more fail the poll. 1 to 100000; default 5000.
                max_items: Number,
                /// Which existing updates to report for a new provider. Default active.
                first_run: FirstRun,
                /// Time without a successful poll until an `unreachable` event. Default 10m.
                stale_after: Duration,
                /// The longest wait a provider may impose: `Retry-After`, a page that is gone. 1s to
                /// 720h; default 1h.
                max_wait: Duration,
                /// Between the start of a request at one host and that of the provider's next poll
                /// there. 0s to 1m; default 250ms, and 0s at loopback and private addresses.
                host_pace: Duration,
                /// A component state that does not last so long is recorded and not reported. 0s to
                /// 24h; default 0s: each is reported at once.
                min_duration: Duration,
                /// Whether redirects and DNS may lead to loopback or private addresses. Default
                /// false.
                allow_private_addresses: bool,
                /// The zone of times that a page writes without one and does not state: a name
                /// such as `Europe/Berlin` or an offset such as `+02:00`. Default UTC.
                time_zone: String,
                /// Tags, which routes can select: lower-case letters, digits, `-` and `_`. Default: none.
                tags: Vec<String>,
                /// Names, globs or ids of the components to report. Default: all.
                components: Vec<String>,
                /// Globs of the regions to report. Default: all.
                regions: Vec<String>,
                /// Minimum impact to report. Default none.
                min_impact: MinImpact,
                /// Kinds of events to report. Default: all.
                kinds: Vec<Kind>,
                /// Which maintenance updates to report. Default on.
                maintenance: MaintenanceFilter,
            }
        }
    };
}

/// A size such as `64KiB`, `8MiB`, `10MB`, or a number of bytes.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum Size {
    Text(String),
    Bytes(u64),
}

/// A percentage such as `10%`, or a fraction such as 0.1.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum Fraction {
    Text(String),
    Fraction(f64),
}

/// A whole number.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "the shape alone is used")]
struct Number(u64);

/// `never`, `hourly`, `daily`, or for the event log a size such as `64MiB`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum Rotation {
    Text(String),
    Bytes(u64),
}

/// When a log begins a new file by time.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
enum TimeRotation {
    Never,
    Hourly,
    Daily,
}

/// What an absence from a list means.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
enum Absent {
    Unknown,
    Over,
}

/// How much the program says about itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

shape! {
    /// An exponential backoff.
    Backoff {
        /// The first delay.
        initial: Duration,
        /// The maximum delay.
        max: Duration,
    }
}

shape! {
    /// The number of restarts tolerated within a time window.
    Intensity {
        /// 1 to 1000; default 5.
        restarts: Number,
        /// Default 60s.
        within: Duration,
    }
}

shape! {
    /// How crashed actors are restarted.
    Supervision {
        /// Delays between restarts. Default 500ms to 5m.
        restart_backoff: Backoff,
        /// After more restarts than this, the actor is parked for the maximum delay.
        intensity: Intensity,
        /// Time without progress after which a poller is replaced. Default 2m.
        stall_after: Duration,
    }
}

shape! {
    /// The console.
    Console {
        /// Output format. Default text.
        format: ConsoleFormat,
    }
}

shape! {
    /// The event log: every event exactly once, in order.
    EventLog {
        /// Its directory. Default logs.
        dir: String,
        /// JSON Lines, text, or a file of each. Default json.
        format: LogFormat,
        /// When to rotate the file. Default daily.
        rotation: Rotation,
        /// Number of rotated files to keep; 0 keeps all. Default 14.
        keep: Number,
    }
}

shape! {
    /// The diagnostics log of the program itself.
    Diagnostics {
        /// Its directory. Default logs.
        dir: String,
        /// Minimum level to log. Default info.
        level: Level,
        /// When to rotate the file. Default daily.
        rotation: TimeRotation,
        /// Number of rotated files to keep; 0 keeps all. Default 7.
        keep: Number,
    }
}

shape! {
    /// A dead-man beat: an address called with GET after each round in which at least one provider
    /// was read, for a service that raises an alarm when the calls stop.
    Heartbeat {
        /// URL to call. Http or https; may be a loopback or private address.
        url: String,
        /// Minimum time between calls. 1s to 24h; default 1m.
        every: Duration,
    }
}

shape! {
    /// A recording of every changed response, for `statuswatch replay`.
    Record {
        /// Its directory. Default recordings.
        dir: String,
        /// Maximum age. 1h to 400d; default 14d.
        keep: Duration,
        /// Maximum size on disk; the oldest files are removed first. 1MiB to 1TiB; default 2GiB.
        max: Size,
    }
}

with_settings! {
    /// Defaults of all providers.
    Defaults {}
}

with_settings! {
    /// A catalog provider with overrides.
    Overrides {
        /// Display name. Default: the catalog's.
        name: String,
        /// URL that replaces the catalog's.
        url: String,
        /// Source (parser). Default: the catalog's.
        source: String,
        /// Whether it is watched. Default true.
        enabled: bool,
    }
}

shape! {
    /// Where things are in a JSON document: pointers such as `/data/0/name` (RFC 6901).
    Json {
        /// To the list of incidents, from the root; empty where the document itself is the list.
        list: String,
        /// In an item: its id.
        id: String,
        /// In an item: its title.
        title: String,
        /// In an item: its status.
        status: String,
        /// In an item: the text of its latest update.
        text: String,
        /// In an item: the time of that update.
        time: String,
        /// In an item: the URL of its page.
        url: String,
        /// In an item: its impact.
        impact: String,
        /// Meaning of an incident's absence from the list. Default unknown.
        absent: Absent,
        /// Maps the provider's statuses and impacts to ours.
        words: BTreeMap<String, String>,
    }
}

with_settings! {
    /// A provider with an id and a URL.
    Provider {
        /// 1 to 64 lower-case letters, digits, `-` and `_`; unique.
        id: String,
        /// Display name. Default: the id.
        name: String,
        /// The status page, or the document itself. Http or https.
        url: String,
        /// Source (parser). Default: detected.
        source: String,
        /// Where things are in its document, for the source `json`.
        json: Json,
        /// Whether it is watched. Default true.
        enabled: bool,
    }
}

with_settings! {
    /// All catalog providers of a tier or category.
    Group {
        /// A tier (`tier1`) or a category (`ai`).
        catalog: String,
        /// Whether they are watched. Default true.
        enabled: bool,
    }
}

/// An entry of `providers`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum Entry {
    /// A catalog slug.
    Slug(String),
    Provider(Box<Provider>),
    Group(Box<Group>),
    /// A catalog slug with overrides.
    Overrides(BTreeMap<String, Option<Overrides>>),
}

/// Configuration of statuswatch (providers.yaml).
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(clippy::zero_sized_map_values, reason = "the shape alone is used")]
#[expect(dead_code, reason = "the shape alone is used")]
struct File {
    /// Directory of the ledger database. Default state.
    state_dir: Option<String>,
    /// The address of a PostgreSQL database that several nodes share:
    /// `postgres://USER:${PASSWORD}@HOST/DATABASE`. Default: none, a single node.
    state: Option<String>,
    /// The name of this node among those that share the database: letters, digits, `.`, `_` and `-`.
    /// Default: the name of the host.
    node: Option<String>,
    /// Defaults of all providers.
    defaults: Option<Defaults>,
    /// How crashed actors are restarted.
    supervision: Option<Supervision>,
    /// Time limit of a graceful shutdown. 100ms to 1m; default 4s.
    shutdown_timeout: Option<Duration>,
    /// The console.
    console: Option<Console>,
    /// The event log.
    event_log: Option<EventLog>,
    /// The diagnostics log of the program itself.
    diagnostics: Option<Diagnostics>,
    /// A heartbeat for a dead man's switch. Default: none.
    beat: Option<Heartbeat>,
    /// A recording of every changed response. Default: none.
    record: Option<Record>,
    /// Where notifications are sent, by id. Default: nowhere.
    channels: Option<BTreeMap<String, ChannelSchema>>,
    /// Which channels an event goes to. Default: every event goes to every channel.
    routes: Option<Vec<Route>>,
    /// When messages are held back. Default: never.
    quiet_hours: Option<Vec<Quiet>>,
    /// The HTTP server. Default: off.
    http: Option<HttpShape>,
    /// Providers to watch.
    providers: Vec<Entry>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{channels, keys, quiet_hours, routes};
    use super::*;

    fn keys_of(schema: &serde_json::Value) -> BTreeSet<&str> {
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_schema_has_the_keys_the_checker_knows() {
        let schema = schema();
        assert_eq!(keys_of(&schema), keys::TOP.iter().copied().collect());
        for (name, known) in [
            ("Defaults", keys::DEFAULTS),
            ("Overrides", keys::OVERRIDES),
            ("Provider", keys::PROVIDER),
            ("Group", keys::GROUP),
            ("Supervision", keys::SUPERVISION),
            ("Backoff", keys::BACKOFF),
            ("Json", keys::JSON),
            ("Intensity", keys::INTENSITY),
            ("Console", keys::CONSOLE),
            ("EventLog", keys::EVENT_LOG),
            ("Diagnostics", keys::DIAGNOSTICS),
            ("Heartbeat", keys::BEAT),
            ("Record", keys::RECORD),
            ("Channel", channels::KEYS),
            ("Digest", channels::DIGEST),
            ("Template", channels::TEMPLATE),
            ("Route", routes::KEYS),
            ("Match", routes::MATCH),
            ("Quiet", quiet_hours::KEYS),
            ("Http", super::super::http::HTTP),
            ("HttpMetrics", super::super::http::METRICS),
            ("Prometheus", super::super::prometheus::KEYS),
        ] {
            assert_eq!(keys_of(&schema["$defs"][name]), known.iter().copied().collect(), "{name}");
        }
    }

    #[test]
    fn everything_is_described() {
        let schema = schema();
        for (name, part) in schema["$defs"].as_object().unwrap() {
            for (key, property) in part["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{name}.{key}");
            }
        }
        assert!(
            schema["$defs"]["Duration"]["anyOf"].as_array().is_some_and(|forms| forms.len() == 2)
        );
    }
}
