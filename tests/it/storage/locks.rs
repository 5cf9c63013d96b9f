//! Other processes at the same database: long reads, writes and copies; and a sink that lags
//! behind.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::bench::{Bench, Watch, parse};

/// Two pages that have a version: only there is an incident seen that comes and goes between two
/// polls.
fn settled() -> Bench {
    let bench = Bench::new(2, "");
    bench.publish(1, 30);
    bench.settle();
    bench
}

fn database(bench: &Bench) -> Connection {
    Connection::open(bench.path("state/ledger.db")).unwrap()
}

fn count(db: &Connection, what: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_long_reader_delays_nobody() {
    let bench = settled();
    let reader = database(&bench);
    reader.execute_batch("BEGIN").unwrap();
    let before = count(&reader, "event");
    let mut watch = bench.start();
    bench.publish(2, 40);
    bench.wait_until_reported();
    assert_eq!(count(&reader, "event"), before, "it still reads what was there when it began");
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    assert_eq!(watch.stop().code(), Some(0));
    let left = fs::metadata(bench.path("state/ledger.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(left, 0, "the log of the database has gone into it");
    bench.judge();
}

#[test]
fn a_long_read_transaction_is_reported_once_and_so_is_its_end() {
    let bench = settled();
    let mut watch = super::start_heard(&bench);
    bench.publish(2, 5);
    bench.wait_until_reported();
    let reader = database(&bench);
    reader.execute_batch("BEGIN").unwrap();
    count(&reader, "event");
    // As much as years of updates, at once.
    let writer = database(&bench);
    writer
        .execute_batch("PRAGMA synchronous = OFF; CREATE TABLE much(bytes); INSERT INTO much VALUES (zeroblob(70000000))")
        .unwrap();
    let reported = |part: &str| bench.diagnostics().matches(part).count();
    bench.wait_until("the warning", || reported("write-ahead log grows") == 1);
    let size = || fs::metadata(bench.path("state/ledger.db-wal")).unwrap().len();
    assert!(size() > 64 << 20, "{}", size());
    // Writing continues meanwhile.
    bench.publish(3, 20);
    bench.wait_until_reported();
    reader.execute_batch("COMMIT").unwrap();
    bench.wait_until("the end of it", || reported("small again") == 1);
    assert!(size() <= 8 << 20, "{}", size());
    assert_eq!(reported("write-ahead log grows"), 1);
    drop(reader);
    writer.execute_batch("DROP TABLE much").unwrap();
    drop(writer);
    assert_eq!(watch.stop().code(), Some(0));
    let said = super::said(&mut watch);
    assert!(said.contains("stop that program") && said.contains("ledger.db-wal"), "{said}");
    bench.judge();
}

#[test]
fn a_write_lock_held_by_another_is_waited_for() {
    let bench = settled();
    let mut watch = bench.start();
    let asked = bench.requests();
    bench.wait_until("polls", || bench.requests() > asked + 4);
    let other = database(&bench);
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (before, began) = (bench.lines().len(), Instant::now());
    bench.publish(2, 30);
    // Exceeds the time that the program waits for a lock in one go.
    let asked = bench.requests();
    bench.wait_until("a lock held for long", || began.elapsed() > Duration::from_secs(3));
    assert!(bench.requests() > asked, "providers are asked meanwhile");
    assert_eq!(bench.lines().len(), before, "nothing is reported that is not recorded");
    other.execute_batch("ROLLBACK").unwrap();
    bench.wait_until_reported();
    assert_eq!(watch.stop().code(), Some(0));
    bench.judge();
}

#[test]
fn a_copy_made_while_it_runs_starts_elsewhere_and_repeats_nothing() {
    let mut bench = settled();
    let mut watch = bench.start();
    let storm = bench.storm(5, Duration::from_millis(10));
    let copied = tempfile::tempdir().unwrap();
    let asked = bench.requests();
    bench.wait_until("some of the storm", || bench.requests() > asked + 20);
    fs::create_dir(copied.path().join("state")).unwrap();
    database(&bench)
        .execute("VACUUM INTO ?1", [copied.path().join("state/ledger.db").to_str().unwrap()])
        .unwrap();
    // What the copy knows to be in the log; it cannot know about deliveries that were not stored
    // yet.
    let delivered: u64 = {
        let copy = Connection::open(copied.path().join("state/ledger.db")).unwrap();
        let cursor = "SELECT seq FROM sink WHERE id = 'event_log.json'";
        copy.query_row(cursor, [], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
    };
    assert!(delivered > 20, "{delivered}");
    storm.end();
    bench.wait_until_reported();
    assert_eq!(watch.stop().code(), Some(0));
    let first = bench.lines();
    fs::copy(bench.path("providers.yaml"), copied.path().join("providers.yaml")).unwrap();
    bench.dir = copied;
    bench.publish(6, 5);
    let owed = bench.universe.published().owed();
    let mut watch = bench.start();
    let missing = || {
        let reported: Vec<String> = first
            .iter()
            .filter(|line| parse(line).unwrap().seq <= delivered)
            .cloned()
            .chain(bench.lines())
            .collect();
        owed.iter().any(|one| {
            !reported.iter().any(|line| {
                line.contains(&one.provider)
                    && parse(line).is_some_and(|event| event.message.as_ref() == Some(&one.text))
            })
        })
    };
    bench.wait_until("what came after the copy", || !missing());
    assert_eq!(watch.stop().code(), Some(0));
    let (lines, old) = (bench.lines(), &first[..usize::try_from(delivered).unwrap()]);
    assert_eq!(parse(&lines[0]).unwrap().seq, delivered + 1, "it goes on where the copy was made");
    let id = |line: &String| parse(line).unwrap().id;
    let known: Vec<String> = old.iter().map(id).collect();
    assert!(lines.iter().all(|line| !known.contains(&id(line))), "something old was reported");
}

/// Runs with this console until `so` holds.
fn run_with(bench: &Bench, out: Stdio, what: &str, so: impl Fn() -> bool) {
    let mut watch = Watch(
        bench.command().args(["run", "--hosted", "--format", "json"]).stdout(out).spawn().unwrap(),
    );
    bench.wait_until(what, so);
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn what_a_sink_has_not_delivered_is_kept_beyond_the_retention() {
    let bench = settled();
    let (all, delivered) = (count(&database(&bench), "event"), 5);
    assert!(all > 20, "{all}");
    database(&bench)
        .execute_batch(&format!(
            "UPDATE event SET observed_at = observed_at - 500 * 86400000; UPDATE sink SET seq = {delivered} WHERE id = 'console';"
        ))
        .unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    run_with(&bench, full.into(), "the removal of what is old", || {
        count(&database(&bench), "event") == all - delivered
    });
    // The console works again and receives everything it missed.
    let shown = File::create(bench.path("shown")).unwrap();
    let lines = || {
        fs::read_to_string(bench.path("shown"))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    run_with(&bench, shown.into(), "the rest", || lines().len() as i64 == all - delivered);
    assert_eq!(lines(), bench.lines()[usize::try_from(delivered).unwrap()..]);
}
