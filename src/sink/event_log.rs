//! The event log sink: writes each event exactly once and in order, whenever a crash, a kill or a
//! power loss occurs.
//!
//! Lines are written, synced, and only then acknowledged; after an interruption the file itself
//! shows what it contains (see `resume`). Visible lines are never written again, and nothing is
//! truncated unless this sink can prove that it wrote it. The cursor returned by `deliver` must be
//! stored before the next call.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::log_file::{FileState, LogFile, ends_as_known, make_dir, read_tail};
use super::resume::{Expected, encode, find, holds_foreign, prove};
use super::rotate::{self, LogFileFormat};
use super::tail::{Memory, tail_hash};
use super::{Cursor, Sink, SinkError, StoredEvent};
use crate::config::Rotation;
use crate::event::Time;

/// Returns the time at which lines are written; used only for hourly and daily rotation.
pub type WriteClock = Box<dyn Fn() -> Time + Send>;

/// Writes events to a file and rotates it.
pub struct EventLogSink {
    dir: PathBuf,
    path: PathBuf,
    format: LogFileFormat,
    rotation: Rotation,
    keep: usize,
    clock: WriteClock,
    lock: Option<Lock>,
    /// `None` until opened, and after a failure.
    active: Option<Active>,
    /// A sync failed: what was not synced before must be rewritten.
    distrust: bool,
}

/// The file being written and what is known about it.
struct Active {
    file: LogFile,
    seq: u64,
    generation: u64,
    first_write: Option<i64>,
}

impl Active {
    fn cursor(&self) -> Cursor {
        let memory = Memory {
            offset: self.file.size(),
            tail: self.file.tail_hash(),
            generation: self.generation,
            first_write: self.first_write,
        };
        Cursor { seq: self.seq, memory: memory.to_json() }
    }
}

impl EventLogSink {
    /// Creates a sink in `dir`, which is created if missing. `keep` rotated files are kept; 0 keeps
    /// all.
    #[must_use]
    pub fn new(
        dir: impl Into<PathBuf>,
        format: LogFileFormat,
        rotation: Rotation,
        keep: usize,
    ) -> Self {
        let dir = dir.into();
        let path = dir.join(format.file_name());
        let clock: WriteClock = Box::new(crate::clock::now);
        Self { dir, path, format, rotation, keep, clock, lock: None, active: None, distrust: false }
    }

