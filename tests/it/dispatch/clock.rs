//! Clock changes: the nights in which local clocks change, and a wall clock that is set.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;
use statuswatch::event::Impact;

use super::{hook, judge, wait_for_all};
use crate::support::bench::{Bench, Watch};
use crate::support::receiver::{Receiver, Reply};

/// The variable that names the file with the program's clock offset.
const VARIABLE: &str = "STATUSWATCH_TEST_CLOCK";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Sets the clock of the program, also while it runs.
pub(crate) fn set(bench: &Bench, now: DateTime<Utc>) {
    let new = bench.path("clock.new");
    std::fs::write(&new, (now - Utc::now()).num_seconds().to_string()).unwrap();
    std::fs::rename(new, bench.path("clock")).unwrap();
}

/// What the clock of the program shows.
pub(crate) fn now(bench: &Bench) -> DateTime<Utc> {
    let offset = std::fs::read_to_string(bench.path("clock")).unwrap();
    Utc::now() + TimeDelta::seconds(offset.parse().unwrap())
}

pub(crate) fn start(bench: &Bench) -> Watch {
    let mut command = bench.command_with_faults();
    command.args(["run", "--hosted"]).env(VARIABLE, bench.path("clock"));
    Watch(command.spawn().unwrap())
}

/// When each held message is due.
fn due(bench: &Bench) -> Vec<DateTime<Utc>> {
    let Ok(db) = Connection::open(bench.path("state/ledger.db")) else { return Vec::new() };
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    let Ok(mut statement) = db.prepare("SELECT due_at FROM outbox WHERE hold = 'quiet_hours'")
    else {
        return Vec::new();
    };
    let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    rows.map(|at| DateTime::from_timestamp_millis(at.unwrap()).unwrap()).collect()
}

/// A night: the zone, when quiet hours end by its clock, when that is, and if that local time comes
/// twice, an instant between the two and the second one.
type Night = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

const NIGHTS: [Night; 6] = [
    // The clocks skip the end.
    ("Europe/Berlin", "02:30", "2026-03-29T01:00:00Z", None),
    ("America/New_York", "02:30", "2026-03-08T07:00:00Z", None),
    // By half an hour.
    ("Australia/Lord_Howe", "02:15", "2026-10-03T15:30:00Z", None),
    // It comes twice.
    (
        "Europe/Berlin",
        "02:30",
        "2026-10-25T00:30:00Z",
        Some(("2026-10-25T01:05:00Z", "2026-10-25T01:30:00Z")),
    ),
    (
        "America/New_York",
        "01:30",
        "2026-11-01T05:30:00Z",
        Some(("2026-11-01T06:05:00Z", "2026-11-01T06:30:00Z")),
    ),
    (
        "Australia/Lord_Howe",
        "01:45",
        "2026-04-04T14:45:00Z",
        Some(("2026-04-04T15:05:00Z", "2026-04-04T15:15:00Z")),
    ),
];

#[test]
fn what_quiet_hours_hold_is_sent_once_in_every_night_of_a_clock_change() {
    for (zone, to, end, again) in NIGHTS {
        let night = format!("{zone} {end}");
        let receiver = Receiver::start();
        let url = &receiver.url;
        let bench = Bench::new(
            1,
            &format!(
                "channels:\n  ops: {{kind: slack, webhook_url: \"{url}/slack\"}}\n\
                 quiet_hours:\n  - {{from: \"22:00\", to: \"{to}\", zone: {zone}}}\n"
            ),
        );
        let provider = &bench.universe.providers()[0];
        let sent = || receiver.accepted("/slack");
        let open = |title: &str| {
            bench.universe.open_incident(provider, title, Impact::Minor, &[], &format!("{title}."));
        };
        let held = |due_at: &str| {
            bench.wait_until(&format!("{night}: held"), || !due(&bench).is_empty());
            assert_eq!(due(&bench), [time(due_at)], "{night}");
        };
        let end_of = |at: &str, count: usize, title: &str| {
            set(&bench, time(at) - TimeDelta::seconds(3));
            bench.wait_until(&format!("{night}: {title}"), || sent().len() == count);
            let last = sent().pop().unwrap();
            let shown = now(&bench) - TimeDelta::from_std(last.at.elapsed()).unwrap();
            assert!(shown >= time(at), "{night}: sent at {shown}");
            assert!(last.body.contains(title), "{night}: {}", last.body);
            assert!(last.body.contains("Quiet hours ended"), "{night}: {}", last.body);
            // Set back into the night, nothing is sent a second time.
            set(&bench, time(at) - TimeDelta::minutes(10));
        };
        set(&bench, time(end) - TimeDelta::minutes(150));
        let mut watch = start(&bench);
        open("Evening");
        held(end);
        // A restart at night forgets nothing.
        assert_eq!(watch.stop().code(), Some(0));
        set(&bench, time(end) - TimeDelta::minutes(5));
        let mut watch = start(&bench);
        end_of(end, 1, "Evening");
        let mut count = 1;
        if let Some((between, second)) = again {
            set(&bench, time(between));
            open("Between");
            held(second);
            count += 1;
            end_of(second, count, "Between");
        }
        set(&bench, time(end) + TimeDelta::hours(9));
        open("Morning");
        bench.wait_until(&format!("{night}: morning"), || sent().len() > count);
        assert!(sent()[count].body.contains("Morning"), "{night}");
        assert_eq!(watch.stop().code(), Some(0));
        assert_eq!((sent().len(), due(&bench).len()), (count + 1, 0), "{night}");
    }
}

#[test]
fn a_clock_that_is_set_changes_no_delay() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    set(&bench, Utc::now());
    receiver.script("/hook", vec![Reply::status(500); 4]);
    let mut watch = start(&bench);
    bench.publish(3, 1);
    for (attempt, minutes) in [(1, -10), (2, 10), (3, -20), (4, 0)] {
        bench.wait_until("an attempt", || receiver.at("/hook").len() == attempt);
        // The failure is stored with the time of its next attempt before the clock is set.
        bench.wait_until("the failure", || {
            let db = Connection::open(bench.path("state/ledger.db")).unwrap();
            db.busy_timeout(Duration::from_secs(5)).unwrap();
            let attempts = db.query_row("SELECT attempts FROM outbox", [], |row| row.get(0));
            attempts.is_ok_and(|attempts: i64| attempts as usize == attempt)
        });
        set(&bench, Utc::now() + TimeDelta::minutes(minutes));
    }
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    assert_eq!(judge(&bench, &receiver), 4);
    let at: Vec<Instant> = receiver.at("/hook").iter().map(|one| one.at).collect();
    for (gap, delay) in at.windows(2).map(|two| two[1] - two[0]).zip([1, 2, 4, 8]) {
        let delay = Duration::from_secs(delay);
        assert!(gap >= delay && gap < delay * 2 + Duration::from_secs(5), "{delay:?}: {gap:?}");
    }
}
