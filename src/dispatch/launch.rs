//! Prepares messages for an attempt: leaves out what a newer one stands for, and renders the rest.

use std::time::Duration;

use statuswatch_notify::hold::{self, COALESCE_AFTER, coalesce};
use statuswatch_notify::{
    Audience, Content, Custom, Form, Notification, Phase, REPEAT_ENDED, Reference, Step,
    delivery_id,
};

use super::lane::{Lane, until};
use super::notice::Stored;
use crate::config::ChannelConfig;
use crate::event::Time;
use crate::ledger::outbox::{OutboxChange, Payload, Waiting};
use crate::ledger::{LedgerError, Reader};

/// A message that is sent so long after it was routed says how late it is.
const LATE: Duration = Duration::from_mins(5);

/// What is to be done with a message that was taken from a lane.
pub(super) enum Prepared {
    /// It is sent.
    Send {
        /// The message.
        row: Box<Waiting>,
        /// What is sent.
        steps: Vec<Step>,
    },
    /// It is not: another one stands for it, or there is nothing to send.
    Skip {
        /// The message.
        row: Box<Waiting>,
    },
}

/// Prepares the next messages of a lane. The changes must be stored before anything is sent.
pub(super) fn prepare(
    lane: &mut Lane,
    reader: &Reader,
    mono: std::time::Instant,
    now: Time,
) -> Result<(Vec<Prepared>, Vec<OutboxChange>), LedgerError> {
    let (mut prepared, mut changes) = (Vec::new(), Vec::new());
    while let Some(row) = lane.next(mono, now) {
        let taken = row.clone();
        let next = one(lane, reader, row, now, &mut changes).inspect_err(|_| lane.put_back(&taken));
        match next {
            Ok(next) => prepared.push(next),
            // What was prepared before is still sent.
            Err(_) if !prepared.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok((prepared, changes))
}

fn one(
    lane: &mut Lane,
    reader: &Reader,
    row: Waiting,
    now: Time,
    changes: &mut Vec<OutboxChange>,
) -> Result<Prepared, LedgerError> {
    let (row, skipped) = newest(lane, reader, row, now, changes)?;
    let late = until(now, row.at);
    // The same bytes again, unless it is certain that none arrived and there is more to say now.
    let again = row.steps.clone().filter(|_| row.in_doubt || late < LATE);
    if let Some(steps) = again {
        return Ok(Prepared::Send { row: Box::new(row), steps });
    }
    let rendered = render(&lane.config, reader, &row, skipped, now, |_, steps| steps)?;
    let Some(steps) = rendered else {
        changes.push(OutboxChange::Dead {
            id: row.id,
            reason: "its event is not in the ledger any more".to_owned(),
            at: now,
        });
        return Ok(Prepared::Skip { row: Box::new(row) });
    };
    if steps.is_empty() {
        changes.push(OutboxChange::Superseded { id: row.id });
        return Ok(Prepared::Skip { row: Box::new(row) });
    }
    changes.push(OutboxChange::Claim {
        id: row.id,
        steps: steps.clone(),
        plain: row.plain,
        skipped,
        at: now,
    });
    Ok(Prepared::Send { row: Box::new(row), steps })
}

/// Leaves out earlier messages of a thread that a newer one stands for. Returns the message to send
/// in place of `row`, with the number of those left out.
fn newest(
    lane: &mut Lane,
    reader: &Reader,
    row: Waiting,
    now: Time,
    changes: &mut Vec<OutboxChange>,
) -> Result<(Waiting, u32), LedgerError> {
    let audience = lane.audience();
    let is_old = until(now, row.at) > COALESCE_AFTER;
    let is_event = matches!(row.payload, Payload::Event(_));
    if audience == Audience::Machine || !is_event || row.in_doubt || !(is_old || row.urgent) {
        let skipped = row.skipped;
        return Ok((row, skipped));
    }
    let others: Vec<Waiting> = reader
        .waiting_of_thread(lane.id(), &row.thread)?
        .into_iter()
        .filter(|other| {
            other.hold.is_none() && matches!(other.payload, Payload::Event(_)) && !other.in_doubt
        })
        .filter(|other| other.id == row.id || !lane.is_flying(other.id))
        .collect();
    let mut skipped = row.skipped;
    // An end that overtakes what waits longer stands for what it overtakes.
    let mut left_out: Vec<&Waiting> = if row.urgent {
        others.iter().filter(|other| other.id < row.id).collect()
    } else {
        Vec::new()
    };
    let mut chosen = row.clone();
    if is_old && !row.urgent {
        let notified =
            reader.notified(lane.id(), &row.thread)?.is_some_and(|known| known.delivered > 0);
        let seq = |row: &Waiting| match row.payload {
            Payload::Event(seq) => seq,
            Payload::Text(_) => 0,
        };
        let list: Vec<hold::Waiting> = others
            .iter()
            .map(|other| hold::Waiting { seq: seq(other), is_end: other.phase == Phase::End })
            .collect();
        let result = coalesce(audience, &list, until(now, row.at), notified);
        let first = result.keep.first().copied();
        let by = first.map_or(0, |(seq, _)| seq);
        left_out.extend(others.iter().filter(|other| {
            result.drop.iter().any(|(seq_of, for_whom)| *seq_of == seq(other) && *for_whom == by)
        }));
        if let Some(kept) = others.iter().find(|other| seq(other) == by) {
            chosen = kept.clone();
        }
    }
    for other in left_out {
        skipped += 1;
        changes.push(OutboxChange::Superseded { id: other.id });
        lane.forget(other.id);
    }
    if chosen.id != row.id {
        lane.replace(&row, &chosen);
    }
    Ok((chosen, skipped))
}

/// Renders a message and passes it with its steps to `then`; `None` if what it says is not stored
/// any more.
pub(super) fn render<T>(
    config: &ChannelConfig,
    reader: &Reader,
    row: &Waiting,
    skipped: u32,
    now: Time,
    then: impl FnOnce(&Notification<'_>, Vec<Step>) -> T,
) -> Result<Option<T>, LedgerError> {
    let late = until(now, row.at);
    let known = reader.notified(&config.id, &row.thread)?;
    let reference: Option<Reference> = known.as_ref().and_then(|known| known.reference.clone());
    let delivered = known.as_ref().is_some_and(|known| known.delivered > 0);
    let phase = if row.phase == Phase::Update && !delivered { Phase::Open } else { row.phase };
    let (event, stored) = match &row.payload {
        Payload::Event(seq) => match reader.event(*seq)? {
            Some(recorded) => (Some(recorded.event), None),
            None => return Ok(None),
        },
        Payload::Text(text) => match serde_json::from_str::<Stored>(text) {
            Ok(stored) => (None, Some(stored)),
            Err(_) => return Ok(None),
        },
    };
    let content = match (&event, &stored) {
        (Some(event), _) => Content::Event(event),
        (None, Some(Stored::Summary(summary))) => Content::Summary(summary),
        (None, Some(Stored::Notice(notice))) => Content::Notice(notice),
        (None, None) => return Ok(None),
    };
    // The channel comes late: it has a route only now, or what came before was held back.
    let open_since = event.as_ref().filter(|event| {
        phase == Phase::Open
            && known.as_ref().is_none_or(|known| known.first_seq == event.seq)
            && event.previous_status.is_some_and(|before| !hold::ends(before))
    });
    let mut notification = Notification {
        delivery_id: &row.key,
        thread: &row.thread,
        content,
        phase,
        late: (late >= LATE).then_some(late),
        skipped,
        open_since: open_since.and_then(|event| event.started_at),
        reference: reference.as_ref(),
        custom: Custom::default(),
        now,
    };
    let form = if row.plain { Form::Plain } else { Form::Rich };
    if let Some(templates) = &config.templates {
        let rendered = templates.render(&notification);
        for error in rendered.errors {
            tracing::warn!(channel = config.id, %error, "a template failed; the built-in text is sent");
        }
        notification.custom = rendered.custom;
    }
    let steps = config.channel.render(&notification, form);
    Ok(Some(then(&notification, steps)))
}

/// Renders what a channel that forgets is sent again: the latest event of every thread that is open
/// or has ended a moment ago.
pub(super) fn repeat(
    lane: &Lane,
    reader: &Reader,
    now: Time,
) -> Result<Vec<Vec<Step>>, LedgerError> {
    let ended = chrono::TimeDelta::from_std(REPEAT_ENDED).unwrap_or_default();
    let mut messages = Vec::new();
    for known in reader.open_threads(lane.id(), now - ended)? {
        let Some(recorded) = reader.event(known.last_seq)? else { continue };
        let phase = if known.ended_at.is_some() { Phase::End } else { Phase::Update };
        let key = delivery_id(&recorded.event.id, lane.id());
        let notification = Notification {
            delivery_id: &key,
            thread: &known.thread,
            content: Content::Event(&recorded.event),
            phase,
            late: None,
            skipped: 0,
            open_since: None,
            reference: known.reference.as_ref(),
            custom: Custom::default(),
            now,
        };
        messages.push(lane.config.channel.render(&notification, Form::Rich));
    }
    Ok(messages)
}
