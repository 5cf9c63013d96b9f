//! Serves histories step by step over HTTP to the real binary: the events must be exactly the
//! expected ones, which were derived by hand.

mod captures;
mod every;
mod own;
mod recorded;
mod sequences;

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::Utc;
use serde_json::Value;
use statuswatch::fake::{Etag, Provider, Request, Server};

use crate::support::binary::{Bench, events_in};
use crate::support::provider::alone;
use crate::support::wait::within;

/// The documents of a page at one time: paths and bodies.
type Step = Vec<(String, Vec<u8>)>;

/// A page at successive times.
struct History {
    /// Its name, which is also the provider's id.
    name: String,
    /// The polled path.
    first: String,
    /// The documents at each time. Everything else is 404.
    steps: Vec<Step>,
    /// Steps, from 1, that last for one poll: anomalous answers, which no page gives for long.
    brief: &'static [usize],
    /// Only lines with this prefix are compared; the others are too many to list.
    only: &'static str,
    /// The expected events: a prefix of each line, see [`line`].
    expected: Vec<String>,
}

impl History {
    /// Returns the first document of a step.
    fn document(&self, step: usize) -> Option<&[u8]> {
        self.steps[step]
            .iter()
            .find(|(path, _)| *path == self.first)
            .map(|(_, body)| body.as_slice())
    }
}

/// Number of requests in each step: an absence counts at the second poll, which the third request
/// shows to be complete. Hosts are polled at most every quarter of a second, so each takes that
/// long.
const POLLS: usize = 3;

/// One `run` reads all histories at once.
#[tokio::test]
async fn the_pages_of_the_fixtures_report_what_happened() {
    let (own, every) = (own::histories(), every::histories());
    let events = watch(own.iter().chain(&every)).await;
    compare(&events, &own);
    every::judge(&events, &every);
}

/// The same for real pages, if available.
#[tokio::test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
async fn the_pages_of_the_captures_report_what_happened() {
    let (captures, sequences) = (captures::histories(), sequences::histories());
    let events = watch(captures.iter().chain(&sequences)).await;
    compare(&events, &captures);
    sequences::judge(&events, &sequences);
}

/// Compares the reported events with the expected ones, line by line.
fn compare(events: &[Value], histories: &[History]) {
    let mut wrong = String::new();
    for history in histories {
        let reported: Vec<String> =
            reported(events, history).filter(|line| line.starts_with(history.only)).collect();
        let same = reported.len() == history.expected.len()
            && reported
                .iter()
                .zip(&history.expected)
                .all(|(reported, wanted)| reported.starts_with(wanted.as_str()));
        if !same {
            writeln!(
                wrong,
                "== {}\nhappened:\n  {}\ntold:\n  {}",
                history.name,
                history.expected.join("\n  "),
                reported.join("\n  ")
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Returns the reported events of a history, one line each.
fn reported<'a>(events: &'a [Value], history: &'a History) -> impl Iterator<Item = String> + 'a {
    events.iter().filter(|event| event["provider"] == history.name).map(line)
}

/// Serves all histories at once to one `run`; returns the event log, which must match the console.
async fn watch(histories: impl Iterator<Item = &History>) -> Vec<Value> {
    let histories: Vec<&History> = histories.collect();
    if histories.is_empty() {
        return Vec::new();
    }
    let providers: Vec<Provider> =
        histories.iter().map(|history| Provider::raw(&history.name, Arc::new(Utc::now))).collect();
    for (provider, history) in providers.iter().zip(&histories) {
        // Strong validators derived from the body: a step identical to the previous one yields a
        // 304.
        provider.behave(|behaviour| behaviour.etag = Etag::Strong);
        serve(provider, history, 0);
    }
    // One server per page, so that waiting only examines the requests of that page.
    let servers = futures::future::join_all(providers.iter().map(alone)).await;
    let mut bench = Bench::new()
        .default("interval", "100ms")
        .default("incident_interval", "100ms")
        .default("jitter", "0%")
        // A busy machine must not cause failures.
        .default("timeout", "60s");
    for (history, server) in histories.iter().zip(&servers) {
        let url = format!("{}{}", server.url(&history.name), history.first);
        bench.add(&history.name, &url, "");
    }
    let run = bench.start(&["run", "--hosted", "--format", "json"]);
    let pages = servers.iter().zip(&providers).zip(&histories);
    futures::future::join_all(
        pages.map(|((server, provider), history)| turn_pages(server, provider, history)),
    )
    .await;
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);

    let events = events_in(&bench.path("logs/events.jsonl"));
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    let console: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(console, events, "the console and the event log agree");
    for (history, server) in histories.iter().zip(&servers) {
        // Every served document must be requested.
        for path in history.steps.iter().flatten().map(|(path, _)| path) {
            let asked = server.requests().iter().any(|request| request.path == *path);
            assert!(asked, "{}: nobody asked for {path}\n{}", history.name, ended.err);
        }
    }
    // Another customer's page is part of some histories; everything else is readable.
    let unread: Vec<&str> = ended
        .err
        .lines()
        .filter(|line| line.contains("cannot be read") && !line.contains("from another page"))
        .collect();
    assert_eq!(unread, [""; 0]);
    events
}

async fn turn_pages(server: &Server, provider: &Provider, history: &History) {
    let count = |requests: &[Request]| {
        requests.iter().filter(|request| request.path == history.first).count()
    };
    for step in 0..history.steps.len() {
        let before = if step == 0 {
            0
        } else {
            serve(provider, history, step);
            count(&server.requests())
        };
        // Where only another document is new, the first one is requested twice in one poll.
        let twice = usize::from(step > 0 && history.document(step) == history.document(step - 1));
        // Server and test share one thread: none of these was answered with the previous page.
        let enough = before + if history.brief.contains(&(step + 1)) { 1 } else { POLLS + twice };
        let waiting = server.wait_until(|requests| count(requests) >= enough);
        within(&format!("step {} of {}", step + 1, history.name), waiting).await;
    }
}

fn serve(provider: &Provider, history: &History, step: usize) {
    let fresh = &history.steps[step];
    if let Some(former) = step.checked_sub(1).map(|former| &history.steps[former]) {
        for (path, _) in
            former.iter().filter(|(path, _)| !fresh.iter().any(|(kept, _)| kept == path))
        {
            provider.remove_document(path);
        }
    }
    // The first document last: by then its details are of the same time.
    let (firsts, details): (Vec<_>, Vec<_>) =
        fresh.iter().partition(|(path, _)| *path == history.first);
    for (path, body) in details.into_iter().chain(firsts) {
        let is_xml = body.trim_ascii_start().starts_with(b"<");
        provider.set_document(
            path,
            if is_xml {
                "application/atom+xml; charset=utf-8"
            } else {
                "application/json; charset=utf-8"
            },
            body.clone(),
        );
    }
}

/// Formats an event on one line: kind, incident, status, revision, impact, time and text; for a
/// component, whose time is that of the poll: its name and both statuses. The time of the poll is
/// called `now`.
fn line(event: &Value) -> String {
    let time = if event["published_at"] == event["observed_at"] {
        "now".to_owned()
    } else {
        event["published_at"].as_str().unwrap().to_owned()
    };
    let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    match event["kind"].as_str().unwrap() {
        "component" => format!(
            "component {}: {} -> {}",
            word("title"),
            word("previous_status"),
            word("status")
        ),
        "provider" => format!("provider {}", word("status")),
        kind => format!(
            "{kind} {} {} r{} {} {} | {}",
            word("incident_id"),
            word("status"),
            event["revision"],
            word("impact"),
            time,
            word("message").replace('\n', " "),
        ),
    }
}
