//! Mail to several recipients, of whom the server refuses some.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use statuswatch::event::{Impact, IncidentStatus};

use crate::support::bench::Bench;

#[derive(Default)]
struct State {
    /// What is said to a recipient that is refused.
    refusals: HashMap<String, &'static str>,
    /// The recipients and the text of each mail.
    mails: Vec<(Vec<String>, String)>,
}

/// A mail server on loopback.
struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || converse(&stream, &state));
            }
        });
        Self { port, state }
    }

    /// Refuses a recipient from now on; `None`: accepts it.
    fn refuse(&self, address: &str, reply: Option<&'static str>) {
        let refusals = &mut self.state.lock().unwrap().refusals;
        match reply {
            Some(reply) => drop(refusals.insert(address.to_owned(), reply)),
            None => drop(refusals.remove(address)),
        }
    }

    fn mails(&self) -> Vec<(Vec<String>, String)> {
        self.state.lock().unwrap().mails.clone()
    }

    /// The mails that one recipient got.
    fn to(&self, address: &str) -> Vec<String> {
        let mails = self.mails().into_iter();
        mails.filter(|(to, _)| to.iter().any(|one| one == address)).map(|(_, text)| text).collect()
    }
}

fn converse(mut stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes()).ok();
    let mut recipients = Vec::new();
    say("220 mx.example")?;
    loop {
        let line = lines.next()?.ok()?;
        if let Some(address) =
            line.strip_prefix("RCPT TO:<").and_then(|rest| rest.strip_suffix('>'))
        {
            let refusal = state.lock().unwrap().refusals.get(address).copied();
            if refusal.is_none() {
                recipients.push(address.to_owned());
            }
            say(refusal.unwrap_or("250 ok"))?;
        } else if line == "DATA" {
            say("354 go on")?;
            let mut text = String::new();
            while let line = lines.next()?.ok()?
                && line != "."
            {
                text.push_str(&line);
                text.push('\n');
            }
            state.lock().unwrap().mails.push((std::mem::take(&mut recipients), text));
            say("250 queued")?;
        } else {
            say("250 ok")?;
        }
    }
}

fn query(bench: &Bench, sql: &str) -> i64 {
    let db = Connection::open(bench.path("state/ledger.db")).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn say(bench: &Bench, args: &[&str]) -> String {
    let mut command = bench.command();
    let output = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const HERE: &str = "here@acme.example";
const FULL: &str = "full@acme.example";
const GONE: &str = "gone@acme.example";

#[test]
fn who_is_refused_is_tried_again_or_named_in_a_dead_letter_and_delays_nobody() {
    let server = Server::start();
    server.refuse(FULL, Some("452 4.2.2 mailbox full"));
    server.refuse(GONE, Some("550 5.1.1 no such user"));
    let bench = Bench::new(
        1,
        &format!(
            "channels:\n  mail: {{kind: email, smtp: \"smtp://127.0.0.1:{}\", from: s@acme.example, to: [{HERE}, {FULL}], cc: [{GONE}]}}\n",
            server.port
        ),
    );
    let provider = &bench.universe.providers()[0];
    let mut watch = bench.start();
    let title = "Failed requests";
    let one = bench.universe.open_incident(provider, title, Impact::Major, &[], "First.").incident;
    bench.wait_until("the first mail", || server.to(HERE).len() == 1);
    // A full mailbox and a wrong address keep nothing from the others.
    bench.universe.update(provider, one, IncidentStatus::Identified, "Second.").unwrap();
    bench.wait_until("the second mail", || server.to(HERE).len() == 2);
    bench.wait_until("the dead letters", || query(&bench, "SELECT count(*) FROM dead_letter") == 2);
    assert_eq!(query(&bench, "SELECT count(*) FROM channel WHERE health = 'ok'"), 1);
    let listed = say(&bench, &["deadletters", "list"]);
    assert!(listed.contains(GONE) && listed.contains("550 5.1.1 no such user"), "{listed}");
    assert!(!listed.contains(FULL), "{listed}");

    // A restart forgets neither.
    assert_eq!(watch.stop().code(), Some(0));
    let mut watch = bench.start();
    server.refuse(FULL, None);
    bench.wait_until("the mails that waited", || server.to(FULL).len() == 2);
    bench.wait_until("an empty outbox", || query(&bench, "SELECT count(*) FROM outbox") == 0);
    server.refuse(GONE, None);
    say(&bench, &["deadletters", "retry", "--all"]);
    bench.wait_until("the mails that were given up", || server.to(GONE).len() == 2);
    assert_eq!(watch.stop().code(), Some(0));

    // Everybody got both once, each with all recipients in its header.
    for address in [HERE, FULL, GONE] {
        let mails = server.to(address);
        assert_eq!(mails.len(), 2, "{address}: {mails:?}");
        for text in ["First.", "Second."] {
            let mail = mails.iter().find(|mail| mail.contains(text)).unwrap();
            assert!(mail.contains(&format!("To: {HERE}, {FULL}\nCc: {GONE}")), "{mail}");
        }
    }
    assert_eq!(server.mails().len(), 6);
}

#[test]
fn an_address_that_is_refused_for_good_later_is_given_up_too() {
    let server = Server::start();
    server.refuse(FULL, Some("451 4.7.1 try again later"));
    let bench = Bench::new(
        1,
        &format!(
            "channels:\n  mail: {{kind: email, smtp: \"smtp://127.0.0.1:{}\", from: s@acme.example, to: [{HERE}, {FULL}]}}\n",
            server.port
        ),
    );
    let provider = &bench.universe.providers()[0];
    let mut watch = bench.start();
    bench.universe.open_incident(provider, "Failed requests", Impact::Major, &[], "First.");
    bench.wait_until("the mail", || server.to(HERE).len() == 1);
    bench.wait_until("a second attempt", || {
        query(&bench, "SELECT coalesce(max(attempts), 0) FROM outbox") >= 2
    });
    server.refuse(FULL, Some("550 5.1.1 no such user"));
    bench.wait_until("the dead letter", || query(&bench, "SELECT count(*) FROM dead_letter") == 1);
    assert_eq!(query(&bench, "SELECT count(*) FROM outbox"), 0);
    assert_eq!(query(&bench, "SELECT count(*) FROM channel WHERE health = 'ok'"), 1);
    assert_eq!(watch.stop().code(), Some(0));
    assert_eq!(server.mails().len(), 1, "nobody else gets it twice");
}
