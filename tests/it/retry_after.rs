//! Pauses that providers request: none is longer than configured, and the report names who
//! requested it.

use rusqlite::Connection;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, RetryAfter, Server};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};
use crate::support::wait::{until, within};

#[tokio::test]
async fn no_retry_after_is_longer_than_the_user_allows() {
    let pages = [provider("acme", &Statuspage), provider("neighbour", &Statuspage)];
    let host = Server::start(Cluster::new(pages.clone())).await.unwrap();
    let bench = Bench::new()
        .default("max_wait", "2s")
        .provider("acme", &host.url("acme"), "")
        .provider("neighbour", &host.url("neighbour"), "");
    let run = bench.start(&["run"]);
    for id in ["acme", "neighbour"] {
        within("first polls", host.wait_answered(id, 3)).await;
    }
    let far = chrono::Utc::now() + chrono::Duration::days(4000);
    for wait in [RetryAfter::Seconds(999_999_999), RetryAfter::Date(far)] {
        pages[0].fault(Fault::Status(429, Some(wait)));
        let asked = until("who asked, in status", || {
            let status = bench.status_of("acme")?;
            Some(status).filter(|status| status["wait_until"].is_string())
        })
        .await;
        let by = asked["wait_asked_by"].as_str().unwrap();
        assert!(by.starts_with("127.0.0.1 (429 Too Many Requests; it asked for "), "{by}");
        assert!(by.ends_with("max_wait is 2s)"), "{by}");
        let (_, text, _) = bench.output(&["status"]);
        assert!(text.contains(&format!("{by} asked for it")), "{text}");
        pages[0].clear_faults();
        for id in ["acme", "neighbour"] {
            let count = host.requests_of(id).len();
            within("polls after the longest wait", host.wait_answered(id, count + 2)).await;
        }
        until("the end of the wait, in status", || {
            bench.status_of("acme").filter(|status| status["wait_until"].is_null())
        })
        .await;
    }
    run.stop().await;
}

#[tokio::test]
async fn a_wait_that_was_stored_is_no_longer_than_the_user_allows() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = Bench::new().default("max_wait", "1s").provider("acme", &server.url("acme"), "");
    let once = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(once.code(), Some(0), "{}", once.err);
    // As a version without a limit wrote it.
    let far = (chrono::Utc::now() + chrono::Duration::hours(24)).timestamp_millis();
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    let changed = db
        .execute("UPDATE provider SET retry_until = ?1, next_poll_at = ?1, failures = 3", [far])
        .unwrap();
    assert_eq!(changed, 1);
    drop(db);
    let count = server.requests_of("acme").len();
    let run = bench.start(&["run"]);
    within("a poll within the limit", server.wait_answered("acme", count + 2)).await;
    run.stop().await;
    assert_eq!(bench.status_of("acme").unwrap()["wait_until"], serde_json::Value::Null);
}

#[tokio::test]
async fn too_much_for_one_host_is_reported_before_and_while_it_is_watched() {
    let pages: Vec<_> = (0..20).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    let host = Server::start(Cluster::new(pages.clone())).await.unwrap();
    let mut bench = Bench::new().default("host_pace", "50ms").default("stale_after", "400ms");
    for page in &pages {
        bench.add(page.id(), &host.url(page.id()), "");
    }
    bench.write();
    let port = host.address().port();
    let sentence = format!(
        "127.0.0.1:{port}: host_pace does not allow polling 20 providers every 200ms; they are polled \
         every 1s instead (raise interval or lower host_pace)"
    );
    let (output, out, err) = bench.output(&["check"]);
    assert!(output.status.success());
    assert!(err.contains(&format!("warning: {sentence}\n")), "{err}");
    assert!(out.ends_with("no errors, but one host is overloaded\n"), "{out}");
    let (_, json, _) = bench.output(&["check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["overloaded_hosts"][0]["message"], sentence.as_str());
    assert_eq!(json["overloaded_hosts"][0]["providers"][3]["real_interval"], 1.0);

    let run = bench.start(&["run"]);
    run.wait_err(&sentence).await;
    let status = until("a first answer", || {
        bench.status_of("p3").filter(|status| status["last_success"].is_string())
    })
    .await;
    assert_eq!((&status["interval"], &status["real_interval"]), (&0.2.into(), &1.0.into()));
    let (_, text, _) = bench.output(&["status", "p3"]);
    assert!(text.contains("polled every 1s, not every 200ms"), "{text}");
    let ended = run.stop().await;
    assert_eq!(
        ended.err.matches("a host has more polls than host_pace allows").count(),
        1,
        "{}",
        ended.err
    );

    let roomy = Bench::new().provider("p0", &host.url("p0"), "");
    roomy.write();
    let (_, out, err) = roomy.output(&["check"]);
    assert_eq!((err.as_str(), out.contains("too much")), ("", false));
}
