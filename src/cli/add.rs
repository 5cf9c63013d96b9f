//! `add`: changes the file atomically, and never into an invalid one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use url::Url;

use super::args::{AddArgs, Common};
use super::exit::Exit;
use super::{output, probe};
use crate::catalog;
use crate::config::{self, ConfigError, Loaded};

/// The beginning of a new file.
const BEGINNING: &str =
    "# Providers watched by statuswatch. For all options, see `statuswatch schema`.\nproviders:\n";

/// Adds providers to the configuration.
///
/// # Errors
/// The file could not be read or written.
pub fn run(common: &Common, args: &AddArgs) -> anyhow::Result<Exit> {
    let path = common.config.as_path();
    let before = original(path)?;
    // An invalid file may only lack a provider, so the result is validated instead.
    let mut known: Vec<(String, Option<Url>)> = parse(path, &before)
        .map(|loaded| {
            loaded
                .config
                .providers
                .iter()
                .map(|one| (one.id.clone(), Some(one.url.clone())))
                .collect()
        })
        .unwrap_or_default();
    let mut entries = Vec::new();
    for what in &args.what {
        // A page that is in the catalog is added by its slug.
        let url = probe::parse(what).ok();
        let slug = url.as_ref().and_then(catalog::at).map_or(what.as_str(), |entry| entry.slug);
        if let Some((id, _)) =
            known.iter().find(|(id, at)| id == slug || (url.is_some() && *at == url))
        {
            let is = if id == what { String::new() } else { format!(", as {id}") };
            output::note(&format!(
                "statuswatch: {} is already configured{is}",
                super::table::one_line(what)
            ));
            continue;
        }
        match entry(slug, &|id| known.iter().any(|(known, _)| known == id)) {
            Ok(Ok(entry)) => entries.push(entry),
            Ok(Err((exit, why))) => {
                output::note(&format!("statuswatch: {why}\nstatuswatch: nothing was added"));
                return Ok(exit);
            }
            Err(error) => return Err(error),
        }
        known.push((slug.to_owned(), url));
    }
    if entries.is_empty() {
        return Ok(Exit::Done);
    }
    match extend(path, &before, &entries)? {
        Edited::Written(providers) => {
            output::print(&done(path, providers))?;
            Ok(Exit::Done)
        }
        Edited::Refused => Ok(Exit::Usage),
    }
}

/// What became of the file.
pub(super) enum Edited {
    /// It was written and has this number of providers.
    Written(usize),
    /// It is as it was; the reason has been reported.
    Refused,
}

/// Returns the text of the configuration, or that of a new one if it does not exist.
pub(super) fn original(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BEGINNING.to_owned()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Adds entries to the text `before` and replaces the file, unless the result is invalid.
pub(super) fn extend(path: &Path, before: &str, entries: &[String]) -> anyhow::Result<Edited> {
    let mut text = before.to_owned();
    for entry in entries {
        text = match config::add_provider(&text, entry) {
            Ok(text) => text,
            Err(error) => {
                output::note(&format!("statuswatch: {}: {error}", output::shown(path)));
                return Ok(Edited::Refused);
            }
        };
    }
    let providers = match parse(path, &text) {
        Ok(loaded) => loaded.config.providers.len(),
        Err(error) => {
            output::note(&format!(
                "{error}\nstatuswatch: nothing was added; fix the errors above first"
            ));
            return Ok(Edited::Refused);
        }
    };
    replace(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Edited::Written(providers))
}

/// `providers.yaml: 3 providers`, with a line feed.
pub(super) fn done(path: &Path, providers: usize) -> String {
    let plural = if providers == 1 { "" } else { "s" };
    format!("{}: {providers} provider{plural}\n", output::shown(path))
}

/// Returns the entry for a catalog slug or for the page at a URL.
fn entry(
    what: &str,
    taken: &dyn Fn(&str) -> bool,
) -> anyhow::Result<Result<String, (Exit, String)>> {
    if catalog::find(what).is_some() {
        return Ok(Ok(what.to_owned()));
    }
    let host = what.split('/').next().unwrap_or_default();
    let address = what.contains("://") || (host.contains('.') && !host.starts_with('.'));
    if !address {
        return Ok(Err((Exit::Usage, probe::unknown(what))));
    }
    let url = match probe::parse(what) {
        Ok(url) => url,
        Err(why) => return Ok(Err((Exit::Usage, why))),
    };
    match super::examine::one(&url)? {
        Ok(found) => probe::entry(&url, &found, taken).map(Ok),
        Err(error) => Ok(Err((Exit::Failed, probe::in_short(&url, &error)))),
    }
}

fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    config::parse(path, text, &|name| std::env::var(name).ok())
}

/// Replaces `path` atomically. Keeps the mode of the old file and follows symbolic links.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = target.with_file_name(name);
    let written = write(&target, &new, text);
    if written.is_err() {
        let _not_there = fs::remove_file(&new);
    }
    written
}

fn write(target: &Path, new: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(new)?;
    file.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(target) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()?;
    fs::rename(new, target)
}
