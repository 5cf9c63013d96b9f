//! The writer's SQL of the outbox, see [`crate::ledger::outbox`].

use rusqlite::{Connection, OptionalExtension, params};
use statuswatch_notify::{Phase, Step};

use super::Sql;
use crate::event::Time;
use crate::ledger::outbox::{ChannelState, NewMessage, OutboxChange, Payload};

/// The key in `meta` of the number of events that no rule sent anywhere.
pub(in crate::ledger) const UNROUTED: &str = "unrouted";

/// The id of the sink whose cursor says which events are routed.
pub const ROUTER: &str = "channels";

/// How long deliveries and ended threads are remembered: who was notified of what, and when.
const REMEMBERED_MS: i64 = 30 * 24 * 3600 * 1000;

pub(in crate::ledger) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "open",
        Phase::Update => "update",
        Phase::End => "end",
    }
}

pub(in crate::ledger) fn phase_of(word: &str) -> Phase {
    match word {
        "open" => Phase::Open,
        "end" => Phase::End,
        _ => Phase::Update,
    }
}

fn json(steps: &[Step]) -> String {
    serde_json::to_string(steps).unwrap_or_default()
}

/// Applies one change.
pub(in crate::ledger) fn change_outbox(db: &Connection, change: &OutboxChange) -> Sql<()> {
    match change {
        OutboxChange::Routed { seq, unrouted } => routed(db, *seq, *unrouted),
        OutboxChange::Add(message) => add(db, message),
        OutboxChange::Hold { id, hold, skipped, at } => {
            let until = hold.as_ref().map(|hold| hold.until.timestamp_millis());
            db.prepare_cached(
                "UPDATE outbox SET hold = ?2, due_at = ?3, skipped = skipped + ?4,
                   created_at = iif(?2 IS NULL, ?5, created_at) WHERE id = ?1",
            )?
            .execute(params![
                id,
                hold.as_ref().map(|hold| hold.reason.as_str()),
                until,
                skipped,
                at.timestamp_millis()
            ])?;
            Ok(())
        }
        OutboxChange::Superseded { id } => remove(db, *id),
        OutboxChange::Notify { channel, thread, provider, seq, impact, ended, edit, at } => {
            let at = at.timestamp_millis();
            // A thread that has ended and opens again is a new one to its readers.
            db.prepare_cached(
                "INSERT INTO notified(channel, thread, provider, first_seq, last_seq, opened_at, last_at, ended_at, worst,
                   edited_at)
                 VALUES(?1, ?2, ?3, ?4, ?4, ?5, ?5, ?6, ?7, ?8)
                 ON CONFLICT DO UPDATE SET last_seq = max(last_seq, excluded.last_seq), last_at = excluded.last_at,
                   ended_at = excluded.ended_at, edited_at = coalesce(excluded.edited_at, edited_at),
                   -- What has ended and begins anew is a new thread.
                   worst = iif(worst > excluded.worst AND NOT (ended_at IS NOT NULL AND excluded.ended_at IS NULL), worst,
                     excluded.worst),
                   opened_at = iif(ended_at IS NOT NULL AND excluded.ended_at IS NULL, excluded.opened_at, opened_at),
                   first_seq = iif(ended_at IS NOT NULL AND excluded.ended_at IS NULL, excluded.first_seq, first_seq),
                   delivered = iif(ended_at IS NOT NULL AND excluded.ended_at IS NULL, 0, delivered),
                   root = iif(ended_at IS NOT NULL AND excluded.ended_at IS NULL, NULL, root),
                   last = iif(ended_at IS NOT NULL AND excluded.ended_at IS NULL, NULL, last)",
            )?
            .execute(params![
                channel,
                thread,
                provider,
                seq.cast_signed(),
                at,
                ended.then_some(at),
                impact.rank(),
                edit.then_some(at)
            ])?;
            Ok(())
        }
        OutboxChange::Forget { channel, thread } => {
            db.prepare_cached(
                "DELETE FROM notified WHERE channel = ?1 AND thread = ?2 AND delivered = 0",
            )?
            .execute([channel, thread])?;
            Ok(())
        }
        OutboxChange::Claim { id, steps, plain, skipped, at } => {
            db.prepare_cached(
                "UPDATE outbox SET steps = ?2, plain = ?3, skipped = ?4, first_attempt_at = coalesce(first_attempt_at, ?5)
                 WHERE id = ?1",
            )?
            .execute(params![id, json(steps), plain, skipped, at.timestamp_millis()])?;
            Ok(())
        }
        OutboxChange::Retry { id, next_at, error, in_doubt } => {
            db.prepare_cached(
                "UPDATE outbox SET attempts = attempts + 1, next_at = ?2, error = ?3, in_doubt = in_doubt OR ?4
                 WHERE id = ?1",
            )?
            .execute(params![id, next_at.timestamp_millis(), error, in_doubt])?;
            Ok(())
        }
        OutboxChange::Rerender { id, plain, forget_reference, error } => {
            rerender(db, *id, *plain, *forget_reference, error)
        }
        OutboxChange::Delivered { id, reference, at, lag_ms } => {
            delivered(db, *id, reference.as_deref(), *at, *lag_ms)
        }
        OutboxChange::Dead { id, reason, at } => dead(db, *id, reason, *at),
        OutboxChange::SetAside { id, thread, key, steps, error, next_at, at } => {
            let (steps, at) = (json(steps), at.timestamp_millis());
            match next_at {
                // It may not be rendered again, which would address everybody.
                Some(next_at) => db
                    .prepare_cached(
                        "INSERT INTO outbox(channel, thread, seq, content, key, phase, created_at, attempts, first_attempt_at,
                           next_at, in_doubt, plain, steps, skipped, error)
                         SELECT channel, ?2, seq, content, ?3, phase, created_at, 1, coalesce(first_attempt_at, ?4),
                           ?5, 1, 1, ?6, skipped, ?7 FROM outbox WHERE id = ?1 ON CONFLICT(key) DO NOTHING",
                    )?
                    .execute(params![id, thread, key, at, next_at.timestamp_millis(), steps, error])?,
                None => db
                    .prepare_cached(
                        "INSERT INTO dead_letter(channel, thread, seq, content, key, phase, reason, at, steps)
                         SELECT channel, ?2, seq, content, ?3, phase, ?7, ?4, ?6 FROM outbox WHERE id = ?1 AND ?5 IS NULL",
                    )?
                    .execute(params![id, thread, key, at, None::<i64>, steps, error])?,
            };
            Ok(())
        }
        OutboxChange::EndMute { id, at } => {
            db.prepare_cached("UPDATE mute SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL")?
                .execute(params![id, at.timestamp_millis()])?;
            Ok(())
        }
        OutboxChange::Channel(state) => put_channel(db, state),
    }
}

