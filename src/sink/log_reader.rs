//! Reads the event log across its rotated files, oldest first, and continues with lines written
//! meanwhile.
//!
//! [`LogReader::next`] returns each line once, even if the file is rotated during reading. `None`
//! means that there is nothing more for now; call it again later to follow the log. Memory is
//! bounded by the longest line.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::SinkError;
use super::log_file::NONBLOCK;
use super::rotate::{LogFileFormat, list};
use crate::event::StatusEvent;

/// Longer lines are skipped.
const LONGEST: usize = 16 << 20;
/// How many bytes are read at a time.
const CHUNK: usize = 1 << 16;

/// A line of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The text of the line, without the line feed.
    pub line: String,
    /// The parsed event; `None` if the line is not an event of ours.
    pub event: Option<StatusEvent>,
}

/// Reads the event log of a directory.
pub struct LogReader {
    dir: PathBuf,
    format: LogFileFormat,
    current: Option<Open>,
    /// The newest rotated file that was read completely.
    passed: u64,
    ready: VecDeque<LogLine>,
}

/// The file being read.
struct Open {
    file: File,
    path: PathBuf,
    /// `None` for the file being written.
    generation: Option<u64>,
    /// The offset of the next read.
    at: u64,
    /// A line that is still incomplete.
    partial: Vec<u8>,
    /// Whether the partial line is too long and is being skipped.
    skipping: bool,
    /// The end of the last line that was an event.
    last_event: u64,
}

impl LogReader {
    /// Creates a reader of the JSON Lines in `dir`, from the first line on. A missing directory
    /// counts as empty.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::with_format(dir, LogFileFormat::Json)
    }

    /// Creates a reader of the files of `format`; lines of text blocks carry no event.
    #[must_use]
    pub fn with_format(dir: impl Into<PathBuf>, format: LogFileFormat) -> Self {
        Self { dir: dir.into(), format, current: None, passed: 0, ready: VecDeque::new() }
    }

    /// Returns the next line; `None` if there are no more for now.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read; the next call retries.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator that ends is fused by its users; this one goes on"
    )]
    pub fn next(&mut self) -> Result<Option<LogLine>, SinkError> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            let Some(current) = &mut self.current else {
                self.current = self.open_next()?;
                if self.current.is_none() {
                    return Ok(None);
                }
                continue;
            };
            // Checked before reading: once the file has been replaced, it grows no more.
            let closed = current.generation.is_some() || current.is_replaced();
            if current
                .read_more(&mut self.ready)
                .map_err(|source| io_error(&current.path, source))?
            {
                continue;
            }
            if !closed {
                return Ok(None);
            }
            self.leave_current()?;
        }
    }

    /// Closes the current file, which was read completely, and moves on to the next one.
    fn leave_current(&mut self) -> Result<(), SinkError> {
        let Some(mut current) = self.current.take() else {
            return Ok(());
        };
        if !current.partial.is_empty() && !current.skipping {
            self.ready.push_back(parse(&std::mem::take(&mut current.partial)));
        }
        let held = current.file.metadata().map_err(|source| io_error(&current.path, source))?;
        let rotated = list(&self.dir, self.format).map_err(|source| io_error(&self.dir, source))?;
        let generation = current.generation.or_else(|| {
            let same = |path: &Path| {
                fs::metadata(path).is_ok_and(|m| (m.dev(), m.ino()) == (held.dev(), held.ino()))
            };
            rotated
                .iter()
                .find(|file| file.generation > self.passed && same(&file.path))
                .map(|file| file.generation)
        });
        self.passed = generation.unwrap_or(self.passed).max(self.passed);
        Ok(())
    }

    /// Opens the oldest file not yet read; the one being written comes last.
    fn open_next(&mut self) -> Result<Option<Open>, SinkError> {
        loop {
            let rotated =
                list(&self.dir, self.format).map_err(|source| io_error(&self.dir, source))?;
            if let Some(next) = rotated.into_iter().find(|file| file.generation > self.passed) {
                match open(&next.path) {
                    Ok(file) => return Ok(Some(Open::new(file, next.path, Some(next.generation)))),
                    // Deleted meanwhile: it was the oldest.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.passed = next.generation;
                        continue;
                    }
                    Err(source) => return Err(io_error(&next.path, source)),
                }
            }
            let path = self.dir.join(self.format.file_name());
            let file = match open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(io_error(&path, source)),
            };
            // A rotation between listing and opening would hide a file.
            let rotated =
                list(&self.dir, self.format).map_err(|source| io_error(&self.dir, source))?;
            if rotated.last().is_none_or(|newest| newest.generation <= self.passed) {
                return Ok(Some(Open::new(file, path, None)));
            }
        }
    }
}

