//! Determines which of the ledger's events a file already contains, proven byte by byte.
//!
//! Bytes after the stored offset are ours if they equal what the ledger says must be there; if such
//! bytes break off at the end of the file, the rest still has to be written. Only damage from our
//! own writes may be truncated: a complete line that the ledger does not know belongs to another
//! writer and stays.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use memchr::memmem;

use super::rotate::LogFileFormat;
use super::{SinkError, StoredEvent};
use crate::event::render_block;

/// A longer stretch without a line feed is kept without being examined.
const PIECE: u64 = 16 << 20;
/// How many bytes are read at a time.
const CHUNK: usize = 1 << 18;

/// Returns the bytes of an event in a file of `format`.
pub(super) fn encode(format: LogFileFormat, recorded: &StoredEvent) -> Vec<u8> {
    match format {
        LogFileFormat::Json => {
            let mut bytes = Vec::with_capacity(recorded.line.len() + 1);
            bytes.extend_from_slice(recorded.line.as_bytes());
            bytes.push(b'\n');
            bytes
        }
        LogFileFormat::Text => render_block(&recorded.event).into_bytes(),
    }
}

/// The events that may be in the file, read from the ledger as needed.
pub(super) struct Expected<'a> {
    format: LogFileFormat,
    after: &'a mut dyn FnMut(u64) -> Result<Vec<StoredEvent>, SinkError>,
    queue: VecDeque<(u64, Vec<u8>)>,
    read_to: u64,
    proven: u64,
}

impl<'a> Expected<'a> {
    /// Creates an iterator over the events after `seq`.
    pub(super) fn new(
        format: LogFileFormat,
        seq: u64,
        after: &'a mut dyn FnMut(u64) -> Result<Vec<StoredEvent>, SinkError>,
    ) -> Self {
        Self { format, after, queue: VecDeque::new(), read_to: seq, proven: seq }
    }

    /// Returns the last event known to be in a file.
    pub(super) const fn proven(&self) -> u64 {
        self.proven
    }

    /// Returns the bytes of the next event.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, SinkError> {
        if self.queue.is_empty() {
            self.read()?;
        }
        Ok(self.queue.front().map(|(_, bytes)| bytes.as_slice()))
    }

    /// Marks the next event as found in the file.
    pub(super) fn advance(&mut self) {
        if let Some((seq, _)) = self.queue.pop_front() {
            self.proven = seq;
        }
    }

    /// Reads a page of events; returns whether there was one.
    fn read(&mut self) -> Result<bool, SinkError> {
        let before = self.read_to;
        for recorded in (self.after)(before)? {
            if recorded.event.seq > self.read_to {
                self.read_to = recorded.event.seq;
                self.queue.push_back((recorded.event.seq, encode(self.format, &recorded)));
            }
        }
        Ok(self.read_to > before)
    }

    /// Returns the lines of those events that fit into the next `bytes` bytes.
    fn lines(&mut self, bytes: u64) -> Result<BTreeSet<Vec<u8>>, SinkError> {
        while self.queue.iter().map(|(_, line)| line.len() as u64).sum::<u64>() <= bytes
            && self.read()?
        {}
        Ok(self
            .queue
            .iter()
            .flat_map(|(_, event)| event.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec))
            .collect())
    }
}

/// How far a file matches the expected events.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// Up to here every byte is ours.
    pub(super) end: u64,
    /// What is missing of the event that breaks off at the end of the file.
    pub(super) rest: Vec<u8>,
}

/// Walks the file from `from` as long as it contains the expected events.
pub(super) fn prove(
    file: &File,
    from: u64,
    expected: &mut Expected<'_>,
) -> Result<Result<Proof, io::Error>, SinkError> {
    let mut end = from;
    while let Some(bytes) = expected.next()? {
        let found = match read_up_to(file, end, bytes.len()) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if found == bytes {
            end += bytes.len() as u64;
            expected.advance();
            continue;
        }
        if let Some(rest) = bytes.strip_prefix(found.as_slice()).filter(|_| !found.is_empty()) {
            return Ok(Ok(Proof { end, rest: rest.to_vec() }));
        }
        break;
    }
    Ok(Ok(Proof { end, rest: Vec::new() }))
}

/// Finds where the file contains `bytes` as complete lines, or begins them and breaks off at its
/// end.
pub(super) fn find(file: &File, bytes: &[u8]) -> io::Result<Option<u64>> {
    let size = file.metadata()?.len();
    let finder = memmem::Finder::new(bytes);
    let mut at = 0;
    // One more byte in front shows whether a match begins a line; the overlap at the end catches a
    // match that this chunk cuts off.
    while at < size {
        let front = u64::from(at > 0);
        let window = read_up_to(file, at - front, CHUNK + bytes.len())?;
        for hit in finder.find_iter(&window) {
            let begins_line =
                if hit == 0 { at == front } else { window.get(hit - 1) == Some(&b'\n') };
            if begins_line {
                return Ok(Some(at - front + hit as u64));
            }
        }
        at += CHUNK as u64;
    }
    let length = usize::try_from(size).map_or(bytes.len(), |size| size.min(bytes.len()));
    let start = size - length as u64;
    let tail = read_up_to(file, start, length)?;
    let line_starts = memchr::memchr_iter(b'\n', &tail).map(|feed| feed + 1);
    let first = (start == 0).then_some(0);
    for line in first.into_iter().chain(line_starts) {
        if tail.get(line..).is_some_and(|piece| !piece.is_empty() && bytes.starts_with(piece)) {
            return Ok(Some(start + line as u64));
        }
    }
    Ok(None)
}

/// Returns whether anything from `from` on could belong to another writer. Zeros and binary garbage
/// are what a power failure leaves of our own writes; expected lines are ours wherever they are; a
/// torn JSON line is of no use.
pub(super) fn holds_foreign(
    file: &File,
    from: u64,
    size: u64,
    expected: &mut Expected<'_>,
) -> Result<Result<bool, io::Error>, SinkError> {
    let ours = expected.lines(size.saturating_sub(from))?;
    Ok(judge(file, from, &ours, expected.format))
}

fn judge(
    file: &File,
    from: u64,
    ours: &BTreeSet<Vec<u8>>,
    format: LogFileFormat,
) -> io::Result<bool> {
    let mut reader = BufReader::with_capacity(CHUNK, At { file, at: from });
    let mut piece = Vec::new();
    loop {
        piece.clear();
        if reader.by_ref().take(PIECE).read_until(b'\n', &mut piece)? == 0 {
            return Ok(false);
        }
        let whole = piece.last() == Some(&b'\n');
        let clean = std::str::from_utf8(&piece)
            .is_ok_and(|text| !text.trim_end_matches(['\r', '\n']).contains(is_garbage));
        let blank = piece.iter().all(u8::is_ascii_whitespace);
        let is_ours = if whole {
            ours.contains(&piece)
        } else {
            let torn_json = format == LogFileFormat::Json
                && piece.starts_with(b"{\"seq\":")
                && (piece.len() as u64) < PIECE;
            torn_json
                || ours.range(piece.clone()..).next().is_some_and(|line| line.starts_with(&piece))
        };
        if clean && !blank && !is_ours {
            return Ok(true);
        }
    }
}

fn is_garbage(c: char) -> bool {
    c.is_control() && c != '\t'
}

/// Reads at most `length` bytes at `at`; fewer at the end of the file.
fn read_up_to(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    At { file, at }.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a file at its own offset, without moving the descriptor's.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
