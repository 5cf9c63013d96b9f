//! Bodies on disk: one gzip file each, named by a hash of its contents.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::xxh3_128;

/// The folder of bodies, below the directory of an index.
pub(super) const FOLDER: &str = "bodies";

/// The name of a body while it is written.
const UNFINISHED: &str = "unfinished";

/// Upper limit for a body: the largest value of `max_body`.
const LARGEST: u64 = 64 << 20;

/// Why a body cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is not below the directory of the index.
    #[error("{0} is not a file of the recording")]
    Outside(String),
    /// It is missing, truncated or not a gzip file.
    #[error("cannot read {name}: {error}")]
    Unreadable {
        /// The file name, as the line gives it.
        name: String,
        /// The cause.
        error: io::Error,
    },
    /// It is too large.
    #[error("{0} is larger than 64 MiB")]
    TooLarge(String),
    /// Its contents do not match its name.
    #[error("{0} is damaged: its contents do not match its name")]
    Damaged(String),
}

/// Returns the file name of a body with this hash, relative to the directory of the index.
pub(super) fn name(hash: u128) -> String {
    format!("{FOLDER}/{hash:032x}.gz")
}

/// Returns the hash in the name of a body that a recorder wrote.
pub(super) fn hash_in(name: &str) -> Option<u128> {
    let digits = name.strip_prefix(FOLDER)?.strip_prefix('/')?.strip_suffix(".gz")?;
    (digits.len() == 32).then(|| u128::from_str_radix(digits, 16).ok()).flatten()
}

/// Writes a body atomically. Returns its size on disk in bytes.
pub(super) fn write(dir: &Path, hash: u128, body: &[u8]) -> io::Result<u64> {
    let unfinished = dir.join(FOLDER).join(UNFINISHED);
    let written = File::create(&unfinished).and_then(|file| {
        let mut encoder = GzEncoder::new(file, Compression::new(5));
        encoder.write_all(body)?;
        encoder.finish()?;
        let size = size(&unfinished);
        fs::rename(&unfinished, dir.join(name(hash)))?;
        Ok(size)
    });
    if written.is_err() {
        // It may not have been created at all.
        drop(fs::remove_file(&unfinished));
    }
    written
}

/// Returns the size of a file on disk in bytes; 0 if it does not exist.
pub(super) fn size(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks() * 512)
}

/// Reads the body `name` of the index in `dir`.
///
/// # Errors
///
/// Returns an error if the body is missing, incomplete, too large, or outside of `dir`: a recording
/// may come from an untrusted source.
pub fn read(dir: &Path, name: &str) -> Result<Bytes, BodyError> {
    let unreadable = |error| BodyError::Unreadable { name: name.to_owned(), error };
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let path = dir.join(relative);
    let inside = || -> io::Result<bool> {
        let (path, dir) = (path.canonicalize()?, dir.canonicalize()?);
        // Neither a pipe, which might never end, nor a device.
        Ok(path.starts_with(dir) && fs::metadata(&path)?.is_file())
    };
    if !plain || !inside().map_err(unreadable)? {
        return Err(BodyError::Outside(name.to_owned()));
    }
    let file = BufReader::new(File::open(&path).map_err(unreadable)?);
    let mut body = Vec::new();
    let read = if relative.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file).take(LARGEST + 1).read_to_end(&mut body)
    } else {
        file.take(LARGEST + 1).read_to_end(&mut body)
    };
    read.map_err(unreadable)?;
    if body.len() as u64 > LARGEST {
        return Err(BodyError::TooLarge(name.to_owned()));
    }
    if hash_in(name).is_some_and(|hash| hash != xxh3_128(&body)) {
        return Err(BodyError::Damaged(name.to_owned()));
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        dir
    }

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_is_not() {
        let dir = folder();
        let body = b"{\"page\": 1}".repeat(100);
        let hash = xxh3_128(&body);
        assert!(write(dir.path(), hash, &body).unwrap() > 0);
        let name = name(hash);
        assert_eq!(hash_in(&name), Some(hash));
        assert_eq!(read(dir.path(), &name).unwrap(), body);

        let path = dir.path().join(&name);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(read(dir.path(), &name).is_err(), "{cut} bytes of it");
        }
        write(dir.path(), hash, b"another").unwrap();
        assert!(matches!(read(dir.path(), &name), Err(BodyError::Damaged(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(read(dir.path(), &name), Err(BodyError::Unreadable { .. })));
    }

    #[test]
    fn nothing_outside_of_the_recording_is_read() {
        let (dir, other) = (folder(), tempfile::tempdir().unwrap());
        let outside = other.path().join("passwd");
        fs::write(&outside, "root").unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(other.path(), dir.path().join("folder")).unwrap();
        for name in
            ["../passwd", "/etc/passwd", "link", "folder/passwd", "bodies/../link", "bodies"]
        {
            assert!(matches!(read(dir.path(), name), Err(BodyError::Outside(_))), "{name}");
        }
        fs::write(dir.path().join("01.json"), "{}").unwrap();
        assert_eq!(read(dir.path(), "01.json").unwrap(), "{}");
    }
}
