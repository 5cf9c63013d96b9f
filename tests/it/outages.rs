//! How failures of one provider's transport affect the whole program: refused, gone, moved,
//! repeated or slow; and what happens to providers when the program itself was suspended.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, Provider, Request, Server};
use statuswatch::ledger::Reader;

use crate::support::binary::Bench;
use crate::support::provider::provider;
use crate::support::wait::{until_true, within};

const SUMMARY: &str = "api/v2/summary.json";

/// Starts `acme` and an unrelated provider.
async fn two() -> (Provider, Server, Bench) {
    let (acme, neighbor) = (provider("acme", &Statuspage), provider("neighbor", &Statuspage));
    let server = Server::start_each(Cluster::new([acme.clone(), neighbor])).await.unwrap();
    let address = |id: &str| format!("{}{SUMMARY}", server.url(id));
    let bench = Bench::new().provider("acme", &address("acme"), "").provider(
        "neighbor",
        &address("neighbor"),
        "",
    );
    (acme, server, bench)
}

async fn polls(server: &Server, id: &str, more: usize) {
    let before = server.requests_of(id).len();
    within(&format!("{more} more polls of {id}"), server.wait_answered(id, before + more)).await;
}

fn last_outcome(bench: &Bench, id: &str) -> Option<String> {
    let rows = Reader::open(&bench.path("state")).unwrap().providers().unwrap();
    rows.into_iter().find(|row| row.id == id)?.last_outcome
}

#[tokio::test]
async fn an_outage_is_reported_at_both_ends_and_what_happened_meanwhile_is_reported_once() {
    let (acme, server, bench) = two().await;
    let posted = acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    let run = bench.start(&["run"]);
    bench.wait_events(1).await;
    polls(&server, "acme", 2).await;
    acme.fault(Fault::Closed);
    run.wait_err("acme cannot be read: cannot connect").await;
    acme.update(posted.incident, IncidentStatus::Identified, "Update 1.").unwrap();
    polls(&server, "neighbor", 8).await;
    acme.clear_faults();
    bench.wait_events(2).await;
    polls(&server, "acme", 2).await;
    let ended = run.stop().await;
    assert_eq!((ended.code(), bench.events().len()), (Some(0), 2));
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(lines.len() == 2 && lines[1].contains("acme can be read again"), "{}", ended.err);
}

#[tokio::test]
async fn a_page_that_answers_410_is_left_alone_after_a_restart_too() {
    let (acme, server, bench) = two().await;
    let run = bench.start(&["run"]);
    polls(&server, "acme", 3).await;
    acme.fault(Fault::Status(410, None));
    run.wait_err("acme cannot be read").await;
    let asked = server.requests_of("acme").len();
    polls(&server, "neighbor", 6).await;
    run.stop().await;
    let run = bench.start(&["run"]);
    polls(&server, "neighbor", 6).await;
    assert_eq!(server.requests_of("acme").len(), asked);
    let row = bench.status_of("acme").unwrap();
    assert!(row["last_error"].as_str().unwrap().contains("410"), "{row}");
    assert_eq!(run.stop().await.code(), Some(0));
}

#[tokio::test]
async fn an_address_that_has_moved_is_followed_and_reported_once() {
    let (acme, server, bench) = two().await;
    let to = format!("/{SUMMARY}?moved=1");
    acme.fault(Fault::Redirect { to: to.clone(), code: 301 });
    let posted = acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    bench.write();
    let before = std::fs::read(bench.path("providers.yaml")).unwrap();
    let run = bench.start(&["run"]);
    for n in 1..4 {
        bench.wait_events(n).await;
        acme.update(posted.incident, IncidentStatus::Identified, &format!("Update {n}.")).unwrap();
    }
    bench.wait_events(4).await;
    let ended = run.stop().await;
    assert_eq!(ended.err.matches("redirects permanently").count(), 1, "{}", ended.err);
    assert!(ended.err.contains(SUMMARY), "{}", ended.err);
    assert_eq!(
        std::fs::read(bench.path("providers.yaml")).unwrap(),
        before,
        "the file is the user's"
    );
    // Each poll starts at the configured address.
    let targets: Vec<String> =
        server.requests_of("acme").into_iter().map(|request| request.target).collect();
    assert!(
        targets.iter().filter(|target| **target == format!("/{SUMMARY}")).count() >= 4,
        "{targets:?}"
    );
}

