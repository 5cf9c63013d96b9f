//! A thousand providers: a restart is fast and polls none of them before it is due.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Provider, Server, World};

use crate::support::binary::Bench;
use crate::support::provider::provider;
use crate::support::wait::{until_true, within};

const COUNT: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(20);

/// Descriptors for one listener each, and for their connections.
fn enough_descriptors() -> bool {
    let wanted = COUNT as u64 * 4;
    let limit = getrlimit(Resource::Nofile);
    let enough = limit.current.is_none_or(|current| current >= wanted)
        || setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
            .is_ok();
    if !enough {
        println!("skipped: fewer than {wanted} descriptors here");
    }
    enough
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_a_thousand_providers_is_quick_and_brings_no_burst() {
    if !enough_descriptors() {
        return;
    }
    let providers: Vec<Provider> =
        (0..COUNT).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    let server = Server::start_each(World::new(providers.clone())).await.unwrap();
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
    for round in 0..2 {
        let (began, asked) = (Instant::now(), server.requests().len());
        let run = bench.start(&["run", "--hosted"]);
        until_true("it to be ready", || bench.diagnostics().matches("watching").count() > round)
            .await;
        let ready = began.elapsed();
        println!("ready after {ready:?}, round {round}");
        // Ten times what a debug build takes on a busy machine.
        assert!(ready < Duration::from_mins(1), "{ready:?}");
        within(
            "some polls",
            server.wait_until(|requests| {
                requests.len() > asked
                    && requests[asked..]
                        .iter()
                        .any(|request| request.at > requests[asked].at + Duration::from_secs(3))
            }),
        )
        .await;
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
        // 50 are due in each second; a burst would be a thousand. A busy machine may be late with
        // many.
        for (from, _) in &polls {
            let near = polls
                .iter()
                .filter(|(at, _)| *at >= *from && *at < *from + Duration::from_millis(500))
                .count();
            assert!(near <= COUNT / 2, "round {round}: {near} within half a second");
        }
        assert!(polls.len() > 15, "round {round}: {}", polls.len());
        for (at, who) in polls {
            if let Some(before) = first[who].replace(at) {
                assert!(
                    at - before > INTERVAL / 2,
                    "p{who} was asked again after {:?}",
                    at - before
                );
            }
        }
    }
}
