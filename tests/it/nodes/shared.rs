//! The real binary, several times, on one database: each update once, whatever happens to nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use statuswatch::nodes::shard_of;
use statuswatch::postgres::DatabaseUrl;

use crate::support::bench::{Author, Bench, Verdict, Watch, lines, statuswatch};
use crate::support::postgres::{Postgres, look};
use crate::support::receiver::{Received, Receiver};

/// The longest that anything here may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server on a free port.
const HTTP: &str = "http: {listen: \"127.0.0.1:0\"}";

/// A database, fake providers on hosts of their own, and nodes that share them.
struct Cluster {
    server: Postgres,
    database: String,
    bench: Bench,
    nodes: BTreeMap<&'static str, Watch>,
    /// Added to the configuration of each node.
    extra: String,
    /// The nodes that were there from the first event on.
    complete: BTreeSet<&'static str>,
    author: Author,
}

impl Cluster {
    /// `count` providers and these nodes, all of which are polling.
    fn start(count: usize, names: &[&'static str]) -> Self {
        Self::start_with(count, names, "")
    }

    /// The same, with something added to the configuration.
    fn start_with(count: usize, names: &[&'static str], extra: &str) -> Self {
        let server = Postgres::start(None);
        let database = server.create();
        // All addresses of 127.0.0.0/8 are this machine's, and each is a host of its own.
        let bench = Bench::at(count, Ipv4Addr::UNSPECIFIED.into());
        let author = Author::new(7);
        let complete = names.iter().copied().collect();
        let extra = extra.to_owned();
        let mut cluster =
            Self { server, database, bench, nodes: BTreeMap::new(), extra, complete, author };
        for name in names {
            cluster.add(name);
        }
        cluster.settled();
        cluster
    }

    fn url(&self) -> DatabaseUrl {
        self.server.url(&self.database)
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.bench.path(name)
    }

    /// Starts a node, for the first time or again.
    fn add(&mut self, name: &'static str) {
        let dir = self.dir(name);
        fs::create_dir_all(&dir).unwrap();
        let mut providers = String::new();
        let mut host = 1;
        for line in self.bench.universe.providers_yaml(false).lines() {
            if line.contains("//0.0.0.0:") {
                host += 1;
            }
            providers += &line.replace("//0.0.0.0:", &format!("//127.0.0.{host}:"));
            providers.push('\n');
        }
        let text = format!(
            "state: postgres://postgres@127.0.0.1:{}/{}\nnode: {name}\nconsole: {{format: off}}\n\
             defaults: {{interval: 500ms, incident_interval: 500ms, timeout: 2s, connect_timeout: 1s, backoff: {{initial: 50ms, max: 200ms}}, first_run: all}}\n\
             {}\nproviders:\n{providers}",
            self.server.port, self.database, self.extra
        );
        fs::write(dir.join("providers.yaml"), text).unwrap();
        let log = fs::File::create(dir.join("stderr")).unwrap();
        let child = statuswatch(&dir).args(["run", "--hosted"]).stderr(log).spawn().unwrap();
        self.nodes.insert(name, Watch(child));
    }

    /// Runs a command on the replica of a node and returns what it printed.
    fn command(&self, name: &str, words: &[&str]) -> String {
        let output = statuswatch(&self.dir(name))
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks the HTTP server of a node and returns the body.
    fn get(&self, name: &str, target: &str) -> String {
        let said = fs::read_to_string(self.dir(name).join("stderr")).unwrap();
        let address = said.rsplit("serving http://").next().unwrap().split('/').next().unwrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
        body.to_owned()
    }

    /// What the server of a node says of the nodes.
    fn nodes_of(&self, name: &str) -> Value {
        let status: Value = serde_json::from_str(&self.get(name, "/api/v1/status")).unwrap();
        status["nodes"].clone()
    }

    /// Waits until a message for each event that a node reports was received, by its key.
    fn delivered(&self, name: &str, keys: &dyn Fn() -> BTreeSet<String>) {
        let begun = Instant::now();
        let reported = || lines(&self.dir(name).join("logs")).len();
        while keys().len() != reported() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{} messages for {} events; {} {}",
                keys().len(),
                reported(),
                self.command(name, &["channels"]),
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The node with the duty `main`.
    fn main(&self) -> String {
        self.query("SELECT name FROM statuswatch.duty JOIN statuswatch.node USING (life) WHERE id = 'main' AND NOT fenced")
            .pop()
            .and_then(|mut row| row.pop())
            .unwrap_or_default()
    }

    fn node(&mut self, name: &str) -> &mut Watch {
        self.nodes.get_mut(name).unwrap()
    }

    /// The shards of each live node by name.
    fn held(&self) -> BTreeMap<String, BTreeSet<u16>> {
        self.query(
            "SELECT name, coalesce(string_agg(shard::text, ','), '') FROM statuswatch.node
             LEFT JOIN statuswatch.shard USING (life) WHERE NOT fenced AND expires_at > clock_timestamp() GROUP BY name",
        )
        .into_iter()
        .map(|row| (row[0].clone(), row[1].split(',').filter_map(|n| n.parse().ok()).collect()))
        .collect()
    }

    /// The rows of a query; none while the database is away or not prepared.
    fn query(&self, statement: &str) -> Vec<Vec<String>> {
        use statuswatch::postgres::SimpleQueryMessage::Row;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let messages = runtime.block_on(async {
            look(&self.url()).await.simple_query(statement).await.unwrap_or_default()
        });
        let row = |message| match message {
            Row(row) => {
                Some((0..row.len()).map(|n| row.get(n).unwrap_or_default().to_owned()).collect())
            }
            _ => None,
        };
        messages.into_iter().filter_map(row).collect()
    }

    fn lives(&self) -> Vec<Vec<String>> {
        self.query("SELECT name, life FROM statuswatch.node WHERE NOT fenced ORDER BY name")
    }

    fn wait(&self, what: &str, so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !so() {
            assert!(begun.elapsed() < PATIENCE, "{what}: never. {}", self.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn last_words(&self) -> String {
        let mut said = format!("{:?}\n", self.lives());
        for name in self.nodes.keys() {
            let dir = self.dir(name);
            let logs = fs::read_dir(dir.join("logs")).into_iter().flatten().flatten();
            let logs =
                logs.filter(|file| file.file_name().to_string_lossy().starts_with("statuswatch."));
            let text: String =
                logs.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
            let all: Vec<&str> = text.lines().collect();
            let end = all[all.len().saturating_sub(25)..].join("\n");
            said.extend(["--- ", *name, "\n", &end, "\n"]);
            said += &fs::read_to_string(dir.join("stderr")).unwrap_or_default();
        }
        said
    }

    /// Waits until the nodes that run hold all shards in equal parts, and poll.
    fn settled(&self) {
        let count = self.nodes.len();
        self.wait("equal shares", || {
            let held = self.held();
            let shares = held.values().map(BTreeSet::len);
            let fair = |held: usize| (1024 / count..=1024_usize.div_ceil(count)).contains(&held);
            held.len() == count && shares.clone().sum::<usize>() == 1024 && { shares }.all(fair)
        });
        self.polled_since(Instant::now());
    }

    /// Waits until every provider was polled after a moment, and returns when that was.
    fn polled_since(&self, moment: Instant) -> Instant {
        let providers = self.bench.universe.providers();
        self.wait("every provider is polled", || {
            let requests = self.bench.universe.server().requests();
            let polled: BTreeSet<&str> = requests
                .iter()
                .filter(|request| request.at > moment)
                .map(|request| request.provider.as_str())
                .collect();
            providers.iter().all(|provider| polled.contains(provider.id()))
        });
        Instant::now()
    }

    fn publish(&mut self, count: usize) {
        let mut author = std::mem::replace(&mut self.author, Author::new(0));
        self.bench.publish_as(&mut author, count);
        self.author = author;
    }

    /// Waits until everything owed is in the event logs of all nodes that run, and judges them: each
    /// update once, in order, without a gap, the same lines everywhere. One that joined late has the
    /// last of them.
    fn judge(&self) {
        self.bench.clear_faults();
        let owed = self.bench.universe.published().owed();
        let reported = |name: &str| {
            let lines = lines(&self.dir(name).join("logs"));
            owed.iter().all(|one| lines.iter().any(|line| line.contains(one.text.as_str())))
        };
        let complete = || self.nodes.keys().filter(|name| self.complete.contains(*name));
        self.wait("everything is reported by every node", || complete().all(|name| reported(name)));
        let newest = || {
            let logs = self.nodes.keys().map(|name| lines(&self.dir(name).join("logs")).pop());
            logs.collect::<BTreeSet<Option<String>>>()
        };
        self.wait("equal logs", || newest().len() == 1);
        let published = self.bench.universe.published().all();
        for name in complete() {
            let dir = self.dir(name);
            let log = lines(&dir.join("logs"));
            let history = statuswatch(&dir)
                .args(["history", "--json", "--limit", "0"])
                .stdout(Stdio::piped())
                .output()
                .unwrap();
            let history = String::from_utf8(history.stdout).unwrap();
            let history: Vec<String> = history.lines().map(str::to_owned).collect();
            let verdict = Verdict::of(&log, &history, &published, &owed);
            assert_eq!(verdict.problems, Vec::<String>::new(), "{name}: {}", self.last_words());
            assert!(verdict.owed > 0 && verdict.reported >= verdict.owed);
        }
        let log = |name: &&'static str| lines(&self.dir(name).join("logs"));
        let first = complete().map(log).next().unwrap();
        for name in self.nodes.keys() {
            let log = log(name);
            let is_whole = !self.complete.contains(name) || log.len() == first.len();
            assert!(
                is_whole && !log.is_empty() && first.ends_with(&log),
                "{name} reports other things"
            );
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
fn postgres_two_nodes_report_each_update_once_and_a_third_joins() {
    let mut cluster = Cluster::start_with(16, &["a", "b"], HTTP);
    let urls: Vec<url::Url> =
        (2..18).map(|n| format!("http://127.0.0.{n}/").parse().unwrap()).collect();
    let held = cluster.held();
    let of = |name: &str| urls.iter().filter(|url| held[name].contains(&shard_of(url))).count();
    assert!(of("a") > 0 && of("b") > 0 && of("a") + of("b") == 16, "both poll something");
    cluster.publish(60);
    cluster.judge();
    cluster.add("c");
    cluster.settled();
    cluster.publish(60);
    cluster.judge();
    let status: Value = serde_json::from_str(&cluster.command("c", &["status", "--json"])).unwrap();
    let nodes = status["nodes"]["nodes"].as_array().unwrap();
    let names: Vec<&str> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let providers: u64 = nodes.iter().map(|node| node["providers"].as_u64().unwrap()).sum();
    assert_eq!(providers, 16);
    assert_eq!(nodes.iter().filter(|node| node["main"] == true).count(), 1);
    // The server of each node says the same, within seconds.
    cluster.wait("all nodes", || cluster.nodes_of("c")["nodes"].as_array().unwrap().len() == 3);
    let served = cluster.nodes_of("c");
    assert_eq!((&served["this"], &served["error"]), (&"c".into(), &Value::Null));
    assert_eq!((&served["unreachable_since"], &served["free_shards"]), (&Value::Null, &0.into()));
    let of = |name: &str, nodes: &Value| {
        let node = nodes.as_array().unwrap().iter().find(|node| node["name"] == name).unwrap();
        (node["shards"].clone(), node["providers"].clone(), node["main"].clone())
    };
    for name in ["a", "b", "c"] {
        assert_eq!(of(name, &served["nodes"]), of(name, &status["nodes"]["nodes"]), "{name}");
    }
    let page = cluster.get("c", "/");
    assert!(page.contains("3 nodes share the providers: this one, c, holds "), "{page}");
}

#[test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
fn postgres_a_killed_node_is_taken_over_and_one_that_stops_hands_over() {
    let mut cluster = Cluster::start_with(12, &["a", "b"], HTTP);
    cluster.publish(30);
    cluster.node("a").kill();
    cluster.nodes.remove("a");
    let killed = Instant::now();
    cluster.publish(30);
    let took = cluster.polled_since(killed) - killed;
    println!("kill -9: every provider was polled again after {took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    cluster.judge();
    cluster.wait("a missing node", || cluster.nodes_of("b")["missing"][0]["name"] == "a");
    let page = cluster.get("b", "/");
    assert!(page.contains("The node a is missing: its lease ended 0 min ago."), "{page}");
    assert!(page.contains("class=\"trust warn\""), "{page}");
    assert!(cluster.command("b", &["status"]).contains("missing for "));

    cluster.add("a");
    cluster.settled();
    cluster.wait("its return", || cluster.nodes_of("b")["missing"] == serde_json::json!([]));
    cluster.publish(30);
    let stopped = Instant::now();
    let status = cluster.node("b").stop();
    assert_eq!(status.code(), Some(0));
    let ended = stopped.elapsed();
    cluster.nodes.remove("b");
    // One that stops in order is not missing.
    cluster.wait("one node", || cluster.nodes_of("a")["nodes"].as_array().unwrap().len() == 1);
    assert_eq!(cluster.nodes_of("a")["missing"], serde_json::json!([]));
    let took = cluster.polled_since(Instant::now()) - stopped;
    println!("SIGTERM: it ended after {ended:?}, every provider was polled again after {took:?}");
    assert!(took < Duration::from_secs(6), "{took:?}");
    cluster.judge();
}

#[test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
fn postgres_a_frozen_node_is_taken_over_and_begins_again() {
    let mut cluster = Cluster::start(12, &["a", "b"]);
    let before = cluster.lives();
    cluster.node("a").signal(Signal::STOP);
    let frozen = Instant::now();
    cluster.publish(30);
    let took = cluster.polled_since(frozen) - frozen;
    println!("SIGSTOP: every provider was polled again after {took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    cluster.node("a").signal(Signal::CONT);
    cluster.publish(30);
    cluster.settled();
    let after = cluster.lives();
    assert!(before[0] != after[0] && before[1] == after[1], "{before:?} {after:?}");
    cluster.judge();
}

#[test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
fn postgres_nothing_is_lost_while_the_database_is_away() {
    let mut cluster = Cluster::start_with(12, &["a", "b"], HTTP);
    cluster.publish(30);
    let before = cluster.lives();
    cluster.server.crash();
    let stopped = Instant::now();
    cluster.publish(30);
    // Longer than a lease: both nodes have stopped by themselves.
    let quiet = |from: Duration| {
        let requests = cluster.bench.universe.server().requests();
        !requests.iter().any(|request| request.at > stopped + from)
    };
    cluster.wait("10 s", || stopped.elapsed() > Duration::from_secs(10));
    // A request may have waited for its host when the lease ended.
    assert!(quiet(Duration::from_millis(7500)), "nobody polls without a lease");
    // The server still answers, at once, and says why nothing happens.
    let asked = Instant::now();
    assert!(cluster.nodes_of("a")["unreachable_since"].is_string());
    let page = cluster.get("a", "/");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(page.contains("The database of the nodes has not answered since "), "{page}");
    assert!(page.contains("class=\"trust bad\""), "{page}");
    assert!(cluster.server.resume());
    let back = Instant::now();
    let took = cluster.polled_since(back) - back;
    println!("database away: every provider was polled again {took:?} after it was back");
    cluster.publish(30);
    cluster.judge();
    assert_eq!(cluster.lives(), before, "nobody was taken over");
}

#[test]
#[ignore = "needs PostgreSQL: cargo test --test it -- --ignored postgres"]
fn postgres_one_node_serves_channels_and_another_goes_on_when_it_is_killed() {
    let receiver = Receiver::start();
    let channels = format!("channels:\n  ops: {{kind: webhook, url: \"{}/ops\"}}", receiver.url);
    let mut cluster = Cluster::start_with(8, &["a", "b"], &channels);
    cluster.wait("a node with the duty", || !cluster.main().is_empty());
    let keys = || {
        let accepted = receiver.accepted("/ops");
        accepted.iter().map(Received::key).collect::<BTreeSet<String>>()
    };
    cluster.publish(40);
    cluster.judge();
    cluster.delivered("a", &keys);
    assert_eq!(receiver.at("/ops").len(), keys().len(), "each message once");

    // A mute is for all nodes, wherever it was asked for.
    let muted = cluster.bench.universe.providers()[0].id().to_owned();
    cluster.command("b", &["mute", &muted, "--for", "1h"]);
    cluster.wait("the other knows the mute", || {
        cluster.command("a", &["mutes", "--json"]).contains(&muted)
    });
    cluster.command("a", &["unmute", &muted]);

    let main = cluster.main();
    let (main, other) = if main == "a" { ("a", "b") } else { ("b", "a") };
    cluster.publish(40);
    cluster.node(main).kill();
    cluster.nodes.remove(main);
    cluster.publish(40);
    cluster.judge();
    cluster.wait("the other has the duty", || cluster.main() == other);
    cluster.delivered(other, &keys);
    let (sent, once) = (receiver.at("/ops"), keys().len());
    println!("{once} messages, {} of them sent again after kill -9", sent.len() - once);
    let mut bodies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in &sent {
        bodies.entry(one.key()).or_default().insert(one.body.clone());
    }
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "sent again as it was");
}