fn routed(db: &Connection, seq: u64, unrouted: u64) -> Sql<()> {
    db.prepare_cached("UPDATE sink SET seq = ?2 WHERE id = ?1")?
        .execute(params![ROUTER, seq.cast_signed()])?;
    if unrouted > 0 {
        db.prepare_cached(
            "INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        )?
        .execute(params![UNROUTED, unrouted.cast_signed()])?;
    }
    Ok(())
}

fn add(db: &Connection, message: &NewMessage) -> Sql<()> {
    let (seq, content) = match &message.payload {
        Payload::Event(seq) => (Some(seq.cast_signed()), None),
        Payload::Text(text) => (None, Some(text)),
    };
    db.prepare_cached(
        "INSERT INTO outbox(channel, thread, seq, content, key, phase, urgent, hold, due_at, created_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(key) DO NOTHING",
    )?
    .execute(params![
        message.channel,
        message.thread,
        seq,
        content,
        message.key,
        phase(message.phase),
        message.urgent,
        message.hold.as_ref().map(|hold| hold.reason.as_str()),
        message.hold.as_ref().map(|hold| hold.until.timestamp_millis()),
        message.at.timestamp_millis(),
    ])?;
    Ok(())
}

fn remove(db: &Connection, id: i64) -> Sql<()> {
    db.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
    Ok(())
}

fn rerender(db: &Connection, id: i64, plain: bool, forget_reference: bool, error: &str) -> Sql<()> {
    if forget_reference {
        db.prepare_cached(
            "UPDATE notified SET root = NULL, last = NULL
             WHERE (channel, thread) = (SELECT channel, thread FROM outbox WHERE id = ?1)",
        )?
        .execute([id])?;
    }
    db.prepare_cached(
        "UPDATE outbox SET steps = NULL, plain = ?2, attempts = attempts + 1, next_at = NULL, error = ?3 WHERE id = ?1",
    )?
    .execute(params![id, plain, error])?;
    Ok(())
}

fn delivered(db: &Connection, id: i64, reference: Option<&str>, at: Time, lag: i64) -> Sql<()> {
    let at = at.timestamp_millis();
    let row = db
        .prepare_cached("DELETE FROM outbox WHERE id = ?1 RETURNING channel, thread, seq")?
        .query_row([id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<i64>>(2)?))
        })
        .optional()?;
    // A repeated answer: it was removed with the first.
    let Some((channel, thread, seq)) = row else {
        return Ok(());
    };
    if let Some(seq) = seq {
        db.prepare_cached(
            "INSERT INTO delivery(seq, channel, at, lag_ms) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![seq, channel, at, lag])?;
    }
    db.prepare_cached(
        "UPDATE notified SET delivered = delivered + 1, root = coalesce(root, ?3), last = coalesce(?3, last)
         WHERE channel = ?1 AND thread = ?2",
    )?
    .execute(params![channel, thread, reference])?;
    db.prepare_cached("UPDATE channel SET last_success_at = ?2 WHERE id = ?1")?
        .execute(params![channel, at])?;
    Ok(())
}

