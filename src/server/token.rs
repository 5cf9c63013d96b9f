//! The token that requests carry, read again whenever its file changes.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;

/// The file is looked at this often at most.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A longer file is none of ours.
const MAX_TOKEN: u64 = 4096;
/// A shorter token can be guessed.
const MIN_TOKEN: usize = 16;

/// The token in a file. A file that cannot be read, or is too short, admits no client.
pub(crate) struct Token {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    looked: Option<Instant>,
    /// Device, inode, size and change time: what tells one content from the next.
    version: Option<(u64, u64, u64, i64, i64)>,
    token: Option<Vec<u8>>,
}

impl Token {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// Reads the token once, to find out at the start whether it is there.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn check(&self) -> Result<(), String> {
        read(&self.path).map(drop)
    }

    /// Returns whether `given` is the token. Takes the same time for every wrong one of its length.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            state.looked = Some(Instant::now());
            self.look(&mut state);
        }
        state.token.as_ref().is_some_and(|token| bool::from(token.as_slice().ct_eq(given)))
    }

    fn look(&self, state: &mut State) {
        let version = fs::metadata(&self.path).ok().map(|found| {
            (found.dev(), found.ino(), found.size(), found.ctime(), found.ctime_nsec())
        });
        if version.is_some() && version == state.version {
            return;
        }
        state.version = version;
        state.token = match read(&self.path) {
            Ok(token) => Some(token),
            Err(reason) => {
                if state.token.is_some() {
                    tracing::error!(reason, "the HTTP server refuses everybody: no token");
                }
                None
            }
        };
    }
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    let named = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let file = fs::File::open(path).map_err(|error| named(&error))?;
    let mut text = Vec::new();
    file.take(MAX_TOKEN).read_to_end(&mut text).map_err(|error| named(&error))?;
    let token = text.trim_ascii().to_vec();
    if token.len() < MIN_TOKEN || token.iter().any(|byte| !byte.is_ascii_graphic()) {
        return Err(named(&format!("a token has at least {MIN_TOKEN} printable characters")));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forget(token: &Token) {
        token.state.lock().unwrap().looked = None;
    }

    #[test]
    fn it_follows_its_file_and_lets_nobody_in_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let token = Token::new(path.clone());
        assert!(token.check().is_err());
        assert!(!token.is(b""));
        fs::write(&path, "first-0123456789\n").unwrap();
        forget(&token);
        assert!(token.is(b"first-0123456789"));
        assert!(!token.is(b"first-0123456788") && !token.is(b"first"));
        fs::write(dir.path().join("new"), "other-0123456789\n").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        forget(&token);
        assert!(!token.is(b"first-0123456789"));
        assert!(token.is(b"other-0123456789"));
        fs::write(&path, "short").unwrap();
        forget(&token);
        assert!(!token.is(b"short") && !token.is(b"other-0123456789"));
    }
}
