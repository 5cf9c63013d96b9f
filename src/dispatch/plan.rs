//! Routes recorded events: which channels each goes to, and whether at once or later.
//!
//! Returns changes of the outbox that are stored together with the cursor, so that every event is
//! routed exactly once. What the changes of one batch mean for its later events is kept in
//! [`Overlay`], since they are not stored yet.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use statuswatch_notify::hold::{
    self, Facts, HoldReason, Mute, Placement, ends, is_end, is_state_change, opens, phase_of,
    place, thread_of,
};
use statuswatch_notify::route::Outcome as RuleOutcome;
use statuswatch_notify::{Audience, Policy, delivery_id};

use super::Setup;
use crate::event::{Impact, Kind, StatusEvent, Time};
use crate::ledger::StoredEvent;
use crate::ledger::outbox::{
    Hold, MessageId, NewMessage, Notified, OutboxChange, Payload, Waiting,
};
use crate::ledger::{LedgerError, Query, Reader};

/// How soon the first summary of a storm is sent: long enough to gather what is reported together.
const STORM_GATHERS: TimeDelta = TimeDelta::seconds(5);

/// How long after a storm began the next one counts as its continuation.
const STORM_LASTS: TimeDelta = TimeDelta::minutes(5);

/// How often a mute without an end is looked at.
const MUTE_RECHECK: TimeDelta = TimeDelta::minutes(1);

/// What is known outside of the ledger when events are routed.
pub(super) struct Context<'a> {
    pub(super) setup: &'a Setup,
    pub(super) reader: &'a Reader,
    pub(super) now: Time,
    /// When the latest storm of each channel began.
    pub(super) storms: &'a mut HashMap<String, Time>,
    /// Messages with a request under way.
    pub(super) flying: &'a dyn Fn(&str, MessageId) -> bool,
    /// Whether a channel accepts messages.
    pub(super) works: &'a dyn Fn(&str) -> bool,
}

/// Routed events.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<OutboxChange>,
    /// Channels with new messages.
    pub(super) touched: HashSet<String>,
}

/// What changes of this batch mean for its later events.
#[derive(Default)]
struct Overlay {
    notified: HashMap<(String, String), Known>,
    /// Channels and threads with held messages.
    held: HashSet<(String, String)>,
    /// Channels and threads that join a storm: the channel knows nothing of them after all.
    forgotten: HashSet<(String, String)>,
    opened: HashMap<String, HashSet<String>>,
    sent: HashMap<String, u32>,
    storm_until: HashMap<String, Time>,
}

/// What a channel was sent of a thread, stored or about to be.
#[derive(Clone, Copy)]
struct Known {
    at: Time,
    worst: Impact,
    ended: bool,
    edited_at: Option<Time>,
    /// Whether the channel has accepted a message about it alone.
    delivered: bool,
}

impl From<&Notified> for Known {
    fn from(row: &Notified) -> Self {
        Self {
            at: row.opened_at,
            worst: row.worst,
            ended: row.ended_at.is_some(),
            edited_at: row.edited_at,
            delivered: row.delivered > 0,
        }
    }
}

/// Routes `events`, which are not empty, in their order.
pub(super) fn route(
    context: &mut Context<'_>,
    events: &[StoredEvent],
) -> Result<Plan, LedgerError> {
    let mutes = mutes(context.reader)?;
    let mut router = Router { context, mutes, overlay: Overlay::default(), plan: Plan::default() };
    let mut unrouted = 0;
    for recorded in events {
        unrouted += u64::from(!router.event(&recorded.event)?);
    }
    let mut plan = router.plan;
    let seq = events.last().map_or(0, |recorded| recorded.event.seq);
    plan.changes.push(OutboxChange::Routed { seq, unrouted });
    Ok(plan)
}

/// Returns the mutes in effect.
pub(super) fn mutes(reader: &Reader) -> Result<Vec<Mute>, LedgerError> {
    let rows = reader.mutes(false)?.into_iter();
    Ok(rows
        .map(|row| Mute {
            id: row.id,
            provider: row.provider,
            component: row.component,
            until: row.until,
            reason: row.reason.unwrap_or_default(),
            created_at: row.created_at,
        })
        .collect())
}

struct Router<'a, 'c> {
    context: &'a mut Context<'c>,
    mutes: Vec<Mute>,
    overlay: Overlay,
    plan: Plan,
}

