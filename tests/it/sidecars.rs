//! Documents that change while the first one does not: requested next to it, politely, and reported.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use statuswatch::fake::{Etag, Fault, Provider, Request, Server};

use crate::support::binary::Bench;
use crate::support::provider::alone;
use crate::support::wait::within;

const ACTIVE: &str = "v1/incidents/active";
const MAINTENANCES: &str = "v1/maintenances";

/// A page whose list of what is active says nothing of its maintenances; it has no list of past
/// incidents.
async fn page() -> (Provider, Server, Bench) {
    let page = Provider::raw("acme", Arc::new(Utc::now));
    page.behave(|behaviour| behaviour.etag = Etag::Strong);
    for (path, file) in [(ACTIVE, "01-active.json"), (MAINTENANCES, "01-maintenances.json")] {
        page.set_document(path, "application/json", fixture(file));
    }
    let server = alone(&page).await;
    let bench = Bench::new().provider("acme", &format!("{}{ACTIVE}", server.url("acme")), "");
    (page, server, bench)
}

fn fixture(file: &str) -> Vec<u8> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/salesforce/maintenance");
    std::fs::read(folder.join(file)).unwrap()
}

/// Waits for so many further requests of a path.
async fn more(server: &Server, path: &str, count: usize) {
    let of_path =
        |requests: &[Request]| requests.iter().filter(|request| request.path == path).count();
    let enough = of_path(&server.requests()) + count;
    within(
        &format!("{count} more requests of {path}"),
        server.wait_until(|requests| of_path(requests) >= enough),
    )
    .await;
}

/// Path and whether it was asked for in full, one request a word.
fn asked(requests: &[Request]) -> Vec<(&str, bool)> {
    requests
        .iter()
        .map(|request| (request.path.as_str(), request.header("If-None-Match").is_none()))
        .collect()
}

#[tokio::test]
async fn what_changes_next_to_the_first_document_is_reported_for_one_conditional_request_a_poll() {
    let (page, server, bench) = page().await;
    let run = bench.start(&["run"]);
    more(&server, MAINTENANCES, 4).await;
    let first = server.requests();
    let read = [(ACTIVE, true), ("v1/incidents", true), (MAINTENANCES, true)];
    assert_eq!(asked(&first[..3]), read);
    for poll in first[3..].chunks_exact(2) {
        assert_eq!(asked(poll), [(ACTIVE, false), (MAINTENANCES, false)]);
    }
    assert!(first.iter().all(|request| request.concurrent == 1), "two requests at once");

    page.set_document(MAINTENANCES, "application/json", fixture("02-maintenances.json"));
    let reported = bench.wait_events(1).await;
    assert_eq!(
        (reported[0]["incident_id"].as_str(), reported[0]["status"].as_str()),
        (Some("80001"), Some("completed"))
    );
    more(&server, MAINTENANCES, 2).await;
    run.stop().await;
    let requests = server.requests();
    let whole: Vec<&str> =
        asked(&requests).into_iter().filter(|(_, whole)| *whole).map(|(path, _)| path).collect();
    // What has changed came with the conditional request; the first one is needed to read it.
    assert_eq!(whole, [ACTIVE, "v1/incidents", MAINTENANCES, ACTIVE, "v1/incidents"]);

    // Kept across a restart, and reported once.
    let run = bench.start(&["run"]);
    more(&server, MAINTENANCES, 3).await;
    run.stop().await;
    let after = server.requests().split_off(requests.len());
    assert!(
        after.iter().all(|request| request.status.is_none_or(|status| status == 304)),
        "{after:#?}"
    );
    assert_eq!(bench.events().len(), 1);
}

#[tokio::test]
async fn a_failing_sidecar_is_no_failure_of_the_provider_and_ends() {
    let (page, server, bench) = page().await;
    let run = bench.start(&["run"]);
    more(&server, MAINTENANCES, 2).await;
    for fault in [Fault::Status(500, None), Fault::Html, Fault::Status(404, None), Fault::Empty] {
        page.fault_on(MAINTENANCES, fault);
        more(&server, MAINTENANCES, 2).await;
        page.clear_faults();
    }
    page.set_document(MAINTENANCES, "application/json", fixture("02-maintenances.json"));
    bench.wait_events(1).await;
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    // The fixture is dated: that its page may be abandoned is said once.
    let said: Vec<&str> = ended.err.lines().filter(|line| !line.contains("abandoned")).collect();
    assert_eq!(said, [""; 0]);
    let whole =
        asked(&server.requests()).into_iter().filter(|asked| *asked == (ACTIVE, true)).count();
    assert_eq!(whole, 2, "read at first, and when there was something to report");
}
