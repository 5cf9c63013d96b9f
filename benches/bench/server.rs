//! Fake providers in separate processes: `server COUNT plain|tls SIZE FIRST`, each provider with its
//! own address in 127.0.0.0/8.
//!
//! Commands on standard input, one per line, are answered with one line each: `publish FROM COUNT`,
//! `changing on|off`, `stats` (which resets the counters). It exits at the end of input.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::documents::{Story, Version};
use crate::measure::percentile;

/// Sizes in bytes of the providers' first documents, in rotation: 10 to 60 KB, one in twenty 200
/// KB.
const SIZES: [usize; 5] = [10_000, 20_000, 35_000, 50_000, 60_000];
const LARGE: usize = 200_000;

/// The most providers of one process, which is below the usual limit of open files.
pub(crate) const PART: usize = 15_000;

/// Returns the address of provider `n`.
pub(crate) fn address(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 1 + (n / 62_500) as u8, (n / 250 % 250) as u8, 1 + (n % 250) as u8)
}

/// The server's counters since they were last requested.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) requests: u64,
    pub(crate) not_modified: u64,
    pub(crate) connections: u64,
    pub(crate) bytes: u64,
    pub(crate) gap_p50_ms: f64,
    pub(crate) gap_p99_ms: f64,
}

/// A handle to the server processes.
pub(crate) struct Server {
    parts: Vec<Part>,
    pub(crate) tls: bool,
    /// The PEM certificates of their authorities; empty without TLS.
    pub(crate) pem: String,
}

/// One server process, with [`PART`] providers at most.
struct Part {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    port: u16,
    pem: String,
}

impl Server {
    /// Starts servers with `count` providers; `size` sets the size of all documents.
    pub(crate) fn start(count: usize, tls: bool, size: Option<usize>) -> Self {
        let parts: Vec<Part> = (0..count)
            .step_by(PART)
            .map(|first| Part::start(first, PART.min(count - first), tls, size))
            .collect();
        let pem = parts.iter().map(|part| part.pem.as_str()).collect();
        Self { parts, tls, pem }
    }

    /// Changes the pages of `count` providers from `from` on.
    pub(crate) fn publish(&mut self, from: usize, count: usize) {
        let end = from + count;
        for (part, first) in self.parts.iter_mut().zip((0..).step_by(PART)) {
            let (from, end) = (from.max(first), end.min(first + PART));
            if from < end {
                part.ask(&format!("publish {} {}", from - first, end - from));
            }
        }
    }

    /// Makes every request for a first document find it changed.
    pub(crate) fn changing(&mut self, on: bool) {
        for part in &mut self.parts {
            part.ask(if on { "changing on" } else { "changing off" });
        }
    }

    /// Returns and resets the counters. Of several processes, the gaps are those of the worst.
    pub(crate) fn stats(&mut self) -> Stats {
        let mut sum = Stats::default();
        for part in &mut self.parts {
            let stats: Stats = serde_json::from_str(&part.ask("stats")).unwrap();
            sum.requests += stats.requests;
            sum.not_modified += stats.not_modified;
            sum.connections += stats.connections;
            sum.bytes += stats.bytes;
            sum.gap_p50_ms = sum.gap_p50_ms.max(stats.gap_p50_ms);
            sum.gap_p99_ms = sum.gap_p99_ms.max(stats.gap_p99_ms);
        }
        sum
    }

    /// Returns the port of each process, in the order of their providers.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.parts.iter().map(|part| part.port).collect()
    }

    /// Returns the address of provider `n`'s first document.
    pub(crate) fn url(&self, n: usize) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}/api/v2/summary.json", address(n), self.parts[n / PART].port)
    }
}

impl Part {
    fn start(first: usize, count: usize, tls: bool, size: Option<usize>) -> Self {
        let program = std::env::current_exe().unwrap();
        let kind = if tls { "tls" } else { "plain" };
        let numbers = [count, size.unwrap_or(0), first].map(|number| number.to_string());
        let mut child = Command::new(program)
            .args(["server", &numbers[0], kind, &numbers[1], &numbers[2]])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut part = Self { child, input, output, port: 0, pem: String::new() };
        (part.port, part.pem) = serde_json::from_str(&part.line()).unwrap();
        part
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self, wish: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{wish}").unwrap();
        self.line()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.input.take());
        drop(self.child.wait());
    }
}

struct Hosts {
    stories: Vec<Story>,
    hosts: Vec<Host>,
    changing: bool,
    stats: Stats,
    gaps: Vec<f64>,
    began: Instant,
}

#[derive(Clone, Default)]
struct Host {
    story: usize,
    version: usize,
    last: Option<f64>,
}

