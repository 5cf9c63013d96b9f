//! Servers whose "not modified" means nothing: found out, reported, and watched all the same.

use rusqlite::Connection;
use statuswatch::event::Impact;
use statuswatch::fake::platform::{Rss, Statuspage};
use statuswatch::fake::{Fault, Request};

use crate::support::binary::Bench;
use crate::support::provider::{alone, provider};
use crate::support::wait::{until, within};

const REPORT: &str = "the server answered 304 (Not Modified) although the page had changed";

fn is_conditional(request: &Request) -> bool {
    request.header("If-None-Match").or(request.header("If-Modified-Since")).is_some()
}

#[tokio::test]
async fn a_server_that_says_304_to_everything_is_found_out() {
    let acme = provider("acme", &Rss);
    let server = alone(&acme).await;
    let address = format!("{}history.rss", server.url("acme"));
    let bench = Bench::new().default("interval", "100ms").provider("acme", &address, "");
    let run = bench.start(&["run"]);
    within("first polls", server.wait_answered("acme", 3)).await;
    acme.fault(Fault::Always304);
    acme.open_incident("Ferry late", Impact::Minor, &[], "We look into it.");
    let events = bench.wait_events(1).await;
    assert_eq!(events[0]["title"], "Ferry late");
    run.wait_err(REPORT).await;
    let status = until("the report in status", || {
        bench.status_of("acme").filter(|status| status["false_not_modified"].is_string())
    })
    .await;
    assert!(status["unconditional_until"].is_string(), "{status}");
    let (_, text, _) = bench.output(&["status"]);
    assert!(text.contains(REPORT) && text.contains("asked for in full until"), "{text}");
    // From now on nothing is kept from us.
    let count = server.requests_of("acme").len();
    acme.open_incident("Bridge up", Impact::Minor, &[], "It does not come down.");
    let events = bench.wait_events(2).await;
    assert_eq!(events[1]["title"], "Bridge up");
    // One asks whether the server still denies it.
    let conditional =
        server.requests_of("acme").iter().skip(count).filter(|one| is_conditional(one)).count();
    assert!(conditional <= 2, "{conditional}");
    let ended = run.stop().await;
    assert!(!ended.err.contains("panic"), "{}", ended.err);
}

#[tokio::test]
async fn it_is_found_out_by_runs_from_cron_too() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = Bench::new().provider("acme", &server.url("acme"), "");
    let once = async || {
        let ended = bench.start(&["run", "--once"]).ended().await;
        assert_eq!(ended.code(), Some(0), "{}", ended.err);
        ended.err
    };
    once().await;
    acme.fault(Fault::Always304);
    acme.open_incident("Slow", Impact::Minor, &["Compute"], "Slow.");
    // As though the last answer in full were a day old.
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    let aged = db.execute("UPDATE provider SET full_at = full_at - 86400000", []).unwrap();
    assert_eq!(aged, 1);
    drop(db);
    let err = once().await;
    assert!(err.contains(REPORT), "{err}");
    let reported = bench.events().len();
    assert!(reported > 0);
    assert!(bench.status_of("acme").unwrap()["unconditional_until"].is_string());
    // The next run does not trust it either.
    acme.open_incident("Slower", Impact::Minor, &["Compute"], "Slower.");
    let err = once().await;
    assert!(bench.events().len() > reported, "{err}");
}

#[tokio::test]
async fn a_server_that_means_it_is_trusted() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = Bench::new().provider("acme", &server.url("acme"), "");
    let once = async || {
        let ended = bench.start(&["run", "--once"]).ended().await;
        assert_eq!((ended.code(), ended.err.as_str()), (Some(0), ""));
        let db = Connection::open(bench.path("state/ledger.db")).unwrap();
        db.execute("UPDATE provider SET full_at = full_at - 86400000", []).unwrap();
    };
    once().await;
    // In full and the same; in full and changed, which the server admits.
    once().await;
    acme.open_incident("Slow", Impact::Minor, &["Compute"], "Slow.");
    once().await;
    let status = bench.status_of("acme").unwrap();
    assert!(status["false_not_modified"].is_null() && status["unconditional_until"].is_null());
    let asked = server.requests_of("acme");
    assert!(asked.iter().any(is_conditional), "whether it denies the change");
}
