//! State shared by all pollers, and conversions between the two clocks.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admission::Admission;
use super::filters::{ComparedFilters, Unmatched};
use super::parse_pool::ParsePool;
use crate::clock::Anchor;
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::Client;
use crate::ledger::Ledger;
use crate::metrics::Metrics;

/// State shared by all pollers.
pub struct PollerContext {
    /// The HTTP client.
    pub client: Client,
    /// Receives the results of polls.
    pub ledger: Ledger,
    /// Parses documents.
    pub parse_pool: ParsePool,
    /// Limits how much is in memory at once.
    pub admission: Admission,
    /// Which filters have been compared with their pages.
    pub filters: ComparedFilters,
    /// One moment on both clocks: schedules follow it, whatever the wall clock does later.
    pub anchor: Anchor,
    /// `run --once`: poll immediately, and only once.
    pub once: bool,
    /// The id of the status page that this process serves itself: a page with it is refused.
    pub own_page: Option<String>,
    /// Counts the polls.
    pub metrics: Arc<Metrics>,
    /// Receives the id of each provider whose first poll has ended.
    pub polled: Option<mpsc::UnboundedSender<String>>,
}

impl PollerContext {
    /// Warns of filter patterns that match nothing on the page, once each.
    pub(super) fn warn_unmatched(&self, provider: &Arc<Provider>, found: Vec<Unmatched>) {
        for pattern in self.filters.note(provider, found) {
            tracing::warn!(provider = provider.id, reason = %pattern, "check the provider's filter");
        }
    }

    /// Returns the current wall time according to the anchor.
    #[must_use]
    pub fn time(&self) -> Time {
        self.anchor.time_at(Instant::now())
    }

    /// Converts a time by the anchor to what the wall clock will show, for readers of the ledger
    /// and for the next process.
    pub(super) fn anchor_to_wall_clock(&self, at: Time) -> Time {
        let now = crate::clock::now();
        now.checked_add_signed(at - self.time()).unwrap_or(now)
    }

    /// Converts a wall-clock time to a time by the anchor; the inverse of [`Self::anchor_to_wall_clock`].
    pub(super) fn wall_clock_to_anchor(&self, at: Time) -> Time {
        let now = self.time();
        now.checked_add_signed(at - crate::clock::now()).unwrap_or(now)
    }
}
