//! Measures the release binary against N fake providers, and the bare fetch loop at the same rate
//! against the same providers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{Look, percentile};
use crate::server::Server;

/// Pages that change within a second: this many, or a tenth of all.
const STORM: usize = 1_000;

/// Returns the path of the program that this benchmark belongs to.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_statuswatch"))
}

/// Measures `count` providers at an interval of `seconds`, over TLS or plain HTTP, and prints the
/// table.
pub(crate) fn run(count: usize, seconds: u64, tls: bool) {
    let mut server = Server::start(count, tls, None);
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("authority.pem");
    std::fs::write(&pem, &server.pem).unwrap();
    let config = configure(dir.path(), &server, count, Duration::from_secs(seconds));
    let how = if tls { "TLS" } else { "plain HTTP" };
    println!("\n| figure | {count} providers, {how}, every {seconds} s |\n|---|---|");
    let row = |name: &str, value: String| println!("| {name} | {value} |");

    let (child, ready) = start(dir.path(), &config, &pem);
    row("start to ready, new ledger", format!("{:.0} ms", ready.as_secs_f64() * 1e3));
    let first = first_round(&mut server, seconds);
    let baseline = Look::at(child.id());
    row(
        "first round of polls, to an interval without a page in full",
        format!("{:.0} s, {:.0} s of CPU", first.as_secs_f64(), baseline.cpu.as_secs_f64()),
    );
    server.stats();
    let before = Look::at(child.id());
    wait(Duration::from_secs(seconds * 2));
    let (after, stats) = (Look::at(child.id()), server.stats());
    let spent = after.cpu - before.cpu;
    let polls = stats.requests.max(1) as f64;
    let ours = spent.as_secs_f64() * 1e6 / polls;
    row("polls measured", format!("{} in {} s", stats.requests, seconds * 2));
    row("requests per poll", format!("{:.2}", stats.requests as f64 / (count * 2) as f64));
    row("share of 304", format!("{:.1} %", stats.not_modified as f64 / polls * 100.0));
    row("new connections per poll", format!("{:.2}", stats.connections as f64 / polls));
    row("CPU per quiet poll", format!("{ours:.0} µs"));
    row("one core's share", format!("{:.1} %", spent.as_secs_f64() / (seconds * 2) as f64 * 100.0));
    row(
        "gap between polls p50 / p99",
        format!("{:.2} s / {:.2} s", stats.gap_p50_ms / 1e3, stats.gap_p99_ms / 1e3),
    );
    row(
        "memory at rest",
        format!(
            "{:.1} MB, {:.1} KB a provider",
            after.rss_mb,
            after.rss_mb * 1024.0 / count as f64
        ),
    );
    row(
        "memory at its peak, first polls included",
        format!("{:.1} MB", baseline.peak_mb.max(after.peak_mb)),
    );
    row("threads / descriptors", format!("{} / {}", after.threads, after.descriptors));
    let minutes = (seconds * 2) as f64 / 60.0;
    let bytes = (after.written - before.written) as f64 / minutes;
    row("written to disk a minute, quiet", format!("{:.0} KB", bytes / 1024.0));
    let switches = (after.voluntary - before.voluntary) as f64;
    row("wake-ups per poll", format!("{:.1}", switches / polls));

    storm(&mut server, child.id(), dir.path(), count, seconds, &row);
    stop(child);
    let (child, again) = start(dir.path(), &config, &pem);
    row(
        "start to ready, with the ledger of before",
        format!("{:.0} ms", again.as_secs_f64() * 1e3),
    );
    row(
        "the ledger's size",
        format!(
            "{:.1} MB",
            std::fs::metadata(dir.path().join("state/ledger.db")).unwrap().len() as f64 / 1e6
        ),
    );
    let begun = Instant::now();
    let output = command(&config, &pem).arg("status").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    row("`status`", format!("{:.0} ms", begun.elapsed().as_secs_f64() * 1e3));
    stop(child);

    let bare = bare(&server, count, seconds, &pem);
    row("CPU per quiet poll of a bare fetch loop", format!("{bare:.0} µs"));
    row("ratio to it", format!("{:.2}", ours / bare));
}

/// Waits for two intervals, and on until no page was read in full for one: no first poll is to be
/// part of what is measured. Returns how long that took; gives up after thirty intervals.
pub(crate) fn first_round(server: &mut Server, seconds: u64) -> Duration {
    let begun = Instant::now();
    wait(Duration::from_secs(seconds + 2));
    server.stats();
    for _ in 1..30 {
        wait(Duration::from_secs(seconds));
        let stats = server.stats();
        if stats.requests > 0 && stats.not_modified == stats.requests {
            break;
        }
    }
    begun.elapsed()
}

pub(crate) fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

