//! The names of variables in `.env` files. Their values are not looked at.

use super::finding::{Finding, Kind, Place};
use super::table::{Rule, VARIABLES, find};

/// The maximum length of a name.
const MAX_NAME: usize = 100;

pub(super) fn takes(place: &Place<'_>) -> bool {
    place.name.starts_with(".env.")
        || place.extension() == "env"
        || place.name == ".envrc"
        || place.name == ".dev.vars"
}

pub(super) fn scan(_: &Place<'_>, text: &str, found: &mut dyn FnMut(Finding)) {
    for (index, line) in text.lines().enumerate() {
        // `# OPENAI_API_KEY=` in an example names what can be set.
        let line = line.trim().trim_start_matches('#').trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if let Some(rule) = line.split_once('=').and_then(|(name, _)| rule(name.trim_end())) {
            found(Finding::new(rule, Kind::Variable, index + 1));
        }
    }
}

/// The rule for the name of a variable.
pub(super) fn rule(name: &str) -> Option<&'static Rule> {
    let is_name = !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then(|| find(VARIABLES, &name.to_lowercase())).flatten()
}
