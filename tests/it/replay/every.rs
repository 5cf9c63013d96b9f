//! The histories of every other source, in `tests/fixtures`: the expected events are in the
//! snapshots next to this file, one per source, and were checked against the fixtures by hand.
//!
//! In some steps only another document than the first one is new: `salesforce-maintenance`,
//! `cachet-components`, `cachet-maintenance`. `uptimekuma-notice` reports less than its fixtures
//! contain: its heartbeats stay the same, which on real pages lasts at most a minute. In step 4 of
//! `slack-outage` the history is missing, which no page lacks for long.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use statuswatch::event::Kind;
use statuswatch::source::{Limits, PriorItems};
use url::Url;

use super::{History, reported};
use crate::sources::fixtures::{Step, steps};

/// Their histories are in `own.rs`, line by line.
const ELSEWHERE: [&str; 3] = ["statuspage", "incidentio", "feed"];

fn path(url: &Url) -> &str {
    url.path().trim_start_matches('/')
}

/// Cases that request another host than the page's, which loopback cannot serve.
const OF_OTHER_HOSTS: [&str; 1] = ["aws-ended"];

/// Returns where the documents of a step are served: the first one at `home`, each detail at the
/// URL the source requests, whether always or once something open has disappeared.
fn places(step: &Step, home: &str) -> Vec<(String, Vec<u8>)> {
    let first = &step.documents.first;
    let mut served = vec![(home.to_owned(), first.body.to_vec())];
    let snapshot = step.source.parse(&step.documents, Limits::default()).unwrap();
    let gone = PriorItems {
        open: vec![(Kind::Incident, "gone".to_owned())],
        baseline: true,
        ..PriorItems::default()
    };
    let asked: Vec<_> = [PriorItems::default(), gone]
        .iter()
        .flat_map(|known| step.source.details(first, &snapshot, known))
        .collect();
    for (role, document) in &step.documents.details {
        let place = asked.iter().find(|detail| detail.role == *role);
        let place = place.unwrap_or_else(|| panic!("{}: nobody asks for {role}", step.name));
        served.push((path(&place.url).to_owned(), document.body.to_vec()));
    }
    served
}

/// All histories.
pub(super) fn histories() -> Vec<History> {
    let mut cases: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for step in steps() {
        let mut parts = step.name.split('/');
        let (source, case) = (parts.next().unwrap(), parts.next().unwrap());
        let name = format!("{source}-{case}");
        if !ELSEWHERE.contains(&source) && !OF_OTHER_HOSTS.contains(&name.as_str()) {
            cases.entry(name).or_default().push(step);
        }
    }
    cases
        .into_iter()
        .map(|(name, steps)| {
            let first = path(&steps[0].documents.first.url).to_owned();
            let steps = steps.iter().map(|step| places(step, &first)).collect();
            let brief: &[usize] = if name == "slack-outage" { &[4] } else { &[] };
            History { name, first, steps, brief, only: "", expected: Vec::new() }
        })
        .collect()
}

/// Compares the reported events of these histories with the snapshots.
pub(super) fn judge(events: &[Value], histories: &[History]) {
    let mut by_source: BTreeMap<&str, String> = BTreeMap::new();
    for history in histories {
        let source = history.name.split('-').next().unwrap();
        let text = by_source.entry(source).or_default();
        writeln!(text, "== {} in {} steps", history.name, history.steps.len()).unwrap();
        reported(events, history).for_each(|line| writeln!(text, "  {line}").unwrap());
    }
    for (source, text) in by_source {
        insta::assert_snapshot!(source, text);
    }
}
