//! What changes while an incident is open: routes, names of channels, mutes; and a template that
//! fails.

use std::process::Stdio;
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::Signal;
use statuswatch::event::{Impact, IncidentStatus};

use crate::support::bench::{Bench, Watch};
use crate::support::receiver::{Receiver, Reply};

fn say(bench: &Bench, args: &[&str]) -> String {
    let mut command = bench.command();
    let output = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn count(bench: &Bench, what: &str) -> i64 {
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
}

/// Chats at the paths of their names, and further lines.
fn chats(receiver: &Receiver, names: &[&str], more: &str) -> String {
    let url = &receiver.url;
    let each = names
        .iter()
        .map(|name| format!("  {name}: {{kind: slack, webhook_url: \"{url}/{name}\"}}\n"));
    format!("channels:\n{}{more}", each.collect::<String>())
}

fn reload(bench: &Bench, watch: &Watch, times: usize, text: &str) {
    bench.configure(text);
    watch.signal(Signal::HUP);
    bench.wait_until("the reload", || bench.diagnostics().matches("was reloaded").count() == times);
}

#[test]
fn a_route_that_changes_during_an_incident_leaves_nobody_without_its_end() {
    let receiver = Receiver::start();
    let both = ["first", "second"];
    let bench = Bench::new(1, &chats(&receiver, &both, "routes:\n  - to: [first]\n"));
    let provider = &bench.universe.providers()[0];
    let sent = |name: &str| receiver.accepted(&format!("/{name}"));
    let mut watch = bench.start();
    let title = "Failed requests";
    let one = bench.universe.open_incident(provider, title, Impact::Major, &[], "First.").incident;
    bench.wait_until("the first message", || sent("first").len() == 1);
    reload(&bench, &watch, 1, &chats(&receiver, &both, "routes:\n  - to: [second]\n"));
    bench.universe.update(provider, one, IncidentStatus::Identified, "Second.").unwrap();
    bench.wait_until("both", || sent("first").len() == 2 && sent("second").len() == 1);
    // Who comes late is told since when it is open.
    let late = sent("second").remove(0).body;
    assert!(late.contains("Second.") && late.contains("Open since 20"), "{late}");
    assert!(late.contains("this is the first message about it here."), "{late}");
    assert!(!sent("first")[1].body.contains("Open since"));
    // Not even a route to nobody takes the end away.
    reload(&bench, &watch, 2, &chats(&receiver, &both, "routes:\n  - to: []\n"));
    bench.universe.update(provider, one, IncidentStatus::Resolved, "Over.").unwrap();
    bench.wait_until("both ends", || sent("first").len() == 3 && sent("second").len() == 2);
    bench.universe.open_incident(provider, "Another", Impact::Major, &[], "Not sent.");
    bench.wait_until_reported();
    assert_eq!(watch.stop().code(), Some(0));
    for name in both {
        let bodies: Vec<String> = sent(name).into_iter().map(|one| one.body).collect();
        assert!(bodies.last().unwrap().contains("Over."), "{name}: {bodies:?}");
        assert!(!bodies.iter().any(|body| body.contains("Not sent.")), "{name}");
    }
}

#[test]
fn a_channel_that_is_renamed_is_a_new_one_and_what_waits_for_the_old_one_is_said() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &chats(&receiver, &["old"], ""));
    receiver.always("/old", Reply::status(500));
    let provider = &bench.universe.providers()[0];
    let mut watch = bench.start();
    let title = "Failed requests";
    let one = bench.universe.open_incident(provider, title, Impact::Major, &[], "First.").incident;
    bench.wait_until("an attempt", || !receiver.at("/old").is_empty());
    reload(&bench, &watch, 1, &chats(&receiver, &["new"], ""));
    bench.wait_until("the warning", || {
        bench.diagnostics().lines().any(|line| {
            line.contains("removed from the configuration with messages waiting")
                && line.contains("waiting=1")
                && line.contains("old")
        })
    });
    let shown = say(&bench, &["channels"]);
    let row = shown.lines().find(|line| line.starts_with("old ")).unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((words[..3].join(" "), words[4]), ("old slack removed".into(), "1"), "{shown}");
    bench.universe.update(provider, one, IncidentStatus::Identified, "Second.").unwrap();
    bench.wait_until("the new one", || receiver.accepted("/new").len() == 1);
    let first = receiver.accepted("/new").remove(0).body;
    assert!(first.contains("Second.") && first.contains("Open since 20"), "{first}");
    // Back under its name, it gets what waited, and then the rest.
    receiver.always("/old", Reply::ok("ok"));
    reload(&bench, &watch, 2, &chats(&receiver, &["new", "old"], ""));
    bench.wait_until("what waited", || {
        receiver.accepted("/old").iter().any(|one| one.body.contains("First."))
    });
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn what_begins_and_ends_within_a_mute_is_not_sent_afterwards() {
    let receiver = Receiver::start();
    let bench = Bench::new(1, &chats(&receiver, &["ops"], ""));
    let provider = &bench.universe.providers()[0];
    let sent = || receiver.accepted("/ops");
    let mut watch = bench.start();
    bench.wait_until("the provider", || {
        let mut mute = bench.command();
        mute.args(["mute", provider.id(), "--for", "2h"]).status().is_ok_and(|done| done.success())
    });
    let within =
        bench.universe.open_incident(provider, "Within", Impact::Major, &[], "Began.").incident;
    bench.wait_until("held", || count(&bench, "outbox WHERE hold = 'mute'") == 1);
    bench.universe.update(provider, within, IncidentStatus::Resolved, "Over.").unwrap();
    bench.wait_until("its end", || count(&bench, "outbox WHERE hold = 'mute'") == 2);
    say(&bench, &["unmute", provider.id()]);
    bench.wait_until("nothing is held", || count(&bench, "outbox") == 0);
    bench.universe.open_incident(provider, "After", Impact::Major, &[], "Began anew.");
    bench.wait_until("the next", || sent().len() == 1);
    assert_eq!(watch.stop().code(), Some(0));
    let body = sent().remove(0).body;
    assert!(body.contains("After") && !body.contains("Within"), "{body}");
}

#[test]
fn a_template_that_fails_on_one_title_is_replaced_and_said() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    // What examples hold is no number either, but they never come there.
    let template = "{% if 'Boom' in title %}{{ title | int }}{% endif %}My {{ title }}";
    let bench = Bench::new(
        1,
        &format!(
            "channels:\n  ops: {{kind: slack, webhook_url: \"{url}/ops\", template: {{title: \"{template}\"}}}}\n"
        ),
    );
    let provider = &bench.universe.providers()[0];
    let mut watch = bench.start();
    for (number, title) in ["Calm", "Boom of requests", "Calm again"].into_iter().enumerate() {
        bench.universe.open_incident(provider, title, Impact::Major, &[], "We look.");
        bench.wait_until(title, || receiver.accepted("/ops").len() == number + 1);
    }
    assert_eq!(watch.stop().code(), Some(0));
    let bodies: Vec<String> = receiver.accepted("/ops").into_iter().map(|one| one.body).collect();
    assert!(bodies[0].contains("My Calm") && bodies[2].contains("My Calm again"), "{bodies:?}");
    let built_in = format!("{}: Boom of requests", provider.name());
    assert!(bodies[1].contains(&built_in) && !bodies[1].contains("My "), "{bodies:?}");
    let said = bench.diagnostics();
    let failed = "a template failed; the built-in text is sent";
    assert_eq!(said.matches(failed).count(), 1, "{said}");
}
