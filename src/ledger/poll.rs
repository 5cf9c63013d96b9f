//! A poll result next to what is known of its provider.

use super::known::ProviderState;
use super::messages::Record;
use crate::event::Time;

/// A poll result, and how it relates to what is known of its provider.
pub(super) struct Poll<'a> {
    /// The result, with each maintenance in the status its window implies.
    pub(super) message: &'a Record,
    /// What is known of the provider.
    pub(super) state: &'a ProviderState,
    /// Whether the provider was read by another source before.
    pub(super) new_source: bool,
    /// Whether it was read by another version of the source before.
    pub(super) reread: bool,
    /// Whether it is read for the first time.
    pub(super) first_run: bool,
    /// When it was first read.
    pub(super) watched_since: Time,
}

impl<'a> Poll<'a> {
    pub(super) fn of(message: &'a Record, state: &'a ProviderState) -> Self {
        let source = message.source();
        let new_source = state.source.as_deref().is_some_and(|former| former != source)
            && state.baseline_at.is_some();
        let version = message.checkpoint.binding.as_ref().map(|binding| binding.version);
        Self {
            message,
            state,
            new_source,
            reread: !new_source
                && state.source_version.is_some()
                && state.source_version != version,
            first_run: state.baseline_at.is_none(),
            watched_since: state.baseline_at.unwrap_or(message.observed_at),
        }
    }
}
