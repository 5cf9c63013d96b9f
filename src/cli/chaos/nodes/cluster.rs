//! Everything that takes part: databases, pages, the webhook, nodes, and what is noted of them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::Mutex;
use tokio::time::sleep;
use xxhash_rust::xxh3::xxh3_64;

use super::database::Database;
use super::journal::{Journal, number, rows, text};
use super::judge::{self, Facts, Line, Log, Ms, NodeId, Rule, Span, Verdict};
use super::node::{Common, MARK, Node, address_of};
use super::pages::{Author, Watch, now};
use super::proxy::Proxy;
use super::receiver::Receiver;
use crate::clock;
use crate::event::{Kind, StatusEvent};
use crate::fake::Universe;
use crate::ledger::{Query, Reader};
use crate::nodes::shard_of;
use crate::postgres::{Client, connect};

/// The nodes that are there from the beginning on, and one that joins and leaves.
const NODES: [&str; 4] = ["a", "b", "c", "d"];

/// How many of them are there from the beginning on.
const FOUNDERS: usize = 3;

/// Nothing listens there: where a database would be that does not exist.
const NOWHERE: u16 = 1;

/// How long a standby may take to follow, or nodes to number after what they know.
const FOLLOW: Duration = Duration::from_mins(1);

/// Time between two polls.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long the nodes may take to share all work again after something was broken.
const SETTLE: Duration = Duration::from_secs(90);

/// How long everything that was published may take to be reported and delivered.
const REPORT: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Everything that takes part.
pub(super) struct Cluster {
    dir: PathBuf,
    /// The primary, and the standby that is promoted next.
    databases: [Option<Database>; 2],
    /// Which of them is the primary.
    primary: usize,
    universe: Arc<Universe>,
    author: Arc<Mutex<Author>>,
    watch: Arc<Watch>,
    receiver: Receiver,
    pub(super) nodes: Vec<Node>,
    journal: Journal,
    /// What was noted so far; what is only known in the end is filled in there.
    pub(super) facts: Facts,
    /// The place of each provider.
    places: HashMap<String, usize>,
    /// When each provider was last requested.
    requested: Vec<Ms>,
    /// The node whose requests carry no name.
    unmarked: Option<NodeId>,
    /// What was found while it ran.
    pub(super) found: Verdict,
}

/// What is chosen before the start.
pub(super) struct Choice<'a> {
    /// Where all files are.
    pub(super) dir: &'a Path,
    /// How many providers there are.
    pub(super) providers: usize,
    /// What is published depends on it.
    pub(super) seed: u64,
    /// The program of the second node.
    pub(super) other: Option<PathBuf>,
    /// What the pages run on.
    pub(super) pages: &'a tokio::runtime::Runtime,
}

impl Cluster {
    /// Starts everything, and waits until all nodes poll.
    pub(super) async fn start(choice: Choice<'_>) -> anyhow::Result<Self> {
        let dir = choice.dir;
        let database = Database::create(dir.join("database-0"))?;
        let clock: crate::fake::Clock = Arc::new(clock::now);
        let anywhere = std::net::Ipv4Addr::UNSPECIFIED.into();
        let count = choice.providers;
        let universe = choice
            .pages
            .spawn(async move { Universe::start_at(count, clock, anywhere).await })
            .await?
            .context("cannot start the fake providers")?;
        let universe = Arc::new(universe);
        let watch = Arc::new(Watch::default());
        choice.pages.spawn(Arc::clone(&watch).keep());
        let receiver = Receiver::start().await?;
        let client = connect(&database.url()?, "chaos").await?;
        Journal::install(&client).await?;
        let mut author = Author::new(choice.seed);
        author.slow_down(&universe);
        let mut facts = Facts {
            nodes: NODES.iter().map(|name| (*name).to_owned()).collect(),
            interval: Ms::try_from(INTERVAL.as_millis())?,
            ..Facts::default()
        };
        let mut places = HashMap::new();
        for (place, provider) in universe.providers().iter().enumerate() {
            let url = format!("http://{}/", address_of(place + 1)).parse()?;
            places.insert(provider.id().to_owned(), place);
            facts.providers.push((provider.id().to_owned(), shard_of(&url)));
        }
        let mut nodes = Vec::new();
        let unmarked = choice.other.as_ref().map(|_| 1);
        for (place, name) in NODES.iter().enumerate() {
            let proxies = vec![Proxy::start(database.port).await?, Proxy::start(NOWHERE).await?];
            let common = Common { universe: &universe, interval: INTERVAL, webhook: receiver.port };
            let other = choice.other.clone().filter(|_| unmarked == Some(place));
            nodes.push(Node::create(dir, name, place < FOUNDERS, other, proxies, &common)?);
        }
        let mut cluster = Self {
            dir: dir.to_owned(),
            databases: [Some(database), None],
            primary: 0,
            requested: vec![0; places.len()],
            universe,
            author: Arc::new(Mutex::new(author)),
            watch,
            receiver,
            nodes,
            journal: Journal::default(),
            facts,
            places,
            unmarked,
            found: Verdict::default(),
        };
        for node in cluster.nodes.iter_mut().take(FOUNDERS) {
            node.start()?;
        }
        cluster.settle(now()).await?;
        let from = now();
        cluster.facts.watched = Some(Span { from, to: from });
        choice
            .pages
            .spawn(Author::write(Arc::clone(&cluster.author), Arc::clone(&cluster.universe)));
        Ok(cluster)
    }