    /// Uses another clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: WriteClock) -> Self {
        self.clock = clock;
        self
    }

    fn failed<'a>(
        &'a self,
        action: &'static str,
    ) -> impl Fn(std::io::Error) -> SinkError + use<'a> {
        move |source| SinkError::Io { action, path: self.path.clone(), source }
    }

    fn hold_lock(&mut self) -> Result<(), SinkError> {
        make_dir(&self.dir)?;
        if !self.lock.as_ref().is_some_and(Lock::is_in_place) {
            self.lock = None;
            self.lock = Some(Lock::take(&self.path)?);
        }
        Ok(())
    }

    /// Opens the file by its name; if it is new, makes the name durable.
    fn open_file(&self) -> Result<LogFile, SinkError> {
        let (file, made) = LogFile::open(&self.path)?;
        if made {
            rotate::sync_dir(&self.dir).map_err(self.failed("sync the directory of"))?;
        }
        Ok(file)
    }

    /// Follows a rotation that was not acknowledged: finds events in rotated files, from the stored
    /// offset on. Returns the generation of the file after them, and whether there was such a
    /// rotation.
    fn follow_rotation(
        &self,
        memory: &Memory,
        expected: &mut Expected<'_>,
    ) -> Result<(u64, bool), SinkError> {
        let mut generation = memory.generation;
        let mut offset = memory.offset;
        let mut followed = false;
        for rotated in
            rotate::list(&self.dir, self.format).map_err(self.failed("list the files of"))?
        {
            if rotated.generation < generation || (!followed && rotated.generation != generation) {
                continue;
            }
            let failed =
                |source| SinkError::Io { action: "read", path: rotated.path.clone(), source };
            // Something else under our name is not read.
            if !fs::metadata(&rotated.path).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            let file = File::open(&rotated.path).map_err(failed)?;
            if !followed && !ends_as_known(&file, offset, &memory.tail).map_err(failed)? {
                continue;
            }
            self.finish_rename(&rotated.path)?;
            prove(&file, offset, expected)?.map_err(failed)?;
            followed = true;
            generation = rotated.generation + 1;
            offset = 0;
        }
        Ok((generation, followed))
    }

    /// Handles a missing memory: the process may have died before its first cursor was stored. If
    /// the next event is in a rotated file, returns what the memory would be.
    fn begun(&self, expected: &mut Expected<'_>) -> Result<Option<Memory>, SinkError> {
        let Some(bytes) = expected.next()? else {
            return Ok(None);
        };
        for rotated in
            rotate::list(&self.dir, self.format).map_err(self.failed("list the files of"))?
        {
            let failed =
                |source| SinkError::Io { action: "read", path: rotated.path.clone(), source };
            if !fs::metadata(&rotated.path).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            let file = File::open(&rotated.path).map_err(failed)?;
            if let Some(offset) = find(&file, bytes).map_err(failed)? {
                let tail = tail_hash(&read_tail(&file, offset).map_err(failed)?);
                return Ok(Some(Memory {
                    offset,
                    tail,
                    generation: rotated.generation,
                    first_write: None,
                }));
            }
        }
        Ok(None)
    }

    /// Completes a two-step rename that stopped with two names for one file, by removing the old
    /// name.
    fn finish_rename(&self, rotated: &Path) -> Result<(), SinkError> {
        let (Ok(active), Ok(rotated)) =
            (fs::symlink_metadata(&self.path), fs::symlink_metadata(rotated))
        else {
            return Ok(());
        };
        if active.is_file() && (active.dev(), active.ino()) == (rotated.dev(), rotated.ino()) {
            fs::remove_file(&self.path).map_err(self.failed("finish the rotation of"))?;
        }
        Ok(())
    }

    /// Determines what the active file contains, completes a torn event, and makes everything
    /// durable.
    fn resume(&self, cursor: &Cursor, expected: &mut Expected<'_>) -> Result<Active, SinkError> {
        let memory = match Memory::parse(cursor.memory.as_deref()) {
            Some(memory) => Some(memory),
            None => self.begun(expected)?,
        };
        let (generation, rotated) = match &memory {
            Some(memory) => self.follow_rotation(memory, expected)?,
            None => (1, false),
        };
        let newest =
            rotate::list(&self.dir, self.format).map_err(self.failed("list the files of"))?;
        let generation = generation.max(newest.last().map_or(0, |file| file.generation + 1));
        let mut file = self.open_file()?;

        let known = match &memory {
            _ if rotated => Some(0),
            Some(memory) => ends_as_known(file.bytes(), memory.offset, &memory.tail)
                .map_err(self.failed("read"))?
                .then_some(memory.offset),
            None if file.size() == 0 => Some(0),
            None => None,
        };
        let start = if known.is_some() {
            known
        } else {
            if memory.is_some() {
                tracing::warn!(file = %self.path.display(), "another process changed the event log; leaving its contents untouched");
            }
            // The exact bytes of the next event are ours, wherever they are.
            match expected.next()? {
                Some(bytes) => find(file.bytes(), bytes).map_err(self.failed("read"))?,
                None => None,
            }
        };
        if let Some(start) = start {
            let proof = prove(file.bytes(), start, expected)?.map_err(self.failed("read"))?;
            if self.distrust {
                file.rewrite(start, file.size())?;
            }
            if !proof.rest.is_empty() {
                file.append(&proof.rest)?;
                expected.advance();
            } else if proof.end < file.size() {
                let foreign = holds_foreign(file.bytes(), proof.end, file.size(), expected)?
                    .map_err(self.failed("read"))?;
                if known.is_some() && !foreign {
                    tracing::warn!(file = %self.path.display(), bytes = file.size() - proof.end, "truncated a partial write left by a crash");
                    file.cut(proof.end)?;
                } else {
                    tracing::warn!(file = %self.path.display(), "kept lines from another writer in the event log");
                }
            }
        }
        file.end_line()?;
        file.sync()?;
        let first_write = match memory {
            Some(memory) if known.is_some() && !rotated && memory.offset > 0 => memory.first_write,
            _ => None,
        };
        let first_write =
            if file.size() == 0 { None } else { first_write.or_else(|| file.changed_at()) };
        Ok(Active { file, seq: expected.proven(), generation, first_write })
    }

    /// Checks that the file is still in place and unchanged. Returns whether the cursor changed.
    fn watch(&self, active: &mut Active, reopen: bool) -> Result<bool, SinkError> {
        let lock_in_place = self.lock.as_ref().is_some_and(Lock::is_in_place);
        match active.file.state()? {
            FileState::Unchanged if lock_in_place && !reopen => Ok(false),
            FileState::Unchanged if lock_in_place => {
                active.file = self.open_file()?;
                Ok(false)
            }
            FileState::Resized | FileState::Unchanged => {
                let before = active.file.size();
                active.file.settle()?;
                active.file.end_line()?;
                if active.file.size() < before {
                    tracing::warn!(file = %self.path.display(), "another process truncated the event log; continuing at its end");
                } else if active.file.size() > before {
                    tracing::warn!(file = %self.path.display(), "another process appended to the event log; continuing at its end");
                }
                active.first_write = active.first_write.filter(|_| active.file.size() > 0);
                Ok(true)
            }
            FileState::Replaced => {
                tracing::warn!(file = %self.path.display(), "another process moved or deleted the event log; reopened it");
                let mut file = self.open_file()?;
                file.end_line()?;
                active.first_write = file.changed_at();
                active.file = file;
                active.generation += 1;
                Ok(true)
            }
        }
    }

    /// Closes the file under its rotated name and starts a new one.
    fn rotate(&self, active: Active, now: Time) -> Result<Active, SinkError> {
        active.file.sync()?;
        if self.keep > 0 {
            rotate::prune(&self.dir, self.format, self.keep - 1)
                .map_err(self.failed("delete rotated files of"))?;
        }
        let stamp = rotate::stamp(self.rotation, active.first_write, now);
        let Active { file, seq, generation, .. } = active;
        drop(file);
        rotate::rename_away(&self.path, self.format, stamp, generation)
            .map_err(self.failed("rename"))?;
        let (file, _) = LogFile::open(&self.path)?;
        rotate::sync_dir(&self.dir).map_err(self.failed("sync the directory of"))?;
        Ok(Active { file, seq, generation: generation + 1, first_write: None })
    }

    /// Writes as many of `events` as fit into one file.
    fn write(&mut self, mut active: Active, events: &[StoredEvent]) -> Result<Active, SinkError> {
        let now = (self.clock)();
        let mut buffer = Vec::new();
        let mut seq = active.seq;
        for recorded in events {
            if recorded.event.seq <= seq {
                continue;
            }
            let bytes = encode(self.format, recorded);
            let size = active.file.size().saturating_add(buffer.len() as u64);
            let first_write =
                active.first_write.or_else(|| (!buffer.is_empty()).then(|| now.timestamp()));
            if rotate::is_due(self.rotation, size, first_write, bytes.len() as u64, now) {
                if !buffer.is_empty() {
                    // The rest of the batch goes into the next file, once this cursor is stored.
                    break;
                }
                active = self.rotate(active, now)?;
            }
            buffer.extend_from_slice(&bytes);
            seq = recorded.event.seq;
        }
        if !buffer.is_empty() {
            active.first_write = active.first_write.or_else(|| Some(now.timestamp()));
            active.file.append(&buffer)?;
            active.file.sync().inspect_err(|_| self.distrust = true)?;
            active.seq = seq;
        }
        Ok(active)
    }
}

