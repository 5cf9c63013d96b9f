//! `history`: past events from the ledger.

use std::path::Path;

use super::args::HistoryArgs;
use super::exit::Exit;
use super::{output, view_history};
use crate::clock;
use crate::event::StatusEvent;
use crate::ledger::Reader;

/// Shows past events, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(state_dir: &Path, args: &HistoryArgs) -> anyhow::Result<Exit> {
    let reader = Reader::open(state_dir)?;
    let wanted = args.filter.at(clock::now());
    let query = wanted.query((args.limit > 0).then_some(args.limit));
    let mut events = reader.events(&query)?;
    if args.all {
        events.extend(reader.filtered(&query)?);
        events.sort_by_key(|recorded| recorded.event.observed_at);
        let surplus = query.limit.map_or(0, |limit| events.len().saturating_sub(limit));
        events.drain(..surplus);
    }
    if args.json {
        for event in &events {
            output::print_line(&event.line)?;
        }
    } else {
        let events: Vec<StatusEvent> = events.into_iter().map(|recorded| recorded.event).collect();
        output::print(&view_history::render(&events, output::color()))?;
    }
    Ok(Exit::Done)
}
