//! Who is notified of the program's own state: channels, messages given up, sinks.

use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use statuswatch::event::Impact;

use crate::support::bench::{Bench, Watch};
use crate::support::receiver::{Receiver, Reply};

/// Two programs and a chat, with these rules.
fn configured(receiver: &Receiver, rules: &str) -> String {
    let url = &receiver.url;
    format!(
        "channels:\n  hook: {{kind: webhook, url: \"{url}/hook\"}}\n  log: {{kind: webhook, url: \"{url}/log\"}}\n  \
         ops: {{kind: slack, webhook_url: \"{url}/ops\"}}\nroutes:\n{rules}  - to: [hook]\n"
    )
}

fn count(bench: &Bench, what: &str) -> i64 {
    // It is there a moment after the start.
    bench.wait_until("a database", || bench.path("state/ledger.db").exists());
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap_or(-1)
}

fn open_one(bench: &Bench, title: &str) {
    let provider = &bench.universe.providers()[0];
    let text = format!("We look into it: {title}.");
    bench.universe.open_incident(provider, title, Impact::Major, &[], &text);
}

/// Starts, and waits until the hook is known to refuse everything, and what that causes is stored.
fn start_broken(bench: &Bench, receiver: &Receiver) -> Watch {
    receiver.always("/hook", Reply::status(401));
    let watch = bench.start();
    open_one(bench, "Failed requests");
    bench.wait_until("the hook to be broken", || {
        count(bench, "channel WHERE id = 'hook' AND health = 'broken'") == 1
    });
    watch
}

fn ended(watch: &mut Watch) {
    assert_eq!(watch.stop().code(), Some(0));
}

