//! What a restart reports again (nothing) and what it requests (only what is new).

use rustix::process::Signal;
use statuswatch::event::IncidentStatus;

use super::{acme, is_conditional, open_incident, polls};
use crate::support::binary::events_in;
use crate::support::wait::until_true;

#[tokio::test]
async fn a_restart_reports_nothing_again_and_asks_only_for_what_is_new() {
    let (acme, server, bench) = acme().await;
    let posted = open_incident(&acme);
    let run = bench.start(&["run"]);
    bench.wait_events(1).await;
    polls(&server, "acme", 2).await;
    run.stop().await;

    let before = server.requests_of("acme").len();
    let run = bench.start(&["run"]);
    polls(&server, "acme", 4).await;
    let since = server.requests_of("acme").split_off(before);
    assert!(since.iter().all(is_conditional), "{since:#?}");
    assert!(since.iter().all(|request| request.status == Some(304)), "{since:#?}");
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));
    assert_eq!(bench.events().len(), 1);

    // What happened in between is reported.
    acme.update(posted.incident, IncidentStatus::Identified, "A cable is cut.").unwrap();
    let run = bench.start(&["run"]);
    let events = bench.wait_events(2).await;
    assert_eq!(
        (&events[1]["status"], &events[1]["previous_status"]),
        (&"identified".into(), &"investigating".into())
    );
    let ended = run.stop().await;
    assert!(
        ended.out.contains("A cable is cut.") && !ended.out.contains("one of two zones"),
        "{}",
        ended.out
    );
}

#[tokio::test]
async fn a_kill_at_any_moment_reports_nothing_twice() {
    let (acme, server, bench) = acme().await;
    let posted = open_incident(&acme);
    for round in 0..5 {
        let run = bench.start(&["run"]);
        if round == 0 {
            bench.wait_events(1).await;
        }
        polls(&server, "acme", 1).await;
        acme.update(
            posted.incident,
            IncidentStatus::Identified,
            &format!("Found in round {round}."),
        )
        .unwrap();
        polls(&server, "acme", 1 + round % 3).await;
        run.signal(Signal::KILL);
        assert_eq!(run.ended().await.code(), None);
    }
    let run = bench.start(&["run"]);
    let events = bench.wait_events(6).await;
    polls(&server, "acme", 2).await;
    run.stop().await;
    let texts: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(
        texts[1..],
        (0..5).map(|round| format!("Found in round {round}.")).collect::<Vec<_>>()
    );
    assert_eq!(bench.events(), events);
}

#[tokio::test]
async fn a_log_renamed_from_outside_is_followed_by_a_new_one() {
    let (acme, server, bench) = acme().await;
    let posted = open_incident(&acme);
    let run = bench.start(&["run"]);
    bench.wait_events(1).await;
    let (log, moved) = (bench.path("logs/events.jsonl"), bench.path("logs/moved"));
    std::fs::rename(&log, &moved).unwrap();
    run.signal(Signal::USR1);
    polls(&server, "acme", 2).await;
    acme.update(posted.incident, IncidentStatus::Identified, "A cable is cut.").unwrap();
    let fresh = bench.wait_events(1).await;
    assert_eq!(fresh[0]["status"], "identified");
    let old = events_in(&moved);
    assert_eq!((old.len(), &old[0]["seq"], &fresh[0]["seq"]), (1, &1.into(), &2.into()));
    assert_eq!(run.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_sink_that_is_added_begins_with_what_comes_and_one_that_comes_back_goes_on() {
    let (acme, server, bench) = acme().await;
    let posted = open_incident(&acme);
    bench.write();
    let plain = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    let text = || std::fs::read_to_string(bench.path("logs/events.log")).unwrap_or_default();
    for (n, format) in ["json", "both", "json", "both"].into_iter().enumerate() {
        bench.write_text(&format!("{plain}event_log: {{format: {format}}}\n"));
        let run = bench.start_as_is(&["run"]);
        polls(&server, "acme", 2).await;
        bench.wait_events(n + 1).await;
        if format == "both" {
            // What it missed while it was away, and what is new; nothing of the time before it was
            // there.
            acme.update(posted.incident, IncidentStatus::Identified, &format!("Text {n}."))
                .unwrap();
            bench.wait_events(n + 2).await;
            until_true("the text", || text().contains(&format!("Text {n}."))).await;
        }
        assert_eq!(run.stop().await.code(), Some(0));
        if format == "json" {
            acme.update(
                posted.incident,
                IncidentStatus::Monitoring,
                &format!("Text {n} afterwards."),
            )
            .unwrap();
        }
    }
    let reported: Vec<bool> =
        ["one of two zones", "Text 0 afterwards.", "Text 1.", "Text 2 afterwards.", "Text 3."]
            .map(|part| text().contains(part))
            .to_vec();
    assert_eq!(reported, [false, true, true, true, true], "{}", text());
}
