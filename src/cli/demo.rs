//! `demo`: watches fake providers on loopback with the real pipeline over real HTTP.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::args::{Common, DemoArgs, RunArgs};
use super::exit::Exit;
use super::output;
use super::run::Hooks;
use crate::clock;
use crate::fake::{DEFAULT_DURATION, Storm, Universe};
use crate::server::Bound;

/// How long the demo goes on after the last act, so that its end is seen too.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// The usual port of the HTTP server.
const PORT: u16 = 9187;

/// Plays the demo.
///
/// # Errors
/// The universe or the pipeline could not be started.
pub fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let dir = std::env::temp_dir().join(format!("statuswatch-demo-{}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let play = args.duration.unwrap_or(DEFAULT_DURATION);
    let cluster = FakeCluster::start(usize::from(args.providers))?;
    let config = write_config(&dir, &cluster.universe)?;
    let bound = listen(&config)?;
    output::note(&format!("Dashboard: http://{}/", bound.address()));
    output::note(&format!(
        "Watching {0} fake providers on loopback for {1} s: incidents, maintenances and broken pages (press q or Ctrl-C to stop).\n\
         In another terminal, during or after the demo:\n  statuswatch -c {2} status\n  statuswatch -c {2} history\n  statuswatch -c {2} logs -f\n",
        args.providers,
        play.as_secs(),
        output::shown(&config),
    ));
    let universe = Arc::clone(&cluster.universe);
    let seed = args.seed;
    cluster
        .runtime
        .spawn(async move { Storm::play(&universe, seed, play.saturating_sub(AFTERWARDS)).await });
    let common = Common { config: config.clone(), state: None };
    let watched = super::run::run_with(
        &common,
        &RunArgs { duration: Some(play + AFTERWARDS), ..RunArgs::default() },
        Hooks { listening: Some(bound), ..Hooks::default() },
    )?;
    output::note(&format!(
        "\nThe demo is over. Its files are in {} and can be removed.",
        output::shown(&dir)
    ));
    Ok(watched)
}

/// Turns the HTTP server on: at its usual address, or at any free one where that is in use.
fn listen(config: &Path) -> anyhow::Result<Bound> {
    let usual = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, PORT));
    let any = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let bound = Bound::listen(usual).or_else(|_| Bound::listen(any))?;
    let mut file = std::fs::OpenOptions::new().append(true).open(config)?;
    writeln!(file, "http: {{listen: \"{}\", metrics: {{providers: all}}}}", bound.address())?;
    Ok(bound)
}

/// A universe on a runtime of its own, as if it were far away.
pub(super) struct FakeCluster {
    /// The providers.
    pub(super) universe: Arc<Universe>,
    /// What they run on.
    pub(super) runtime: tokio::runtime::Runtime,
}

impl FakeCluster {
    /// Starts `count` providers.
    pub(super) fn start(count: usize) -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let universe = runtime
            .block_on(Universe::start_sized(count, Arc::new(clock::now)))
            .context("cannot start the fake providers")?;
        Ok(Self { universe: Arc::new(universe), runtime })
    }
}

/// Writes a configuration for the universe into `dir`, with state and logs next to it.
pub(super) fn write_config(dir: &Path, universe: &Universe) -> anyhow::Result<std::path::PathBuf> {
    let quoted = |name: &str| serde_json::Value::from(dir.join(name).display().to_string());
    let text = format!(
        "# Made by statuswatch for fake providers on loopback.\nstate_dir: {}\nevent_log: {{dir: {}}}\ndiagnostics: {{dir: {}}}\nproviders:\n{}",
        quoted("state"),
        quoted("logs"),
        quoted("logs"),
        universe.providers_yaml(true)
    );
    let path = dir.join("providers.yaml");
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
