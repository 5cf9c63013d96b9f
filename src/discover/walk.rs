//! Finds the files that may say something, within bounds, and reads them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::finding::Finding;
use super::scan::{is_evidence, scan};

/// Directories of what others wrote, or of what is generated.
const SKIPPED: &[&str] = &[
    "node_modules",
    "vendor",
    "target",
    ".git",
    ".hg",
    ".svn",
    ".terraform",
    ".venv",
    "venv",
    "__pycache__",
    ".next",
    ".tox",
];

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a file; larger ones are skipped.
    pub file: u64,
    /// Bytes of all files that are read.
    pub bytes: u64,
    /// Entries of all directories.
    pub entries: usize,
    /// Directories within each other.
    pub depth: usize,
    /// For everything.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 5 << 20,
            bytes: 512 << 20,
            entries: 500_000,
            depth: 32,
            time: Duration::from_secs(30),
        }
    }
}

/// What was found, and what was not looked at.
#[derive(Debug, Default)]
pub struct Scanned {
    /// The files with findings: their path relative to the directory, with `/`.
    pub files: Vec<(String, Vec<Finding>)>,
    /// Number of files that were read.
    pub read: usize,
    /// Files that may say something and were not read, with the reason.
    pub skipped: Vec<(String, &'static str)>,
    /// Why the walk ended early, if it did.
    pub incomplete: Option<&'static str>,
}

/// The directory cannot be scanned.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// It is missing, not a directory, or not readable.
    #[error("cannot read the directory {}", .path.display())]
    Directory {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Scans the files below `root` in the order of their names. Follows no symbolic link but `root`
/// itself, and opens regular files only.
pub fn walk(root: &Path, limits: &Limits) -> Result<Scanned, WalkError> {
    let unreadable = |source| WalkError::Directory { path: root.to_owned(), source };
    fs::read_dir(root).map_err(unreadable)?;
    let mut scanned = Scanned::default();
    let mut walk = Walk { limits, until: Instant::now() + limits.time, entries: 0, bytes: 0 };
    // Directories that are still to be read, the next one last.
    let mut waiting = vec![(root.to_owned(), String::new(), 0)];
    while let Some((dir, prefix, depth)) = waiting.pop() {
        if let Some(why) = walk.directory(&dir, &prefix, depth, &mut waiting, &mut scanned) {
            scanned.incomplete = Some(why);
            break;
        }
    }
    Ok(scanned)
}

struct Walk<'l> {
    limits: &'l Limits,
    until: Instant,
    entries: usize,
    bytes: u64,
}

impl Walk<'_> {
    /// Reads the files of one directory; returns why the walk must end.
    fn directory(
        &mut self,
        dir: &Path,
        prefix: &str,
        depth: usize,
        waiting: &mut Vec<(PathBuf, String, usize)>,
        scanned: &mut Scanned,
    ) -> Option<&'static str> {
        let Ok(entries) = fs::read_dir(dir) else {
            scanned.skipped.push((prefix.to_owned(), "the directory cannot be read"));
            return None;
        };
        let mut names = Vec::new();
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Some("it has too many files");
            }
            // Of the entry itself: links are neither.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() || kind.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                names.push((name, kind.is_dir(), entry.path()));
            }
        }
        names.sort();
        let mut directories = Vec::new();
        for (name, is_dir, path) in names {
            if Instant::now() > self.until {
                return Some("it takes too long");
            }
            let relative = format!("{prefix}{name}");
            if is_dir {
                if SKIPPED.contains(&name.to_lowercase().as_str()) {
                    continue;
                }
                if depth + 1 >= self.limits.depth {
                    scanned.skipped.push((relative, "it is nested too deeply"));
                    continue;
                }
                directories.push((path, format!("{relative}/"), depth + 1));
            } else if is_evidence(&relative) {
                match self.read(&path) {
                    Ok(text) => {
                        scanned.read += 1;
                        let found = scan(&relative, &text);
                        if !found.is_empty() {
                            scanned.files.push((relative, found));
                        }
                    }
                    Err(why) => scanned.skipped.push((relative, why)),
                }
                if self.bytes > self.limits.bytes {
                    return Some("it has too many bytes");
                }
            }
        }
        waiting.extend(directories.into_iter().rev());
        None
    }

    /// The text of a file; bytes that are not UTF-8 are replaced.
    fn read(&mut self, path: &Path) -> Result<String, &'static str> {
        const UNREADABLE: &str = "it cannot be read";
        let file = open(path).map_err(|_| UNREADABLE)?;
        // The file may have been replaced since the directory was read.
        let metadata = file.metadata().map_err(|_| UNREADABLE)?;
        if !metadata.is_file() {
            return Err("it is not a regular file");
        }
        let mut bytes = Vec::new();
        let limit = self.limits.file;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|_| UNREADABLE)?;
        self.bytes += bytes.len() as u64;
        if bytes.len() as u64 > limit {
            return Err("it is too large");
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Opens a file, but no link, and without waiting for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}
