//! `providers.yaml`: parsed and validated as a whole, into a [`Config`] or into every error
//! at once with its place and a hint.

mod address;
mod channels;
mod check;
mod diagnostic;
mod document;
mod edit;
mod glance;
mod hidden;
mod http;
mod id;
mod interpolate;
mod json_map;
mod keys;
mod mask;
mod model;
mod prometheus;
mod providers;
mod quiet_hours;
mod reader;
mod routes;
mod schema;
mod sections;
mod settings;
mod shape;
pub mod units;
mod values;
mod words;

pub(crate) use reader::nearest;

pub use channels::{ChannelConfig, Fingerprint, Template, TemplateText};
pub use check::{Loaded, MAX_FILE, is_node_name, load, parse, parse_with};
pub use diagnostic::{ConfigError, Diagnostic, Severity, count};
pub use document::{EntryError, NewEntry, entry_yaml};
pub use edit::{EditError, add_provider};
pub use glance::likely_state_dir;
pub use http::{HookToken, Http, ProviderMetrics, PublicSurface};
pub use id::is_id;
pub use model::{
    Backoff, Config, Console, ConsoleFormat, Diagnostics, EventLog, Filter, FirstRun, Heartbeat,
    Intensity, LogFormat, MaintenanceFilter, Provider, Recording, Rotation, Settings, Supervision,
};
pub use prometheus::{Login, Prometheus};
pub use schema::schema;
pub use units::{
    UnitError, parse_duration, parse_fraction, parse_size, render_duration, render_fraction,
    render_size,
};
