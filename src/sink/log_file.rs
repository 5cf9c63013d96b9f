//! The file being written: opened for appending, checked against its name, extended and synced. It
//! knows where it ends, so that anything beyond is seen to be another's.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::SinkError;
use super::tail::{TAIL, tail_hash};

/// Never wait for the other end of a pipe that stands where the file should.
pub(super) const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// An open event log file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    tail: Vec<u8>,
}

/// How the file compares with what was known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Its name leads to it and it ends where it was left.
    Unchanged,
    /// Something was added or cut from outside.
    Resized,
    /// Its name is gone or leads to another file.
    Replaced,
}

impl LogFile {
    /// Opens or makes the file at `path`, and its directory. Says whether the file was made.
    pub(super) fn open(path: &Path) -> Result<(Self, bool), SinkError> {
        let failed = |action, source| SinkError::Io { action, path: path.to_owned(), source };
        // A pipe or a device may act on being opened: look first.
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

    /// Where it ends, as far as this process knows.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Hash of its end.
    pub(super) fn tail_hash(&self) -> String {
        tail_hash(&self.tail)
    }

    /// The bytes themselves, for reading at an offset.
    pub(super) const fn bytes(&self) -> &File {
        &self.file
    }

    /// When it was last changed, in seconds since 1970; null for an empty file.
    pub(super) fn changed_at(&self) -> Option<i64> {
        if self.size == 0 {
            None
        } else {
            self.file.metadata().ok().map(|metadata| metadata.mtime())
        }
    }

    /// Takes the present end of the file as the end that is known.
    pub(super) fn settle(&mut self) -> Result<(), SinkError> {
        let size = self.file.metadata().map_err(|error| self.failed("read", error))?.len();
        self.tail = read_tail(&self.file, size).map_err(|error| self.failed("read", error))?;
        self.size = size;
        Ok(())
    }

    /// Appends all of `bytes`. After an error nothing is known of the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        (&self.file).write_all(bytes).map_err(|error| self.failed("write to", error))?;
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.tail
            .extend_from_slice(bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default());
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        Ok(())
    }

    /// Makes the file end in a line feed, so that a torn line of another's does not run into ours.
    pub(super) fn end_line(&mut self) -> Result<(), SinkError> {
        if self.tail.last().is_some_and(|last| *last != b'\n') {
            self.append(b"\n")
        } else {
            Ok(())
        }
    }

    /// Cuts everything beyond `size`.
    pub(super) fn cut(&mut self, size: u64) -> Result<(), SinkError> {
        self.file.set_len(size).map_err(|error| self.failed("cut", error))?;
        self.settle()
    }

    /// Makes what was written durable. After an error the descriptor is not to be trusted any more.
    pub(super) fn sync(&self) -> Result<(), SinkError> {
        self.file.sync_data().map_err(|error| self.failed("sync", error))
    }

    /// Writes the bytes between `from` and `to` once more, at their place. A failed sync leaves
    /// pages that count as written and are not; a follower sees no difference.
    pub(super) fn rewrite(&self, from: u64, to: u64) -> Result<(), SinkError> {
        // A descriptor for appending would write at the end.
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

    /// Compares the open file with the one its name leads to.
    pub(super) fn place(&self) -> Result<Place, SinkError> {
        let held = self.file.metadata().map_err(|error| self.failed("look at", error))?;
        match fs::metadata(&self.path) {
            Ok(named)
                if (named.dev(), named.ino()) == (held.dev(), held.ino()) && held.nlink() > 0 =>
            {
                Ok(if held.len() == self.size { Place::Unchanged } else { Place::Resized })
            }
            Ok(_) => Ok(Place::Replaced),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::Replaced),
            Err(error) => Err(self.failed("look at", error)),
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> SinkError {
        SinkError::Io { action, path: self.path.clone(), source }
    }
}

/// Makes the directory of the event log, with its mode whatever the umask. One that is there keeps
/// its mode.
pub(super) fn make_dir(dir: &Path) -> Result<(), SinkError> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let failed =
        |source| SinkError::Io { action: "make the directory", path: dir.to_owned(), source };
    if let Some(parent) = dir.parent() {
        make_dir(parent)?;
    }
    match DirBuilder::new().mode(0o750).create(dir) {
        Ok(()) => fs::set_permissions(dir, Permissions::from_mode(0o750)).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Whether the bytes before `offset` are those the hash was made of.
pub(super) fn ends_as_known(file: &File, offset: u64, hash: &str) -> io::Result<bool> {
    Ok(file.metadata()?.len() >= offset && tail_hash(&read_tail(file, offset)?) == hash)
}

/// Up to [`TAIL`] bytes before `offset`.
pub(super) fn read_tail(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(offset).map_or(TAIL, |offset| offset.min(TAIL));
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset - length as u64)?;
    Ok(bytes)
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}
