//! A system call on the state directory or the event log that fails, whichever it is: the program
//! goes on or ends with 1, and nothing is lost, reported twice or torn.
//!
//! `STATUSWATCH_CALLS=60 cargo test --test it failing:: -- --ignored --nocapture` lets each of the
//! first 60 calls of every kind fail.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::bench::{Bench, Watch};
use crate::support::strace;

/// Within this time all is reported or the program has ended.
const PATIENCE: Duration = Duration::from_mins(4);

/// The files of the database, of the event log, and the small ones next to the database.
const FILES: [&[&str]; 3] = [
    &["state/ledger.db", "state/ledger.db-wal", "state/ledger.db-shm", "state/ledger.db-journal"],
    &["logs", "logs/events.jsonl", "logs/events.jsonl.lock"],
    &["state", "state/lock", "state/reading", "state/heartbeat", "state/heartbeat.new"],
];

/// Every call that is made on them, but for `close` and `munmap`, which nobody can do anything
/// about, and `fcntl`, by which SQLite locks: it fails on no disk of this machine, and a lock that
/// cannot be let go of stays.
const CALLS: [&str; 21] = [
    "openat",
    "pwrite64",
    "fsync",
    "pread64",
    "newfstatat",
    "fstat",
    "statx",
    "ftruncate",
    "mmap",
    "fdatasync",
    "write",
    "read",
    "lseek",
    "flock",
    "renameat2",
    "rename",
    "unlink",
    "getdents64",
    "mkdir",
    "fchmod",
    "fchown",
];

/// Those that a full disk refuses.
const NEED_ROOM: [&str; 8] =
    ["openat", "pwrite64", "ftruncate", "fsync", "fdatasync", "write", "renameat2", "mkdir"];

/// Those that `cargo test` lets fail: the files, the call, how manieth, how.
const FEW: [(usize, &str, u32, &str); 8] = [
    (0, "openat", 2, "EIO"),
    (0, "pwrite64", 20, "EIO"),
    (0, "pread64", 30, "EIO"),
    (0, "ftruncate", 3, "EIO"),
    (1, "write", 2, "ENOSPC"),
    (1, "renameat2", 1, "EIO"),
    (1, "openat", 2, "EIO"),
    (2, "write", 1, "ENOSPC"),
];

/// What came of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There are not so many of it.
    NotMet,
    WentOn,
    Ended,
}

/// Runs with the `n`-th of these calls on these files failing, in each thread that makes so many,
/// and something to report.
fn round(bench: &Bench, files: usize, call: &str, n: u32, error: &str) -> Outcome {
    let what = format!("{error} at {call} number {n} of {:?}", FILES[files]);
    let trace = bench.path("trace");
    let (only, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={n}"));
    let absolute = FILES[files].iter().map(|file| bench.path(file).to_str().unwrap().to_owned());
    let paths: Vec<String> =
        FILES[files].iter().map(|file| (*file).to_owned()).chain(absolute).collect();
    let mut options =
        vec!["--seccomp-bpf", "-e", &only, "-e", &inject, "-o", trace.to_str().unwrap()];
    options.extend(paths.iter().flat_map(|path| ["-P", path.as_str()]));
    bench.publish(u64::from(n), 4);
    let mut watch = strace::start(bench, &options);
    let ended = reported_or_ended(bench, &mut watch, &what);
    let status = ended.unwrap_or_else(|| strace::stop(&mut watch, Duration::from_secs(20)));
    let said = super::storage::said(&mut watch);
    let code = status.code();
    assert!(code == Some(1) || (code == Some(0) && ended.is_none()), "{what}: {status:?}\n{said}");
    assert!(!said.contains("panicked"), "{what}: {said}");
    if !fs::read_to_string(&trace).unwrap().contains("(INJECTED)") {
        assert_eq!(code, Some(0), "{what} did not come, and it ended: {said}");
        return Outcome::NotMet;
    }
    println!(
        "{what}: {}",
        if code == Some(0) { "it went on" } else { said.lines().last().unwrap_or_default() }
    );
    // A disk that fails is no damage to the database, and nobody is to move a good one away.
    assert!(!said.contains("move it away"), "{what}: {said}");
    if code == Some(1) { Outcome::Ended } else { Outcome::WentOn }
}

/// Waits until everything owed is reported, or answers how the program ended before that.
fn reported_or_ended(
    bench: &Bench,
    watch: &mut Watch,
    what: &str,
) -> Option<std::process::ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = watch.0.try_wait().unwrap() {
            return Some(status);
        }
        let missing = bench.missing()?;
        assert!(
            began.elapsed() < PATIENCE,
            "{what}: it still runs, and never reported {missing:?}\n{}",
            bench.last_words()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "needs strace: see .ci/run"]
fn a_call_that_fails_loses_nothing_whichever_it_is() {
    let up_to: Option<u32> =
        std::env::var("STATUSWATCH_CALLS").ok().map(|text| text.parse().unwrap());
    let mut bench = Bench::new(2, "event_log: {rotation: 4KiB, keep: 0}");
    bench.patience = Duration::from_mins(1);
    for provider in bench.universe.providers() {
        provider.change(|state, _| state.window = Some(usize::MAX));
    }
    bench.publish(0, 10);
    bench.settle();
    let mut outcomes = Vec::new();
    if let Some(up_to) = up_to {
        for (files, call) in (0..FILES.len()).flat_map(|files| CALLS.map(|call| (files, call))) {
            let errors = if NEED_ROOM.contains(&call) { &["EIO", "ENOSPC"][..] } else { &["EIO"] };
            for error in errors {
                let mut few = (1..=up_to).map(|n| round(&bench, files, call, n, error));
                outcomes.extend(few.by_ref().take_while(|outcome| *outcome != Outcome::NotMet));
            }
            bench.settle();
        }
    } else {
        outcomes.extend(
            FEW.iter().map(|&(files, call, n, error)| round(&bench, files, call, n, error)),
        );
    }
    let verdict = bench.settle();
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let (went_on, ended) = (count(Outcome::WentOn), count(Outcome::Ended));
    println!(
        "{} calls failed, {went_on} times it went on and {ended} times it ended with 1: {} updates owed, {} events reported, \
         0 lost, 0 twice, 0 torn",
        went_on + ended,
        verdict.owed,
        verdict.reported
    );
    assert!(count(Outcome::NotMet) * 4 <= outcomes.len(), "{outcomes:?}");
}

/// The first transactions of a process: who is watched, and the sinks that are new.
#[test]
#[ignore = "needs strace: see .ci/run"]
fn no_sync_of_the_first_transactions_is_tried_again() {
    for n in 1..=4 {
        let bench = Bench::new(1, "");
        bench.publish(1, 2);
        // Made before, so that the first thread has nothing to sync.
        drop(statuswatch::ledger::open_writer(&bench.path("state")).unwrap());
        let wal = bench.path("state/ledger.db-wal");
        let inject = format!("inject=fsync:error=EIO:when={n}");
        let options = [
            "--seccomp-bpf",
            "-e",
            "trace=fsync",
            "-e",
            &inject,
            "-o",
            "/dev/null",
            "-P",
            wal.to_str().unwrap(),
        ];
        let mut watch = strace::start(&bench, &options);
        let status = watch.end(Duration::from_secs(20));
        let said = super::storage::said(&mut watch);
        assert_eq!(status.code(), Some(1), "sync {n}: {said}");
        assert!(said.contains("the database failed"), "sync {n}: {said}");
        bench.settle();
    }
}
