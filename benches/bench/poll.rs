//! Compares a poll with a bare fetch of the same documents, alternating in one run. Measures the
//! CPU time of this process; the fake providers run in another one.

use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use futures::StreamExt;
use reqwest::header::HeaderValue;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use statuswatch::clock::Anchor;
use statuswatch::config::{Provider, Rotation};
use statuswatch::fetch::ClientOptions;
use statuswatch::ledger::{self, Ledger, LedgerActor, Record, Unchanged, Watch};
use statuswatch::poller::PollerContext;
use statuswatch::poller::admission::Admission;
use statuswatch::poller::cycle::{self, PollOutcome, Start};
use statuswatch::poller::filters::ComparedFilters;
use statuswatch::poller::parse_pool::ParsePool;
use statuswatch::sink::actor::SinkActor;
use statuswatch::sink::{EventLogSink, LogFileFormat};

use crate::bare;
use crate::measure::{cpu, median};
use crate::server::Server;
use crate::watched::provider;

const HOSTS: usize = 2_000;
const AT_ONCE: usize = 8;
/// Changed pages wait for the ledger's disk together, as in a burst of incidents.
const AT_ONCE_CHANGED: usize = 64;
const ROUNDS: usize = 15;

/// The minimum time between two requests to one host.
const APART: Duration = Duration::from_millis(260);

/// Prints the table. `only` selects the rows whose name contains it.
pub(crate) fn run(only: Option<&str>) {
    println!(
        "\n| poll of a 50 KB page | bare fetch | statuswatch | ratio (median of {ROUNDS}, least to most) |\n|---|---|---|---|"
    );
    for (name, tls, keep, changing) in [
        ("unchanged (304), kept connection", false, true, false),
        ("unchanged (304), new connection", false, false, false),
        ("unchanged (304), new TLS connection, resumed", true, false, false),
        ("changed, kept connection", false, true, true),
        ("changed, new TLS connection, resumed", true, false, true),
    ]
    .into_iter()
    .filter(|(name, ..)| only.is_none_or(|only| name.contains(only)))
    {
        let system = actix::System::new();
        system.block_on(compare(name, tls, keep, changing));
    }
}

