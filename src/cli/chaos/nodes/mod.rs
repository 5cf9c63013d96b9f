//! `chaos nodes`: several nodes on one database, broken at random, and a verdict.
//!
//! A scratch PostgreSQL server, fake providers and a webhook run on loopback; each node is a process of
//! the real program with a proxy before its database. In each round one thing of a table is broken
//! ([`fault`]) while the pages change. What the pages published, who asked for them, what the
//! database itself noted of its nodes, what each event log holds and what the webhook received is
//! collected ([`cluster`]) and judged ([`judge`]).

mod cluster;
mod database;
mod fault;
mod journal;
mod judge;
mod node;
mod pages;
mod proxy;
mod receiver;
mod summary;

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use fastrand::Rng;
use rustix::process::{Signal, getpid, kill_process};

use crate::cli::args::{ChaosNodesArgs, Common, RunArgs};
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::run::{Hooks, run_with};
use cluster::{Choice, Cluster};
use fault::{FAULTS, Fault};
use node::MARK;
use summary::Summary;

/// What was collected is judged after so many rounds, and at the end.
const JUDGED_EVERY: u32 = 20;

/// Breaks nodes and judges what they reported.
///
/// # Errors
/// PostgreSQL, the fake providers or the nodes could not be started.
pub(super) fn run(common: &Common, args: &ChaosNodesArgs) -> anyhow::Result<Exit> {
    if let Some(name) = &args.node {
        return be_node(common, name);
    }
    let faults = chosen(&args.only)?;
    let dir = std::env::temp_dir().join(format!("statuswatch-chaos-nodes-{}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    // The database runs as another user if this is root.
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o711))?;
    if !args.json {
        output::note(&format!(
            "chaos: {} providers, {} rounds, seed {}; files in {}",
            args.providers,
            args.rounds,
            args.seed,
            output::shown(&dir)
        ));
    }
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    // The pages have a runtime of their own: when a request arrives there is a fact.
    let (own, pages) = (runtime()?, runtime()?);
    let mut summary = Summary::new(args);
    let played = own.block_on(play(args, &faults, &dir, &pages, &mut summary));
    if let Err(error) = &played {
        summary.stopped = Some(format!("{error:#}"));
    }
    if args.json {
        output::print_json(&summary)?;
    } else {
        output::print(&summary.text())?;
    }
    if summary.is_clean() {
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            let dir = output::shown(&dir);
            output::note(&format!("statuswatch: {dir} could not be removed: {error}"));
        }
        return Ok(Exit::Done);
    }
    output::note(&format!(
        "chaos: the files are kept in {} (seed {})",
        output::shown(&dir),
        args.seed
    ));
    Ok(Exit::Failed)
}

/// The faults of these names, or all that are possible here.
fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Fault>> {
    let possible: Vec<&Fault> = FAULTS.iter().filter(|fault| fault::is_possible(fault)).collect();
    for name in names {
        if !possible.iter().any(|fault| fault.name == name) {
            let known: Vec<&str> = possible.iter().map(|fault| fault.name).collect();
            bail!("nothing that can be broken here is named \"{name}\", but {}", known.join(", "));
        }
    }
    let is_wanted = |fault: &&Fault| match names {
        [] => fault::is_usual(fault),
        names => names.iter().any(|name| name == fault.name),
    };
    Ok(possible.into_iter().filter(is_wanted).collect())
}

/// Plays the rounds. What was found is in the summary, also after an error.
async fn play(
    args: &ChaosNodesArgs,
    faults: &[&'static Fault],
    dir: &Path,
    pages: &tokio::runtime::Runtime,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let mut rng = Rng::with_seed(args.seed);
    let choice = Choice {
        dir,
        providers: usize::from(args.providers),
        seed: rng.u64(..),
        other: args.other.clone(),
        pages,
    };
    let mut cluster = Cluster::start(choice).await?;
    let begun = Instant::now();
    for round in 1..=args.rounds {
        if args.duration.is_some_and(|most| begun.elapsed() >= most) {
            break;
        }
        let Some(fault) = fault::choose(faults, &mut rng) else { break };
        let broken = one_round(&mut cluster, fault, &mut rng).await;
        summary.count(fault.name);
        if broken.is_err() || round % JUDGED_EVERY == 0 {
            summary.verdict = cluster.judge(false).await?;
        }
        broken.with_context(|| format!("round {round}, {}", fault.name))?;
        if !summary.verdict.is_clean() {
            return Ok(());
        }
        if !args.json && round % JUDGED_EVERY == 0 {
            output::note(&format!("chaos: {round} rounds, {} events", summary.events()));
        }
    }
    summary.verdict = cluster.judge(true).await?;
    Ok(())
}

async fn one_round(cluster: &mut Cluster, fault: &Fault, rng: &mut Rng) -> anyhow::Result<()> {
    (fault.inject)(cluster, rng).await?;
    cluster.settle(pages::now()).await?;
    fault::pause(rng).await;
    Ok(())
}

/// Runs as `run` does, with requests that name the node, until standard input ends.
fn be_node(common: &Common, name: &str) -> anyhow::Result<Exit> {
    std::thread::Builder::new().name("parent".to_owned()).spawn(|| {
        // Nothing is sent: it ends when whoever started this process does.
        drop(std::io::stdin().read(&mut [0]));
        let _ends_here = kill_process(getpid(), Signal::KILL);
    })?;
    let args = RunArgs { hosted: true, ..RunArgs::default() };
    let agent = Some(format!("{MARK}{name}"));
    run_with(common, &args, Hooks { agent, ..Hooks::default() })
}
