//! Decides when a child that ended is restarted. Pure: the time is passed in.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::ExponentialBackoff;
use crate::config::Supervision;

/// The recent restarts of one child.
#[derive(Debug, Default, Clone)]
pub struct Restarts {
    recent: VecDeque<Instant>,
    in_a_row: u32,
}

/// What to do about a child that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Restart it after this delay.
    After(Duration),
    /// More restarts than the intensity allows: restart it after the longest delay, and report it.
    Park(Duration),
}

impl Restarts {
    /// Decides about a child that ended at `now` after running for `ran`.
    pub fn ended(
        &mut self,
        now: Instant,
        ran: Duration,
        policy: &Supervision,
        rng: &mut fastrand::Rng,
    ) -> Decision {
        let intensity = policy.intensity;
        let growing =
            ExponentialBackoff::new(policy.restart_backoff.initial, policy.restart_backoff.max);
        if ran > intensity.within {
            self.in_a_row = 0;
            self.recent.clear();
        }
        self.recent.retain(|&at| now.saturating_duration_since(at) < intensity.within);
        self.recent.push_back(now);
        let delay = growing.delay(self.in_a_row, rng);
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.recent.len() > intensity.restarts as usize {
            self.recent.pop_front();
            Decision::Park(growing.max)
        } else {
            Decision::After(delay)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_too_many_park() {
        let policy = Supervision::default();
        let (mut restarts, mut rng) = (Restarts::default(), fastrand::Rng::with_seed(7));
        let start = Instant::now();
        let mut delays = Vec::new();
        for n in 0..5 {
            match restarts.ended(
                start + Duration::from_secs(n),
                Duration::from_millis(1),
                &policy,
                &mut rng,
            ) {
                Decision::After(delay) => delays.push(delay.as_secs_f64()),
                Decision::Park(_) => panic!("too early"),
            }
        }
        for (delay, plain) in delays.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0]) {
            assert!((plain * 0.8..=plain * 1.2).contains(delay), "{delay} {plain}");
        }
        let parked =
            restarts.ended(start + Duration::from_secs(6), Duration::ZERO, &policy, &mut rng);
        assert_eq!(parked, Decision::Park(Duration::from_mins(5)));
        // A long healthy run resets the backoff.
        let after = restarts.ended(
            start + Duration::from_mins(15),
            Duration::from_mins(10),
            &policy,
            &mut rng,
        );
        assert!(matches!(after, Decision::After(delay) if delay < Duration::from_secs(1)));
    }
}