fn dead(db: &Connection, id: i64, reason: &str, at: Time) -> Sql<()> {
    db.prepare_cached(
        "INSERT INTO dead_letter(channel, thread, seq, content, key, phase, reason, at, steps)
         SELECT channel, thread, seq, content, key, phase, ?2, ?3, steps FROM outbox WHERE id = ?1",
    )?
    .execute(params![id, reason, at.timestamp_millis()])?;
    remove(db, id)
}

fn put_channel(db: &Connection, state: &ChannelState) -> Sql<()> {
    let since = state.since.timestamp_millis();
    db.prepare_cached(
        "INSERT INTO channel(id, kind, health, since, last_error, last_error_at, probe_at)
         VALUES(?1, ?2, ?3, ?4, ?5, iif(?5 IS NULL, NULL, ?6), ?7)
         ON CONFLICT DO UPDATE SET kind = excluded.kind, health = excluded.health, since = excluded.since,
           last_error = coalesce(excluded.last_error, last_error),
           last_error_at = coalesce(excluded.last_error_at, last_error_at), probe_at = excluded.probe_at",
    )?
    .execute(params![
        state.id,
        state.kind,
        state.health.as_str(),
        since,
        state.last_error,
        crate::clock::now().timestamp_millis(),
        super::millis(state.probe_at)
    ])?;
    Ok(())
}

/// Removes the cursor of the dispatcher.
pub(in crate::ledger) fn forget_routing(db: &Connection) -> Sql<()> {
    db.execute("DELETE FROM sink WHERE id = ?1", [ROUTER])?;
    Ok(())
}

/// How long the messages of a channel that is not configured any more wait for its return.
const REMOVED_MS: i64 = 72 * 3600 * 1000;

