//! The recorder: hooks into the client, on the pollers' threads, compares responses and passes new
//! ones to its writer.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::address::label;
use super::entry;
use super::job::{Group, Job};
use super::line::Line;
use super::reader::{Entry, Reader};
use super::segment;
use super::shared::{Shared, Watched};
use super::state::{IndexedLine, Seen, What};
use super::writer;
use crate::clock;
use crate::config::{Provider, Recording};
use crate::fetch::{Failure, Fetched, Polled, Request, Tap};

/// Polls that may wait to be written.
const QUEUE: usize = 1024;

/// Bytes of bodies that may wait to be written.
const WAITING: u64 = 64 << 20;

/// Records the responses that pollers receive. Never delays a poll.
pub struct Recorder {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
}

impl Recorder {
    /// Starts recording. Nothing is written before the first poll has ended.
    #[must_use]
    pub fn start(options: &Recording, providers: &[Arc<Provider>]) -> Arc<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            segment: AtomicU64::new(1),
            waiting: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let (jobs, queue) = sync_channel(QUEUE);
        let recorder = Arc::new(Self { shared: Arc::clone(&shared), jobs });
        recorder.declare(providers);
        recorder.restore(&options.dir);
        let options = options.clone();
        let begun = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || writer::run(options, &shared, &queue));
        if let Err(error) = begun {
            tracing::warn!(%error, "recording disabled: cannot start its thread");
        }
        recorder
    }

    /// Sets the providers of the configuration, at the start and after a reload.
    pub fn declare(&self, providers: &[Arc<Provider>]) {
        let mut state = self.shared.lock();
        let mut former = std::mem::take(&mut *state);
        for provider in providers {
            let known = former.remove(&provider.id).filter(|known| known.page == provider.url);
            state.insert(provider.id.clone(), known.unwrap_or_else(|| Watched::new(provider)));
        }
        drop(state);
        let entries = providers.iter().map(|provider| entry::of(provider)).collect();
        self.send(Job::Declare(clock::now(), entries));
    }

    /// Loads what the newest segment in `dir` knows about addresses, so that a 304 is sufficient.
    fn restore(&self, dir: &std::path::Path) {
        let newest = segment::all(dir).unwrap_or_default().pop();
        let Some(mut reader) = newest.map(|path| Reader::of(vec![PathBuf::from(&path)])) else {
            return;
        };
        let mut state = self.shared.lock();
        while let Ok(Some(entry)) = reader.next_entry() {
            let Entry::Poll(poll) = entry else { continue };
            let Some(watched) = state.get_mut(&poll.provider) else { continue };
            for line in &poll.answers {
                if let Some(label) = &line.url {
                    watched.addresses.restore(label.clone(), line);
                }
            }
        }
    }

    /// Writes pending lines and ends the recording; waits at most `within`.
    pub fn finish(&self, within: Duration) {
        let mut state = self.shared.lock();
        let quiet = state.iter_mut().filter_map(|(id, watched)| watched.quiet(id)).collect();
        drop(state);
        let (sender, done): (_, Receiver<()>) = sync_channel(1);
        self.send(Job::Finish(clock::now(), quiet, sender));
        // The recording is valid up to what was written.
        if done.recv_timeout(within).is_err() {
            tracing::debug!("the recording was not finished in time");
        }
    }

    /// Returns how many polls have been left out so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    fn send(&self, job: Job) {
        let bytes = job.bytes();
        let waiting = self.shared.waiting.fetch_add(bytes, Ordering::Relaxed);
        let sent = if waiting > 0 && waiting + bytes > WAITING {
            Err(job)
        } else {
            self.jobs.try_send(job).map_err(|error| match error {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            })
        };
        if let Err(job) = sent {
            self.shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
            if let Job::Group(group) = job {
                if self.shared.lost.load(Ordering::Relaxed) == 0 {
                    tracing::warn!(
                        "the recording cannot keep up; some responses are missing from it"
                    );
                }
                self.shared.give_up(&group);
            }
        }
    }
}

impl Tap for Recorder {
    fn began(&self, provider: &str) {
        if let Some(watched) = self.shared.lock().get_mut(provider) {
            watched.poll.clear();
            watched.began = clock::now();
        }
    }

    fn needs_body(&self, request: &Request<'_>) -> bool {
        let state = self.shared.lock();
        let watched = request.provider.and_then(|id| state.get(id));
        watched.is_some_and(|watched| {
            !watched.addresses.knows_body(&label(request.url, &watched.page))
        })
    }

    fn came(&self, request: &Request<'_>, result: &Result<Fetched, Failure>) {
        let mut state = self.shared.lock();
        let Some(watched) = request.provider.and_then(|id| state.get_mut(id)) else { return };
        let label = label(request.url, &watched.page);
        let elsewhere =
            matches!(result, Ok(Fetched::Body(answer)) if answer.document.url != *request.url);
        watched.poll.push(Seen {
            label,
            at: clock::now(),
            elsewhere,
            conditional: request.validators.is_some(),
            what: What::of(result),
        });
    }

    fn ended(&self, provider: &str, poll: Polled<'_>) {
        let mut state = self.shared.lock();
        let Some(watched) = state.get_mut(provider) else { return };
        let segment = self.shared.segment.load(Ordering::Relaxed);
        let now = clock::now();
        let first = match poll {
            Polled::Read { source, document } => {
                Some((label(document, &watched.page), source.to_owned()))
            }
            Polled::Unchanged | Polled::Failed => None,
        };
        let seen = std::mem::take(&mut watched.poll);
        let mut lines = Vec::new();
        for seen in seen {
            let name = seen.label.clone();
            let Some(mut written) = watched.addresses.take(seen, segment) else { continue };
            written.line.source = first
                .as_ref()
                .filter(|(label, _)| *label == name)
                .map(|(_, source)| source.clone());
            written.line.url = Some(name);
            lines.push(written);
        }
        if lines.is_empty() {
            if poll == Polled::Unchanged {
                watched.unchanged += 1;
                watched.unchanged_at = now;
                return;
            }
            let line = Line { at: Some(now), again: true, ..Line::default() };
            lines.push(IndexedLine { line, body: None });
        }
        let poll = watched.key_of(&lines);
        for IndexedLine { line, .. } in &mut lines {
            line.provider = Some(provider.to_owned());
            line.poll = poll;
        }
        let group = Group {
            provider: provider.to_owned(),
            at: now,
            quiet: watched.quiet(provider),
            lines,
            secrets: Arc::clone(&watched.secrets),
        };
        drop(state);
        self.send(Job::Group(Box::new(group)));
    }
}
