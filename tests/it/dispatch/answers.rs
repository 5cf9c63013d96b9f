//! What receivers answer on a bad day, and what becomes of the message, the channel and its readers.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use rusqlite::Connection;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Authority, CertificateFlaw, Cluster, Server};

use super::clock::{self, set};
use crate::support::bench::{Bench, Watch};
use crate::support::provider::provider;
use crate::support::receiver::{Receiver, Reply};

fn db(bench: &Bench) -> Connection {
    // It is there a moment after the start.
    bench.wait_until("a database", || bench.path("state/ledger.db").exists());
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db
}

/// Health and last error of a channel.
fn health(bench: &Bench, channel: &str) -> (String, String) {
    let sql = "SELECT health, coalesce(last_error, '') FROM channel WHERE id = ?1";
    db(bench).query_row(sql, [channel], |row| Ok((row.get(0)?, row.get(1)?))).unwrap_or_default()
}

/// Messages that wait for a channel, and those given up.
fn left(bench: &Bench, channel: &str) -> (i64, i64) {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE channel = ?1");
        db(bench).query_row(&sql, [channel], |row| row.get(0)).unwrap_or(-1)
    };
    (count("outbox"), count("dead_letter"))
}

/// Webhooks named after their status, and a chat that is sent nothing but notices.
fn by_status(receiver: &Receiver, statuses: &[u16]) -> String {
    let url = &receiver.url;
    let mut text = format!("channels:\n  ops: {{kind: slack, webhook_url: \"{url}/ops\"}}\n");
    let mut ids = Vec::new();
    for status in statuses {
        writeln!(text, "  h{status}: {{kind: webhook, url: \"{url}/{status}\"}}").unwrap();
        let reply = Reply::Answer(*status, Vec::new(), format!("no: {status}"));
        receiver.always(&format!("/{status}"), reply);
        ids.push(format!("h{status}"));
    }
    text + &format!("routes:\n  - to: [{}]\n", ids.join(", "))
}

fn open_one(bench: &Bench) {
    let provider = &bench.universe.providers()[0];
    bench.universe.open_incident(provider, "Failed requests", Impact::Major, &[], "We look.");
}

fn ended(watch: &mut Watch) {
    assert_eq!(watch.stop().code(), Some(0));
}

#[test]
fn what_refuses_everything_keeps_its_messages_and_is_announced() {
    let statuses = [301, 401, 403, 404, 410];
    let receiver = Receiver::start();
    let bench = Bench::new(1, &by_status(&receiver, &statuses));
    let mut watch = bench.start();
    open_one(&bench);
    bench.wait_until("the notices", || receiver.accepted("/ops").len() == statuses.len());
    ended(&mut watch);
    let notices = receiver.accepted("/ops");
    for status in statuses {
        let id = format!("h{status}");
        assert_eq!(health(&bench, &id), ("broken".into(), format!("HTTP {status}: no: {status}")));
        assert_eq!(left(&bench, &id), (1, 0), "{id}");
        assert_eq!(receiver.at(&format!("/{status}")).len(), 1, "{id} is not asked again at once");
        let title = format!("the channel \\\"{id}\\\" does not accept messages");
        let notice = notices.iter().find(|one| one.body.contains(&title)).unwrap();
        assert!(notice.body.contains(&format!("HTTP {status}: no: {status}")), "{}", notice.body);
    }
}

#[test]
fn what_refuses_a_message_gets_the_next_one() {
    let statuses = [400, 413, 422];
    let receiver = Receiver::start();
    let bench = Bench::new(1, &by_status(&receiver, &statuses));
    let mut watch = bench.start();
    open_one(&bench);
    bench.wait_until("the dead letters", || {
        statuses.iter().all(|status| left(&bench, &format!("h{status}")) == (0, 1))
    });
    bench.wait_until("the notices", || receiver.accepted("/ops").len() == statuses.len());
    for status in statuses {
        receiver.always(&format!("/{status}"), Reply::ok(""));
    }
    open_one(&bench);
    bench.wait_until("the next", || {
        statuses.iter().all(|status| receiver.accepted(&format!("/{status}")).len() == 1)
    });
    ended(&mut watch);
    for status in statuses {
        let id = format!("h{status}");
        assert_eq!(health(&bench, &id).0, "ok", "{id}");
        let reason: String = db(&bench)
            .query_row("SELECT reason FROM dead_letter WHERE channel = ?1", [&id], |row| row.get(0))
            .unwrap();
        assert_eq!(reason, format!("HTTP {status}: no: {status}"));
        let title = format!("a message to the channel \\\"{id}\\\" was given up");
        assert!(receiver.accepted("/ops").iter().any(|one| one.body.contains(&title)), "{id}");
    }
}

