//! Storage failures with the real binary: full, failing, damaged or removed.

mod backlog;
mod locks;
mod small;

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use statuswatch::event::Impact;

use crate::support::bench::{Bench, Verdict, Watch, lines};
use crate::support::strace;

/// Runs until everything is reported and stops, which leaves a state to start from.
fn settled(extra: &str) -> Bench {
    let bench = Bench::new(4, extra);
    bench.publish(1, 30);
    bench.settle();
    bench
}

/// Starts the program and captures standard error.
fn start_heard(bench: &Bench) -> Watch {
    Watch(bench.command().args(["run", "--hosted"]).stderr(Stdio::piped()).spawn().unwrap())
}

pub(crate) fn said(watch: &mut Watch) -> String {
    let mut text = String::new();
    watch.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_damaged_database_is_refused_and_left_alone() {
    let bench = settled("");
    let path = bench.path("state/ledger.db");
    let good = fs::read(&path).unwrap();
    let mut header = good.clone();
    header[..100].fill(0);
    let mut page = good.clone();
    page[4096 * 2..4096 * 3].fill(0xa5);
    let half = good[..good.len() / 2].to_vec();
    for (what, bad) in [("header", header), ("page", page), ("half", half)] {
        fs::write(&path, &bad).unwrap();
        let mut watch = start_heard(&bench);
        let status = watch.end(Duration::from_secs(5));
        let said = said(&mut watch);
        assert_eq!(status.code(), Some(1), "{what}: {said}");
        assert!(said.contains("ledger.db") && said.contains("move it away"), "{what}: {said}");
        assert!(fs::read(&path).unwrap() == bad, "{what}: the file is untouched");
    }
    // Moved away, as the message suggests: nothing is reported again, and new updates are reported.
    fs::rename(&path, bench.path("damaged.db")).unwrap();
    bench.publish(2, 5);
    bench.settle();
}

#[test]
fn a_database_deleted_while_running_ends_it() {
    let bench = settled("");
    let mut watch = start_heard(&bench);
    let asked = bench.requests();
    bench.wait_until("polls", || bench.requests() > asked + 4);
    fs::remove_dir_all(bench.path("state")).unwrap();
    let status = watch.end(Duration::from_secs(5));
    let said = said(&mut watch);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("removed or replaced while running"), "{said}");
    bench.publish(2, 5);
    bench.settle();
}

