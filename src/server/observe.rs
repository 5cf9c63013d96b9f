//! What others see of a provider: an error rate of their own requests, kept for a while next to what
//! the provider says of itself, so that "we see errors, they say operational" is one line.
//!
//! It is kept in memory only: after a restart the next observation brings it back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::event::{ComponentStatus, Time, format_time};
use crate::view::status::ProviderView;

/// How long an observation counts.
const KEEP: Duration = Duration::from_mins(15);
/// An error rate from which on requests are failing, and not just a few of many.
const ERRORS: f64 = 0.01;

/// An error rate that a client sees of a provider.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Observed {
    /// The provider's id.
    provider: String,
    /// The share of requests that fail: 0 to 1.
    pub(super) error_rate: f64,
    /// When it was reported.
    at: String,
    /// The provider's own state; `unknown` unless it is fresh.
    status: ComponentStatus,
    /// Whether errors are seen, at least 1 %, while the provider says it is operational.
    pub(super) disagrees: bool,
}

#[derive(Debug)]
struct Observation {
    error_rate: f64,
    at: Time,
    since: Instant,
}

/// The last observation of each provider.
#[derive(Debug, Default)]
pub(crate) struct Observations(Mutex<HashMap<String, Observation>>);

impl Observations {
    /// Keeps an observation in place of the provider's last one. The caller knows the provider: so
    /// there are at most as many as providers.
    pub(super) fn keep(&self, provider: &str, error_rate: f64, at: Time, since: Instant) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, one| since.saturating_duration_since(one.since) < KEEP);
        kept.insert(provider.to_owned(), Observation { error_rate, at, since });
    }

    /// Returns the observation of a provider that still counts at `now`.
    pub(super) fn of(&self, provider: &ProviderView, now: Instant) -> Option<Observed> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = kept.get(&provider.id)?;
        let counts = now.saturating_duration_since(one.since) < KEEP;
        counts.then(|| Observed {
            provider: provider.id.clone(),
            error_rate: one.error_rate,
            at: format_time(one.at),
            status: provider.status,
            disagrees: one.error_rate >= ERRORS && provider.status == ComponentStatus::Operational,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Impact;
    use crate::view::status::tests::{now, row};
    use crate::view::status::view;

    #[test]
    fn errors_disagree_with_a_provider_that_says_it_is_well_for_a_quarter_of_an_hour() {
        let fresh = Some("2026-02-23T11:59:00Z");
        let rows =
            [row("acme", Some(Impact::None), fresh), row("down", Some(Impact::Major), fresh)];
        let view = view(&rows, &[], &[], now());
        let [acme, down] = &view.providers[..] else { panic!() };
        let (kept, begun) = (Observations::default(), Instant::now());
        assert_eq!(kept.of(acme, begun), None);
        for (rate, disagrees) in [(0.0, false), (0.009, false), (0.01, true), (1.0, true)] {
            kept.keep("acme", rate, now(), begun);
            kept.keep("down", rate, now(), begun);
            assert_eq!(kept.of(acme, begun).unwrap().disagrees, disagrees, "{rate}");
            assert!(!kept.of(down, begun).unwrap().disagrees, "{rate}");
        }
        assert!(kept.of(acme, begun + (KEEP.saturating_sub(Duration::from_secs(1)))).is_some());
        assert_eq!(kept.of(acme, begun + KEEP), None);
        kept.keep("down", 0.5, now(), begun + KEEP);
        assert_eq!(kept.0.lock().unwrap().len(), 1, "what does not count is not kept");
    }
}