impl Open {
    const fn new(file: File, path: PathBuf, generation: Option<u64>) -> Self {
        Self { file, path, generation, at: 0, partial: Vec::new(), skipping: false, last_event: 0 }
    }

    /// Returns whether the name refers to another file by now.
    fn is_replaced(&self) -> bool {
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(held), Ok(named)) => (held.dev(), held.ino()) != (named.dev(), named.ino()),
            _ => true,
        }
    }

    /// Reads a chunk and adds its complete lines; returns false at the end of the file.
    fn read_more(&mut self, ready: &mut VecDeque<LogLine>) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        if size < self.at {
            // The file was truncated: go back to what remains, or to the start if everything is
            // new.
            let line_start = self.at - self.partial.len() as u64;
            self.at = if size >= line_start && !self.skipping {
                line_start
            } else if size >= self.last_event {
                self.last_event
            } else {
                self.last_event = 0;
                0
            };
            self.partial.clear();
            self.skipping = false;
        }
        let mut chunk = vec![0; CHUNK];
        self.file.seek(SeekFrom::Start(self.at))?;
        let read = self.file.read(&mut chunk)?;
        chunk.truncate(read);
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.at += piece.len() as u64;
            if !self.skipping {
                self.partial.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                if !self.skipping {
                    self.partial.pop();
                    let line = parse(&self.partial);
                    if line.event.is_some() {
                        self.last_event = self.at;
                    }
                    ready.push_back(line);
                }
                self.partial.clear();
                self.skipping = false;
            } else if self.partial.len() > LONGEST {
                self.partial = Vec::new();
                self.skipping = true;
            }
        }
        Ok(read > 0)
    }
}

/// Opens a regular file, and nothing else, without blocking.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(NONBLOCK).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

fn io_error(path: &Path, source: io::Error) -> SinkError {
    SinkError::Io { action: "read", path: path.to_owned(), source }
}

/// Parses a line.
pub(super) fn parse(bytes: &[u8]) -> LogLine {
    let line = String::from_utf8_lossy(bytes).into_owned();
    let event = if line.starts_with('{') {
        serde_json::from_str(&line).ok().or_else(|| parse_leniently(&line))
    } else {
        None
    };
    LogLine { line, event }
}

/// Parses lines of other versions: a missing key means null, and lists and flags are optional.
fn parse_leniently(line: &str) -> Option<StatusEvent> {
    let mut object: Map<String, Value> = serde_json::from_str(line).ok()?;
    for key in ["started_at", "scheduled_for", "scheduled_until"] {
        object.entry(key).or_insert(Value::Null);
    }
    object.entry("components").or_insert_with(|| Value::Array(Vec::new()));
    object.entry("backfill").or_insert(Value::Bool(false));
    object.entry("revision").or_insert_with(|| Value::from(1));
    object.entry("impact").or_insert_with(|| Value::from("unknown"));
    if let Some(observed) = object.get("published_at").cloned() {
        object.entry("observed_at").or_insert(observed);
    }
    serde_json::from_value(Value::Object(object)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_and_other_lines_are_read_as_far_as_they_go() {
        let event = parse(br#"{"seq":4,"id":"a","kind":"incident","provider":"p","provider_name":"P","source":"feed","title":"T","status":"update","published_at":"2026-02-23T10:20:49Z","new_key":1}"#);
        assert_eq!(
            event.event.map(|event| (event.seq, event.revision, event.backfill)),
            Some((4, 1, false))
        );
        assert_eq!(parse(b"a note").event, None);
        assert_eq!(parse(b"{\"seq\":").event, None);
    }

    #[test]
    fn a_follower_goes_on_after_a_rotation_and_waits_for_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let active = dir.path().join("events.jsonl");
        let mut reader = LogReader::new(dir.path());
        assert_eq!(reader.next().unwrap(), None);
        fs::write(&active, "one\ntw").unwrap();
        let mut lines = || {
            std::iter::from_fn(|| reader.next().unwrap()).map(|line| line.line).collect::<Vec<_>>()
        };
        assert_eq!(lines(), ["one"]);
        fs::write(&active, "one\ntwo\nthree\n").unwrap();
        fs::rename(&active, dir.path().join("events.20260223T102049Z.000001.jsonl")).unwrap();
        fs::write(dir.path().join("events.20260223T102050Z.000002.jsonl"), "four\n").unwrap();
        fs::write(&active, "five\n").unwrap();
        assert_eq!(lines(), ["two", "three", "four", "five"]);
        assert!(lines().is_empty());
    }
}
