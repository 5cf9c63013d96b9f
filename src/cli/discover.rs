//! `discover`: prints what a repository depends on, adds it to `providers.yaml`, or checks that it
//! is watched.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::add::{self, Edited};
use super::args::{Common, DiscoverArgs};
use super::exit::Exit;
use super::table::one_line;
use super::{context, output};
use crate::catalog;
use crate::config::Config;
use crate::discover::{Dependency, Limits, Scanned, collect, walk};

/// Files that were not read and are named; the others are counted.
const NAMED: usize = 5;

/// What `--json` prints.
#[derive(Serialize)]
struct View<'d> {
    directory: String,
    /// Number of files that were read.
    files: usize,
    /// Why not all files were looked at.
    incomplete: Option<&'static str>,
    /// Files that were not read.
    skipped: Vec<SkippedView<'d>>,
    dependencies: Vec<DependencyView<'d>>,
}

#[derive(Serialize)]
struct SkippedView<'d> {
    path: &'d str,
    reason: &'static str,
}

#[derive(Serialize)]
struct DependencyView<'d> {
    #[serde(flatten)]
    dependency: &'d Dependency,
    /// Null without a configuration.
    watched: Option<bool>,
}

/// Scans a directory.
///
/// # Errors
/// The directory cannot be read, or the configuration cannot be written.
pub fn run(common: &Common, args: &DiscoverArgs) -> anyhow::Result<Exit> {
    // Before the work: with --check and --write, the configuration must be valid.
    let config = match context::read(common) {
        Ok(loaded) => Some(loaded.config),
        Err(_) if !args.check => None,
        // Read again, to report the errors.
        Err(_) => return Ok(context::load(common).err().unwrap_or(Exit::Failed)),
    };
    let scanned = walk(&args.dir, &Limits::default())?;
    let found = collect(scanned.files.iter().map(|(path, found)| (path.as_str(), found.clone())));
    let watched = config.as_ref().map(watched);
    let is_watched =
        |one: &Dependency| watched.as_ref().is_some_and(|watched| watched.contains(one.slug));
    let missing: Vec<&Dependency> =
        found.iter().filter(|one| one.sure && !is_watched(one)).collect();
    report_skipped(&scanned);
    if args.json {
        output::print_json(&View {
            directory: one_line(&args.dir.to_string_lossy()),
            files: scanned.read,
            incomplete: scanned.incomplete,
            skipped: scanned
                .skipped
                .iter()
                .map(|(path, reason)| SkippedView { path, reason })
                .collect(),
            dependencies: found
                .iter()
                .map(|dependency| DependencyView {
                    dependency,
                    watched: watched.as_ref().map(|_| is_watched(dependency)),
                })
                .collect(),
        })?;
    }
    if args.write {
        return write(common, &missing, args.json);
    }
    if args.check {
        return check(&missing, found.iter().filter(|one| one.sure).count(), args);
    }
    if !args.json {
        if found.is_empty() {
            output::note("statuswatch: no dependency was found");
        } else {
            output::print(&entries(&found))?;
            output::note(&summary(&found, &scanned, watched.as_ref().map(|_| missing.len())));
        }
    }
    Ok(Exit::Done)
}

/// The slugs of what is watched, also under another id.
fn watched(config: &Config) -> BTreeSet<String> {
    let of_page = |url| catalog::at(url).map(|entry| entry.slug.to_owned());
    let providers = config.providers.iter();
    providers.flat_map(|one| [Some(one.id.clone()), of_page(&one.url)]).flatten().collect()
}

/// A list for `providers.yaml`, with what is doubtful commented out.
fn entries(found: &[Dependency]) -> String {
    let lines = |sure: bool, mark: &str| -> String {
        let chosen = found.iter().filter(|one| one.sure == sure);
        chosen.flat_map(|one| [mark, &one.entry(), "\n"].map(str::to_owned)).collect()
    };
    let (sure, doubtful) = (lines(true, "  - "), lines(false, "  # - "));
    let head = if sure.is_empty() { "providers: []\n" } else { "providers:\n" };
    let possibly = if doubtful.is_empty() {
        ""
    } else {
        "  # Possibly; what was found is used without the provider as well:\n"
    };
    [head, &sure, possibly, &doubtful].concat()
}

fn summary(found: &[Dependency], scanned: &Scanned, missing: Option<usize>) -> String {
    let sure = found.iter().filter(|one| one.sure).count();
    let watched = match missing {
        None => String::new(),
        Some(0) => "; all of these are watched".to_owned(),
        Some(missing) => format!("; {missing} not watched: add them with --write"),
    };
    format!(
        "\n{} and {} possible in {}{watched}",
        count(sure, "provider"),
        found.len() - sure,
        count(scanned.read, "file")
    )
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn report_skipped(scanned: &Scanned) {
    for (path, why) in scanned.skipped.iter().take(NAMED) {
        output::note(&format!("statuswatch: {} was skipped: {why}", one_line(path)));
    }
    if scanned.skipped.len() > NAMED {
        let more = scanned.skipped.len() - NAMED;
        output::note(&format!("statuswatch: {more} more were skipped; --json lists them"));
    }
    if let Some(why) = scanned.incomplete {
        output::note(&format!("statuswatch: not all of the directory was scanned: {why}"));
    }
}

/// Adds the providers that are sure and not watched.
fn write(common: &Common, missing: &[&Dependency], json: bool) -> anyhow::Result<Exit> {
    let path: &Path = &common.config;
    let before = add::original(path)?;
    if missing.is_empty() {
        output::note("statuswatch: nothing to add");
        return Ok(Exit::Done);
    }
    let entries: Vec<String> = missing.iter().map(|one| one.entry()).collect();
    Ok(match add::extend(path, &before, &entries)? {
        Edited::Written(providers) => {
            let done = add::done(path, providers);
            if json {
                output::note(done.trim_end());
            } else {
                output::print(&done)?;
            }
            Exit::Done
        }
        Edited::Refused => Exit::Usage,
    })
}

/// Names what is not watched.
fn check(missing: &[&Dependency], sure: usize, args: &DiscoverArgs) -> anyhow::Result<Exit> {
    if !args.json {
        for one in missing {
            output::print(&format!("not watched: {} (because {})\n", one.slug, one.because()))?;
        }
        if missing.is_empty() {
            output::print(&format!("{} found, all watched\n", count(sure, "provider")))?;
        }
    }
    Ok(if missing.is_empty() { Exit::Done } else { Exit::Failed })
}
