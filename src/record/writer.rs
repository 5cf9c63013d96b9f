//! The recorder's writer thread: writes bodies, lines and segments, and deletes what exceeds the
//! limits on age and size.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use super::address::without;
use super::body;
use super::job::{Group, Job};
use super::line::Line;
use super::segment::{self, Segment};
use super::shared::Shared;
use super::state::{Body, IndexedLine};
use crate::config::Recording;
use crate::event::Time;

/// A segment takes at most this fraction of the recording's limit, so that removing the oldest does
/// not remove half of it.
const PART: u64 = 8;

/// On a full disk short lines may fit where bodies do not: recovery is reported only after this
/// long without a failure.
const CALM: Duration = Duration::from_mins(1);

/// Runs until the recorder is dropped or finishes.
pub(super) fn run(options: Recording, shared: &Shared, jobs: &Receiver<Job>) {
    let mut writer = Writer {
        options,
        shared,
        entries: Vec::new(),
        current: None,
        older: Vec::new(),
        begun: false,
        failed: None,
    };
    writer.look();
    while let Ok(job) = jobs.recv() {
        let bytes = job.bytes();
        match job {
            Job::Group(group) => {
                let written = writer.group(&group);
                writer.say(written.as_ref().err());
                if written.is_err() {
                    shared.give_up(&group);
                }
            }
            Job::Declare(at, entries) => {
                let written = writer.declare(at, entries);
                writer.say(written.as_ref().err());
            }
            Job::Finish(at, mut lines, done) => {
                lines.push(Line { at: Some(at), end: true, ..Line::default() });
                let current = writer.current.as_mut();
                let written = current.map_or(Ok(()), |it| it.append(&segment::text(&lines)));
                writer.say(written.as_ref().err());
                let lost = shared.lost.load(Ordering::Relaxed);
                if lost > 0 {
                    tracing::warn!(polls = lost, "some polls could not be recorded");
                }
                if done.send(()).is_err() {
                    tracing::debug!("nothing waits for the end of the recording");
                }
                return;
            }
        }
        shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

struct Writer<'a> {
    options: Recording,
    shared: &'a Shared,
    entries: Vec<Value>,
    current: Option<Segment>,
    /// Completed segments, oldest first, with their sizes in bytes.
    older: Vec<(PathBuf, u64)>,
    /// Whether this process has begun a segment.
    begun: bool,
    /// When a write last failed; `None` after recovery.
    failed: Option<Instant>,
}

impl Writer<'_> {
    /// Finds existing segments.
    fn look(&mut self) {
        let found = segment::all(&self.options.dir).unwrap_or_default();
        self.older = found.into_iter().map(|path| (path.clone(), segment::size(&path))).collect();
    }

    /// Reports once that nothing can be written, and once that writing works again.
    fn say(&mut self, error: Option<&io::Error>) {
        match error {
            Some(_) if self.failed.is_some() => self.failed = Some(Instant::now()),
            Some(error) => {
                self.failed = Some(Instant::now());
                let dir = self.options.dir.display();
                tracing::warn!(%dir, reason = %error, "cannot write the recording; polling continues without it");
            }
            None if self.failed.is_some_and(|failed| failed.elapsed() >= CALM) => {
                self.failed = None;
                let lost = self.shared.lost.load(Ordering::Relaxed);
                tracing::warn!(lost, "recording works again");
            }
            None => {}
        }
    }

    fn declare(&mut self, at: Time, entries: Vec<Value>) -> io::Result<()> {
        let known: HashSet<String> = self.entries.iter().map(Value::to_string).collect();
        let fresh = entries.iter().filter(|entry| !known.contains(&entry.to_string()));
        let fresh: Vec<Value> = fresh.cloned().collect();
        self.entries = entries;
        let Some(current) = &mut self.current else { return Ok(()) };
        current.append(&segment::text(&declared(at, fresh)))
    }

    fn group(&mut self, group: &Group) -> io::Result<()> {
        self.segment(group.at)?;
        let Some(current) = &mut self.current else { return Ok(()) };
        let older: Vec<PathBuf> = self.older.iter().map(|(path, _)| path.clone()).collect();
        let mut lines: Vec<Line> = group.quiet.iter().cloned().collect();
        for IndexedLine { line, body } in &group.lines {
            let mut line = line.clone();
            if let Some(Body { hash, bytes }) = body {
                let hash = match bytes {
                    Some(bytes) => {
                        let clean = without(&group.secrets, bytes);
                        let bytes = clean.as_deref().unwrap_or(bytes);
                        let hash = if clean.is_some() { xxh3_128(bytes) } else { *hash };
                        current.put_body(hash, bytes)?;
                        hash
                    }
                    None if current.take_over(*hash, &older) => *hash,
                    None => {
                        let what =
                            "the body of an unchanged response is no longer in the recording";
                        return Err(io::Error::new(io::ErrorKind::NotFound, what));
                    }
                };
                line.body = Some(body::name(hash));
            }
            lines.push(line);
        }
        current.append(&segment::text(&lines))
    }

    /// Ensures that a segment exists for this time and that older ones stay within the limits.
    fn segment(&mut self, at: Time) -> io::Result<()> {
        let max = self.options.max;
        let over = |current: &Segment| {
            current.begun.date_naive() != at.date_naive() || current.size() > max / PART
        };
        if self.current.as_ref().is_some_and(|current| !over(current)) {
            return Ok(());
        }
        let head = std::iter::once(Line::head(at, !self.begun));
        let head: Vec<Line> = head.chain(declared(at, self.entries.clone())).collect();
        let next = Segment::begin(&self.options.dir, at, &segment::text(&head));
        if let Ok(next) = next {
            if let Some(former) = self.current.replace(next) {
                self.older.push((former.path.clone(), former.size()));
                // From here on, known responses have to be written again.
                self.shared.segment.fetch_add(1, Ordering::Relaxed);
            }
            self.begun = true;
            self.prune(at);
            return Ok(());
        }
        self.prune(at);
        next.map(|_| ())
    }

    /// Removes the oldest segments that exceed the limits on age or size.
    fn prune(&mut self, now: Time) {
        let keep = chrono::Duration::from_std(self.options.keep).unwrap_or(chrono::Duration::MAX);
        let before = now.checked_sub_signed(keep).unwrap_or(Time::MIN_UTC);
        let current = self.current.as_ref();
        let mut size: u64 = current.map_or(0, Segment::size)
            + self.older.iter().map(|(_, size)| *size).sum::<u64>();
        // Leaves room for the segment that is begun next.
        let most = self.options.max.saturating_sub(self.options.max / PART);
        while let Some((path, bytes)) = self.older.first() {
            let next = self.older.get(1).map(|(path, _)| path.as_path());
            let ended = next.or(current.map(|current| current.path.as_path()));
            let old = ended.and_then(segment::begun).is_some_and(|ended| ended < before);
            if size <= most && !old {
                break;
            }
            if let Err(error) = fs::remove_dir_all(path) {
                tracing::debug!(%error, "cannot remove a segment of the recording");
                break;
            }
            size -= *bytes;
            self.older.remove(0);
        }
    }
}

fn declared(at: Time, entries: Vec<Value>) -> Vec<Line> {
    let line = |entry| Line { at: Some(at), entry: Some(entry), ..Line::default() };
    entries.into_iter().map(line).collect()
}
