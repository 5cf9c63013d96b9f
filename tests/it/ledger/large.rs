//! A large ledger: how long it takes to open it and to store a poll.
//!
//! `STATUSWATCH_IDS=5000000 cargo test --test it ledger::large -- --nocapture` runs the full size.

use std::time::Instant;

use rusqlite::Connection;
use statuswatch::ledger::DATABASE;

use super::*;

#[test]
fn many_seen_versions_delay_neither_startup_nor_polls() {
    let ids: u64 = std::env::var("STATUSWATCH_IDS").map_or(50_000, |text| text.parse().unwrap());
    run_system(async {
        let mut harness = Harness::new(FirstRun::None).await;
        harness.poll(page(0, vec![past("p")])).await;
        // Incidents that are no longer listed.
        let db = Connection::open(harness.dir.path().join(DATABASE)).unwrap();
        db.execute_batch(&format!(
            "PRAGMA synchronous = OFF;
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ids})
             INSERT INTO seen SELECT randomblob(16), randomblob(16), randomblob(16), 1, NULL, {} FROM n ORDER BY 1;",
            at(0).timestamp_millis()
        ))
        .unwrap();
        drop(db);
        let began = Instant::now();
        harness.restart().await;
        let opened = began.elapsed();
        let mut polls = Vec::new();
        for n in 1..=100 {
            let new_events = incident(
                &format!("n{n}"),
                vec![update("1", IncidentStatus::Investigating, n, &format!("Problem {n}."))],
            );
            let began = Instant::now();
            assert_eq!(harness.poll(page(n, vec![new_events])).await.verdict, Verdict::Changed);
            polls.push(began.elapsed());
        }
        assert_eq!(harness.new_events().len(), 100);
        polls.sort();
        println!(
            "{ids} ids: open after {opened:.1?}, a poll stored in {:.1?} (median), {:.1?} (p99)",
            polls[50], polls[98]
        );
        // Bounds on what grows with the number of ids, independent of the machine: scanning all of
        // them at each poll would take longer.
        assert!(opened < Duration::from_mins(1), "{opened:?}");
        assert!(polls[50] < Duration::from_secs(1), "{:?}", polls[50]);
    });
}
