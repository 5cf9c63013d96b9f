//! `check`: the configuration alone, without network unless `--online` asks for it.

use serde::Serialize;

use super::args::{CheckArgs, Common};
use super::exit::Exit;
use super::{context, output};
use crate::config::{ConfigError, Diagnostic, Severity, count};
use crate::poller::host_load::{self, OverloadedHost};

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    valid: bool,
    /// Providers watched; null for an invalid file.
    providers: Option<usize>,
    mistakes: Vec<Told<'a>>,
    /// Where the catalogue itself is not sure of an address.
    doubts: Vec<Told<'a>>,
    /// Hosts that cannot be polled as often as was asked for.
    overloaded_hosts: Vec<Overload>,
}

/// A host with too many providers.
#[derive(Serialize)]
struct Overload {
    host: String,
    providers: Vec<Stretched>,
    message: String,
}

/// One of its providers.
#[derive(Serialize)]
struct Stretched {
    provider: String,
    /// Seconds, as asked for.
    interval: f64,
    /// Seconds, as its host allows.
    real_interval: f64,
}

impl From<&OverloadedHost> for Overload {
    fn from(host: &OverloadedHost) -> Self {
        let stretched = |one: &host_load::Stretched| Stretched {
            provider: one.id.clone(),
            interval: one.asked.as_secs_f64(),
            real_interval: one.real.as_secs_f64(),
        };
        Self {
            host: host.host.clone(),
            providers: host.providers.iter().map(stretched).collect(),
            message: host.sentence(),
        }
    }
}

/// One mistake.
#[derive(Serialize)]
struct Told<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    severity: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

/// Validates the configuration: mistakes to standard error, one line that sums up to standard
/// output.
///
/// # Errors
/// Standard output could not be written.
pub fn run(common: &Common, args: &CheckArgs) -> anyhow::Result<Exit> {
    let file = common.config.display().to_string();
    if args.online {
        return match context::load(common) {
            Ok(loaded) => super::online::run(&loaded.config.providers, args.json),
            Err(exit) => Ok(exit),
        };
    }
    let mut overloaded = Vec::new();
    let (mistakes, doubts, providers, unreadable) = match context::read(common) {
        Ok(loaded) => {
            overloaded = host_load::overloaded(&loaded.config.providers);
            (loaded.warnings, loaded.doubts, Some(loaded.config.providers.len()), None)
        }
        Err(ConfigError::Invalid(mistakes)) => (mistakes, Vec::new(), None, None),
        Err(error @ ConfigError::Unreadable { .. }) => (Vec::new(), Vec::new(), None, Some(error)),
    };
    if args.json {
        let report = Report {
            file: file.clone(),
            valid: providers.is_some(),
            providers,
            mistakes: mistakes.iter().map(told).collect(),
            doubts: doubts.iter().map(told).collect(),
            overloaded_hosts: overloaded.iter().map(Overload::from).collect(),
        };
        output::print_json(&report)?;
    } else {
        for mistake in mistakes.iter().chain(&doubts) {
            output::note(&format!("{mistake}\n"));
        }
        for host in &overloaded {
            output::note(&format!("warning: {}\n", host.sentence()));
        }
    }
    if let Some(error) = &unreadable {
        output::note(&format!("statuswatch: {error}"));
    } else if !args.json {
        let found = if mistakes.is_empty() { "no mistakes".to_owned() } else { count(&mistakes) };
        let watched = providers
            .map(|n| format!("{n} provider{}, ", if n == 1 { "" } else { "s" }))
            .unwrap_or_default();
        let doubtful = if doubts.is_empty() { "" } else { ", but the catalogue has doubts" };
        let crowded = match overloaded.len() {
            0 => String::new(),
            1 => ", but too much for one host".to_owned(),
            more => format!(", but too much for {more} hosts"),
        };
        output::print(&format!(
            "{}: {watched}{found}{doubtful}{crowded}\n",
            super::table::one_line(&file)
        ))?;
    }
    Ok(if providers.is_some() { Exit::Done } else { Exit::Usage })
}

fn told(mistake: &Diagnostic) -> Told<'_> {
    Told {
        file: &mistake.file,
        line: mistake.line,
        column: mistake.column,
        severity: if mistake.severity == Severity::Error { "error" } else { "warning" },
        message: &mistake.message,
        hint: mistake.hint.as_deref(),
    }
}
