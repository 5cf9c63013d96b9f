//! Channels that are added, changed and removed while messages wait.

use rustix::process::Signal;

use super::{hook, wait_for_all};
use crate::support::bench::Bench;
use crate::support::receiver::{Receiver, Reply};

#[test]
fn a_channel_is_added_by_a_reload_and_gets_what_happens_from_then_on() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, "");
    let mut watch = bench.start();
    bench.publish(3, 4);
    bench.wait_until_reported();
    let before = bench.lines().len();
    assert!(before > 0);
    bench.configure(&hook(&receiver));
    watch.signal(Signal::HUP);
    bench.wait_until("the reload", || bench.diagnostics().contains("was reloaded"));
    // What is published now is new: the first message proves that the channel is there.
    bench.publish(4, 4);
    bench.wait_until_reported();
    bench.wait_until("messages", || {
        receiver.accepted("/hook").len() == bench.lines().len() - before
    });
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn a_removed_channel_keeps_its_messages_until_it_returns() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    receiver.always("/hook", Reply::status(401));
    let mut watch = bench.start();
    bench.publish(3, 4);
    bench.wait_until_reported();
    bench.wait_until("an attempt", || !receiver.at("/hook").is_empty());
    let other = format!("channels:\n  other: {{kind: webhook, url: \"{}/other\"}}\n", receiver.url);
    bench.configure(&other);
    watch.signal(Signal::HUP);
    bench.wait_until("the warning", || bench.diagnostics().contains("messages waiting"));
    receiver.always("/hook", Reply::ok(""));
    bench.configure(&hook(&receiver));
    watch.signal(Signal::HUP);
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn a_channel_that_failed_before_a_restart_is_well_once_it_accepts_a_message() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    receiver.always("/hook", Reply::status(500));
    let health = || {
        let db = rusqlite::Connection::open(bench.path("state/ledger.db")).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        db.query_row("SELECT health FROM channel", [], |row| row.get::<_, String>(0))
            .unwrap_or_default()
    };
    let mut watch = bench.start();
    bench.publish(3, 2);
    bench.wait_until_reported();
    bench.wait_until("the failure is noted", || health() == "failing");
    watch.kill();
    receiver.always("/hook", Reply::ok(""));
    let mut watch = bench.start();
    wait_for_all(&bench, &receiver);
    bench.wait_until("the recovery is noted", || health() == "ok");
    assert_eq!(watch.stop().code(), Some(0));
}
