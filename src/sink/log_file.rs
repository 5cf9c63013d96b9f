//! The file being written: opened for appending, compared with its name, extended and synced. It
//! knows its own end, so anything beyond that is recognized as another writer's.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::SinkError;
use super::tail::{TAIL, tail_hash};

/// Never blocks on the other end of a pipe that has taken the file's place.
pub(super) const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// An open event log file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    tail: Vec<u8>,
}

/// How the file compares with its last known state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileState {
    /// The name still refers to it and its size is unchanged.
    Unchanged,
    /// Data was added or removed by another process.
    Resized,
    /// The name is missing or refers to another file.
    Replaced,
}

impl LogFile {
    /// Opens or creates the file at `path`, and its directory. Also returns whether the file was
    /// created.
    pub(super) fn open(path: &Path) -> Result<(Self, bool), SinkError> {
        let failed = |action, source| SinkError::Io { action, path: path.to_owned(), source };
        // Opening a pipe or a device may have side effects: check first.
        let made = match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return Err(failed("open", not_a_file())),
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed("open", error)),
        };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(NONBLOCK)
            .open(path)
            .map_err(|error| failed("open", error))?;
        let metadata = file.metadata().map_err(|error| failed("open", error))?;
        if !metadata.is_file() {
            return Err(failed("open", not_a_file()));
        }
        if made {
            file.set_permissions(Permissions::from_mode(0o640))
                .map_err(|error| failed("set the permissions of", error))?;
        }
        let mut log = Self { path: path.to_owned(), file, size: 0, tail: Vec::new() };
        log.settle()?;
        Ok((log, made))
    }

    /// Returns the file's size as far as this process knows.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the hash of the file's end.
    pub(super) fn tail_hash(&self) -> String {
        tail_hash(&self.tail)
    }

    /// Returns the file itself, for reading at an offset.
    pub(super) const fn bytes(&self) -> &File {
        &self.file
    }

    /// Returns the last modification time in seconds since 1970; `None` for an empty file.
    pub(super) fn changed_at(&self) -> Option<i64> {
        if self.size == 0 {
            None
        } else {
            self.file.metadata().ok().map(|metadata| metadata.mtime())
        }
    }

    /// Accepts the current size of the file as the known one.
    pub(super) fn settle(&mut self) -> Result<(), SinkError> {
        let size = self.file.metadata().map_err(|error| self.failed("read", error))?.len();
        self.tail = read_tail(&self.file, size).map_err(|error| self.failed("read", error))?;
        self.size = size;
        Ok(())
    }

    /// Appends all of `bytes`. After an error the end of the file is unknown.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        (&self.file).write_all(bytes).map_err(|error| self.failed("write to", error))?;
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.tail
            .extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default());
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        Ok(())
    }

    /// Makes the file end in a line feed, so that another writer's torn line does not merge with
    /// ours.
    pub(super) fn end_line(&mut self) -> Result<(), SinkError> {
        if self.tail.last().is_some_and(|last| *last != b'\n') {
            self.append(b"\n")
        } else {
            Ok(())
        }
    }

    /// Truncates the file to `size`.
    pub(super) fn cut(&mut self, size: u64) -> Result<(), SinkError> {
        self.file.set_len(size).map_err(|error| self.failed("cut", error))?;
        self.settle()
    }

    /// Makes what was written durable. After an error the descriptor is no longer reliable.
    pub(super) fn sync(&self) -> Result<(), SinkError> {
        self.file.sync_data().map_err(|error| self.failed("sync", error))
    }

    /// Rewrites the bytes between `from` and `to` in place. A failed sync can leave pages marked as
    /// clean that never reached the disk; a process following the file sees no difference.
    pub(super) fn rewrite(&self, from: u64, to: u64) -> Result<(), SinkError> {
        // A descriptor opened for appending would write at the end.
        let writer = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .map_err(|error| self.failed("open", error))?;
        let mut buffer = vec![0; 1 << 16];
        let mut at = from;
        while at < to {
            let want = usize::try_from(to - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            let part = buffer.get_mut(..want).unwrap_or_default();
            let done = self
                .file
                .read_exact_at(part, at)
                .and_then(|()| writer.write_all_at(part, at))
                .map_err(|error| self.failed("write to", error));
            done?;
            at += want as u64;
        }
        writer.sync_data().map_err(|error| self.failed("sync", error))
    }

    /// Compares the open file with the one that its name refers to.
    pub(super) fn state(&self) -> Result<FileState, SinkError> {
        let held = self.file.metadata().map_err(|error| self.failed("inspect", error))?;
        match fs::metadata(&self.path) {
            Ok(named)
                if (named.dev(), named.ino()) == (held.dev(), held.ino()) && held.nlink() > 0 =>
            {
                Ok(if held.len() == self.size { FileState::Unchanged } else { FileState::Resized })
            }
            Ok(_) => Ok(FileState::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(FileState::Replaced),
            Err(error) => Err(self.failed("inspect", error)),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> SinkError {
        SinkError::Io { action, path: self.path.clone(), source }
    }
}

/// Creates the directory of the event log, with its mode regardless of the umask. An existing
/// directory keeps its mode.
pub(super) fn make_dir(dir: &Path) -> Result<(), SinkError> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let failed =
        |source| SinkError::Io { action: "create the directory", path: dir.to_owned(), source };
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match DirBuilder::new().mode(0o750).create(dir) {
        Ok(()) => fs::set_permissions(dir, Permissions::from_mode(0o750)).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Returns whether the bytes before `offset` match the hash.
pub(super) fn ends_as_known(file: &File, offset: u64, hash: &str) -> io::Result<bool> {
    Ok(file.metadata()?.len() >= offset && tail_hash(&read_tail(file, offset)?) == hash)
}

/// Reads up to [`TAIL`] bytes before `offset`.
pub(super) fn read_tail(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(offset).map_or(TAIL, |offset| offset.min(TAIL));
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset - length as u64)?;
    Ok(bytes)
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}
