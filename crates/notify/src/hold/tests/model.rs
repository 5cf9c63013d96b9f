//! A dispatcher in memory for one channel: what the documentation requires of a caller of the
//! decisions, with a record of all that the reader learns.

use std::collections::{BTreeMap, HashMap};

use statuswatch_model::event::{Impact, Status, StatusEvent, Time};

use super::minutes;
use crate::channel::Audience;
use crate::hold::mute::muted;
use crate::hold::{
    Due, Facts, Fate, Held, HoldReason, Message, Mute, Notified, Placement, Present, Scope, ends,
    impact_of, is_end, is_state_change, opens, place, place_again, release, thread_of,
};
use crate::notification::{Entry, Summary};
use crate::policy::{Policy, QuietHours};

const CHANNEL: &str = "ops";

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Sent at once.
    Sent,
    /// Held and released.
    Released(Fate),
    /// An end without anything that a pager could end.
    Pointless,
}

/// What the reader learned.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) at: Time,
    /// The sequence number of the state, and the status; per thread.
    pub(super) states: Vec<(String, u64, Status)>,
}

struct Row {
    held: Held,
    reason: HoldReason,
    until: Option<Time>,
}

#[derive(Default)]
struct Thread {
    placed: Option<StatusEvent>,
    sent: Option<u64>,
    notified: Option<Notified>,
    changes: Vec<Time>,
    last_edit_at: Option<Time>,
}

pub(super) struct Model {
    pub(super) policy: Policy,
    pub(super) quiet_hours: Vec<QuietHours>,
    pub(super) mutes: Vec<Mute>,
    pub(super) now: Time,
    pub(super) sent: Vec<Sent>,
    pub(super) ends: BTreeMap<u64, End>,
    /// Every placement of an event that had just come.
    pub(super) placed: Vec<(StatusEvent, Option<Notified>, Placement)>,
    rows: Vec<Row>,
    threads: HashMap<String, Thread>,
    openings: Vec<(Time, String)>,
}

impl Model {
    pub(super) fn new(policy: Policy, now: Time) -> Self {
        Self {
            policy,
            quiet_hours: Vec::new(),
            mutes: Vec::new(),
            now,
            sent: Vec::new(),
            ends: BTreeMap::new(),
            placed: Vec::new(),
            rows: Vec::new(),
            threads: HashMap::new(),
            openings: Vec::new(),
        }
    }

    pub(super) fn present(&self) -> impl Iterator<Item = (&str, &StatusEvent)> {
        self.threads.iter().filter_map(|(id, thread)| Some((id.as_str(), thread.placed.as_ref()?)))
    }

    pub(super) fn held(&self) -> usize {
        self.rows.len()
    }

    /// An event is recorded at the present time.
    pub(super) fn event(&mut self, event: &StatusEvent) {
        let (id, now) = (thread_of(event), self.now);
        if opens(event) {
            self.openings.push((now, event.provider.clone()));
        }
        let holds = self.rows.iter().any(|row| row.held.thread == id);
        let thread = self.threads.entry(id.clone()).or_default();
        let notified = thread.notified;
        if self.policy.audience == Audience::Pager && is_end(event) && notified.is_none() && !holds
        {
            self.ends.insert(event.seq, End::Pointless);
            thread.placed = Some(event.clone());
            return;
        }
        let placement =
            self.with_facts(event, |facts, policy| place(event, CHANNEL, policy, facts));
        self.placed.push((event.clone(), notified, placement));
        let thread = self.threads.entry(id.clone()).or_default();
        thread.placed = Some(event.clone());
        if is_state_change(event) {
            thread.changes.push(now);
        }
        let row = |reason, until| Row {
            held: Held { event: event.clone(), thread: id.clone() },
            reason,
            until,
        };
        match placement {
            Placement::Now => {
                self.send_event(event);
                self.ends.insert(event.seq, End::Sent);
            }
            Placement::Hold { reason, until } => {
                self.rows.push(row(reason, until));
            }
            Placement::Unstable { until } => {
                let impact = impact_of(event);
                thread.notified = thread.notified.or(Some(Notified { at: now, worst: impact }));
                for row in &mut self.rows {
                    if row.held.thread == id && row.reason == HoldReason::Settle {
                        (row.reason, row.until) = (HoldReason::Unstable, Some(until));
                    }
                }
                self.rows.push(row(HoldReason::Unstable, Some(until)));
                self.sent.push(Sent { at: now, states: vec![(id, event.seq, event.status)] });
            }
        }
    }

