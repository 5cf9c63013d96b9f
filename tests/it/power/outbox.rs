//! Power cuts while messages are on their way to a webhook.

use std::collections::{BTreeMap, HashMap, HashSet};

use fastrand::Rng;
use statuswatch::event::StatusEvent;
use statuswatch::notify::delivery_id;
use statuswatch::notify::hold::thread_of;

use super::{Act, cut_after, recorded};
use crate::dispatch::hook;
use crate::support::bench::{Bench, parse};
use crate::support::receiver::{Received, Receiver, Reply};

#[test]
#[ignore = "needs strace: see .ci/run"]
fn power_cuts_lose_no_message_and_repeat_only_the_same() {
    let images: usize = std::env::var("STATUSWATCH_IMAGES").map_or(5, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("STATUSWATCH_SEED").map_or(1, |text| text.parse().unwrap());
    let mut rng = Rng::with_seed(seed);
    let receiver = Receiver::start();
    let bench = Bench::new(2, &hook(&receiver));
    // Answers that are lost and refusals leave rows behind that were tried.
    let replies = |rng: &mut Rng| -> Vec<Reply> {
        let one = |rng: &mut Rng| match rng.u8(0..30) {
            0 => Reply::Lost,
            1 => Reply::status(500),
            _ => Reply::ok(""),
        };
        (0..60).map(|_| one(rng)).collect()
    };
    receiver.script("/hook", replies(&mut rng));
    let acts = recorded(&bench);
    let sends = acts.iter().filter(|act| matches!(act, Act::Send(_))).count();
    assert!(sends > 15, "{sends} messages");
    let original: HashMap<String, String> =
        receiver.at("/hook").into_iter().map(|one| (one.key(), one.body)).collect();
    receiver.always("/hook", Reply::ok(""));
    let mut repeated = 0;
    for number in 0..images {
        // Where something was sent a moment ago, as well as anywhere.
        let places: Vec<usize> =
            (0..acts.len()).filter(|at| matches!(acts[*at], Act::Send(_))).collect();
        let cut = if rng.bool() {
            (places[rng.usize(0..places.len())] + rng.usize(0..20)).min(acts.len())
        } else {
            rng.usize(0..=acts.len())
        };
        cut_after(&bench, &acts[..cut], &mut rng);
        let before: Vec<String> = acts[..cut]
            .iter()
            .filter_map(|act| if let Act::Send(key) = act { Some(key.clone()) } else { None })
            .collect();
        println!("image {number}: cut after {cut} of {} calls, {} sent", acts.len(), before.len());
        repeated += judge(&bench, &receiver, &before, &original);
    }
    println!(
        "{images} images (seed {seed}) with {sends} messages: {repeated} repeated as they were"
    );
}

/// Starts on an image and waits for what is left. `before` was sent before the power went.
fn judge(
    bench: &Bench,
    receiver: &Receiver,
    before: &[String],
    original: &HashMap<String, String>,
) -> usize {
    let from = receiver.at("/hook").len();
    let after = || receiver.at("/hook").split_off(from);
    let mut watch = bench.start();
    bench.wait_until_reported();
    let events =
        || -> Vec<StatusEvent> { bench.lines().iter().map(|line| parse(line).unwrap()).collect() };
    bench.wait_until("every message", || {
        let arrived: HashSet<String> =
            before.iter().cloned().chain(after().iter().map(Received::key)).collect();
        events().iter().all(|event| arrived.contains(&delivery_id(&event.id, "hook")))
    });
    bench.wait_until("an empty outbox", || {
        let db = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        db.query_row("SELECT count(*) FROM outbox", [], |row| row.get::<_, i64>(0)).unwrap() == 0
    });
    assert_eq!(watch.stop().code(), Some(0));
    let keys: HashMap<String, StatusEvent> =
        events().into_iter().map(|event| (delivery_id(&event.id, "hook"), event)).collect();
    let sent: HashSet<&String> = before.iter().collect();
    let mut bodies: HashMap<String, String> = HashMap::new();
    let mut repeated = 0;
    for one in after() {
        if sent.contains(&one.key()) {
            repeated += 1;
            assert_eq!(original[&one.key()], one.body, "two bodies under one key");
        }
        let first = bodies.entry(one.key()).or_insert_with(|| one.body.clone());
        assert_eq!(*first, one.body, "two bodies under one key");
    }
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut seen = HashSet::new();
    for key in before.iter().cloned().chain(after().iter().map(Received::key)) {
        let event = keys.get(&key).unwrap_or_else(|| panic!("sent and not in the log: {key}"));
        if seen.insert(key) {
            order.entry(thread_of(event)).or_default().push(event.seq);
        }
    }
    assert!(order.values().all(|seqs| seqs.is_sorted()), "out of order: {order:?}");
    repeated
}
