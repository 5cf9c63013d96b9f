//! Many events that no sink has delivered yet.
//!
//! The documented case is `STATUSWATCH_EVENTS=100000 cargo test --test it storage::backlog --
//! --nocapture`.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::bench::{Bench, Watch, parse};

/// Returns the peak memory of a process in KiB.
fn most(watch: &Watch) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", watch.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Runs until the log has `lines` lines. Returns when the page was first requested, and the peak
/// memory.
fn run_until(bench: &Bench, lines: usize) -> (Duration, u64) {
    let (asked, began) = (bench.requests(), Instant::now());
    let mut watch = bench.start();
    bench.wait_until("the first request", || bench.requests() > asked);
    let ready = began.elapsed();
    bench.wait_until("everything in the log", || super::lines(&bench.path("logs")).len() >= lines);
    let most = most(&watch);
    assert_eq!(watch.stop().code(), Some(0));
    (ready, most)
}

#[test]
fn many_undelivered_events_delay_no_start_and_take_no_memory() {
    let many: usize =
        std::env::var("STATUSWATCH_EVENTS").map_or(10_000, |text| text.parse().unwrap());
    let bench = Bench::new(2, "");
    bench.publish(1, 20);
    bench.settle();
    let before = bench.lines();
    let (_, usual) = run_until(&bench, before.len());
    let db = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
    // Copies of the newest event, each with its own number and id.
    db.execute_batch(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
         INSERT INTO event SELECT seq + i, randomblob(16), provider, kind, impact, observed_at,
           json_set(line, '$.seq', seq + i, '$.id', printf('%032x', i))
         FROM (SELECT * FROM event ORDER BY seq DESC LIMIT 1), n;"
    ))
    .unwrap();
    let wanted: Vec<String> = {
        let mut statement = db.prepare("SELECT line FROM event ORDER BY seq").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    drop(db);
    let (ready, peak) = run_until(&bench, before.len() + many);
    let lines = bench.lines();
    assert!(lines == wanted, "the log is what the ledger holds, once and in order");
    assert_eq!(parse(lines.last().unwrap()).unwrap().seq, lines.len() as u64);
    println!(
        "{many} undelivered events: first request after {ready:.1?}, {} KiB more memory than without",
        peak.saturating_sub(usual)
    );
    // Ten times what it takes on a busy machine.
    assert!(ready < Duration::from_mins(1), "{ready:?}");
    assert!(peak.saturating_sub(usual) < 50 << 10, "{peak} KiB, {usual} without");
}
