//! The directories of a recording: one for each start and each day, each self-contained.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::body;
use super::line::Line;
use crate::event::Time;

/// The index in each directory.
pub(super) const INDEX: &str = "index.jsonl";

/// The format of the start time in a segment's name.
const STAMP: &str = "%Y-%m-%dT%H%M%SZ";

/// A segment that is being written.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) begun: Time,
    index: File,
    /// Length of the index up to its last complete line.
    good: u64,
    /// Whether part of a line may follow.
    torn: bool,
    bodies: u64,
}

impl Segment {
    /// Begins a segment in `dir` that sorts after all others there, with `head` as its first lines.
    pub(super) fn begin(dir: &Path, at: Time, head: &str) -> io::Result<Self> {
        let path = dir.join(name(dir, at));
        fs::create_dir_all(path.join(body::FOLDER))?;
        let begun = OpenOptions::new().append(true).create_new(true).open(path.join(INDEX));
        let begun = begun.and_then(|mut index| {
            index.write_all(head.as_bytes())?;
            Ok(Self {
                path: path.clone(),
                begun: at,
                index,
                good: head.len() as u64,
                torn: false,
                bodies: 0,
            })
        });
        if begun.is_err() {
            drop(fs::remove_dir_all(&path));
        }
        begun
    }

    /// Returns the size on disk in bytes.
    pub(super) const fn size(&self) -> u64 {
        self.good + self.bodies
    }

    /// Returns whether the body is in this segment.
    pub(super) fn has(&self, hash: u128) -> bool {
        self.path.join(body::name(hash)).exists()
    }

    /// Writes a body unless it exists.
    pub(super) fn put_body(&mut self, hash: u128, bytes: &[u8]) -> io::Result<()> {
        if !self.has(hash) {
            self.bodies += body::write(&self.path, hash, bytes)?;
        }
        Ok(())
    }

    /// Copies a body from one of `others`, newest first. Returns whether it is in this segment now.
    pub(super) fn take_over(&mut self, hash: u128, others: &[PathBuf]) -> bool {
        if self.has(hash) {
            return true;
        }
        let (name, to) = (body::name(hash), self.path.join(body::name(hash)));
        let taken = others.iter().rev().map(|other| other.join(&name)).any(|from| {
            fs::hard_link(&from, &to).is_ok() || {
                let copied = fs::copy(&from, &to).is_ok();
                if !copied {
                    drop(fs::remove_file(&to));
                }
                copied
            }
        });
        if taken {
            self.bodies += body::size(&to);
        }
        taken
    }

    /// Appends complete lines. A partial write is taken back.
    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        if self.torn {
            self.index.write_all(b"\n")?;
            self.good += 1;
            self.torn = false;
        }
        let written = self.index.write_all(lines.as_bytes());
        match written {
            Ok(()) => self.good += lines.len() as u64,
            Err(_) => self.torn = self.index.set_len(self.good).is_err(),
        }
        written
    }
}

/// Returns a name for a segment begun at `at`. Names sort in the order of writing even if the wall
/// clock was set back.
fn name(dir: &Path, at: Time) -> String {
    let name = at.format(STAMP).to_string();
    let newest = all(dir)
        .unwrap_or_default()
        .pop()
        .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
    let Some(newest) = newest.filter(|newest| *newest >= name) else {
        return name;
    };
    let (base, count) = match newest.split_once('_') {
        Some((base, count)) => (base, count.parse().unwrap_or(0)),
        None => (newest.as_str(), 0_u32),
    };
    format!("{base}_{:06}", count + 1)
}

/// Returns when the segment was begun, from its name.
pub(super) fn begun(path: &Path) -> Option<Time> {
    let name = path.file_name()?.to_str()?;
    let stamp = name.split_once('_').map_or(name, |(stamp, _)| stamp);
    chrono::NaiveDateTime::parse_from_str(stamp, STAMP).ok().map(|time| time.and_utc())
}

/// Returns the segments in `dir`, oldest first. Anything else there is ignored.
pub(super) fn all(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if begun(&path).is_some() && path.join(INDEX).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the size of a segment on disk in bytes.
pub(super) fn size(path: &Path) -> u64 {
    let bodies = fs::read_dir(path.join(body::FOLDER)).into_iter().flatten().flatten();
    body::size(&path.join(INDEX)) + bodies.map(|entry| body::size(&entry.path())).sum::<u64>()
}

/// Returns the text of `lines`.
pub(super) fn text(lines: &[Line]) -> String {
    lines.iter().map(Line::text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    #[test]
    fn names_keep_the_order_of_writing() {
        let dir = tempfile::tempdir().unwrap();
        let mut begun_in_order = Vec::new();
        for at in ["12:00:00", "12:00:00", "11:00:00", "11:00:01", "12:00:01"] {
            let at = parse_time(&format!("2026-03-01T{at}Z")).unwrap();
            begun_in_order.push(Segment::begin(dir.path(), at, "").unwrap().path);
        }
        fs::create_dir(dir.path().join("notes")).unwrap();
        assert_eq!(all(dir.path()).unwrap(), begun_in_order);
        let noon = parse_time("2026-03-01T12:00:00Z");
        assert_eq!(begun(&begun_in_order[2]), noon, "set back, and not older than those before");
    }

    #[test]
    fn a_body_is_there_once_and_taken_over_from_older_segments() {
        let dir = tempfile::tempdir().unwrap();
        let at = parse_time("2026-03-01T12:00:00Z").unwrap();
        let mut first = Segment::begin(dir.path(), at, "").unwrap();
        first.put_body(7, b"body").unwrap();
        let size = first.size();
        first.put_body(7, b"body").unwrap();
        assert_eq!(first.size(), size);
        let mut second = Segment::begin(dir.path(), at, "").unwrap();
        assert!(second.take_over(7, std::slice::from_ref(&first.path)));
        assert!(!second.take_over(8, std::slice::from_ref(&first.path)));
        fs::remove_dir_all(&first.path).unwrap();
        assert!(second.has(7), "it does not depend on the one before");
    }
}
