//! The commands of delivery, next to a `run` that delivers.

use std::process::Stdio;

use serde_json::Value;
use statuswatch::event::{Impact, IncidentStatus};

use super::{hook, wait_for_all};
use crate::support::bench::Bench;
use crate::support::receiver::{Receiver, Reply};

/// Runs a command: exit status, standard output, standard error.
fn say(bench: &Bench, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = bench.command();
    let output = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn json(bench: &Bench, args: &[&str]) -> Value {
    let (code, out, err) = say(bench, &[args, &["--json"]].concat());
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

/// One channel of `channels --json`.
fn channel(bench: &Bench, id: &str) -> Value {
    let all = json(bench, &["channels"]);
    let channels = all["channels"].as_array().unwrap();
    channels.iter().find(|channel| channel["id"] == id).cloned().unwrap_or_default()
}

/// A Slack channel named `ops` at `/slack`; `more` are further keys.
fn slack(receiver: &Receiver, more: &str) -> String {
    let url = &receiver.url;
    format!("channels:\n  ops: {{kind: slack, webhook_url: \"{url}/slack\"{more}}}\n")
}

/// Replaces what differs between runs: numbers before `ms` and ages.
fn steady(text: &str) -> String {
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_start_matches('(');
        let is_number = !bare.trim().is_empty() && bare.trim().chars().all(|c| c.is_ascii_digit());
        if word.starts_with('(') && is_number { "(N ".to_owned() } else { word.to_owned() }
    });
    words.collect()
}

#[test]
fn a_mute_holds_what_begins_and_not_the_end_of_what_was_sent() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &slack(&receiver, ""));
    let provider = &bench.universe.providers()[0];
    let id = provider.id();
    let open = |title: &str, text: &str| {
        bench.universe.open_incident(provider, title, Impact::Major, &[], text)
    };
    let sent = || receiver.accepted("/slack");
    let mut watch = bench.start();
    let before = open("Before the mute", "We investigate the first.");
    bench.wait_until("the first message", || sent().len() == 1);

    let (code, out, err) =
        say(&bench, &["mute", id, "--until-resolved", "--reason", "known\u{1b}[2J"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("Muted {id} until nothing of it is open.\n"));
    let within = open("Within the mute", "We investigate the second.");
    bench.wait_until("the held message", || channel(&bench, "ops")["held"] == 1);
    bench.universe.update(
        provider,
        within.incident,
        IncidentStatus::Identified,
        "We know the second.",
    );
    bench.wait_until("both held", || channel(&bench, "ops")["held"] == 2);
    assert_eq!(sent().len(), 1);

    bench.universe.update(
        provider,
        before.incident,
        IncidentStatus::Resolved,
        "The first is over.",
    );
    bench.wait_until("the end of what was sent", || sent().len() == 2);
    assert!(sent()[1].body.contains("The first is over."), "{}", sent()[1].body);

    let (_, out, _) = say(&bench, &["status"]);
    let shown = format!("{id} is muted until nothing of it is open: known");
    assert!(out.lines().any(|line| line.starts_with(&shown)), "{out}");
    assert!(!out.contains('\u{1b}'), "{out:?}");
    assert_eq!(json(&bench, &["mutes"])["mutes"][0]["provider"], *id);

    let (code, out, _) = say(&bench, &["unmute", id]);
    assert_eq!((code, out), (Some(0), format!("Ended one mute of {id}.\n")));
    bench.wait_until("the present state", || sent().len() == 3);
    let body = sent()[2].body.clone();
    assert!(body.contains("Within the mute") && body.contains("We know the second."), "{body}");
    bench.wait_until("nothing is held", || channel(&bench, "ops")["held"] == 0);
    let (code, _, err) = say(&bench, &["unmute", id]);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(say(&bench, &["mutes"]).1, "Nothing is muted.\n");
    assert!(say(&bench, &["mutes", "--all"]).1.contains("ended"));
    assert_eq!(watch.stop().code(), Some(0));
    assert_eq!(sent().len(), 3, "one message for what was held");
}