/// The titles of the notices that a program got.
fn titles(receiver: &Receiver, path: &str) -> Vec<String> {
    let bodies = receiver.accepted(path).into_iter();
    let bodies = bodies.map(|one| serde_json::from_str::<Value>(&one.body).unwrap());
    let notices = bodies.filter(|body| body["type"] == "notice");
    notices.map(|body| body["data"]["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rule_that_names_notices_decides_who_gets_them() {
    let receiver = Receiver::start();
    let rules = "  - match: {kinds: [notice], text: '\"hook\"'}\n    to: [hook, log]\n";
    let bench = Bench::new(1, &configured(&receiver, rules));
    let mut watch = start_broken(&bench, &receiver);
    bench.wait_until("the notice", || titles(&receiver, "/log").len() == 1);
    ended(&mut watch);
    receiver.always("/hook", Reply::ok(""));
    let mut watch = bench.start();
    // What ends goes where it was announced, though its title is another one.
    bench.wait_until("the next notice", || titles(&receiver, "/log").len() == 2);
    bench.wait_until("an empty outbox", || count(&bench, "outbox") == 0);
    ended(&mut watch);
    assert_eq!(
        titles(&receiver, "/log"),
        [
            "statuswatch: the channel \"hook\" does not accept messages",
            "statuswatch: the channel \"hook\" works again"
        ]
    );
    // No event, though the rule names no other kind, and nothing to others.
    assert_eq!(receiver.at("/log").len(), 2);
    assert!(receiver.at("/ops").is_empty());
}

#[test]
fn notices_can_be_silenced_but_do_not_depend_on_the_channel_they_are_about() {
    for (to, expected) in [("[]", 0), ("[hook]", 1)] {
        let receiver = Receiver::start();
        let rules = format!("  - {{match: {{kinds: [notice]}}, to: {to}}}\n");
        let bench = Bench::new(1, &configured(&receiver, &rules));
        let mut watch = start_broken(&bench, &receiver);
        if expected > 0 {
            bench.wait_until("the notice", || !receiver.accepted("/ops").is_empty());
        } else {
            // A notice would be stored together with the state of the channel.
            assert_eq!(count(&bench, "outbox WHERE channel <> 'hook'"), 0);
        }
        ended(&mut watch);
        assert_eq!(receiver.at("/ops").len(), expected, "{to}");
        assert!(receiver.at("/log").is_empty(), "{to}");
    }
}

#[test]
fn messages_that_are_given_up_cause_one_notice_an_hour() {
    let receiver = Receiver::start();
    let rules = "  - match: {kinds: [notice]}\n    to: [log]\n";
    let bench = Bench::new(1, &configured(&receiver, rules));
    receiver.always("/hook", Reply::status(400));
    let mut watch = bench.start();
    for letters in 1..=3 {
        open_one(&bench, "Failed requests");
        // The notice as well, so that its key is free again.
        bench.wait_until("another dead letter", || {
            count(&bench, "dead_letter") == letters && count(&bench, "outbox") == 0
        });
    }
    ended(&mut watch);
    assert_eq!(
        titles(&receiver, "/log"),
        ["statuswatch: a message to the channel \"hook\" was given up"]
    );
}

#[test]
fn an_event_log_that_cannot_be_written_is_announced_and_its_end_as_well() {
    let receiver = Receiver::start();
    let rules = "  - match: {kinds: [notice], providers: [statuswatch], min_impact: major, text: sink}\n    to: [log]\n";
    let bench = Bench::new(1, &configured(&receiver, rules));
    let mut watch = bench.start();
    open_one(&bench, "Failed requests");
    bench.wait_until_reported();
    // A file in place of the directory.
    std::fs::rename(bench.path("logs"), bench.path("away")).unwrap();
    std::fs::write(bench.path("logs"), "").unwrap();
    open_one(&bench, "Slow answers");
    bench.wait_until("the notice", || !titles(&receiver, "/log").is_empty());
    std::fs::remove_file(bench.path("logs")).unwrap();
    std::fs::rename(bench.path("away"), bench.path("logs")).unwrap();
    bench.wait_until("the next notice", || titles(&receiver, "/log").len() == 2);
    bench.wait_until_reported();
    ended(&mut watch);
    assert_eq!(
        titles(&receiver, "/log"),
        [
            "statuswatch: the sink \"event_log.json\" cannot deliver",
            "statuswatch: the sink \"event_log.json\" delivers again"
        ]
    );
    assert!(receiver.at("/ops").is_empty());
    bench.judge();
}

#[test]
fn the_path_of_a_notice_is_explained() {
    let receiver = Receiver::start();
    let rules = "  - match: {kinds: [notice], text: given up}\n    to: [ops]\n  \
                 - match: {kinds: [notice, provider]}\n    to: [log]\n    continue: true\n";
    let bench = Bench::new(1, &configured(&receiver, rules));
    let say = |args: &[&str]| {
        let mut command = bench.command();
        command.args(["routes", "test"]).args(args);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = say(&["--notice", "hook"]);
    assert_eq!(code, Some(0), "{err}");
    insta::assert_snapshot!(out, @r#"
    statuswatch: the channel "hook" does not accept messages

    rule 1 (line 7): does not match (text): the title does not contain it
    rule 2 (line 9): matches: log, and continues
    rule 3 (line 12): does not match (kinds): it is a notice, which the rule does not name

    log: sent at once (rule 2 (line 9))
    "#);
    let (_, out, _) = say(&["--notice", "hook", "--text", "a message was given up"]);
    assert!(out.ends_with("\nops: sent at once (rule 1 (line 7))\n"), "{out}");
    // Only the channel that it is about.
    let (_, out, _) = say(&["--notice", "log"]);
    assert!(out.ends_with("\nops: sent at once (by default)\n"), "{out}");
    let (_, out, _) = say(&["--notice", "hook", "--json"]);
    let view: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(view["channels"][0]["channel"], "log");
    assert_eq!(view["notice"], "statuswatch: the channel \"hook\" does not accept messages");
    let (code, _, err) = say(&["--notice", "hok"]);
    assert!(code == Some(2) && err.contains("did you mean \"hook\"?"), "{err}");
    let (code, _, err) = say(&["--notice", "hook", "--impact", "major"]);
    assert!(code == Some(2) && err.contains("cannot be used with"), "{err}");
    let (code, _, err) = say(&[]);
    assert!(code == Some(2) && err.contains("--provider"), "{err}");
}
