//! What a run says, and to whom.

use std::fs::File;
use std::io::Seek;
use std::process::{Command, Stdio};

use serde_json::Value;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, Server};

use super::{acme, open_incident, polls};
use crate::support::binary::{Bench, Run};
use crate::support::provider::provider;
use crate::support::wait::until_true;

#[tokio::test]
async fn once_reports_what_is_new_or_that_nothing_is_and_what_was_last() {
    let (acme, _server, bench) = acme().await;
    let quiet = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(
        (quiet.code(), quiet.out.as_str(), quiet.err.as_str()),
        (Some(0), "No new updates.\n", "")
    );

    let posted = open_incident(&acme);
    let reported = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(reported.code(), Some(0), "{}", reported.err);
    assert!(
        reported.out.contains("] acme - Investigating (major)\n")
            && reported.out.contains("Requests fail in one of two zones."),
        "{}",
        reported.out
    );
    assert!(!reported.out.contains("No new updates"), "{}", reported.out);

    let again = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(again.code(), Some(0), "{}", again.err);
    assert!(
        again.out.starts_with("No new updates.\nLast known update:\n[")
            && again.out.matches("] acme").count() == 1,
        "{}",
        again.out
    );

    acme.resolve(posted.incident, "All is well.").unwrap();
    let over = bench.start(&["run", "--once"]).ended().await;
    assert!(
        over.out.contains("] acme - Resolved (major)\n") && over.out.contains("All is well."),
        "{}",
        over.out
    );
}

#[tokio::test]
async fn once_with_a_page_that_cannot_be_read_ends_all_the_same() {
    let (acme, _server, bench) = acme().await;
    acme.fault(Fault::Status(500, None));
    let ended = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    assert_eq!(ended.err.matches("cannot be read").count(), 1, "{}", ended.err);
}

#[tokio::test]
async fn hosted_reads_nothing_and_colours_nothing() {
    let (acme, server, bench) = acme().await;
    open_incident(&acme);
    std::fs::write(bench.path("keys"), "q\nq\nq\n").unwrap();
    let mut keys = File::open(bench.path("keys")).unwrap();
    let mut run = bench.start_with(&["run", "--hosted"], keys.try_clone().unwrap());
    bench.wait_events(1).await;
    polls(&server, "acme", 3).await;
    assert!(run.is_running(), "a key was read");
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    assert_eq!(keys.stream_position().unwrap(), 0, "standard input was read");
    assert!(
        ended.out.contains("acme - Investigating (major)") && !ended.out.contains('\u{1b}'),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("Keys:"), "{}", ended.out);
}

#[tokio::test]
async fn json_on_the_console_is_the_event_log() {
    let (acme, _server, bench) = acme().await;
    let posted = open_incident(&acme);
    let run = bench.start(&["run", "--format", "json"]);
    bench.wait_events(1).await;
    acme.resolve(posted.incident, "All is well.").unwrap();
    let events = bench.wait_events(2).await;
    let ended = run.stop().await;
    let console: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(console, events);
    assert_eq!(
        (&events[1]["status"], &events[1]["previous_status"]),
        (&"resolved".into(), &"investigating".into())
    );
}

#[tokio::test]
async fn nothing_is_reported_while_nothing_changes_and_one_line_at_each_end_of_a_failure() {
    let (acme, server, bench) = acme().await;
    let run = bench.start(&["run"]);
    polls(&server, "acme", 5).await;
    assert_eq!((run.out().as_str(), run.err().as_str()), ("", ""));

    acme.fault(Fault::Status(503, None));
    run.wait_err("cannot be read").await;
    polls(&server, "acme", 4).await;
    acme.clear_faults();
    run.wait_err("can be read again").await;
    polls(&server, "acme", 4).await;
    let ended = run.stop().await;
    let lines: Vec<&str> = ended.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.err);
    assert!(
        lines[0].contains("acme")
            && lines[0].contains("cannot be read")
            && lines[0].contains("503"),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("acme") && lines[1].contains("can be read again"), "{}", lines[1]);
    assert_eq!(ended.out, "");
}

#[tokio::test]
async fn an_unreachable_page_is_reported_once_and_so_is_its_return() {
    let (acme, server, bench) = acme().await;
    let bench = bench.default("stale_after", "1s");
    let run = bench.start(&["run"]);
    polls(&server, "acme", 2).await;
    acme.fault(Fault::Closed);
    let events = bench.wait_events(1).await;
    assert_eq!(
        (&events[0]["kind"], &events[0]["status"]),
        (&"provider".into(), &"unreachable".into())
    );
    assert!(!events[0]["message"].is_null(), "it says why: {}", events[0]);
    until_true("status to say unknown", || {
        bench
            .status_of("acme")
            .is_some_and(|row| row["freshness"] == "unreachable" && row["status"] == "unknown")
    })
    .await;

    acme.clear_faults();
    let events = bench.wait_events(2).await;
    assert_eq!(
        (&events[1]["status"], &events[1]["previous_status"]),
        (&"reachable".into(), &"unreachable".into())
    );
    until_true("status to say fresh", || {
        bench.status_of("acme").is_some_and(|row| row["freshness"] == "fresh")
    })
    .await;
    assert_eq!(bench.events().len(), 2);
    run.stop().await;
}

#[tokio::test]
async fn what_is_known_can_be_read_while_it_runs_and_afterwards() {
    let (acme, _server, bench) = acme().await;
    let posted = open_incident(&acme);
    let run = bench.start(&["run"]);
    bench.wait_events(1).await;
    let look = || {
        let status = bench.status_of("acme").unwrap();
        assert_eq!(
            (&status["source"], &status["open"][0]["status"]),
            (&"statuspage".into(), &"investigating".into())
        );
        for command in ["history", "logs"] {
            let (output, out, err) = bench.output(&[command, "--json"]);
            assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{command}");
            assert!(
                out.contains("Failed requests") && out.contains(&acme.incident_id(posted.incident)),
                "{command}: {out}"
            );
        }
    };
    look();
    run.stop().await;
    look();
}

#[tokio::test]
#[ignore = "needs script, which makes a terminal: see .ci/run"]
async fn a_first_run_at_a_terminal_shows_its_progress_and_the_present_state() {
    let one = provider("one", &Statuspage);
    let two = provider("two", &Statuspage);
    open_incident(&two);
    let server = Server::start_each(Cluster::new([one, two])).await.unwrap();
    let mut bench = Bench::new().default("interval", "10m").default("incident_interval", "10m");
    for id in ["one", "two"] {
        bench.add(id, &format!("{}api/v2/summary.json", server.url(id)), "");
    }
    bench.write();
    let program = bench.command();
    let start = |arguments: &str| {
        let line = format!("{} {arguments}", program.get_program().to_str().unwrap());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]);
        command.current_dir(program.get_current_dir().unwrap()).stdin(Stdio::null());
        Run::start(&mut command)
    };
    let summary = "2 providers: 1 operational, 1 partial outage";
    let first = start("run --duration 5s").ended().await.out;
    let progress = first.find("read 1 of 2").expect(&first);
    let open = first.find("Open now, worst first:").expect(&first);
    assert!(progress < open && first[open..].contains(summary), "{first}");
    // The pages are known by now.
    let second = start("run --duration 1s").ended().await.out;
    assert!(!second.contains("read 0 of") && second.contains(summary), "{second}");
    let (_, status, _) = bench.output(&["status"]);
    assert!(status.starts_with(summary), "{status}");
}
