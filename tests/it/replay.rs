//! Histories served step by step over HTTP to the real binary: the events are exactly those that
//! happened, worked out by hand and written down.

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

/// What a page serves at one time: paths and bodies.
type Step = Vec<(String, Vec<u8>)>;

/// A page at successive times.
struct History {
    /// Which it is; also the provider's id.
    name: String,
    /// The path that is polled.
    first: String,
    /// What it served at each time. Everything else is 404.
    steps: Vec<Step>,
    /// Steps, from 1, that are over after one poll: odd answers, which no page gives for long.
    brief: &'static [usize],
    /// Only lines that begin so are compared; the others are too many to be written down.
    only: &'static str,
    /// What happened: the beginning of a line for each event, see [`line`].
    told: Vec<String>,
}

impl History {
    /// The first document of a step.
    fn document(&self, step: usize) -> Option<&[u8]> {
        self.steps[step]
            .iter()
            .find(|(path, _)| *path == self.first)
            .map(|(_, body)| body.as_slice())
    }
}

/// Requests of a step that have to arrive before the next one: what is missing counts at the second
/// look, which the third request shows to be over. Hosts are left alone for a quarter of a second
/// between polls, so each takes that long.
const POLLS: usize = 3;

/// One `run` reads all of them at once.
#[tokio::test]
async fn the_pages_of_the_fixtures_tell_what_happened() {
    let (own, every) = (own::histories(), every::histories());
    let events = watch(own.iter().chain(&every)).await;
    compare(&events, &own);
    every::judge(&events, &every);
}

/// The same for real pages, where they are at hand.
#[tokio::test]
async fn the_pages_of_the_captures_tell_what_happened() {
    let (captures, sequences) = (captures::histories(), sequences::histories());
    let events = watch(captures.iter().chain(&sequences)).await;
    compare(&events, &captures);
    sequences::judge(&events, &sequences);
}

/// Holds what was told against what is written down, line by line.
fn compare(events: &[Value], histories: &[History]) {
    let mut wrong = String::new();
    for history in histories {
        let told: Vec<String> =
            told(events, history).filter(|line| line.starts_with(history.only)).collect();
        let same = told.len() == history.told.len()
            && told
                .iter()
                .zip(&history.told)
                .all(|(told, wanted)| told.starts_with(wanted.as_str()));
        if !same {
            writeln!(
                wrong,
                "== {}\nhappened:\n  {}\ntold:\n  {}",
                history.name,
                history.told.join("\n  "),
                told.join("\n  ")
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What was told of a history, a line each.
fn told<'a>(events: &'a [Value], history: &'a History) -> impl Iterator<Item = String> + 'a {
    events.iter().filter(|event| event["provider"] == history.name).map(line)
}

/// Plays all histories at once to one `run`; gives the event log, of which the console has shown
/// the same.
async fn watch(histories: impl Iterator<Item = &History>) -> Vec<Value> {
    let histories: Vec<&History> = histories.collect();
    if histories.is_empty() {
        return Vec::new();
    }
    let providers: Vec<Provider> =
        histories.iter().map(|history| Provider::raw(&history.name, Arc::new(Utc::now))).collect();
    for (provider, history) in providers.iter().zip(&histories) {
        // Strong validators over the body: a step that is the one before byte for byte is a 304.
        provider.behave(|behaviour| behaviour.etag = Etag::Strong);
        serve(provider, history, 0);
    }
    // A server each: whoever waits for a page looks at the requests of that page alone.
    let servers = futures::future::join_all(providers.iter().map(alone)).await;
    let mut bench = Bench::new()
        .default("interval", "100ms")
        .default("incident_interval", "100ms")
        .default("jitter", "0%")
        // Nobody fails for having waited on a busy machine.
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
    assert_eq!(console, events, "the console and the event log tell the same");
    for (history, server) in histories.iter().zip(&servers) {
        // What is served and never asked for is no test of anything.
        for path in history.steps.iter().flatten().map(|(path, _)| path) {
            let asked = server.requests().iter().any(|request| request.path == *path);
            assert!(asked, "{}: nobody asked for {path}\n{}", history.name, ended.err);
        }
    }
    // Another customer's page is part of some histories; everything else can be read.
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
        // Where only a document beside it is new, the first one is asked for twice in one poll.
        let twice = usize::from(step > 0 && history.document(step) == history.document(step - 1));
        // Server and test take turns on one thread: none of these was answered with the former
        // page.
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
    // The first document last: by then its details are those of the same time.
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

/// An event in one line: kind, incident, status, revision, impact, time and text; of a component,
/// whose time is that of the poll: its name, and from which state into which. A time that is the
/// poll's is called `now`.
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
