//! Loads what commands need first: the configuration, or the state directory if there is none.

use std::path::PathBuf;

use super::args::{Common, DEFAULT_CONFIG};
use super::exit::Exit;
use super::output;
use crate::config::{self, Config, ConfigError, Loaded};
use crate::postgres::{DatabaseUrl, UrlError};

/// The state directory without `--state` and without a configuration.
const DEFAULT_STATE: &str = "state";

/// Reads the configuration and substitutes environment variables.
///
/// # Errors
/// As [`config::load`].
pub fn read(common: &Common) -> Result<Loaded, ConfigError> {
    config::load(&common.config, &|name| std::env::var(name).ok())
}

/// Reads the configuration and reports errors and warnings on standard error.
///
/// # Errors
/// [`Exit::Usage`] once the errors have been reported.
pub fn load(common: &Common) -> Result<Loaded, Exit> {
    let loaded = read(common).map_err(|error| refuse(&error))?;
    for warning in &loaded.warnings {
        output::note(&format!("{warning}\n"));
    }
    Ok(loaded)
}

/// Returns the state directory: `--state`, else the one configured, else `./state` if there is no
/// configuration.
///
/// # Errors
/// [`Exit::Usage`] if the configuration is invalid, once the errors have been reported.
pub fn state_dir(common: &Common) -> Result<PathBuf, Exit> {
    if let Some(dir) = directory(common) {
        return Ok(dir);
    }
    match read(common) {
        Ok(loaded) => Ok(loaded.config.state_dir),
        Err(_) if is_absent(common) => Ok(DEFAULT_STATE.into()),
        Err(error) => {
            let exit = refuse(&error);
            output::note(
                "statuswatch: the configuration is invalid; use --state DIR to name the state directory",
            );
            Err(exit)
        }
    }
}

/// Returns the state directory that [`state_dir`] will most likely return, in much less time;
/// `None` if that cannot be said.
#[must_use]
pub fn likely_state_dir(common: &Common) -> Option<PathBuf> {
    // What the command line names needs no guess.
    if common.state.is_some() { None } else { config::likely_state_dir(&common.config) }
}

/// Returns the ledger that a command changes: the state directory, and the database of which it is the
/// replica if several nodes share the ledger.
///
/// # Errors
/// As [`state_dir`].
pub fn ledger(common: &Common) -> Result<(PathBuf, Option<DatabaseUrl>), Exit> {
    let named = database(common).map_err(|error| {
        output::note(&format!("statuswatch: --state: {error}"));
        Exit::Usage
    })?;
    let dir = state_dir(common)?;
    // With `--state DIR` a command works without a configuration.
    let database = named.or_else(|| read(common).ok()?.config.state);
    Ok((dir, database))
}

/// Returns the state directory: `--state`, else the one of `config`.
#[must_use]
pub fn dir(common: &Common, config: &Config) -> PathBuf {
    directory(common).unwrap_or_else(|| config.state_dir.clone())
}

/// Returns the directory that `--state` names, if it names one and no database.
#[must_use]
pub fn directory(common: &Common) -> Option<PathBuf> {
    common.state.clone().filter(|_| written_database(common).is_none())
}

/// Returns the database that `--state` names, if it names one.
///
/// # Errors
/// The address is invalid. The error quotes nothing of it.
pub fn database(common: &Common) -> Result<Option<DatabaseUrl>, UrlError> {
    written_database(common).map(str::parse).transpose()
}

fn written_database(common: &Common) -> Option<&str> {
    let state = common.state.as_deref()?.to_str()?;
    ["postgres://", "postgresql://"].iter().any(|scheme| state.starts_with(scheme)).then_some(state)
}

/// Returns whether no configuration was given and the default file does not exist.
#[must_use]
pub fn is_absent(common: &Common) -> bool {
    common.config.as_os_str() == DEFAULT_CONFIG && !common.config.exists()
}

fn refuse(error: &ConfigError) -> Exit {
    output::note(&format!("{error}"));
    if let ConfigError::Unreadable { .. } = error {
        output::note("help: create one with `statuswatch add SLUG`, or use --config FILE");
    }
    Exit::Usage
}