impl Router<'_, '_> {
    /// Routes one event. Returns whether a rule sent it somewhere, or nowhere on purpose.
    fn event(&mut self, event: &StatusEvent) -> Result<bool, LedgerError> {
        let thread = thread_of(event);
        let setup = self.context.setup;
        let audiences = setup.audiences();
        let mut known = HashMap::new();
        for (channel, _) in &audiences {
            known.insert(channel.clone(), self.known(channel, &thread)?);
        }
        let mut involved = HashSet::new();
        for (channel, _) in &audiences {
            let is_known = known.get(channel).copied().flatten().is_some_and(|known| !known.ended);
            if is_known || self.is_held(channel, &thread)? {
                involved.insert(channel.clone());
            }
        }
        let decision = setup
            .routes
            .decide(event, setup.tags(&event.provider), &audiences, &|id| involved.contains(id));
        for chosen in &decision.to {
            let known = known.get(&chosen.channel).copied().flatten();
            self.send(event, &thread, &chosen.channel, known)?;
        }
        let on_purpose = decision
            .trace
            .iter()
            .any(|trial| matches!(&trial.outcome, RuleOutcome::Matched { .. }));
        Ok(on_purpose || !decision.to.is_empty() || !decision.without_page.is_empty())
    }

    fn send(
        &mut self,
        event: &StatusEvent,
        thread: &str,
        channel: &str,
        known: Option<Known>,
    ) -> Result<(), LedgerError> {
        let Some(config) = self.context.setup.channel(channel).cloned() else { return Ok(()) };
        // What has ended and begins anew is a new thread to its readers.
        let known = known.filter(|known| !known.ended);
        let placement = self.place(event, thread, channel, &config.policy, known)?;
        let now = self.context.now;
        self.plan.touched.insert(channel.to_owned());
        let hold = match placement {
            Placement::Now => None,
            Placement::Hold { reason, until } => {
                let until = until.unwrap_or(now + MUTE_RECHECK);
                let until =
                    if reason == HoldReason::Storm { self.storm(channel, until)? } else { until };
                Some((reason, until))
            }
            Placement::Unstable { until } => {
                self.unstable(event, thread, channel, until)?;
                Some((HoldReason::Unstable, until))
            }
        };
        let is_held = hold.is_some();
        self.plan.changes.push(OutboxChange::Add(Box::new(NewMessage {
            channel: channel.to_owned(),
            thread: thread.to_owned(),
            payload: Payload::Event(event.seq),
            key: delivery_id(&event.id, channel),
            phase: phase_of(event, known.is_some()),
            urgent: config.policy.audience == Audience::Chat && is_end(event) && known.is_some(),
            hold: hold.map(|(reason, until)| Hold { reason: reason.as_str().to_owned(), until }),
            at: now,
        })));
        let place = (channel.to_owned(), thread.to_owned());
        if is_held {
            self.overlay.held.insert(place);
            return Ok(());
        }
        self.plan.changes.push(notify(channel, thread, event, now));
        if known.is_none() && opens(event) {
            let opened = self.overlay.opened.entry(channel.to_owned()).or_default();
            opened.insert(event.provider.clone());
        }
        *self.overlay.sent.entry(channel.to_owned()).or_default() += 1;
        let worst = known.map_or(event.impact, |known| worse(known.worst, event.impact));
        let edited_at = (event.revision > 1).then_some(now);
        self.overlay.notified.insert(
            place,
            Known {
                at: known.map_or(now, |known| known.at),
                worst,
                ended: is_end(event),
                edited_at: edited_at.or(known.and_then(|known| known.edited_at)),
                delivered: known.is_some_and(|known| known.delivered),
            },
        );
        Ok(())
    }

    fn place(
        &self,
        event: &StatusEvent,
        thread: &str,
        channel: &str,
        policy: &Policy,
        known: Option<Known>,
    ) -> Result<Placement, LedgerError> {
        let changes = self.changes(event, thread, policy)?;
        let Context { setup, reader, now, .. } = &*self.context;
        let mut facts = Facts {
            changes: &changes,
            quiet_hours: &setup.quiet_hours,
            mute: hold::mute::muted(&self.mutes, event, *now),
            notified: known.map(|known| hold::Notified { at: known.at, worst: known.worst }),
            last_edit_at: known.and_then(|known| known.edited_at),
            ..Facts::new(*now)
        };
        if policy.cap.is_some() {
            let hour = *now - TimeDelta::hours(1);
            facts.sent_last_hour = reader.delivered_since(channel, hour)?
                + reader.waiting_count(channel)?
                + self.overlay.sent.get(channel).copied().unwrap_or(0);
        }
        let within = TimeDelta::from_std(Policy::STORM_WITHIN).unwrap_or_default();
        let storms = policy.storm.is_some() && policy.audience == Audience::Chat;
        facts.summed_up = known.is_some_and(|known| !known.delivered);
        if storms && facts.summed_up && (self.context.works)(channel) {
            facts.backlog = reader.waiting_since(channel, *now - within)?
                + self.overlay.sent.get(channel).copied().unwrap_or(0);
        }
        if storms && (known.is_none() || facts.backlog > 0) {
            facts.storm_until = match self.overlay.storm_until.get(channel) {
                Some(until) => Some(*until),
                None => reader.held_until(channel, HoldReason::Storm.as_str(), None)?,
            };
        }
        let is_running = facts.storm_until.is_some_and(|until| until > *now);
        if storms && known.is_none() && !is_running {
            let opened = self.overlay.opened.get(channel);
            let also = opened.is_none_or(|opened| !opened.contains(&event.provider));
            facts.openings = reader.openings(channel, *now - within, HoldReason::Storm.as_str())?
                + opened.map_or(0, |opened| opened.len() as u32)
                + u32::from(also);
        }
        if !policy.settle.is_zero() {
            facts.unstable_until =
                reader.held_until(channel, HoldReason::Unstable.as_str(), Some(thread))?;
        }
        Ok(place(event, channel, policy, &facts))
    }

