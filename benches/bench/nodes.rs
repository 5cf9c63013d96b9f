//! Measures several nodes that share the state of N fake providers through a PostgreSQL database on
//! this machine: what a poll costs them, and what all of it costs the database.

use std::collections::HashSet;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::measure::Look;
use crate::scale::{Tail, configure, first_round, start, stop, wait};
use crate::server::Server;

/// Every how many pages one changes in the storm.
const STORM: usize = 100;

/// Returns what all processes of PostgreSQL have used so far.
fn database() -> Look {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        name.starts_with("postgres").then(|| Look::at(pid))
    });
    processes.fold(Look::default(), |sum, look| Look {
        cpu: sum.cpu + look.cpu,
        written: sum.written + look.written,
        ..sum
    })
}

/// Shares `count` providers, polled every `seconds`, between nodes and prints the table.
pub(crate) fn run(url: &str, count: usize, seconds: u64, nodes: usize) {
    let mut server = Server::start(count, false, Some(10_000));
    let dirs: Vec<_> = (0..nodes).map(|_| tempfile::tempdir().unwrap()).collect();
    println!("\n| figure | {count} providers every {seconds} s on {nodes} nodes |\n|---|---|");
    let row = |name: &str, value: String| println!("| {name} | {value} |");
    let begin = |n: usize| -> (Child, Duration) {
        let dir = dirs[n].path();
        let config = configure(dir, &server, count, Duration::from_secs(seconds));
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("state: \"{url}\"\nnode: n{n}\n{text}")).unwrap();
        start(dir, &config, Path::new(""))
    };
    let (children, starts): (Vec<Child>, Vec<Duration>) = (0..nodes).map(begin).unzip();
    row("start to ready, longest", format!("{:.1} s", starts.iter().max().unwrap().as_secs_f64()));
    let first = first_round(&mut server, seconds);
    row("first round of polls", format!("{:.0} s", first.as_secs_f64()));
    let look = || children.iter().map(|child| Look::at(child.id())).collect::<Vec<_>>();
    server.stats();
    let (before, base) = (look(), database());
    wait(Duration::from_secs(seconds * 2));
    let (after, end, stats) = (look(), database(), server.stats());
    let spent: f64 = after
        .iter()
        .zip(&before)
        .map(|(after, before)| (after.cpu - before.cpu).as_secs_f64())
        .sum();
    let wall = (seconds * 2) as f64;
    let polls = stats.requests.max(1) as f64;
    row("polls measured", format!("{polls} in {wall} s"));
    row("polls per provider and interval", format!("{:.3}", polls / (count * 2) as f64));
    row("share of 304", format!("{:.1} %", stats.not_modified as f64 / polls * 100.0));
    row("CPU of all nodes per quiet poll", format!("{:.0} µs", spent * 1e6 / polls));
    let share = (end.cpu - base.cpu).as_secs_f64() / wall * 100.0;
    row("database, one core's share", format!("{share:.1} %"));
    row(
        "database, written a minute",
        format!("{:.1} MB", (end.written - base.written) as f64 / 1e6 / (wall / 60.0)),
    );
    row(
        "gap between polls p50 / p99",
        format!("{:.2} s / {:.2} s", stats.gap_p50_ms / 1e3, stats.gap_p99_ms / 1e3),
    );
    let memory: Vec<String> = after.iter().map(|look| format!("{:.0}", look.rss_mb)).collect();
    row("memory of each node", format!("{} MB", memory.join(", ")));

    let mut logs: Vec<Tail> = dirs.iter().map(|dir| Tail::end_of(dir.path())).collect();
    let changed: HashSet<String> =
        (0..count).step_by(STORM).map(|n| format!("provider-{n}")).collect();
    let (before, begun) = (database(), Instant::now());
    for n in (0..count).step_by(STORM) {
        server.publish(n, 1);
    }
    let mut missing = vec![changed.clone(); nodes];
    while missing.iter().any(|left| !left.is_empty())
        && begun.elapsed() < Duration::from_secs(seconds * 2 + 5)
    {
        wait(Duration::from_millis(100));
        for (log, left) in logs.iter_mut().zip(&mut missing) {
            for provider in log.providers() {
                left.remove(&provider);
            }
        }
    }
    row(
        &format!("storm of {} pages: in the event log of every node after", changed.len()),
        format!("{:.2} intervals", begun.elapsed().as_secs_f64() / seconds as f64),
    );
    let left: usize = missing.iter().map(HashSet::len).sum();
    row("storm: lines missing", left.to_string());
    let spent = (database().cpu - before.cpu).as_secs_f64();
    row("storm: CPU of the database, quiet polls included", format!("{spent:.1} s"));
    children.into_iter().for_each(stop);
}