    /// Time passes; everything that is due by then is released in order.
    pub(super) fn advance(&mut self, to: Time) {
        // Twice: what waits for the end of a mute and not for a time is seen at the end as well.
        for _ in 0..2 {
            while let Some((at, reason, thread)) = self.next_due().filter(|(at, ..)| *at <= to) {
                self.now = self.now.max(at);
                self.release(at, reason, thread.as_deref());
            }
            self.now = self.now.max(to);
        }
    }

    fn next_due(&self) -> Option<(Time, HoldReason, Option<String>)> {
        let mut groups: BTreeMap<(HoldReason, Option<&str>), Time> = BTreeMap::new();
        for row in &self.rows {
            let until = match row.until {
                Some(until) => until,
                None if self.is_muted(&row.held.event) => continue,
                None => self.now,
            };
            let scope = row.reason.scope(self.policy.audience);
            let thread = (scope == Scope::Thread).then_some(row.held.thread.as_str());
            let due = groups.entry((row.reason, thread)).or_insert(until);
            *due = if scope == Scope::Thread { until.max(*due) } else { until.min(*due) };
        }
        let first = groups.into_iter().min_by_key(|(_, due)| *due);
        first.map(|((reason, thread), due)| (due, reason, thread.map(str::to_owned)))
    }

    /// Whether anything that a mute until the end covers is open.
    fn is_muted(&self, event: &StatusEvent) -> bool {
        self.mutes.iter().any(|mute| {
            let open = self.present().any(|(_, other)| mute.covers(other) && !is_end(other));
            mute.covers(event) && !mute.is_over(self.now, open)
        })
    }

    fn release(&mut self, at: Time, reason: HoldReason, thread: Option<&str>) {
        let (mut due, rest): (Vec<Row>, Vec<Row>) =
            std::mem::take(&mut self.rows).into_iter().partition(|row| {
                row.reason == reason && thread.is_none_or(|thread| row.held.thread == thread)
            });
        self.rows = rest;
        if thread.is_none() {
            for mut row in std::mem::take(&mut due) {
                match self.again(reason, &row.held.event) {
                    Placement::Hold { reason, until } => {
                        (row.reason, row.until) = (reason, until);
                        self.rows.push(row);
                    }
                    _ => due.push(row),
                }
            }
        }
        let held: Vec<Held> = due.into_iter().map(|row| row.held).collect();
        let outcome = {
            let present = |id: &str| {
                let thread = self.threads.get(id)?;
                let notified = thread.notified.is_some();
                Some(Present { event: thread.placed.as_ref()?, sent: thread.sent, notified })
            };
            release(
                &Due {
                    reason,
                    channel: CHANNEL,
                    policy: &self.policy,
                    quiet_hours: &self.quiet_hours,
                    due_at: at,
                    not_running: None,
                    now: self.now,
                },
                &held.clone(),
                &present,
            )
        };
        for message in outcome.messages {
            match message {
                Message::One { event, .. } => {
                    if let Placement::Hold { reason: next, until } = self.again(reason, &event) {
                        self.rows.extend(held.into_iter().map(|held| Row {
                            held,
                            reason: next,
                            until,
                        }));
                        return;
                    }
                    self.send_event(&event);
                }
                Message::Summary(summary) => self.send_summary(&summary, &outcome.fates, &held),
            }
        }
        for (seq, fate) in outcome.fates {
            assert_eq!(self.ends.insert(seq, End::Released(fate)), None, "{seq} has two ends");
        }
    }

    fn again(&self, reason: HoldReason, event: &StatusEvent) -> Placement {
        self.with_facts(event, |facts, policy| place_again(reason, event, CHANNEL, policy, facts))
    }

