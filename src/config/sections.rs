//! All sections of `providers.yaml` with their keys, for hints on misplaced keys.

use super::reader::Sections;
use super::{channels, http, keys, prometheus, quiet_hours, routes};

/// By what a message calls them.
pub(super) const SECTIONS: &Sections = &[
    ("defaults", keys::DEFAULTS),
    ("a provider", keys::PROVIDER),
    ("supervision", keys::SUPERVISION),
    ("event_log", keys::EVENT_LOG),
    ("diagnostics", keys::DIAGNOSTICS),
    ("beat", keys::BEAT),
    ("record", keys::RECORD),
    ("http", http::HTTP),
    ("\"prometheus\"", prometheus::KEYS),
    ("intensity", keys::INTENSITY),
    ("backoff", keys::BACKOFF),
    ("json", keys::JSON),
    ("a channel", channels::KEYS),
    ("\"digest\" of a channel", channels::DIGEST),
    ("\"template\" of a channel", channels::TEMPLATE),
    ("a route", routes::KEYS),
    ("\"match\" of a route", routes::MATCH),
    ("\"quiet_hours\"", quiet_hours::KEYS),
];
