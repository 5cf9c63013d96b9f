//! Our own network goes away: one event and one line, whatever number of providers there is; and
//! the other way round, what is said of one that fails alone or with its platform.

use std::net::TcpListener;

use serde_json::Value;
use statuswatch::fake::platform::{Atom, Statuspage};
use statuswatch::fake::{Cluster, Fault, Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::provider;
use crate::support::wait::{until_true, within};

const SUMMARY: &str = "api/v2/summary.json";

/// Providers with a host each, and a bench that is quick to call one unreachable.
async fn many(count: usize) -> (Vec<Provider>, Server, Bench) {
    let providers: Vec<Provider> =
        (0..count).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    let server = Server::start_each(Cluster::new(providers.clone())).await.unwrap();
    let mut bench = Bench::new().default("stale_after", "2s");
    for provider in &providers {
        bench.add(provider.id(), &format!("{}{SUMMARY}", server.url(provider.id())), "");
    }
    (providers, server, bench)
}

async fn all_read(server: &Server, providers: &[Provider]) {
    for provider in providers {
        let before = server.requests_of(provider.id()).len();
        within("a poll", server.wait_answered(provider.id(), before + 2)).await;
    }
}

/// Kind, provider and status of each event.
fn short(events: &[Value]) -> Vec<(&str, &str, &str)> {
    let word = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events
        .iter()
        .map(|event| {
            let texts = ["kind", "provider", "status"].map(|key| event[key].as_str().unwrap());
            assert!(!word(event, "id").is_empty());
            (texts[0], texts[1], texts[2])
        })
        .collect()
}

const OFFLINE: (&str, &str, &str) = ("provider", "statuswatch", "offline");
const ONLINE: (&str, &str, &str) = ("provider", "statuswatch", "online");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_ours_is_one_event_at_each_end_also_across_a_restart() {
    let (providers, server, bench) = many(6).await;
    let run = bench.start(&["run", "--hosted"]);
    all_read(&server, &providers).await;
    assert_eq!(bench.status().unwrap()["offline"], Value::Null);
    for provider in &providers {
        provider.fault(Fault::Closed);
    }
    let events = bench.wait_events(1).await;
    assert_eq!(short(&events), [OFFLINE]);
    let message = events[0]["message"].as_str().unwrap();
    assert!(message.starts_with("Connections cannot be made: "), "{message}");
    assert!(message.contains(" fail, since 2"), "{message}");
    run.wait_err("statuswatch is offline: connections cannot be made: ").await;
    // Longer than what makes a provider unreachable.
    until_true("everything to be stale", || {
        let status = bench.status().unwrap();
        let all = status["providers"].as_array().unwrap();
        all.iter().all(|row| row["freshness"] == "stale")
    })
    .await;
    let status = bench.status().unwrap();
    assert_eq!((&status["healthy"], status["offline"]["since"].is_string()), (&false.into(), true));
    let (output, out, _) = bench.output(&["status", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out.starts_with("statuswatch is offline since 2"), "{out}");
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.lines().count()), (Some(0), 1), "{}", ended.err);

    // Still offline: nothing is reported again, and nobody is called unreachable.
    let run = bench.start(&["run", "--hosted"]);
    until_true("polls that fail", || {
        let rows = bench.status().unwrap();
        let all = rows["providers"].as_array().unwrap();
        all.iter().all(|row| row["failures"].as_u64().unwrap() > 5)
    })
    .await;
    assert_eq!(bench.events().len(), 1);
    assert_eq!(run.err(), "");
    // Back, but for one, which is judged anew.
    providers.iter().skip(1).for_each(Provider::clear_faults);
    let events = bench.wait_events(3).await;
    let unreachable = ("provider", "p0", "unreachable");
    assert_eq!(short(&events), [OFFLINE, ONLINE, unreachable]);
    let message = events[1]["message"].as_str().unwrap();
    assert!(message.starts_with("Nothing was read for "), "{message}");
    assert_eq!(events[1]["started_at"], events[0]["started_at"], "the gap");
    let message = events[2]["message"].as_str().unwrap();
    assert!(message.ends_with("\nThe other 5 providers are read."), "{message}");
    run.wait_err("p0 cannot be read: cannot connect: ").await;
    let (output, out, _) = bench.output(&["status", "--check"]);
    assert_eq!(output.status.code(), Some(0), "{out}");
    let ended = run.stop().await;
    let lines: Vec<&str> = ended.err.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("statuswatch is online again: "),
        "{}",
        ended.err
    );
    assert!(lines[1].ends_with("(the other 5 are read)"), "{}", ended.err);
}