async fn compare(name: &str, tls: bool, keep: bool, changing: bool) {
    let hosts = if changing { HOSTS / 4 } else { HOSTS };
    let mut server = Server::start(hosts, tls, Some(50_000));
    let keep_alive = if keep { Duration::from_secs(60) } else { Duration::ZERO };
    let client = bare::client(&server.pem, hosts * 2, keep_alive);
    let mut etags: Vec<Option<HeaderValue>> = vec![None; hosts];
    let urls: Vec<String> = (0..hosts).map(|n| server.url(n)).collect();
    let mut watch = Watching::start(&urls, &server.pem, keep_alive).await;
    // Establishes connections, sessions and baselines.
    fetch_all(&client, &urls, &mut etags, false).await;
    watch.round(256).await;
    server.changing(changing);
    let at_once = if changing { AT_ONCE_CHANGED } else { AT_ONCE };
    fetch_all(&client, &urls, &mut etags, changing).await;
    watch.round(at_once).await;
    let (mut bares, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        tokio::time::sleep(APART).await;
        server.stats();
        let before = cpu();
        fetch_all(&client, &urls, &mut etags, changing).await;
        let middle = cpu();
        let bare_requests = server.stats().requests;
        let after_stats = cpu();
        watch.round(at_once).await;
        let ours_spent = cpu() - after_stats;
        let requests = server.stats().requests;
        assert!(
            changing || requests == bare_requests,
            "the same requests: {requests} and {bare_requests}"
        );
        let bare_spent = middle - before;
        // The end of an incident requires one more document, which is counted as a fetch.
        let fair = requests as f64 / bare_requests as f64;
        let (bare, our) = (
            bare_spent.as_secs_f64() * fair / hosts as f64 * 1e6,
            ours_spent.as_secs_f64() / hosts as f64 * 1e6,
        );
        bares.push(bare);
        ours.push(our);
        ratios.push(our / bare);
    }
    let (bare, our, ratio) = (median(&mut bares), median(&mut ours), median(&mut ratios));
    println!(
        "| {name} | {bare:.0} µs | {our:.0} µs | {ratio:.2} ({:.2} to {:.2}) |",
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

async fn fetch_all(
    client: &reqwest::Client,
    urls: &[String],
    etags: &mut [Option<HeaderValue>],
    details: bool,
) {
    futures::stream::iter(urls.iter().zip(etags))
        .map(|(url, etag)| async move {
            bare::fetch(client, url, etag).await;
            if details {
                bare::fetch(client, &url.replace("summary", "incidents"), &mut None).await;
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

/// The pipeline without its timers: fetch, compare, parse, record, deliver.
struct Watching {
    shared: Arc<PollerContext>,
    pollers: Vec<(Arc<Provider>, Start)>,
    _dir: tempfile::TempDir,
    arbiters: [actix::Arbiter; 2],
}

impl Watching {
    async fn start(urls: &[String], pem: &str, keep_alive: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (fatal, _) = tokio::sync::mpsc::unbounded_channel();
        let first = LedgerActor::open(ledger::LedgerOptions {
            state_dir: dir.path().to_owned(),
            shared: None,
            keep: Duration::from_hours(24),
            fatal,
            metrics: Arc::default(),
            lease: statuswatch::lease::Lease::always(),
        })
        .unwrap();
        let arbiters = [actix::Arbiter::new(), actix::Arbiter::new()];
        let ledger = Ledger::default();
        ledger.replace(LedgerActor::start_in_arbiter(&arbiters[0].handle(), |_| first));
        let extra_roots = if pem.is_empty() {
            Vec::new()
        } else {
            vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()]
        };
        let options = ClientOptions {
            keep_alive,
            extra_roots,
            max_hosts: urls.len() * 2,
            ..ClientOptions::default()
        };
        let shared = Arc::new(PollerContext {
            client: statuswatch::fetch::Client::new(options).unwrap(),
            ledger: ledger.clone(),
            parse_pool: ParsePool::open(dir.path(), 2).0,
            admission: Admission::default(),
            filters: ComparedFilters::default(),
            anchor: Anchor::now(),
            once: false,
            own_page: None,
            metrics: Arc::default(),
            polled: None,
        });
        let providers: Vec<_> = urls
            .iter()
            .enumerate()
            .map(|(n, url)| provider(format!("provider-{n}"), url))
            .collect();
        let loaded = ledger
            .ask(Watch {
                providers: providers.clone(),
                died: Vec::new(),
                real_intervals: std::collections::HashMap::new(),
                shards: None,
            })
            .await
            .unwrap();
        let (log, state, to) = (dir.path().join("log"), dir.path().to_owned(), ledger.clone());
        SinkActor::start_in_arbiter(&arbiters[1].handle(), move |_| {
            SinkActor::new(
                Box::new(EventLogSink::new(log, LogFileFormat::Json, Rotation::Never, 0)),
                to,
                state,
            )
        });
        let starts = loaded.into_iter().map(|loaded| Start {
            checkpoint: loaded.checkpoint,
            known: loaded.known,
            unconditional: false,
            unread: 0,
            ..Start::default()
        });
        Self { shared, pollers: providers.into_iter().zip(starts).collect(), _dir: dir, arbiters }
    }

    async fn round(&mut self, at_once: usize) {
        let shared = &self.shared;
        futures::stream::iter(&mut self.pollers)
            .map(|(provider, start)| poll(shared, provider, start))
            .buffer_unordered(at_once)
            .collect::<()>()
            .await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

async fn poll(shared: &PollerContext, provider: &Arc<Provider>, start: &mut Start) {
    let now = chrono::Utc::now();
    let permit = shared.admission.acquire(None).await;
    match cycle::poll(shared, provider, start, permit).await {
        PollOutcome::Unchanged { validators, .. } => {
            shared.ledger.hint(Unchanged {
                provider: provider.id.clone(),
                generation: 0,
                at: now,
                next_poll_at: now,
                validators,
                full: false,
            });
        }
        PollOutcome::Read { snapshot, checkpoint, complete, .. } => {
            let kept = (*checkpoint).clone();
            let record = Record {
                provider: Arc::clone(provider),
                generation: 0,
                snapshot,
                checkpoint: *checkpoint,
                complete,
                observed_at: now,
            };
            let recorded = shared.ledger.ask(record).await.unwrap();
            start.checkpoint = kept;
            start.known = recorded.known;
            start.unconditional = recorded.recheck;
        }
        PollOutcome::Failed(error) => panic!("{error:?}"),
    }
}
