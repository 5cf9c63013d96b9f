//! Delivery: messages a second to one local webhook, the delay from a recorded event to its request,
//! and the memory of long backlogs.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::{Actor, Addr};
use statuswatch::dispatch::Setup;
use statuswatch::dispatch::actor::Dispatcher;
use statuswatch::fetch::{Client, ClientOptions};
use statuswatch::ledger::{
    Checkpoint, Ledger, LedgerActor, LedgerOptions, Record, StateLock, Watch,
};
use statuswatch::sink::actor::Drain;
use statuswatch::transport::Transport;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::measure::{Look, percentile};
use crate::watched::{provider, snapshot};

/// Events of the first table; each provider is one thread of 20.
const EVENTS: usize = 20_000;

/// Events recorded one by one for the second table.
const SINGLE: usize = 300;

/// Channels and messages of the third.
const CHANNELS: usize = 20;
const WAITING: usize = 10_000;

/// Prints the tables.
pub(crate) fn run() {
    println!("\n| {EVENTS} events to one webhook, in order per incident | |\n|---|---|");
    let (wall, cpu) = actix::System::new().block_on(throughput());
    println!("| deliveries/s | {:.0} |", EVENTS as f64 / wall.as_secs_f64());
    println!(
        "| CPU per delivery, receiver included | {:.0} µs |",
        cpu.as_secs_f64() * 1e6 / EVENTS as f64
    );

    println!("\n| recorded to request received, idle | |\n|---|---|");
    let mut delays = actix::System::new().block_on(delays());
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("worst", 1.0)] {
        println!("| {name} | {:.1} ms |", percentile(&mut delays, share));
    }

    println!(
        "\n| {CHANNELS} channels that do not answer, {WAITING} messages waiting in each | |\n|---|---|"
    );
    let (before, after) = actix::System::new().block_on(backlog());
    println!("| memory before | {before:.1} MB |");
    println!("| memory added | {:.1} MB |", after - before);
}

