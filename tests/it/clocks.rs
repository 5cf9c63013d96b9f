//! A wall clock that is wrong, set back or set forward while the program runs: it moves no
//! schedule, hides no update and removes nothing.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;
use serde_json::Value;
use statuswatch::event::IncidentStatus;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Authority, CertificateFlaw, Cluster, Posted, Provider, Server};

use crate::support::bench::lines;
use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::wait::{until, until_true, within};

const INTERVAL: Duration = Duration::from_millis(200);

/// The variable that sets the program's clock offset.
const VARIABLE: &str = "STATUSWATCH_TEST_CLOCK";

fn set(bench: &Bench, seconds: i64) {
    let new = bench.path("clock.new");
    std::fs::write(&new, seconds.to_string()).unwrap();
    std::fs::rename(new, bench.path("clock")).unwrap();
}

/// Starts the program with the bench's clock.
fn start(bench: &Bench, more: &[(&str, &Path)]) -> Run {
    bench.write();
    let mut command = bench.command_with_faults();
    command.arg("run").env(VARIABLE, bench.path("clock")).envs(more.iter().copied());
    Run::start(&mut command)
}

/// Returns one provider from `status`, run with the same clock.
fn status(bench: &Bench, id: &str) -> Value {
    let output = bench
        .command_with_faults()
        .args(["status", "--json"])
        .env(VARIABLE, bench.path("clock"))
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["providers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|provider| provider["id"] == id)
        .unwrap()
        .clone()
}

/// Returns whether `value` is within a minute of the real time shifted by `seconds`.
fn is_by_the_clock(value: &Value, seconds: i64) -> bool {
    let time = value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    time.is_some_and(|time| {
        (time - Utc::now() - TimeDelta::seconds(seconds)).abs() < TimeDelta::minutes(1)
    })
}

async fn watched() -> (Provider, Server, Bench, Posted) {
    let acme = provider("acme", &Statuspage);
    let posted = acme.open_incident(
        "Failed requests",
        statuswatch::event::Impact::Major,
        &["Compute"],
        "Update 0.",
    );
    let server = alone(&acme).await;
    let interval = format!("{}ms", INTERVAL.as_millis());
    let bench = Bench::new().default("interval", &interval).default("incident_interval", &interval);
    let bench = bench.provider("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    set(&bench, 0);
    (acme, server, bench, posted)
}

/// Checks that the next polls keep their distance, whatever the clock does meanwhile.
async fn keeps_its_pace(server: &Server, what: &str) {
    // Further documents of a changed page follow the first one immediately and are not counted.
    let polls = || -> Vec<_> {
        let requests = server.requests_of("acme").into_iter();
        requests.filter(|request| request.path.ends_with("summary.json")).collect()
    };
    let (before, requests) = (polls().len(), server.requests_of("acme").len());
    within("polls after the change", server.wait_answered("acme", requests + 5)).await;
    // With the gap before those that are judged, if there is one.
    let times: Vec<_> = polls().iter().skip(before.saturating_sub(2)).map(|poll| poll.at).collect();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (place, gap) in gaps.iter().enumerate().skip(usize::from(before >= 2)) {
        // Other tests load the machine: after a poll that arrived late, the next one follows soon.
        let former = place.checked_sub(1).map(|former| gaps[former]);
        let was_late =
            former.is_some_and(|former| former < INTERVAL * 2 && former + *gap > INTERVAL * 3 / 2);
        assert!(*gap > INTERVAL / 3 || was_late, "{what}: a burst: {gaps:?}");
        assert!(*gap < INTERVAL * 10, "{what}: a pause: {gaps:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_or_forward_moves_no_schedule_and_hides_no_update() {
    let (acme, server, bench, posted) = watched().await;
    let run = start(&bench, &[]);
    bench.wait_events(1).await;
    let mut reported = 1;
    for (what, seconds) in
        [("two hours back", -7200), ("a day ahead", 86_400), ("1970", -Utc::now().timestamp())]
    {
        set(&bench, seconds);
        keeps_its_pace(&server, what).await;
        acme.update(posted.incident, IncidentStatus::Identified, &format!("Update {reported}."))
            .unwrap();
        reported += 1;
        // A day ahead, the log continues in another day's file.
        let events = until("the update", || {
            Some(lines(&bench.path("logs"))).filter(|lines| lines.len() == reported)
        })
        .await;
        let last: Value = serde_json::from_str(&events[reported - 1]).unwrap();
        assert_eq!(last["message"], format!("Update {}.", reported - 1));
        assert!(is_by_the_clock(&last["observed_at"], seconds), "{what}: {last}");
        // Stored with the next unchanged poll.
        let row = until("a poll by the new clock", || {
            Some(status(&bench, "acme")).filter(|row| {
                is_by_the_clock(&row["last_success"], seconds)
                    && is_by_the_clock(&row["next_poll"], seconds)
            })
        })
        .await;
        assert_eq!(row["freshness"], "fresh", "{what}: {row}");
        assert!(
            row["last_success_age"].as_i64().is_some_and(|age| (0..60).contains(&age)),
            "{what}: {row}"
        );
    }
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.as_str()), (Some(0), ""));
    // The last poll is far ahead of this clock, so its age is unknown and it is not shown as the
    // current state.
    assert_eq!(status(&bench, "acme")["freshness"], "fresh");
    set(&bench, -Utc::now().timestamp() - 86_400 * 30);
    let row = status(&bench, "acme");
    assert_eq!((&row["freshness"], &row["status"]), (&"stale".into(), &"unknown".into()), "{row}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_a_clock_that_is_ahead_removes_no_history_and_waits_for_nothing() {
    let (acme, server, bench, posted) = watched().await;
    let run = start(&bench, &[]);
    bench.wait_events(1).await;
    acme.resolve(posted.incident, "All is well.").unwrap();
    bench.wait_events(2).await;
    run.stop().await;
    let remembered = || {
        let db = Connection::open(bench.path("state/ledger.db")).unwrap();
        let count = |what: &str| {
            db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        [count("event"), count("item"), count("seen")]
    };
    let before = remembered();
    for (what, seconds) in [("a day", 86_400), ("a century", 86_400 * 36_500)] {
        set(&bench, seconds);
        let run = start(&bench, &[]);
        keeps_its_pace(&server, what).await;
        // The first pruning happens within the first second.
        until_true("the heartbeat", || {
            std::fs::read_to_string(bench.path("state/heartbeat"))
                .is_ok_and(|text| is_by_the_clock(&text.trim().into(), seconds))
        })
        .await;
        run.stop().await;
        assert_eq!(remembered(), before, "{what} ahead");
    }
    // Correct again: nothing is reported twice, and new updates are reported.
    set(&bench, 0);
    let run = start(&bench, &[]);
    keeps_its_pace(&server, "right again").await;
    acme.open_incident("Slow", statuswatch::event::Impact::Minor, &[], "Update 1.");
    let events = bench.wait_events(3).await;
    assert_eq!(
        (&events[2]["message"], &events[2]["backfill"]),
        (&"Update 1.".into(), &false.into())
    );
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_seen_in_1970_are_refused_with_a_hint_at_the_clock() {
    let authority = Authority::new().unwrap();
    let acme = provider("acme", &Statuspage);
    acme.open_incident(
        "Failed requests",
        statuswatch::event::Impact::Major,
        &["Compute"],
        "Update 0.",
    );
    let server =
        Server::start(Cluster::new([acme]).tls(&authority, CertificateFlaw::None)).await.unwrap();
    let bench =
        Bench::new().provider("acme", &format!("{}api/v2/summary.json", server.url("acme")), "");
    let roots = bench.path("ca.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    set(&bench, -Utc::now().timestamp());
    let run = start(&bench, &[("SSL_CERT_FILE", &roots)]);
    run.wait_err("acme cannot be read: ").await;
    assert!(run.err().contains("clock"), "{}", run.err());
    assert!(server.requests().is_empty());
    // The clock is corrected while the program runs.
    set(&bench, 0);
    run.wait_err("acme can be read again").await;
    bench.wait_events(1).await;
    assert_eq!(run.stop().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_product_ignores_the_variables_of_tests() {
    let (_acme, server, bench, _) = watched().await;
    set(&bench, 86_400);
    bench.write();
    let mut command = bench.command();
    command.arg("run").env(VARIABLE, bench.path("clock")).env("STATUSWATCH_CHAOS_SEED", "1");
    let run = Run::start(&mut command);
    // More than two seconds; `chaos` breaks an actor every tenth of one.
    within("polls", server.wait_answered("acme", 12)).await;
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.as_str()), (Some(0), ""));
    assert!(is_by_the_clock(&bench.events()[0]["observed_at"], 0), "{:?}", bench.events());
    let diagnostics = bench.diagnostics();
    assert!(diagnostics.contains(": watching "), "{diagnostics}");
    assert!(!diagnostics.contains("sabotage"), "{diagnostics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_reported_in_utc_wherever_the_machine_stands() {
    let (acme, server, bench, _) = watched().await;
    acme.behave(|behaviour| behaviour.keep_alive = true);
    for zone in ["Pacific/Kiritimati", "XYZ+11:30"] {
        bench.write();
        let mut command = bench.command();
        command.arg("run").env("TZ", zone);
        let run = Run::start(&mut command);
        let asked = server.requests_of("acme").len();
        within("polls", server.wait_answered("acme", asked + 2)).await;
        let written = || std::fs::read_to_string(bench.path("state/heartbeat")).ok();
        let heartbeat =
            until("the heartbeat", || written().filter(|text| text.ends_with('\n'))).await;
        run.stop().await;
        assert!(
            is_by_the_clock(&heartbeat.trim().into(), 0) && heartbeat.trim().ends_with('Z'),
            "{zone}: {heartbeat}"
        );
    }
    let event = &bench.events()[0];
    for field in ["started_at", "published_at", "observed_at"] {
        assert!(
            event[field].as_str().unwrap().ends_with('Z') && is_by_the_clock(&event[field], 0),
            "{field}: {event}"
        );
    }
    let row = bench.status_of("acme").unwrap();
    assert!(is_by_the_clock(&row["last_success"], 0), "{row}");
    let mut lines = 0;
    for file in std::fs::read_dir(bench.path("diagnostics")).unwrap() {
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let stamp = line.split(' ').next().unwrap();
            assert!(stamp.ends_with('Z') && is_by_the_clock(&stamp.into(), 0), "{line}");
            lines += 1;
        }
    }
    assert!(lines > 4, "{lines}");
}
