//! Recovers events that the event log contains but the ledger does not, because the state directory
//! was restored from a backup or recreated while the log was kept. The ledger imports them before
//! anything is polled, so that no event is written again under another number.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::log_file::read_tail;
use super::log_reader::parse;
use super::rotate::{LogFileFormat, list};
use super::tail::{Memory, TAIL, tail_hash};
use super::{LogLine, LogReader, SinkError};
use crate::event::StatusEvent;
use crate::ledger::{LogError, LongerLog};

/// How many bytes at the end of a file are searched for its last event.
const END: u64 = 4 << 20;

/// The locked JSON event log, which contains events that the ledger does not know.
pub struct LogRecovery {
    reader: LogReader,
    dir: PathBuf,
    _lock: Lock,
}

impl LogRecovery {
    /// Opens the log in `dir`; `None` unless its last event has a number above `seq`.
    ///
    /// # Errors
    ///
    /// Returns an error if the log cannot be read or is locked by another process.
    pub fn open(dir: &Path, seq: u64) -> Result<Option<Self>, SinkError> {
        if last_event(dir)?.is_none_or(|last| last <= seq) {
            return Ok(None);
        }
        let lock = Lock::take(&dir.join(LogFileFormat::Json.file_name()))?;
        Ok(Some(Self { reader: LogReader::new(dir), dir: dir.to_owned(), _lock: lock }))
    }

    /// Returns the memory with which the event log's sink continues after the last complete line.
    fn read_memory(&self) -> Result<Option<String>, SinkError> {
        let path = self.dir.join(LogFileFormat::Json.file_name());
        let failed = |source| SinkError::Io { action: "read", path: path.clone(), source };
        let rotated = list(&self.dir, LogFileFormat::Json).map_err(failed)?;
        let generation = rotated.last().map_or(1, |newest| newest.generation + 1);
        let (offset, tail, first_write) = match open(&path).map_err(failed)? {
            Some(file) => {
                let size = file.metadata().map_err(failed)?.len();
                let (start, end) = read_end(&file, size).map_err(failed)?;
                let offset =
                    memchr::memrchr(b'\n', &end).map_or(start, |feed| start + feed as u64 + 1);
                let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
                let seconds = modified
                    .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
                    .map(|since| since.as_secs());
                let first_write =
                    seconds.and_then(|seconds| i64::try_from(seconds).ok()).filter(|_| offset > 0);
                (offset, tail_hash(&read_tail(&file, offset).map_err(failed)?), first_write)
            }
            None => (0, tail_hash(&[]), None),
        };
        Ok(Memory { offset, tail, generation, first_write }.to_json())
    }
}

impl LongerLog for LogRecovery {
    fn next_line(&mut self) -> Result<Option<(String, Option<StatusEvent>)>, LogError> {
        Ok(self.reader.next()?.map(|LogLine { line, event }| (line, event)))
    }

    fn memory(&self) -> Result<Option<String>, LogError> {
        Ok(self.read_memory()?)
    }
}

/// Returns the number of the last event in the newest file that contains one.
fn last_event(dir: &Path) -> Result<Option<u64>, SinkError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SinkError::Io { action: "read", path, source }
    };
    let rotated = list(dir, LogFileFormat::Json).map_err(failed(dir))?;
    let active = dir.join(LogFileFormat::Json.file_name());
    for path in std::iter::once(active).chain(rotated.into_iter().rev().map(|file| file.path)) {
        let Some(file) = open(&path).map_err(failed(&path))? else {
            continue;
        };
        let size = file.metadata().map_err(failed(&path))?.len();
        let (_, end) = read_end(&file, size).map_err(failed(&path))?;
        // After the last line feed there is nothing or a torn line.
        let whole = end.get(..memchr::memrchr(b'\n', &end).unwrap_or(0)).unwrap_or_default();
        if let Some(event) = whole.rsplit(|byte| *byte == b'\n').find_map(|line| parse(line).event)
        {
            return Ok(Some(event.seq));
        }
    }
    Ok(None)
}

/// Opens a regular file, if there is one: the sink reports other kinds.
fn open(path: &Path) -> io::Result<Option<File>> {
    match super::log_reader::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns the last bytes of a file, and their offset.
fn read_end(file: &File, size: u64) -> io::Result<(u64, Vec<u8>)> {
    let start = size.saturating_sub(END.max(TAIL as u64));
    let mut bytes = vec![0; usize::try_from(size - start).unwrap_or(0)];
    file.read_exact_at(&mut bytes, start)?;
    Ok((start, bytes))
}
