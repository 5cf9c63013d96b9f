//! The captured sequences that `sources/sequences.rs` checks one incident at a time: here the whole
//! pipeline reads them, with the same expected events.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::History;
use crate::sources::fixtures::captures;
use crate::sources::happened::SEQUENCES;

/// All histories.
pub(super) fn histories() -> Vec<History> {
    let root = captures();
    SEQUENCES
        .iter()
        .enumerate()
        .map(|(place, sequence)| {
            let first = Url::parse(sequence.url).unwrap().path().trim_start_matches('/').to_owned();
            let file = |step: usize| root.join(sequence.files.replace("NN", &format!("{step:02}")));
            let steps = (1..=sequence.steps)
                .map(|step| vec![(first.clone(), std::fs::read(file(step)).unwrap())])
                .collect();
            History {
                name: format!("{}-{place}", sequence.source),
                first,
                steps,
                brief: &[],
                only: "",
                expected: Vec::new(),
            }
        })
        .collect()
}

/// Update, revision and status of the reports, by incident: the order between incidents is
/// undefined.
type Facts = BTreeMap<String, Vec<(String, u64, String)>>;

/// Compares the reported events of these histories with the expected ones.
pub(super) fn judge(events: &[Value], histories: &[History]) {
    for (history, sequence) in histories.iter().zip(SEQUENCES) {
        let mut reported = Facts::new();
        for event in events.iter().filter(|event| event["provider"] == history.name) {
            let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            let fact = (word("update_id"), event["revision"].as_u64().unwrap(), word("status"));
            reported.entry(word("incident_id")).or_default().push(fact);
        }
        let mut happened = Facts::new();
        for (_, incident, update, revision, status) in sequence.expected {
            let fact = ((*update).to_owned(), u64::from(*revision), (*status).to_owned());
            happened.entry((*incident).to_owned()).or_default().push(fact);
        }
        assert_eq!(reported, happened, "{}", sequence.files);
    }
}
