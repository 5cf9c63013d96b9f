//! The real binary at work on a universe of fake providers, and the oracle that judges what it
//! wrote.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use statuswatch::event::{Impact, IncidentStatus, Kind, StatusEvent};
use statuswatch::fake::{Fault, Posted, Publication, Universe};
use statuswatch::sink::LogReader;
use tokio::runtime::Runtime;

/// Time for everything to be reported.
const PATIENCE: Duration = Duration::from_mins(3);

/// A directory with a configuration, and the fake providers it names.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) universe: Arc<Universe>,
    pub(crate) patience: Duration,
    runtime: Runtime,
}

impl Bench {
    /// The first `count` providers, polled every 100 ms; `extra` is added to the configuration.
    pub(crate) fn new(count: usize, extra: &str) -> Self {
        let bench = Self::at(count, Ipv4Addr::LOCALHOST.into());
        bench.configure(extra);
        bench
    }

    /// The first `count` providers at this address, without a configuration.
    pub(crate) fn at(count: usize, address: IpAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let universe = Universe::start_at(count, Arc::new(Utc::now), address);
        let universe = Arc::new(runtime.block_on(universe).unwrap());
        Self { dir: tempfile::tempdir().unwrap(), universe, patience: PATIENCE, runtime }
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, extra: &str) {
        let text = format!(
            "defaults: {{interval: 100ms, incident_interval: 100ms, timeout: 2s, connect_timeout: 1s, backoff: {{initial: 50ms, max: 200ms}}, \
             first_run: all}}\n{extra}\nproviders:\n{}",
            self.universe.providers_yaml(false)
        );
        fs::write(self.path("providers.yaml"), text).unwrap();
    }

    /// A path in the directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary, in the directory.
    pub(crate) fn command(&self) -> Command {
        statuswatch(self.dir.path())
    }

    /// The same program, with a wall clock that `STATUSWATCH_TEST_CLOCK` can set wrong.
    pub(crate) fn command_with_faults(&self) -> Command {
        program(Path::new(env!("CARGO_BIN_EXE_statuswatch-with-faults")), self.dir.path())
    }

    /// Starts `run`.
    pub(crate) fn start(&self) -> Watch {
        Watch(self.command().args(["run", "--hosted"]).spawn().unwrap())
    }

    /// Publishes in the background until the flag is set: incidents of some updates each, edits and
    /// odd answers between them.
    pub(crate) fn storm(&self, seed: u64, pause: Duration) -> Storm {
        let over = Arc::new(AtomicBool::new(false));
        let (universe, stop) = (Arc::clone(&self.universe), Arc::clone(&over));
        let task = self.runtime.spawn(async move {
            let mut author = Author::new(seed);
            while !stop.load(Ordering::Relaxed) {
                author.act(&universe);
                tokio::time::sleep(pause).await;
            }
            universe.providers().iter().for_each(statuswatch::fake::Provider::clear_faults);
        });
        Storm { over, task: Some(task), runtime: self.runtime.handle().clone() }
    }

    /// Publishes `count` things at once, without odd answers.
    pub(crate) fn publish(&self, seed: u64, count: usize) {
        self.publish_as(&mut Author { faults: false, ..Author::new(seed) }, count);
    }

    /// Publishes `count` things at once, going on where this author was.
    pub(crate) fn publish_as(&self, author: &mut Author, count: usize) {
        (0..count).for_each(|_| author.act(&self.universe));
    }

    /// Takes back the odd answers that an author has left.
    pub(crate) fn clear_faults(&self) {
        self.universe.providers().iter().for_each(statuswatch::fake::Provider::clear_faults);
    }

