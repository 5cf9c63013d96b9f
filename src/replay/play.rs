//! The driver: goes through a recording, polls at its times, and keeps the state that a poller
//! keeps between polls.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::answers::Answers;
use super::outcome::{Played, Summary};
use crate::clock::Anchor;
use crate::config::{self, Provider};
use crate::event::Time;
use crate::fetch::{BuildError, Client, ClientOptions};
use crate::ledger::{Binding, Ledger, LedgerError, ScratchLedger};
use crate::poller::PollerContext;
use crate::poller::admission::Admission;
use crate::poller::cycle::Start;
use crate::poller::filters::ComparedFilters;
use crate::poller::parse_pool::ParsePool;
use crate::record::{self, Entry, Line, Poll, Reader, RecordingError};
use crate::source;
use crate::text::one_line;

/// Maximum number of warnings kept.
const WARNINGS: usize = 50;

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recording cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The scratch database.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The HTTP client, which sends no requests.
    #[error("cannot prepare the replay: {0}")]
    Client(#[from] BuildError),
    /// The runtime for parsing.
    #[error("cannot prepare the replay: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Replays the recording in `dir`. `configured`: the providers to replay with their configuration;
/// `None` replays all of them as they were recorded. `on_poll` is called after each poll.
///
/// # Errors
///
/// Returns an error if the recording cannot be read at all. Damaged parts are warnings.
pub fn play(
    dir: &Path,
    configured: Option<&[Arc<Provider>]>,
    on_poll: &mut dyn FnMut(&Summary),
) -> Result<Played, ReplayError> {
    let mut recording = Reader::open(dir)?;
    let answers = Arc::new(Answers::default());
    let client = Client::new(ClientOptions {
        max_hosts: 1,
        proxy_from_environment: false,
        ..ClientOptions::default()
    })?;
    let shared = PollerContext {
        client: client.with_tap(Arc::clone(&answers) as _),
        ledger: Ledger::default(),
        parse_pool: ParsePool::without_markers(1),
        admission: Admission::default(),
        filters: ComparedFilters::default(),
        anchor: Anchor::now(),
        once: false,
        own_page: None,
        metrics: Arc::default(),
        polled: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut player = Player {
        configured,
        shared,
        answers,
        runtime,
        ledger: ScratchLedger::open()?,
        watched: BTreeMap::new(),
        failing: BTreeSet::new(),
        skipped: BTreeSet::new(),
        summary: Summary::default(),
        warnings: Vec::new(),
    };
    while let Some(entry) = recording.next_entry()? {
        player.warnings.extend(recording.take_warnings());
        player.warnings.truncate(WARNINGS);
        player.entry(entry, on_poll)?;
    }
    player.warnings.extend(recording.take_warnings());
    player.finish()
}

/// A provider, with the state that its poller keeps between polls.
pub(super) struct Watched {
    pub(super) provider: Arc<Provider>,
    pub(super) start: Start,
    /// Whether the next poll is unconditional, as it was originally.
    pub(super) in_full: bool,
    /// When a maintenance window begins or ends: the first poll after it is unconditional.
    pub(super) window_at: Option<Time>,
    /// The last successful poll, or when polling began.
    pub(super) fresh: Time,
    /// The last poll.
    pub(super) polled: Time,
    pub(super) failures: u32,
    pub(super) unreachable: bool,
    pub(super) last_error: Option<String>,
}

pub(super) struct Player<'a> {
    configured: Option<&'a [Arc<Provider>]>,
    pub(super) shared: PollerContext,
    pub(super) answers: Arc<Answers>,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) ledger: ScratchLedger,
    pub(super) watched: BTreeMap<String, Watched>,
    /// Providers whose last poll failed or was rejected.
    pub(super) failing: BTreeSet<String>,
    /// Providers in the recording that are not replayed.
    skipped: BTreeSet<String>,
    pub(super) summary: Summary,
    warnings: Vec<String>,
}

