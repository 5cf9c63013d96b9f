//! What delivery would do, without doing it: the decisions of the dispatcher in a copy of the
//! outbox, where every message is accepted at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use statuswatch_notify::Decision;
use statuswatch_notify::hold::thread_of;
use statuswatch_notify::text::Layout;

use super::Setup;
use super::launch::render;
use super::notice;
use super::plan::{self, Plan, route};
use super::release::{self, release_due};
use crate::event::{StatusEvent, Time};
use crate::ledger::StoredEvent;
use crate::ledger::outbox::{Hold, OutboxChange, Payload};
use crate::ledger::{LedgerError, OutboxCopy, Reader};

/// Messages that are accepted together.
const BATCH: usize = 64;

/// Where an event would go.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// What the routes say.
    pub decision: Decision,
    /// Each channel that would get it, and what would hold it back.
    pub channels: Vec<(String, Option<Hold>)>,
}

/// Decides where `event`, which is not in the ledger, would go at `now`, with the mutes, the
/// messages and the threads that `reader` sees.
///
/// # Errors
/// The ledger cannot be read.
pub fn foresee(
    setup: &Setup,
    reader: &Reader,
    event: &StatusEvent,
    now: Time,
) -> Result<Foreseen, LedgerError> {
    let recorded = StoredEvent { event: event.clone(), line: String::new() };
    let mut storms = HashMap::new();
    let mut context = plan::Context {
        setup,
        reader,
        now,
        storms: &mut storms,
        flying: &|_, _| false,
        works: &|_| true,
    };
    let plan = route(&mut context, std::slice::from_ref(&recorded))?;
    let added = plan.changes.into_iter().filter_map(|change| match change {
        OutboxChange::Add(message) if message.payload == Payload::Event(event.seq) => {
            Some((message.channel, message.hold))
        }
        _ => None,
    });
    let thread = thread_of(event);
    let mut known = BTreeSet::new();
    for channel in &setup.channels {
        let notified = reader.notified(&channel.id, &thread)?;
        if notified.is_some_and(|notified| notified.ended_at.is_none())
            || !reader.waiting_of_thread(&channel.id, &thread)?.is_empty()
        {
            known.insert(channel.id.clone());
        }
    }
    let decision =
        setup.routes.decide(event, setup.tags(&event.provider), &setup.audiences(), &|channel| {
            known.contains(channel)
        });
    Ok(Foreseen { decision, channels: added.collect() })
}

/// Decides where the notice that `channel` fails would go. `title` replaces its own. Notices are
/// never held back.
#[must_use]
pub fn foresee_notice(setup: &Setup, channel: &str, title: Option<&str>) -> (String, Decision) {
    let title = title.map_or_else(|| notice::channel_fails(channel), str::to_owned);
    let decision = notice::decide(setup, Some(channel), &title);
    (title, decision)
}

/// A message that would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldSend {
    /// The channel.
    pub channel: String,
    /// Its title and status, on one line; text of a provider.
    pub line: String,
}

/// What a channel would have been sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volume {
    /// Messages sent.
    pub messages: u64,
    /// Incidents, maintenances, components and providers that it would have been notified of.
    pub threads: BTreeSet<String>,
    /// Events that were held back before anything was sent, by reason.
    pub held: BTreeMap<String, u64>,
    /// Events that a later message stands for.
    pub replaced: u64,
}

/// Delivery in a copy of the outbox.
pub struct Simulation {
    copy: OutboxCopy,
    setup: Arc<Setup>,
    storms: HashMap<String, Time>,
    volumes: BTreeMap<String, Volume>,
    unrouted: u64,
}

impl Simulation {
    /// Starts with nothing sent and nothing waiting.
    ///
    /// # Errors
    /// There is neither memory nor space for temporary files.
    pub fn empty(setup: Arc<Setup>) -> Result<Self, LedgerError> {
        Ok(Self::new(setup, OutboxCopy::empty()?))
    }

