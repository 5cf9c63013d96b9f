//! Ensures one `run` per state directory with a locked file that contains the process id.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Held as long as `run` uses the state directory. The kernel releases it when the process ends for
/// any reason.
#[derive(Debug)]
pub struct StateLock {
    file: File,
}

/// Why the state directory could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another `run` holds the lock.
    #[error("the state directory {} is in use by another statuswatch run (process {pid})", .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The id of the other process.
        pid: String,
    },
    /// The directory cannot be created, entered or written.
    #[error("cannot write to the state directory {}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl StateLock {
    /// Creates the directory if needed and locks it for this process.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { dir: dir.to_owned(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        // Another process may be checking the lock (see `is_held`), which takes only a moment.
        for _ in 0..5 {
            if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(io)?;
                let pid =
                    pid.trim().chars().filter(char::is_ascii_digit).take(10).collect::<String>();
                let pid = if pid.is_empty() { "unknown".to_owned() } else { pid };
                return Err(LockError::InUse { dir: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // A full disk must not prevent us from running with the lock held: the process id in it is
        // informational.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = written {
            tracing::warn!(%error, "cannot write the process id into the lock file");
        }
        Ok(Self { file })
    }

    /// Returns whether a `run` holds the directory's lock.
    #[must_use]
    pub fn is_held(dir: &Path) -> bool {
        File::open(dir.join("lock")).is_ok_and(|file| {
            let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
            file.unlock().ok();
            held
        })
    }
}

impl Drop for StateLock {
    fn drop(&mut self) {
        // Closing releases the lock only once no copy of the descriptor is left, and a process
        // being started by another thread has one for a moment.
        self.file.unlock().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_names_the_process_id() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("deep/state");
        let lock = StateLock::acquire(&state).unwrap();
        assert!(StateLock::is_held(&state));
        let error = StateLock::acquire(&state).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        // What a child process has between fork and exec.
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(!StateLock::is_held(&state));
        StateLock::acquire(&state).unwrap();
        drop(copy);
    }
}
