//! Sinks that cannot write, such as the event log on a full disk: when others are notified.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::Setup;
use super::notice::{About, about};
use crate::event::Time;
use crate::ledger::outbox::OutboxChange;
use crate::ledger::{ROUTER, SinkRow};

/// A sink that fails again and again is announced once in this time.
const ANNOUNCED_EVERY: TimeDelta = TimeDelta::hours(1);

/// What is known of the sinks. Not stored: a sink that still fails after a restart is announced again,
/// as it is in the log.
#[derive(Debug, Default)]
pub(super) struct Sinks(HashMap<String, State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Since when it fails, if others were sent a notice of it.
    failing: Option<Time>,
    /// When they were last.
    announced: Option<Time>,
}

impl Sinks {
    /// Compares the sinks with what was known of them and returns the notices that follow.
    pub(super) fn look(&mut self, setup: &Setup, rows: &[SinkRow], now: Time) -> Vec<OutboxChange> {
        let mut news = Vec::new();
        // The dispatcher itself is one, whose channels have notices of their own.
        for row in rows.iter().filter(|row| row.id != ROUTER) {
            let state = self.0.entry(row.id.clone()).or_default();
            match (&row.failure, state.failing) {
                (Some(reason), None) => {
                    let is_quiet =
                        state.announced.is_some_and(|at| (now - at).abs() < ANNOUNCED_EVERY);
                    if !is_quiet {
                        *state = State { failing: Some(now), announced: Some(now) };
                        news.extend(about(setup, &row.id, About::SinkFails { reason }, now));
                    }
                }
                (None, Some(since)) => {
                    state.failing = None;
                    news.extend(about(setup, &row.id, About::SinkWorks { since }, now));
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

    fn row(failure: Option<&str>) -> SinkRow {
        SinkRow {
            id: "event_log.json".into(),
            seq: 7,
            behind: 0,
            failure: failure.map(str::to_owned),
            delivered_at: None,
        }
    }

    #[test]
    fn a_sink_that_fails_again_and_again_is_announced_once_an_hour() {
        let begin = parse_time("2026-02-23T10:00:00Z").unwrap();
        let mut sinks = Sinks::default();
        let mut announced = |minute, failure| {
            let now = begin + TimeDelta::minutes(minute);
            sinks.look(&Setup::default(), &[row(failure)], now);
            sinks.0["event_log.json"].failing.map(|since| (since - begin).num_minutes())
        };
        let full = Some("the disk is full");
        assert_eq!(announced(0, None), None);
        assert_eq!(announced(1, full), Some(1));
        assert_eq!(announced(9, full), Some(1));
        assert_eq!(announced(10, None), None);
        // Quiet, until an hour after the first time.
        assert_eq!(announced(20, full), None);
        assert_eq!(announced(60, full), None);
        assert_eq!(announced(61, full), Some(61));
        // The clock is set back by a day.
        assert_eq!(announced(62, None), None);
        assert_eq!(announced(-1_400, full), Some(-1_400));
    }

    #[test]
    fn the_dispatcher_is_no_sink_to_announce() {
        let mut sinks = Sinks::default();
        let own = SinkRow { id: ROUTER.to_owned(), ..row(Some("stopped")) };
        let now = parse_time("2026-02-23T10:00:00Z").unwrap();
        assert!(sinks.look(&Setup::default(), &[own], now).is_empty());
        assert!(sinks.0.is_empty());
    }
}
