//! How many events a second go through a shared ledger on loopback, printed. A build of tests is not
//! optimized: these are lower bounds.

use std::time::Instant;

use statuswatch::event::IncidentStatus;

use super::node::{Node, page, provider, run_system};
use crate::support::postgres::database;

/// Number of results in a group.
const GROUPS: [usize; 2] = [1, 50];

/// Number of groups.
const ROUNDS: i64 = 40;

#[test]
#[ignore = "needs PostgreSQL: see .ci/run"]
fn events_a_second() {
    run_system(async {
        for size in GROUPS {
            let (alone, shared) = (Node::alone().await, Node::start(&database(), "one").await);
            for (name, node) in [("alone", &alone), ("shared", &shared)] {
                let providers: Vec<_> = (0..size).map(|n| provider(&format!("p{n}"))).collect();
                node.watch(&providers).await;
                let mut texts = Vec::new();
                let begun = Instant::now();
                for round in 0..ROUNDS {
                    texts.push("What happens next in this incident.");
                    let page = page(round, &[("a", IncidentStatus::Investigating, &texts)]);
                    let polls = providers.iter().map(|one| node.try_poll(one, round, &page));
                    for recorded in futures::future::join_all(polls).await {
                        assert_eq!(recorded.unwrap().events, 1);
                    }
                }
                let events = ROUNDS as f64 * size as f64;
                let rate = events / begun.elapsed().as_secs_f64();
                println!("groups of {size}, {name}: {rate:.0} events a second");
            }
        }
    });
}
