//! A node: a directory, a configuration, proxies to the databases, and a process.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::database::address;
use super::proxy::{Mode, Proxy};
use crate::fake::Universe;
use crate::sink::LogReader;

/// What the requests of a node carry in their `User-Agent`, before its name.
pub(super) const MARK: &str = "chaos-node/";

/// The file with the error of a node's clock, in seconds.
const CLOCK: &str = "clock";

/// The variable that names that file to a program for tests; any other ignores it.
const CLOCK_VARIABLE: &str = "STATUSWATCH_TEST_CLOCK";

/// How long a process may take to end after SIGTERM: its own limit, and a busy machine.
const STOP: Duration = Duration::from_secs(30);

/// A node.
pub(super) struct Node {
    /// Its name.
    pub(super) name: String,
    /// Whether it was there from the first event on.
    pub(super) is_founder: bool,
    /// One before each of the databases.
    proxies: Vec<Proxy>,
    dir: PathBuf,
    /// Another program than this one.
    other: Option<PathBuf>,
    process: Option<Process>,
    /// Reads its event log from the beginning on.
    pub(super) log: LogReader,
}

/// A process that ends with its handle. With its standard input it ends by itself.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has usually ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What all nodes have in common.
pub(super) struct Common<'a> {
    /// The pages.
    pub(super) universe: &'a Universe,
    /// The time between two polls.
    pub(super) interval: Duration,
    /// The port of the webhook.
    pub(super) webhook: u16,
}

impl Node {
    /// Creates a node in a directory of its own below `scratch`, which does not run yet.
    pub(super) fn create(
        scratch: &Path,
        name: &str,
        is_founder: bool,
        other: Option<PathBuf>,
        proxies: Vec<Proxy>,
        common: &Common<'_>,
    ) -> anyhow::Result<Self> {
        let dir = scratch.join(name);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let ports = proxies.iter().map(|proxy| proxy.port);
        let text = configuration(name, &address(ports), common)?;
        fs::write(dir.join("providers.yaml"), text)?;
        let log = LogReader::new(dir.join("logs"));
        Ok(Self { name: name.to_owned(), is_founder, proxies, dir, other, process: None, log })
    }

    /// Starts its process.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let program = match &self.other {
            Some(other) => other.clone(),
            None => std::env::current_exe()?,
        };
        let mut command = Command::new(program);
        if self.other.is_some() {
            command.args(["run", "--hosted"]);
        } else {
            command.args(["chaos", "nodes", "--node", &self.name]);
        }
        let errors = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("stderr"))
            .context("cannot write the errors of a node")?;
        command
            .current_dir(&self.dir)
            .env(CLOCK_VARIABLE, self.dir.join(CLOCK))
            .env_remove("STATUSWATCH_STATE")
            .env_remove("STATUSWATCH_CONFIG")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("HOSTED_MODE")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(errors);
        self.process = Some(Process(command.spawn().context("cannot start the program")?));
        Ok(())
    }

    /// Returns whether it was started and not ended by us.
    pub(super) const fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Returns how its process has ended by itself, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.0.try_wait().ok().flatten()
    }

    /// Ends its process with SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process = None;
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the node does not run")?;
        Ok(kill_process(Pid::from_child(&process.0), signal)?)
    }

    /// Ends its process with SIGTERM and returns after how long it had ended.
    pub(super) async fn stop(&mut self) -> anyhow::Result<Duration> {
        self.signal(Signal::TERM)?;
        let begun = Instant::now();
        while begun.elapsed() < STOP {
            if let Some(status) = self.ended() {
                if status.success() {
                    self.process = None;
                    return Ok(begun.elapsed());
                }
                bail!("node {} ended with {status} after SIGTERM", self.name);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("node {} does not end after SIGTERM", self.name);
    }

    /// Changes what happens to what it exchanges with the databases.
    pub(super) fn pass(&self, mode: Mode) {
        self.proxies.iter().for_each(|proxy| proxy.set(mode));
    }

    /// Connects it with the database of this place at another port.
    pub(super) fn direct(&self, place: usize, port: u16) {
        if let Some(proxy) = self.proxies.get(place) {
            proxy.direct(port);
        }
    }

    /// Sets its clock wrong by so many seconds.
    pub(super) fn set_clock(&self, seconds: i64) -> anyhow::Result<()> {
        Ok(fs::write(self.dir.join(CLOCK), seconds.to_string())?)
    }

    /// Its replica.
    pub(super) fn state(&self) -> PathBuf {
        self.dir.join("state")
    }
}

/// The configuration of a node.
fn configuration(name: &str, database: &str, common: &Common<'_>) -> anyhow::Result<String> {
    let interval = common.interval.as_millis();
    let mut text = format!(
        "# Made by statuswatch chaos nodes.\n\
         state: \"{database}\"\nnode: {name}\nconsole: {{format: off}}\n\
         event_log: {{rotation: never}}\ndiagnostics: {{dir: diagnostics, keep: 3}}\n\
         defaults: {{interval: {interval}ms, incident_interval: {interval}ms, timeout: 4s, connect_timeout: 2s, \
         backoff: {{initial: 500ms, max: 1s}}, first_run: all}}\n\
         channels:\n  judge: {{kind: webhook, url: \"http://127.0.0.1:{}/\"}}\nproviders:\n",
        common.webhook
    );
    // All addresses of 127.0.0.0/8 are this machine's, and each is a host of its own.
    let mut host = 0;
    for line in common.universe.providers_yaml(false).lines() {
        if line.contains(ANYWHERE) {
            host += 1;
        }
        writeln!(text, "{}", line.replace(ANYWHERE, &format!("//{}:", address_of(host))))?;
    }
    Ok(text)
}

/// How the pages are addressed that listen everywhere.
const ANYWHERE: &str = "//0.0.0.0:";

/// The address of the provider of this number, from 1 on.
pub(super) fn address_of(number: usize) -> String {
    format!("127.{}.{}.{}", 1 + number / 65_536 % 250, number / 256 % 256, 1 + number % 250)
}
