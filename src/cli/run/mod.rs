//! `run`: watches until stopped.

mod keys;
mod node;
mod traces;
mod welcome;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::args::{Common, Format, RunArgs};
use super::exit::Exit;
use super::{context, output, table};
use crate::config::{Config, Console, ConsoleFormat};
use crate::ledger::{LockError, Reader, StateLock};
use crate::nodes::membership::JoinError;
use crate::pipeline::{Joined, Pipeline, RunOptions};
use crate::server::Bound;
use crate::sink::actor::Reopen;
use crate::supervisor::{Reload, Supervisor};
use crate::telemetry;

/// The present state is shown after this time at the latest, whatever has not been read by then.
const FIRST_ROUND: Duration = Duration::from_secs(30);

/// Runs until stopped and returns the exit status.
///
/// # Errors
/// What could not be started or written.
pub fn run(common: &Common, args: &RunArgs) -> anyhow::Result<Exit> {
    run_with(common, args, Hooks::default())
}

/// What other commands add to a run.
#[derive(Default)]
pub(super) struct Hooks {
    /// An HTTP server that listens already, if the configuration has one.
    pub(super) listening: Option<Bound>,
    /// Added to the `User-Agent` of requests.
    pub(super) agent: Option<String>,
    /// Called when all actors have started, with the ids of the providers.
    pub(super) started: Option<Started>,
}

type Started = Box<dyn FnOnce(&Addr<Supervisor>, &[String])>;

/// The same, with additions.
///
/// # Errors
/// As [`run`].
pub(super) fn run_with(common: &Common, args: &RunArgs, hooks: Hooks) -> anyhow::Result<Exit> {
    actix::System::new().block_on(begin(common, args, hooks))
}

async fn begin(common: &Common, args: &RunArgs, hooks: Hooks) -> anyhow::Result<Exit> {
    // First of all: a signal that comes while we start ends us in order, too.
    let signals = Signals::new()?;
    let mut config = match context::load(common) {
        Ok(loaded) => loaded.config,
        Err(exit) => return Ok(exit),
    };
    if let Some(dir) = context::directory(common) {
        config.state_dir = dir;
    }
    match context::database(common) {
        Ok(None) => {}
        Ok(database) => config.state = database,
        Err(error) => {
            output::note(&format!("statuswatch: --state: {error}"));
            return Ok(Exit::Usage);
        }
    }
    if args.once && config.state.is_some() {
        output::note(
            "statuswatch: --once polls every provider, but nodes that share a database poll a share of them each",
        );
        return Ok(Exit::Usage);
    }
    if let Some(dir) = &args.record {
        config.record.get_or_insert_default().dir.clone_from(dir);
    }
    keep_from_others();
    let lock = match StateLock::acquire(&config.state_dir) {
        Ok(lock) => lock,
        Err(error @ LockError::InUse { .. }) => {
            output::note(&format!("statuswatch: {}", table::one_line(&error.to_string())));
            return Ok(Exit::Busy);
        }
        Err(error) => return Err(error.into()),
    };
    let _diagnostics = telemetry::start(&config.diagnostics, telemetry::Stderr::Warnings)?;
    telemetry::log_panics();
    let mut signals = signals;
    let joined = tokio::select! {
        joined = node::join(&config) => joined,
        () = signals.stop() => return Ok(Exit::Done),
    };
    let joined = match joined {
        Ok(joined) => joined,
        Err(error @ JoinError::NameInUse { .. }) => {
            output::note(&format!("statuswatch: {error}"));
            return Ok(Exit::Busy);
        }
        Err(error) => {
            let database = config.state.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(anyhow::Error::from(error).context(format!(
                "cannot share the database {database}; `statuswatch check --online` says what is wrong with it"
            )));
        }
    };
    watch(common, args, config, lock, joined, signals, hooks).await
}

