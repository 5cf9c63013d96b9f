//! Reads a recording: returns its lines in order, grouped into polls, and skips unusable ones with
//! a warning.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::line::{Line, VERSION};
use super::segment::{self, INDEX};
use crate::event::Time;
use crate::text::one_line;

/// Longer lines are skipped.
const LONGEST: u64 = 1 << 20;

/// The entries of a recording, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// The program was started: nothing was polled before.
    Begin(Time),
    /// A provider's configuration from here on.
    Declared(serde_json::Value),
    /// A poll.
    Poll(Poll),
    /// Polls that brought nothing new; the last of them at `at`.
    Unchanged {
        /// The provider's id.
        provider: String,
        /// How many.
        polls: u64,
        /// When the last one was.
        at: Time,
    },
    /// The program stopped in order.
    End(Time),
}

/// A poll, with the responses that differ from the previous ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// The provider's id.
    pub provider: String,
    /// When its last response arrived.
    pub at: Time,
    /// The responses, in order.
    pub answers: Vec<Line>,
    /// The directory of their bodies.
    pub dir: Arc<Path>,
}

/// The id of a provider if a line does not name one.
pub const ANONYMOUS: &str = "page";

/// Why a recording cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The directory or an index cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The path.
        path: String,
        /// The cause.
        error: std::io::Error,
    },
    /// There is no index.
    #[error("{0} is not a recording: neither it nor its subdirectories contain an index.jsonl")]
    None(String),
    /// It was written by a newer program.
    #[error("{path} uses format version {found}; this program supports up to {VERSION}")]
    Newer {
        /// The index.
        path: String,
        /// Its version.
        found: u32,
    },
}

/// Reads a recording or one of its segments.
pub struct Reader {
    segments: std::vec::IntoIter<PathBuf>,
    current: Option<Index>,
    /// A line that begins the next poll.
    ahead: Option<Line>,
    warnings: Vec<String>,
}

struct Index {
    dir: Arc<Path>,
    file: BufReader<File>,
    line: usize,
}

impl Reader {
    /// Opens the recording in `dir`, which contains either an index or directories with one.
    ///
    /// # Errors
    ///
    /// Returns an error if there is nothing readable.
    pub fn open(dir: &Path) -> Result<Self, RecordingError> {
        let segments = if dir.join(INDEX).is_file() {
            vec![dir.to_owned()]
        } else {
            segment::all(dir).map_err(|source| unreadable(dir, source))?
        };
        if segments.is_empty() {
            return Err(RecordingError::None(dir.display().to_string()));
        }
        Ok(Self::of(segments))
    }

    pub(super) fn of(segments: Vec<PathBuf>) -> Self {
        Self { segments: segments.into_iter(), current: None, ahead: None, warnings: Vec::new() }
    }

