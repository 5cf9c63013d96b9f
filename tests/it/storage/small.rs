//! Disks that are too small or have no room for another file, and read-only directories.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::said;
use crate::support::bench::{Bench, Verdict, Watch, lines};

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// Runs on a file system created with these options and mounted at `disk`.
fn start_on(bench: &Bench, options: &str) -> Watch {
    fs::create_dir_all(bench.path("disk")).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["-Urm", "sh", "-c"])
        .arg(format!("mount -t tmpfs -o {options} none disk && exec \"$0\" run --hosted"));
    command.arg(bench.command().get_program()).current_dir(bench.dir.path());
    Watch(
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap(),
    )
}

/// Returns the disk as the process sees it.
fn disk(bench: &Bench, watch: &Watch) -> PathBuf {
    Path::new("/proc")
        .join(watch.0.id().to_string())
        .join("root")
        .join(bench.path("disk").strip_prefix("/").unwrap())
}

#[test]
#[ignore = "needs mounts in a user namespace: see .ci/run"]
fn a_disk_that_is_full_from_the_start_is_named_and_leaves_nothing_half_made() {
    for size in ["4k", "32k", "64k"] {
        let bench = Bench::new(1, "state_dir: disk/state\nevent_log: {dir: disk/logs}");
        fs::create_dir(bench.path("disk")).unwrap();
        let script = format!(
            "mount -t tmpfs -o size={size} none disk && timeout 10 \"$0\" run --hosted 2>&1 >/dev/null; echo \"ended with $?\"
             mount -o remount,size=16m none disk && \"$0\" run --once 2>&1 >/dev/null; echo \"then with $?\"; \"$0\" status --check; echo \"read: $?\""
        );
        let mut command = Command::new("unshare");
        command
            .args(["-Urm", "sh", "-c", &script])
            .arg(bench.command().get_program())
            .current_dir(bench.dir.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains("disk/state/ledger.db") && said.contains("bytes are free"),
            "{size}: {said}"
        );
        assert!(
            said.contains("ended with 1")
                && said.contains("then with 0")
                && said.contains("read: 0"),
            "{size}: {said}"
        );
    }
}

#[test]
#[ignore = "needs mounts in a user namespace: see .ci/run"]
fn a_disk_without_room_for_another_file_loses_nothing_and_needs_no_restart() {
    let bench = Bench::new(
        2,
        "state_dir: disk/state\nevent_log: {dir: disk/logs, rotation: 4KiB, keep: 0}",
    );
    let mut watch = start_on(&bench, "size=16m,nr_inodes=64");
    let disk = disk(&bench, &watch);
    let reported = || lines(&disk.join("logs"));
    let owed = || bench.universe.published().owed();
    let has_all = || {
        owed()
            .iter()
            .all(|one| reported().iter().any(|line| line.contains(&format!("\"{}\"", one.text))))
    };
    bench.publish(1, 10);
    bench.wait_until("the first updates", || !reported().is_empty() && has_all());
    let mut fillers = 0;
    while File::create(disk.join(format!("filler{fillers}"))).is_ok() {
        fillers += 1;
    }
    assert!(fillers > 0);
    let asked = bench.requests();
    bench.publish(2, 40);
    bench.wait_until("polls without room for a file", || bench.requests() > asked + 40);
    assert!(!has_all(), "no new file could be begun");
    (0..fillers).for_each(|n| fs::remove_file(disk.join(format!("filler{n}"))).unwrap());
    bench.wait_until("the rest, without a restart", has_all);
    let reported = reported();
    assert_eq!(watch.stop().code(), Some(0));
    let verdict = Verdict::of(&reported, &reported, &bench.universe.published().all(), &owed());
    assert_eq!(verdict.problems, Vec::<String>::new());
}

/// Returns a bench that belongs to another user.
fn of_nobody(extra: &str) -> Bench {
    let bench = Bench::new(2, extra);
    std::os::unix::fs::chown(bench.dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    bench
}

fn as_nobody(bench: &Bench) -> Command {
    let mut command = Command::new("setpriv");
    let user = NOBODY.to_string();
    command
        .args(["--reuid", &user, "--regid", &user, "--clear-groups"])
        .arg(bench.command().get_program());
    command
        .current_dir(bench.dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn start(bench: &Bench) -> Watch {
    Watch(as_nobody(bench).args(["run", "--hosted"]).spawn().unwrap())
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
#[ignore = "needs root, to be another user: see .ci/run"]
fn a_state_directory_that_may_not_be_written_is_named_at_the_start_and_does_no_harm_later() {
    let bench = of_nobody("");
    // First a directory that cannot be created, then an existing one.
    mode(bench.dir.path(), 0o555);
    let mut watch = start(&bench);
    assert_eq!(watch.end(Duration::from_mins(1)).code(), Some(1));
    let why = said(&mut watch);
    assert!(why.contains("state"), "{why}");
    mode(bench.dir.path(), 0o755);
    let mut watch = start(&bench);
    bench.publish(1, 10);
    bench.wait_until_reported();
    // Permission is removed at run time: open files remain open.
    mode(&bench.path("state"), 0o555);
    bench.publish(2, 10);
    bench.wait_until_reported();
    assert_eq!(watch.stop().code(), Some(0), "{}", said(&mut watch));
    // The log of the database stays in place, and without one it has to be created.
    let database = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    database.close().unwrap();
    assert!(!bench.path("state/ledger.db-wal").exists());
    let before = fs::read(bench.path("state/ledger.db")).unwrap();
    let mut watch = start(&bench);
    assert_eq!(watch.end(Duration::from_mins(1)).code(), Some(1));
    let why = said(&mut watch);
    assert!(why.contains("state"), "{why}");
    assert!(fs::read(bench.path("state/ledger.db")).unwrap() == before, "it was touched");
    mode(&bench.path("state"), 0o700);
    bench.publish(3, 10);
    let mut watch = start(&bench);
    bench.wait_until_reported();
    assert_eq!(watch.stop().code(), Some(0), "{}", said(&mut watch));
    bench.judge();
}

#[test]
#[ignore = "needs root, to be another user: see .ci/run"]
fn a_log_directory_that_may_not_be_written_is_waited_for() {
    let bench = of_nobody("event_log: {rotation: 4KiB, keep: 0}\ndiagnostics: {dir: diagnostics}");
    let mut watch = start(&bench);
    bench.publish(1, 10);
    bench.wait_until_reported();
    mode(&bench.path("logs"), 0o555);
    bench.publish(2, 40);
    let failure = || {
        let status =
            bench.command().args(["status", "--json"]).stdout(Stdio::piped()).output().unwrap();
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        let sinks = status["sinks"].as_array().unwrap();
        sinks.iter().any(|sink| {
            sink["trouble"]
                .as_str()
                .is_some_and(|why| why.contains("rename") || why.contains("denied"))
        })
    };
    bench.wait_until("status to show the failure", failure);
    mode(&bench.path("logs"), 0o750);
    bench.wait_until_reported();
    assert!(!failure(), "and that it is over");
    assert_eq!(watch.stop().code(), Some(0));
    let why = said(&mut watch);
    assert_eq!(why.matches("cannot deliver").count(), 1, "{why}");
    bench.judge();
}
