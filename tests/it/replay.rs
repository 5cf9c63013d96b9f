//! Histories served step by step over HTTP to the real binary: the events are exactly those that happened, worked out
//! by hand and written down.

mod captures;
mod own;

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::Utc;
use serde_json::Value;
use statuswatch::world::{Etag, Provider, Server, World};

use crate::support::binary::{Bench, events_in};
use crate::support::wait::within;

/// What a page serves at one time: paths and bodies.
type Step = Vec<(String, Vec<u8>)>;

/// A page at successive times.
struct History {
    /// Which it is; also the provider's id.
    name: &'static str,
    /// The path that is polled.
    first: &'static str,
    /// What it served at each time. Everything else is 404.
    steps: Vec<Step>,
    /// Steps, from 1, that are over after one poll: odd answers, which no page gives for long.
    brief: &'static [usize],
    /// Only lines that begin so are compared; the others are too many to be written down.
    only: &'static str,
    /// What happened: the beginning of a line for each event, see [`line`].
    told: Vec<String>,
}

/// Polls of a step that have to be complete before the next one: what is missing counts at the second look, which the
/// third request shows to be over.
const POLLS: usize = 3;

/// Plays all histories at once to one `run`, and compares.
async fn play(histories: Vec<History>) {
    if histories.is_empty() {
        return;
    }
    let providers: Vec<Provider> = histories.iter().map(|history| Provider::raw(history.name, Arc::new(Utc::now))).collect();
    for (provider, history) in providers.iter().zip(&histories) {
        // Strong validators over the body: a step that is the one before byte for byte is a 304.
        provider.behave(|behaviour| behaviour.etag = Etag::Strong);
        serve(provider, history, 0);
    }
    let server = Server::start_each(World::new(providers.clone())).await.unwrap();
    let mut bench = Bench::new().default("interval", "100ms").default("incident_interval", "100ms").default("jitter", "0%");
    for history in &histories {
        let url = format!("{}{}", server.url(history.name), history.first);
        bench.add(history.name, &url, "");
    }
    let run = bench.start(&["run", "--hosted", "--format", "json"]);
    let turns = providers.iter().zip(&histories).map(|(provider, history)| turn_pages(&server, provider, history));
    futures::future::join_all(turns).await;
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);

    let events = events_in(&bench.path("logs/events.jsonl"));
    let mut wrong = String::new();
    for history in &histories {
        let told: Vec<String> = events
            .iter()
            .filter(|event| event["provider"] == history.name)
            .map(line)
            .filter(|line| line.starts_with(history.only))
            .collect();
        let same = told.len() == history.told.len()
            && told.iter().zip(&history.told).all(|(told, wanted)| told.starts_with(wanted.as_str()));
        if !same {
            writeln!(wrong, "== {}\nhappened:\n  {}\ntold:\n  {}", history.name, history.told.join("\n  "), told.join("\n  "))
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{}", ended.err);
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    let console: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(console, events, "the console and the event log tell the same");
}

async fn turn_pages(server: &Server, provider: &Provider, history: &History) {
    let id = provider.id();
    let asked = || server.requests_of(id).iter().filter(|request| request.path == history.first).count();
    for step in 0..history.steps.len() {
        let before = if step == 0 {
            0
        } else {
            serve(provider, history, step);
            asked()
        };
        // One may have been answered with the former page just now, and the last one shows only that those before are over.
        let enough = before + if history.brief.contains(&(step + 1)) { 2 } else { POLLS + 2 };
        let count = |requests: &[statuswatch::world::Request]| {
            requests.iter().filter(|request| request.provider == id && request.path == history.first).count()
        };
        within(&format!("step {} of {id}", step + 1), server.wait_until(|requests| count(requests) >= enough)).await;
    }
}

fn serve(provider: &Provider, history: &History, step: usize) {
    let fresh = &history.steps[step];
    if let Some(former) = step.checked_sub(1).map(|former| &history.steps[former]) {
        for (path, _) in former.iter().filter(|(path, _)| !fresh.iter().any(|(kept, _)| kept == path)) {
            provider.remove_document(path);
        }
    }
    // The first document last: by then its details are those of the same time.
    let (firsts, details): (Vec<_>, Vec<_>) = fresh.iter().partition(|(path, _)| path == history.first);
    for (path, body) in details.into_iter().chain(firsts) {
        let is_xml = body.trim_ascii_start().starts_with(b"<");
        provider.set_document(
            path,
            if is_xml { "application/atom+xml; charset=utf-8" } else { "application/json; charset=utf-8" },
            body.clone(),
        );
    }
}

/// An event in one line: kind, incident, status, revision, impact, time and text; of a component, whose time is that
/// of the poll: its name, and from which state into which.
fn line(event: &Value) -> String {
    let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
    match event["kind"].as_str().unwrap() {
        "component" => format!("component {}: {} -> {}", word("title"), word("previous_status"), word("status")),
        "provider" => format!("provider {}", word("status")),
        kind => format!(
            "{kind} {} {} r{} {} {} | {}",
            word("incident_id"),
            word("status"),
            event["revision"],
            word("impact"),
            word("published_at"),
            word("message").replace('\n', " "),
        ),
    }
}
