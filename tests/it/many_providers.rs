//! A thousand providers: a first start polls all of them at once, a restart is quick and polls none
//! of them sooner than it is due.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Provider, Request, Server};

use crate::support::binary::Bench;
use crate::support::provider::provider;
use crate::support::wait::{until_true, within};

const COUNT: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(20);

/// Descriptors for one listener each, and for their connections.
fn raise_descriptors() {
    let wanted = COUNT as u64 * 4;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("fewer than 4000 descriptors: see ulimit -Hn");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_a_thousand_providers_is_quick_and_brings_no_burst() {
    raise_descriptors();
    let providers: Vec<Provider> =
        (0..COUNT).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    let server = Server::start_each(Cluster::new(providers.clone())).await.unwrap();
    let interval = format!("{}s", INTERVAL.as_secs());
    let mut bench = Bench::new()
        .default("interval", &interval)
        .default("incident_interval", &interval)
        .default("timeout", "10s");
    for provider in &providers {
        let url = format!("{}api/v2/summary.json", server.url(provider.id()));
        bench.add(provider.id(), &url, ", source: statuspage");
    }
    let mut first: Vec<Option<Instant>> = vec![None; COUNT];
    let place = |id: &str| id[1..].parse::<usize>().unwrap();
    // The first run polls all of them; the second poll of each keeps its place in the interval.
    for round in 0..2 {
        let (began, asked) = (Instant::now(), server.requests().len());
        let run = bench.start(&["run", "--hosted"]);
        until_true("it to be ready", || bench.diagnostics().matches("watching").count() > round)
            .await;
        let ready = began.elapsed();
        println!("ready after {ready:?}, round {round}");
        // Ten times what a debug build takes on a busy machine.
        assert!(ready < Duration::from_mins(1), "{ready:?}");
        let enough = |requests: &[Request]| {
            let polls = &requests[asked.min(requests.len())..];
            if round == 0 {
                let polled: HashSet<&str> =
                    polls.iter().map(|request| request.provider.as_str()).collect();
                polled.len() == COUNT
            } else {
                polls.iter().any(|one| one.at > polls[0].at + Duration::from_secs(3))
            }
        };
        within("the polls", server.wait_until(enough)).await;
        if round == 0 {
            // A first poll that is cut off before it is recorded is repeated at once.
            until_true("all to be recorded", || {
                bench.status().is_some_and(|status| {
                    let providers = status["providers"].as_array().unwrap();
                    providers.iter().all(|provider| !provider["last_success"].is_null())
                })
            })
            .await;
        }
        assert_eq!(run.stop().await.code(), Some(0));
        let mut polls: Vec<(Instant, usize)> = Vec::new();
        for request in server
            .requests()
            .split_off(asked)
            .iter()
            .filter(|request| request.path.ends_with("summary.json"))
        {
            polls.push((request.at, place(&request.provider)));
        }
        // After a restart at most 67 are due in each second; a burst is a thousand. A busy machine
        // may be late with many.
        for (from, _) in polls.iter().filter(|_| round > 0) {
            let near = polls
                .iter()
                .filter(|(at, _)| *at >= *from && *at < *from + Duration::from_millis(500))
                .count();
            assert!(near <= COUNT / 2, "round {round}: {near} within half a second");
        }
        assert!(polls.len() > 15, "round {round}: {}", polls.len());
        for (at, who) in polls {
            if let Some(before) = first[who].replace(at) {
                // After the first poll, a quarter of the interval is the least.
                assert!(
                    at - before > INTERVAL / 5,
                    "p{who} was asked again after {:?}",
                    at - before
                );
            }
        }
    }
}
