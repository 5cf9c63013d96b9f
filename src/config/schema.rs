//! The JSON Schema of `providers.yaml`, for editors and for whoever writes the file by program.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::model::{ConsoleFormat, FirstRun, LogFormat, MaintenanceFilter};
use crate::event::Kind;

/// The schema of the whole file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

/// A mapping in the file. The checker reads the file, because it knows places: these types lend
/// their shape alone.
macro_rules! shape {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[expect(dead_code, reason = "the shape alone is used")]
        struct $name { $($(#[$field_meta])* $field: Option<$type>,)* }
    };
}

/// [`shape`] with everything that may stand in `defaults` and in each provider.
macro_rules! with_settings {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        shape! {
            $(#[$meta])* $name {
                $($(#[$field_meta])* $field: $type,)*
                /// Between polls while all is well. 100ms to 24h; default 60s.
                interval: Duration,
                /// Between polls while an incident is open or a maintenance is in progress. Default
                /// 15s.
                incident_interval: Duration,
                /// One request in all: name, connection, TLS, body. 100ms to 5m; default 10s.
                timeout: Duration,
                /// Name and connection. Default 5s.
                connect_timeout: Duration,
                /// Share of the interval by which polls are spread, each that much sooner at most,
                /// none later. 0% to 50%; default 10%.
                jitter: Fraction,
                /// Waits after failed polls. Default 5s to 10m.
                backoff: Backoff,
                /// Bytes after decompression; more is a failed poll. 1KiB to 64MiB; default 8MiB.
                max_body: Size,
                /// Items per document; more is a failed poll. 1 to 100000; default 5000.
                max_items: Number,
                /// What is told of a provider never seen before. Default active.
                first_run: FirstRun,
                /// Without a successful poll for so long, an event says so. Default 10m.
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
                /// Whether a redirect or a name may lead to a loopback or private address. Default
                /// false.
                allow_private_addresses: bool,
                /// The zone of times that a page writes without one and does not state: a name
                /// such as `Europe/Berlin` or an offset such as `+02:00`. Default UTC.
                time_zone: String,
                /// Names, globs or ids of the components to be told of. Default: all.
                components: Vec<String>,
                /// Globs of the regions to be told of. Default: all.
                regions: Vec<String>,
                /// The least impact told. Default none.
                min_impact: MinImpact,
                /// The kinds of events told. Default: all.
                kinds: Vec<Kind>,
                /// What is told of maintenances. Default on.
                maintenance: MaintenanceFilter,
            }
        }
    };
}

/// A duration such as `500ms`, `15s`, `5m`, `1h30m`, or a number of seconds.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape alone is used")]
enum Duration {
    Text(String),
    Seconds(u64),
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

/// The least impact told.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "the shape alone is used")]
enum MinImpact {
    None,
    Minor,
    Major,
    Critical,
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
    /// A growing delay.
    Backoff {
        /// The first delay.
        initial: Duration,
        /// The longest.
        max: Duration,
    }
}

shape! {
    /// How many restarts within which time are still normal.
    Intensity {
        /// 1 to 1000; default 5.
        restarts: Number,
        /// Default 60s.
        within: Duration,
    }
}

shape! {
    /// How crashed actors come back.
    Supervision {
        /// Delays between restarts. Default 500ms to 5m.
        restart_backoff: Backoff,
        /// More restarts than this: the actor is parked for the longest delay.
        intensity: Intensity,
        /// A poller that makes no progress for so long is replaced. Default 2m.
        stall_after: Duration,
    }
}

shape! {
    /// The console.
    Console {
        /// What it shows. Default text.
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
        /// When a new file is begun. Default daily.
        rotation: Rotation,
        /// Rotated files kept; 0: all. Default 14.
        keep: Number,
    }
}

shape! {
    /// What the program says about itself.
    Diagnostics {
        /// Its directory. Default logs.
        dir: String,
        /// The least level written. Default info.
        level: Level,
        /// When a new file is begun. Default daily.
        rotation: TimeRotation,
        /// Rotated files kept; 0: all. Default 7.
        keep: Number,
    }
}

shape! {
    /// A dead-man beat: an address called with GET after each round in which at least one provider
    /// was read, for a service that raises an alarm when the calls stop.
    Heartbeat {
        /// What is called. Http or https; may name a loopback or private address.
        url: String,
        /// At least so long from one call to the next. 1s to 24h; default 1m.
        every: Duration,
    }
}

shape! {
    /// A recording of every changed answer, for `statuswatch replay`.
    Record {
        /// Its directory. Default recordings.
        dir: String,
        /// What is older is removed. 1h to 400d; default 14d.
        keep: Duration,
        /// What it may take on disk; the oldest is removed first. 1MiB to 1TiB; default 2GiB.
        max: Size,
    }
}

with_settings! {
    /// What holds for every provider that does not say otherwise.
    Defaults {}
}

with_settings! {
    /// A provider of the catalog with values of its own.
    Overrides {
        /// For people. Default: the catalog's.
        name: String,
        /// Another address than the catalog's.
        url: String,
        /// The source that reads it. Default: the catalog's.
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
        /// In an item: what it is recognised by.
        id: String,
        /// In an item: its title.
        title: String,
        /// In an item: where it stands.
        status: String,
        /// In an item: what was written last.
        text: String,
        /// In an item: when that was.
        time: String,
        /// In an item: the page a person would open.
        url: String,
        /// In an item: how bad it is.
        impact: String,
        /// What it means that an incident has left the list. Default unknown.
        absent: Absent,
        /// The provider's words and ours, of states and of impacts.
        words: BTreeMap<String, String>,
    }
}

with_settings! {
    /// A provider written in full.
    Provider {
        /// 1 to 64 lower-case letters, digits, `-` and `_`; unique.
        id: String,
        /// For people. Default: the id.
        name: String,
        /// The status page, or the document itself. Http or https.
        url: String,
        /// The source that reads it. Default: recognised.
        source: String,
        /// Where things are in its document, for the source `json`.
        json: Json,
        /// Whether it is watched. Default true.
        enabled: bool,
    }
}

with_settings! {
    /// Many providers of the catalog at once.
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
    /// A slug of the catalog.
    Slug(String),
    Provider(Box<Provider>),
    Group(Box<Group>),
    /// A slug of the catalog with values of its own.
    Overrides(BTreeMap<String, Option<Overrides>>),
}

/// providers.yaml of statuswatch.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape alone is used")]
struct File {
    /// Where the ledger's database lives. Default state.
    state_dir: Option<String>,
    /// What holds for every provider that does not say otherwise.
    defaults: Option<Defaults>,
    /// How crashed actors come back.
    supervision: Option<Supervision>,
    /// How long an orderly stop may take. 100ms to 1m; default 4s.
    shutdown_timeout: Option<Duration>,
    /// The console.
    console: Option<Console>,
    /// The event log.
    event_log: Option<EventLog>,
    /// What the program says about itself.
    diagnostics: Option<Diagnostics>,
    /// A dead-man beat. Default: none.
    beat: Option<Heartbeat>,
    /// A recording of every changed answer. Default: none.
    record: Option<Record>,
    /// What to watch.
    providers: Vec<Entry>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::keys;
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