    /// Returns when the state of the thread changed within the last hour, before this event.
    fn changes(
        &self,
        event: &StatusEvent,
        thread: &str,
        policy: &Policy,
    ) -> Result<Vec<Time>, LedgerError> {
        if policy.settle.is_zero() || !is_state_change(event) {
            return Ok(Vec::new());
        }
        let events = self.context.reader.events(&Query {
            providers: vec![event.provider.clone()],
            since: Some(self.context.now - TimeDelta::hours(1)),
            kinds: vec![Kind::Component, Kind::Provider],
            limit: Some(200),
            ..Query::default()
        })?;
        let before = events.iter().map(|recorded| &recorded.event).filter(|other| {
            other.seq < event.seq && is_state_change(other) && thread_of(other) == thread
        });
        Ok(before.map(|other| other.observed_at).collect())
    }

    /// Returns until when an opening of a storm is held. Where the storm begins with it, what waits
    /// joins it, and the first summary follows in a moment.
    fn storm(&mut self, channel: &str, until: Time) -> Result<Time, LedgerError> {
        let now = self.context.now;
        let reader = self.context.reader;
        let running = match self.overlay.storm_until.get(channel) {
            Some(until) => Some(*until),
            None => reader.held_until(channel, HoldReason::Storm.as_str(), None)?,
        };
        if let Some(until) = running.filter(|until| *until > now) {
            return Ok(until);
        }
        let is_first =
            self.context.storms.get(channel).is_none_or(|began| *began + STORM_LASTS < now);
        let until = if is_first { now + STORM_GATHERS } else { until };
        self.context.storms.insert(channel.to_owned(), now);
        self.overlay.storm_until.insert(channel.to_owned(), until);
        if is_first {
            self.gather(channel, until)?;
        }
        Ok(until)
    }

    /// Lets threads join a storm of which nothing was tried yet. To the reader they are not known, so
    /// that the summary lists them.
    fn gather(&mut self, channel: &str, until: Time) -> Result<(), LedgerError> {
        let (now, reader) = (self.context.now, self.context.reader);
        let within = TimeDelta::from_std(Policy::STORM_WITHIN).unwrap_or_default();
        let hold = || Some(Hold { reason: HoldReason::Storm.as_str().to_owned(), until });
        for row in reader.waiting(channel, now, 1000, false)? {
            let opens = row.phase == statuswatch_notify::Phase::Open && row.at + within > now;
            let known = reader.notified(channel, &row.thread)?;
            let is_all = known.is_some_and(|known| {
                known.delivered == 0 && row.payload == Payload::Event(known.first_seq)
            });
            if !opens || !is_all {
                continue;
            }
            let rows = reader.waiting_of_thread(channel, &row.thread)?;
            let untried = |row: &Waiting| {
                row.attempts == 0
                    && row.steps.is_none()
                    && row.hold.is_none()
                    && !(self.context.flying)(channel, row.id)
            };
            if !rows.iter().all(untried) {
                continue;
            }
            self.plan.changes.extend(rows.iter().map(|row| OutboxChange::Hold {
                id: row.id,
                hold: hold(),
                skipped: 0,
                at: now,
            }));
            self.forget(channel, &row.thread);
        }
        // What this batch has opened so far.
        let opened: Vec<String> = self
            .plan
            .changes
            .iter()
            .filter_map(|change| match change {
                OutboxChange::Add(new) => Some(new),
                _ => None,
            })
            .filter(|new| {
                new.channel == channel
                    && new.hold.is_none()
                    && new.phase == statuswatch_notify::Phase::Open
                    && matches!(new.payload, Payload::Event(_))
            })
            .map(|new| new.thread.clone())
            .collect();
        for thread in opened {
            for change in &mut self.plan.changes {
                if let OutboxChange::Add(new) = change
                    && new.channel == channel
                    && new.thread == thread
                    && new.hold.is_none()
                {
                    new.hold = hold();
                }
            }
            self.forget(channel, &thread);
        }
        Ok(())
    }

