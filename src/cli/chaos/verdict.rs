//! Compares what was published with what was reported.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::event::StatusEvent;
use crate::fake::Publication;
use crate::ledger::{Query, Reader};

/// Counts, all of them zero but the first ones where everything is well.
#[derive(Debug, Default, Serialize)]
pub(super) struct Verdict {
    /// Updates published, edits counted once.
    pub(super) published: usize,
    /// Events in the ledger.
    pub(super) recorded: usize,
    /// Lines in the event log.
    pub(super) delivered: usize,
    /// Published and not in the log.
    pub(super) lost: usize,
    /// Lines with an id that stands in the log before.
    pub(super) twice: usize,
    /// Lines that are no event, or out of sequence.
    pub(super) torn: usize,
    /// Lines that differ from the ledger.
    pub(super) different: usize,
    /// Times the process was killed.
    pub(super) kills: usize,
    /// Times something inside was killed, as far as the diagnostics could be written.
    pub(super) sabotages: usize,
    /// The longest time from a start to the first request.
    pub(super) slowest_recovery_ms: u64,
    /// Exit statuses of processes that ended without having been killed.
    pub(super) ended_by_itself: Vec<String>,
    /// The first few lost, for a person.
    pub(super) examples: Vec<String>,
}

impl Verdict {
    /// Compares the log with what was published.
    pub(super) fn judge(&mut self, owed: &[Publication], log: &Path) -> anyhow::Result<()> {
        let text = std::fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
        let text = String::from_utf8_lossy(&text);
        let (mut ids, mut reported) = (HashSet::new(), HashMap::<String, HashSet<String>>::new());
        (self.delivered, self.twice, self.torn) = (0, 0, 0);
        for line in text.split_inclusive('\n') {
            let event = line
                .strip_suffix('\n')
                .and_then(|line| serde_json::from_str::<StatusEvent>(line).ok());
            let Some(event) = event else {
                self.torn += 1;
                continue;
            };
            self.delivered += 1;
            self.torn += usize::from(event.seq != self.delivered as u64);
            self.twice += usize::from(!ids.insert(event.id));
            reported.entry(event.provider).or_default().extend(event.message);
        }
        let lost: Vec<_> = owed
            .iter()
            .filter(|one| {
                !reported
                    .get(&one.provider)
                    .is_some_and(|texts| texts.iter().any(|text| text.contains(&one.text)))
            })
            .collect();
        self.published = owed.len();
        self.lost = lost.len();
        self.examples = lost
            .iter()
            .take(5)
            .map(|one| format!("{}: {} ({})", one.provider, one.text, one.status))
            .collect();
        Ok(())
    }

    /// Compares the log's lines with the ledger's, byte for byte.
    pub(super) fn compare_with_ledger(&mut self, state: &Path, log: &Path) -> anyhow::Result<()> {
        let events = Reader::open(state)?.events(&Query::default())?;
        let text = std::fs::read_to_string(log)
            .with_context(|| format!("cannot read {}", log.display()))?;
        let lines: Vec<&str> = text.lines().collect();
        self.recorded = events.len();
        let unequal =
            events.iter().zip(&lines).filter(|(event, line)| event.line != **line).count();
        self.different = unequal + events.len().abs_diff(lines.len());
        Ok(())
    }

    /// Whether nothing was lost, reported twice or torn.
    pub(super) fn is_clean(&self) -> bool {
        self.lost + self.twice + self.torn + self.different == 0 && self.ended_by_itself.is_empty()
    }

    /// For a person.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "published {}, recorded {}, delivered {}\nlost {}, twice {}, torn {}, different {}\n\
             process killed {} times, actors broken {} times, slowest recovery {} ms\n",
            self.published,
            self.recorded,
            self.delivered,
            self.lost,
            self.twice,
            self.torn,
            self.different,
            self.kills,
            self.sabotages,
            self.slowest_recovery_ms
        );
        for status in &self.ended_by_itself {
            let _infallible = writeln!(text, "the process ended by itself: {status}");
        }
        for example in &self.examples {
            let _infallible = writeln!(text, "lost: {example}");
        }
        text.push_str(if self.is_clean() {
            "verdict: nothing lost, nothing twice\n"
        } else {
            "verdict: FAILED\n"
        });
        text
    }
}