/// Makes all files written from now on unreadable for other users, whatever umask was inherited.
fn keep_from_others() {
    use rustix::fs::Mode;
    // It cannot be read without being set.
    let given = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    rustix::process::umask(given | Mode::WGRP | Mode::RWXO);
}

/// Why the run ends.
enum End {
    Asked(&'static str),
    Once,
    Fatal(String),
}

async fn watch(
    common: &Common,
    args: &RunArgs,
    config: Config,
    lock: StateLock,
    joined: Option<Joined>,
    mut signals: Signals,
    hooks: Hooks,
) -> anyhow::Result<Exit> {
    let hosted = args.hosted || !std::io::stdin().is_terminal();
    let format = match args.format {
        Some(Format::Text) => ConsoleFormat::Text,
        Some(Format::Json) => ConsoleFormat::Json,
        None => config.console.format,
    };
    let new = never_polled(&config);
    let before =
        Reader::open(&config.state_dir).and_then(|reader| reader.newest_seq()).unwrap_or(0);
    let how = RunOptions {
        once: args.once,
        dry_run: args.dry_run,
        console: Console { format },
        console_writer: Arc::new(output::writer),
        color: !hosted && output::color(),
        // `demo` has said so itself.
        listening: hooks.listening,
        agent: hooks.agent,
        joined,
        traces: traces::options(),
        alive: Box::new(watchdog()),
    };
    let is_shared = how.joined.is_some();
    let announced = how.listening.is_some();
    let mut pipeline = Pipeline::start(&config, lock, how)?;
    if let Some(server) = pipeline.server.as_ref().filter(|_| !announced) {
        output::note(&format!("statuswatch: serving http://{}/", server.address()));
    }
    if is_shared {
        // Others poll most of them.
        pipeline.polled.only([]);
    } else if !args.once {
        pipeline.polled.only(new.iter().cloned());
    }
    let Pipeline { fatal, ready, .. } = &mut pipeline;
    let begun = tokio::select! {
        ready = ready => ready.map(|()| true).map_err(|_| "the supervisor did not start".to_owned()),
        reason = fatal.recv() => Err(reason.unwrap_or_else(|| "the supervisor has ended".to_owned())),
        () = signals.stop() => Ok(false),
    };
    match begun {
        Ok(true) => {}
        Ok(false) => {
            // What has begun is ended in order here, too: an actor that is dropped before its first
            // turn takes it outside of the runtime.
            pipeline.shutdown(config.shutdown_timeout).await;
            return Ok(Exit::Done);
        }
        Err(reason) => anyhow::bail!(reason),
    }
    tracing::info!(
        providers = config.providers.len(),
        version = env!("CARGO_PKG_VERSION"),
        "watching"
    );
    notify_manager(&[sd_notify::NotifyState::Ready]);
    if let Some(started) = hooks.started {
        let ids: Vec<String> =
            config.providers.iter().map(|provider| provider.id.clone()).collect();
        started(&pipeline.supervisor, &ids);
    }
    let attended =
        !hosted && !args.once && std::io::stdout().is_terminal() && format == ConsoleFormat::Text;
    let mut keys = if attended {
        output::print(&welcome::banner(&config, new.len()))?;
        Some(keys::Keys::listen())
    } else {
        None
    };
    let mut round = FirstRound::new(pipeline.polled.left(), hosted, attended);
    let end = until_the_end(
        common,
        args,
        &config,
        &mut pipeline,
        &mut signals,
        keys.as_mut(),
        &mut round,
    )
    .await;
    telemetry::progress::clear();
    tracing::info!("stopping");
    notify_manager(&[sd_notify::NotifyState::Stopping]);
    drop(keys);
    let ending = tokio::select! {
        ending = pipeline.shutdown(config.shutdown_timeout) => ending,
        // A second one ends it at once; nothing depends on an orderly end.
        () = signals.stop() => return Ok(Exit::Failed),
    };
    tracing::info!(delivered = ending.delivered, written = ending.written, "stopped");
    match end {
        End::Fatal(reason) => anyhow::bail!(reason),
        End::Once => {
            let after = Reader::open(&config.state_dir)?;
            if after.newest_seq()? == before && format == ConsoleFormat::Text {
                output::print(&welcome::nothing_new(&after)?)?;
            }
            if !ending.delivered {
                output::note(
                    "statuswatch: some events could not be delivered; the next run will deliver them",
                );
                return Ok(Exit::Failed);
            }
            Ok(Exit::Done)
        }
        End::Asked(why) => {
            tracing::debug!(why, "ended in order");
            Ok(Exit::Done)
        }
    }
}

async fn until_the_end(
    common: &Common,
    args: &RunArgs,
    config: &Config,
    pipeline: &mut Pipeline,
    signals: &mut Signals,
    mut keys: Option<&mut keys::Keys>,
    round: &mut FirstRound,
) -> End {
    let duration = args.duration.unwrap_or(Duration::MAX);
    let mut over = std::pin::pin!(async move {
        if duration == Duration::MAX {
            std::future::pending::<()>().await;
        } else {
            tokio::time::sleep(duration).await;
        }
    });
    let attended = keys.is_some();
    let mut round_over = std::pin::pin!(tokio::time::sleep(FIRST_ROUND));
    loop {
        let Pipeline { fatal, polled, .. } = &mut *pipeline;
        let key = async {
            match keys.as_mut() {
                Some(keys) => keys.next().await,
                None => std::future::pending().await,
            }
        };
        if args.once && polled.left() == 0 {
            return End::Once;
        }
        let next = tokio::select! {
            reason = fatal.recv() => Next::End(End::Fatal(reason.unwrap_or_else(|| "the supervisor has ended".to_owned()))),
            what = signals.next() => Next::Signal(what),
            () = &mut over => Next::End(End::Asked("the time is over")),
            left = polled.next() => Next::Polled(left),
            () = &mut round_over, if !args.once && round.is_open() => Next::RoundOver,
            key = key => Next::Key(key),
        };
        match next {
            Next::End(end) => return end,
            Next::Polled(0) | Next::RoundOver => round.end(&config.state_dir),
            Next::Polled(left) => round.show(left),
            Next::Signal(Signalled::Stop) => return End::Asked("a signal"),
            // Not a request to reload: the terminal was closed.
            Next::Signal(Signalled::Reload) if attended && !std::io::stdin().is_terminal() => {
                return End::Asked("the terminal was closed");
            }
            Next::Signal(Signalled::Reload) => {
                reload(common, args, config, pipeline).await;
                reopen(pipeline);
            }
            Next::Signal(Signalled::Reopen) => reopen(pipeline),
            Next::Key(keys::Key::Quit) => return End::Asked("the key q"),
            Next::Key(key) => welcome::answer(key, &config.state_dir),
        }
    }
}

/// The pages read for the first time, as far as a person at a terminal waits for them.
struct FirstRound {
    /// How many there are.
    all: usize,
    open: bool,
    /// Standard error is a terminal with a person at it.
    progress: bool,
    /// Standard output is one, too.
    attended: bool,
}

impl FirstRound {
    fn new(all: usize, hosted: bool, attended: bool) -> Self {
        let progress = !hosted && std::io::stderr().is_terminal();
        let round = Self { all, open: all > 0, progress, attended };
        round.show(all);
        round
    }

