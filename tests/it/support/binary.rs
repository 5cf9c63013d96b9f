//! The real binary in a directory of its own, with a configuration made here.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::wait::{until, until_true};

/// A directory with a `providers.yaml`: state in `state`, events in `logs`, diagnostics in
/// `diagnostics`.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    defaults: Vec<(&'static str, String)>,
    providers: Vec<(String, String)>,
    more: String,
}

impl Bench {
    /// With the intervals and delays of tests, and no provider yet.
    pub(crate) fn new() -> Self {
        let defaults = [
            ("interval", "200ms"),
            ("incident_interval", "200ms"),
            ("timeout", "3s"),
            ("connect_timeout", "1s"),
            ("backoff", "{initial: 100ms, max: 1s}"),
        ];
        Self {
            dir: tempfile::tempdir().unwrap(),
            defaults: defaults.into_iter().map(|(key, value)| (key, value.to_owned())).collect(),
            providers: Vec::new(),
            more: String::new(),
        }
    }

    /// Sets a key of `defaults`.
    pub(crate) fn default(mut self, key: &'static str, value: &str) -> Self {
        self.defaults.retain(|(set, _)| *set != key);
        self.defaults.push((key, value.to_owned()));
        self
    }

    /// Adds a section: a line of YAML.
    pub(crate) fn section(mut self, line: &str) -> Self {
        self.more = format!("{}{line}\n", self.more);
        self
    }

    /// Adds a provider; `more` are further keys, each `, key: value`.
    pub(crate) fn provider(mut self, id: &str, url: &str, more: &str) -> Self {
        self.add(id, url, more);
        self
    }

    /// Adds a provider to a bench that is in use; [`Bench::write`] makes it known.
    pub(crate) fn add(&mut self, id: &str, url: &str, more: &str) {
        self.providers.push((id.to_owned(), format!("  - {{id: {id}, url: \"{url}\"{more}}}\n")));
    }

    /// Takes a provider away; [`Bench::write`] makes it known.
    pub(crate) fn remove(&mut self, id: &str) {
        self.providers.retain(|(listed, _)| listed != id);
    }

    /// Writes `providers.yaml`, in one step as an editor does.
    pub(crate) fn write(&self) {
        let mut text = "supervision:\n  restart_backoff: {initial: 100ms, max: 2s}\n  intensity: {restarts: 5, within: 10s}\n  stall_after: 5s\n\
                        diagnostics: {dir: diagnostics, level: debug}\ndefaults:\n"
            .to_owned();
        for (key, value) in &self.defaults {
            writeln!(text, "  {key}: {value}").unwrap();
        }
        text.push_str(&self.more);
        text.push_str("providers:\n");
        for (_, line) in &self.providers {
            text.push_str(line);
        }
        self.write_text(&text);
    }

