//! A database of an earlier version, and kills while it is brought up to this one.
//!
//! `STATUSWATCH_CALLS=all cargo test --test it upgrade:: -- --ignored --nocapture` kills at every
//! system call of the upgrade.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;
use statuswatch::ledger::open_writer;

use crate::support::bench::Bench;
use crate::support::strace;

/// What each step added, taken away again, the newest first: with it a database is one of the
/// version before.
const BACK: [(i64, &str); 5] = [
    (
        5,
        "DROP TABLE outbox; DROP TABLE notified; DROP TABLE delivery; DROP TABLE dead_letter;
         DROP TABLE mute; DROP TABLE channel;",
    ),
    (
        4,
        "DROP TABLE network; ALTER TABLE provider DROP COLUMN vanished; DROP INDEX component_held; ALTER TABLE component DROP COLUMN held_since;
         DROP INDEX item_same; ALTER TABLE item DROP COLUMN same_as;
         ALTER TABLE provider DROP COLUMN dropped_events; ALTER TABLE provider DROP COLUMN moved_at;
         ALTER TABLE provider DROP COLUMN moved_between;
         ALTER TABLE provider DROP COLUMN silent_moves;
         ALTER TABLE provider DROP COLUMN retry_by; ALTER TABLE provider DROP COLUMN real_interval_ms;
         ALTER TABLE provider DROP COLUMN full_at; ALTER TABLE provider DROP COLUMN false_304_at;
         ALTER TABLE provider DROP COLUMN unconditional_until;
         ALTER TABLE provider DROP COLUMN unread_times;
         ALTER TABLE provider DROP COLUMN doubt; ALTER TABLE provider DROP COLUMN doubt_since;
         ALTER TABLE provider DROP COLUMN doubt_stale; ALTER TABLE provider DROP COLUMN doubt_foreign;
         ALTER TABLE provider DROP COLUMN doubt_said_at; ALTER TABLE provider DROP COLUMN past_incidents_at;
         ALTER TABLE provider DROP COLUMN past_maintenances_at;",
    ),
    (3, "ALTER TABLE provider DROP COLUMN companions;"),
    (2, "ALTER TABLE component DROP COLUMN digest; DROP TABLE quiet;"),
    (
        1,
        "ALTER TABLE provider DROP COLUMN usual_incidents; ALTER TABLE provider DROP COLUMN usual_components;
         ALTER TABLE provider DROP COLUMN shrunk; ALTER TABLE provider DROP COLUMN shrunk_since;
         ALTER TABLE provider DROP COLUMN quiet_since;",
    ),
];

/// This program's version of the database.
const NOW: i64 = 6;

/// The tables whose rows have to stay as they are, whatever happens to their columns.
const KEPT: [&str; 5] = ["event", "seen", "item", "sink", "provider"];

