//! What the event log stores with its cursor: where its file ended, and a hash of the bytes before
//! that offset. The file is identified by these and never by its inode, so a restored copy is still
//! our file.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

/// How many bytes before the end are hashed: more than any two lines have in common.
pub(super) const TAIL: usize = 256;

/// A file sink's memory, stored by the ledger as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The end of the file after the last delivery.
    pub(super) offset: u64,
    /// Hash of up to [`TAIL`] bytes before `offset`.
    pub(super) tail: String,
    /// The number in the file's name once it is rotated.
    pub(super) generation: u64,
    /// When its first line was written, in seconds since 1970; null for an empty file.
    pub(super) first_write: Option<i64>,
}

impl Memory {
    /// Parses what an earlier run stored; `None` if it cannot be read.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        serde_json::from_str(text?).ok()
    }

    /// Serializes the memory for the ledger.
    pub(super) fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

/// Returns the hash of the last bytes before an offset.
pub(super) fn tail_hash(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(TAIL);
    format!("{:032x}", xxh3_128(bytes.get(start..).unwrap_or_default()))
}
