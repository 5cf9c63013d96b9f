//! The lock file next to the event log: refuses a second writer, in this process or any other.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::SinkError;

/// A held lock; released on drop.
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone releases the lock only once no copy of the descriptor is left, and a
        // process that another thread is just spawning briefly has one.
        self.file.unlock().ok();
    }
}

impl Lock {
    /// Locks the file at `path` without waiting.
    pub(super) fn take(path: &Path) -> Result<Self, SinkError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let failed = |source| SinkError::Io { action: "lock", path: path.clone(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .custom_flags(super::log_file::NONBLOCK)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SinkError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_permissions(Permissions::from_mode(0o640)).map_err(failed)?;
        Ok(Self { path, file })
    }

    /// Returns whether the lock file is still in place: moving the directory moves the lock file
    /// too.
    pub(super) fn is_in_place(&self) -> bool {
        match (self.file.metadata(), std::fs::symlink_metadata(&self.path)) {
            (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let lock = Lock::take(&path).unwrap();
        // As in a child between fork and exec.
        let copy = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::take(&path), Err(SinkError::Locked { .. })));
        drop(lock);
        Lock::take(&path).unwrap();
        drop(copy);
    }
}
