//! `history`.

use std::collections::VecDeque;
use std::path::Path;

use super::args::HistoryArgs;
use super::exit::Exit;
use super::filter::Wanted;
use super::{output, view_history};
use crate::clock;
use crate::event::StatusEvent;
use crate::ledger::{LedgerError, Query, Reader};
use crate::sink::Recorded;

/// Events read at once where the ledger cannot select by itself.
const BATCH: usize = 1_000;

/// Shows past events, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(state_dir: &Path, args: &HistoryArgs) -> anyhow::Result<Exit> {
    let reader = Reader::open(state_dir)?;
    let limit = (args.limit > 0).then_some(args.limit);
    let events = select(&reader, &args.filter.at(clock::now()), limit)?;
    if args.json {
        for event in &events {
            output::print(&format!("{}\n", event.line))?;
        }
    } else {
        let events: Vec<StatusEvent> = events.into_iter().map(|recorded| recorded.event).collect();
        output::print(&view_history::render(&events, output::colour()))?;
    }
    Ok(Exit::Done)
}

/// The newest `limit` events that are wanted, oldest first.
fn select(reader: &Reader, wanted: &Wanted, limit: Option<usize>) -> Result<Vec<Recorded>, LedgerError> {
    if wanted.impacts.is_empty() {
        return reader.events(&Query {
            providers: wanted.providers.iter().cloned().collect(),
            since: wanted.since,
            kinds: wanted.kinds.clone(),
            min_impact: None,
            limit,
        });
    }
    let mut newest = VecDeque::new();
    let mut seq = 0;
    loop {
        let batch = reader.after(seq, BATCH)?;
        let Some(last) = batch.last() else { break };
        seq = last.event.seq;
        for recorded in batch {
            if wanted.takes(&recorded.event) {
                newest.push_back(recorded);
                if limit.is_some_and(|limit| newest.len() > limit) {
                    newest.pop_front();
                }
            }
        }
    }
    Ok(newest.into())
}
