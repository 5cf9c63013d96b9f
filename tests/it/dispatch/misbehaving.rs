//! Receivers at their worst.

use std::time::Duration;

use rusqlite::Connection;

use super::{hook, judge, wait_for_all};
use crate::support::bench::Bench;
use crate::support::receiver::{Receiver, Reply};

fn query<T: rusqlite::types::FromSql>(bench: &Bench, sql: &str) -> T {
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_passes_is_tried_again_with_the_same_key_and_bytes() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    receiver.script(
        "/hook",
        [
            Reply::status(500),
            Reply::Lost,
            Reply::Answer(429, vec![("retry-after", "1.5".to_owned())], String::new()),
            Reply::status(503),
        ],
    );
    let mut watch = bench.start();
    bench.publish(3, 3);
    bench.wait_until_reported();
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    assert!(judge(&bench, &receiver) >= 4);
    let received = receiver.at("/hook");
    let limited = received.iter().position(|one| one.status == 429).unwrap();
    let waited = received[limited + 1].at.duration_since(received[limited].at);
    assert!(waited >= Duration::from_millis(1500), "Retry-After was not honored: {waited:?}");
}

#[test]
fn a_refused_message_is_dead_and_the_next_is_sent() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    receiver.always("/hook", Reply::status(413));
    let mut watch = bench.start();
    bench.publish(3, 2);
    bench.wait_until_reported();
    let dead = bench.lines().len() as i64;
    assert!(dead > 0);
    bench.wait_until("the dead letters", || {
        query::<i64>(&bench, "SELECT count(*) FROM dead_letter") == dead
    });
    // Each was tried in its rich form and in its plain one.
    assert_eq!(receiver.at("/hook").len() as i64, 2 * dead);
    receiver.always("/hook", Reply::ok(""));
    bench.publish(5, 3);
    bench.wait_until_reported();
    let reported = bench.lines().len() as i64;
    bench.wait_until("the others", || receiver.accepted("/hook").len() as i64 == reported - dead);
    assert_eq!(watch.stop().code(), Some(0));
    let reason: String = query(&bench, "SELECT DISTINCT reason FROM dead_letter");
    assert_eq!(reason, "HTTP 413");
    assert_eq!(query::<String>(&bench, "SELECT health FROM channel"), "ok");
}

#[test]
fn a_broken_channel_keeps_its_messages_and_another_says_so() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let channels = format!(
        "channels:\n  hook: {{kind: webhook, url: \"{url}/hook\"}}\n  ops: {{kind: slack, webhook_url: \"{url}/slack\"}}\n\
         routes:\n  - to: [hook]\n"
    );
    let bench = Bench::new(1, &channels);
    receiver.always("/hook", Reply::status(401));
    let mut watch = bench.start();
    bench.publish(3, 5);
    bench.wait_until_reported();
    bench.wait_until("the notice", || !receiver.accepted("/slack").is_empty());
    let reported = bench.lines().len() as i64;
    bench.wait_until("the messages in the outbox", || {
        query::<i64>(&bench, "SELECT count(*) FROM outbox WHERE channel = 'hook'") == reported
    });
    assert_eq!(query::<String>(&bench, "SELECT health FROM channel WHERE id = 'hook'"), "broken");
    // What was under way at once showed it; the others wait.
    assert!(receiver.at("/hook").len() <= 8);
    let notice = receiver.accepted("/slack").remove(0).body;
    assert!(notice.contains("does not accept messages"), "{notice}");
    assert!(!notice.contains(url.as_str()), "the address is a secret: {notice}");
    assert_eq!(watch.stop().code(), Some(0));
    // Corrected, everything is delivered after a restart, in order.
    receiver.always("/hook", Reply::ok(""));
    let mut watch = bench.start();
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    judge_after_refusals(&bench, &receiver);
}

/// Like [`judge`], where refused requests are no arrivals.
fn judge_after_refusals(bench: &Bench, receiver: &Receiver) {
    judge(bench, receiver);
}

#[test]
fn a_200_with_an_error_inside_is_no_success() {
    let receiver = Receiver::start();
    let channels =
        format!("channels:\n  ops: {{kind: slack, webhook_url: \"{}/slack\"}}\n", receiver.url);
    let bench = Bench::new(1, &channels);
    receiver.script("/slack", [Reply::ok("invalid_blocks")]);
    let mut watch = bench.start();
    bench.publish(3, 1);
    bench.wait_until_reported();
    bench.wait_until("the plain form", || receiver.at("/slack").len() == 2);
    bench
        .wait_until("an empty outbox", || query::<i64>(&bench, "SELECT count(*) FROM outbox") == 0);
    assert_eq!(watch.stop().code(), Some(0));
    let [rich, plain] = &receiver.at("/slack")[..] else { panic!() };
    assert!(rich.body.contains("attachments") && !plain.body.contains("attachments"));
}

#[test]
fn a_channel_that_hangs_delays_no_other_and_no_shutdown() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let channels = format!(
        "channels:\n  hook: {{kind: webhook, url: \"{url}/hook\"}}\n  slow: {{kind: webhook, url: \"{url}/slow\"}}\n"
    );
    let bench = Bench::new(1, &channels);
    receiver.always("/slow", Reply::Hang);
    let mut watch = bench.start();
    bench.publish(3, 6);
    bench.wait_until_reported();
    wait_for_all(&bench, &receiver);
    assert!(!receiver.at("/slow").is_empty());
    assert_eq!(watch.stop().code(), Some(0));
    judge(&bench, &receiver);
}

#[test]
fn a_redirect_is_not_followed() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    let elsewhere = format!("{}/elsewhere", receiver.url);
    receiver.always("/hook", Reply::Answer(302, vec![("location", elsewhere)], String::new()));
    let mut watch = bench.start();
    bench.publish(3, 4);
    bench.wait_until_reported();
    bench.wait_until("the channel is broken", || {
        query::<String>(&bench, "SELECT health FROM channel") == "broken"
    });
    assert_eq!(watch.stop().code(), Some(0));
    assert!(receiver.at("/elsewhere").is_empty());
}

#[test]
fn what_a_channel_cannot_deliver_goes_to_its_fallback_under_one_key() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    // The route sends nothing to the second one.
    let channels = format!(
        "channels:\n  hook: {{kind: webhook, url: \"{url}/hook\", fallback: spare}}\n  spare: {{kind: webhook, url: \"{url}/spare\"}}\n\
         routes:\n  - to: [hook]\n"
    );
    let bench = Bench::new(1, &channels);
    receiver.always("/hook", Reply::status(400));
    let mut watch = bench.start();
    bench.publish(3, 4);
    bench.wait_until_reported();
    let events: Vec<String> =
        bench.lines().iter().map(|line| crate::support::bench::parse(line).unwrap().id).collect();
    let arrived = || {
        let keys: std::collections::HashSet<String> = receiver
            .accepted("/spare")
            .iter()
            .map(crate::support::receiver::Received::key)
            .collect();
        events.iter().all(|id| keys.contains(&statuswatch::notify::delivery_id(id, "spare")))
    };
    bench.wait_until("the events at the fallback", arrived);
    assert_eq!(watch.stop().code(), Some(0));
    // Once each, and one notice.
    assert_eq!(receiver.accepted("/spare").len(), events.len() + 1);
}
