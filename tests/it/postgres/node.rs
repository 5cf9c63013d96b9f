//! A node's ledger, on a thread of its own, and what its replica holds.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr, Arbiter};
use statuswatch::config::{Filter, FirstRun, Provider, Settings};
use statuswatch::event::{IncidentStatus, Kind, StatusEvent, Time, parse_time};
use statuswatch::ledger::outbox::{ChangeOutbox, OutboxChange};
use statuswatch::ledger::{
    Binding, Checkpoint, Flush, LedgerActor, LedgerError, LedgerOptions, Reader, Record, Recorded,
    Resume, Shared, Watch,
};
use statuswatch::postgres::{DatabaseUrl, Fence};
use statuswatch::snapshot::{Coverage, Incident, Listing, Page, Snapshot, Update, UpdateId};

use crate::support::postgres::{begin_life, look};
use crate::support::wait::{PATIENCE, eventually, until_true};

/// The number of the newest commit.
pub(super) const BATCHES: &str = "SELECT coalesce(max(n), 0) FROM statuswatch.batch";

/// Runs statements in the database.
pub(super) async fn execute(url: &DatabaseUrl, sql: &str) {
    look(url).await.batch_execute(sql).await.unwrap();
}

/// Asks the database for a number.
pub(super) async fn number(url: &DatabaseUrl, sql: &str) -> i64 {
    look(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

pub(super) fn run_system<F: Future<Output = ()>>(test: F) {
    actix::System::new().block_on(test);
}

pub(super) fn at(minute: i64) -> Time {
    parse_time("2026-03-01T12:00:00Z").unwrap() + chrono::Duration::minutes(minute)
}

/// A provider with a host of its own.
pub(super) fn provider(id: &str) -> Arc<Provider> {
    Arc::new(Provider {
        id: id.to_owned(),
        name: id.to_uppercase(),
        url: format!("https://{id}.example/").parse().unwrap(),
        source: None,
        url_written: true,
        settings: Settings { first_run: FirstRun::All, ..Settings::default() },
        filter: Filter::default(),
        json: None,
    })
}

/// A page with one incident for each list of texts, each text an update of it.
pub(super) fn page(minute: i64, incidents: &[(&str, IncidentStatus, &[&str])]) -> Snapshot {
    let incident = |(id, status, texts): &(&str, IncidentStatus, &[&str])| {
        let update = |(place, text): (usize, &&str)| Update {
            id: UpdateId::Native(format!("{id}-{place}")),
            status: *status,
            stated: *status,
            published_at: Some(at(place as i64)),
            edited_at: None,
            text: (*text).to_owned(),
        };
        Incident {
            status: *status,
            updates: texts.iter().enumerate().map(update).collect(),
            ..Incident::new(Kind::Incident, *id, format!("Number {id}"))
        }
    };
    Snapshot {
        page: Page { id: Some("page".to_owned()), version: Some(at(minute)), ..Page::default() },
        incidents: incidents.iter().map(incident).collect(),
        coverage: Coverage {
            incidents: Listing::Recent,
            maintenances: Listing::Recent,
            all_components: true,
        },
        ..Snapshot::default()
    }
}

pub(super) struct Node {
    pub(super) dir: tempfile::TempDir,
    pub(super) shared: Shared,
    pub(super) ledger: Addr<LedgerActor>,
    arbiter: Arbiter,
    /// What ended it.
    ends: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Node {
    /// Starts a node with an empty replica, to which all shards and duties go.
    pub(super) async fn start(url: &DatabaseUrl, name: &str) -> Self {
        let shared = begin_life(url, name).await;
        Self::open(tempfile::tempdir().unwrap(), shared).await
    }

    /// Starts a node as [`Self::start`] does, with the first event of a provider recorded.
    pub(super) async fn begun(url: &DatabaseUrl) -> (Self, Arc<Provider>) {
        let node = Self::start(url, "one").await;
        let acme = provider("acme");
        node.watch(std::slice::from_ref(&acme)).await;
        node.poll(&acme, 0, &page(0, &[("a", IncidentStatus::Investigating, &["Begun."])])).await;
        (node, acme)
    }

    /// Opens a further ledger of the same life, whose replica is filled at once.
    pub(super) async fn replica(&self) -> Self {
        Self::open(tempfile::tempdir().unwrap(), self.shared.clone()).await
    }

    /// Opens a ledger with this replica.
    pub(super) async fn open(dir: tempfile::TempDir, shared: Shared) -> Self {
        Self::open_with(dir, Some(shared)).await
    }

    /// Opens a ledger that nobody shares.
    pub(super) async fn alone() -> Self {
        Self::open_with(tempfile::tempdir().unwrap(), None).await
    }

    async fn open_with(dir: tempfile::TempDir, shared: Option<Shared>) -> Self {
        let (fatal, ends) = tokio::sync::mpsc::unbounded_channel();
        let options = LedgerOptions { fatal, ..Self::options(dir.path(), shared.clone()) };
        let opened = tokio::task::spawn_blocking(move || LedgerActor::open(options));
        let opened = opened.await.unwrap().unwrap();
        let arbiter = Arbiter::new();
        let ledger = LedgerActor::start_in_arbiter(&arbiter.handle(), move |_| opened);
        let nowhere =
            || Shared { url: "postgres://127.0.0.1/".parse().unwrap(), fence: Fence::default() };
        Self { dir, shared: shared.unwrap_or_else(nowhere), ledger, arbiter, ends }
    }

    /// The options of a ledger.
    pub(super) fn options(dir: &Path, shared: Option<Shared>) -> LedgerOptions {
        LedgerOptions {
            state_dir: dir.to_owned(),
            shared,
            keep: Duration::from_hours(400 * 24),
            fatal: tokio::sync::mpsc::unbounded_channel().0,
            metrics: Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        }
    }

    /// Ends it and returns what it leaves.
    pub(super) async fn stop(mut self) -> (tempfile::TempDir, Shared) {
        self.ledger.send(Flush).await.unwrap().ok();
        assert!(self.ends.try_recv().is_err(), "it ended with an error");
        self.arbiter.stop();
        drop(self.ledger);
        tokio::task::spawn_blocking(|| self.arbiter.join().unwrap()).await.unwrap();
        (self.dir, self.shared)
    }

    pub(super) async fn try_watch(&self, providers: &[Arc<Provider>]) -> Result<(), LedgerError> {
        let watch = Watch {
            providers: providers.to_vec(),
            died: Vec::new(),
            real_intervals: HashMap::new(),
            shards: None,
        };
        self.ledger.send(watch).await.unwrap().map(|_| ())
    }

    pub(super) async fn watch(&self, providers: &[Arc<Provider>]) {
        self.try_watch(providers).await.unwrap();
        for provider in providers.iter().map(Arc::clone) {
            self.ledger.send(Resume { provider, generation: 1 }).await.unwrap().unwrap();
        }
    }

    pub(super) fn record(provider: &Arc<Provider>, minute: i64, snapshot: &Snapshot) -> Record {
        let binding = Binding {
            source: "statuspage".to_owned(),
            version: 1,
            document_url: provider.url.clone(),
        };
        Record {
            provider: Arc::clone(provider),
            generation: 1,
            snapshot: Box::new(snapshot.clone()),
            checkpoint: Checkpoint { binding: Some(binding), ..Checkpoint::default() },
            complete: true,
            observed_at: at(minute),
        }
    }

    /// Records a page; an error if it could not be recorded.
    pub(super) async fn try_poll(
        &self,
        provider: &Arc<Provider>,
        minute: i64,
        snapshot: &Snapshot,
    ) -> Result<Recorded, LedgerError> {
        self.ledger.send(Self::record(provider, minute, snapshot)).await.unwrap()
    }

    /// Records a page, as often as it takes.
    pub(super) async fn poll(
        &self,
        provider: &Arc<Provider>,
        minute: i64,
        snapshot: &Snapshot,
    ) -> Recorded {
        eventually("it is recorded", async || {
            match self.try_poll(provider, minute, snapshot).await {
                Ok(recorded) => Some(recorded),
                Err(error) => {
                    assert!(error.may_pass(), "{error}");
                    None
                }
            }
        })
        .await
    }

    pub(super) async fn change_outbox(&self, changes: Vec<OutboxChange>) {
        self.ledger.send(ChangeOutbox(changes)).await.unwrap().unwrap();
    }

    /// Waits until the replica has everything.
    pub(super) async fn follow(&self) {
        let newest = number(&self.shared.url, BATCHES).await;
        until_true("the replica has everything", || position(self.dir.path()) >= newest).await;
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    /// Returns all events; their numbers have no gap.
    pub(super) fn events(&self) -> Vec<StatusEvent> {
        let events = self.reader().after(0, 100_000).unwrap();
        let events: Vec<StatusEvent> = events.into_iter().map(|stored| stored.event).collect();
        for (event, seq) in events.iter().zip(1..) {
            assert_eq!(event.seq, seq, "no gap");
        }
        events
    }
}

fn open(dir: &Path) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(dir.join("ledger.db")).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    db
}

/// Up to which commit a replica has the ledger.
pub(super) fn position(dir: &Path) -> i64 {
    let sql = "SELECT coalesce(max(value), 0) FROM meta WHERE key = 'replica.n'";
    open(dir).query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Returns all that two replicas must have in common, by table, in the order of keys.
pub(super) fn rows(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let db = open(dir);
    let mut names = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('network', 'quiet', 'sqlite_stat1')")
        .unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = BTreeMap::new();
    for name in names {
        let shared = match name.as_str() {
            "sink" => "id <> 'console' AND id NOT LIKE 'event_log%'",
            "meta" => "key NOT LIKE 'replica.%'",
            // A table that was only looked at may have a row.
            "sqlite_sequence" => "seq > 0",
            _ => "1",
        };
        let mut columns =
            db.prepare(&format!("SELECT name FROM pragma_table_info('{name}')")).unwrap();
        let columns: Vec<String> = columns
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|column| format!("quote(\"{}\")", column.unwrap()))
            .collect();
        let sql = format!("SELECT {} FROM {name} WHERE {shared}", columns.join(" || ',' || "));
        let mut rows = db.prepare(&sql).unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        let mut rows: Vec<String> = rows.map(Result::unwrap).collect();
        rows.sort();
        all.insert(name, rows);
    }
    all
}

/// Two replicas have the same rows.
pub(super) fn assert_same(one: &Path, other: &Path) {
    // Upkeep may commit something at any time: they are compared at the same commit.
    let begun = std::time::Instant::now();
    let (one, other) = loop {
        let at = [position(one), position(other)];
        let found = (rows(one), rows(other));
        if at[0] == at[1] && at == [position(one), position(other)] {
            break found;
        }
        assert!(begun.elapsed() < PATIENCE, "they are never at the same commit: {at:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, rows) in &one {
        assert_eq!(rows, &other[name], "{name}");
    }
    assert!(!one["event"].is_empty() && !one["item"].is_empty(), "there is something to compare");
}
