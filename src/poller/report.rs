//! Takes the outcome of a poll to the ledger.

use std::sync::Arc;

use super::context::PollerContext;
use super::cycle::PollOutcome;
use super::error::PollError;
use super::filters::{Unmatched, unmatched};
use crate::config::Provider;
use crate::event::Time;
use crate::lease::Term;
use crate::ledger::{Checkpoint, LedgerError, Record, Recorded, Verdict};
use crate::metrics::Outcome;

/// What a report needs of its poller.
pub(super) struct Reporter {
    pub(super) shared: Arc<PollerContext>,
    pub(super) provider: Arc<Provider>,
    pub(super) generation: u64,
    /// The term of the lease in which the poll began.
    pub(super) term: Term,
    /// The best estimate of the next poll before the ledger has answered.
    pub(super) next: Time,
    /// Whether 304 is trusted from now on: since when it was wrong, and until when requests are
    /// unconditional.
    pub(super) trusted: (Option<Time>, Option<Time>),
    /// The same if this poll has shown that the server denied a change.
    pub(super) denied: (Option<Time>, Option<Time>),
}

/// The outcome of a poll, once the ledger has answered.
pub(super) enum Reported {
    Unchanged {
        validators: Option<crate::fetch::Validators>,
        sidecars: Vec<crate::ledger::Sidecar>,
        full: bool,
    },
    Recorded {
        recorded: Recorded,
        checkpoint: Box<Checkpoint>,
        moved_to: Option<url::Url>,
        unmatched: Vec<Unmatched>,
        denied: bool,
    },
    Unrecorded(LedgerError),
    /// The lease ended during the poll: others may have polled and reported the same.
    Void,
    Failed(PollError),
}

impl Reported {
    /// Returns how the poll is counted.
    pub(super) const fn outcome(&self) -> Outcome {
        match self {
            Self::Unchanged { .. } => Outcome::Unchanged,
            Self::Recorded { recorded: Recorded { verdict: Verdict::Stale, .. }, .. } => {
                Outcome::Stale
            }
            Self::Recorded {
                recorded: Recorded { verdict: Verdict::WrongTenant { .. }, .. },
                ..
            }
            | Self::Failed(_) => Outcome::Failed,
            Self::Recorded { .. } => Outcome::Read,
            Self::Unrecorded(_) | Self::Void => Outcome::Unrecorded,
        }
    }
}

/// Reports the outcome of a poll to the ledger, and awaits the answer where the result must not be
/// lost.
pub(super) async fn report(reporter: Reporter, outcome: PollOutcome) -> Reported {
    let Reporter { shared, provider, generation, term, next, trusted, denied: found_out } =
        reporter;
    if !shared.client.lease().holds(term) {
        return Reported::Void;
    }
    match outcome {
        PollOutcome::Unchanged { validators, sidecars, full } => {
            Reported::Unchanged { validators, sidecars, full }
        }
        PollOutcome::Failed(error) => Reported::Failed(error),
        PollOutcome::Read {
            snapshot,
            mut checkpoint,
            complete,
            moved_to,
            denied,
            parse_permit,
        } => {
            if snapshot.page.id.is_some() && snapshot.page.id == shared.own_page {
                // It would report its own reports, each time with another id.
                let reason = "the page is this statuswatch's own: it must not watch itself";
                return Reported::Failed(PollError::document("own_page", reason));
            }
            checkpoint.next_poll_at = Some(next);
            checkpoint.full_at = Some(crate::clock::now());
            (checkpoint.false_304_at, checkpoint.unconditional_until) =
                if denied { found_out } else { trusted };
            for rejected in snapshot.rejected.iter().take(5) {
                tracing::info!(provider = provider.id, rejected, "skipped an unusable item");
            }
            if let Some(warning) = snapshot.unread_times.warning() {
                tracing::info!(provider = provider.id, "{warning}");
            }
            let unmatched = unmatched(&provider.filter, &snapshot);
            let observed_at = crate::clock::now();
            let record = Record {
                provider,
                generation,
                snapshot,
                checkpoint: (*checkpoint).clone(),
                complete,
                observed_at,
            };
            let answer = shared.ledger.ask(record).await;
            drop(parse_permit);
            match answer {
                Ok(recorded) => {
                    Reported::Recorded { recorded, checkpoint, moved_to, unmatched, denied }
                }
                Err(error) => Reported::Unrecorded(error),
            }
        }
    }
}