/// Makes dead letters of what waits for channels that were removed long ago: it would be wrong news
/// by the time they return. Returns the number of messages.
fn give_up_removed(db: &Connection, now: Time) -> Sql<usize> {
    const CHOSEN: &str =
        "channel IN (SELECT id FROM channel WHERE health = 'removed' AND since < ?1)";
    let before = now.timestamp_millis() - REMOVED_MS;
    db.execute(
        &format!(
            "INSERT INTO dead_letter(channel, thread, seq, content, key, phase, reason, at, steps)
             SELECT channel, thread, seq, content, key, phase, 'the channel was removed from the configuration', ?2, steps
             FROM outbox WHERE {CHOSEN} ORDER BY id"
        ),
        params![before, now.timestamp_millis()],
    )?;
    db.execute(&format!("DELETE FROM outbox WHERE {CHOSEN}"), [before])
}

/// Removes what is older than what is remembered. Returns the number of rows.
pub(in crate::ledger) fn prune_outbox(db: &Connection, now: Time) -> Sql<usize> {
    let before = now.timestamp_millis() - REMEMBERED_MS;
    let mut rows = give_up_removed(db, now)?;
    rows += db.execute("DELETE FROM delivery WHERE at < ?1", [before])?;
    rows += db.execute("DELETE FROM notified WHERE ended_at < ?1", [before])?;
    rows += db.execute("DELETE FROM mute WHERE ended_at < ?1", [before])?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::migrate::open_scratch;
    use super::super::read::Reader;
    use super::*;
    use crate::ledger::outbox::{ChannelHealth, Hold};

    fn add(db: &Connection, channel: &str, key: &str, hold: Option<Hold>, at: Time) {
        let message = NewMessage {
            channel: channel.into(),
            thread: key.into(),
            payload: Payload::Event(1),
            key: key.into(),
            phase: Phase::Open,
            urgent: false,
            hold,
            at,
        };
        change_outbox(db, &OutboxChange::Add(Box::new(message))).unwrap();
    }

    fn removed(db: &Connection, since: Time) {
        let state = ChannelState {
            id: "gone".into(),
            kind: "webhook".into(),
            health: ChannelHealth::Removed,
            since,
            last_error: None,
            probe_at: None,
        };
        change_outbox(db, &OutboxChange::Channel(state)).unwrap();
    }

    #[test]
    fn what_waits_for_a_removed_channel_is_never_due_and_given_up_in_the_end() {
        let db = open_scratch().unwrap();
        let now = crate::clock::now();
        let hold = Hold { reason: "digest".into(), until: now - TimeDelta::hours(1) };
        add(&db, "gone", "a", Some(hold), now);
        add(&db, "gone", "b", None, now);
        add(&db, "here", "c", None, now);
        removed(&db, now - TimeDelta::hours(71));
        assert_eq!(prune_outbox(&db, now).unwrap(), 0);
        removed(&db, now - TimeDelta::hours(73));
        let reader = Reader::of(db);
        assert_eq!(reader.next_due(&["here"]).unwrap(), None);
        assert_eq!(prune_outbox(reader.db(), now).unwrap(), 2);
        assert_eq!(reader.dead_letters(None, 10).unwrap().len(), 2);
        assert_eq!(reader.waiting_count("here").unwrap(), 1);
    }
    #[test]
    fn only_channels_with_something_to_send_are_waiting() {
        let db = open_scratch().unwrap();
        let now = crate::clock::now();
        let hold = Hold { reason: "digest".into(), until: now + TimeDelta::hours(1) };
        add(&db, "busy", "a", None, now);
        add(&db, "held", "b", Some(hold), now);
        add(&db, "foreign", "c", None, now);
        let waiting = Reader::of(db).channels_waiting(&["busy", "held", "idle"]).unwrap();
        assert_eq!(waiting, ["busy".to_owned()].into());
    }
}