    /// Takes back that a channel was notified of a thread.
    fn forget(&mut self, channel: &str, thread: &str) {
        self.plan
            .changes
            .push(OutboxChange::Forget { channel: channel.to_owned(), thread: thread.to_owned() });
        let place = (channel.to_owned(), thread.to_owned());
        self.overlay.notified.remove(&place);
        self.overlay.forgotten.insert(place.clone());
        self.overlay.held.insert(place);
    }

    /// Says once that a state is unstable; what had to settle is held with the rest.
    fn unstable(
        &mut self,
        event: &StatusEvent,
        thread: &str,
        channel: &str,
        until: Time,
    ) -> Result<(), LedgerError> {
        let now = self.context.now;
        let summary = hold::unstable(event);
        let key = format!("unstable:{thread}:{}", event.seq);
        self.plan.changes.push(OutboxChange::Add(Box::new(NewMessage {
            channel: channel.to_owned(),
            thread: thread.to_owned(),
            payload: Payload::Text(super::notice::summary_json(&summary)),
            key: delivery_id(&key, channel),
            phase: statuswatch_notify::Phase::Update,
            urgent: false,
            hold: None,
            at: now,
        })));
        // Its readers know of the thread now, but not of the event, which is still held.
        self.plan.changes.push(OutboxChange::Notify {
            channel: channel.to_owned(),
            thread: thread.to_owned(),
            provider: event.provider.clone(),
            seq: event.seq.saturating_sub(1),
            impact: event.impact,
            ended: false,
            edit: false,
            at: now,
        });
        let place = (channel.to_owned(), thread.to_owned());
        let known = self.overlay.notified.get(&place).copied().filter(|known| !known.ended);
        let worst = known.map_or(event.impact, |known| worse(known.worst, event.impact));
        let at = known.map_or(now, |known| known.at);
        let edited_at = known.and_then(|known| known.edited_at);
        let delivered = known.is_some_and(|known| known.delivered);
        let known = Known { at, worst, ended: false, edited_at, delivered };
        self.overlay.notified.insert(place, known);
        for row in self.context.reader.waiting_of_thread(channel, thread)? {
            let settles = row.hold.is_some_and(|hold| hold.reason == HoldReason::Settle.as_str());
            if settles {
                let reason = HoldReason::Unstable.as_str().to_owned();
                self.plan.changes.push(OutboxChange::Hold {
                    id: row.id,
                    hold: Some(Hold { reason, until }),
                    skipped: 0,
                    at: now,
                });
            }
        }
        Ok(())
    }

    fn known(&self, channel: &str, thread: &str) -> Result<Option<Known>, LedgerError> {
        let place = (channel.to_owned(), thread.to_owned());
        if let Some(known) = self.overlay.notified.get(&place) {
            return Ok(Some(*known));
        }
        if self.overlay.forgotten.contains(&place) {
            return Ok(None);
        }
        Ok(self.context.reader.notified(channel, thread)?.as_ref().map(Known::from))
    }

    fn is_held(&self, channel: &str, thread: &str) -> Result<bool, LedgerError> {
        if self.context.setup.routes.rules.is_empty() {
            // Everything goes everywhere; only a pager asks whether it holds the opening.
            let pager = self.context.setup.channel(channel);
            if pager.is_none_or(|config| config.policy.audience != Audience::Pager) {
                return Ok(false);
            }
        }
        let place = (channel.to_owned(), thread.to_owned());
        Ok(self.overlay.held.contains(&place)
            || !self.context.reader.waiting_of_thread(channel, thread)?.is_empty())
    }
}

/// Notes that a channel is sent an event.
pub(super) fn notify(channel: &str, thread: &str, event: &StatusEvent, at: Time) -> OutboxChange {
    OutboxChange::Notify {
        channel: channel.to_owned(),
        thread: thread.to_owned(),
        provider: event.provider.clone(),
        seq: event.seq,
        impact: event.impact,
        ended: ends(event.status),
        edit: event.revision > 1,
        at,
    }
}

fn worse(one: Impact, other: Impact) -> Impact {
    if other.rank() > one.rank() { other } else { one }
}
