//! `add SLUG...`: the file is changed as a whole or not at all, and never into one that is not valid.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use super::args::{AddArgs, Common};
use super::exit::Exit;
use super::output;
use crate::catalog;
use crate::config::{self, ConfigError, Loaded};

/// How a file begins that was not there.
const BEGINNING: &str = "# What statuswatch watches. Everything that may stand here: `statuswatch schema`.\nproviders:\n";

/// Puts providers of the catalogue into the configuration.
///
/// # Errors
/// The file could not be read or written.
pub fn run(common: &Common, args: &AddArgs) -> anyhow::Result<Exit> {
    let path = common.config.as_path();
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => BEGINNING.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    // One with mistakes may lack nothing but a provider: what it becomes decides.
    let mut known: Vec<String> = parse(path, &before)
        .map(|loaded| loaded.config.providers.iter().map(|provider| provider.id.clone()).collect())
        .unwrap_or_default();
    let mut text = before.clone();
    for slug in &args.what {
        if known.iter().any(|id| id == slug) {
            output::note(&format!("statuswatch: {slug} is there already"));
            continue;
        }
        let entry = match entry(slug) {
            Ok(Ok(entry)) => entry,
            Ok(Err((exit, why))) => {
                output::note(&why);
                return Ok(exit);
            }
            Err(error) => return Err(error),
        };
        text = match config::add_provider(&text, &entry) {
            Ok(text) => text,
            Err(error) => {
                output::note(&format!("statuswatch: {}: {error}", path.display()));
                return Ok(Exit::Usage);
            }
        };
        known.push(slug.clone());
    }
    if text == before {
        return Ok(Exit::Done);
    }
    let providers = match parse(path, &text) {
        Ok(loaded) => loaded.config.providers.len(),
        Err(error) => {
            output::note(&format!("{error}\nstatuswatch: nothing was added; correct this first"));
            return Ok(Exit::Usage);
        }
    };
    replace(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    let plural = if providers == 1 { "" } else { "s" };
    output::print(&format!("{}: {providers} provider{plural}\n", super::table::one_line(&path.display().to_string())))?;
    Ok(Exit::Done)
}

/// The entry for a slug of the catalogue, or for what is behind an address.
fn entry(what: &str) -> anyhow::Result<Result<String, (Exit, String)>> {
    if catalog::find(what).is_some() {
        return Ok(Ok(what.to_owned()));
    }
    let host = what.split('/').next().unwrap_or_default();
    let address = what.contains("://") || (host.contains('.') && !host.starts_with('.'));
    if !address {
        return Ok(Err((Exit::Usage, unknown(what))));
    }
    let url = match super::probe::parse(what) {
        Ok(url) => url,
        Err(why) => return Ok(Err((Exit::Usage, format!("statuswatch: {why}")))),
    };
    match super::examine::one(&url)? {
        Ok(found) => super::probe::entry(&url, &found).map(Ok),
        Err(trouble) => {
            let why = super::table::one_line(trouble.reason.lines().next().unwrap_or_default());
            Ok(Err((Exit::Failed, format!("statuswatch: {}: {why}; nothing was added", crate::redact::redact(&url)))))
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    config::parse(path, text, &|name| std::env::var(name).ok())
}

fn unknown(slug: &str) -> String {
    let hint = catalog::nearest(slug)
        .map_or_else(|| "search with `statuswatch catalog QUERY`".to_owned(), |near| format!("is \"{near}\" meant?"));
    format!("statuswatch: \"{}\" is not in the catalogue; {hint}", super::table::one_line(slug))
}

/// Puts `text` in the place of `path` at once, with the mode of the old file; a link stays a link.
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
