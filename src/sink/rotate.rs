//! Rotation of the event log: names of rotated files, when a new file is due, a rename that never
//! overwrites, and deletion of the oldest. Only files whose names match exactly are ever touched.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::DateTime;

use crate::config::Rotation;
use crate::event::Time;

/// How many stamps are tried if a rotated name is taken.
const NAME_ATTEMPTS: i64 = 1000;

/// A format of the event log, which determines the file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFileFormat {
    /// JSON Lines: `events.jsonl`.
    Json,
    /// Text blocks: `events.log`.
    Text,
}

impl LogFileFormat {
    /// Returns the name of the file being written.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Json => "events.jsonl",
            Self::Text => "events.log",
        }
    }

    const fn extension(self) -> &'static str {
        match self {
            Self::Json => "jsonl",
            Self::Text => "log",
        }
    }
}

/// A rotated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotated {
    /// Numbers the files in the order in which they are read.
    pub(super) generation: u64,
    /// Its path.
    pub(super) path: PathBuf,
}

/// Returns the name of a rotated file: `events.20260223T000000Z.000007.jsonl`.
fn rotated_name(format: LogFileFormat, stamp: Time, generation: u64) -> String {
    format!("events.{}.{generation:06}.{}", stamp.format("%Y%m%dT%H%M%SZ"), format.extension())
}

/// Returns the generation in a name, if it is exactly a name of ours.
fn parse_name(format: LogFileFormat, name: &str) -> Option<u64> {
    let rest = name.strip_prefix("events.")?.strip_suffix(format.extension())?.strip_suffix('.')?;
    let (stamp, generation) = rest.split_once('.')?;
    let shape_fits = stamp.len() == 16
        && stamp.bytes().enumerate().all(|(i, b)| match i {
            8 => b == b'T',
            15 => b == b'Z',
            _ => b.is_ascii_digit(),
        });
    let digits = generation.len() >= 6 && generation.bytes().all(|b| b.is_ascii_digit());
    if shape_fits && digits { generation.parse().ok() } else { None }
}

/// Lists the rotated files in `dir`, oldest first. A missing directory counts as empty.
pub(super) fn list(dir: &Path, format: LogFileFormat) -> io::Result<Vec<Rotated>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(generation) =
            entry.file_name().to_str().and_then(|name| parse_name(format, name))
        {
            found.push(Rotated { generation, path: entry.path() });
        }
    }
    found.sort_by(|a, b| (a.generation, &a.path).cmp(&(b.generation, &b.path)));
    Ok(found)
}

/// Returns whether a file of `size` bytes, begun at `first_write`, must be closed before `line`
/// bytes are added at `now`.
pub(super) fn is_due(
    rotation: Rotation,
    size: u64,
    first_write: Option<i64>,
    line: u64,
    now: Time,
) -> bool {
    if size == 0 {
        return false;
    }
    match rotation {
        Rotation::Never => false,
        Rotation::Size(limit) => size.saturating_add(line) > limit,
        // A clock that was set back does not start a new file.
        Rotation::Hourly | Rotation::Daily => first_write
            .is_some_and(|first| period(rotation, now.timestamp()) > period(rotation, first)),
    }
}

/// Returns the start of the period that `at` is in; `at` itself without periods.
const fn period(rotation: Rotation, at: i64) -> i64 {
    match rotation {
        Rotation::Hourly => at - at.rem_euclid(3600),
        Rotation::Daily => at - at.rem_euclid(86_400),
        Rotation::Never | Rotation::Size(_) => at,
    }
}

/// Returns the time in a rotated file's name: the start of its period, or now.
pub(super) fn stamp(rotation: Rotation, first_write: Option<i64>, now: Time) -> Time {
    match rotation {
        Rotation::Hourly | Rotation::Daily => first_write
            .and_then(|first| DateTime::from_timestamp(period(rotation, first), 0))
            .unwrap_or(now),
        Rotation::Never | Rotation::Size(_) => now,
    }
}

