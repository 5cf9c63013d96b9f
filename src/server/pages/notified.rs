//! What is read of an incident besides its row: its updates, who was notified of them, and who is
//! not yet.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::parts;
use crate::event::{StatusEvent, Time};
use crate::ledger::outbox::{Delivery, Pending};
use crate::ledger::{ItemRow, LedgerError, Reader};
use crate::text::one_line;

/// An incident or maintenance with what became of its updates.
pub(super) struct Story {
    /// Its row.
    pub(super) row: ItemRow,
    /// Its updates, oldest first.
    pub(super) events: Vec<StatusEvent>,
    /// What channels accepted, by event.
    pub(super) deliveries: Vec<Delivery>,
    /// What they have not accepted yet.
    pub(super) pending: Vec<Pending>,
}

/// Reads the stories of `rows` with at most `most` of the newest updates each.
pub(super) fn read(
    reader: &Reader,
    rows: Vec<ItemRow>,
    most: usize,
) -> Result<Vec<Story>, LedgerError> {
    let mut stories = Vec::with_capacity(rows.len());
    for row in rows {
        let events = reader.timeline(&row.item.provider, &row.item.incident_id, most)?;
        let events = events.into_iter().map(|recorded| recorded.event).collect();
        stories.push(Story { row, events, deliveries: Vec::new(), pending: Vec::new() });
    }
    let seqs: Vec<u64> =
        stories.iter().flat_map(|story| story.events.iter().map(|event| event.seq)).collect();
    let deliveries = reader.deliveries(&seqs)?;
    let threads: Vec<String> = stories.iter().map(|story| story.row.key.to_string()).collect();
    let pending = reader.pending(&threads)?;
    for (story, thread) in stories.iter_mut().zip(&threads) {
        let mine = |seq: u64| story.events.iter().any(|event| event.seq == seq);
        story.deliveries = deliveries.iter().filter(|one| mine(one.seq)).cloned().collect();
        story.pending = pending.iter().filter(|one| one.thread == *thread).cloned().collect();
    }
    Ok(stories)
}

impl Story {
    /// The newest update that says something.
    pub(super) fn latest(&self) -> Option<&StatusEvent> {
        self.events.iter().rev().find(|event| event.message.is_some()).or(self.events.last())
    }

    /// For each channel: what it accepted last, or since when a message waits for it. Says that
    /// nobody was notified only if there is `anybody`.
    pub(super) fn notified(&self, anybody: bool, now: Time) -> Markup {
        let mut accepted: BTreeMap<&str, Time> = BTreeMap::new();
        for delivery in &self.deliveries {
            let last = accepted.entry(&delivery.channel).or_insert(delivery.at);
            *last = delivery.at.max(*last);
        }
        let mut waiting: BTreeMap<&str, &Pending> = BTreeMap::new();
        for pending in &self.pending {
            waiting.entry(&pending.channel).or_insert(pending);
        }
        accepted.retain(|channel, _| !waiting.contains_key(channel));
        let is_nobody = accepted.is_empty() && waiting.is_empty();
        html! {
            @if is_nobody && !anybody { span.told { "no channels" } }
            @else { ul.told aria-label="Notified" {
                @for (channel, pending) in waiting { (wait(channel, pending, now)) }
                @for (channel, at) in accepted { (done(channel, at)) }
                @if is_nobody { li.nobody { "nobody notified" } }
            } }
        }
    }
}

/// A channel that has accepted a message.
pub(super) fn done(channel: &str, at: Time) -> Markup {
    html! {
        li.done {
            i.tick aria-hidden="true" {} b { (one_line(channel, 64)) } " " (parts::clock(at))
        }
    }
}

/// A channel that has not.
pub(super) fn wait(channel: &str, pending: &Pending, now: Time) -> Markup {
    html! {
        li.waits {
            i.hour aria-hidden="true" {} b { (one_line(channel, 64)) } " "
            @match &pending.hold {
                Some(hold) => { "held (" (reason(&hold.reason)) ") until " (parts::clock(hold.until)) }
                None => {
                    "waiting " (parts::age(pending.at, now))
                    @if pending.attempts > 0 { ", " (parts::counted(pending.attempts as usize, "attempt")) }
                }
            }
        }
    }
}

fn reason(word: &str) -> String {
    one_line(word, 40).replace('_', " ")
}
