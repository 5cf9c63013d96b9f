//! State that the recorder and its writer share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use url::Url;

use super::address::secrets;
use super::job::Group;
use super::line::Line;
use super::state::{Addresses, IndexedLine, Seen};
use crate::config::Provider;
use crate::event::Time;

/// State shared by the recorder and its writer.
pub(super) struct Shared {
    pub(super) state: Mutex<HashMap<String, Watched>>,
    /// Counts segments: what was written in an older one is written again.
    pub(super) segment: AtomicU64,
    /// Bytes of bodies waiting to be written.
    pub(super) waiting: AtomicU64,
    /// Polls that were left out.
    pub(super) lost: AtomicU64,
}

/// A provider.
pub(super) struct Watched {
    pub(super) page: Url,
    pub(super) secrets: Arc<Vec<Vec<u8>>>,
    pub(super) addresses: Addresses,
    /// The poll in progress.
    pub(super) poll: Vec<Seen>,
    pub(super) began: Time,
    /// Distinguishes the lines of the last written poll from the next ones.
    pub(super) key: Time,
    /// Polls since the last line that brought nothing new, and when the last one was.
    pub(super) unchanged: u64,
    pub(super) unchanged_at: Time,
}

impl Watched {
    pub(super) fn new(provider: &Provider) -> Self {
        Self {
            page: provider.url.clone(),
            secrets: Arc::new(secrets(&provider.url)),
            addresses: Addresses::default(),
            poll: Vec::new(),
            began: Time::MIN_UTC,
            key: Time::MIN_UTC,
            unchanged: 0,
            unchanged_at: Time::MIN_UTC,
        }
    }

    /// Returns when the poll of `lines` began, if that must be stated: there are several lines, or
    /// the previous poll was within the same millisecond.
    pub(super) fn key_of(&mut self, lines: &[IndexedLine]) -> Option<Time> {
        let single = match lines {
            [IndexedLine { line, .. }] => line.at,
            _ => None,
        };
        let mut key = single.unwrap_or(self.began);
        let same = key == self.key;
        if same {
            key += chrono::Duration::milliseconds(1);
        }
        self.key = key;
        (same || single.is_none()).then_some(key)
    }

    /// Returns the line for the polls that brought nothing new, if there were any.
    pub(super) fn quiet(&mut self, provider: &str) -> Option<Line> {
        let polls = std::mem::take(&mut self.unchanged);
        (polls > 0).then(|| Line {
            at: Some(self.unchanged_at),
            provider: Some(provider.to_owned()),
            unchanged: Some(polls),
            ..Line::default()
        })
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<String, Watched>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What could not be written is treated as never seen.
    pub(super) fn give_up(&self, group: &Group) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        let Some(watched) = state.get_mut(&group.provider) else { return };
        for IndexedLine { line, .. } in &group.lines {
            if let Some(label) = &line.url {
                watched.addresses.forget(label);
            }
        }
    }
}