#[tokio::test]
async fn the_same_bytes_without_validators_are_not_read_again() {
    let (acme, server, bench) = two().await;
    acme.fault(Fault::NoValidators);
    let run = bench.start(&["run"]);
    polls(&server, "acme", 5).await;
    until_true("an unchanged poll to be written down", || {
        last_outcome(&bench, "acme").as_deref() == Some("unchanged")
    })
    .await;
    let polls: Vec<Request> =
        server.requests_of("acme").into_iter().filter(|request| request.path == SUMMARY).collect();
    assert!(polls.iter().all(|request| request.status == Some(200)));
    // Reading requests further documents; only the first poll read anything.
    let further =
        server.requests_of("acme").iter().filter(|request| request.path != SUMMARY).count();
    let bound =
        server.requests_of("neighbor").iter().filter(|request| request.path != SUMMARY).count();
    assert_eq!(further, bound);
    assert_eq!(run.stop().await.code(), Some(0));
    assert!(bench.events().is_empty());
}

#[tokio::test]
async fn a_change_under_the_same_validator_is_reported_once() {
    let (acme, server, bench) = two().await;
    let run = bench.start(&["run"]);
    polls(&server, "acme", 4).await;
    acme.fault_on(SUMMARY, Fault::UnchangedValidatorsChangedBody);
    acme.open_incident("Failed requests", Impact::Major, &[], "Update 0.");
    bench.wait_events(1).await;
    polls(&server, "acme", 4).await;
    run.stop().await;
    assert_eq!(bench.events().len(), 1);
}

#[tokio::test]
async fn slow_answers_follow_each_other_and_pile_up_nowhere() {
    let (acme, server, bench) = two().await;
    acme.behave(|behaviour| behaviour.delay = Duration::from_millis(700));
    let run = bench.start(&["run"]);
    polls(&server, "acme", 5).await;
    run.stop().await;
    let requests = server.requests_of("acme");
    assert!(requests.iter().all(|request| request.concurrent == 1), "two at once");
    let gaps: Vec<Duration> = requests.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(690)), "{gaps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_stopped_goes_on_without_a_burst_and_blames_nobody() {
    let providers: Vec<Provider> =
        (0..30).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    let server = Server::start_each(Cluster::new(providers.clone())).await.unwrap();
    let interval = Duration::from_secs(1);
    let mut bench = Bench::new()
        .default("interval", "1s")
        .default("incident_interval", "1s")
        .default("stale_after", "6s");
    for provider in &providers {
        bench.add(provider.id(), &format!("{}{SUMMARY}", server.url(provider.id())), "");
    }
    let run = bench.start(&["run"]);
    for provider in &providers {
        within("first polls", server.wait_answered(provider.id(), 4)).await;
    }
    run.signal(Signal::STOP);
    // Longer than the interval, than the staleness limit, and than the ledger's own silence
    // threshold.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (began, asked) = (Instant::now(), server.requests().len());
    run.signal(Signal::CONT);
    let before: Vec<usize> =
        providers.iter().map(|provider| server.requests_of(provider.id()).len()).collect();
    for (provider, before) in providers.iter().zip(before) {
        within("polls afterwards", server.wait_answered(provider.id(), before + 2)).await;
    }
    let after = server.requests().split_off(asked);
    let at_once = after.iter().filter(|request| request.at < began + interval / 5).count();
    // A burst would be all of them. How evenly they are spread also depends on the machine.
    assert!(at_once <= 25, "{at_once} of 30 within a fifth of the interval");
    for provider in &providers {
        let mine: Vec<Instant> = after
            .iter()
            .filter(|request| request.provider == provider.id())
            .map(|request| request.at)
            .collect();
        assert!(
            mine.windows(4).all(|four| four[3] - four[0] > interval / 2),
            "{}: catching up: {mine:?}",
            provider.id()
        );
    }
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    // Requests in flight when the process was suspended have exceeded their timeout.
    let of_requests = |line: &str| {
        line.contains("cannot be read: no response within") || line.ends_with("can be read again")
    };
    assert!(ended.err.lines().all(of_requests), "{}", ended.err);
    assert!(bench.events().is_empty(), "the silence was ours: {:?}", bench.events());
}
