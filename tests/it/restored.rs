//! A state directory from a backup, or none at all, next to an event log that was left as it is:
//! nothing is repeated.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use statuswatch::event::ComponentStatus;

use crate::support::bench::{Bench, parse};

fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Two runs with a backup between them; then the backup is put back and something more happens.
fn back_in_time(extra: &str, restore: impl Fn(&Bench)) {
    let bench = Bench::new(5, extra);
    bench.publish(1, 40);
    bench.settle();
    copy(&bench.path("state"), &bench.path("backup"));
    let known = bench.lines().len();
    bench.publish(2, 60);
    let before = bench.settle();
    assert!(before.reported > known + 20, "{known} then {}", before.reported);
    let lines = bench.lines();

    restore(&bench);
    bench.publish(3, 20);
    let after = bench.settle();
    assert!(after.reported > before.reported);
    assert_eq!(bench.lines()[..lines.len()], lines, "what stood in the log stays as it was");
    if extra.contains("both") {
        let text = fs::read_to_string(bench.path("logs/events.log")).unwrap();
        assert_eq!(
            text.lines().filter(|line| line.starts_with("----------")).count(),
            after.reported,
            "each event once in the text, too"
        );
    }
}

#[test]
fn a_restored_state_repeats_nothing() {
    back_in_time("", |bench| copy(&bench.path("backup"), &bench.path("state")));
}

#[test]
fn a_restored_state_repeats_nothing_in_the_text_next_to_the_json_either() {
    back_in_time("event_log: {format: both}", |bench| {
        copy(&bench.path("backup"), &bench.path("state"));
    });
}

#[test]
fn a_restored_state_repeats_nothing_across_rotations_and_behind_a_torn_line() {
    back_in_time("event_log: {rotation: 8KiB, keep: 0}", |bench| {
        copy(&bench.path("backup"), &bench.path("state"));
        let active = bench.path("logs/events.jsonl");
        OpenOptions::new()
            .append(true)
            .open(active)
            .unwrap()
            .write_all(br#"{"seq":100000,"id":"ab"#)
            .unwrap();
    });
}

#[test]
fn a_state_begun_anew_goes_on_behind_the_log() {
    back_in_time("", |bench| fs::remove_dir_all(bench.path("state")).unwrap());
}

/// Numbers that only count changes must not make a new change look like an old one.
#[test]
fn changes_after_a_restore_are_reported() {
    let bench = Bench::new(1, "");
    let provider = &bench.universe.providers()[0];
    let change = |status: ComponentStatus| {
        let (before, asked) = (bench.lines().len(), bench.requests());
        // A page that is new to the ledger is read from three documents; the request behind them
        // shows that it has been recorded.
        let first = if bench.path("state/ledger.db").exists() { 2 } else { 5 };
        let mut watch = bench.start();
        bench.wait_until("the first poll", || bench.requests() >= asked + first);
        bench.universe.set_component(provider, "Console", status);
        bench.wait_until("the change", || bench.lines().len() > before);
        assert_eq!(watch.stop().code(), Some(0));
    };
    change(ComponentStatus::MajorOutage);
    copy(&bench.path("state"), &bench.path("backup"));
    change(ComponentStatus::Operational);
    change(ComponentStatus::MajorOutage);
    copy(&bench.path("backup"), &bench.path("state"));
    change(ComponentStatus::Operational);
    change(ComponentStatus::MajorOutage);
    fs::remove_dir_all(bench.path("state")).unwrap();
    change(ComponentStatus::Operational);
    let verdict = bench.judge();
    let reported: Vec<_> =
        bench.lines().iter().map(|line| parse(line).unwrap().status.as_str()).collect();
    let expected: Vec<_> = ["major_outage", "operational"].into_iter().cycle().take(6).collect();
    assert_eq!((verdict.reported, reported), (6, expected));
}

/// The log of another ledger is not taken over.
#[test]
fn a_log_that_disagrees_with_the_ledger_is_not_taken_over() {
    let [ours, theirs] = [1, 2].map(|seed| {
        let bench = Bench::new(2, "");
        bench.publish(seed, 10 * seed as usize);
        bench.settle();
        bench
    });
    let before = theirs.lines();
    copy(&theirs.path("logs"), &ours.path("logs"));
    let mut watch = ours.start();
    ours.publish(3, 5);
    ours.wait_until("new events behind the other's", || ours.lines().len() > before.len());
    assert_eq!(watch.stop().code(), Some(0));
    let lines = ours.lines();
    assert_eq!(lines[..before.len()], before, "another's lines are kept");
    assert!(lines.len() > before.len());
}
