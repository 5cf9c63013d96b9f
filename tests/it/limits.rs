//! Resources that the machine refuses: descriptors, memory, file sizes, a network.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use statuswatch::event::Impact;
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Cluster, Fault, Provider, Server};

use crate::support::binary::{Bench, Run};
use crate::support::provider::provider;
use crate::support::wait::{until, until_true};

const SUMMARY: &str = "api/v2/summary.json";

async fn many(count: usize) -> (Vec<Provider>, Server) {
    let providers: Vec<Provider> =
        (0..count).map(|n| provider(&format!("p{n}"), &Statuspage)).collect();
    let server = Server::start_each(Cluster::new(providers.clone())).await.unwrap();
    (providers, server)
}

fn bench(server: &Server, providers: &[Provider], interval: &str) -> Bench {
    let mut bench =
        Bench::new().default("interval", interval).default("incident_interval", interval);
    bench = bench.default("backoff", "{initial: 500ms, max: 2s}").default("max_body", "1MiB");
    for provider in providers {
        bench.add(provider.id(), &format!("{}{SUMMARY}", server.url(provider.id())), "");
    }
    bench
}

/// Starts `run` under a limit set by `prlimit`, at the default log level.
fn start_limited(bench: &Bench, limit: &str) -> Run {
    bench.write();
    let text = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    bench.write_text(&text.replace("level: debug", "level: info"));
    let program = bench.command();
    let mut command = Command::new("prlimit");
    command
        .arg(limit)
        .arg(program.get_program())
        .args(["run", "--hosted"])
        .current_dir(program.get_current_dir().unwrap());
    Run::start(&mut command)
}

fn pid(run: &Run) -> Pid {
    Pid::from_raw(run.pid().cast_signed()).unwrap()
}

