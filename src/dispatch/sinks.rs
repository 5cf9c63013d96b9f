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