    /// Returns the warnings since the last call, one line each.
    pub fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Returns the next entry.
    ///
    /// # Errors
    ///
    /// Returns an error if an index cannot be read or has a newer format. An unreadable line is a
    /// warning.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, RecordingError> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            let Some(dir) = self.current.as_ref().map(|index| Arc::clone(&index.dir)) else {
                return Ok(None);
            };
            if let Some(entry) = self.entry(line, dir)? {
                return Ok(Some(entry));
            }
        }
    }

    fn entry(&mut self, line: Line, dir: Arc<Path>) -> Result<Option<Entry>, RecordingError> {
        if let Some(found) = line.recording {
            if found > VERSION {
                let path = dir.join(INDEX).display().to_string();
                return Err(RecordingError::Newer { path, found });
            }
            return Ok(line.at.filter(|_| line.begin).map(Entry::Begin));
        }
        if let Some(entry) = line.entry {
            return Ok(Some(Entry::Declared(entry)));
        }
        let Some(at) = line.at else {
            self.warn("\"at\" is missing");
            return Ok(None);
        };
        if line.end {
            return Ok(Some(Entry::End(at)));
        }
        let provider = provider(&line);
        if let Some(polls) = line.unchanged {
            return Ok(Some(Entry::Unchanged { provider, polls, at }));
        }
        if !is_of_poll(&line) {
            self.warn("neither \"url\" nor \"again\" is given");
            return Ok(None);
        }
        let began = line.poll.unwrap_or(at);
        let mut poll = Poll { provider, at, answers: Vec::new(), dir };
        let mut next = Some(line);
        while let Some(line) = next.take() {
            poll.at = line.at.map_or(poll.at, |at| at.max(poll.at));
            if line.url.is_some() {
                poll.answers.push(line);
            }
            let Some(line) = self.next_of(&poll.dir)? else { break };
            if is_of_poll(&line)
                && provider_is(&line, &poll.provider)
                && line.poll.or(line.at) == Some(began)
            {
                next = Some(line);
            } else {
                self.ahead = Some(line);
            }
        }
        Ok(Some(Entry::Poll(poll)))
    }

    /// Returns the next line of the index in `dir` only: a poll does not continue in another one.
    fn next_of(&mut self, dir: &Arc<Path>) -> Result<Option<Line>, RecordingError> {
        match &self.current {
            Some(index) if Arc::ptr_eq(&index.dir, dir) => self.line_here(),
            _ => Ok(None),
        }
    }

    fn next_line(&mut self) -> Result<Option<Line>, RecordingError> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        loop {
            if self.current.is_some() {
                if let Some(line) = self.line_here()? {
                    return Ok(Some(line));
                }
                self.current = None;
            }
            let Some(dir) = self.segments.next() else { return Ok(None) };
            let path = dir.join(INDEX);
            let file = File::open(&path).map_err(|source| unreadable(&path, source))?;
            self.current = Some(Index { dir: dir.into(), file: BufReader::new(file), line: 0 });
        }
    }

    /// Returns the next readable line of this index.
    fn line_here(&mut self) -> Result<Option<Line>, RecordingError> {
        loop {
            let Some(index) = &mut self.current else { return Ok(None) };
            let mut bytes = Vec::new();
            let failed = |source| unreadable(&index.dir.join(INDEX), source);
            (&mut index.file).take(LONGEST).read_until(b'\n', &mut bytes).map_err(failed)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            index.line += 1;
            let whole = bytes.ends_with(b"\n");
            if !whole && bytes.len() as u64 == LONGEST {
                let failed = |source| unreadable(&index.dir.join(INDEX), source);
                skip_line(&mut index.file).map_err(failed)?;
                self.warn("longer than 1 MiB");
                continue;
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(&bytes) {
                Ok(line) => return Ok(Some(line)),
                Err(_) if !whole => self.warn("truncated: the program was killed at this point"),
                Err(error) => self.warn(&error.to_string()),
            }
        }
    }

    fn warn(&mut self, what: &str) {
        let Some(Index { dir, line, .. }) = &self.current else { return };
        let place = dir.join(INDEX);
        self.warnings.push(one_line(&format!("{}:{line}: skipped: {what}", place.display()), 400));
    }
}