#[test]
fn names_that_do_not_resolve_are_one_event_with_run_once_too() {
    // Slow enough for the pace of a host that is not on loopback.
    let mut bench = Bench::new().default("interval", "2s").default("incident_interval", "2s");
    let name = |n: usize| format!("http://status-{n}.invalid/history.atom");
    for n in 0..4 {
        bench.add(&format!("p{n}"), &name(n), ", source: feed");
    }
    bench.write();
    for round in 0..3 {
        let (output, out, err) = bench.output(&["run", "--once"]);
        assert_eq!(output.status.code(), Some(0), "{err}");
        let events = bench.events();
        assert_eq!(short(&events), [OFFLINE], "round {round}: {err}");
        let message = events[0]["message"].as_str().unwrap();
        assert!(message.starts_with("Names do not resolve: 4 of 4 providers fail"), "{message}");
        let reported = err.lines().filter(|line| line.contains("statuswatch is offline")).count();
        assert_eq!((reported, err.lines().count()), (usize::from(round == 0), reported), "{err}");
        assert_eq!(out.contains("statuswatch - Offline"), round == 0, "{out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_it_is_seen_by_run_once_too() {
    let (providers, _server, mut bench) = many(4).await;
    for provider in &providers {
        provider.fault(Fault::Closed);
    }
    bench.write();
    let once = |bench: &mut Bench| {
        let (output, _, err) = bench.output(&["run", "--once"]);
        assert_eq!(output.status.code(), Some(0), "{err}");
        err
    };
    tokio::task::block_in_place(|| once(&mut bench));
    assert_eq!(short(&bench.events()), [OFFLINE]);
    providers.iter().for_each(Provider::clear_faults);
    let err = tokio::task::block_in_place(|| once(&mut bench));
    assert_eq!(short(&bench.events()), [OFFLINE, ONLINE]);
    let events = bench.events();
    assert_ne!(events[0]["id"], events[1]["id"]);
    assert!(err.contains("statuswatch is online again: 0 of 4 providers"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pages_on_one_host_are_no_network() {
    let providers: Vec<Provider> =
        (0..20).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    // Nobody listens there any more.
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    // The host is asked four times a second.
    let mut bench = Bench::new().default("stale_after", "8s");
    for provider in &providers {
        bench.add(provider.id(), &format!("http://{address}/{}/{SUMMARY}", provider.id()), "");
    }
    let run = bench.start(&["run", "--hosted"]);
    run.wait_err(&format!("all 20 providers on {address} cannot be read: p0, p1, p10, ")).await;
    let events = bench.wait_events(20).await;
    assert!(events.iter().all(|event| event["status"] == "unreachable"), "{events:?}");
    let listed =
        |event: &&Value| event["message"].as_str().unwrap().contains("fail: p0, p1, p10, ");
    assert_eq!(events.iter().filter(listed).count(), 1, "listed once");
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.lines().count()), (Some(0), 1), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_down_is_one_line_with_everybody_on_it() {
    let (providers, others): (Vec<Provider>, Vec<Provider>) = (
        (0..4).map(|n| provider(&format!("p{n}"), &Statuspage)).collect(),
        (0..2).map(|n| provider(&format!("q{n}"), &Atom)).collect(),
    );
    let all: Vec<Provider> = providers.iter().chain(&others).cloned().collect();
    let server = Server::start_each(Cluster::new(all.clone())).await.unwrap();
    let mut bench = Bench::new().default("stale_after", "2s");
    for provider in &providers {
        bench.add(provider.id(), &format!("{}{SUMMARY}", server.url(provider.id())), "");
    }
    for provider in &others {
        let url = format!("{}history.atom", server.url(provider.id()));
        bench.add(provider.id(), &url, ", source: feed");
    }
    let run = bench.start(&["run", "--hosted"]);
    all_read(&server, &all).await;
    // An answer, and no answer: of a platform both count.
    providers.iter().take(2).for_each(|provider| provider.fault(Fault::Status(503, None)));
    providers.iter().skip(2).for_each(|provider| provider.fault(Fault::Closed));
    run.wait_err("all 4 providers read from statuspage cannot be read: p0, p1, p2, p3; ").await;
    let events = bench.wait_events(4).await;
    let listed = |event: &&Value| event["message"].as_str().unwrap().contains("p0, p1, p2, p3");
    assert_eq!(events.iter().filter(listed).count(), 1, "{events:?}");
    providers.iter().for_each(Provider::clear_faults);
    run.wait_err("the 4 providers read from statuspage can be read again").await;
    let events = bench.wait_events(8).await;
    assert!(events.iter().all(|event| event["provider"] != "statuswatch"), "{events:?}");
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.lines().count()), (Some(0), 2), "{}", ended.err);
}
