//! Both stores come to the same lines: a ledger in a file, and one that nodes share.

use proptest::collection::vec;
use proptest::prelude::*;
use statuswatch::event::IncidentStatus;
use statuswatch::ledger::Reader;

use super::node::{Node, page, provider, run_system};
use crate::support::postgres::{begin_life, database};

const STATUSES: [IncidentStatus; 3] =
    [IncidentStatus::Investigating, IncidentStatus::Monitoring, IncidentStatus::Resolved];
const IDS: [&str; 4] = ["a", "b", "c", "d"];
const TEXTS: [&str; 4] = ["Begun.", "Still.", "Better.", "Over."];

/// A document: per incident its id, status and texts.
type Document = Vec<(usize, usize, Vec<usize>)>;

fn documents() -> impl Strategy<Value = Vec<Document>> {
    let item = (0..IDS.len(), 0..STATUSES.len(), vec(0..TEXTS.len(), 0..4));
    vec(vec(item, 0..4), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "needs PostgreSQL: see .ci/run"]
    fn random_polls_lead_to_the_same_lines(documents in documents()) {
        run_system(async {
            let alone = Node::alone().await;
            let url = database();
            // Two nodes that take turns: each sees what the other has written.
            let one = Node::open(tempfile::tempdir().unwrap(), begin_life(&url, "one").await).await;
            let two = Node::open(tempfile::tempdir().unwrap(), one.shared.clone()).await;
            let acme = provider("acme");
            for node in [&alone, &one, &two] {
                node.watch(std::slice::from_ref(&acme)).await;
            }
            for (minute, document) in documents.iter().enumerate() {
                let texts: Vec<Vec<&str>> = document
                    .iter()
                    .map(|(_, _, texts)| texts.iter().map(|text| TEXTS[*text]).collect())
                    .collect();
                let mut items: Vec<(&str, IncidentStatus, &[&str])> = Vec::new();
                for ((id, status, _), texts) in document.iter().zip(&texts) {
                    if items.iter().all(|(known, ..)| known != &IDS[*id]) {
                        items.push((IDS[*id], STATUSES[*status], texts));
                    }
                }
                let page = page(minute as i64, &items);
                let expected = alone.poll(&acme, minute as i64, &page).await;
                let node = if minute % 2 == 0 { &one } else { &two };
                assert_eq!(node.poll(&acme, minute as i64, &page).await, expected);
            }
            one.follow().await;
            two.follow().await;
            let lines = |node: &Node| -> Vec<String> {
                let events = Reader::open(node.dir.path()).unwrap().after(0, 1000).unwrap();
                events.into_iter().map(|stored| stored.line).collect()
            };
            assert_eq!(lines(&one), lines(&alone));
            assert_eq!(lines(&two), lines(&alone));
        });
    }
}
