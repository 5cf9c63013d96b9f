//! Ends holds: decides what is sent in place of messages that were held back and are due.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::TimeDelta;
use statuswatch_notify::hold::{
    self, Due, Facts, Fate, Held, HoldReason, Message, Mute, Placement, Present, Scope, phase_of,
    place_again, thread_of,
};
use statuswatch_notify::{Phase, delivery_id};

use super::Setup;
use super::notice::summary_json;
use super::plan::{Plan, mutes, notify};
use crate::config::ChannelConfig;
use crate::event::{StatusEvent, Time};
use crate::ledger::outbox::{Hold, NewMessage, OutboxChange, Payload, Waiting};
use crate::ledger::{LedgerError, Reader};

/// Messages looked at in one transaction.
const MOST: usize = 5000;

/// How soon a mute without an end is looked at again.
const RECHECK: TimeDelta = TimeDelta::minutes(1);

/// What is known when holds end.
pub(super) struct Context<'a> {
    pub(super) setup: &'a Setup,
    pub(super) reader: &'a Reader,
    pub(super) now: Time,
    /// When this program was last not running.
    pub(super) not_running: Option<(Time, Time)>,
}

/// Releases what is due. Returns no changes if nothing is.
pub(super) fn release_due(context: &Context<'_>) -> Result<Plan, LedgerError> {
    let mut plan = Plan::default();
    let mutes = end_mutes(context, &mut plan)?;
    let due = context.reader.due(context.now, &context.setup.ids(), MOST)?;
    let groups: BTreeSet<(String, String)> = due
        .iter()
        .filter_map(|row| Some((row.channel.clone(), row.hold.as_ref()?.reason.clone())))
        .collect();
    for (channel, word) in groups {
        let Some(config) = context.setup.channel(&channel) else { continue };
        let rows: Vec<Waiting> = due
            .iter()
            .filter(|row| {
                row.channel == channel && row.hold.as_ref().is_some_and(|hold| hold.reason == word)
            })
            .cloned()
            .collect();
        plan.touched.insert(channel.clone());
        let Ok(reason) = word.parse::<HoldReason>() else {
            // Of a later version: better at once than never.
            plan.changes.extend(rows.iter().map(|row| send(row.id, 0, context.now)));
            continue;
        };
        let group = Group { context, config, mutes: &mutes, reason };
        match reason.scope(config.policy.audience) {
            Scope::Channel => {
                // All of them, also those that are due a moment later.
                let all = context.reader.held(&channel, &word, MOST)?;
                group.release(&all, &mut plan)?;
            }
            Scope::Thread => {
                let threads: BTreeSet<String> = rows.iter().map(|row| row.thread.clone()).collect();
                for thread in threads {
                    let all: Vec<Waiting> = context
                        .reader
                        .waiting_of_thread(&channel, &thread)?
                        .into_iter()
                        .filter(|row| row.hold.as_ref().is_some_and(|hold| hold.reason == word))
                        .collect();
                    group.release_thread(&all, &mut plan)?;
                }
            }
        }
    }
    Ok(plan)
}

/// Ends mutes whose time has come, and those of providers of which nothing is open.
fn end_mutes(context: &Context<'_>, plan: &mut Plan) -> Result<Vec<Mute>, LedgerError> {
    let mut left = Vec::new();
    let mut open = None;
    for mute in mutes(context.reader)? {
        let is_open = if mute.until.is_some() {
            true
        } else {
            let open = match &open {
                Some(open) => open,
                None => open.insert(open_providers(context.reader)?),
            };
            open.contains(&mute.provider)
        };
        if mute.is_over(context.now, is_open) {
            plan.changes.push(OutboxChange::EndMute { id: mute.id, at: context.now });
        } else {
            left.push(mute);
        }
    }
    Ok(left)
}

fn open_providers(reader: &Reader) -> Result<HashSet<String>, LedgerError> {
    Ok(reader.open_items(None)?.into_iter().map(|item| item.provider).collect())
}

fn send(id: i64, skipped: u32, at: Time) -> OutboxChange {
    OutboxChange::Hold { id, hold: None, skipped, at }
}

/// A thread as its channel knows it.
struct Known {
    /// Its latest event that was routed to the channel.
    event: StatusEvent,
    /// The latest event that the channel was sent.
    sent: Option<u64>,
    /// Whether the channel was sent something and not the end.
    notified: bool,
}

/// Rows of one channel that were held for one reason.
struct Group<'a> {
    context: &'a Context<'a>,
    config: &'a ChannelConfig,
    mutes: &'a [Mute],
    reason: HoldReason,
}

