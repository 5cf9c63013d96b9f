//! Assembles the whole pipeline from a configuration; used by `run`, `demo` and `chaos`.

mod joined;
mod poll_spans;

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::{Actor, Addr};
use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot};

pub use self::joined::Joined;
use self::joined::{HostPauses, last_read, look_at_nodes, pass_on, shards_of};
use self::poll_spans::PollSpans;
use crate::clock::{self, Anchor};
use crate::config::{Config, Console, ConsoleFormat, LogFormat, Prometheus};
use crate::dispatch::Setup;
use crate::dispatch::dry_run::DryRun;
use crate::dispatch::trial;
use crate::event::{Time, parse_time};
use crate::fetch::{self, Client, ClientOptions, Tap};
use crate::ledger::{
    self, Ledger, LedgerActor, LedgerError, LockError, RecoveryError, Shared, StateLock,
};
use crate::memory;
use crate::metrics::Metrics;
use crate::nodes::membership::Membership;
use crate::otlp::{self, Exporter};
use crate::poller::PollerContext;
use crate::poller::admission::Admission;
use crate::poller::filters::ComparedFilters;
use crate::poller::parse_pool::ParsePool;
use crate::prometheus;
use crate::record::Recorder;
use crate::server::{self, Bound, ServerError, SharedSetup};
use crate::sink::{ConsoleSink, EventLogSink, LogFileFormat, LogRecovery, Sink};
use crate::supervisor::{Ending, Options, PollSoon, Shutdown, SinkFactory, Supervisor};
use crate::transport::Transport;

/// How long events, and observations of incidents that are no longer listed, are kept: longer than
/// any page lists them.
const KEEP: Duration = Duration::from_hours(400 * 24);

/// Documents parsed in parallel. Parsing is CPU-bound, and each document holds a body in memory.
const PARSERS: usize = 2;

/// How long shutdown waits for the recorder to finish.
const RECORDED_WITHIN: Duration = Duration::from_millis(500);

/// Creates a writer for the console; called again whenever the console sink restarts.
pub type ConsoleWriter = Arc<dyn Fn() -> Box<dyn Write + Send> + Send + Sync>;

/// Run options that do not come from the configuration file.
pub struct RunOptions {
    /// Poll every provider immediately, and only once.
    pub once: bool,
    /// Log which messages channels would be sent, in place of sending them.
    pub dry_run: bool,
    /// What the console shows; overrides the configuration.
    pub console: Console,
    /// Creates the writer that console output goes to.
    pub console_writer: ConsoleWriter,
    /// Whether console output is colored.
    pub color: bool,
    /// This process as one of several nodes that share a database.
    pub joined: Option<Joined>,
    /// What the HTTP server listens at, if it is on and something has listened already.
    pub listening: Option<server::Bound>,
    /// Where traces go, if they are wanted.
    pub traces: Option<otlp::Options>,
    /// Added to the `User-Agent` of requests, so that fake providers can tell who asks.
    pub agent: Option<String>,
    /// Called every second while the supervisor's event loop is running.
    pub alive: Box<dyn FnMut() + Send>,
}

/// A running pipeline.
pub struct Pipeline {
    /// The supervisor actor.
    pub supervisor: Addr<Supervisor>,
    /// Receives the reason when the pipeline cannot continue.
    pub fatal: mpsc::UnboundedReceiver<String>,
    /// Resolves once pollers and sinks are running.
    pub ready: oneshot::Receiver<()>,
    /// Reports the end of each provider's first poll.
    pub polled: Polled,
    /// The HTTP server, if it is on.
    pub server: Option<server::Handle>,
    setup: SharedSetup,
    /// What runs beside the actors and has nothing to finish.
    tasks: Vec<tokio::task::JoinHandle<()>>,
    recorder: Option<Arc<Recorder>>,
    dry_run: Option<DryRun>,
    exporter: Option<Exporter>,
    membership: Option<Arc<Membership>>,
    /// The shard of each provider.
    shards: Arc<RwLock<Vec<u16>>>,
    _lock: StateLock,
}

/// The first polls that have not ended yet.
pub struct Polled {
    receiver: mpsc::UnboundedReceiver<String>,
    waiting: HashSet<String>,
}

impl Polled {
    /// Waits for these providers only. Without any, no first poll is reported.
    pub fn only(&mut self, ids: impl IntoIterator<Item = String>) {
        self.waiting = ids.into_iter().collect();
        if self.waiting.is_empty() {
            self.receiver.close();
        }
    }