    /// Writes anything in the place of `providers.yaml`.
    pub(crate) fn write_text(&self, text: &str) {
        let new = self.path("providers.yaml.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path("providers.yaml")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its configuration as the library reads it.
    pub(crate) fn config(&self) -> statuswatch::config::Config {
        self.write();
        let loaded = statuswatch::config::load(&self.path("providers.yaml"), &|_| None);
        let mut config = loaded.unwrap_or_else(|error| panic!("{error}")).config;
        config.state_dir = self.path("state");
        config.event_log.dir = self.path("logs");
        config
    }

    /// The binary in the directory, without an argument yet.
    pub(crate) fn command(&self) -> Command {
        statuswatch(self.dir.path())
    }

    /// The same program, with a wall clock that `STATUSWATCH_TEST_CLOCK` can set wrong.
    pub(crate) fn command_with_faults(&self) -> Command {
        program(env!("CARGO_BIN_EXE_statuswatch-with-faults"), self.dir.path())
    }

    /// Starts the binary.
    pub(crate) fn start(&self, args: &[&str]) -> Run {
        self.write();
        self.start_as_is(args)
    }

    /// Starts the binary with whatever `providers.yaml` is there.
    pub(crate) fn start_as_is(&self, args: &[&str]) -> Run {
        Run::start(statuswatch(self.dir.path()).args(args))
    }

    /// Starts the binary with this as its standard input.
    pub(crate) fn start_with(&self, args: &[&str], input: std::fs::File) -> Run {
        self.write();
        Run::start(statuswatch(self.dir.path()).args(args).stdin(input))
    }

    /// Runs a command that ends by itself.
    pub(crate) fn output(&self, args: &[&str]) -> (Output, String, String) {
        let output = statuswatch(self.dir.path()).args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        (output, out, err)
    }

    /// `status --json`; `None` while there is nothing to be read.
    pub(crate) fn status(&self) -> Option<Value> {
        let (output, out, _) = self.output(&["status", "--json"]);
        output.status.success().then(|| serde_json::from_str(&out).unwrap())
    }

    /// One provider of `status --json`.
    pub(crate) fn status_of(&self, id: &str) -> Option<Value> {
        self.status()?["providers"]
            .as_array()?
            .iter()
            .find(|provider| provider["id"] == id)
            .cloned()
    }

    /// What the program has said about itself so far.
    pub(crate) fn diagnostics(&self) -> String {
        let files = std::fs::read_dir(self.path("diagnostics")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    }

    /// The event log so far, whole lines only.
    pub(crate) fn events(&self) -> Vec<Value> {
        events_in(&self.path("logs/events.jsonl"))
    }

    /// Waits until the event log holds so many.
    pub(crate) async fn wait_events(&self, count: usize) -> Vec<Value> {
        let found = until(&format!("{count} events"), || {
            Some(self.events()).filter(|events| events.len() >= count)
        })
        .await;
        assert_eq!(found.len(), count, "{found:#?}");
        found
    }
}

/// The events in a log file, whole lines only; none where there is no file.
pub(crate) fn events_in(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn statuswatch(dir: &Path) -> Command {
    program(env!("CARGO_BIN_EXE_statuswatch"), dir)
}

/// The binary in `dir`, without anything of the environment that it would read.
fn program(binary: &str, dir: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(dir).stdin(Stdio::null());
    for name in [
        "STATUSWATCH_CONFIG",
        "STATUSWATCH_STATE",
        "HOSTED_MODE",
        "NO_COLOR",
        "NOTIFY_SOCKET",
        "WATCHDOG_USEC",
    ] {
        command.env_remove(name);
    }
    command
}

type Captured = Arc<Mutex<Vec<u8>>>;

/// The binary at work; killed when dropped.
pub(crate) struct Run {
    child: Child,
    out: Captured,
    err: Captured,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Run {
    /// Starts a command with both its outputs kept.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_out(command, Stdio::piped())
    }

    /// The same with another standard output, of which nothing is kept unless it is a pipe of ours.
    pub(crate) fn start_with_out(command: &mut Command, stdout: Stdio) -> Self {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        // What is handed to the child must not stay open here.
        command.stdout(Stdio::null());
        let (out, err) = (Captured::default(), Captured::default());
        let kept = child.stdout.take().map(|stdout| capture(stdout, Arc::clone(&out)));
        let mut readers = vec![capture(child.stderr.take().unwrap(), Arc::clone(&err))];
        readers.extend(kept);
        Self { child, out, err, readers }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has written to standard output so far.
    pub(crate) fn out(&self) -> String {
        text(&self.out)
    }

    /// What it has written to standard error so far.
    pub(crate) fn err(&self) -> String {
        text(&self.err)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has ended; gives how, after how long, and everything it wrote.
    pub(crate) async fn ended(mut self) -> Ended {
        let begun = Instant::now();
        let status = until("the end of the process", || self.child.try_wait().unwrap()).await;
        let took = begun.elapsed();
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        Ended { status, took, out: self.out(), err: self.err() }
    }

    /// Waits until a line of standard error holds this.
    pub(crate) async fn wait_err(&self, part: &str) {
        until_true(&format!("\"{part}\" on standard error"), || self.err().contains(part)).await;
    }

    /// Ends it in order, unless it has ended by itself.
    pub(crate) async fn stop_or_ended(mut self) -> Ended {
        if self.is_running() {
            self.signal(Signal::TERM);
        }
        self.ended().await
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Ended already, or the test failed and said why.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    /// Since it was waited for.
    pub(crate) took: Duration,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// The exit status; `None` where a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

fn capture(mut from: impl Read + Send + 'static, into: Captured) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read) = from.read(&mut buffer) {
            if read == 0 {
                return;
            }
            into.lock().unwrap().extend_from_slice(&buffer[..read]);
        }
    })
}

fn text(captured: &Captured) -> String {
    String::from_utf8(captured.lock().unwrap().clone()).unwrap()
}
