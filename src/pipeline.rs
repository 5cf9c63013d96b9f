//! The whole pipeline put together from a configuration: what `run` runs, and `demo` and `chaos`
//! too.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Anchor;
use crate::config::{Config, Console, ConsoleFormat, LogFormat, Provider};
use crate::fetch::{self, Client, ClientOptions};
use crate::ledger::{self, Ledger, LedgerActor, LedgerError, LockError, StateLock};
use crate::poller::PollerContext;
use crate::poller::admission::Admission;
use crate::poller::filters::Compared;
use crate::poller::parse_pool::ParsePool;
use crate::record::Recorder;
use crate::sink::{ConsoleSink, EventLogSink, LogFileFormat, Sink};
use crate::supervisor::actor::SinkFactory;
use crate::supervisor::{Ending, Options, Shutdown, Supervisor};

/// Events, and what was seen of incidents no longer listed, are kept so long: longer than any page
/// lists them.
const KEEP: Duration = Duration::from_hours(400 * 24);

/// Documents parsed at once: parsing is work for a processor, and each holds a body in memory.
const PARSERS: usize = 2;

/// At the end the recording is waited for so long.
const RECORDED_WITHIN: Duration = Duration::from_millis(500);

/// Makes a writer for the console, also again after its sink crashed.
pub type ConsoleWriter = Arc<dyn Fn() -> Box<dyn Write + Send> + Send + Sync>;

/// How to run it, beside the configuration.
pub struct RunOptions {
    /// Poll every provider immediately, and only once.
    pub once: bool,
    /// What the console shows, instead of the configuration's.
    pub console: Console,
    /// Where the console writes.
    pub console_writer: ConsoleWriter,
    /// Whether the console is coloured.
    pub color: bool,
    /// Called every second while the supervisor's loop turns.
    pub alive: Box<dyn FnMut() + Send>,
}

/// A pipeline at work.
pub struct Pipeline {
    /// Its supervisor.
    pub supervisor: Addr<Supervisor>,
    /// Says why it cannot go on.
    pub fatal: mpsc::UnboundedReceiver<String>,
    /// Says when pollers and sinks run.
    pub ready: oneshot::Receiver<()>,
    /// Reports the end of each provider's first poll.
    pub polled: Polled,
    beat: Option<tokio::task::JoinHandle<()>>,
    recorder: Option<Arc<Recorder>>,
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
    /// The state directory is another's, or cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The HTTP client cannot be made.
    #[error("cannot prepare HTTP requests")]
    Client(#[from] fetch::BuildError),
}

impl Pipeline {
    /// Starts it. Must be called inside an actix system.
    pub fn start(config: &Config, lock: StateLock, how: RunOptions) -> Result<Self, StartError> {
        let (fatal_sender, fatal) = mpsc::unbounded_channel();
        let (ready_sender, ready) = oneshot::channel();
        let (polled_sender, polled) = mpsc::unbounded_channel();
        let ledger_options = ledger::LedgerOptions {
            state_dir: config.state_dir.clone(),
            keep: KEEP,
            fatal: fatal_sender.clone(),
        };
        let mut first = LedgerActor::open(ledger_options.clone())?;
        adopt(&mut first, config);
        let (reading, died) = ParsePool::open(&config.state_dir, PARSERS);
        let recorder =
            config.record.as_ref().map(|record| Recorder::start(record, &config.providers));
        let client = Client::new(client_options(config))?;
        let client = match &recorder {
            Some(recorder) => client.with_tap(Arc::clone(recorder) as _),
            None => client,
        };
        let shared = Arc::new(PollerContext {
            client,
            ledger: Ledger::default(),
            reading,
            work: Admission::default(),
            filters: Compared::default(),
            anchor: Anchor::now(),
            once: how.once,
            polled: Some(polled_sender),
        });
        let options = Options {
            state_dir: config.state_dir.clone(),
            supervision: config.supervision.clone(),
            providers: config.providers.clone(),
            ledger_options,
            sinks: sinks(config, &how),
            shared,
            died,
            lanes: std::thread::available_parallelism().map_or(1, usize::from).min(2),
            fatal: fatal_sender,
            ready: Some(ready_sender),
            alive: how.alive,
        };
        let beat = config.beat.clone().map(|beat| {
            let shared = &options.shared;
            actix::spawn(crate::heartbeat::keep_beating(
                beat,
                shared.client.clone(),
                shared.ledger.clone(),
            ))
        });
        let waiting = config.providers.iter().map(|provider| provider.id.clone()).collect();
        let supervisor = Supervisor::new(options, first).start();
        Ok(Self {
            supervisor,
            fatal,
            ready,
            polled: Polled { receiver: polled, waiting },
            beat,
            recorder,
            _lock: lock,
        })
    }

    /// Ends it in order: no more polls, what is recorded is delivered.
    pub async fn shutdown(&self, within: Duration) -> Ending {
        if let Some(beat) = &self.beat {
            beat.abort();
        }
        let ending = self
            .supervisor
            .send(Shutdown { within })
            .await
            .unwrap_or(Ending { delivered: false, written: false });
        if let Some(recorder) = &self.recorder {
            recorder.finish(RECORDED_WITHIN);
        }
        ending
    }

    /// The providers after the configuration was read again, for whoever keeps a list of them.
    pub fn declare(&self, providers: &[Arc<Provider>]) {
        if let Some(recorder) = &self.recorder {
            recorder.declare(providers);
        }
    }
}

/// Brings a ledger that was restored or begun anew up to what the event log holds.
fn adopt(ledger: &mut LedgerActor, config: &Config) {
    if config.event_log.format == LogFormat::Text {
        return;
    }
    match ledger.adopt(&config.event_log.dir) {
        Ok(0) => {}
        Ok(events) => {
            tracing::warn!(
                events,
                "took over events of the event log that the ledger did not know: it was restored or begun anew"
            );
        }
        Err(error) => {
            tracing::error!(%error, "cannot compare the ledger with the event log; events may be told once more");
        }
    }
}

fn client_options(config: &Config) -> ClientOptions {
    // A connection is worth keeping while a provider is asked again soon; servers close idle ones
    // after some 5 to 75 s.
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
    // One host a provider, and a few for redirects: each place in the session cache takes memory
    // from the start.
    let max_hosts = (config.providers.len() + config.providers.len() / 8).max(128);
    ClientOptions { max_hosts, keep_alive, ..ClientOptions::default() }
}

/// One row for each sink the configuration turns on.
fn sinks(config: &Config, how: &RunOptions) -> Vec<(String, SinkFactory)> {
    let mut sinks: Vec<(String, SinkFactory)> = Vec::new();
    if how.console.format != ConsoleFormat::Off {
        let (format, color, writer) =
            (how.console.format, how.color, Arc::clone(&how.console_writer));
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