impl Group<'_> {
    fn reader(&self) -> &Reader {
        self.context.reader
    }

    /// Releases the rows of one thread, unless one is due later.
    fn release_thread(&self, rows: &[Waiting], plan: &mut Plan) -> Result<(), LedgerError> {
        let now = self.context.now;
        let latest = rows.iter().filter_map(|row| row.hold.as_ref()).map(|hold| hold.until).max();
        if let Some(until) = latest.filter(|until| *until > now) {
            for row in rows {
                plan.changes.push(self.hold(row, self.reason, until));
            }
            return Ok(());
        }
        self.release(rows, plan)
    }

    fn hold(&self, row: &Waiting, reason: HoldReason, until: Time) -> OutboxChange {
        OutboxChange::Hold {
            id: row.id,
            hold: Some(Hold { reason: reason.as_str().to_owned(), until }),
            skipped: 0,
            at: self.context.now,
        }
    }

    fn release(&self, rows: &[Waiting], plan: &mut Plan) -> Result<(), LedgerError> {
        let now = self.context.now;
        let mut held = Vec::new();
        let mut by_seq: HashMap<u64, &Waiting> = HashMap::new();
        for row in rows {
            let event = match &row.payload {
                Payload::Event(seq) => self.reader().event(*seq)?,
                Payload::Text(_) => None,
            };
            let Some(recorded) = event else {
                // A summary is complete as it is.
                plan.changes.push(send(row.id, 0, now));
                continue;
            };
            let scope = self.reason.scope(self.config.policy.audience);
            if scope == Scope::Channel
                && let Some((reason, until)) = self.again(&recorded.event, &row.thread)?
            {
                plan.changes.push(self.hold(row, reason, until));
                continue;
            }
            by_seq.insert(recorded.event.seq, row);
            held.push(Held { event: recorded.event, thread: row.thread.clone() });
        }
        let Some(due_at) =
            rows.iter().filter_map(|row| row.hold.as_ref()).map(|hold| hold.until).min()
        else {
            return Ok(());
        };
        let threads = self.threads(&held)?;
        let present = |thread: &str| {
            let Known { event, sent, notified } = threads.get(thread)?;
            Some(Present { event, sent: *sent, notified: *notified })
        };
        let due = Due {
            reason: self.reason,
            channel: &self.config.id,
            policy: &self.config.policy,
            quiet_hours: &self.context.setup.quiet_hours,
            due_at,
            not_running: self.context.not_running,
            now,
        };
        let release = hold::release(&due, &held, &present);
        for (seq, fate) in &release.fates {
            if *fate != Fate::Sent
                && let Some(row) = by_seq.get(seq)
            {
                plan.changes.push(OutboxChange::Superseded { id: row.id });
            }
        }
        for message in release.messages {
            match message {
                Message::One { event, skipped } => self.one(&event, skipped, &by_seq, plan)?,
                Message::Summary(summary) => {
                    let (id, thread) = self.summary_id(&by_seq);
                    plan.changes.push(OutboxChange::Add(Box::new(NewMessage {
                        channel: self.config.id.clone(),
                        thread,
                        payload: Payload::Text(summary_json(&summary)),
                        key: delivery_id(&id, &self.config.id),
                        phase: Phase::Open,
                        urgent: true,
                        hold: None,
                        at: now,
                    })));
                    self.summarized(&release.fates, &by_seq, &threads, plan);
                }
            }
        }
        Ok(())
    }

    /// Sends an event: a row that was held, or a later event of its thread.
    fn one(
        &self,
        event: &StatusEvent,
        skipped: u32,
        by_seq: &HashMap<u64, &Waiting>,
        plan: &mut Plan,
    ) -> Result<(), LedgerError> {
        let now = self.context.now;
        let thread = thread_of(event);
        let again = self.again(event, &thread)?;
        let waiting = self.reader().waiting_of_thread(&self.config.id, &thread)?;
        if let Some(row) = by_seq.get(&event.seq) {
            match again {
                Some((reason, until)) => plan.changes.push(self.hold(row, reason, until)),
                None => plan.changes.push(send(row.id, skipped, now)),
            }
        } else if let Some(row) =
            waiting.iter().find(|row| row.payload == Payload::Event(event.seq))
        {
            // It is held for another reason, and stays so if that is in force.
            if again.is_none() {
                plan.changes.push(send(row.id, skipped, now));
            }
        } else {
            let known = self.reader().notified(&self.config.id, &thread)?;
            let is_open = known.is_some_and(|known| known.ended_at.is_none());
            plan.changes.push(OutboxChange::Add(Box::new(NewMessage {
                channel: self.config.id.clone(),
                thread: thread.clone(),
                payload: Payload::Event(event.seq),
                key: delivery_id(&event.id, &self.config.id),
                phase: phase_of(event, is_open),
                urgent: false,
                hold: again
                    .map(|(reason, until)| Hold { reason: reason.as_str().to_owned(), until }),
                at: now,
            })));
        }
        if again.is_none() {
            plan.changes.push(notify(&self.config.id, &thread, event, now));
        }
        Ok(())
    }

    /// Returns why and until when an event whose hold ends is held on.
    fn again(
        &self,
        event: &StatusEvent,
        thread: &str,
    ) -> Result<Option<(HoldReason, Time)>, LedgerError> {
        let now = self.context.now;
        let known = self.reader().notified(&self.config.id, thread)?;
        let mut facts = Facts::new(now);
        facts.mute = hold::mute::muted(self.mutes, event, now);
        facts.quiet_hours = &self.context.setup.quiet_hours;
        facts.notified = known
            .filter(|known| known.ended_at.is_none())
            .map(|known| hold::Notified { at: known.opened_at, worst: known.worst });
        if self.config.policy.cap.is_some() {
            let hour = now - TimeDelta::hours(1);
            facts.sent_last_hour = self.reader().delivered_since(&self.config.id, hour)?;
        }
        let placement =
            place_again(self.reason, event, &self.config.id, &self.config.policy, &facts);
        Ok(match placement {
            Placement::Hold { reason, until } => Some((reason, until.unwrap_or(now + RECHECK))),
            Placement::Now | Placement::Unstable { .. } => None,
        })
    }

    /// Returns what the channel knows of each thread.
    fn threads(&self, held: &[Held]) -> Result<HashMap<String, Known>, LedgerError> {
        let mut latest: BTreeMap<&str, &StatusEvent> = BTreeMap::new();
        for row in held {
            let entry = latest.entry(&row.thread).or_insert(&row.event);
            if row.event.seq > entry.seq {
                *entry = &row.event;
            }
        }
        let mut threads = HashMap::new();
        for (thread, event) in latest {
            let known = self.reader().notified(&self.config.id, thread)?;
            let sent = known.as_ref().map(|known| known.last_seq);
            // The present state may have been sent already, or be held for another reason.
            let held = self.reader().waiting_of_thread(&self.config.id, thread)?;
            let held = held.iter().filter_map(|row| match row.payload {
                Payload::Event(seq) => Some(seq),
                Payload::Text(_) => None,
            });
            let later = match held.chain(sent).max().filter(|seq| *seq > event.seq) {
                Some(seq) => self.reader().event(seq)?.map(|recorded| recorded.event),
                None => None,
            };
            let later = later.filter(|later| thread_of(later) == thread);
            threads.insert(
                thread.to_owned(),
                Known {
                    event: later.unwrap_or_else(|| event.clone()),
                    sent,
                    notified: known.is_some_and(|known| known.ended_at.is_none()),
                },
            );
        }
        Ok(threads)
    }

    /// Returns what identifies a summary: the rows it stands for.
    fn summary_id(&self, by_seq: &HashMap<u64, &Waiting>) -> (String, String) {
        let seqs: BTreeSet<u64> = by_seq.keys().copied().collect();
        let (first, last) = (seqs.first().copied(), seqs.last().copied());
        let id = format!(
            "summary:{}:{}-{}:{}",
            self.reason,
            first.unwrap_or(0),
            last.unwrap_or(0),
            seqs.len()
        );
        let thread = delivery_id(&id, "thread");
        (id, thread)
    }

    /// Notes that the reader knows of the threads in a summary.
    fn summarized(
        &self,
        fates: &[(u64, Fate)],
        by_seq: &HashMap<u64, &Waiting>,
        threads: &HashMap<String, Known>,
        plan: &mut Plan,
    ) {
        let mut noted = HashSet::new();
        for (seq, fate) in fates {
            let Some(row) = by_seq.get(seq).filter(|_| *fate == Fate::Summarized) else {
                continue;
            };
            if let Some(Known { event, .. }) = threads.get(&row.thread)
                && noted.insert(row.thread.as_str())
            {
                // The time of the event and not of the summary: many openings in one summary are
                // no new storm.
                plan.changes.push(notify(&self.config.id, &row.thread, event, row.at));
            }
        }
    }
}
