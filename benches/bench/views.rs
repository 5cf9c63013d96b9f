//! `history` over a million events and `status` with ten thousand providers, run as commands.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use actix::Actor;
use statuswatch::ledger::{LedgerActor, LedgerOptions, Watch};

use crate::measure::median;
use crate::watched::{event, provider};

/// Events that [`fill`] inserts.
pub(crate) const EVENTS: u64 = 1_000_000;
const PROVIDERS: usize = 10_000;

/// Prints the table.
pub(crate) fn run() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_owned();
    actix::System::new().block_on(async {
        let (fatal, _) = tokio::sync::mpsc::unbounded_channel();
        let ledger = LedgerActor::open(LedgerOptions {
            state_dir: state,
            shared: None,
            keep: Duration::from_hours(24),
            fatal,
            metrics: std::sync::Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        })
        .unwrap()
        .start();
        let providers = (0..PROVIDERS)
            .map(|n| provider(format!("provider-{n}"), "https://status.bench.example/"))
            .collect();
        ledger
            .send(Watch {
                providers,
                died: Vec::new(),
                real_intervals: std::collections::HashMap::new(),
                shards: None,
            })
            .await
            .unwrap()
            .unwrap();
    });
    fill(&dir.path().join("ledger.db"));
    let size = std::fs::metadata(dir.path().join("ledger.db")).unwrap().len();
    println!(
        "\n| {EVENTS} events of {PROVIDERS} providers in {} MB | median of 7 | output |\n|---|---|---|",
        size / 1_000_000
    );
    let state = dir.path().to_str().unwrap();
    for words in [
        &["history", "--provider", "provider-77", "--since", "7d"][..],
        &["history", "--since", "7d", "--limit", "100"],
        &["history", "--impact", "major", "--limit", "100"],
        &["status"],
        &["status", "--json"],
    ] {
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..7 {
            let begun = Instant::now();
            let output = Command::new(env!("CARGO_BIN_EXE_statuswatch"))
                .args(["--state", state])
                .args(words)
                .stdin(Stdio::null())
                .output();
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            let output = output.unwrap();
            assert!(
                output.status.success(),
                "{words:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            bytes = output.stdout.len();
        }
        println!("| `{}` | {:.0} ms | {} KB |", words.join(" "), median(&mut times), bytes / 1000);
    }
}

/// Inserts a million events over the last hundred days.
pub(crate) fn fill(path: &std::path::Path) {
    let mut db = rusqlite::Connection::open(path).unwrap();
    // Half a gigabyte of random ids: with the default cache, their index alone would take hours.
    db.pragma_update(None, "cache_size", -1_000_000).unwrap();
    db.pragma_update(None, "synchronous", "OFF").unwrap();
    let transaction = db.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare("INSERT INTO event(seq, id, provider, kind, impact, observed_at, line) VALUES(?1, ?2, ?3, 'incident', 'minor', ?4, ?5)")
            .unwrap();
        let start = chrono::Utc::now() - chrono::Duration::days(100);
        for seq in 1..=EVENTS {
            let id = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
            let at = start + chrono::Duration::milliseconds((seq * 8_640) as i64);
            let provider = format!("provider-{}", seq * 7 % PROVIDERS as u64);
            let line = event(seq, &provider, at).line;
            insert
                .execute(rusqlite::params![
                    seq as i64,
                    &id[..],
                    provider,
                    at.timestamp_millis(),
                    line
                ])
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}
