//! A thousand incidents within a moment, in a chat that takes one message a second.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use statuswatch::event::{Impact, IncidentStatus, Status, StatusEvent};
use statuswatch::notify::hold::thread_of;

use super::clock;
use crate::support::bench::{Bench, parse};
use crate::support::receiver::{Received, Receiver};

/// Pages, and incidents on each.
const PAGES: usize = 100;
const EACH: usize = 10;

/// More than it takes to send what waits, one message a second.
const LONG: Duration = Duration::from_mins(4);

/// Reads a number from the ledger.
fn number(bench: &Bench, sql: &str) -> i64 {
    let db = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap_or(-1)
}

/// Whether every recorded event has gone to the outbox.
fn is_routed(bench: &Bench) -> bool {
    let routed = number(bench, "SELECT seq FROM sink WHERE id = 'channels'");
    routed >= 0 && number(bench, "SELECT max(seq) FROM event") == routed
}

/// Lets the two minutes between the summaries of a storm pass, once nothing else is left to do.
fn pass(bench: &Bench) {
    let due = number(
        bench,
        "SELECT min(due_at) FROM outbox HAVING count(*) = count(iif(hold = 'storm', 1, NULL))",
    );
    if let Some(due) = DateTime::from_timestamp_millis(due).filter(|_| is_routed(bench))
        && due > clock::now(bench)
    {
        clock::set(bench, due + TimeDelta::seconds(1));
    }
}

/// What a person reads of a message to Slack: title and sections.
fn read(message: &Received) -> String {
    let body: Value = serde_json::from_str(&message.body).unwrap();
    let blocks = body["attachments"][0]["blocks"].as_array().cloned().unwrap_or_default();
    let texts = blocks.iter().filter_map(|block| block["text"]["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

/// Returns the number before `word` in the title of a summary.
fn counted(message: &str, word: &str) -> usize {
    let title = message.lines().next().unwrap();
    let words: Vec<&str> = title.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let place = words.iter().position(|one| *one == word);
    place.map_or(0, |place| {
        words[..place].iter().rev().find_map(|word| word.parse().ok()).unwrap_or(0)
    })
}

#[test]
fn a_thousand_incidents_are_one_message_and_their_ends_are_not_stuck() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let bench = Bench::new(
        PAGES,
        &format!("channels:\n  ops: {{kind: slack, webhook_url: \"{url}/slack\"}}\n"),
    );
    clock::set(&bench, Utc::now());
    let mut watch = clock::start(&bench);
    bench.wait_until("all pages", || {
        let asked = bench.universe.server().requests();
        asked.iter().map(|one| one.provider.clone()).collect::<HashSet<_>>().len() == PAGES
    });
    let sent = || receiver.accepted("/slack");
    let mut posted = Vec::new();
    for (place, provider) in bench.universe.providers().iter().enumerate() {
        for number in 0..EACH {
            // One page has the worst of them, among the last to be found in a list by name.
            let impact = if place == PAGES - 1 { Impact::Critical } else { Impact::Minor };
            let title = format!("Problem {number}");
            let text = format!("We investigate {number} of {place}.");
            posted
                .push((place, bench.universe.open_incident(provider, &title, impact, &[], &text)));
        }
    }
    let begun = Instant::now();
    bench.wait_until_reported();
    println!("recorded after {:?}", begun.elapsed());
    let summaries = || -> Vec<String> {
        sent().iter().map(read).filter(|text| text.contains("not sent one by one")).collect()
    };
    bench.wait_within(LONG, "the summaries", || {
        pass(&bench);
        let alone = sent().iter().filter(|one| read(one).contains("We investigate")).count();
        alone + summaries().iter().map(|text| counted(text, "open")).sum::<usize>() >= PAGES * EACH
    });
    let alone = sent().iter().filter(|one| read(one).contains("We investigate")).count();
    println!("{alone} alone and {} summaries after {:?}", summaries().len(), begun.elapsed());
    assert!(alone <= 100, "{alone}");
    let opened = sent().len();
    // The first says how many and lists the worst first.
    let texts = summaries();
    let largest = texts.iter().max_by_key(|text| counted(text, "open")).unwrap();
    println!("{largest}");
    assert!(counted(largest, "open") > 200, "{largest}");
    assert!(largest.contains("The worst 50 are listed."), "{largest}");

    // Every incident has news at once, and half of them end.
    for (number, (place, posted)) in posted.iter().enumerate() {
        let provider = &bench.universe.providers()[*place];
        let status =
            if number % 2 == 0 { IncidentStatus::Resolved } else { IncidentStatus::Identified };
        let text = format!("News {number}.");
        bench.universe.update(provider, posted.incident, status, &text).unwrap();
    }
    let told = Instant::now();
    bench.wait_until_reported();
    println!("recorded after {:?}", told.elapsed());
    let of_this = || sent().split_off(opened);
    let count = |what: &str| number(&bench, &format!("SELECT count(*) FROM {what}"));
    bench.wait_within(LONG, "the news", || {
        pass(&bench);
        count("outbox") == 0 && is_routed(&bench)
    });
    let events = || bench.lines().into_iter().map(|line| parse(&line).unwrap());
    let is_news = |event: &StatusEvent| {
        event.message.as_deref().is_some_and(|text| text.starts_with("News "))
    };
    // Pages that show nothing but what is open say of an end only that it is gone.
    let news = events().filter(is_news).count();
    let texts: Vec<String> = of_this().iter().map(read).collect();
    let alone = texts.iter().filter(|text| text.contains("News ")).count();
    let summed: usize =
        texts.iter().map(|text| counted(text, "ended") + counted(text, "open")).sum();
    println!("{news} news in {} messages after {:?}", texts.len(), told.elapsed());
    assert!(
        news > PAGES * EACH * 9 / 10 && alone + summed >= news,
        "{alone} and {summed} of {news}"
    );
    assert!(texts.len() < PAGES * EACH / 5, "{}", texts.len());
    let soon = texts.iter().take(8).any(|text| text.contains("Resolved"));
    assert!(soon, "ends are sent before the rest: {texts:#?}");

    // A new critical incident is not stuck behind them.
    let provider = &bench.universe.providers()[0];
    bench.universe.open_incident(provider, "Worse", Impact::Critical, &[], "All of it is down.");
    bench.wait_within(LONG, "the new one", || sent().iter().any(|one| read(one).contains("Worse")));
    assert_eq!(watch.stop().code(), Some(0));

    // Each end is known to have been sent, and nothing waits.
    let mut last: HashMap<String, Status> = HashMap::new();
    for event in events() {
        last.insert(thread_of(&event), event.status);
    }
    let open = last.values().filter(|status| **status != IncidentStatus::Resolved).count();
    assert_eq!(count("notified WHERE ended_at IS NULL") as usize, open);
    assert_eq!(count("outbox"), 0);
    // Three at once after a pause, then one a second; the receiver may see them closer together.
    let at: Vec<Instant> = sent().iter().map(|one| one.at).collect();
    for (from, first) in at.iter().enumerate() {
        for (to, last) in at.iter().enumerate().skip(from) {
            let most = 3.0 + last.duration_since(*first).as_secs_f64() + 2.0;
            assert!(((to - from + 1) as f64) < most, "more than the service allows: {at:?}");
        }
    }
}
