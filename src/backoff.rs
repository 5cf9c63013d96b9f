//! Exponential backoff with jitter: how long to wait before the next attempt after a number of
//! failures.

use std::time::Duration;

/// Largest deviation of the jitter from the plain delay, in either direction.
const JITTER: f64 = 0.2;

/// Delays that double from `initial` up to `max`. Each gets ±20 % jitter so that clients that
/// failed together do not retry together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExponentialBackoff {
    /// The first delay, before jitter.
    pub initial: Duration,
    /// The longest delay, before jitter.
    pub max: Duration,
}

impl ExponentialBackoff {
    /// Creates a backoff with delays from `initial` to `max`.
    #[must_use]
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// Returns the delay after `n` previous delays, without jitter: `initial`·2ⁿ, at most `max`.
    #[must_use]
    pub fn plain(&self, n: u32) -> Duration {
        let factor = 1_u32.checked_shl(n).unwrap_or(u32::MAX);
        self.initial.saturating_mul(factor).min(self.max)
    }

    /// Returns the delay after `n` previous delays, within ±20 % of the plain delay.
    #[must_use]
    pub fn delay(&self, n: u32, rng: &mut fastrand::Rng) -> Duration {
        let factor = 1.0 - JITTER + 2.0 * JITTER * rng.f64();
        Duration::try_from_secs_f64(self.plain(n).as_secs_f64() * factor).unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let backoff = ExponentialBackoff::new(Duration::from_secs(1), Duration::from_secs(8));
        let plain: Vec<u64> = (0..6).map(|n| backoff.plain(n).as_secs()).collect();
        assert_eq!(plain, [1, 2, 4, 8, 8, 8]);
        assert_eq!(backoff.plain(u32::MAX).as_secs(), 8);
    }

    #[test]
    fn jitter_spreads() {
        let backoff = ExponentialBackoff::new(Duration::from_secs(10), Duration::from_secs(10));
        let mut rng = fastrand::Rng::with_seed(7);
        let delays: Vec<f64> =
            (0..1000).map(|_| backoff.delay(0, &mut rng).as_secs_f64()).collect();
        assert!(delays.iter().any(|d| *d < 8.4) && delays.iter().any(|d| *d > 11.6));
    }

    proptest! {
        #[test]
        fn always_near_the_plain_delay(initial in 0u64..10_000_000, max in 0u64..100_000_000, n: u32, seed: u64) {
            let backoff = ExponentialBackoff::new(Duration::from_millis(initial), Duration::from_millis(max));
            let plain = backoff.plain(n).as_secs_f64();
            let delay = backoff.delay(n, &mut fastrand::Rng::with_seed(seed)).as_secs_f64();
            prop_assert!(plain <= backoff.max.as_secs_f64());
            prop_assert!(delay >= plain * 0.8 - 1e-6 && delay <= plain * 1.2 + 1e-6);
            prop_assert!(backoff.plain(n) <= backoff.plain(n.saturating_add(1)));
        }

        #[test]
        fn equal_seeds_give_equal_delays(n in 0u32..40, seed: u64) {
            let backoff = ExponentialBackoff::new(Duration::from_millis(200), Duration::from_mins(10));
            let one = backoff.delay(n, &mut fastrand::Rng::with_seed(seed));
            prop_assert_eq!(one, backoff.delay(n, &mut fastrand::Rng::with_seed(seed)));
        }
    }
}