/// Returns a value from `/proc/<pid>/status`, in KiB or as a number.
fn of_process(run: &Run, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Returns the updates written by providers.
fn updates(bench: &Bench) -> Vec<String> {
    let events = bench.events().into_iter().filter(|event| event["kind"] != "provider");
    events.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

/// Returns the subjects of all other events.
fn others(bench: &Bench) -> Vec<String> {
    let events = bench.events().into_iter().filter(|event| event["kind"] == "provider");
    events.map(|event| event["provider"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs prlimit: see .ci/run"]
async fn too_few_descriptors_are_named_cost_little_and_lose_nothing() {
    let (providers, server) = many(200).await;
    let bench = bench(&server, &providers, "2s");
    let mut run = start_limited(&bench, "--nofile=64:2000");
    let short = || {
        let status = bench.status()?;
        let rows = status["providers"].as_array()?.iter();
        let named = rows
            .filter(|row| {
                row["last_error"].as_str().is_some_and(|error| error.contains("out of resources"))
            })
            .count();
        Some(named).filter(|named| *named >= 50)
    };
    until("many that say what they lack", short).await;
    // The shortest wait between two attempts of one provider is 0.45 s, and it grows to 2 s.
    let attempts = || {
        let status = bench.status().unwrap();
        let rows = status["providers"].as_array().unwrap().clone();
        rows.iter().map(|row| row["failures"].as_u64().unwrap()).max().unwrap()
    };
    let (before, earlier) = (Instant::now(), attempts());
    for provider in &providers {
        provider.open_incident(
            "Failed requests",
            Impact::Minor,
            &[],
            &format!("Reported while {} was not read.", provider.id()),
        );
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (more, took) = (attempts().saturating_sub(earlier), before.elapsed());
    // A busy loop tries thousands of times.
    assert!(more as f64 <= 3.0 + took.as_secs_f64() / 0.45, "{more} attempts in {took:?}");
    assert!(run.is_running());
    prlimit(Some(pid(&run)), Resource::Nofile, Rlimit { current: Some(2000), maximum: Some(2000) })
        .unwrap();
    // Other events may only say that no host could be reached, and that hosts are reachable again.
    until_true("each update", || updates(&bench).len() == 200).await;
    let (updates, others) = (updates(&bench), others(&bench));
    assert!(updates.iter().all(|message| message.starts_with("Reported while")), "{updates:?}");
    assert!(others.iter().all(|provider| provider == "statuswatch"), "{others:?}");
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    // Of the pages that fail, or of the machine if all of them do.
    let is_named =
        ["out of descriptors", "Too many open files"].iter().any(|words| ended.err.contains(words));
    assert!(is_named && !ended.err.contains("panic"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_by_what_goes_on_at_once_and_not_by_providers() {
    let (providers, server) = many(200).await;
    // Close to the size limit, all different, and incompressible.
    for (n, provider) in providers.iter().enumerate() {
        let page = provider.documents()[SUMMARY].body.clone();
        let page = std::str::from_utf8(&page).unwrap().trim_end();
        let filler = "x".repeat((1 << 20) - page.len() - 64);
        let body = format!("{},\"filler\":\"{n} {filler}\"}}", page.strip_suffix('}').unwrap());
        provider.set_document(SUMMARY, "application/json", body);
        provider.behave(|behaviour| (behaviour.gzip, behaviour.not_modified) = (false, false));
    }
    // The timeout must not expire while a poll waits its turn on a busy machine.
    let bench = bench(&server, &providers, "20s").default("timeout", "20s");
    let mut run = bench.start(&["run", "--hosted"]);
    // In steps, each with its own timeout: without optimization a mebibyte takes a while.
    for share in 1..=4 {
        until_true("everybody to be read", || {
            let rows = bench
                .status()
                .and_then(|status| status["providers"].as_array().cloned())
                .unwrap_or_default();
            rows.iter().filter(|row| row["freshness"] != "never").count()
                >= providers.len() * share / 4
        })
        .await;
    }
    assert!(run.is_running());
    let peak = of_process(&run, "VmHWM") / 1024;
    println!("{peak} MiB at most for {} documents of 1 MiB", providers.len());
    // The case allows 128 MiB, and an idle machine needs 90; a busy one reads ahead more. Without a
    // limit it would be three times the documents.
    assert!(peak < 192, "{peak} MiB");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs prlimit: see .ci/run"]
async fn a_network_that_is_down_is_reported_once_for_all_and_all_are_back_soon() {
    let (providers, server) = many(40).await;
    let bench = bench(&server, &providers, "1s");
    for provider in &providers {
        provider.fault(Fault::Closed);
    }
    let run = start_limited(&bench, "--core=0");
    run.wait_err("statuswatch is offline: ").await;
    let (threads, memory) = (of_process(&run, "Threads"), of_process(&run, "VmRSS"));
    // The longest backoff is 2 s.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(run.err().lines().count(), 1, "{}", run.err());
    assert!(of_process(&run, "Threads") <= threads + 2);
    let grown = of_process(&run, "VmRSS").saturating_sub(memory);
    assert!(grown < 8 << 10, "{grown} KiB");
    providers.iter().for_each(Provider::clear_faults);
    let fresh = || {
        let rows = bench.status().and_then(|status| status["providers"].as_array().cloned());
        let is_fresh = |row: &&serde_json::Value| row["freshness"] == "fresh";
        rows.unwrap_or_default().iter().filter(is_fresh).count()
    };
    until_true("all to be back", || fresh() == 40).await;
    run.wait_err("statuswatch is online again").await;
    let status = bench.status().unwrap();
    assert!(
        status["providers"].as_array().unwrap().iter().all(|row| row["restarts"] == 0),
        "{status}"
    );
    let logged: u64 = std::fs::read_dir(bench.path("diagnostics"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(logged < 40 * 1000, "{logged} bytes");
    let ended = run.stop().await;
    assert_eq!((ended.code(), ended.err.lines().count()), (Some(0), 2), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs prlimit: see .ci/run"]
async fn a_limit_on_the_size_of_files_is_an_error_and_no_death_by_signal() {
    let (providers, server) = many(3).await;
    let bench = bench(&server, &providers, "200ms");
    let write = |from: usize| {
        for n in from..from + 30 {
            providers[n % 3].open_incident(
                &format!("Problem {n}"),
                Impact::Minor,
                &[],
                &format!("Text {n}: {}", "x".repeat(2000)),
            );
        }
    };
    for provider in &providers {
        provider.change(|state, _| state.window = Some(usize::MAX));
    }
    // The database, its WAL or the event log: whichever reaches the limit first.
    for (round, limit) in [60_000, 120_000, 200_000].into_iter().enumerate() {
        write(round * 30);
        let mut run = start_limited(&bench, &format!("--fsize={limit}"));
        let asked = server.requests().len();
        until_true("its end or many polls", || {
            !run.is_running() || server.requests().len() > asked + 30
        })
        .await;
        let end = run.stop_or_ended().await;
        assert!(matches!(end.code(), Some(0 | 1)), "ended by a signal: {end:?}");
        assert!(!end.err.contains("panic"), "{}", end.err);
    }
    // Without the limit, everything is reported once.
    let run = bench.start(&["run"]);
    let events = bench.wait_events(90).await;
    let texts: std::collections::HashSet<&str> =
        events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 90);
    assert_eq!(run.stop().await.code(), Some(0));
}