    const fn is_open(&self) -> bool {
        self.open
    }

    /// Shows how far it is. A single page needs no progress.
    fn show(&self, left: usize) {
        if self.open && self.progress && self.all > 1 {
            telemetry::progress::show(&format!("read {} of {}", self.all - left, self.all));
        }
    }

    /// Ends it with the present state.
    fn end(&mut self, state_dir: &Path) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        telemetry::progress::clear();
        if self.attended {
            welcome::show(welcome::present(state_dir).map(|text| format!("{text}\n")));
        }
    }
}

/// Returns the providers that no earlier run has polled.
fn never_polled(config: &Config) -> Vec<String> {
    let rows = Reader::open(&config.state_dir).and_then(|reader| reader.providers());
    let polled: HashSet<String> = rows
        .unwrap_or_default()
        .into_iter()
        .filter(|row| row.last_poll_at.is_some())
        .map(|row| row.id)
        .collect();
    let ids = config.providers.iter().map(|provider| provider.id.clone());
    ids.filter(|id| !polled.contains(id)).collect()
}

enum Next {
    End(End),
    /// A first poll has ended; so many have not.
    Polled(usize),
    /// The first round takes too long to wait for all of it.
    RoundOver,
    Signal(Signalled),
    Key(keys::Key),
}

fn reopen(pipeline: &Pipeline) {
    if pipeline.supervisor.try_send(Reopen).is_err() {
        tracing::warn!("the supervisor is too busy to reopen the logs");
    }
}

