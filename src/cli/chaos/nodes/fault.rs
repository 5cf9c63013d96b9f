//! What is broken: one table.

use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

use fastrand::Rng;
use rustix::process::Signal;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::judge::{NodeId, Span};
use super::pages::now;
use super::proxy::Mode;
use crate::clock;

/// How long a process is frozen, or its bytes are held, in milliseconds: longer than a lease of 6 s
/// for the most part.
const LONG: Range<u64> = 5_500..12_000;

/// How long the database is away.
const AWAY: Range<u64> = 300..10_000;

/// How long a node that was ended stays away.
const GONE: Range<u64> = 0..12_000;

/// How long a standby follows, and how long it lacks what is committed.
const TAIL: Range<u64> = 200..3_000;

/// How far the clock of a node is off, in seconds.
const CLOCKS: [i64; 3] = [-600, 0, 600];

/// Until how long after the last one something else is broken.
const BETWEEN: Range<u64> = 0..2_000;

/// What breaking something resolves to.
type Breaking<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// Something that can be broken.
pub(super) struct Fault {
    /// Its name in the summary.
    pub(super) name: &'static str,
    /// How often it is chosen, compared to others; 0 if only by its name.
    weight: u32,
    /// Breaks it, and mends what does not mend itself.
    pub(super) inject: for<'a> fn(&'a mut Cluster, &'a mut Rng) -> Breaking<'a>,
}

/// All of them. Only a program for tests has a clock that can be set wrong, `clock`.
pub(super) const FAULTS: &[Fault] = &[
    Fault { name: "kill", weight: 4, inject: |cluster, rng| Box::pin(kill(cluster, rng)) },
    Fault { name: "freeze", weight: 3, inject: |cluster, rng| Box::pin(freeze(cluster, rng)) },
    Fault { name: "stop", weight: 3, inject: |cluster, rng| Box::pin(stop(cluster, rng)) },
    Fault { name: "database", weight: 3, inject: |cluster, rng| Box::pin(database(cluster, rng)) },
    Fault { name: "hold", weight: 3, inject: |cluster, rng| Box::pin(hold(cluster, rng)) },
    Fault { name: "cut", weight: 2, inject: |cluster, rng| Box::pin(cut(cluster, rng)) },
    Fault { name: CLOCK, weight: 2, inject: |cluster, rng| Box::pin(misset(cluster, rng)) },
    Fault {
        name: "promote-sync",
        weight: 2,
        inject: |cluster, rng| Box::pin(promote(cluster, rng)),
    },
    Fault { name: "promote-async", weight: 0, inject: |cluster, rng| Box::pin(lose(cluster, rng)) },
    Fault { name: "member", weight: 2, inject: |cluster, rng| Box::pin(member(cluster, rng)) },
];

/// Returns whether something is broken that nobody has asked for by its name.
pub(super) const fn is_usual(fault: &Fault) -> bool {
    fault.weight > 0
}

/// Returns whether something can be broken here.
pub(super) fn is_possible(fault: &Fault) -> bool {
    fault.name != CLOCK || clock::can_be_wrong()
}

/// The name of the fault that needs a clock that can be set wrong.
const CLOCK: &str = "clock";

/// Chooses one of these by their weights.
pub(super) fn choose<'a>(faults: &[&'a Fault], rng: &mut Rng) -> Option<&'a Fault> {
    let all: u32 = faults.iter().map(|fault| fault.weight.max(1)).sum();
    let mut left = rng.u32(0..all.max(1));
    for fault in faults {
        match left.checked_sub(fault.weight.max(1)) {
            Some(rest) => left = rest,
            None => return Some(fault),
        }
    }
    None
}

/// Waits for a moment between two faults.
pub(super) async fn pause(rng: &mut Rng) {
    wait(rng, BETWEEN).await;
}

async fn wait(rng: &mut Rng, milliseconds: Range<u64>) {
    sleep(Duration::from_millis(rng.u64(milliseconds))).await;
}

fn any(cluster: &Cluster, rng: &mut Rng) -> anyhow::Result<NodeId> {
    rng.choice(cluster.running()).ok_or_else(|| anyhow::anyhow!("no node runs"))
}

/// `kill -9` of a node, which is started again.
async fn kill(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let node = any(cluster, rng)?;
    cluster.facts.kills.push((node, now()));
    cluster.node(node)?.kill();
    cluster.facts.ends.push((node, now()));
    wait(rng, GONE).await;
    cluster.node(node)?.start()
}

/// SIGSTOP for longer than a lease, then SIGCONT.
async fn freeze(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let node = any(cluster, rng)?;
    let from = now();
    cluster.node(node)?.signal(Signal::STOP)?;
    wait(rng, LONG).await;
    cluster.node(node)?.signal(Signal::CONT)?;
    cluster.facts.frozen.push((node, Span { from, to: now() }));
    Ok(())
}

/// SIGTERM to a node, which is started again.
async fn stop(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let node = any(cluster, rng)?;
    cluster.node(node)?.stop().await?;
    cluster.facts.ends.push((node, now()));
    wait(rng, GONE).await;
    cluster.node(node)?.start()
}

/// The database ends as in a crash, and is started again.
async fn database(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let from = now();
    cluster.database()?.crash()?;
    wait(rng, AWAY).await;
    cluster.database()?.start()?;
    cluster.facts.outages.push(Span { from, to: now() });
    Ok(())
}

/// What a node exchanges with the database is held back, and let go later.
async fn hold(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let node = any(cluster, rng)?;
    cluster.node(node)?.pass(Mode::Hold);
    wait(rng, LONG).await;
    cluster.node(node)?.pass(Mode::Pass);
    Ok(())
}

/// What a node exchanges with the database is held back and dropped with its connections.
async fn cut(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let node = any(cluster, rng)?;
    cluster.node(node)?.pass(Mode::Hold);
    wait(rng, AWAY).await;
    cluster.node(node)?.pass(Mode::Cut);
    wait(rng, AWAY).await;
    cluster.node(node)?.pass(Mode::Pass);
    Ok(())
}

/// The clock of a node jumps, and stays wrong or right until this is chosen again for the node.
async fn misset(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let node = any(cluster, rng)?;
    let seconds = rng.choice(CLOCKS).unwrap_or_default();
    cluster.node(node)?.set_clock(seconds)?;
    wait(rng, AWAY).await;
    Ok(())
}

/// The primary ends as in a crash, and a synchronous standby becomes the primary.
async fn promote(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    cluster.follow(true).await?;
    wait(rng, TAIL).await;
    cluster.promote().await?;
    Ok(())
}

/// The same with an asynchronous standby that lacks the last commits.
async fn lose(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    cluster.follow(false).await?;
    wait(rng, TAIL).await;
    cluster.unfollow()?;
    wait(rng, TAIL).await;
    let newest = cluster.promote().await?;
    cluster.settle(now()).await?;
    cluster.note_lost(newest).await
}

/// A node joins, or one that is not needed leaves: in order or not.
async fn member(cluster: &mut Cluster, rng: &mut Rng) -> anyhow::Result<()> {
    let absent = (0..cluster.nodes.len()).find(|node| !cluster.running().contains(node));
    if let Some(node) = absent {
        return cluster.node(node)?.start();
    }
    let node = any(cluster, rng)?;
    if rng.bool() {
        cluster.node(node)?.stop().await?;
    } else {
        cluster.facts.kills.push((node, now()));
        cluster.node(node)?.kill();
    }
    cluster.facts.ends.push((node, now()));
    Ok(())
}
