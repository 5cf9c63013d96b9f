//! The ledger: events recorded per second, with polls committed in groups and one at a time, in a
//! file and in a database that several nodes share.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use futures::StreamExt;
use statuswatch::ledger::{Checkpoint, LedgerActor, LedgerOptions, Record, Shared, Watch};
use statuswatch::postgres::{Fence, connect, prepare};

use crate::watched::{provider, snapshot};

/// Prints the table.
pub(crate) fn run() {
    table(None, &[(1, 1, 4_000), (64, 1, 40_000), (512, 1, 40_000), (512, 4, 20_000)]);
}

/// Prints the table for a ledger in this database, which must be empty.
pub(crate) fn run_shared(url: &str) {
    table(Some(url), &[(1, 1, 2_000), (50, 1, 20_000), (512, 1, 20_000), (512, 4, 10_000)]);
}

/// Returns the ledger in a database, with all shards and duties.
async fn begin_life(url: &str) -> Shared {
    let url = url.parse().unwrap();
    let client = connect(&url, "bench").await.unwrap();
    prepare(&client).await.unwrap();
    let begin = "INSERT INTO statuswatch.node(name, expires_at)
                 VALUES (gen_random_uuid()::text, now() + '1 day') RETURNING life";
    let life: i64 = client.query_one(begin, &[]).await.unwrap().get(0);
    let own = format!(
        "UPDATE statuswatch.shard SET life = {life}; UPDATE statuswatch.duty SET life = {life}"
    );
    client.batch_execute(&own).await.unwrap();
    let fence = Fence::default();
    fence.set(life);
    Shared { url, fence }
}

fn table(url: Option<&str>, rows: &[(usize, usize, usize)]) {
    println!(
        "\n| pollers at once | events in a poll | events/s | polls/s | CPU per event |\n|---|---|---|---|---|"
    );
    for &(pollers, events, polls) in rows {
        let runner = actix::System::new();
        let (wall, cpu) = runner.block_on(async {
            let shared = match url {
                Some(url) => Some(begin_life(url).await),
                None => None,
            };
            record(shared, pollers, events, polls).await
        });
        let reported = (polls * events) as f64;
        println!(
            "| {pollers} | {events} | {:.0} | {:.0} | {:.1} µs |",
            reported / wall.as_secs_f64(),
            polls as f64 / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / reported
        );
    }
}

async fn record(
    shared: Option<Shared>,
    pollers: usize,
    events: usize,
    polls: usize,
) -> (Duration, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let (fatal, _keep) = tokio::sync::mpsc::unbounded_channel();
    let options = LedgerOptions {
        state_dir: dir.path().to_owned(),
        shared,
        keep: Duration::from_hours(24),
        fatal,
        metrics: Arc::default(),
        lease: statuswatch::lease::Lease::always(),
    };
    let arbiter = actix::Arbiter::new();
    // Polls of an earlier row are known in a database: other providers.
    let row = format!("{pollers}-{events}");
    let first = LedgerActor::open(options).unwrap();
    let ledger: Addr<LedgerActor> = LedgerActor::start_in_arbiter(&arbiter.handle(), |_| first);
    let count = polls / 4;
    let providers: Vec<_> = (0..count)
        .map(|n| provider(format!("provider-{row}-{n}"), "https://status.bench.example/"))
        .collect();
    ledger
        .send(Watch {
            providers: providers.clone(),
            died: Vec::new(),
            real_intervals: std::collections::HashMap::new(),
            shards: None,
        })
        .await
        .unwrap()
        .unwrap();
    let now = chrono::Utc::now();
    let send = |provider: usize, updates: usize| {
        let record = Record {
            provider: Arc::clone(&providers[provider]),
            generation: 1,
            snapshot: Box::new(snapshot(updates, now)),
            checkpoint: Checkpoint::default(),
            complete: true,
            observed_at: chrono::Utc::now(),
        };
        let ledger = ledger.clone();
        async move { ledger.send(record).await.unwrap().unwrap() }
    };
    // Excludes the baseline from the measurement.
    futures::stream::iter(0..count)
        .map(|n| send(n, 0))
        .buffer_unordered(256)
        .collect::<Vec<_>>()
        .await;
    let (wall, before) = (std::time::Instant::now(), crate::measure::cpu());
    let reported: usize = futures::stream::iter(0..polls)
        .map(|n| send(n % count, (n / count + 1) * events))
        .buffer_unordered(pollers)
        .map(|recorded| recorded.events)
        .fold(0, |sum, events| async move { sum + events })
        .await;
    let spent = (wall.elapsed(), crate::measure::cpu() - before);
    assert_eq!(reported, polls * events, "each poll brings its events");
    arbiter.stop();
    spent
}
