//! What the recorder asks its writer to do.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use serde_json::Value;

use super::line::Line;
use super::state::IndexedLine;
use crate::event::Time;

/// Requests to the writer.
pub(super) enum Job {
    /// A poll.
    Group(Box<Group>),
    /// The providers, as entries of `providers.yaml`.
    Declare(Time, Vec<Value>),
    /// The end, with the lines that are still pending.
    Finish(Time, Vec<Line>, SyncSender<()>),
}

/// The lines of one poll.
pub(super) struct Group {
    pub(super) provider: String,
    pub(super) at: Time,
    pub(super) quiet: Option<Line>,
    pub(super) lines: Vec<IndexedLine>,
    /// What must not appear in bodies.
    pub(super) secrets: Arc<Vec<Vec<u8>>>,
}

impl Job {
    /// Returns the size of its bodies in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let Self::Group(group) = self else { return 0 };
        let bodies = group.lines.iter().filter_map(|written| written.body.as_ref()?.bytes.as_ref());
        bodies.map(|bytes| bytes.len() as u64).sum()
    }
}
