//! What the ledger's actor knows of a configured provider.

use std::sync::Arc;
use std::time::Instant;

use crate::config::Provider;
use crate::event::Time;

/// A provider of the current configuration.
pub(super) struct Watched {
    pub(super) provider: Arc<Provider>,
    pub(super) generation: u64,
    /// The last successful poll, or the start.
    pub(super) fresh: Instant,
    /// The last successful poll during the lifetime of this process.
    pub(super) read: Option<Instant>,
    pub(super) unreachable: bool,
    pub(super) last_error: Option<String>,
    /// Since when the oldest unreported component change has been held back.
    pub(super) held_since: Option<Time>,
}