impl Player<'_> {
    fn entry(
        &mut self,
        entry: Entry,
        on_poll: &mut dyn FnMut(&Summary),
    ) -> Result<(), ReplayError> {
        match entry {
            Entry::Begin(at) => {
                self.reach(at)?;
                for watched in self.watched.values_mut() {
                    // Nothing was polled meanwhile, and the in-memory state of pollers was lost.
                    watched.fresh = watched.fresh.max(at);
                    watched.start.unconditional = false;
                    watched.start.unread = 0;
                }
            }
            Entry::Declared(entry) => self.declare(&entry),
            Entry::Poll(poll) => {
                self.reach(poll.at)?;
                if self.prepare(&poll)? {
                    self.poll(&poll.provider, poll.at)?;
                    on_poll(&self.summary);
                }
            }
            Entry::Unchanged { provider, polls, at } => {
                self.quiet(&provider, polls, at)?;
            }
            Entry::End(at) => self.reach(at)?,
        }
        Ok(())
    }

    /// Advances the time: providers that have not been read for too long are reported.
    pub(super) fn reach(&mut self, at: Time) -> Result<(), ReplayError> {
        self.summary.begin.get_or_insert(at);
        self.summary.end = self.summary.end.max(Some(at));
        let mut due: Vec<(Time, &String)> = Vec::new();
        for id in &self.failing {
            let Some(watched) = self.watched.get(id).filter(|watched| !watched.unreachable) else {
                continue;
            };
            let stale = chrono::Duration::from_std(watched.provider.settings.stale_after);
            let stale_at = stale.ok().and_then(|stale| watched.fresh.checked_add_signed(stale));
            if let Some(stale_at) = stale_at.filter(|stale_at| *stale_at <= at) {
                due.push((stale_at, id));
            }
        }
        due.sort();
        for (stale_at, id) in due {
            if let Some(watched) = self.watched.get_mut(id) {
                watched.unreachable = true;
                let why = watched.last_error.clone();
                self.ledger.reachable(&watched.provider, false, why, stale_at)?;
            }
        }
        Ok(())
    }

    /// Applies a provider's configuration from here on.
    fn declare(&mut self, entry: &Value) {
        let id = entry.get("id").and_then(Value::as_str).unwrap_or_default();
        if let Some(configured) = self.configured {
            if let Some(provider) = configured.iter().find(|provider| provider.id == id) {
                self.watch(provider);
            } else {
                self.skipped.insert(id.to_owned());
            }
            return;
        }
        match provider(entry) {
            Ok(provider) => self.watch(&provider),
            Err(reason) => self.warn(&format!("an entry for \"{id}\" was skipped: {reason}")),
        }
    }

    fn watch(&mut self, provider: &Arc<Provider>) {
        self.answers.declare(&provider.id, &provider.url);
        if let Some(watched) = self.watched.get_mut(&provider.id) {
            if watched.provider.url != provider.url {
                watched.start = Start { known: watched.start.known.clone(), ..Start::default() };
            }
            watched.provider = Arc::clone(provider);
            return;
        }
        let watched = Watched {
            provider: Arc::clone(provider),
            start: Start::default(),
            in_full: false,
            window_at: None,
            fresh: Time::MIN_UTC,
            polled: Time::MIN_UTC,
            failures: 0,
            unreachable: false,
            last_error: None,
        };
        self.watched.insert(provider.id.clone(), watched);
    }

    /// Loads the responses of a poll. Returns whether the poll can be replayed.
    fn prepare(&mut self, poll: &Poll) -> Result<bool, ReplayError> {
        let id = &poll.provider;
        if self.skipped.contains(id) {
            return Ok(false);
        }
        if !self.watched.contains_key(id) {
            // Its configuration was not recorded, as in a recording written by hand.
            let first = poll.answers.first();
            let url = first.and_then(|line| line.url.as_deref()).unwrap_or_default();
            let source = first.and_then(|line| line.source.as_deref());
            self.declare(&record::guessed(id, url, source));
        }
        let Some(watched) = self.watched.get_mut(id) else {
            self.skipped.insert(id.clone());
            return Ok(false);
        };
        if watched.fresh == Time::MIN_UTC {
            let provider = Arc::clone(&watched.provider);
            (watched.fresh, watched.polled) = (poll.at, poll.at);
            self.ledger.watch(&provider, poll.at)?;
            self.summary.providers.push(id.clone());
        }
        watched.in_full = poll.answers.iter().any(|line| line.in_full);
        for line in &poll.answers {
            self.summary.answers += 1;
            if let Err(error) = self.answers.stand(id, line.clone(), &poll.dir) {
                let at = crate::event::format_time(poll.at);
                self.warn(&format!("{id}: the poll of {at} was skipped: {error}"));
                return Ok(false);
            }
        }
        self.bind(poll);
        Ok(true)
    }

    /// A recording begun in the middle does not say how the page was detected: use the source that
    /// read it then.
    fn bind(&mut self, poll: &Poll) {
        let Some(watched) = self.watched.get_mut(&poll.provider) else { return };
        if watched.start.checkpoint.binding.is_some()
            || self.answers.has(&poll.provider, &watched.provider.url)
        {
            return;
        }
        let first = poll.answers.iter().find_map(|line| {
            let Line { source, url, .. } = line;
            let source = source::by_name(source.as_deref()?)?;
            Some((source, url.as_deref()?.split('#').next()?.parse().ok()?))
        });
        if let Some((source, document_url)) = first {
            let (source, version) = (source.name().to_owned(), source.version());
            watched.start.checkpoint.binding = Some(Binding { source, version, document_url });
        }
    }

    fn warn(&mut self, what: &str) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push(one_line(what, 400));
        }
    }

    fn finish(mut self) -> Result<Played, ReplayError> {
        if let Some(end) = self.summary.end {
            self.reach(end)?;
        }
        for id in std::mem::take(&mut self.skipped) {
            if self.configured.is_some() {
                self.warn(&format!("{id} is in the recording but not in the configuration"));
            }
        }
        let missing = self.answers.missing();
        self.runtime.shutdown_background();
        Ok(Played {
            events: self.ledger.into_reader()?,
            summary: self.summary,
            warnings: self.warnings,
            missing,
        })
    }
}

/// Parses an entry of `providers.yaml`.
fn provider(entry: &Value) -> Result<Arc<Provider>, String> {
    let text = serde_json::json!({"providers": [entry]}).to_string();
    let config = match config::parse(Path::new("entry"), &text, &|_| None) {
        Ok(loaded) => loaded.config,
        Err(error) => return Err(one_line(&error.to_string(), 300)),
    };
    config.providers.into_iter().next().ok_or_else(|| "the provider is not enabled".to_owned())
}