/// A receiver that answers 200 to everything, on a thread of its own.
struct Receiver {
    port: u16,
    count: Arc<AtomicUsize>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (count, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
        let (counted, at) = (Arc::clone(&count), Arc::clone(&last));
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(serve(stream, Arc::clone(&counted), Arc::clone(&at)));
                }
            });
        });
        Self { port, count, last }
    }

    async fn wait_for(&self, count: usize) {
        let begun = Instant::now();
        while self.count.load(Ordering::Relaxed) < count {
            assert!(begun.elapsed() < Duration::from_mins(5), "never delivered");
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

async fn serve(
    mut stream: tokio::net::TcpStream,
    count: Arc<AtomicUsize>,
    last: Arc<Mutex<Option<Instant>>>,
) {
    let mut buffer = Vec::new();
    loop {
        // Headers, then as many bytes as they say.
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length: usize = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        buffer.drain(..head + length);
        *last.lock().unwrap() = Some(Instant::now());
        count.fetch_add(1, Ordering::Relaxed);
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
            return;
        }
    }
}

/// A ledger and what records into it.
struct Rig {
    dir: tempfile::TempDir,
    actor: Addr<LedgerActor>,
    ledger: Ledger,
    providers: Vec<Arc<statuswatch::config::Provider>>,
    _lock: StateLock,
}

impl Rig {
    async fn new(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lock = StateLock::acquire(dir.path()).unwrap();
        let (fatal, keep) = tokio::sync::mpsc::unbounded_channel();
        std::mem::forget(keep);
        let options = LedgerOptions {
            state_dir: dir.path().to_owned(),
            shared: None,
            keep: Duration::from_hours(24),
            fatal,
            metrics: Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        };
        let first = LedgerActor::open(options).unwrap();
        let actor = LedgerActor::start_in_arbiter(&actix::Arbiter::new().handle(), |_| first);
        let ledger = Ledger::default();
        ledger.replace(actor.clone());
        let providers: Vec<_> = (0..count)
            .map(|n| provider(format!("provider-{n}"), "https://status.bench.example/"))
            .collect();
        let watch = Watch {
            providers: providers.clone(),
            died: Vec::new(),
            real_intervals: std::collections::HashMap::new(),
            shards: None,
        };
        actor.send(watch).await.unwrap().unwrap();
        let rig = Self { dir, actor, ledger, providers, _lock: lock };
        for n in 0..count {
            // The baseline.
            rig.record(n, 0).await;
        }
        rig
    }

    async fn record(&self, provider: usize, updates: usize) {
        let record = Record {
            provider: Arc::clone(&self.providers[provider]),
            generation: 1,
            snapshot: Box::new(snapshot(updates, chrono::Utc::now())),
            checkpoint: Checkpoint::default(),
            complete: true,
            observed_at: chrono::Utc::now(),
        };
        self.actor.send(record).await.unwrap().unwrap();
    }

    fn dispatcher(&self, channels: &str) -> Addr<Dispatcher> {
        let text = format!("channels:\n{channels}\nproviders: [github]\n");
        let loaded = statuswatch::config::parse(Path::new("bench.yaml"), &text, &|_| None).unwrap();
        let setup = Arc::new(Setup::new(&loaded.config));
        let client = Client::new(ClientOptions::default()).unwrap();
        let transport = Transport::new(&client).unwrap();
        let (ledger, dir) = (self.ledger.clone(), self.dir.path().to_owned());
        Dispatcher::start_in_arbiter(&actix::Arbiter::new().handle(), move |_| {
            Dispatcher::new(
                setup,
                ledger,
                dir,
                transport,
                Arc::default(),
                statuswatch::lease::Lease::always(),
                None,
            )
        })
    }
}

fn hook(id: &str, port: u16) -> String {
    format!("  {id}: {{kind: webhook, url: \"http://127.0.0.1:{port}/hook\"}}\n")
}

async fn throughput() -> (Duration, Duration) {
    const LENGTH: usize = 20;
    let rig = Rig::new(EVENTS / LENGTH).await;
    let receiver = Receiver::start();
    let dispatcher = rig.dispatcher(&hook("hook", receiver.port));
    // It is registered: a new dispatcher begins with the next event.
    assert!(dispatcher.send(Drain).await.unwrap());
    let (wall, cpu) = (Instant::now(), crate::measure::cpu());
    for n in 0..EVENTS / LENGTH {
        rig.record(n, LENGTH).await;
    }
    receiver.wait_for(EVENTS).await;
    (wall.elapsed(), crate::measure::cpu() - cpu)
}

async fn delays() -> Vec<f64> {
    let rig = Rig::new(SINGLE).await;
    let receiver = Receiver::start();
    let dispatcher = rig.dispatcher(&hook("hook", receiver.port));
    assert!(dispatcher.send(Drain).await.unwrap());
    rig.record(0, 1).await;
    receiver.wait_for(1).await;
    let mut delays = Vec::new();
    for n in 1..SINGLE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        rig.record(n, 1).await;
        let recorded = Instant::now();
        receiver.wait_for(n + 1).await;
        let at = receiver.last.lock().unwrap().unwrap();
        delays.push(at.saturating_duration_since(recorded).as_secs_f64() * 1e3);
    }
    delays
}

async fn backlog() -> (f64, f64) {
    const LENGTH: usize = 20;
    let memory = || Look::at(std::process::id()).rss_mb;
    let rig = Rig::new(WAITING / LENGTH).await;
    // Nothing listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let channels: String = (0..CHANNELS).map(|n| hook(&format!("hook-{n}"), port)).collect();
    let dispatcher = rig.dispatcher(&channels);
    assert!(dispatcher.send(Drain).await.unwrap());
    let before = memory();
    for n in 0..WAITING / LENGTH {
        rig.record(n, LENGTH).await;
    }
    let reader = statuswatch::ledger::Reader::open(rig.dir.path()).unwrap();
    let begun = Instant::now();
    while reader.waiting_count("hook-19").unwrap() < WAITING as u32 {
        assert!(begun.elapsed() < Duration::from_mins(5), "never routed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (before, memory())
}
