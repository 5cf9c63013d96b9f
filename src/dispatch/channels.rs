//! The channels of the dispatcher: brings lanes in line with the configuration, and notes whether a
//! channel works.

use std::sync::Arc;
use std::time::Instant;

use actix::Context;
use tokio::sync::Semaphore;

use super::Setup;
use super::actor::Dispatcher;
use super::lane::{ANNOUNCED_AFTER, Lane, until};
use super::notice::{About, about};
use crate::clock;
use crate::event::Time;
use crate::ledger::outbox::{ChannelHealth, ChannelState, OutboxChange};

impl Dispatcher {
    /// Brings the lanes in line with the configuration and stores which channels there are.
    pub(super) fn apply_setup(&mut self, context: &mut Context<Self>) {
        let (mono, now) = (Instant::now(), clock::now());
        let before = match self.reader().and_then(|reader| reader.channels(now)) {
            Ok(before) => before,
            Err(error) => {
                tracing::warn!(%error, "cannot read the state of channels");
                Vec::new()
            }
        };
        let mut changes = Vec::new();
        let setup = Arc::clone(&self.setup);
        for config in &setup.channels {
            self.metrics.channel(&config.id);
            let known = before.iter().find(|row| row.state.id == config.id);
            let is_new = !self.lanes.contains_key(&config.id);
            let lane = self
                .lanes
                .entry(config.id.clone())
                .or_insert_with(|| Lane::new(Arc::clone(config), mono, now));
            lane.configure(Arc::clone(config), mono);
            lane.retry_now();
            self.slots.insert(
                config.id.clone(),
                Arc::new(Semaphore::new(config.channel.limits().in_flight.max(1))),
            );
            if let Some(row) = known.filter(|_| is_new) {
                lane.restore(&row.state, now);
            }
            let is_current = known.is_some_and(|row| {
                row.state.kind == config.kind && row.state.health != ChannelHealth::Removed
            });
            if !is_current {
                changes.push(OutboxChange::Channel(ChannelState {
                    id: config.id.clone(),
                    kind: config.kind.to_owned(),
                    health: ChannelHealth::Ok,
                    since: now,
                    last_error: None,
                    probe_at: None,
                }));
            }
        }
        let metrics = &self.metrics;
        self.lanes.retain(|id, _| {
            let stays = setup.channel(id).is_some();
            if !stays {
                metrics.forget_channel(id);
            }
            stays
        });
        for row in before {
            if setup.channel(&row.state.id).is_some() || row.state.health == ChannelHealth::Removed
            {
                continue;
            }
            let waiting = row.waiting + row.held;
            if waiting > 0 {
                tracing::warn!(
                    channel = row.state.id,
                    waiting,
                    "the channel was removed from the configuration with messages waiting; they are kept in case it returns"
                );
            }
            changes.push(OutboxChange::Channel(ChannelState {
                health: ChannelHealth::Removed,
                since: now,
                probe_at: None,
                last_error: None,
                ..row.state
            }));
        }
        if !changes.is_empty() {
            self.store(changes, context, |_, answer, _| {
                if let Err(error) = answer {
                    tracing::warn!(%error, "cannot store the state of channels");
                }
            });
        }
    }
}

/// Notes that a channel works.
pub(super) fn works(setup: &Setup, lane: &mut Lane, now: Time, news: &mut Vec<OutboxChange>) {
    if lane.health == ChannelHealth::Ok {
        return;
    }
    tracing::warn!(channel = lane.id(), "the channel accepts messages again");
    if std::mem::take(&mut lane.announced) {
        news.extend(about(setup, lane.id(), About::Works { since: lane.since }, now));
    }
    lane.health = ChannelHealth::Ok;
    lane.since = now;
    news.push(OutboxChange::Channel(ChannelState {
        id: lane.id().to_owned(),
        kind: lane.config.kind.to_owned(),
        health: ChannelHealth::Ok,
        since: now,
        last_error: None,
        probe_at: None,
    }));
}

/// Notes that a channel does not accept messages.
pub(super) fn fails(
    setup: &Setup,
    lane: &mut Lane,
    error: &str,
    broken: bool,
    probe_at: Option<Time>,
    now: Time,
    news: &mut Vec<OutboxChange>,
) {
    let health = if broken { ChannelHealth::Broken } else { ChannelHealth::Failing };
    if lane.health == ChannelHealth::Ok {
        lane.since = now;
        tracing::warn!(
            channel = lane.id(),
            reason = error,
            "the channel does not accept messages; they are kept and sent later"
        );
    }
    lane.health = health;
    let long = until(now, lane.since) >= ANNOUNCED_AFTER;
    if (broken || long) && !std::mem::replace(&mut lane.announced, true) {
        let fails = About::Fails { since: lane.since, error, broken };
        news.extend(about(setup, lane.id(), fails, now));
    }
    news.push(OutboxChange::Channel(ChannelState {
        id: lane.id().to_owned(),
        kind: lane.config.kind.to_owned(),
        health,
        since: lane.since,
        last_error: Some(error.to_owned()),
        probe_at,
    }));
}