    /// Waits for the end of another first poll. Returns how many are left; never resolves once
    /// there are none.
    pub async fn next(&mut self) -> usize {
        while !self.waiting.is_empty() {
            match self.receiver.recv().await {
                Some(id) if self.waiting.remove(&id) => return self.waiting.len(),
                Some(_) => {}
                None => break,
            }
        }
        std::future::pending().await
    }

    /// How many first polls have not ended yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.waiting.len()
    }
}

/// Why the pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory is locked by another process or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The HTTP server cannot be started.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The HTTP client cannot be built.
    #[error("cannot prepare HTTP requests")]
    Client(#[from] fetch::BuildError),
}

impl Pipeline {
    /// Starts the pipeline. Must be called inside an actix system.
    pub fn start(config: &Config, lock: StateLock, run: RunOptions) -> Result<Self, StartError> {
        let mut run = run;
        // First of all: an address that is in use ends the start before anything is touched.
        let bound = match (&config.http, run.listening.take()) {
            (None, _) => None,
            (Some(_), Some(bound)) => Some(bound),
            (Some(http), None) => Some(Bound::listen(http.listen)?),
        };
        let (fatal_sender, fatal) = mpsc::unbounded_channel();
        let (ready_sender, ready) = oneshot::channel();
        let (polled_sender, polled) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::default());
        let joined = run.joined.take();
        let lease = joined.as_ref().map(|joined| joined.lease.clone()).unwrap_or_default();
        let ledger_options = ledger::LedgerOptions {
            state_dir: config.state_dir.clone(),
            shared: joined
                .as_ref()
                .map(|joined| Shared { url: joined.url.clone(), fence: joined.fence.clone() }),
            keep: KEEP,
            fatal: fatal_sender.clone(),
            metrics: Arc::clone(&metrics),
            lease: lease.clone(),
        };
        if let Some(http) = &config.http {
            server::check_token(http)?;
        }
        let own_page = match &bound {
            Some(_) => Some(server::own_page_id(&config.state_dir).map_err(ServerError::PageId)?),
            None => None,
        };
        let mut first = LedgerActor::open(ledger_options.clone())?;
        recover_ledger(&mut first, config);
        let (parse_pool, died) = ParsePool::open(&config.state_dir, PARSERS);
        let recorder =
            config.record.as_ref().map(|record| Recorder::start(record, &config.providers));
        let mut client_options = ClientOptions { lease, ..client_options(config) };
        if let Some(agent) = run.agent.take() {
            client_options.user_agent.extend([" ", &agent]);
        }
        let client = Client::new(client_options)?;
        let exporter = run.traces.take().map(|traces| export(traces, &client, &metrics));
        let exporter = exporter.transpose()?.flatten();
        let recording = recorder.as_ref().map(|recorder| Arc::clone(recorder) as Arc<dyn Tap>);
        let tap = if exporter.is_some() {
            Some(Arc::new(PollSpans::new(metrics.tracer().clone(), recording)) as Arc<dyn Tap>)
        } else {
            recording
        };
        let client = match tap {
            Some(tap) => client.with_tap(tap),
            None => client,
        };
        if let Some(joined) = &joined {
            joined.membership.share_pauses(Arc::new(HostPauses(client.clone())));
        }
        let shared = Arc::new(PollerContext {
            client,
            ledger: Ledger::default(),
            parse_pool,
            admission: Admission::default(),
            filters: ComparedFilters::default(),
            anchor: Anchor::now(),
            once: run.once,
            own_page: own_page.clone(),
            metrics: Arc::clone(&metrics),
            polled: Some(polled_sender),
        });
        let mut setup = Arc::new(Setup::new(config));
        let mut dry_run = None;
        if run.dry_run {
            let setup = std::mem::take(&mut setup);
            dry_run = Some(DryRun::start(setup, config.state_dir.clone())?);
        } else if setup.channels.is_empty() && joined.is_none() {
            // Channels that are configured later are sent what happens from then on.
            first.forget_routing()?;
        }
        // The pages show what is configured, in a dry run too.
        let shared_setup = SharedSetup::default();
        shared_setup.set(Arc::new(Setup::new(config)));
        let shards = Arc::new(RwLock::new(shards_of(config)));
        let (membership, shares) =
            joined.map(|joined| (Arc::new(joined.membership), joined.shares)).unzip();
        let node_fatal = fatal_sender.clone();
        let options = Options {
            // Other nodes were running.
            not_running: not_running(&config.state_dir).filter(|_| membership.is_none()),
            membership: membership.clone(),
            transport: Transport::new(&shared.client)?,
            setup,
            state_dir: config.state_dir.clone(),
            supervision: config.supervision.clone(),
            providers: config.providers.clone(),
            ledger_options,
            sinks: sinks(config, &run),
            shared,
            died,
            workers: std::thread::available_parallelism().map_or(1, usize::from).min(2),
            fatal: fatal_sender,
            ready: Some(ready_sender),
            alive: run.alive,
        };
        let documents = options.shared.parse_pool.clone();
        let heartbeat = config.beat.clone().map(|heartbeat| {
            let shared = &options.shared;
            actix::spawn(crate::heartbeat::send_heartbeats(
                heartbeat,
                shared.client.clone(),
                shared.ledger.clone(),
                last_read(membership.clone(), config.state_dir.clone()),
            ))
        });
        let memory = actix::spawn(memory::give_back(move || documents.documents()));
        let waiting = config.providers.iter().map(|provider| provider.id.clone()).collect();
        let supervisor = Supervisor::new(options, first).start();
        if let Some(shares) = shares {
            actix::spawn(pass_on(shares, supervisor.clone(), node_fatal));
        }
        let server = match (bound, &config.http, own_page) {
            (Some(bound), Some(http), Some(page_id)) => {
                let pollers = supervisor.clone();
                let test_channel = if dry_run.is_none() { Some(test_channel()?) } else { None };
                let served = bound.serve(server::Parts {
                    ask: http.prometheus.clone().map(ask).transpose()?,
                    test_channel,
                    http: http.clone(),
                    state_dir: config.state_dir.clone(),
                    database: config.state.clone(),
                    metrics,
                    setup: shared_setup.clone(),
                    poll_now: Arc::new(move |id| {
                        if pollers.try_send(PollSoon(id.to_owned())).is_err() {
                            tracing::debug!(provider = id, "the supervisor is too busy for a hook");
                        }
                    }),
                    page_id,
                    membership: membership.clone().zip(look_at_nodes(config, &shards)),
                });
                Some(served?)
            }
            _ => None,
        };
        Ok(Self {
            supervisor,
            fatal,
            ready,
            polled: Polled { receiver: polled, waiting },
            server,
            setup: shared_setup,
            tasks: heartbeat.into_iter().chain([memory]).collect(),
            recorder,
            dry_run,
            exporter,
            membership,
            shards,
            _lock: lock,
        })
    }

    /// Shuts the pipeline down in order: polling stops, then recorded events are delivered. Waits
    /// at most `within`.
    pub async fn shutdown(&mut self, within: Duration) -> Ending {
        for task in &self.tasks {
            task.abort();
        }
        let ending = self
            .supervisor
            .send(Shutdown { within })
            .await
            .unwrap_or(Ending { delivered: false, written: false });
        if let Some(membership) = &self.membership {
            membership.leave().await;
        }
        if let Some(server) = &mut self.server {
            server.stop().await;
        }
        if let Some(exporter) = &mut self.exporter {
            exporter.finish().await;
        }
        if let Some(dry_run) = &self.dry_run {
            dry_run.finish();
        }
        if let Some(recorder) = &self.recorder {
            recorder.finish(RECORDED_WITHIN);
        }
        ending
    }

    /// Returns what the supervisor delivers with a reloaded configuration: nothing in a dry run, which
    /// takes it over.
    #[must_use]
    pub fn setup(&self, config: &Config) -> Arc<Setup> {
        let setup = Arc::new(Setup::new(config));
        match &self.dry_run {
            Some(dry_run) => {
                dry_run.configure(setup);
                Arc::default()
            }
            None => setup,
        }
    }

    /// Says what the other nodes are shown of a reloaded configuration.
    pub fn declare_digest(&self, digest: String) {
        if let Some(membership) = &self.membership {
            membership.set_config(digest);
        }
    }

    /// Passes a reloaded configuration to the recorder and the HTTP server.
    pub fn declare(&self, config: &Config) {
        self.setup.set(Arc::new(Setup::new(config)));
        *self.shards.write().unwrap_or_else(PoisonError::into_inner) = shards_of(config);
        if let Some(recorder) = &self.recorder {
            recorder.declare(&config.providers);
        }
    }
}