impl Sink for EventLogSink {
    fn id(&self) -> &str {
        match self.format {
            LogFileFormat::Json => "event_log.json",
            LogFileFormat::Text => "event_log.text",
        }
    }

    fn open(
        &mut self,
        cursor: &Cursor,
        after: &mut dyn FnMut(u64) -> Result<Vec<StoredEvent>, SinkError>,
    ) -> Result<Cursor, SinkError> {
        self.active = None;
        self.hold_lock()?;
        let mut expected = Expected::new(self.format, cursor.seq, after);
        let active = self.resume(cursor, &mut expected).inspect_err(|error| {
            self.distrust |= matches!(error, SinkError::Io { action: "sync", .. });
        });
        let active = active?;
        self.distrust = false;
        let cursor = active.cursor();
        self.active = Some(active);
        Ok(cursor)
    }

    fn deliver(&mut self, events: &[StoredEvent]) -> Result<Cursor, SinkError> {
        // Taken out: after an error the file stays closed, and `open` examines it.
        let mut active = self
            .active
            .take()
            .ok_or_else(|| self.failed("write to")(std::io::Error::other("not open")))?;
        if !self.lock.as_ref().is_some_and(Lock::is_in_place) {
            self.hold_lock()?;
        }
        self.watch(&mut active, false)?;
        let active = self.write(active, events)?;
        let cursor = active.cursor();
        self.active = Some(active);
        Ok(cursor)
    }

    fn maintain(&mut self, reopen: bool) -> Result<Option<Cursor>, SinkError> {
        let Some(mut active) = self.active.take() else {
            return Ok(None);
        };
        if !self.lock.as_ref().is_some_and(Lock::is_in_place) {
            self.hold_lock()?;
        }
        let changed = self.watch(&mut active, reopen)?;
        let cursor = changed.then(|| active.cursor());
        self.active = Some(active);
        Ok(cursor)
    }
}
