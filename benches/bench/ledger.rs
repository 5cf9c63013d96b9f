//! The ledger: events recorded per second, with polls committed in groups and one at a time.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use futures::StreamExt;
use statuswatch::ledger::{Checkpoint, LedgerActor, LedgerOptions, Record, Watch};

use crate::watched::{provider, snapshot};

/// Prints the table.
pub(crate) fn run() {
    println!(
        "\n| pollers at once | events in a poll | events/s | polls/s | CPU per event |\n|---|---|---|---|---|"
    );
    for (pollers, events, polls) in
        [(1, 1, 4_000), (64, 1, 40_000), (512, 1, 40_000), (512, 4, 20_000)]
    {
        let runner = actix::System::new();
        let (wall, cpu) = runner.block_on(record(pollers, events, polls));
        let reported = (polls * events) as f64;
        println!(
            "| {pollers} | {events} | {:.0} | {:.0} | {:.1} µs |",
            reported / wall.as_secs_f64(),
            polls as f64 / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / reported
        );
    }
}

async fn record(pollers: usize, events: usize, polls: usize) -> (Duration, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let (fatal, _keep) = tokio::sync::mpsc::unbounded_channel();
    let options = LedgerOptions {
        state_dir: dir.path().to_owned(),
        shared: None,
        keep: Duration::from_hours(24),
        fatal,
        metrics: Arc::default(),
        lease: statuswatch::lease::Lease::always(),
    };
    let arbiter = actix::Arbiter::new();
    let first = LedgerActor::open(options).unwrap();
    let ledger: Addr<LedgerActor> = LedgerActor::start_in_arbiter(&arbiter.handle(), |_| first);
    let count = polls / 4;
    let providers: Vec<_> = (0..count)
        .map(|n| provider(format!("provider-{n}"), "https://status.bench.example/"))
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
