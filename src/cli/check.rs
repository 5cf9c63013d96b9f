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
    /// Errors and warnings; the name of the field is stable.
    mistakes: Vec<ReportedDiagnostic<'a>>,
    /// Where the catalog itself is not sure of an address.
    doubts: Vec<ReportedDiagnostic<'a>>,
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

/// An error or a warning.
#[derive(Serialize)]
struct ReportedDiagnostic<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    severity: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

/// Validates the configuration: errors go to standard error, a one-line summary to standard output.
///
/// # Errors
/// Standard output could not be written.
pub fn run(common: &Common, args: &CheckArgs) -> anyhow::Result<Exit> {
    let file = common.config.display().to_string();
    if args.online {
        return match context::load(common) {
            Ok(loaded) => {
                let database = super::nodes_view::examine(common);
                if let Some((said, _)) = &database {
                    output::note(said);
                }
                let exit = super::online::run(&loaded.config.providers, args.json)?;
                Ok(if database.is_some_and(|(_, works)| !works) { Exit::Failed } else { exit })
            }
            Err(exit) => Ok(exit),
        };
    }
    let mut overloaded = Vec::new();
    let mut database = None;
    let (diagnostics, doubts, providers, unreadable) = match context::read(common) {
        Ok(loaded) => {
            database = loaded.config.state.as_ref().map(ToString::to_string);
            overloaded = host_load::overloaded(&loaded.config.providers);
            (loaded.warnings, loaded.doubts, Some(loaded.config.providers.len()), None)
        }
        Err(ConfigError::Invalid(diagnostics)) => (diagnostics, Vec::new(), None, None),
        Err(error @ ConfigError::Unreadable { .. }) => (Vec::new(), Vec::new(), None, Some(error)),
    };
    if args.json {
        let report = Report {
            file: file.clone(),
            valid: providers.is_some(),
            providers,
            mistakes: diagnostics.iter().map(reported).collect(),
            doubts: doubts.iter().map(reported).collect(),
            overloaded_hosts: overloaded.iter().map(Overload::from).collect(),
        };
        output::print_json(&report)?;
    } else {
        for diagnostic in diagnostics.iter().chain(&doubts) {
            output::note(&format!("{diagnostic}\n"));
        }
        for host in &overloaded {
            output::note(&format!("warning: {}\n", host.sentence()));
        }
    }
    if let Some(error) = &unreadable {
        output::note(&format!("statuswatch: {error}"));
    } else if !args.json {
        let found =
            if diagnostics.is_empty() { "no errors".to_owned() } else { count(&diagnostics) };
        let watched = providers
            .map(|n| format!("{n} provider{}, ", if n == 1 { "" } else { "s" }))
            .unwrap_or_default();
        let doubtful =
            if doubts.is_empty() { "" } else { ", but some catalog addresses are doubtful" };
        let crowded = match overloaded.len() {
            0 => String::new(),
            1 => ", but one host is overloaded".to_owned(),
            more => format!(", but {more} hosts are overloaded"),
        };
        let shared = database.map(|url| format!("\nshared over {url}")).unwrap_or_default();
        output::print(&format!(
            "{}: {watched}{found}{doubtful}{crowded}{shared}\n",
            super::table::one_line(&file)
        ))?;
    }
    Ok(if providers.is_some() { Exit::Done } else { Exit::Usage })
}

fn reported(diagnostic: &Diagnostic) -> ReportedDiagnostic<'_> {
    ReportedDiagnostic {
        file: &diagnostic.file,
        line: diagnostic.line,
        column: diagnostic.column,
        severity: if diagnostic.severity == Severity::Error { "error" } else { "warning" },
        message: &diagnostic.message,
        hint: diagnostic.hint.as_deref(),
    }
}