    /// The whole lines of the event log across its files.
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.path("logs"))
    }

    /// Runs until everything owed is in the event log, ends it in order and judges it.
    pub(crate) fn settle(&self) -> Verdict {
        let asked = self.requests();
        let mut watch = self.start();
        // Before its first poll it may not listen to signals yet.
        self.wait_until("the first poll", || self.requests() > asked);
        self.wait_until_reported();
        let status = watch.stop();
        assert_eq!(status.code(), Some(0), "{status:?}");
        self.judge()
    }

    /// Waits until everything owed is in the event log.
    pub(crate) fn wait_until_reported(&self) {
        let began = Instant::now();
        while let Some(one) = self.missing() {
            let of_it = || {
                self.lines()
                    .into_iter()
                    .filter(|line| line.contains(&one.provider))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            assert!(began.elapsed() < self.patience, "never reported: {one:?}, but\n{}", of_it());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Something owed that is not in the event log.
    pub(crate) fn missing(&self) -> Option<Publication> {
        let reported: HashSet<(String, String)> = self
            .lines()
            .iter()
            .filter_map(|line| parse(line))
            .filter_map(|e| Some((e.provider, e.message?)))
            .collect();
        self.universe
            .published()
            .owed()
            .into_iter()
            .find(|one| !reported.contains(&(one.provider.clone(), one.text.clone())))
    }

    /// What the program said about itself.
    pub(crate) fn diagnostics(&self) -> String {
        let files = fs::read_dir(self.dir.path().join("logs")).into_iter().flatten().flatten();
        let logs =
            files.filter(|file| file.file_name().to_string_lossy().starts_with("statuswatch."));
        logs.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
    }

    /// The end of it.
    pub(crate) fn last_words(&self) -> String {
        let text = self.diagnostics();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Waits for something, half a minute at most.
    pub(crate) fn wait_until(&self, what: &str, so: impl Fn() -> bool) {
        self.wait_within(Duration::from_secs(30), what, so);
    }

    /// Waits for something that may take longer.
    pub(crate) fn wait_within(&self, most: Duration, what: &str, so: impl Fn() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(
                began.elapsed() < most,
                "{what}: never. The diagnostics:\n{}",
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Requests that the fake providers have received.
    pub(crate) fn requests(&self) -> usize {
        self.universe.server().requests().len()
    }

    /// The oracle: complete, nothing invented, once, in order, without gap, whole, and the same as
    /// the ledger.
    pub(crate) fn judge(&self) -> Verdict {
        let lines = self.lines();
        let history = self
            .command()
            .args(["history", "--json", "--limit", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(history.status.code(), Some(0), "{}", String::from_utf8_lossy(&history.stderr));
        let history: Vec<String> =
            String::from_utf8(history.stdout).unwrap().lines().map(str::to_owned).collect();
        let verdict = Verdict::of(
            &lines,
            &history,
            &self.universe.published().all(),
            &self.universe.published().owed(),
        );
        assert_eq!(
            verdict.problems,
            Vec::<String>::new(),
            "{} lines in {}",
            lines.len(),
            self.dir.path().display()
        );
        verdict
    }
}

/// The binary in `dir` (`STATUSWATCH_BIN` names another build of it), without anything of the
/// environment that it would read.
pub(crate) fn statuswatch(dir: &Path) -> Command {
    let binary = std::env::var_os("STATUSWATCH_BIN")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_statuswatch").into());
    program(Path::new(&binary), dir)
}

fn program(binary: &Path, dir: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    for name in ["STATUSWATCH_CONFIG", "STATUSWATCH_STATE", "HOSTED_MODE", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// The whole lines of the event log in `dir`, across its files. A torn one is a line too: it does
/// not parse.
pub(crate) fn lines(dir: &Path) -> Vec<String> {
    let mut reader = LogReader::new(dir);
    let mut lines = Vec::new();
    while let Some(line) = reader.next().unwrap() {
        lines.push(line.line);
    }
    lines
}

pub(crate) fn parse(line: &str) -> Option<StatusEvent> {
    serde_json::from_str(line).ok()
}

/// A process that ends with its test.
pub(crate) struct Watch(pub(crate) Child);

impl Watch {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        let status = self.0.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "it had ended by itself: {status:?}");
    }

    /// SIGTERM, and 6 s to follow it.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.end(Duration::from_secs(8))
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self, within: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < within, "still running after {within:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Something is being published until this is ended.
pub(crate) struct Storm {
    over: Arc<AtomicBool>,
    task: Option<tokio::task::JoinHandle<()>>,
    runtime: tokio::runtime::Handle,
}

impl Storm {
    /// Ends it and clears all faults.
    pub(crate) fn end(mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(task) = self.task.take() {
            self.runtime.block_on(task).unwrap();
        }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Numbers the texts of all authors.
static NOTES: AtomicU64 = AtomicU64::new(1);

/// Writes updates, every one with a text of its own.
pub(crate) struct Author {
    rng: Rng,
    open: Vec<(usize, Vec<Posted>)>,
    faults: bool,
}

impl Author {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), open: Vec::new(), faults: true }
    }

    fn act(&mut self, universe: &Universe) {
        let number = NOTES.fetch_add(1, Ordering::Relaxed);
        let text = format!("Note {number} of the day: we are on it.");
        let what = self.rng.u8(0..20);
        if self.open.len() < 4 || (what < 4 && self.open.len() < 12) {
            let place = self.rng.usize(0..universe.providers().len());
            let provider = &universe.providers()[place];
            let title = format!("Problem {number}");
            let posted = universe.open_incident(provider, &title, Impact::Minor, &[], &text);
            self.open.push((place, vec![posted]));
            return;
        }
        let slot = self.rng.usize(0..self.open.len());
        let (place, posted) = &mut self.open[slot];
        let provider = &universe.providers()[*place];
        let newest = *posted.last().unwrap();
        match what {
            5 => drop(universe.edit(provider, newest, &format!("{text} Corrected."))),
            6 if self.faults => {
                let faults = [
                    Fault::Reset,
                    Fault::Truncated,
                    Fault::Empty,
                    Fault::Status(503, None),
                    Fault::Html,
                ];
                provider.fault_next(1, faults[self.rng.usize(0..faults.len())].clone());
            }
            7 => provider.set_impact(newest.incident, Impact::Major).unwrap(),
            _ if posted.len() >= 5 => {
                universe
                    .update(provider, newest.incident, IncidentStatus::Resolved, &text)
                    .unwrap();
                self.open.swap_remove(slot);
            }
            _ => {
                let status =
                    [IncidentStatus::Identified, IncidentStatus::Monitoring][posted.len() % 2];
                posted.push(universe.update(provider, newest.incident, status, &text).unwrap());
            }
        }
    }
}

/// What the oracle found.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Lines of the log.
    pub(crate) reported: usize,
    /// Updates that had to be reported.
    pub(crate) owed: usize,
    /// What is wrong.
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    pub(crate) fn of(
        lines: &[String],
        history: &[String],
        published: &[Publication],
        owed: &[Publication],
    ) -> Self {
        let mut problems = Vec::new();
        if lines != history {
            let differs = lines
                .iter()
                .zip(history)
                .position(|(a, b)| a != b)
                .unwrap_or(lines.len().min(history.len()));
            problems.push(format!(
                "log ({} lines) and ledger ({}) differ from line {differs} on",
                lines.len(),
                history.len()
            ));
        }
        let places: HashMap<(&str, &str), usize> = published
            .iter()
            .enumerate()
            .map(|(place, one)| ((one.provider.as_str(), one.text.as_str()), place))
            .collect();
        let (mut ids, mut reported) = (HashSet::new(), HashSet::new());
        let mut orders: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (expected, line) in (1..).zip(lines) {
            let Some(event) = parse(line) else {
                problems.push(format!("line {expected} is torn: {line:?}"));
                continue;
            };
            if event.seq != expected {
                problems.push(format!("line {expected} has seq {}", event.seq));
            }
            if !ids.insert(event.id.clone()) {
                problems.push(format!("reported twice: {line}"));
            }
            let (Some(incident), Some(text), Kind::Incident | Kind::Maintenance) =
                (&event.incident_id, &event.message, event.kind)
            else {
                continue;
            };
            let Some(&place) = places.get(&(event.provider.as_str(), text.as_str())) else {
                problems.push(format!("invented: {line}"));
                continue;
            };
            if !reported.insert(place) {
                problems.push(format!("reported twice under two ids: {line}"));
            }
            if published[place].revision == 1 {
                let last = orders.entry((event.provider.clone(), incident.clone())).or_default();
                if *last > place {
                    problems.push(format!("out of order: {line}"));
                }
                *last = place;
            }
        }
        for one in owed {
            if !places
                .get(&(one.provider.as_str(), one.text.as_str()))
                .is_some_and(|place| reported.contains(place))
            {
                problems.push(format!("lost: {one:?}"));
            }
        }
        problems.truncate(10);
        Self { reported: lines.len(), owed: owed.len(), problems }
    }
}
