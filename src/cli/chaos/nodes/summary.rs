//! What a run has come to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::judge::{Percentiles, Verdict};
use crate::cli::args::ChaosNodesArgs;

/// What a run has come to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// The seed.
    seed: u64,
    /// The number of providers.
    providers: u16,
    /// How often each thing was broken.
    rounds: BTreeMap<&'static str, u32>,
    /// What was found.
    pub(super) verdict: Verdict,
    /// Why it could not go on.
    pub(super) stopped: Option<String>,
}

impl Summary {
    pub(super) fn new(args: &ChaosNodesArgs) -> Self {
        Self {
            seed: args.seed,
            providers: args.providers,
            rounds: BTreeMap::new(),
            verdict: Verdict::default(),
            stopped: None,
        }
    }

    /// Counts a round.
    pub(super) fn count(&mut self, fault: &'static str) {
        *self.rounds.entry(fault).or_default() += 1;
    }

    /// How many events were recorded.
    pub(super) const fn events(&self) -> usize {
        self.verdict.figures.events
    }

    /// Whether every rule was kept to the end.
    pub(super) fn is_clean(&self) -> bool {
        self.stopped.is_none() && self.verdict.is_clean()
    }

    /// For a person.
    pub(super) fn text(&self) -> String {
        let all: u32 = self.rounds.values().sum();
        let rounds: Vec<String> =
            self.rounds.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let figures = &self.verdict.figures;
        let mut text = format!(
            "{all} rounds: {}\n\
             published {}, recorded {}, delivered {} ({} repeated)\n\
             numbers lost with asynchronous standbys: {}\n\
             {} requests, {} of them under way in a frozen process\n\
             between two requests of a provider: {}\n\
             after a kill: {}\n\
             longest stall of this machine: {} ms\n",
            rounds.join(", "),
            figures.published,
            figures.events,
            figures.deliveries,
            figures.repeated,
            figures.lost,
            figures.requests,
            figures.under_way,
            times(figures.between),
            times(figures.after_kill),
            figures.longest_stall,
        );
        for (rule, count) in &self.verdict.violations {
            let _infallible = writeln!(text, "{rule:?}: {count}");
        }
        for example in &self.verdict.examples {
            let _infallible = writeln!(text, "  {example}");
        }
        if let Some(stopped) = &self.stopped {
            let _infallible = writeln!(text, "it could not go on: {stopped}");
        }
        text.push_str(if self.is_clean() {
            "verdict: nothing lost, nothing twice, no provider polled by two\n"
        } else {
            "verdict: FAILED\n"
        });
        text
    }
}

fn times(times: Percentiles) -> String {
    let Percentiles { count, p50, p99, worst } = times;
    format!("p50 {p50} ms, p99 {p99} ms, worst {worst} ms ({count})")
}