    /// Starts with what was sent and what waits in the ledger of `state_dir`.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn copy(setup: Arc<Setup>, state_dir: &Path) -> Result<Self, LedgerError> {
        Ok(Self::new(setup, OutboxCopy::copy(state_dir)?))
    }

    fn new(setup: Arc<Setup>, copy: OutboxCopy) -> Self {
        let ids = setup.channels.iter().map(|channel| (channel.id.clone(), Volume::default()));
        let volumes = ids.collect();
        Self { copy, setup, storms: HashMap::new(), volumes, unrouted: 0 }
    }

    /// Replaces the configuration.
    pub fn configure(&mut self, setup: Arc<Setup>) {
        self.setup = setup;
    }

    /// Takes over the mutes of the ledger as they are now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn copy_mutes(&mut self, state_dir: &Path) -> Result<(), LedgerError> {
        self.copy.copy_mutes(state_dir)
    }

    /// Reads the copy.
    #[must_use]
    pub const fn reader(&self) -> &Reader {
        self.copy.reader()
    }

    /// Routes events at `now` and returns what would be sent at once.
    ///
    /// # Errors
    /// There is no memory left, or a stored row is damaged.
    pub fn route(
        &mut self,
        events: &[StoredEvent],
        now: Time,
    ) -> Result<Vec<WouldSend>, LedgerError> {
        for recorded in events {
            self.copy.add(recorded)?;
        }
        let setup = Arc::clone(&self.setup);
        let mut context = plan::Context {
            setup: &setup,
            reader: self.copy.reader(),
            now,
            storms: &mut self.storms,
            flying: &|_, _| false,
            works: &|_| true,
        };
        let plan = route(&mut context, events)?;
        self.apply(&plan, now)
    }

    /// Releases what is due at `now` and returns what would be sent.
    ///
    /// # Errors
    /// As [`Self::route`].
    pub fn release(&mut self, now: Time) -> Result<Vec<WouldSend>, LedgerError> {
        let setup = Arc::clone(&self.setup);
        let context =
            release::Context { setup: &setup, reader: self.copy.reader(), now, not_running: None };
        let plan = release_due(&context)?;
        self.apply(&plan, now)
    }

    /// Plays past events, oldest first, each at the time it was observed, and what is held back up to
    /// `end`.
    ///
    /// # Errors
    /// As [`Self::route`].
    pub fn play(&mut self, events: &[StoredEvent], end: Time) -> Result<(), LedgerError> {
        let mut at = Time::MIN_UTC;
        for recorded in events {
            at = at.max(recorded.event.observed_at);
            self.release_until(at)?;
            self.route(std::slice::from_ref(recorded), at)?;
        }
        self.release_until(end)
    }

    /// Returns when the next held message is due.
    pub(super) fn next_due(&self) -> Result<Option<Time>, LedgerError> {
        self.reader().next_due(&self.setup.ids())
    }

    fn release_until(&mut self, end: Time) -> Result<(), LedgerError> {
        let mut last = None;
        while let Some(due) = self.next_due()?.filter(|due| *due <= end) {
            if last.replace(due) == Some(due) {
                break;
            }
            self.release(due)?;
        }
        Ok(())
    }

    /// Returns what each channel would have been sent so far, by id.
    #[must_use]
    pub const fn volumes(&self) -> &BTreeMap<String, Volume> {
        &self.volumes
    }

    /// Returns how many events no rule sent anywhere.
    #[must_use]
    pub const fn unrouted(&self) -> u64 {
        self.unrouted
    }

    fn apply(&mut self, plan: &Plan, now: Time) -> Result<Vec<WouldSend>, LedgerError> {
        let mut superseded = Vec::new();
        for change in &plan.changes {
            match change {
                OutboxChange::Routed { unrouted, .. } => self.unrouted += unrouted,
                OutboxChange::Add(message) => {
                    if let Some(hold) = &message.hold {
                        let volume = self.volumes.entry(message.channel.clone()).or_default();
                        *volume.held.entry(hold.reason.clone()).or_default() += 1;
                    }
                }
                OutboxChange::Notify { channel, thread, .. } => {
                    let volume = self.volumes.entry(channel.clone()).or_default();
                    volume.threads.insert(thread.clone());
                }
                OutboxChange::Superseded { id } => superseded.push(*id),
                _ => {}
            }
        }
        for (channel, count) in self.copy.channels_of(&superseded)? {
            self.volumes.entry(channel).or_default().replaced += count;
        }
        self.copy.change(&plan.changes)?;
        self.accept(now)
    }

    /// Lets every channel accept what waits for it.
    fn accept(&mut self, now: Time) -> Result<Vec<WouldSend>, LedgerError> {
        let setup = Arc::clone(&self.setup);
        let mut sent = Vec::new();
        for config in &setup.channels {
            loop {
                let rows = self.reader().waiting(&config.id, now, BATCH, false)?;
                if rows.is_empty() {
                    break;
                }
                let mut changes = Vec::new();
                for row in rows {
                    let line = |steps: &[_], title: &str, status: &str| {
                        let dash = if status.is_empty() { "" } else { ": " };
                        (!steps.is_empty()).then(|| format!("{title}{dash}{status}"))
                    };
                    let rendered =
                        render(config, self.reader(), &row, row.skipped, now, |message, steps| {
                            let layout = Layout::new(message);
                            line(&steps, &layout.title, &layout.status)
                        })?;
                    if let Some(line) = rendered.flatten() {
                        let channel = config.id.clone();
                        self.volumes.entry(channel.clone()).or_default().messages += 1;
                        sent.push(WouldSend { channel, line });
                    }
                    changes.push(OutboxChange::Delivered {
                        id: row.id,
                        reference: None,
                        at: now,
                        lag_ms: 0,
                    });
                }
                self.copy.change(&changes)?;
            }
        }
        Ok(sent)
    }
}