#[test]
fn a_mute_with_a_time_ends_by_itself_and_one_replaces_another() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &slack(&receiver, ""));
    let provider = &bench.universe.providers()[0];
    let mut watch = bench.start();
    bench.wait_until("a ledger", || say(&bench, &["status"]).0 == Some(0));
    bench.wait_until("the provider", || {
        say(&bench, &["mute", provider.id(), "--for", "2h"]).0 == Some(0)
    });
    assert_eq!(say(&bench, &["mute", provider.id(), "--for", "5s"]).0, Some(0));
    assert_eq!(json(&bench, &["mutes"])["mutes"].as_array().unwrap().len(), 1);
    bench.universe.open_incident(provider, "Short", Impact::Major, &[], "We investigate.");
    bench.wait_until("the held message", || channel(&bench, "ops")["held"] == 1);
    bench.wait_until("the message", || receiver.accepted("/slack").len() == 1);
    bench.wait_until("the end of the mute", || {
        json(&bench, &["mutes"])["mutes"].as_array().unwrap().is_empty()
    });
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn mutes_name_providers_that_exist() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &slack(&receiver, ""));
    let id = bench.universe.providers()[0].id().to_owned();
    let (code, out, err) = say(&bench, &["mute", &id, "--for", "2h"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("there is no ledger at"), "{err}");
    let mut once = bench.command();
    assert!(once.args(["run", "--once"]).status().unwrap().success());
    let misspelt = format!("{id}s");
    let (code, _, err) = say(&bench, &["mute", &misspelt, "--for", "2h"]);
    assert_eq!(code, Some(2));
    let hint = format!("no provider \"{misspelt}\" in state; did you mean \"{id}\"?");
    assert!(err.contains(&hint), "{err}");
    for wrong in [
        &["mute", &id][..],
        &["mute", &id, "--for", "0s"],
        &["mute", &id, "--for", "9000h"],
        &["mute", &id, "--for", "1h", "--until-resolved"],
        &["mute", "#x", "--for", "1h"],
    ] {
        assert_eq!(say(&bench, wrong).0, Some(2), "{wrong:?}");
    }
    let component = format!("{id}#No such thing");
    let (code, out, err) = say(&bench, &["mute", &component, "--for", "1h"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with(&format!("Muted {component} until 20")), "{out}");
    assert!(err.contains("lists no component \"No such thing\" now"), "{err}");
    let (_, _, err) = say(&bench, &["mute", &id, "--until-resolved"]);
    assert!(err.starts_with(&format!("warning: nothing of {id} is open")), "{err}");
    // The provider as a whole ends all of them.
    assert_eq!(say(&bench, &["unmute", &id]).0, Some(0));
}

#[test]
fn dead_letters_are_shown_and_sent_again_next_to_a_run() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    receiver.always("/hook", Reply::status(413));
    let mut watch = bench.start();
    bench.publish(3, 3);
    bench.wait_until_reported();
    let reported = bench.lines().len();
    bench.wait_until("all are dead", || channel(&bench, "hook")["dead"] == reported);
    receiver.always("/hook", Reply::ok(""));
    let listed = json(&bench, &["deadletters", "list"]);
    let letter = &listed["deadletters"][0];
    assert_eq!((&letter["channel"], &letter["reason"]), (&"hook".into(), &"HTTP 413".into()));
    let id = letter["id"].to_string();
    let (code, out, _) = say(&bench, &["deadletters", "show", &id]);
    assert_eq!(code, Some(0));
    let sent = letter["steps"][0]["body"].as_str().unwrap();
    assert!(out.starts_with("channel   hook\ngiven up  20"), "{out}");
    assert!(out.contains("\nreason    HTTP 413\nmessage   event ") && out.contains(sent), "{out}");
    let (code, out, _) = say(&bench, &["deadletters", "retry", &id]);
    assert_eq!((code, out.as_str()), (Some(0), "1 message retried.\n"));
    bench.wait_until("the message", || receiver.accepted("/hook").len() == 1);
    let (code, out, _) = say(&bench, &["deadletters", "retry", "--all", "--channel", "hook"]);
    assert_eq!((code, out), (Some(0), format!("{} messages retried.\n", reported - 1)));
    wait_for_all(&bench, &receiver);
    let (_, out, _) = say(&bench, &["deadletters", "list", "--channel", "hook"]);
    assert_eq!(out, "No message was given up.\n");
    for (args, code, said) in [
        (&["deadletters", "retry", "99"][..], 2, "there is no dead letter 99"),
        (&["deadletters", "show", "99"], 2, "there is no dead letter 99"),
        (&["deadletters", "list", "--channel", "hok"], 2, "did you mean \"hook\"?"),
        (&["deadletters", "retry"], 2, "required"),
    ] {
        let (found, _, err) = say(&bench, args);
        assert!(found == Some(code) && err.contains(said), "{args:?}: {err}");
    }
    assert_eq!(watch.stop().code(), Some(0));
    assert_eq!(receiver.accepted("/hook")[0].body, sent, "the same bytes again");
}

