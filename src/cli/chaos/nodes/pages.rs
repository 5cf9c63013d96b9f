//! The pages that the nodes poll, and what changes on them.

use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::Mutex;

use super::judge::{Ms, Span};
use crate::clock;
use crate::event::{Impact, IncidentStatus};
use crate::fake::{Fault, Posted, Universe};

/// One page in so many answers slowly.
const SLOW: usize = 8;

/// How long the answers of slow pages take, in milliseconds.
const DELAYS: std::ops::Range<u64> = 200..1_500;

/// From one change to the next, in milliseconds.
const PAUSES: std::ops::Range<u64> = 50..450;

/// Incidents that are open at once, at most.
const OPEN: usize = 60;

/// Updates of an incident before it is resolved.
const UPDATES: usize = 6;

/// How often the machine is looked at.
const TICK: Duration = Duration::from_millis(20);

/// What comes so long after the last time is a stall.
const STALL: Ms = 45;

/// Changes pages, every time with a text of its own.
pub(super) struct Author {
    rng: Rng,
    open: Vec<(usize, Vec<Posted>)>,
    written: u64,
}

impl Author {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), open: Vec::new(), written: 0 }
    }

    /// Makes some of the pages slow.
    pub(super) fn slow_down(&mut self, universe: &Universe) {
        for provider in universe.providers().iter().step_by(SLOW) {
            let delay = Duration::from_millis(self.rng.u64(DELAYS));
            provider.behave(|behaviour| behaviour.delay = delay);
        }
    }

    /// Changes pages until the process ends; whoever holds the lock stops it meanwhile.
    pub(super) async fn write(author: Arc<Mutex<Self>>, universe: Arc<Universe>) {
        loop {
            let pause = {
                let mut author = author.lock().await;
                author.act(&universe);
                author.rng.u64(PAUSES)
            };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    fn act(&mut self, universe: &Universe) {
        self.written += 1;
        let text = format!("Note {} of the day: we are on it.", self.written);
        let what = self.rng.u8(0..20);
        let providers = universe.providers();
        if self.open.len() < 6 || (what < 4 && self.open.len() < OPEN) {
            let place = self.rng.usize(0..providers.len().max(1));
            let Some(provider) = providers.get(place) else { return };
            let title = format!("Problem {}", self.written);
            let posted = universe.open_incident(provider, &title, Impact::Minor, &[], &text);
            return self.open.push((place, vec![posted]));
        }
        let slot = self.rng.usize(0..self.open.len());
        let Some((place, posted)) = self.open.get_mut(slot) else { return };
        let (Some(provider), Some(newest)) = (providers.get(*place), posted.last().copied()) else {
            return;
        };
        match what {
            5 => drop(universe.edit(provider, newest, &format!("{text} Corrected."))),
            6 => {
                let faults =
                    [Fault::Reset, Fault::Truncated, Fault::Empty, Fault::Status(503, None)];
                if let Some(fault) = self.rng.choice(faults) {
                    provider.fault_next(1, fault);
                }
            }
            7 => drop(provider.set_impact(newest.incident, Impact::Major)),
            _ if posted.len() >= UPDATES => {
                universe.update(provider, newest.incident, IncidentStatus::Resolved, &text);
                self.open.swap_remove(slot);
            }
            _ => {
                let status = if posted.len().is_multiple_of(2) {
                    IncidentStatus::Identified
                } else {
                    IncidentStatus::Monitoring
                };
                posted.extend(universe.update(provider, newest.incident, status, &text));
            }
        }
    }
}

/// Returns the present time.
pub(super) fn now() -> Ms {
    clock::now().timestamp_millis()
}

/// Notes when the runtime that it is on had no time for its tasks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    stalls: Lock<Vec<Span>>,
}

impl Watch {
    /// Watches until the process ends.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut last = now();
        loop {
            tokio::time::sleep(TICK).await;
            let at = now();
            if at - last > STALL {
                let mut stalls = self.stalls.lock().unwrap_or_else(PoisonError::into_inner);
                stalls.push(Span { from: last, to: at });
            }
            last = at;
        }
    }

    /// Returns what was noted so far.
    pub(super) fn stalls(&self) -> Vec<Span> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
