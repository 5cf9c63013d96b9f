//! Runs the release binary at fifty times the normal rate for an hour while pages change: its
//! resource usage must not grow.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::measure::Look;
use crate::scale::{Tail, configure, start, stop, wait};
use crate::server::Server;

/// A minute at the normal rate.
const INTERVAL: Duration = Duration::from_millis(1200);

/// How many pages change together, and how often.
const CHANGING: usize = 10;
const EVERY: Duration = Duration::from_secs(30);

/// Polls `count` providers for `minutes` and prints a row after each twelfth of that.
pub(crate) fn run(count: usize, minutes: u64) {
    let mut server = Server::start(count, true, None);
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("authority.pem");
    std::fs::write(&pem, &server.pem).unwrap();
    let config = configure(dir.path(), &server, count, INTERVAL);
    println!(
        "\n| {count} providers every {INTERVAL:?}, minute | polls | memory | threads / descriptors | ledger and its log | events reported | late |\n|---|---|---|---|---|---|---|"
    );
    let (child, _) = start(dir.path(), &config, &pem);
    let mut log = Tail::end_of(dir.path());
    let (begun, mut reported, mut late, mut turn, mut polls) = (Instant::now(), 0, 0, 0, 0);
    for row in 0..12 {
        let until = Duration::from_secs(minutes * 60 * (row + 1) / 12);
        while begun.elapsed() < until {
            wait(EVERY);
            let from = turn * CHANGING % count;
            turn += 1;
            server.publish(from, CHANGING.min(count - from));
            let mut expected: HashSet<String> =
                (from..count.min(from + CHANGING)).map(|n| format!("provider-{n}")).collect();
            let published = Instant::now();
            while !expected.is_empty() && published.elapsed() < INTERVAL * 4 {
                wait(Duration::from_millis(20));
                for provider in log.providers() {
                    reported += 1;
                    expected.remove(&provider);
                }
            }
            late += expected.len();
        }
        let look = Look::at(child.id());
        polls += server.stats().requests;
        let size = |name: &str| {
            std::fs::metadata(dir.path().join(name)).map_or(0, |metadata| metadata.len()) as f64
                / 1e6
        };
        println!(
            "| {} | {polls} | {:.1} MB | {} / {} | {:.1} and {:.1} MB | {reported} | {late} |",
            begun.elapsed().as_secs() / 60,
            look.rss_mb,
            look.threads,
            look.descriptors,
            size("state/ledger.db"),
            size("state/ledger.db-wal"),
        );
    }
    stop(child);
}