/// Reloads the configuration. Reports an invalid one and keeps the previous one.
async fn reload(common: &Common, args: &RunArgs, config: &Config, pipeline: &Pipeline) {
    let fresh = match context::read(common) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            output::note(&format!("{error}"));
            tracing::error!("the new configuration is invalid: the previous one stays in effect");
            return;
        }
    };
    let same = |fresh: &Config| {
        (
            &fresh.supervision,
            &fresh.console,
            &fresh.event_log,
            &fresh.diagnostics,
            &fresh.beat,
            &fresh.http,
        ) == (
            &config.supervision,
            &config.console,
            &config.event_log,
            &config.diagnostics,
            &config.beat,
            &config.http,
        ) && (common.state.is_some()
            || (&fresh.state_dir, &fresh.state) == (&config.state_dir, &config.state))
            && fresh.node == config.node
            && (args.record.is_some() || fresh.record == config.record)
    };
    if !same(&fresh) {
        tracing::warn!(
            "only providers, defaults, channels, routes and quiet hours are reloaded; state_dir, state, node, supervision, console, logs, diagnostics, beat, record and http need a restart"
        );
    }
    // A provider that is new is recorded from its first poll on.
    pipeline.declare(&fresh);
    pipeline.declare_digest(node::digest(&fresh));
    match pipeline
        .supervisor
        .send(Reload { setup: pipeline.setup(&fresh), providers: fresh.providers })
        .await
    {
        Ok(Ok(changes)) => tracing::warn!(
            started = changes.start.len(),
            stopped = changes.stop.len(),
            changed = changes.change.len(),
            unchanged = changes.same,
            "the configuration was reloaded"
        ),
        Ok(Err(error)) => tracing::error!(%error, "the new configuration could not be applied"),
        Err(error) => tracing::error!(%error, "the supervisor does not answer"),
    }
}

/// The signals that `run` handles.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user: Signal,
    /// Taken so that a file that may not grow any more is an error like others and not the end.
    _file_size: Signal,
}

enum Signalled {
    Stop,
    Reload,
    Reopen,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Signalled {
        tokio::select! {
            _ = self.interrupt.recv() => Signalled::Stop,
            _ = self.terminate.recv() => Signalled::Stop,
            _ = self.hangup.recv() => Signalled::Reload,
            _ = self.user.recv() => Signalled::Reopen,
        }
    }

    async fn stop(&mut self) {
        while !matches!(self.next().await, Signalled::Stop) {}
    }
}

/// Notifies the service manager, if any.
fn notify_manager(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}

/// Called every second: feeds the service manager's watchdog at half its period.
fn watchdog() -> impl FnMut() + Send {
    let period = sd_notify::watchdog_enabled().map(|period| period / 2);
    let mut last: Option<std::time::Instant> = None;
    move || {
        if let Some(period) = period
            && last.is_none_or(|last| last.elapsed() + Duration::from_secs(1) > period)
        {
            last = Some(std::time::Instant::now());
            notify_manager(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}
