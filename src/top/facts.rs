//! What is read of the ledger.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{IncidentKey, StatusEvent, Time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow};
use crate::ledger::{LedgerError, OpenItem, OwnNetwork, ProviderRow, Query, Reader, SinkRow};

/// The newest events that are kept for the list of events.
pub(super) const EVENTS: usize = 500;
/// Events read at once while following.
const BATCH: usize = 2_000;
/// Updates of one incident, events of one provider, or dead letters of one channel.
pub(super) const DETAILS: usize = 100;

/// The state of the ledger at one moment.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The providers watched, by id.
    pub providers: Vec<ProviderRow>,
    /// The open incidents and maintenances of providers that are watched.
    pub open: Vec<OpenItem>,
    /// The console and the event log.
    pub sinks: Vec<SinkRow>,
    /// The channels.
    pub channels: Vec<ChannelRow>,
    /// The state of the local network.
    pub network: OwnNetwork,
    /// The newest events, the newest first.
    pub events: Vec<Arc<StatusEvent>>,
    /// Which channels an open incident was sent to, by its thread: the channel, and whether it has
    /// accepted a message.
    pub notified: HashMap<String, Vec<(String, bool)>>,
    /// Whether `run` is watching this state directory.
    pub running: bool,
    /// How many incidents and maintenances are open besides.
    pub left_out: usize,
}

/// The newest events, which are read once each.
#[derive(Debug, Default)]
pub(super) struct Newest {
    events: VecDeque<Arc<StatusEvent>>,
    seq: u64,
}

impl Newest {
    /// Reads what is new.
    fn follow(&mut self, reader: &Reader) -> Result<(), LedgerError> {
        if self.seq == 0 {
            self.seq = reader.newest_seq()?;
            let query = Query { limit: Some(EVENTS), ..Query::default() };
            for recorded in reader.events(&query)? {
                self.push(recorded.event);
            }
        }
        loop {
            let new = reader.after(self.seq, BATCH)?;
            if new.is_empty() {
                return Ok(());
            }
            for recorded in new {
                self.push(recorded.event);
            }
        }
    }

    /// Returns the sequence number of the newest one; 0 before the first.
    pub(super) const fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns them, the newest first.
    pub(super) fn events(&self) -> Vec<Arc<StatusEvent>> {
        self.events.iter().cloned().collect()
    }

    /// Adds one that is newer than the others.
    pub(super) fn push(&mut self, event: StatusEvent) {
        self.seq = self.seq.max(event.seq);
        self.events.push_front(Arc::new(event));
        self.events.truncate(EVENTS);
    }
}

impl Facts {
    /// Reads the ledger.
    pub(super) fn read(
        reader: &Reader,
        newest: &mut Newest,
        now: Time,
        running: bool,
    ) -> Result<Self, LedgerError> {
        newest.follow(reader)?;
        let mut providers = reader.providers()?;
        providers.retain(|row| row.watched);
        let watched: std::collections::HashSet<&str> =
            providers.iter().map(|row| row.id.as_str()).collect();
        let mut open = reader.open_items(None)?;
        open.retain(|item| watched.contains(item.provider.as_str()));
        let channels = reader.channels(now)?;
        let mut notified: HashMap<String, Vec<(String, bool)>> = HashMap::new();
        for channel in channels.iter().filter(|row| row.state.health != ChannelHealth::Removed) {
            for thread in reader.open_threads(&channel.state.id, now)? {
                let sent = (channel.state.id.clone(), thread.delivered > 0);
                notified.entry(thread.thread).or_default().push(sent);
            }
        }
        Ok(Self {
            open,
            sinks: reader.sinks()?,
            channels,
            network: reader.network()?,
            events: newest.events(),
            notified,
            running,
            left_out: 0,
            providers,
        })
    }

    /// Returns which channels were sent an item, and whether they accepted it.
    pub(super) fn notified_of(&self, item: &OpenItem) -> &[(String, bool)] {
        let thread = IncidentKey::new(&item.provider, &item.incident_id).to_string();
        self.notified.get(&thread).map_or(&[], Vec::as_slice)
    }
}

/// What is shown of one line besides what [`Facts`] hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// The updates of an incident: the provider, and the platform's id.
    Incident(String, String),
    /// The newest events of a provider.
    Provider(String),
    /// The messages that a channel gave up.
    Channel(String),
}

/// The answer to a [`Subject`].
#[derive(Debug, Clone)]
pub(super) enum Details {
    /// The newest first.
    Events(Vec<StatusEvent>),
    /// The newest first.
    DeadLetters(Vec<GivenUp>),
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub(super) struct GivenUp {
    /// When.
    pub(super) at: Time,
    /// Why.
    pub(super) reason: String,
}

impl Details {
    /// Reads the ledger.
    pub(super) fn read(reader: &Reader, subject: &Subject) -> Result<Self, LedgerError> {
        let events = match subject {
            Subject::Incident(provider, id) => reader.timeline(provider, id, DETAILS)?,
            Subject::Provider(provider) => reader.events(&Query {
                providers: vec![provider.clone()],
                limit: Some(DETAILS),
                ..Query::default()
            })?,
            Subject::Channel(channel) => {
                let letters = reader.dead_letters(Some(channel), DETAILS)?;
                let given_up =
                    letters.into_iter().map(|one| GivenUp { at: one.at, reason: one.reason });
                return Ok(Self::DeadLetters(given_up.collect()));
            }
        };
        Ok(Self::Events(events.into_iter().rev().map(|recorded| recorded.event).collect()))
    }
}