    fn with_facts<T>(&self, event: &StatusEvent, then: impl Fn(&Facts<'_>, &Policy) -> T) -> T {
        let (empty, now) = (Thread::default(), self.now);
        let thread = self.threads.get(&thread_of(event)).unwrap_or(&empty);
        let within = |at: Time, limit: i64| at + minutes(limit) > now;
        let mut openings: Vec<&str> = self
            .openings
            .iter()
            .filter(|(at, _)| within(*at, 2))
            .map(|(_, provider)| provider.as_str())
            .collect();
        openings.sort_unstable();
        openings.dedup();
        let current: Vec<Mute> =
            self.mutes.iter().filter(|mute| self.is_in_force(mute)).cloned().collect();
        let id = thread_of(event);
        let unstable = self
            .rows
            .iter()
            .filter(|row| row.reason == HoldReason::Unstable && row.held.thread == id);
        let storm = self.rows.iter().filter(|row| row.reason == HoldReason::Storm);
        let facts = Facts {
            now,
            mute: muted(&current, event, now),
            notified: thread.notified,
            last_edit_at: thread.last_edit_at,
            sent_last_hour: self.sent.iter().filter(|sent| within(sent.at, 60)).count() as u32,
            openings: openings.len() as u32,
            storm_until: storm.filter_map(|row| row.until).max(),
            summed_up: false,
            backlog: 0,
            changes: &thread.changes,
            unstable_until: unstable.filter_map(|row| row.until).max(),
            quiet_hours: &self.quiet_hours,
        };
        then(&facts, &self.policy)
    }

    fn is_in_force(&self, mute: &Mute) -> bool {
        // A mute until the end is in force before anything has begun.
        mute.until.is_none_or(|until| until > self.now)
            && (mute.until.is_some()
                || self.present().all(|(_, event)| !mute.covers(event))
                || self.present().any(|(_, event)| mute.covers(event) && !is_end(event)))
    }

    fn send_event(&mut self, event: &StatusEvent) {
        let id = thread_of(event);
        self.note(&id, event.seq, impact_of(event), is_end(event));
        let thread = self.threads.entry(id.clone()).or_default();
        if event.revision > 1 {
            thread.last_edit_at = Some(self.now);
        }
        let states = vec![(id, event.seq, event.status)];
        self.sent.push(Sent { at: self.now, states });
    }

    fn send_summary(&mut self, summary: &Summary, fates: &[(u64, Fate)], held: &[Held]) {
        let mut states = BTreeMap::new();
        for (seq, fate) in fates {
            if *fate != Fate::Summarized {
                continue;
            }
            let held = held.iter().find(|held| held.event.seq == *seq).unwrap();
            let present = self.threads[&held.thread].placed.as_ref().unwrap();
            let impact = impact_of(&held.event);
            states.insert(held.thread.clone(), (present.seq, present.status, impact));
        }
        let open = |entry: &&Entry| entry.open;
        let are_open = states.values().filter(|(_, status, _)| !ends(*status)).count();
        assert_eq!(summary.entries.len() + summary.omitted as usize, states.len());
        let listed = summary.entries.iter().filter(open).count();
        assert_eq!(listed + summary.omitted_open as usize, are_open);
        for (thread, (seq, status, impact)) in &states {
            self.note(thread, *seq, *impact, ends(*status));
        }
        let states = states.into_iter().map(|(id, (seq, status, _))| (id, seq, status)).collect();
        self.sent.push(Sent { at: self.now, states });
    }

    fn note(&mut self, thread: &str, seq: u64, impact: Impact, ended: bool) {
        let thread = self.threads.entry(thread.to_owned()).or_default();
        assert!(thread.sent < Some(seq), "the past is replayed: {seq} after {:?}", thread.sent);
        thread.sent = Some(seq);
        let worst = |before: Impact| if before.rank() > impact.rank() { before } else { impact };
        let before = thread.notified.unwrap_or(Notified { at: self.now, worst: impact });
        let notified = Notified { worst: worst(before.worst), ..before };
        thread.notified = (!ended).then_some(notified);
    }
}
