//! Judges a job with the book of its provider.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::book::{Book, Change};
use super::job::{Done, Job};
use super::post_commit::PostCommit;
use super::watched::Watched;
use super::{commit, min_duration, offline, provider_events};
use crate::clock;

impl Job {
    /// Writes the job to the book, and catches a panic. May be called again after a rollback.
    pub(super) fn judge(
        &self,
        book: &mut dyn Book,
        watched: &mut HashMap<String, Watched>,
    ) -> Done {
        catch_unwind(AssertUnwindSafe(|| self.run(book, watched)))
            .unwrap_or_else(|panic| Done::Panicked(panic_text(&*panic)))
    }

    fn run(&self, book: &mut dyn Book, watched: &mut HashMap<String, Watched>) -> Done {
        match self {
            Self::Record(message, _) => {
                let known = watched.get(&message.provider.id);
                let mut post_commit = PostCommit {
                    held_since: known.and_then(|watched| watched.held_since),
                    ..PostCommit::default()
                };
                let result = commit::record(book, &mut post_commit, message);
                Done::Record(result, post_commit)
            }
            Self::Failed(message, _) => {
                if let Some(watched) = watched.get_mut(&message.provider.id) {
                    watched.last_error = Some(message.reason.clone());
                }
                Done::Unit(book.put(Change::Failed(message)))
            }
            Self::Delivered(message, _) => {
                Done::Unit(book.put(Change::Delivered(message, clock::now())))
            }
            Self::Outbox(changes, _) => {
                Done::Unit(changes.iter().try_for_each(|change| book.put(Change::Outbox(change))))
            }
            Self::Restarted(message) => Done::unanswered(book.put(Change::Restarted(message))),
            Self::SinkHealth(message) => Done::unanswered(book.put(Change::SinkHealth(message))),
            Self::Reachable(id) => Self::reach(book, watched, id, true, None),
            Self::Unreachable(id, others) => {
                Self::reach(book, watched, id, false, others.as_deref())
            }
            Self::Settle(id, at) => {
                let Some(Watched { provider, .. }) = watched.get(id) else {
                    return Done::None;
                };
                min_duration::settle(book, provider, *at)
                    .map_or(Done::Dropped, |since| Done::Settled(id.clone(), since))
            }
            Self::Network(change) => {
                offline::record(book, change).map_or(Done::Dropped, |()| Done::Network)
            }
        }
    }

    fn reach(
        book: &mut dyn Book,
        watched: &HashMap<String, Watched>,
        id: &str,
        reachable: bool,
        others: Option<&str>,
    ) -> Done {
        let Some(entry) = watched.get(id) else {
            return Done::None;
        };
        let why = if reachable {
            None
        } else {
            let why = entry.last_error.as_deref().unwrap_or("no poll has finished");
            Some(others.map_or_else(|| why.to_owned(), |others| format!("{why}\n{others}")))
        };
        let emitted = book.state().and_then(|state| {
            if state.unreachable != reachable {
                // Another job of this transaction, or the last poll, has already reported it.
                return Ok(false);
            }
            provider_events::reachability(
                book,
                &entry.provider,
                &state,
                reachable,
                why,
                clock::now(),
            )
        });
        emitted.map_or(Done::Dropped, |_| Done::Reach(id.to_owned(), !reachable))
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").chars().take(300).collect()
}