/// The database as whoever reads it finds it.
fn read_only(state: &Path) -> Connection {
    Connection::open_with_flags(state.join("ledger.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn version(db: &Connection) -> i64 {
    db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn schema(db: &Connection) -> Vec<String> {
    let mut statement =
        db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Every row of what has to stay, by the names of its columns; what is empty is as good as not
/// there.
fn rows(db: &Connection) -> Vec<(String, BTreeMap<String, String>)> {
    let mut all = Vec::new();
    for table in KEPT {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let value = |place: usize| row.get::<_, Value>(place).unwrap();
            let cells = names.iter().enumerate().filter(|(place, _)| value(*place) != Value::Null);
            all.push((
                table.to_owned(),
                cells.map(|(place, name)| (name.clone(), format!("{:?}", value(place)))).collect(),
            ));
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The system calls on the database that the first thread makes until the upgrade is on disk: each
/// by its name, and the how manieth of that name it is.
fn calls_of_an_upgrade(bench: &Bench, paths: &[&str]) -> Vec<(String, u32)> {
    let trace = bench.path("trace");
    let asked = bench.requests();
    let mut watch = strace::start(bench, &[&["-o", trace.to_str().unwrap()], paths].concat());
    bench.wait_until("the first poll, behind the upgrade", || bench.requests() > asked);
    strace::signal(&watch, Signal::KILL);
    watch.0.wait().unwrap();
    let trace = fs::read_to_string(trace).unwrap();
    let first = trace.split(' ').next().unwrap();
    let begun = trace.lines().filter_map(|line| {
        line.strip_prefix(first)?.trim_start().split_once('(').map(|(name, _)| name)
    });
    let (mut counts, mut calls) = (HashMap::<&str, u32>::new(), Vec::new());
    for name in begun.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric())) {
        let count = counts.entry(name).or_default();
        *count += 1;
        calls.push((name.to_owned(), *count));
    }
    // The log's header is synced, then the transaction: the one call that makes the database a
    // newer one, and some behind it.
    let syncs =
        calls.iter().enumerate().filter(|(_, (name, _))| name == "fsync" || name == "fdatasync");
    let done = syncs.map(|(place, _)| place).nth(1).unwrap();
    calls.truncate(done + 4);
    calls
}

#[test]
#[ignore = "needs strace: see .ci/run"]
fn an_upgrade_that_is_killed_anywhere_is_done_whole_or_not_at_all() {
    let every = std::env::var_os("STATUSWATCH_CALLS").is_some();
    let fresh = tempfile::tempdir().unwrap();
    let wanted = schema(&open_writer(fresh.path()).unwrap());
    let bench = Bench::new(2, "");
    bench.publish(1, 30);
    bench.settle();
    let (state, logs) = (bench.path("state"), bench.path("logs"));
    let files = ["", "-wal", "-shm", "-journal"]
        .map(|end| state.join(format!("ledger.db{end}")).to_str().unwrap().to_owned());
    let paths: Vec<&str> = files.iter().flat_map(|file| ["-P", file]).collect();
    let (mut kills, mut settled) = (0, 0);
    for (from, back) in BACK {
        Connection::open(state.join("ledger.db"))
            .unwrap()
            .execute_batch(&format!("{back} PRAGMA user_version = {from};"))
            .unwrap();
        let old = schema(&read_only(&state));
        assert_ne!(old, wanted);
        let before = rows(&read_only(&state));
        assert!(before.len() > 60, "{}", before.len());
        let (saved_state, saved_logs) = (bench.path("saved/state"), bench.path("saved/logs"));
        copy(&state, &saved_state);
        copy(&logs, &saved_logs);
        let calls = calls_of_an_upgrade(&bench, &paths);
        assert!(calls.len() > 60, "{calls:?}");
        let step = if every { 1 } else { calls.len() / 9 };
        // From the end, where the change becomes durable.
        for (name, n) in calls.iter().rev().step_by(step) {
            copy(&saved_state, &state);
            copy(&saved_logs, &logs);
            let inject = format!("inject={name}:signal=KILL:when={n}");
            let mut watch = strace::start(
                &bench,
                &[&["-o", "/dev/null", "-e", &inject], paths.as_slice()].concat(),
            );
            let call = format!("{name} number {n}");
            assert!(
                strace::ended(&mut watch, Duration::from_secs(20)).is_some(),
                "{call} never came"
            );
            kills += 1;
            let (version, schema) = { (version(&read_only(&state)), schema(&read_only(&state))) };
            assert!(
                (version == from && schema == old) || (version == NOW && schema == wanted),
                "{call}: version {version}"
            );
            if kills % if every { 20 } else { 6 } == 0 {
                // With the program itself, and something new.
                bench.publish(kills, 3);
                bench.settle();
                settled += 1;
            } else {
                let upgraded = open_writer(&state).unwrap();
                assert_eq!(self::version(&upgraded), NOW, "{call}");
                assert_eq!(self::schema(&upgraded), wanted, "{call}");
                assert!(rows(&upgraded) == before, "{call}: rows changed");
            }
        }
        copy(&saved_state, &state);
        copy(&saved_logs, &logs);
    }
    println!(
        "{kills} kills within upgrades: each whole or not at all; nothing lost, nothing twice in {settled} runs on what they left"
    );
}

#[test]
fn a_newer_database_is_refused_by_name_and_left_as_it_is() {
    let bench = Bench::new(1, "");
    bench.publish(1, 5);
    bench.settle();
    let path = bench.path("state/ledger.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", NOW + 1).unwrap();
    let before = fs::read(&path).unwrap();
    let output = bench.command().arg("run").stderr(std::process::Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("ledger.db has version {}", NOW + 1))
            && said.contains("start the newer statuswatch"),
        "{said}"
    );
    assert!(fs::read(&path).unwrap() == before, "it was touched");
}