#[test]
fn a_text_that_is_too_long_arrives_in_its_short_form() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let channels = format!("channels:\n  ops: {{kind: discord, webhook_url: \"{url}/discord\"}}\n");
    let bench = Bench::new(1, &channels);
    let path = "/discord?wait=true";
    let long = r#"{"embeds":["Embed size exceeds maximum size of 6000"]}"#;
    receiver.script(path, [Reply::Answer(400, Vec::new(), long.to_owned())]);
    receiver.always(path, Reply::ok(r#"{"id":"1","channel_id":"2"}"#));
    let mut watch = bench.start();
    open_one(&bench);
    bench.wait_until("the short form", || receiver.accepted(path).len() == 1);
    bench.wait_until("an empty outbox", || left(&bench, "ops") == (0, 0));
    ended(&mut watch);
    let [rich, plain] = &receiver.at(path)[..] else { panic!() };
    assert!(rich.body.contains("We look."), "{}", rich.body);
    assert!(plain.body.len() < rich.body.len() && plain.body.contains("Failed requests"));
}

#[test]
fn a_limit_is_kept_wherever_the_service_states_it() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let bench = Bench::new(
        1,
        &format!(
            "channels:\n  header: {{kind: webhook, url: \"{url}/header\"}}\n  none: {{kind: webhook, url: \"{url}/none\"}}\n  \
             discord: {{kind: discord, webhook_url: \"{url}/discord\"}}\n  \
             telegram: {{kind: telegram, token: \"1:a\", chat_id: \"-1\", api_url: \"{url}/\"}}\n"
        ),
    );
    let (discord, telegram) = ("/discord?wait=true", "/bot1:a/sendMessage");
    let limited = |body: &str| Reply::Answer(429, Vec::new(), body.to_owned());
    let header = vec![("retry-after", "2".to_owned())];
    receiver.script("/header", [Reply::Answer(429, header, String::new())]);
    receiver.script("/none", [limited("slow down")]);
    receiver.script(discord, [limited(r#"{"retry_after":1.75,"global":false}"#)]);
    receiver.always(discord, Reply::ok(r#"{"id":"1","channel_id":"2"}"#));
    let parameters = r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":2}}"#;
    receiver.script(telegram, [limited(parameters)]);
    receiver.always(telegram, Reply::ok(r#"{"ok":true,"result":{"message_id":7}}"#));
    let mut watch = bench.start();
    open_one(&bench);
    let rows = [
        ("header", "/header", 2000, 20_000),
        // Its own delay of a second, give or take the jitter.
        ("none", "/none", 800, 20_000),
        ("discord", discord, 1750, 20_000),
        ("telegram", telegram, 2000, 20_000),
    ];
    for (id, path, least, most) in rows {
        bench.wait_until(id, || receiver.accepted(path).len() == 1 && left(&bench, id).0 == 0);
        let [first, second] = &receiver.at(path)[..] else { panic!("{id}") };
        let waited = second.at.duration_since(first.at).as_millis();
        assert!((least..most).contains(&waited), "{id}: {waited} ms");
        assert_eq!(first.body, second.body, "{id}");
        assert_eq!((left(&bench, id), health(&bench, id).0), ((0, 0), "ok".into()), "{id}");
    }
    ended(&mut watch);
}

#[test]
fn an_answer_after_29_seconds_counts_and_none_at_all_leaves_a_doubt() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let bench = Bench::new(
        1,
        &format!(
            "channels:\n  slow: {{kind: webhook, url: \"{url}/slow\"}}\n  hung: {{kind: webhook, url: \"{url}/hung\"}}\n"
        ),
    );
    receiver.script("/slow", [Reply::Late(Duration::from_secs(29))]);
    receiver.script("/hung", [Reply::Hang]);
    let mut watch = bench.start();
    open_one(&bench);
    let soon = Duration::from_mins(1);
    bench.wait_within(soon, "both", || {
        receiver.at("/slow").len() == 1
            && receiver.accepted("/hung").len() == 1
            && left(&bench, "slow").0 + left(&bench, "hung").0 == 0
    });
    ended(&mut watch);
    assert_eq!(receiver.at("/slow").len(), 1, "what was accepted late is not sent again");
    let [first, second] = &receiver.at("/hung")[..] else { panic!() };
    assert_eq!((first.key(), &first.body), (second.key(), &second.body));
}

#[test]
fn a_certificate_for_another_name_gets_no_message() {
    let authority = Authority::new().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster =
        Cluster::new([provider("acme", &Statuspage)]).tls(&authority, CertificateFlaw::WrongName);
    let server = runtime.block_on(Server::start(cluster)).unwrap();
    let bench = Bench::new(
        1,
        &format!("channels:\n  hook: {{kind: webhook, url: \"{}hook\"}}\n", server.url("acme")),
    );
    let roots = bench.path("ca.pem");
    std::fs::write(&roots, authority.pem()).unwrap();
    let mut command = bench.command();
    let mut watch =
        Watch(command.args(["run", "--hosted"]).env("SSL_CERT_FILE", &roots).spawn().unwrap());
    open_one(&bench);
    bench.wait_until("the failure", || health(&bench, "hook").0 == "failing");
    ended(&mut watch);
    let error = health(&bench, "hook").1;
    assert!(error.contains("certificate for another name"), "{error}");
    assert!(server.requests().is_empty());
    let doubt: bool =
        db(&bench).query_row("SELECT in_doubt FROM outbox", [], |row| row.get(0)).unwrap();
    assert!(!doubt, "it cannot have arrived");
}

/// An incident with two updates while `reply` is the answer, and the same receiver that works again
/// `after` that. Returns what it accepted then.
fn outage(reply: Reply, after: TimeDelta) -> Vec<String> {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let bench = Bench::new(
        1,
        &format!("channels:\n  ops: {{kind: slack, webhook_url: \"{url}/slack\"}}\n"),
    );
    let provider = &bench.universe.providers()[0];
    receiver.always("/slack", reply);
    set(&bench, Utc::now());
    let mut watch = clock::start(&bench);
    let title = "Failed requests";
    let one = bench.universe.open_incident(provider, title, Impact::Major, &[], "First.").incident;
    bench.wait_until("an attempt", || health(&bench, "ops").1.contains("HTTP"));
    bench.universe.update(provider, one, IncidentStatus::Identified, "Second.").unwrap();
    bench.wait_until("two", || left(&bench, "ops").0 == 2);
    bench.universe.update(provider, one, IncidentStatus::Monitoring, "Third.").unwrap();
    bench.wait_until("three", || left(&bench, "ops").0 == 3);
    ended(&mut watch);
    receiver.always("/slack", Reply::ok("ok"));
    set(&bench, Utc::now() + after);
    let mut watch = clock::start(&bench);
    bench.wait_until("an empty outbox", || left(&bench, "ops") == (0, 0));
    bench.wait_until("the recovery", || health(&bench, "ops").0 == "ok");
    ended(&mut watch);
    receiver.accepted("/slack").into_iter().map(|one| one.body).collect()
}

#[test]
fn after_500_for_an_hour_the_doubtful_message_is_repeated_and_the_newest_says_how_late_it_is() {
    let sent = outage(Reply::status(500), TimeDelta::seconds(3_630));
    let [first, newest] = &sent[..] else { panic!("{sent:#?}") };
    assert!(first.contains("First.") && !first.contains("late"), "{first}");
    assert!(newest.contains("Third.") && newest.contains("Delivered 1 h late."), "{newest}");
    assert!(newest.contains("1 earlier update was not sent."), "{newest}");
}

#[test]
fn after_401_for_a_day_a_chat_is_sent_the_present_state() {
    let sent = outage(Reply::status(401), TimeDelta::seconds(86_430));
    let [newest] = &sent[..] else { panic!("{sent:#?}") };
    assert!(newest.contains("Third.") && newest.contains("Delivered 1 d late."), "{newest}");
    assert!(newest.contains("2 earlier updates were not sent."), "{newest}");
}

#[test]
fn a_pager_that_fails_for_an_hour_passes_the_event_to_its_fallback() {
    let receiver = Receiver::start();
    let url = &receiver.url;
    let bench = Bench::new(
        1,
        &format!(
            "channels:\n  pager: {{kind: pagerduty, routing_key: \"{}\", api_url: \"{url}/pager\", fallback: ops}}\n  \
             ops: {{kind: slack, webhook_url: \"{url}/slack\"}}\nroutes:\n  - to: [pager]\n",
            "k".repeat(32)
        ),
    );
    receiver.always("/pager", Reply::status(500));
    set(&bench, Utc::now());
    let mut watch = clock::start(&bench);
    open_one(&bench);
    bench.wait_until("an attempt", || health(&bench, "pager").0 == "failing");
    ended(&mut watch);
    assert!(receiver.at("/slack").is_empty());
    set(&bench, Utc::now() + TimeDelta::minutes(61));
    let mut watch = clock::start(&bench);
    bench.wait_until("the event at the fallback", || {
        receiver.accepted("/slack").iter().any(|one| one.body.contains("We look."))
    });
    bench.wait_until("the notice", || {
        receiver.accepted("/slack").iter().any(|one| one.body.contains("was given up"))
    });
    ended(&mut watch);
    assert_eq!(left(&bench, "pager"), (0, 1));
    let bodies: Vec<String> = receiver.at("/pager").into_iter().map(|one| one.body).collect();
    assert!(bodies.len() >= 2 && bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}
