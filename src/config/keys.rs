//! The keys of `providers.yaml` and the bounds of their values.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Where the ledger is if `state_dir` is not written.
pub(super) const STATE_DIR: &str = "state";

pub(super) const TOP: &[&str] = &[
    "state_dir",
    "state",
    "node",
    "defaults",
    "supervision",
    "shutdown_timeout",
    "console",
    "event_log",
    "diagnostics",
    "beat",
    "record",
    "channels",
    "routes",
    "quiet_hours",
    "http",
    "providers",
];
pub(super) const SUPERVISION: &[&str] = &["restart_backoff", "intensity", "stall_after"];
pub(super) const BACKOFF: &[&str] = &["initial", "max"];
pub(super) const INTENSITY: &[&str] = &["restarts", "within"];
pub(super) const CONSOLE: &[&str] = &["format"];
pub(super) const EVENT_LOG: &[&str] = &["dir", "format", "rotation", "keep"];
pub(super) const DIAGNOSTICS: &[&str] = &["dir", "level", "rotation", "keep"];
pub(super) const BEAT: &[&str] = &["url", "every"];
pub(super) const RECORD: &[&str] = &["dir", "keep", "max"];

macro_rules! with_settings {
    ($($first:literal),*) => {
        &[
            $($first,)* "interval", "incident_interval", "timeout", "connect_timeout", "jitter", "backoff", "max_body", "max_items",
            "first_run", "stale_after", "min_duration", "max_wait", "host_pace", "allow_private_addresses", "time_zone", "tags", "components", "regions", "min_impact", "kinds", "maintenance",
        ]
    };
}

/// `defaults`.
pub(super) const DEFAULTS: &[&str] = with_settings!();
/// The keys of a `- github:` entry.
pub(super) const OVERRIDES: &[&str] = with_settings!("name", "url", "source", "enabled");
/// A provider with an id and a URL.
pub(super) const PROVIDER: &[&str] =
    with_settings!("id", "name", "url", "source", "json", "enabled");
/// `json` of a provider.
pub(super) const JSON: &[&str] =
    &["list", "id", "title", "status", "text", "time", "url", "impact", "absent", "words"];
/// `- catalog: ai`.
pub(super) const GROUP: &[&str] = with_settings!("catalog", "enabled");

type Durations = RangeInclusive<Duration>;

pub(super) const INTERVAL: Durations = Duration::from_millis(100)..=Duration::from_hours(24);
pub(super) const TIMEOUT: Durations = Duration::from_millis(100)..=Duration::from_mins(5);
pub(super) const BACKOFF_DELAY: Durations = Duration::from_millis(10)..=Duration::from_hours(24);
pub(super) const STALE_AFTER: Durations =
    Duration::from_millis(100)..=Duration::from_hours(30 * 24);
pub(super) const MAX_WAIT: Durations = Duration::from_secs(1)..=Duration::from_hours(30 * 24);
/// Zero: a host is not paced at all.
pub(super) const HOST_PACE: Durations = Duration::ZERO..=Duration::from_mins(1);
pub(super) const MIN_DURATION: Durations = Duration::ZERO..=Duration::from_hours(24);
pub(super) const WITHIN: Durations = Duration::from_millis(100)..=Duration::from_hours(24);
pub(super) const STALL_AFTER: Durations = Duration::from_millis(100)..=Duration::from_hours(24);
/// A service manager waits no longer than this by habit.
pub(super) const SHUTDOWN: Durations = Duration::from_millis(100)..=Duration::from_mins(1);
/// Services that wait for a beat count in minutes; a day without one is no watch.
pub(super) const EVERY: Durations = Duration::from_secs(1)..=Duration::from_hours(24);
/// Longer than any question about a past incident comes up.
pub(super) const RECORD_KEEP: Durations = Duration::from_hours(1)..=Duration::from_hours(400 * 24);
/// Less would be removed as fast as it is written.
pub(super) const RECORD_MAX: RangeInclusive<u64> = (1 << 20)..=(1 << 40);
pub(super) const JITTER: RangeInclusive<f64> = 0.0..=0.5;
pub(super) const MAX_BODY: RangeInclusive<u64> = (1 << 10)..=(64 << 20);
pub(super) const MAX_ITEMS: RangeInclusive<u64> = 1..=100_000;
pub(super) const RESTARTS: RangeInclusive<u64> = 1..=1000;
pub(super) const KEEP: RangeInclusive<u64> = 0..=100_000;
/// Smaller files would be rotated more than written.
pub(super) const ROTATION_SIZE: RangeInclusive<u64> = (1 << 10)..=(16 << 30);
