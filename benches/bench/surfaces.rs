//! What the HTTP server and `top` cost: the program with ten thousand providers, all of them polled,
//! and a ledger of a million events.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{Look, median, percentile};
use crate::scale::{command, configure, start, stop, wait};
use crate::server::Server;
use crate::views::{EVENTS, fill};

const PROVIDERS: usize = 10_000;
/// How often each provider is polled.
const INTERVAL: Duration = Duration::from_secs(30);
/// Connections to the stream of events, and how many of them never read.
const CLIENTS: usize = 200;
const SILENT: usize = 50;

/// Prints the table.
pub(crate) fn run() {
    let mut server = Server::start(PROVIDERS, false, Some(10_000));
    let dir = tempfile::tempdir().unwrap();
    let config = configure(dir.path(), &server, PROVIDERS, INTERVAL);
    let listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut text = std::fs::read_to_string(&config).unwrap();
    writeln!(text, "http: {{listen: \"{listen}\"}}").unwrap();
    std::fs::write(&config, text).unwrap();
    let pem = dir.path().join("none.pem");
    std::fs::write(&pem, rcgen_authority()).unwrap();

    // The first start declares the providers and reads every page.
    let (child, _) = start(dir.path(), &config, &pem);
    wait(INTERVAL * 2);
    stop(child);
    let ledger = dir.path().join("state/ledger.db");
    forget(&ledger);
    fill(&ledger);
    deliver_all(&ledger);

    let (child, ready) = start(dir.path(), &config, &pem);
    wait(INTERVAL);
    println!(
        "\n| figure | {PROVIDERS} providers every {} s, {EVENTS} events |\n|---|---|",
        INTERVAL.as_secs()
    );
    let row = |name: &str, value: String| println!("| {name} | {value} |");
    row("start to ready", format!("{:.0} ms", ready.as_secs_f64() * 1e3));
    for (name, path) in [
        ("dashboard", "/"),
        ("`/metrics`", "/metrics"),
        ("`/api/v1/events`, a page of 500", "/api/v1/events?limit=500&after=500000"),
        ("`/api/v1/status`", "/api/v1/status"),
    ] {
        let answer = Timed::of(listen, path);
        row(
            &format!("{name}: first byte / last byte / size"),
            format!(
                "{:.1} ms / {:.1} ms / {:.1} KB",
                answer.first,
                answer.last,
                answer.body.len() as f64 / 1e3
            ),
        );
        if path == "/metrics" {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let series = text.lines().filter(|line| !line.starts_with('#')).count();
            row("series in it", series.to_string());
        }
    }
    streams(&mut server, listen, &child, &row);
    top(dir.path(), &config, &pem, &row);
    stop(child);
}

/// An authority that nothing uses: the program must be given one.
fn rcgen_authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem()
}

/// Removes the events of the first start, whose place [`fill`] takes.
fn forget(ledger: &Path) {
    rusqlite::Connection::open(ledger).unwrap().execute("DELETE FROM event", []).unwrap();
}

/// Marks every event as delivered: the event log would be written first otherwise.
fn deliver_all(ledger: &Path) {
    let db = rusqlite::Connection::open(ledger).unwrap();
    db.execute("UPDATE sink SET seq = ?1", [EVENTS.cast_signed()]).unwrap();
}

/// An answer and how long it took, the median of 21 requests.
struct Timed {
    first: f64,
    last: f64,
    body: Vec<u8>,
}

impl Timed {
    fn of(listen: SocketAddr, path: &str) -> Self {
        let (mut firsts, mut lasts, mut body) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..21 {
            body.clear();
            let begun = Instant::now();
            let mut stream = request(listen, path);
            let mut byte = [0; 1];
            stream.read_exact(&mut byte).unwrap();
            firsts.push(begun.elapsed().as_secs_f64() * 1e3);
            body.push(byte[0]);
            stream.read_to_end(&mut body).unwrap();
            lasts.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        assert!(body.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&body[..200]));
        Self { first: median(&mut firsts), last: median(&mut lasts), body }
    }
}

fn request(listen: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(listen).unwrap();
    stream.set_nodelay(true).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

/// Streams to many clients while pages change: memory, and what the pollers notice of it.
fn streams(server: &mut Server, listen: SocketAddr, child: &Child, row: &dyn Fn(&str, String)) {
    let change = |server: &mut Server| {
        server.stats();
        server.publish(0, PROVIDERS / 10);
        wait(INTERVAL);
        server.stats()
    };
    let alone = change(server);
    let before = Look::at(child.id());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let mut stream = request(listen, "/api/v1/stream");
            if n >= SILENT {
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    let mut bytes = 0;
                    while let Ok(read @ 1..) = stream.read(&mut buffer) {
                        bytes += read;
                    }
                    bytes
                });
                None
            } else {
                Some(stream)
            }
        })
        .collect();
    let streaming = change(server);
    let after = Look::at(child.id());
    row(
        &format!("{CLIENTS} streams, {SILENT} of them not read: memory added"),
        format!("{:.1} MB", after.rss_mb - before.rss_mb),
    );
    row(
        "gap between polls p50 / p99 without and with them",
        format!(
            "{:.2} s / {:.2} s, {:.2} s / {:.2} s",
            alone.gap_p50_ms / 1e3,
            alone.gap_p99_ms / 1e3,
            streaming.gap_p50_ms / 1e3,
            streaming.gap_p99_ms / 1e3
        ),
    );
    drop(clients);
}

/// Times the first frame of `top` that shows the ledger, and what it costs at rest.
fn top(dir: &Path, config: &Path, pem: &Path, row: &dyn Fn(&str, String)) {
    let inner = command(config, pem);
    let words: Vec<_> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .chain(["top".to_owned()])
        .collect();
    let mut firsts = Vec::new();
    let mut rest = f64::NAN;
    for round in 0..5 {
        let begun = Instant::now();
        // `script` gives it a terminal.
        let mut child = Command::new("script")
            .args(["-q", "-c", &format!("stty rows 50 cols 160; exec {}", words.join(" "))])
            .arg(dir.join("typescript"))
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (mut seen, mut buffer) = (Vec::new(), vec![0; 65_536]);
        // As much of the count as a frame that replaces an empty one writes in one piece.
        let counted = format!("/{PROVIDERS}");
        while !String::from_utf8_lossy(&seen).contains(&counted) {
            let read = output.read(&mut buffer).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..read]);
        }
        firsts.push(begun.elapsed().as_secs_f64() * 1e3);
        let reader = std::thread::spawn(move || drop(output.read_to_end(&mut Vec::new())));
        if round == 4 {
            let pid = grandchild(child.id());
            let before = Look::at(pid).cpu;
            wait(Duration::from_secs(20));
            rest = (Look::at(pid).cpu - before).as_secs_f64() / 20.0 * 100.0;
        }
        child.stdin.take().unwrap().write_all(b"q").unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
    }
    row(
        "`top`: first frame with the providers / worst of five",
        format!("{:.0} / {:.0} ms", median(&mut firsts), percentile(&mut firsts, 1.0)),
    );
    row("`top` at rest, of one core", format!("{rest:.1} %"));
}

/// Returns the process that `script` runs.
fn grandchild(pid: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}
