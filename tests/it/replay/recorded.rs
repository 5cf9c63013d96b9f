//! The same histories as recordings: a replay reports what `run` reports over HTTP.

use super::{History, compare, own};
use crate::support::recording::Recording;

#[test]
fn a_replay_reports_what_a_run_reports() {
    let histories: Vec<History> = own::histories();
    let mut events = Vec::new();
    for history in &histories {
        let polls = |step: usize| if history.brief.contains(&(step + 1)) { 1 } else { 3 };
        let recording = Recording::of_steps(&history.name, &history.first, &history.steps, polls);
        let replayed = recording.replay();
        assert_eq!(replayed.played.warnings, [""; 0], "{}", history.name);
        events.extend(replayed.events);
    }
    compare(&events, &histories);
}