    /// The nodes whose processes run.
    pub(super) fn running(&self) -> Vec<NodeId> {
        let running = |(place, node): (NodeId, &Node)| node.is_running().then_some(place);
        self.nodes.iter().enumerate().filter_map(running).collect()
    }

    /// A node by its place.
    pub(super) fn node(&mut self, place: NodeId) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(place).context("no such node")
    }

    /// The primary.
    pub(super) fn database(&self) -> anyhow::Result<&Database> {
        self.databases.get(self.primary).and_then(Option::as_ref).context("there is no primary")
    }

    /// Connects to the primary.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        Ok(connect(&self.database()?.url()?, "chaos").await?)
    }

    /// Starts a standby of the primary, and waits until it follows. If it is synchronous, no commit
    /// is acknowledged from then on that it does not have.
    pub(super) async fn follow(&mut self, is_synchronous: bool) -> anyhow::Result<()> {
        let place = 1 - self.primary;
        let dir = self.dir.join(format!("database-{place}"));
        let standby = Database::follow(dir, self.database()?)?;
        self.direct(place, standby.port);
        if let Some(slot) = self.databases.get_mut(place) {
            *slot = Some(standby);
        }
        let client = self.client().await?;
        let wanted = if is_synchronous {
            client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await?;
            client.batch_execute("SELECT pg_reload_conf()").await?;
            "sync"
        } else {
            "async"
        };
        let statement = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
        let begun = Instant::now();
        while begun.elapsed() < FOLLOW {
            if rows(&client, statement).await?.iter().any(|row| text(row, 0) == wanted) {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        anyhow::bail!("the standby does not follow");
    }

    /// Lets the standby receive nothing any more, and hides it from the nodes.
    pub(super) fn unfollow(&self) -> anyhow::Result<()> {
        let place = 1 - self.primary;
        self.direct(place, NOWHERE);
        let standby = self.databases.get(place).and_then(Option::as_ref);
        standby.context("there is no standby")?.unfollow()
    }

    /// Ends the primary as in a crash, and makes the standby the primary. Returns the highest number
    /// that it has.
    pub(super) async fn promote(&mut self) -> anyhow::Result<u64> {
        let (old, from) = (self.primary, now());
        self.database()?.crash()?;
        self.direct(old, NOWHERE);
        self.primary = 1 - old;
        self.database()?.promote()?;
        let (_, newest) = self.recorded(&self.client().await?).await?;
        self.direct(self.primary, self.database()?.port);
        self.facts.outages.push(Span { from, to: now() });
        if let Some(slot) = self.databases.get_mut(old) {
            *slot = None;
        }
        std::fs::remove_dir_all(self.dir.join(format!("database-{old}")))?;
        Ok(newest)
    }

    /// Notes which numbers a database that was promoted does not have, after the nodes have said which
    /// were used: those from `newest` on.
    pub(super) async fn note_lost(&mut self, newest: u64) -> anyhow::Result<()> {
        let client = self.client().await?;
        let rows = rows(&client, "SELECT floor FROM statuswatch.turn").await?;
        let floor = rows.first().map_or(0, |row| number(row, 0)).unsigned_abs();
        if floor > newest {
            self.facts.lost.push((newest + 1, floor));
        }
        Ok(())
    }

    fn direct(&self, place: usize, port: u16) {
        self.nodes.iter().for_each(|node| node.direct(place, port));
    }

    /// Takes the requests that have arrived since the last time.
    pub(super) fn collect(&mut self) {
        for request in self.universe.server().take_requests() {
            let Some(&provider) = self.places.get(&request.provider) else { continue };
            let Some(wall) = request.wall else { continue };
            let agent = request.header("user-agent").unwrap_or_default();
            let name = agent.split_once(MARK).map(|(_, name)| name);
            let named = |name: &str| self.facts.nodes.iter().position(|node| node == name);
            let Some(node) = name.and_then(named).or(self.unmarked) else { continue };
            let at = wall.timestamp_millis();
            let took =
                request.finished.map_or(Duration::ZERO, |end| end.duration_since(request.at));
            let finished = at + Ms::try_from(took.as_millis()).unwrap_or(0);
            self.facts.requests.push(judge::Request { provider, node, at, finished });
            if let Some(last) = self.requested.get_mut(provider) {
                *last = at.max(*last);
            }
        }
    }

    /// Waits until the nodes that run share all work, and every provider was polled after `from`.
    pub(super) async fn settle(&mut self, from: Ms) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut state = String::new();
        while begun.elapsed() < SETTLE {
            self.collect();
            for node in &mut self.nodes {
                if let Some(status) = node.ended() {
                    let name = node.name.clone();
                    self.found.add(Rule::Ended, || format!("node {name}: {status}"));
                    anyhow::bail!("node {name} has ended by itself: {status}");
                }
            }
            let waiting = self.requested.iter().filter(|at| **at < from).count();
            match self.shares().await {
                Ok(shares) if self.are_equal(&shares) && waiting == 0 => return Ok(()),
                Ok(shares) => state = format!("{shares:?}, {waiting} providers not polled"),
                Err(error) => state = error.to_string(),
            }
            sleep(LOOK).await;
        }
        self.found.add(Rule::Unsettled, || state.clone());
        anyhow::bail!("the nodes do not share the work again: {state}")
    }

    /// How many shards each live node holds.
    async fn shares(&self) -> anyhow::Result<Vec<(String, i64)>> {
        let client = self.client().await?;
        let statement =
            "SELECT name, (SELECT count(*) FROM statuswatch.shard WHERE shard.life = node.life)
             FROM statuswatch.node WHERE NOT fenced AND expires_at > clock_timestamp() ORDER BY name";
        let rows = rows(&client, statement).await?;
        Ok(rows.iter().map(|row| (text(row, 0), number(row, 1))).collect())
    }

    fn are_equal(&self, shares: &[(String, i64)]) -> bool {
        let running = self.running();
        let count = running.len().max(1) as i64;
        let all = i64::from(crate::postgres::SHARDS);
        let fair = |held: i64| held >= all / count && held <= (all + count - 1) / count;
        shares.len() == running.len()
            && shares.iter().map(|(_, held)| held).sum::<i64>() == all
            && shares.iter().all(|(_, held)| fair(*held))
    }

    /// Stops publishing, waits until everything was reported, judges it, and goes on. `is_last`: the
    /// replicas are judged, too.
    pub(super) async fn judge(&mut self, is_last: bool) -> anyhow::Result<Verdict> {
        let author = Arc::clone(&self.author);
        let _silent = author.lock().await;
        self.universe.providers().iter().for_each(crate::fake::Provider::clear_faults);
        let published = self.universe.published().clone();
        let begun = Instant::now();
        self.facts.logs.resize_with(self.nodes.len(), Log::default);
        loop {
            self.read_logs()?;
            self.facts.deliveries = self.receiver.received();
            self.facts.owed = published.owed();
            if self.is_reported().await.unwrap_or(false) || begun.elapsed() > REPORT {
                break;
            }
            self.collect();
            sleep(LOOK).await;
        }
        self.facts.published = published.all();
        self.collect();
        let client = self.client().await?;
        self.facts.database = self.recorded(&client).await?;
        self.journal.read(&client).await?;
        self.facts.lives = self.journal.lives(&self.facts.nodes);
        self.facts.holds = self.journal.holds();
        self.facts.stalls = self.watch.stalls();
        if let Some(watched) = &mut self.facts.watched {
            watched.to = now();
        }
        if is_last {
            self.compare_replicas();
        }
        let mut verdict = judge::judge(&self.facts);
        for (rule, count) in &self.found.violations {
            *verdict.violations.entry(*rule).or_default() += count;
        }
        verdict.examples.extend(self.found.examples.iter().cloned());
        Ok(verdict)
    }

    /// Reads what was added to the event logs.
    fn read_logs(&mut self) -> anyhow::Result<()> {
        for (place, (node, log)) in self.nodes.iter_mut().zip(&mut self.facts.logs).enumerate() {
            log.node = place;
            log.is_founder = node.is_founder;
            log.is_running = node.is_running();
            while let Some(read) = node.log.next()? {
                log.lines.push(read.event.map(|event| line(event, &read.line)));
            }
        }
        Ok(())
    }

    /// Whether everything that is owed is in the logs of all nodes that run, and was delivered.
    async fn is_reported(&self) -> anyhow::Result<bool> {
        let (_, newest) = self.recorded(&self.client().await?).await?;
        let ends = |log: &&Log| log.lines.last().and_then(|line| Some(line.as_ref()?.seq));
        let mut running = self.facts.logs.iter().filter(|log| log.is_running);
        if !running.all(|log| ends(&log).unwrap_or(0) == newest) {
            return Ok(false);
        }
        let lines = || self.facts.logs.iter().flat_map(|log| log.lines.iter().flatten());
        let reported: HashSet<(&str, &str)> = lines()
            .filter_map(|line| Some((line.provider.as_str(), line.message.as_deref()?)))
            .collect();
        let received: HashSet<u64> =
            self.facts.deliveries.iter().filter_map(|one| one.seq).collect();
        let mut owed = self.facts.owed.iter();
        Ok(owed.all(|one| reported.contains(&(one.provider.as_str(), one.text.as_str())))
            && lines().all(|line| received.contains(&line.seq) || self.facts.is_lost(line.seq)))
    }

    /// How many events the database has, and the highest number.
    async fn recorded(&self, client: &Client) -> anyhow::Result<(u64, u64)> {
        let statement = "SELECT count(*), coalesce(max(key::bigint), 0) FROM statuswatch.record
                         WHERE tab = 'event' AND body IS NOT NULL";
        let rows = rows(client, statement).await?;
        let row = rows.first().context("no answer")?;
        Ok((number(row, 0).unsigned_abs(), number(row, 1).unsigned_abs()))
    }

    /// Compares the event log of each node with its replica.
    fn compare_replicas(&mut self) {
        for (node, log) in self.nodes.iter().zip(&mut self.facts.logs) {
            if !node.is_running() {
                continue;
            }
            let events = Reader::open(&node.state())
                .and_then(|reader| reader.events(&Query::default()))
                .unwrap_or_default();
            let hashes: HashMap<u64, u64> = events
                .iter()
                .map(|event| (event.event.seq, xxh3_64(event.line.as_bytes())))
                .collect();
            let lost = &self.facts.lost;
            let is_kept = |line: &&Line| !judge::is_within(lost, line.seq);
            let kept: Vec<&Line> = log.lines.iter().flatten().filter(is_kept).collect();
            let is_equal = |line: &&&Line| hashes.get(&line.seq) == Some(&line.hash);
            let equal = kept.iter().filter(is_equal).count();
            let more = if node.is_founder { events.len().abs_diff(kept.len()) } else { 0 };
            log.unlike_replica = kept.len() - equal + more;
        }
    }
}

/// What is kept of a line of an event log.
fn line(event: StatusEvent, text: &str) -> Line {
    Line {
        seq: event.seq,
        id: event.id,
        hash: xxh3_64(text.as_bytes()),
        provider: event.provider,
        is_about_provider: event.kind == Kind::Provider,
        incident: event.incident_id,
        message: event.message,
    }
}
