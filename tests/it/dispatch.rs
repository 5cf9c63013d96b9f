//! Recorded events on their way to channels: the real binary, fake pages and a receiver that
//! misbehaves.
//!
//! `STATUSWATCH_KILLS=2000 cargo test --release --test it -- dispatch::kills --nocapture` kills more
//! often than the default.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fastrand::Rng;
use statuswatch::event::StatusEvent;
use statuswatch::ledger::Reader;
use statuswatch::notify::delivery_id;
use statuswatch::notify::hold::thread_of;

use crate::support::bench::{Author, Bench, parse};
use crate::support::receiver::{Received, Receiver, Reply};

mod answers;
mod changes;
mod clock;
mod commands;
mod disk;
mod mail;
mod misbehaving;
mod notices;
mod reload;
mod storm;

/// A webhook channel named `hook` at `/hook`.
pub(crate) fn hook(receiver: &Receiver) -> String {
    format!("channels:\n  hook: {{kind: webhook, url: \"{}/hook\"}}\n", receiver.url)
}

fn events(bench: &Bench) -> Vec<StatusEvent> {
    bench.lines().iter().map(|line| parse(line).unwrap()).collect()
}

/// Waits until the webhook has accepted every event of the log.
pub(crate) fn wait_for_all(bench: &Bench, receiver: &Receiver) {
    // A message that failed several times is tried again after a growing delay, at most ten minutes,
    // also across restarts.
    let begun = std::time::Instant::now();
    loop {
        let accepted: std::collections::HashSet<String> =
            receiver.accepted("/hook").iter().map(Received::key).collect();
        let missing = events(bench)
            .iter()
            .filter(|event| !accepted.contains(&delivery_id(&event.id, "hook")))
            .count();
        if missing == 0 {
            return;
        }
        if begun.elapsed() > Duration::from_mins(12) {
            let reader = Reader::open(&bench.path("state")).unwrap();
            let waiting = reader.waiting("hook", chrono::Utc::now(), 100, false).unwrap();
            panic!("{missing} events never arrived; waiting: {waiting:#?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Every event arrived, nothing else did, each under one key with one body, and those of a thread
/// in order.
pub(crate) fn judge(bench: &Bench, receiver: &Receiver) -> usize {
    let events = events(bench);
    let seqs: HashMap<String, &StatusEvent> =
        events.iter().map(|event| (delivery_id(&event.id, "hook"), event)).collect();
    let mut bodies: HashMap<String, String> = HashMap::new();
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let received = receiver.at("/hook");
    for one in received.iter().filter(|one| one.status == 200 || one.status == 0) {
        let key = one.key();
        let event = seqs.get(&key).unwrap_or_else(|| panic!("an invented message: {one:?}"));
        if let Some(before) = bodies.get(&key) {
            assert_eq!(*before, one.body, "two bodies under the key {key}");
            continue;
        }
        bodies.insert(key, one.body.clone());
        order.entry(thread_of(event)).or_default().push(event.seq);
    }
    assert_eq!(bodies.len(), events.len(), "events that never arrived");
    for (thread, seqs) in order {
        assert!(seqs.is_sorted(), "out of order in {thread}: {seqs:?}");
    }
    received.len() - events.len()
}

#[test]
fn every_event_arrives_once() {
    let receiver = Receiver::start();
    let bench = Bench::new(4, &hook(&receiver));
    let mut watch = bench.start();
    bench.publish(7, 60);
    bench.wait_until_reported();
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    assert_eq!(judge(&bench, &receiver), 0, "without a failure nothing is sent twice");
}

#[test]
fn kills_lose_nothing_and_repeat_only_the_same() {
    let rounds =
        std::env::var("STATUSWATCH_KILLS").map_or(10, |rounds| rounds.parse::<u32>().unwrap());
    let receiver = Receiver::start();
    let bench = Bench::new(4, &hook(&receiver));
    let (mut rng, mut author) = (Rng::with_seed(11), Author::new(11));
    for _ in 0..rounds {
        // Answers that leave in doubt whether a message arrived, and some that refuse it.
        receiver.script(
            "/hook",
            (0..3).map(|_| match rng.u8(0..4) {
                0 => Reply::Lost,
                1 => Reply::status(500),
                _ => Reply::ok(""),
            }),
        );
        let before = receiver.at("/hook").len();
        // Not while nothing watches: on a slow machine, a page would forget what nobody has read.
        bench.publish_as(&mut author, 5);
        let mut watch = bench.start();
        // Some after the first message, some before.
        if rng.bool() {
            bench.wait_until("a message", || receiver.at("/hook").len() > before);
        }
        std::thread::sleep(Duration::from_millis(rng.u64(50..400)));
        watch.kill();
    }
    bench.clear_faults();
    let mut watch = bench.start();
    bench.wait_until_reported();
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    let repeated = judge(&bench, &receiver);
    println!("{rounds} kills, {} events, {repeated} repeated", events(&bench).len());
}