impl Hosts {
    fn answer(&mut self, host: usize, head: &str) -> (String, bytes::Bytes) {
        let path = head.split(' ').nth(1).unwrap_or("");
        let first = path.ends_with("summary.json");
        self.stats.requests += 1;
        let known = &mut self.hosts[host];
        if first {
            let now = self.began.elapsed().as_secs_f64() * 1e3;
            self.gaps.extend(known.last.map(|last| now - last));
            known.last = Some(now);
            known.version += usize::from(self.changing);
        }
        let etag = format!("\"{}-{}\"", known.story, known.version);
        if first && header(head, "if-none-match") == Some(etag.as_str()) {
            self.stats.not_modified += 1;
            return (
                format!("HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n"),
                bytes::Bytes::new(),
            );
        }
        let Version { summary, incidents, maintenances } =
            self.stories[known.story].at(known.version);
        let body = match path.rsplit('/').next() {
            Some("summary.json") => summary,
            Some("incidents.json") => incidents,
            Some("scheduled-maintenances.json") => maintenances,
            _ => {
                return (
                    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
                    bytes::Bytes::new(),
                );
            }
        };
        self.stats.bytes += body.len() as u64;
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nETag: {etag}\r\nContent-Length: {length}\r\n\r\n"
        );
        (head, body.clone())
    }

    fn wish(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["publish", from, count] => {
                let (from, count): (usize, usize) = (from.parse().unwrap(), count.parse().unwrap());
                for host in self.hosts.iter_mut().skip(from).take(count) {
                    host.version += 1;
                    // Rendered now, so that readers need not wait for the writer.
                    self.stories[host.story].at(host.version);
                }
                "{}".to_owned()
            }
            ["changing", how] => {
                self.changing = *how == "on";
                "{}".to_owned()
            }
            _ => {
                let mut gaps = std::mem::take(&mut self.gaps);
                let mut stats = std::mem::take(&mut self.stats);
                stats.gap_p50_ms = if gaps.is_empty() { 0.0 } else { percentile(&mut gaps, 0.5) };
                stats.gap_p99_ms = if gaps.is_empty() { 0.0 } else { percentile(&mut gaps, 0.99) };
                serde_json::to_string(&stats).unwrap()
            }
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Serves until the end of standard input.
pub(crate) fn run(arguments: &[&str]) {
    let count: usize = arguments[0].parse().unwrap();
    let tls = arguments[1] == "tls";
    let size: usize = arguments[2].parse().unwrap();
    let first: usize = arguments[3].parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, serve(first, count, tls, size));
}

async fn serve(first: usize, count: usize, tls: bool, size: usize) {
    let sizes: Vec<usize> =
        if size > 0 { vec![size] } else { SIZES.into_iter().chain([LARGE]).collect() };
    let stories: Vec<Story> = sizes.iter().map(|&size| Story::new(size)).collect();
    let story = |n: usize| match (size, n % 20) {
        (1.., _) => 0,
        (_, 19) => SIZES.len(),
        (_, n) => n % SIZES.len(),
    };
    let hosts =
        (first..first + count).map(|n| Host { story: story(n), ..Host::default() }).collect();
    let hosts = Rc::new(RefCell::new(Hosts {
        stories,
        hosts,
        changing: false,
        stats: Stats::default(),
        gaps: Vec::new(),
        began: Instant::now(),
    }));
    let authority = tls.then(Authority::new);
    let pem = authority.as_ref().map(|authority| authority.pem.clone()).unwrap_or_default();
    let mut port = 0;
    for n in 0..count {
        let listener = TcpListener::bind((address(first + n), port))
            .await
            .expect("an address of its own for each provider: see ulimit -n");
        port = listener.local_addr().unwrap().port();
        let acceptor = authority.as_ref().map(|authority| authority.acceptor(address(first + n)));
        let hosts = Rc::clone(&hosts);
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (hosts, acceptor) = (Rc::clone(&hosts), acceptor.clone());
                hosts.borrow_mut().stats.connections += 1;
                drop(socket.set_nodelay(true));
                tokio::task::spawn_local(async move {
                    match acceptor {
                        None => talk(socket, &hosts, n).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(socket).await {
                                talk(stream, &hosts, n).await;
                            }
                        }
                    }
                });
            }
        });
    }
    println!("{}", serde_json::to_string(&(port, pem)).unwrap());
    let (sender, mut wishes) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = wishes.recv().await {
        let answer = hosts.borrow_mut().wish(&line);
        println!("{answer}");
    }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    hosts: &Rc<RefCell<Hosts>>,
    host: usize,
) {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if !buffer.ends_with(b"\r\n\r\n") {
            continue;
        }
        let (head, body) = hosts.borrow_mut().answer(host, &String::from_utf8_lossy(&buffer));
        buffer.clear();
        let mut answer = head.into_bytes();
        answer.extend_from_slice(&body);
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// A temporary authority with a certificate for each address, all sharing one key.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
    pem: String,
    ticketer: Arc<dyn rustls::server::ProducesTickets>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        Self { issuer: Issuer::new(params, key), key: KeyPair::generate().unwrap(), pem, ticketer }
    }

    fn acceptor(&self, address: Ipv4Addr) -> tokio_rustls::TlsAcceptor {
        let certificate = CertificateParams::new(vec![address.to_string()])
            .unwrap()
            .signed_by(&self.key, &self.issuer)
            .unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
        config.ticketer = Arc::clone(&self.ticketer);
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        tokio_rustls::TlsAcceptor::from(Arc::new(config))
    }
}