/// A shorter pause is a restart, which is not reported.
const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Returns when this program was last not running, by the file that the supervisor writes every few
/// seconds.
fn not_running(state_dir: &Path) -> Option<(Time, Time)> {
    let written = std::fs::read_to_string(state_dir.join("heartbeat")).ok()?;
    let (from, now) = (parse_time(written.trim())?, clock::now());
    (now - from >= PAUSE).then_some((from, now))
}

/// Adds events that are in the event log but not in the ledger, which happens after the ledger was
/// restored from a backup or recreated.
fn recover_ledger(ledger: &mut LedgerActor, config: &Config) {
    if config.event_log.format == LogFormat::Text {
        return;
    }
    let opened = LogRecovery::open(&config.event_log.dir, ledger.newest());
    let imported = opened.map_err(|error| RecoveryError::Log(error.into()));
    match imported.and_then(|log| log.map_or(Ok(0), |mut log| ledger.import(&mut log))) {
        Ok(0) => {}
        Ok(events) => {
            tracing::warn!(
                events,
                "imported events from the event log that were missing from the ledger, which was restored or recreated"
            );
        }
        Err(error) => {
            tracing::error!(%error, "cannot compare the ledger with the event log; events may be reported twice");
        }
    }
}

/// Sends tests with a client of its own: the server's thread has a runtime of its own.
fn test_channel() -> Result<server::TestChannel, fetch::BuildError> {
    let transport = Transport::new(&Client::new(ClientOptions::default())?)?;
    Ok(Arc::new(move |channel| {
        let transport = transport.clone();
        Box::pin(async move { trial::send(&transport, &channel, None, clock::now()).await })
    }))
}