#[test]
fn a_log_moved_deleted_or_emptied_while_running_goes_on() {
    type Harm = (&'static str, fn(&Path));
    let bench = settled("");
    let log = bench.path("logs/events.jsonl");
    let mut watch = bench.start();
    let mut kept = bench.lines();
    let harms: [Harm; 5] = [
        ("deleted", |log| fs::remove_file(log).unwrap()),
        ("renamed", |log| fs::rename(log, log.with_extension("old")).unwrap()),
        ("emptied", |log| File::create(log).map(drop).unwrap()),
        ("directory removed", |log| fs::remove_dir_all(log.parent().unwrap()).unwrap()),
        ("directory renamed", |log| {
            fs::rename(log.parent().unwrap(), log.parent().unwrap().with_extension("old")).unwrap();
        }),
    ];
    for (what, harm) in harms {
        let provider = &bench.universe.providers()[0];
        harm(&log);
        let text = format!("After it was {what}.");
        bench.universe.open_incident(provider, what, Impact::Minor, &[], &text);
        bench.wait_until(what, || bench.lines().iter().any(|line| line.contains(&text)));
        kept.extend(bench.lines());
        assert!(
            bench.lines().iter().all(|line| line.contains("After it was")),
            "{what}: nothing is written twice"
        );
    }
    assert_eq!(watch.stop().code(), Some(0));
    let history = bench
        .command()
        .args(["history", "--json", "--limit", "0"])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let history: Vec<String> =
        String::from_utf8(history.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(kept, history, "each once over all the files there were");
}

#[test]
#[ignore = "needs mounts in a user namespace: see .ci/run"]
fn a_full_disk_loses_nothing_and_needs_no_restart() {
    // Two pages that have a version: only there is an incident seen that comes and goes between two
    // polls.
    let bench = Bench::new(2, "state_dir: disk/state\nevent_log: {dir: disk/logs}");
    fs::create_dir(bench.path("disk")).unwrap();
    let mut command = Command::new("unshare");
    command.args([
        "-Urm",
        "sh",
        "-c",
        r#"mount -t tmpfs -o size=8m none disk && exec "$0" run --hosted"#,
    ]);
    let mut watch = Watch(
        command
            .arg(bench.command().get_program())
            .current_dir(bench.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let disk = Path::new("/proc")
        .join(watch.0.id().to_string())
        .join("root")
        .join(bench.path("disk").strip_prefix("/").unwrap());
    bench.publish(1, 20);
    let reported = || lines(&disk.join("logs"));
    let owed = || bench.universe.published().owed();
    let has_all = || {
        owed()
            .iter()
            .all(|one| reported().iter().any(|line| line.contains(&format!("\"{}\"", one.text))))
    };
    bench.wait_until("the first updates", has_all);

    // Full to the last byte.
    let mut filler = File::create(disk.join("filler")).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while filler.write(&vec![b'x'; size]).is_ok_and(|written| written > 0) {}
    }
    let (asked, before) = (bench.requests(), reported().len());
    bench.publish(2, 40);
    bench.wait_until("polls on a full disk", || bench.requests() > asked + 40);
    assert!(!has_all(), "the disk is full: {before} lines");
    fs::remove_file(disk.join("filler")).unwrap();
    drop(filler);
    bench.wait_until("the rest, without a restart", has_all);

    // The database can only be opened in the namespace in which the disk is mounted.
    let mut history = Command::new("nsenter");
    history
        .args(["-t", &watch.0.id().to_string(), "-U", "-m", "--preserve-credentials"])
        .arg(bench.command().get_program());
    history.args(["history", "--json", "--limit", "0", "--state"]).arg(bench.path("disk/state"));
    let history = String::from_utf8(history.output().unwrap().stdout).unwrap();
    let history: Vec<String> = history.lines().map(str::to_owned).collect();
    let verdict = Verdict::of(&reported(), &history, &bench.universe.published().all(), &owed());
    assert_eq!(verdict.problems, Vec::<String>::new());
    assert_eq!(watch.stop().code(), Some(0));
}

/// Runs under strace, which makes the `when`-th sync of `file` fail.
fn with_failing_sync(bench: &Bench, file: &str, when: u32) -> Watch {
    let path = bench.path(file).canonicalize().unwrap();
    let inject = format!("inject=fdatasync,fsync:error=EIO:when={when}");
    strace::start(
        bench,
        &[
            "-o",
            "/dev/null",
            "-P",
            path.to_str().unwrap(),
            "-e",
            "trace=fdatasync,fsync",
            "-e",
            &inject,
        ],
    )
}

#[test]
#[ignore = "needs strace: see .ci/run"]
fn a_failed_sync_of_the_event_log_is_not_trusted() {
    let bench = settled("");
    let mut watch = with_failing_sync(&bench, "logs/events.jsonl", 2);
    bench.publish(2, 30);
    bench.wait_until_reported();
    bench.publish(3, 10);
    bench.wait_until_reported();
    strace::signal(&watch, Signal::TERM);
    watch.0.wait().unwrap();
    assert!(said(&mut watch).contains("cannot sync"), "it was reported");
    bench.judge();
}

#[test]
#[ignore = "needs strace: see .ci/run"]
fn a_failed_sync_of_the_database_ends_the_process_and_loses_nothing() {
    let bench = settled("");
    // The WAL exists while the database is open.
    let holder = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
    holder.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap();
    for when in [1, 2, 4] {
        let mut watch = with_failing_sync(&bench, "state/ledger.db-wal", when);
        bench.publish(u64::from(when), 10);
        let ended = watch.end(Duration::from_secs(20));
        let said = said(&mut watch);
        assert_eq!(ended.code(), Some(1), "{said}");
        assert!(said.contains("the database failed"), "{said}");
        bench.publish(u64::from(when) + 10, 10);
        bench.settle();
    }
}

#[test]
fn a_second_process_and_an_unusable_directory_are_refused() {
    let bench = settled("");
    let mut first = bench.start();
    bench.wait_until("the heartbeat", || bench.path("state/heartbeat").exists());
    let mut second = start_heard(&bench);
    let status = second.end(Duration::from_secs(2));
    let said = said(&mut second);
    assert_eq!(status.code(), Some(75), "{said}");
    assert!(said.contains(&first.0.id().to_string()), "{said}");
    assert_eq!(first.stop().code(), Some(0));
    // A directory in place of the database.
    fs::remove_file(bench.path("state/ledger.db")).unwrap();
    fs::create_dir(bench.path("state/ledger.db")).unwrap();
    let mut third = start_heard(&bench);
    assert_eq!(third.end(Duration::from_mins(1)).code(), Some(1));
}

#[test]
fn a_torn_tail_is_completed_or_cut() {
    let bench = settled("");
    let log = bench.path("logs/events.jsonl");
    for damage in [&b"\0\0\0\0\0\0\0\0"[..], br#"{"seq":9"#, &[0xff; 600]] {
        OpenOptions::new().append(true).open(&log).unwrap().write_all(damage).unwrap();
        bench.publish(damage.len() as u64, 5);
        bench.settle();
    }
}
