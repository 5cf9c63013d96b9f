//! What the file most likely says, for callers that can begin with it before the file is checked.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::check::MAX_FILE;
use super::keys::STATE_DIR;

/// Returns the state directory that the configuration at `path` most likely names; `None` where
/// that takes more than a glance. Only [`super::load`] knows.
#[must_use]
pub fn likely_state_dir(path: &Path) -> Option<PathBuf> {
    // What was read of a pipe is gone.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = BufReader::new(File::open(path).ok()?.take(MAX_FILE));
    for line in file.lines() {
        if let Some(value) = line.ok()?.strip_prefix("state_dir:") {
            return plain(value).map(PathBuf::from);
        }
    }
    Some(STATE_DIR.into())
}

/// Returns a value that stands there as it is meant.
fn plain(value: &str) -> Option<&str> {
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim();
    let quoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)));
    let value = quoted.unwrap_or(value);
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ' ' | '+');
    Some(value).filter(|value| !value.is_empty() && value.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_at_a_glance_is_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("providers.yaml");
        let providers = "providers:\n  - {id: a, url: 'https://a.example/', name: state_dir}\n";
        for (line, is_clear) in [
            ("", true),
            ("state_dir: /var/lib/status watch\n", true),
            ("state_dir: 'it''s'\n", false),
            ("state_dir: \"state-2\"   # not state\n", true),
            ("state_dir: ${DIR}/state\n", false),
            ("state_dir: >-\n  state\n", false),
            ("state_dir:\n  state\n", false),
        ] {
            for text in [format!("{line}{providers}"), format!("{providers}{line}")] {
                std::fs::write(&path, &text).unwrap();
                let read = super::super::load(&path, &|_| Some("home".to_owned())).unwrap();
                let expected = is_clear.then_some(read.config.state_dir);
                assert_eq!(likely_state_dir(&path), expected, "{text}");
            }
        }
        assert_eq!(likely_state_dir(dir.path()), None);
        assert_eq!(likely_state_dir(Path::new("/dev/null")), None);
    }
}
