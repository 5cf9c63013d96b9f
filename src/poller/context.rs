//! What all pollers share, and the two clocks between which they translate.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::admission::Admission;
use super::filters::{Compared, Unmatched};
use super::parse_pool::ParsePool;
use crate::clock::Anchor;
use crate::config::Provider;
use crate::event::Time;
use crate::fetch::Client;
use crate::ledger::Ledger;

/// What all pollers share.
pub struct PollerContext {
    /// The HTTP client.
    pub client: Client,
    /// Where results go.
    pub ledger: Ledger,
    /// Where documents are parsed.
    pub reading: ParsePool,
    /// How much may be in memory at once.
    pub work: Admission,
    /// Which filters have been compared with their pages.
    pub filters: Compared,
    /// One moment on both clocks: schedules follow it, whatever the wall clock does later.
    pub anchor: Anchor,
    /// `run --once`: poll immediately, and only once.
    pub once: bool,
    /// Receives the id of each provider whose first poll has ended.
    pub polled: Option<mpsc::UnboundedSender<String>>,
}

impl PollerContext {
    /// Says what a filter names and the page does not have, each once.
    pub(super) fn tell_unmatched(&self, provider: &Arc<Provider>, found: Vec<Unmatched>) {
        for pattern in self.filters.note(provider, found) {
            tracing::warn!(provider = provider.id, reason = %pattern, "please check its filter");
        }
    }

    /// The wall time by the anchor.
    #[must_use]
    pub fn time(&self) -> Time {
        self.anchor.time_at(Instant::now())
    }

    /// What the wall clock will show at a time by the anchor: for those who read it there, and for
    /// the next process.
    pub(super) fn on_the_wall(&self, at: Time) -> Time {
        let now = crate::clock::now();
        now.checked_add_signed(at - self.time()).unwrap_or(now)
    }

    /// The way back.
    pub(super) fn by_the_anchor(&self, at: Time) -> Time {
        let now = self.time();
        now.checked_add_signed(at - crate::clock::now()).unwrap_or(now)
    }
}
