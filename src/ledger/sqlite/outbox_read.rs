//! Reads the outbox: for the dispatcher, for `channels`, `deadletters`, `mutes` and `status`.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row, params};
use statuswatch_notify::Reference;

use super::outbox::{ROUTER, UNROUTED, phase_of};
use super::read::Reader;
use super::time;
use crate::event::{Impact, Time};
use crate::ledger::LedgerError;
use crate::ledger::delivery::StoredEvent;
use crate::ledger::outbox::{
    ChannelHealth, ChannelRow, ChannelState, DeadLetter, Delivery, Hold, MuteRow, Notified,
    Payload, Pending, Waiting,
};

type Answer<T> = Result<T, LedgerError>;

/// The columns in the order in which [`waiting`] takes them.
const WAITING: &str = "id, channel, thread, seq, content, key, phase, urgent, hold, due_at, created_at, attempts, first_attempt_at, \
     next_at, in_doubt, plain, steps, skipped";

impl Reader {
    /// Returns the next message of each thread of `channel`: those that can be sent at `now` in the
    /// order of routing, or what is urgent first, whatever of its thread waits before it; then those
    /// that are tried again later. At most `most`.
    pub fn waiting(
        &self,
        channel: &str,
        now: Time,
        most: usize,
        urgent_first: bool,
    ) -> Answer<Vec<Waiting>> {
        const FIRST: &str =
            "id = (SELECT min(id) FROM outbox AS other WHERE other.channel = outbox.channel
             AND other.thread = outbox.thread AND other.hold IS NULL)";
        let (first, order) = if urgent_first {
            (format!("(urgent OR {FIRST})"), "urgent DESC, id")
        } else {
            (FIRST.to_owned(), "id")
        };
        let mut rows = Vec::new();
        for (when, order) in
            [("coalesce(next_at, 0) <= ?2", order), ("next_at > ?2", "next_at, id")]
        {
            let sql = format!(
                "SELECT {WAITING} FROM outbox WHERE channel = ?1 AND hold IS NULL AND {when} AND {first}
                 ORDER BY {order} LIMIT ?3"
            );
            let left = most.saturating_sub(rows.len()) as i64;
            let mut statement = self.db().prepare_cached(&sql)?;
            let found =
                statement.query_map(params![channel, now.timestamp_millis(), left], waiting)?;
            rows.extend(found.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(rows)
    }

    /// Returns the next message of a thread in `channel` that is not held back.
    pub fn next_of_thread(&self, channel: &str, thread: &str) -> Answer<Option<Waiting>> {
        let sql = format!(
            "SELECT {WAITING} FROM outbox WHERE channel = ?1 AND thread = ?2 AND hold IS NULL
             ORDER BY id LIMIT 1"
        );
        let mut statement = self.db().prepare_cached(&sql)?;
        Ok(statement.query_row([channel, thread], waiting).optional()?)
    }

    /// Returns the messages of a thread in `channel`, held back or not, in the order of routing.
    pub fn waiting_of_thread(&self, channel: &str, thread: &str) -> Answer<Vec<Waiting>> {
        let sql =
            format!("SELECT {WAITING} FROM outbox WHERE channel = ?1 AND thread = ?2 ORDER BY id");
        let mut statement = self.db().prepare_cached(&sql)?;
        let rows = statement.query_map([channel, thread], waiting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns those of these channels that messages wait for, however many.
    pub fn channels_waiting(&self, channels: &[&str]) -> Answer<HashSet<String>> {
        let channels = serde_json::to_string(channels).unwrap_or_default();
        let mut statement = self.db().prepare_cached(
            "SELECT value FROM json_each(?1) WHERE EXISTS
               (SELECT 1 FROM outbox WHERE channel = value AND hold IS NULL)",
        )?;
        let found = statement.query_map([channels], |row| row.get(0))?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Returns how many messages of `channel` wait to be sent.
    pub fn waiting_count(&self, channel: &str) -> Answer<u32> {
        let count = self
            .db()
            .prepare_cached("SELECT count(*) FROM outbox WHERE channel = ?1 AND hold IS NULL")?
            .query_row([channel], |row| row.get(0))?;
        Ok(count)
    }

    /// Returns how many messages of `channel` that were routed after `since` wait to be sent.
    pub fn waiting_since(&self, channel: &str, since: Time) -> Answer<u32> {
        let count = self
            .db()
            .prepare_cached(
                "SELECT count(*) FROM outbox WHERE channel = ?1 AND hold IS NULL AND created_at > ?2",
            )?
            .query_row(params![channel, since.timestamp_millis()], |row| row.get(0))?;
        Ok(count)
    }

    /// Returns until when messages of `channel`, or of one of its threads, are held for `reason`.
    pub fn held_until(
        &self,
        channel: &str,
        reason: &str,
        thread: Option<&str>,
    ) -> Answer<Option<Time>> {
        let until = self
            .db()
            .prepare_cached(
                "SELECT max(due_at) FROM outbox WHERE channel = ?1 AND hold = ?2 AND (?3 IS NULL OR thread = ?3)",
            )?
            .query_row(params![channel, reason, thread], |row| row.get(0))?;
        Ok(time(until))
    }

    /// Returns whether another connection has changed the ledger since this was last asked.
    pub fn has_changed(&self) -> Answer<bool> {
        let version: i64 = self.db().query_row("PRAGMA data_version", [], |row| row.get(0))?;
        Ok(self.data_version().replace(version) != version)
    }

    /// Returns the messages of these channels whose hold is over at `now`, in the order of routing,
    /// at most `most`.
    pub fn due(&self, now: Time, channels: &[&str], most: usize) -> Answer<Vec<Waiting>> {
        let sql = format!(
            "SELECT {WAITING} FROM outbox WHERE hold IS NOT NULL AND due_at <= ?1
               AND +channel IN (SELECT value FROM json_each(?3)) ORDER BY channel, hold, id LIMIT ?2"
        );
        let channels = serde_json::to_string(channels).unwrap_or_default();
        let mut statement = self.db().prepare_cached(&sql)?;
        let rows =
            statement.query_map(params![now.timestamp_millis(), most as i64, channels], waiting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the messages of `channel` held back for `reason`, in the order of routing.
    pub fn held(&self, channel: &str, reason: &str, most: usize) -> Answer<Vec<Waiting>> {
        let sql = format!(
            "SELECT {WAITING} FROM outbox WHERE channel = ?1 AND hold = ?2 ORDER BY id LIMIT ?3"
        );
        let mut statement = self.db().prepare_cached(&sql)?;
        let rows = statement.query_map(params![channel, reason, most as i64], waiting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns when the next held message of these channels is due. Those of others, which are not
    /// configured any more, are kept and never due.
    pub fn next_due(&self, channels: &[&str]) -> Answer<Option<Time>> {
        let channels = serde_json::to_string(channels).unwrap_or_default();
        let due = self
            .db()
            .prepare_cached(
                // The first by time: a channel may have thousands of other messages.
                "SELECT due_at FROM outbox WHERE hold IS NOT NULL
                   AND +channel IN (SELECT value FROM json_each(?1)) ORDER BY due_at LIMIT 1",
            )?
            .query_row([channels], |row| row.get(0))
            .optional()?
            .flatten();
        Ok(time(due))
    }

    /// Returns what `channel` knows of a thread.
    pub fn notified(&self, channel: &str, thread: &str) -> Answer<Option<Notified>> {
        let row = self
            .db()
            .prepare_cached(
                "SELECT thread, first_seq, last_seq, opened_at, last_at, ended_at, delivered, root, last, worst, edited_at
                 FROM notified WHERE channel = ?1 AND thread = ?2",
            )?
            .query_row([channel, thread], notified)
            .optional()?;
        Ok(row)
    }

    /// Returns the threads of `channel` that are open, or ended after `since`, oldest first.
    pub fn open_threads(&self, channel: &str, since: Time) -> Answer<Vec<Notified>> {
        let mut statement = self.db().prepare_cached(
            "SELECT thread, first_seq, last_seq, opened_at, last_at, ended_at, delivered, root, last, worst, edited_at
             FROM notified WHERE channel = ?1 AND (ended_at IS NULL OR ended_at > ?2) ORDER BY opened_at",
        )?;
        let rows = statement.query_map(params![channel, since.timestamp_millis()], notified)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns how many providers opened a thread in `channel` after `since`, also if that is held
    /// for `reason`.
    pub fn openings(&self, channel: &str, since: Time, reason: &str) -> Answer<u32> {
        let count = self
            .db()
            .prepare_cached(
                "SELECT count(*) FROM (
                   SELECT provider FROM notified WHERE channel = ?1 AND opened_at > ?2
                   UNION
                   SELECT event.provider FROM outbox JOIN event USING(seq)
                   WHERE outbox.channel = ?1 AND outbox.hold = ?3 AND outbox.created_at > ?2)",
            )?
            .query_row(params![channel, since.timestamp_millis(), reason], |row| row.get(0))?;
        Ok(count)
    }

    /// Returns how many messages `channel` accepted after `since`.
    pub fn delivered_since(&self, channel: &str, since: Time) -> Answer<u32> {
        let count = self
            .db()
            .prepare_cached("SELECT count(*) FROM delivery WHERE channel = ?1 AND at > ?2")?
            .query_row(params![channel, since.timestamp_millis()], |row| row.get(0))?;
        Ok(count)
    }

    /// Returns the event with this sequence number.
    pub fn event(&self, seq: u64) -> Answer<Option<StoredEvent>> {
        Ok(self.after(seq.saturating_sub(1), 1)?.into_iter().find(|found| found.event.seq == seq))
    }

    /// Returns the sequence number up to which events are routed; `None` if none ever was.
    pub fn routed(&self) -> Answer<Option<u64>> {
        let seq: Option<i64> = self
            .db()
            .prepare_cached("SELECT seq FROM sink WHERE id = ?1")?
            .query_row([ROUTER], |row| row.get(0))
            .optional()?;
        Ok(seq.map(i64::cast_unsigned))
    }

    /// Returns how many events no rule sent anywhere.
    pub fn unrouted(&self) -> Answer<u64> {
        let count: Option<i64> = self
            .db()
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([UNROUTED], |row| row.get(0))
            .optional()?;
        Ok(count.unwrap_or(0).cast_unsigned())
    }

    /// Returns every channel that is or was configured, by id.
    pub fn channels(&self, now: Time) -> Answer<Vec<ChannelRow>> {
        let day = now.timestamp_millis() - 24 * 3600 * 1000;
        let mut statement = self.db().prepare_cached(
            "SELECT id, kind, health, since, last_error, probe_at, last_success_at, last_error_at,
               (SELECT count(*) FROM outbox WHERE channel = channel.id AND hold IS NULL),
               (SELECT min(created_at) FROM outbox WHERE channel = channel.id AND hold IS NULL),
               (SELECT count(*) FROM outbox WHERE channel = channel.id AND hold IS NOT NULL),
               (SELECT count(*) FROM dead_letter WHERE channel = channel.id),
               (SELECT count(*) FROM delivery WHERE channel = channel.id AND at > ?1)
             FROM channel ORDER BY health = 'removed', id",
        )?;
        let rows = statement.query_map([day], |row| {
            let health: String = row.get(2)?;
            Ok(ChannelRow {
                state: ChannelState {
                    id: row.get(0)?,
                    kind: row.get(1)?,
                    health: ChannelHealth::of(&health),
                    since: time(row.get(3)?).unwrap_or(Time::UNIX_EPOCH),
                    last_error: row.get(4)?,
                    probe_at: time(row.get(5)?),
                },
                last_success_at: time(row.get(6)?),
                last_error_at: time(row.get(7)?),
                waiting: row.get::<_, i64>(8)?.cast_unsigned(),
                oldest_at: time(row.get(9)?),
                held: row.get::<_, i64>(10)?.cast_unsigned(),
                dead: row.get::<_, i64>(11)?.cast_unsigned(),
                delivered_today: row.get::<_, i64>(12)?.cast_unsigned(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the messages that were given up, newest first, at most `most`.
    pub fn dead_letters(&self, channel: Option<&str>, most: usize) -> Answer<Vec<DeadLetter>> {
        let mut statement = self.db().prepare_cached(
            "SELECT id, channel, thread, seq, content, reason, at, steps FROM dead_letter
             WHERE ?1 IS NULL OR channel = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![channel, most as i64], dead_letter)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns a message that was given up.
    pub fn dead_letter(&self, id: i64) -> Answer<Option<DeadLetter>> {
        let letter = self
            .db()
            .prepare_cached(
                "SELECT id, channel, thread, seq, content, reason, at, steps FROM dead_letter WHERE id = ?1",
            )?
            .query_row([id], dead_letter)
            .optional()?;
        Ok(letter)
    }

    /// Returns who was notified of these events, and when.
    pub fn deliveries(&self, seqs: &[u64]) -> Answer<Vec<Delivery>> {
        let mut statement = self.db().prepare_cached(
            "SELECT seq, channel, at, lag_ms FROM delivery WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq, at",
        )?;
        let rows =
            statement.query_map([serde_json::to_string(seqs).unwrap_or_default()], |row| {
                Ok(Delivery {
                    seq: row.get::<_, i64>(0)?.cast_unsigned(),
                    channel: row.get(1)?,
                    at: time(row.get(2)?).unwrap_or(Time::UNIX_EPOCH),
                    lag_ms: row.get(3)?,
                })
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the messages of these threads that wait or are held back, in the order of routing.
    pub fn pending(&self, threads: &[String]) -> Answer<Vec<Pending>> {
        let mut statement = self.db().prepare_cached(
            "SELECT channel, thread, hold, due_at, created_at, attempts FROM outbox
             WHERE channel IN (SELECT id FROM channel) AND thread IN (SELECT value FROM json_each(?1)) ORDER BY id",
        )?;
        let threads = serde_json::to_string(threads).unwrap_or_default();
        let rows = statement.query_map([threads], |row| {
            let (reason, until): (Option<String>, _) = (row.get(2)?, time(row.get(3)?));
            Ok(Pending {
                channel: row.get(0)?,
                thread: row.get(1)?,
                hold: reason.zip(until).map(|(reason, until)| Hold { reason, until }),
                at: time(row.get(4)?).unwrap_or(Time::UNIX_EPOCH),
                attempts: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the mutes in effect, or all that are remembered, oldest first.
    pub fn mutes(&self, all: bool) -> Answer<Vec<MuteRow>> {
        let mut statement = self.db().prepare_cached(
            "SELECT id, provider, component, until, reason, created_at, ended_at FROM mute
             WHERE ended_at IS NULL OR ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([all], |row| {
            Ok(MuteRow {
                id: row.get(0)?,
                provider: row.get(1)?,
                component: row.get(2)?,
                until: time(row.get(3)?),
                reason: row.get(4)?,
                created_at: time(row.get(5)?).unwrap_or(Time::UNIX_EPOCH),
                ended_at: time(row.get(6)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn dead_letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.get(0)?,
        channel: row.get(1)?,
        thread: row.get(2)?,
        payload: payload(row.get(3)?, row.get(4)?),
        reason: row.get(5)?,
        at: time(row.get(6)?).unwrap_or(Time::UNIX_EPOCH),
        steps: steps(row.get(7)?),
    })
}

fn payload(seq: Option<i64>, content: Option<String>) -> Payload {
    match seq {
        Some(seq) => Payload::Event(seq.cast_unsigned()),
        None => Payload::Text(content.unwrap_or_default()),
    }
}

fn steps(json: Option<String>) -> Option<Vec<statuswatch_notify::Step>> {
    json.and_then(|json| serde_json::from_str(&json).ok())
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let reason: Option<String> = row.get(8)?;
    let until = time(row.get(9)?);
    Ok(Waiting {
        id: row.get(0)?,
        channel: row.get(1)?,
        thread: row.get(2)?,
        payload: payload(row.get(3)?, row.get(4)?),
        key: row.get(5)?,
        phase: phase_of(row.get_ref(6)?.as_str()?),
        urgent: row.get(7)?,
        hold: reason.zip(until).map(|(reason, until)| Hold { reason, until }),
        at: time(row.get(10)?).unwrap_or(Time::UNIX_EPOCH),
        attempts: row.get(11)?,
        first_attempt_at: time(row.get(12)?),
        next_at: time(row.get(13)?),
        in_doubt: row.get(14)?,
        plain: row.get(15)?,
        steps: steps(row.get(16)?),
        skipped: row.get(17)?,
    })
}

fn notified(row: &Row<'_>) -> rusqlite::Result<Notified> {
    let root: Option<String> = row.get(7)?;
    let last: Option<String> = row.get(8)?;
    let worst: u8 = row.get(9)?;
    Ok(Notified {
        thread: row.get(0)?,
        first_seq: row.get::<_, i64>(1)?.cast_unsigned(),
        last_seq: row.get::<_, i64>(2)?.cast_unsigned(),
        opened_at: time(row.get(3)?).unwrap_or(Time::UNIX_EPOCH),
        last_at: time(row.get(4)?).unwrap_or(Time::UNIX_EPOCH),
        ended_at: time(row.get(5)?),
        worst: Impact::ALL
            .iter()
            .copied()
            .find(|impact| impact.rank() == worst)
            .unwrap_or(Impact::Unknown),
        edited_at: time(row.get(10)?),
        delivered: row.get(6)?,
        reference: root.map(|root| Reference { root, last }),
    })
}