/// Returns the configuration of `count` providers, with everything below `dir`.
pub(crate) fn configure(dir: &Path, server: &Server, count: usize, interval: Duration) -> PathBuf {
    let interval = format!("{}ms", interval.as_millis());
    let mut text = format!(
        "state_dir: {0}/state\nevent_log:\n  dir: {0}/log\ndiagnostics:\n  dir: {0}/log\ndefaults:\n  interval: {interval}\n  incident_interval: {interval}\nproviders:\n",
        dir.display()
    );
    for n in 0..count {
        let url = server.url(n);
        writeln!(
            text,
            "  - {{id: provider-{n}, name: Provider {n}, url: \"{url}\", source: statuspage}}"
        )
        .unwrap();
    }
    let path = dir.join("providers.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

pub(crate) fn command(config: &Path, pem: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("--config").arg(config).stdin(Stdio::null());
    if std::fs::metadata(pem).is_ok_and(|file| file.len() > 0) {
        command.env("SSL_CERT_FILE", pem);
    }
    command
}

/// Starts the program and waits until it reports readiness to the service manager, which is this
/// process.
pub(crate) fn start(dir: &Path, config: &Path, pem: &Path) -> (Child, Duration) {
    let path = dir.join("notify");
    drop(std::fs::remove_file(&path));
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let begun = Instant::now();
    let child = command(config, pem)
        .args(["run", "--hosted"])
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut buffer = [0; 256];
    loop {
        let length = socket.recv(&mut buffer).expect("ready within a minute");
        if buffer[..length].windows(7).any(|part| part == b"READY=1") {
            return (child, begun.elapsed());
        }
    }
}

/// Asks the process to exit, and waits.
pub(crate) fn stop(mut child: Child) {
    let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap();
}

/// Follows the event log.
pub(crate) struct Tail {
    path: PathBuf,
    offset: u64,
}

impl Tail {
    /// Starts at the current end of the log below `dir`.
    pub(crate) fn end_of(dir: &Path) -> Self {
        let path = dir.join("log/events.jsonl");
        let offset = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        Self { path, offset }
    }

    /// Returns the providers of the lines added since the last call.
    pub(crate) fn providers(&mut self) -> Vec<String> {
        let Ok(mut file) = std::fs::File::open(&self.path) else {
            return Vec::new();
        };
        file.seek(SeekFrom::Start(self.offset)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.offset += whole as u64;
        let provider = |line: &str| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["provider"]
                .as_str()
                .map(str::to_owned)
        };
        text[..whole].lines().filter_map(provider).collect()
    }
}

/// Changes many pages within a second and waits until each appears in the event log.
fn storm(
    server: &mut Server,
    pid: u32,
    dir: &Path,
    count: usize,
    seconds: u64,
    row: &dyn Fn(&str, String),
) {
    let pages = STORM.min(count / 10).max(1);
    let (quiet, mut log) = (Look::at(pid), Tail::end_of(dir));
    let (mut published, mut seen): (HashMap<String, Instant>, Vec<f64>) =
        (HashMap::new(), Vec::new());
    let begun = Instant::now();
    for part in 0..10 {
        let (from, to) = (pages * part / 10, pages * (part + 1) / 10);
        server.publish(from, to - from);
        published.extend((from..to).map(|n| (format!("provider-{n}"), Instant::now())));
        wait(Duration::from_millis(100).saturating_sub(Duration::from_millis(2)));
    }
    let mut peak = 0.0_f64;
    while !published.is_empty() && begun.elapsed() < Duration::from_secs(seconds * 2) {
        wait(Duration::from_millis(20));
        peak = peak.max(Look::at(pid).rss_mb);
        for provider in log.providers() {
            if let Some(at) = published.remove(&provider) {
                seen.push(at.elapsed().as_secs_f64() / seconds as f64);
            }
        }
    }
    let missing = published.len();
    let (half, most) = (percentile(&mut seen, 0.5), percentile(&mut seen, 0.99));
    let last = seen.last().copied().unwrap_or(f64::NAN);
    let spent = Look::at(pid).cpu - quiet.cpu;
    row(
        &format!("storm of {pages} pages: to the line in the log, p50 / p99 / last"),
        format!("{half:.2} / {most:.2} / {last:.2} intervals"),
    );
    row("storm: lines missing after two intervals", missing.to_string());
    row("storm: memory peak", format!("{peak:.1} MB"));
    row("storm: CPU", format!("{:.2} s", spent.as_secs_f64()));
}

fn bare(server: &Server, count: usize, seconds: u64, pem: &Path) -> f64 {
    let ports: Vec<String> = server.ports().iter().map(u16::to_string).collect();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["bare", &ports.join(","), &count.to_string(), &seconds.to_string(), "3"])
        .arg(pem)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}