/// Begins to send traces.
fn export(
    options: otlp::Options,
    client: &Client,
    metrics: &Metrics,
) -> Result<Option<Exporter>, fetch::BuildError> {
    let sender = client.sender()?;
    let turned_on = metrics.tracer().turn_on();
    Ok(turned_on.map(|(spans, counts)| Exporter::start(options, sender, spans, counts)))
}

/// Asks Prometheus with a client of its own, likewise.
fn ask(config: Prometheus) -> Result<server::Ask, fetch::BuildError> {
    let sender = Client::new(ClientOptions::default())?.sender()?;
    let config = Arc::new(config);
    Ok(Arc::new(move || {
        let (sender, config) = (sender.clone(), Arc::clone(&config));
        Box::pin(async move { prometheus::ask(&sender, &config).await })
    }))
}

fn client_options(config: &Config) -> ClientOptions {
    // Keeping a connection open pays off only while the provider is polled again soon; servers
    // close idle connections after some 5 to 75 s.
    let shortest = config
        .providers
        .iter()
        .map(|provider| provider.settings.interval)
        .min()
        .unwrap_or_default();
    let keep_alive = if shortest <= Duration::from_secs(20) {
        shortest + Duration::from_secs(2)
    } else {
        Duration::from_secs(1)
    };
    // One host per provider plus some for redirects. Each slot of the session cache is allocated up
    // front.
    let max_hosts = (config.providers.len() + config.providers.len() / 8).max(128);
    ClientOptions { max_hosts, keep_alive, ..ClientOptions::default() }
}

/// Builds one row for each sink that the configuration enables.
fn sinks(config: &Config, run: &RunOptions) -> Vec<(String, SinkFactory)> {
    let mut sinks: Vec<(String, SinkFactory)> = Vec::new();
    if run.console.format != ConsoleFormat::Off {
        let (format, color, writer) =
            (run.console.format, run.color, Arc::clone(&run.console_writer));
        sinks.push((
            "console".to_owned(),
            Arc::new(move || {
                Ok(Box::new(ConsoleSink::new(format, writer(), color)) as Box<dyn Sink>)
            }),
        ));
    }
    let formats: &[LogFileFormat] = match config.event_log.format {
        LogFormat::Json => &[LogFileFormat::Json],
        LogFormat::Text => &[LogFileFormat::Text],
        LogFormat::Both => &[LogFileFormat::Json, LogFileFormat::Text],
    };
    for &format in formats {
        let log = config.event_log.clone();
        let make = move || {
            Ok(Box::new(EventLogSink::new(log.dir.clone(), format, log.rotation, log.keep))
                as Box<dyn Sink>)
        };
        sinks.push((format!("event_log.{format:?}").to_lowercase(), Arc::new(make)));
    }
    sinks
}
