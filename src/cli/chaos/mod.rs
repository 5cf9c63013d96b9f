//! `chaos`: the real program against the providers of the demo, killed at random, and a verdict.
//!
//! The program runs as a process of its own. Inside it a task (`sabotage`) kills pollers,
//! sinks and the ledger; from here the whole process is killed with SIGKILL and started again. What
//! the universe published is the oracle. `nodes` does the same to several nodes on one database.

mod nodes;
mod sabotage;
mod verdict;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::args::{ChaosArgs, ChaosCommand, Common, RunArgs};
use super::demo::{FakeCluster, write_config};
use super::exit::Exit;
use super::output;
use super::run::{Hooks, run_with};
use crate::fake::Storm;
use verdict::Verdict;

/// How long the program may take to report everything once the faults have ended.
const SETTLE: Duration = Duration::from_secs(30);

/// A process lives at least and at most so long before it is killed.
const LIFE: std::ops::Range<u64> = 300..4000;

/// Runs the program under faults and judges what it reported.
///
/// # Errors
/// The fake providers or the files could not be created.
pub fn run(common: &Common, args: &ChaosArgs) -> anyhow::Result<Exit> {
    if let Some(ChaosCommand::Nodes(args)) = &args.what {
        return nodes::run(common, args);
    }
    if let Some(seed) = args.victim {
        return be_victim(common, seed);
    }
    let dir = std::env::temp_dir().join(format!("statuswatch-chaos-{}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let cluster = FakeCluster::start(usize::from(args.providers))?;
    let config = write_config(&dir, &cluster.universe)?;
    if !args.json {
        output::note(&format!(
            "chaos: {} providers, {} s, seed {}; files in {}",
            args.providers,
            args.duration.as_secs(),
            args.seed,
            output::shown(&dir)
        ));
    }
    let verdict = inject(args, &cluster, &config, &dir)?;
    if args.json {
        output::print_json(&verdict)?;
    } else {
        output::print(&verdict.text())?;
    }
    if verdict.is_clean() {
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            output::note(&format!(
                "statuswatch: {} could not be removed: {error}",
                output::shown(&dir)
            ));
        }
        Ok(Exit::Done)
    } else {
        output::note(&format!(
            "chaos: the files are kept in {} (seed {})",
            output::shown(&dir),
            args.seed
        ));
        Ok(Exit::Failed)
    }
}

fn inject(
    args: &ChaosArgs,
    cluster: &FakeCluster,
    config: &Path,
    dir: &Path,
) -> anyhow::Result<Verdict> {
    let mut rng = fastrand::Rng::with_seed(args.seed);
    let mut verdict = Verdict::default();
    // Every page is read once without faults: all updates published after that must be reported.
    let mut child = start(config, None)?;
    let ids: Vec<String> =
        cluster.universe.providers().iter().map(|provider| provider.id().to_owned()).collect();
    cluster.runtime.block_on(async {
        for id in &ids {
            let polled = cluster.universe.server().wait_answered(id, 2);
            if tokio::time::timeout(Duration::from_secs(30), polled).await.is_err() {
                anyhow::bail!("{id} was never polled");
            }
        }
        Ok(())
    })?;
    let universe = std::sync::Arc::clone(&cluster.universe);
    let (seed, length) = (args.seed, args.duration);
    let storm = cluster.runtime.spawn(async move { Storm::play(&universe, seed, length).await });
    let end = Instant::now() + args.duration;
    while Instant::now() < end {
        let life =
            Duration::from_millis(rng.u64(LIFE)).min(end.saturating_duration_since(Instant::now()));
        cluster.runtime.block_on(async { tokio::time::sleep(life).await });
        if let Some(status) = child.0.try_wait()? {
            verdict.ended_by_itself.push(status.to_string());
        }
        child.kill()?;
        verdict.kills += 1;
        let seen = cluster.universe.server().requests().len();
        let begun = Instant::now();
        child = start(config, Some(rng.u64(..)))?;
        let back = cluster.universe.server().wait_until(|requests| requests.len() > seen);
        cluster
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(20), back).await })
            .context("it did not come back")?;
        verdict.slowest_recovery_ms =
            verdict.slowest_recovery_ms.max(begun.elapsed().as_millis() as u64);
    }
    cluster.runtime.block_on(storm)?;
    // The faults end: a process without them.
    child.kill()?;
    verdict.kills += 1;
    child = start(config, None)?;
    let until = Instant::now() + SETTLE;
    loop {
        verdict
            .judge(&cluster.universe.published().owed(), &dir.join("logs").join("events.jsonl"))?;
        if verdict.lost == 0 || Instant::now() > until {
            break;
        }
        cluster.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(200)).await });
    }
    child.terminate()?;
    verdict.judge(&cluster.universe.published().owed(), &dir.join("logs").join("events.jsonl"))?;
    verdict.compare_with_ledger(&dir.join("state"), &dir.join("logs").join("events.jsonl"))?;
    verdict.sabotages = sabotage::count(&dir.join("logs"));
    Ok(verdict)
}

/// Runs as `run` does, and breaks its own actors.
fn be_victim(common: &Common, seed: u64) -> anyhow::Result<Exit> {
    let args = RunArgs { hosted: true, ..RunArgs::default() };
    let started = Box::new(move |supervisor: &_, ids: &[String]| {
        sabotage::begin(supervisor, ids, seed);
    });
    run_with(common, &args, Hooks { started: Some(started), ..Hooks::default() })
}

/// Starts the program on `config`; with a seed it sabotages itself.
fn start(config: &Path, seed: Option<u64>) -> anyhow::Result<Victim> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--config").arg(config);
    match seed {
        Some(seed) => command.args(["chaos", "--victim", &seed.to_string()]),
        None => command.args(["run", "--hosted"]),
    };
    command
        .env_remove("STATUSWATCH_STATE")
        .env_remove("STATUSWATCH_CONFIG")
        .env_remove("NOTIFY_SOCKET");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Victim(command.spawn().context("cannot start the program")?))
}

/// The program; it does not outlive us, however we end.
struct Victim(Child);

impl Victim {
    fn kill(&mut self) -> std::io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }

    fn terminate(&mut self) -> std::io::Result<()> {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        self.0.wait().map(drop)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // It has usually ended already.
        drop(self.kill());
    }
}