/// Renames the file at `active` to its rotated name. A name that is taken is left alone: the stamp
/// moves on by a second.
pub(super) fn rename_away(
    active: &Path,
    format: LogFileFormat,
    stamp: Time,
    generation: u64,
) -> io::Result<PathBuf> {
    for second in 0..NAME_ATTEMPTS {
        let name = rotated_name(format, stamp + chrono::Duration::seconds(second), generation);
        let target = active.with_file_name(name);
        match rename_noreplace(active, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| target),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "all names for the rotated file are taken"))
}

fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Fall back on file systems without the flag and kernels without the call.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            done => return done.map_err(io::Error::from),
        }
    }
    // A crash in between leaves two names for one file; the sink's `open` removes the old one.
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

/// Deletes the oldest files until at most `leave` remain.
pub(super) fn prune(dir: &Path, format: LogFileFormat, leave: usize) -> io::Result<()> {
    let files = list(dir, format)?;
    let surplus = files.len().saturating_sub(leave);
    for file in files.into_iter().take(surplus) {
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        crate::event::parse_time(text).unwrap()
    }

    #[test]
    fn only_exact_names_are_ours() {
        let name = rotated_name(LogFileFormat::Json, at("2026-02-23T10:20:49Z"), 7);
        assert_eq!(name, "events.20260223T102049Z.000007.jsonl");
        assert_eq!(parse_name(LogFileFormat::Json, &name), Some(7));
        assert_eq!(
            parse_name(LogFileFormat::Json, "events.20260223T102049Z.1000007.jsonl"),
            Some(1_000_007)
        );
        for other in [
            "events.jsonl",
            "events.20260223T102049Z.000007.log",
            "events.20260223T102049Z.000007.jsonl.gz",
            "events.20260223T102049Z.7.jsonl",
            "events.2026-02-23.000007.jsonl",
            "xevents.20260223T102049Z.000007.jsonl",
            "events.20260223T102049Z.00000a.jsonl",
        ] {
            assert_eq!(parse_name(LogFileFormat::Json, other), None, "{other}");
        }
    }

    #[test]
    fn a_new_file_is_due_at_the_period_or_before_the_limit() {
        let now = at("2026-02-24T00:00:00Z");
        let first = Some(at("2026-02-23T23:59:59Z").timestamp());
        assert!(is_due(Rotation::Daily, 1, first, 1, now));
        assert!(is_due(Rotation::Hourly, 1, first, 1, now));
        assert!(!is_due(Rotation::Daily, 1, Some(now.timestamp()), 1, at("2026-02-24T23:59:59Z")));
        assert!(
            !is_due(Rotation::Daily, 1, Some(now.timestamp()), 1, at("2026-02-23T23:59:59Z")),
            "the clock was set back"
        );
        assert!(!is_due(Rotation::Size(10), 5, None, 5, now));
        assert!(is_due(Rotation::Size(10), 5, None, 6, now));
        assert!(
            !is_due(Rotation::Size(10), 0, None, 60, now),
            "a line longer than the limit gets a file of its own"
        );
        assert!(!is_due(Rotation::Never, u64::MAX, first, 1, now));
    }

    #[test]
    fn a_taken_name_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let active = dir.path().join("events.jsonl");
        let stamp = at("2026-02-23T10:20:49Z");
        let taken = dir.path().join(rotated_name(LogFileFormat::Json, stamp, 1));
        fs::write(&active, "ours\n").unwrap();
        fs::write(&taken, "theirs\n").unwrap();
        let target = rename_away(&active, LogFileFormat::Json, stamp, 1).unwrap();
        assert_eq!(fs::read_to_string(&taken).unwrap(), "theirs\n");
        assert_eq!(fs::read_to_string(target).unwrap(), "ours\n");
        assert!(!active.exists());
    }
}