#[test]
fn dead_letters_are_discarded_for_good() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    receiver.always("/hook", Reply::status(400));
    let mut watch = bench.start();
    bench.publish(3, 3);
    bench.wait_until_reported();
    let reported = bench.lines().len();
    bench.wait_until("all are dead", || channel(&bench, "hook")["dead"] == reported);
    let (code, out, _) = say(&bench, &["deadletters", "discard", "--all", "--channel", "hook"]);
    assert_eq!((code, out), (Some(0), format!("{reported} messages discarded.\n")));
    assert_eq!(channel(&bench, "hook")["dead"], 0);
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn channels_are_listed_before_the_first_run_and_when_they_are_broken() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &hook(&receiver));
    let (code, out, err) = say(&bench, &["channels"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("there is no ledger"), "{err}");
    insta::assert_snapshot!(out, @r"
    CHANNEL  KIND     STATE        WAITING  OLDEST  HELD  DEAD  24 H  LAST SUCCESS  LAST ERROR
    hook     webhook  not started  -        -       -     -     -     -
    ");
    receiver.always("/hook", Reply::status(401));
    let mut watch = bench.start();
    bench.publish(3, 3);
    bench.wait_until("the channel is broken", || channel(&bench, "hook")["state"] == "broken");
    bench.wait_until_reported();
    let reported = bench.lines().len();
    bench.wait_until("all are routed", || channel(&bench, "hook")["waiting"] == reported);
    let (_, out, _) = say(&bench, &["channels"]);
    let row = out.lines().nth(1).unwrap();
    assert!(row.starts_with("hook     webhook  broken ") && row.contains("HTTP 401"), "{out}");
    assert!(!out.contains(&receiver.url), "the address is a secret: {out}");
    assert_eq!(say(&bench, &["status", "--check"]).0, Some(1));
    let (code, out, _) = say(&bench, &["status"]);
    let line = out.lines().find(|line| line.starts_with("The channel hook is broken since"));
    assert!(code == Some(0) && line.is_some_and(|line| line.ends_with("wait: HTTP 401")), "{out}");
    receiver.always("/hook", Reply::ok(""));
    watch.signal(rustix::process::Signal::HUP);
    wait_for_all(&bench, &receiver);
    bench.wait_until("it works", || channel(&bench, "hook")["delivered_24h"] == reported);
    assert_eq!(say(&bench, &["status", "--check"]).0, Some(0));
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn a_test_shows_what_was_sent_and_no_secret() {
    let receiver = Receiver::start();
    let url = format!("{}/services/T0SECRET0T/B0SECRET0B", receiver.url);
    let path = "/services/T0SECRET0T/B0SECRET0B";
    let channels = format!(
        "channels:\n  ops:\n    kind: slack\n    webhook_url: \"{url}\"\n    template: {{title: \"[{{{{ severity }}}}] {{{{ title }}}}\"}}\n"
    );
    let bench = Bench::new(1, &channels);
    receiver.always(path, Reply::ok("ok"));
    let (code, out, err) = say(&bench, &["channels", "test", "ops"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let received = receiver.accepted(path);
    assert_eq!(received.len(), 1);
    assert!(received[0].body.contains("[minor] Test of the channel"), "{}", received[0].body);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..3], ["request  POST http://…", "fields   content-type", "body"], "{out}");
    assert!(out.contains("Test of the channel"), "{out}");
    let end = out.split("\nanswer   ").nth(1).unwrap();
    insta::assert_snapshot!(steady(end), @r"
    HTTP 200: ok
    verdict  delivered (N ms)
    ");
    // A server that repeats the address in its error.
    let refusal = format!("Cannot POST {path} at {url}");
    receiver.always(path, Reply::Answer(404, Vec::new(), refusal));
    let (code, out, _) = say(&bench, &["channels", "test", "ops"]);
    assert_eq!(code, Some(1));
    let end = out.split("\nanswer   ").nth(1).unwrap();
    insta::assert_snapshot!(steady(end), @r"
    HTTP 404: Cannot POST /services/***/*** at ***
    verdict  the channel refuses everything: HTTP 404: Cannot POST /services/***/*** at ***/services/***/*** (N ms)
    ");
    for secret in ["SECRET", &receiver.url, "127.0.0.1"] {
        assert!(!out.contains(secret), "{secret}: {out}");
    }
    let (code, _, err) = say(&bench, &["channels", "test", "opps"]);
    assert!(code == Some(2) && err.contains("did you mean \"ops\"?"), "{err}");
    let (code, _, err) = say(&bench, &["channels", "test", "ops", "--seq", "7"]);
    assert!(code == Some(1) && err.contains("there is no ledger"), "{err}");
}

#[test]
fn a_test_with_an_event_of_the_ledger_and_without_a_receiver() {
    let bench = Bench::new(1, "");
    bench.publish(3, 1);
    let mut once = bench.command();
    assert!(once.args(["run", "--once"]).status().unwrap().success());
    let receiver = Receiver::start();
    bench.configure(&hook(&receiver));
    let (code, out, err) = say(&bench, &["channels", "test", "hook", "--seq", "1"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let event: Value = serde_json::from_str(&receiver.accepted("/hook")[0].body).unwrap();
    assert_eq!(event["data"]["seq"], 1);
    let (code, _, err) = say(&bench, &["channels", "test", "hook", "--seq", "99"]);
    assert!(code == Some(2) && err.contains("there is no event 99"), "{err}");
    // Nothing listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = format!("channels:\n  hook: {{kind: webhook, url: \"http://127.0.0.1:{port}/\"}}\n");
    bench.configure(&gone);
    let (code, out, _) = say(&bench, &["channels", "test", "hook"]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains("\nanswer   none\nverdict  not delivered, would be tried again: "),
        "{out}"
    );
    assert!(!out.contains("127.0.0.1"), "{out}");
}

/// Two channels, routes, a digest and quiet hours that never end.
fn routed(receiver: &Receiver) -> String {
    let url = &receiver.url;
    format!(
        "channels:\n  ops: {{kind: slack, webhook_url: \"{url}/ops\"}}\n  night: {{kind: slack, webhook_url: \"{url}/night\"}}\n  \
         mail: {{kind: slack, webhook_url: \"{url}/mail\", digest: {{every: 24h}}}}\n  hook: {{kind: webhook, url: \"{url}/hook\"}}\n\
         routes:\n  - match: {{providers: [nobody]}}\n    to: [hook]\n  - match: {{tags: [dev]}}\n    to: []\n  \
         - match: {{min_impact: major}}\n    to: [ops, night]\n    continue: true\n  - match: {{kinds: [incident]}}\n    to: [mail, hook]\n\
         quiet_hours:\n  - {{channels: [night], from: \"00:00\", to: \"23:59\", zone: UTC}}\n"
    )
}

#[test]
fn routes_are_explained_rule_by_rule() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &routed(&receiver));
    let id = bench.universe.providers()[0].id().to_owned();
    let test = |more: &[&str]| {
        let (code, out, err) =
            say(&bench, &[&["routes", "test", "--provider", &id], more].concat());
        assert_eq!(code, Some(0), "{err}");
        out.replace(&id, "PROVIDER")
    };
    let out = test(&["--impact", "major"]);
    let (path, channels) = out.split_once("\n\nops").unwrap();
    insta::assert_snapshot!(path, @r"
    PROVIDER: incident, investigating (major)

    rule 1 (line 8): does not match (providers): the provider is PROVIDER
    rule 2 (line 10): does not match (tags): the provider has no tags
    rule 3 (line 12): matches: ops, night, and continues
    rule 4 (line 15): matches: mail, hook
    ");
    assert!(channels.starts_with(": sent at once (rule 3 (line "), "{out}");
    assert!(out.contains("\nhook: sent at once (rule 4 "), "{out}");
    assert!(out.contains("\nmail: held back by its digest until 20"), "{out}");
    // In the minute before midnight they are over.
    assert!(
        out.contains("\nnight: held back by quiet hours until 20") || out.contains("\nnight: sent"),
        "{out}"
    );
    let out = test(&["--impact", "minor", "--tag", "dev"]);
    assert!(out.ends_with("\nNobody: a rule says so\n"), "{out}");
    let out = test(&["--impact", "minor", "--kind", "component", "--component", "API"]);
    assert!(out.contains("Nobody: no rule matches"), "{out}");
    // A mute is in the ledger.
    let mut once = bench.command();
    assert!(once.args(["run", "--once"]).status().unwrap().success());
    assert_eq!(say(&bench, &["mute", &id, "--for", "2h"]).0, Some(0));
    let out = test(&["--impact", "major"]);
    assert!(out.contains("ops: held back by a mute until 20") && out.contains("(in "), "{out}");
    assert!(out.contains("hook: sent at once"), "no mute for programs: {out}");
    let view = json(&bench, &["routes", "test", "--provider", &id]);
    assert_eq!(view["channels"][0]["held_by"], "mute");
    let (code, _, err) = say(&bench, &["routes", "test", "--provider", &format!("{id}x")]);
    assert!(code == Some(2) && err.contains(&format!("did you mean \"{id}\"?")), "{err}");
    assert!(receiver.at("/ops").is_empty() && receiver.at("/hook").is_empty());
}

#[test]
fn past_events_are_played_through_the_routes() {
    let receiver = Receiver::start();
    let bench = Bench::new(2, &hook(&receiver));
    let mut watch = bench.start();
    bench.publish(7, 40);
    bench.wait_until_reported();
    wait_for_all(&bench, &receiver);
    assert_eq!(watch.stop().code(), Some(0));
    let events = bench.lines().len();
    let sent = receiver.at("/hook").len();
    let replay = json(&bench, &["routes", "replay", "--since", "1h"]);
    assert_eq!(replay["events"], events);
    // What really happened: every event was sent by itself.
    let played = &replay["configurations"][0]["channels"]["hook"];
    assert_eq!((&played["messages"], &played["kind"]), (&sent.into(), &"webhook".into()));
    // Another file, which collects everything in a digest.
    let new = std::fs::read_to_string(bench.path("providers.yaml")).unwrap();
    let digest = ", digest: {every: 30m}";
    let new = new.replace(
        &hook(&receiver),
        &(slack(&receiver, digest) + "routes:\n  - {match: {min_impact: major}, to: [ops]}\n"),
    );
    std::fs::write(bench.path("new.yaml"), new).unwrap();
    let both = json(&bench, &["routes", "replay", "--since", "1h", "--config", "new.yaml"]);
    assert_eq!(both["configurations"][0]["channels"]["hook"]["messages"], sent);
    let other = &both["configurations"][1];
    let held = other["channels"]["ops"]["held"]["digest"].as_u64().unwrap();
    let unrouted = other["unrouted_events"].as_u64().unwrap();
    assert!(held > 0 && unrouted > 0, "{both}");
    assert_eq!(held + unrouted, events as u64, "{both}");
    let (_, out, _) = say(&bench, &["routes", "replay", "--config", "new.yaml"]);
    assert!(out.contains("\nCHANNEL  FILE            MESSAGES    THREADS  HELD BACK"), "{out}");
    assert!(out.contains("\nops      providers.yaml  no channel\n"), "{out}");
    assert_eq!(receiver.at("/hook").len(), sent, "nothing is sent");
}

#[test]
fn a_dry_run_sends_nothing_and_changes_nothing() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &slack(&receiver, ""));
    let provider = &bench.universe.providers()[0];
    bench.universe.open_incident(provider, "Parcels late", Impact::Major, &[], "We look.");
    let (code, _, err) = say(&bench, &["run", "--once", "--dry-run"]);
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<&str> = err.lines().filter(|line| line.contains("would send to ")).collect();
    assert_eq!(lines.len(), 1, "{err}");
    let said = format!("would send to ops: {}: Parcels late", provider.name());
    assert!(lines[0].contains(&said), "{err}");
    assert!(receiver.at("/slack").is_empty());
    assert_eq!(channel(&bench, "ops")["state"], "not started");
    assert_eq!(bench.lines().len(), 1, "the event log is written as always");
    // Mutes and reloads are followed.
    let mut watch = crate::support::bench::Watch(
        bench.command().args(["run", "--hosted", "--dry-run"]).spawn().unwrap(),
    );
    let would = || bench.diagnostics().matches("would send to ").count();
    bench.universe.open_incident(provider, "Labels late", Impact::Major, &[], "We look again.");
    bench.wait_until("the line", || would() == 2);
    assert_eq!(say(&bench, &["mute", provider.id(), "--for", "1h"]).0, Some(0));
    bench.universe.open_incident(provider, "Stamps late", Impact::Major, &[], "We look again!");
    bench.wait_until_reported();
    assert_eq!(say(&bench, &["unmute", provider.id()]).0, Some(0));
    bench.wait_until("the line after the mute", || would() == 3);
    watch.signal(rustix::process::Signal::HUP);
    bench.wait_until("the reload", || bench.diagnostics().contains("was reloaded"));
    bench.universe.open_incident(provider, "Boxes late", Impact::Major, &[], "Once more.");
    bench.wait_until("the line after the reload", || would() == 4);
    assert_eq!(watch.stop().code(), Some(0));
    assert!(receiver.at("/slack").is_empty());
}
