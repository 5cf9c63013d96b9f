//! What commands need first: the configuration, or where the state directory is without one.

use std::path::PathBuf;

use super::args::Common;
use super::exit::Exit;
use super::output;
use crate::config::{self, ConfigError, Loaded};

/// Where `--config` points unless it is said otherwise.
pub const DEFAULT_CONFIG: &str = "providers.yaml";
/// Where the ledger is without `--state` and without a configuration.
const DEFAULT_STATE: &str = "state";

/// Reads the configuration, with the variables of the environment.
///
/// # Errors
/// As [`config::load`].
pub fn read(common: &Common) -> Result<Loaded, ConfigError> {
    config::load(&common.config, &|name| std::env::var(name).ok())
}

/// Reads the configuration; tells its mistakes and warnings on standard error.
///
/// # Errors
/// [`Exit::Usage`]: it has been said why.
pub fn load(common: &Common) -> Result<Loaded, Exit> {
    let loaded = read(common).map_err(|error| refuse(&error))?;
    for warning in &loaded.warnings {
        output::note(&format!("{warning}\n"));
    }
    Ok(loaded)
}

/// The state directory: `--state`, else the configuration's, else `./state` where there is no
/// configuration at all.
///
/// # Errors
/// [`Exit::Usage`]: the configuration that would say it is not valid, which has been said.
pub fn state_dir(common: &Common) -> Result<PathBuf, Exit> {
    if let Some(dir) = &common.state {
        return Ok(dir.clone());
    }
    match read(common) {
        Ok(loaded) => Ok(loaded.config.state_dir),
        Err(_) if is_absent(common) => Ok(DEFAULT_STATE.into()),
        Err(error) => {
            let exit = refuse(&error);
            output::note(
                "statuswatch: without a valid configuration the state directory must be named: --state DIR",
            );
            Err(exit)
        }
    }
}

/// Whether nobody has named a configuration and there is none in its usual place.
#[must_use]
pub fn is_absent(common: &Common) -> bool {
    common.config.as_os_str() == DEFAULT_CONFIG && !common.config.exists()
}

fn refuse(error: &ConfigError) -> Exit {
    output::note(&format!("{error}"));
    if let ConfigError::Unreadable { .. } = error {
        output::note("help: begin one with `statuswatch add SLUG`, or name it with --config FILE");
    }
    Exit::Usage
}