/// Skips to the next line feed, whatever the data.
fn skip_line(file: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = memchr::memchr(b'\n', buffer);
        let used = end.map_or(buffer.len(), |end| end + 1);
        file.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> RecordingError {
    RecordingError::Unreadable { path: path.display().to_string(), error }
}

fn provider(line: &Line) -> String {
    line.provider.clone().unwrap_or_else(|| ANONYMOUS.to_owned())
}

fn provider_is(line: &Line, id: &str) -> bool {
    line.provider.as_deref().unwrap_or(ANONYMOUS) == id
}

const fn is_of_poll(line: &Line) -> bool {
    line.url.is_some() || line.again
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    fn read(index: &[u8]) -> (Vec<Entry>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(INDEX), index).unwrap();
        let mut reader = Reader::open(dir.path()).unwrap();
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            entries.push(entry);
        }
        (entries, reader.take_warnings())
    }

    #[test]
    fn lines_of_one_poll_are_put_together() {
        let (entries, warnings) = read(
            br#"{"recording":1,"begin":true,"at":"2026-03-01T12:00:00Z"}
{"at":"2026-03-01T12:00:02Z","provider":"acme","poll":"2026-03-01T12:00:01Z","url":"https://a.example/1","body":"1"}
{"at":"2026-03-01T12:00:03Z","provider":"acme","poll":"2026-03-01T12:00:01Z","url":"https://a.example/2","status":404}
{"at":"2026-03-01T12:01:00Z","provider":"acme","again":true}
{"at":"2026-03-01T12:09:00Z","provider":"acme","unchanged":8}
{"at":"2026-03-01T12:10:00Z","provider":"acme","url":"https://a.example/1","body":"2"}
{"at":"2026-03-01T12:10:00Z","provider":"other","url":"https://b.example/1","body":"2"}
{"at":"2026-03-01T12:11:00Z","end":true}
"#,
        );
        assert_eq!(warnings, [""; 0]);
        let shown: Vec<String> = entries
            .iter()
            .map(|entry| match entry {
                Entry::Begin(at) => format!("begin {}", at.format("%H:%M:%S")),
                Entry::Declared(_) => "declared".to_owned(),
                Entry::Poll(poll) => {
                    format!(
                        "{} {} {}",
                        poll.provider,
                        poll.at.format("%H:%M:%S"),
                        poll.answers.len()
                    )
                }
                Entry::Unchanged { provider, polls, .. } => format!("{provider} unchanged {polls}"),
                Entry::End(at) => format!("end {}", at.format("%H:%M:%S")),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "begin 12:00:00",
                "acme 12:00:03 2",
                "acme 12:01:00 0",
                "acme unchanged 8",
                "acme 12:10:00 1",
                "other 12:10:00 1",
                "end 12:11:00",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_skipped_and_named() {
        let mut index = b"{\"recording\":1}\n\xff\xfe garbage \x1b[2J\n[]\n".to_vec();
        index.extend(
            b"{\"at\":\"2026-03-01T12:00:00Z\",\"statsu\":3,\"url\":\"https://a.example\"}\n",
        );
        index.extend(b"{\"url\":\"https://a.example/\"}\n{\"at\":\"2026-03-01T12:00:00Z\"}\n");
        index.extend(vec![b'x'; 3 << 20]);
        index.extend(b"\n{\"at\":\"2026-03-01T12:00:00Z\",\"url\":\"https://a.example/\",\"status\":503}\n\n");
        index.extend(b"{\"at\":\"2026-03-01T12:00:01Z\",\"url\":\"https://a.exam");
        let (entries, warnings) = read(&index);
        assert_eq!(entries.len(), 1, "{entries:?}");
        let reasons: Vec<&str> =
            warnings.iter().map(|warning| warning.split("skipped: ").nth(1).unwrap()).collect();
        assert_eq!(reasons.len(), 7, "{reasons:?}");
        assert!(reasons[2].contains("statsu"), "{reasons:?}");
        assert_eq!(
            reasons[3..],
            [
                "\"at\" is missing",
                "neither \"url\" nor \"again\" is given",
                "longer than 1 MiB",
                "truncated: the program was killed at this point"
            ]
        );
        assert!(!warnings.iter().any(|warning| warning.chars().any(char::is_control)));
    }

    #[test]
    fn a_newer_recording_and_an_empty_directory_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Reader::open(dir.path()), Err(RecordingError::None(_))));
        std::fs::write(dir.path().join(INDEX), "{\"recording\":2}\n").unwrap();
        let mut reader = Reader::open(dir.path()).unwrap();
        assert!(matches!(reader.next_entry(), Err(RecordingError::Newer { found: 2, .. })));
        assert!(parse_time("2026-03-01T12:00:00Z").is_some());
    }
}
