//! Killed at the n-th system call of a kind, by strace: whatever call it is, nothing is lost, reported
//! twice or torn.
//!
//! `STATUSWATCH_CALLS=200 cargo test --test it calls:: -- --ignored --nocapture` kills at each of
//! the first 200 calls of each kind.

use std::time::Duration;

use crate::support::bench::Bench;
use crate::support::strace;

/// A call that does not come within this time is not waited for: there are not so many of it.
const PATIENCE: Duration = Duration::from_secs(4);

/// What writes: to the database, to the event log, at a rotation.
const CALLS: [(&str, &[u32]); 4] = [
    ("fsync,fdatasync", &[1, 2, 4, 9]),
    ("pwrite64", &[1, 3, 10, 30]),
    ("write", &[1, 20, 60]),
    ("rename,renameat2", &[1, 2]),
];

/// Runs until the call, or until it is clear that it does not come. Answers whether it came.
fn killed_at(bench: &Bench, call: &str, n: u32) -> bool {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={n}"));
    let mut watch = strace::start(bench, &["-o", "/dev/null", "-e", &trace, "-e", &inject]);
    strace::ended(&mut watch, PATIENCE).is_some()
}

#[test]
#[ignore = "needs strace: see .ci/run"]
fn nothing_is_lost_or_reported_twice_by_a_kill_at_any_call() {
    let up_to: Option<u32> =
        std::env::var("STATUSWATCH_CALLS").ok().map(|text| text.parse().unwrap());
    // Two pages that have a version: an incident that comes and goes between two polls is seen on
    // those alone.
    let mut bench = Bench::new(2, "event_log: {rotation: 4KiB, keep: 0}");
    bench.patience = Duration::from_mins(1);
    for provider in bench.universe.providers() {
        provider.change(|state, _| state.window = Some(usize::MAX));
    }
    let storm = bench.storm(7, Duration::from_millis(if up_to.is_some() { 60 } else { 15 }));
    let (mut rounds, mut kills) = (0, 0);
    for (call, few) in CALLS {
        let all: Vec<u32> = up_to.map_or_else(|| few.to_vec(), |up_to| (1..=up_to).collect());
        for n in all {
            rounds += 1;
            let killed = killed_at(&bench, call, n);
            kills += u32::from(killed);
            if !killed && up_to.is_some() {
                // There are not so many of this call in the time given: more of it would be the
                // same again.
                break;
            }
        }
    }
    storm.end();
    let verdict = bench.settle();
    println!(
        "{kills} kills in {rounds} rounds: {} updates owed, {} events reported, 0 lost, 0 twice, 0 torn",
        verdict.owed, verdict.reported
    );
    assert!(kills * 2 >= rounds, "{kills} of {rounds} met their call");
}
