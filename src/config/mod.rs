//! `providers.yaml`: read, checked as a whole, and turned into a [`Config`], or into every mistake
//! at once with its place and a hint.

mod model;

pub use model::{
    Backoff, Config, Console, ConsoleFormat, Diagnostics, EventLog, Filter, FirstRun, Intensity, LogFormat, MaintenanceFilter,
    Provider, Rotation, Settings, Supervision,
};
