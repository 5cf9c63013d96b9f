//! Error rates from a Prometheus server, kept as observations; see [`super::observe`].

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use crate::clock;
use crate::config::Prometheus;
use crate::event::{Time, format_time};
use crate::prometheus::{QueryError, Samples};

/// Asks once. Its end is the caller's: see [`crate::prometheus::ask`].
pub type Ask = Arc<
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<Samples, QueryError>> + Send>> + Send + Sync,
>;

/// Values of the label that are named because they are ids of no provider.
const UNKNOWN: usize = 5;

/// What came of asking Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct PrometheusAnswer {
    /// When it last answered; null if it has not yet.
    last_success: Option<String>,
    /// Since when it has not; null if it has.
    failing_since: Option<String>,
    /// Why it has not.
    error: Option<String>,
    /// For how many providers the last answer had a value.
    providers: usize,
    /// Values of the label in the last answer that are ids of no provider: the first five.
    unknown: Vec<String>,
    /// How many values of the last answer were not from 0 to 1, or had no such label.
    invalid: usize,
}

impl PrometheusAnswer {
    /// Returns since when it has not answered, and why, if it has not.
    pub(super) fn failure(&self) -> Option<(&str, &str)> {
        self.failing_since.as_deref().zip(self.error.as_deref())
    }
}

/// What is asked, and what came of it.
pub(crate) struct Asked {
    config: Prometheus,
    ask: Ask,
    last: Mutex<PrometheusAnswer>,
    /// Queries that were answered, and those that were not.
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Milliseconds since the epoch; 0: not yet.
    pub(super) last_success_ms: AtomicU64,
}

impl Asked {
    pub(super) fn new(config: Prometheus, ask: Ask) -> Self {
        Self {
            config,
            ask,
            last: Mutex::default(),
            answered: AtomicU64::default(),
            failed: AtomicU64::default(),
            last_success_ms: AtomicU64::default(),
        }
    }

    /// Returns what came of the last query.
    pub(super) fn answer(&self) -> PrometheusAnswer {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, error: &QueryError, now: Time) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.failing_since.is_none() {
            tracing::warn!(%error, "Prometheus gives no error rates");
            last.failing_since = Some(format_time(now));
        }
        last.error = Some(error.to_string());
    }

    fn succeeded(&self, answer: PrometheusAnswer, now: Time) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        let ms = now.timestamp_millis().max(0).unsigned_abs();
        self.last_success_ms.store(ms, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.failing_since.is_some() {
            tracing::warn!("Prometheus gives error rates again");
        }
        if answer.invalid > 0 && last.invalid == 0 {
            tracing::warn!(
                values = answer.invalid,
                "values of Prometheus are left out: they are not from 0 to 1, or lack the label"
            );
        }
        *last = answer;
    }
}

/// Asks as often as configured, until the server ends.
pub(super) async fn follow(app: Arc<App>) {
    let Some(asked) = &app.asked else { return };
    loop {
        let answer = (asked.ask)().await;
        let now = clock::now();
        match answer {
            Err(error) => asked.failed(&error, now),
            // Whether the ledger can be read, others say.
            Ok(samples) => {
                if let Ok(state) = app.model.state().await {
                    let known = |id: &str| {
                        let views = &state.view.providers;
                        views.binary_search_by(|view| view.id.as_str().cmp(id)).is_ok()
                    };
                    asked.succeeded(kept(&app, samples, &known, now), now);
                }
            }
        }
        tokio::time::sleep(asked.config.every).await;
    }
}

/// Keeps what is known of the providers that are watched.
fn kept(app: &App, samples: Samples, known: &dyn Fn(&str) -> bool, now: Time) -> PrometheusAnswer {
    let mut answer = PrometheusAnswer {
        last_success: Some(format_time(now)),
        invalid: samples.invalid,
        ..PrometheusAnswer::default()
    };
    let moment = Instant::now();
    for (id, share) in samples.shares {
        if known(&id) {
            app.observed.keep(&id, share, now, moment);
            answer.providers += 1;
        } else if answer.unknown.len() < UNKNOWN {
            answer.unknown.push(id);
        }
    }
    answer
}
