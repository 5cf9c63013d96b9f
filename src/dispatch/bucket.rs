//! The rate of a channel. Pure: the caller passes the time.

use std::time::{Duration, Instant};

use statuswatch_notify::Limits;

/// A token bucket.
pub(super) struct Bucket {
    pace: Option<(f64, f64)>,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Creates a full bucket for the pace of these limits, if they have one.
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let pace = limits
            .pace
            .map(|pace| (1.0 / pace.every.as_secs_f64().max(0.001), f64::from(pace.burst.max(1))));
        Self { pace, tokens: pace.map_or(0.0, |(_, burst)| burst), at: now }
    }

    fn tokens(&self, now: Instant) -> f64 {
        let Some((rate, burst)) = self.pace else { return f64::MAX };
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + passed * rate).min(burst)
    }

    /// Returns how long to wait for a token; `None`: there is one.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let (rate, _) = self.pace?;
        let missing = 1.0 - self.tokens(now);
        (missing > 1e-6).then(|| Duration::from_secs_f64(missing / rate))
    }

    /// Takes a token.
    pub(super) fn take(&mut self, now: Instant) {
        if self.pace.is_some() {
            self.tokens = self.tokens(now) - 1.0;
            self.at = now;
        }
    }
}
