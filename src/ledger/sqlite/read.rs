//! Reads the ledger while `run` is writing or afterward, for `status`, `history` and the sinks.

use std::path::Path;

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::components::components;
use super::events::newest_seq;
use super::network::network;
use super::{migrate, time};
use crate::event::{Component, Impact, Kind, StatusEvent, Time};
use crate::ledger::delivery::StoredEvent;
use crate::ledger::{
    LedgerError, OpenItem, OwnNetwork, ProviderRow, Query, SinkRow, provider_events, staleness,
};

/// A reader with its own connection. Sees each transaction completely or not at all.
pub struct Reader {
    pub(super) db: Connection,
    /// What SQLite last said of changes by other connections.
    data_version: std::cell::Cell<i64>,
}

impl Reader {
    pub(super) const fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) const fn data_version(&self) -> &std::cell::Cell<i64> {
        &self.data_version
    }

    /// Reads a ledger that no other process has open.
    pub(super) const fn of(db: Connection) -> Self {
        Self { db, data_version: std::cell::Cell::new(0) }
    }

    /// Opens the ledger in `state_dir` for reading.
    pub fn open(state_dir: &Path) -> Result<Self, LedgerError> {
        Ok(Self { db: migrate::open_reader(state_dir)?, data_version: std::cell::Cell::new(0) })
    }

    /// Returns every provider ever watched, currently configured ones first, by id.
    pub fn providers(&self) -> Result<Vec<ProviderRow>, LedgerError> {
        let mut statement = self.db.prepare_cached(PROVIDERS)?;
        let rows = statement.query_map([], provider_row)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Returns open items of one provider or all, incidents before maintenances.
    pub fn open_items(&self, provider: Option<&str>) -> Result<Vec<OpenItem>, LedgerError> {
        let mut statement = self.db.prepare_cached(
            "SELECT provider, native_id, kind, title, status, impact, url, started_at, scheduled_for, scheduled_until, components
             FROM item WHERE open = 1 AND (?1 IS NULL OR provider = ?1) ORDER BY provider, kind, coalesce(scheduled_for, started_at)",
        )?;
        let rows = statement.query_map([provider], open_item)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }

    /// Returns the components a provider lists, by group and name.
    pub fn components(&self, provider: &str) -> Result<Vec<Component>, LedgerError> {
        let known = components(&self.db, provider)?.into_iter();
        let mut known: Vec<_> = known.filter(|(_, known)| !known.absent).collect();
        known.sort_by(|(_, one), (_, other)| {
            (&one.group, &one.name).cmp(&(&other.group, &other.name))
        });
        Ok(known.into_iter().map(|(key, known)| known.shown(key)).collect())
    }

    /// Returns the state of our own network at its last evaluation.
    pub fn network(&self) -> Result<OwnNetwork, LedgerError> {
        Ok(network(&self.db)?)
    }

    /// Returns every sink.
    pub fn sinks(&self) -> Result<Vec<SinkRow>, LedgerError> {
        let newest = newest_seq(&self.db)?;
        let mut statement = self
            .db
            .prepare_cached("SELECT id, seq, trouble, delivered_at FROM sink ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            let seq = row.get::<_, i64>(1)?.cast_unsigned();
            Ok(SinkRow {
                id: row.get(0)?,
                seq,
                behind: newest.saturating_sub(seq),
                failure: row.get(2)?,
                delivered_at: time(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the sequence number of the newest event.
    pub fn newest_seq(&self) -> Result<u64, LedgerError> {
        Ok(newest_seq(&self.db)?)
    }

    /// Returns the events after `seq`, oldest first, at most `most` of them and about 4 MiB.
    pub fn after(&self, seq: u64, most: usize) -> Result<Vec<StoredEvent>, LedgerError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT line FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let mut rows = statement.query([seq.cast_signed(), most as i64])?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let event = recorded(row.get(0)?)?;
            bytes += event.line.len();
            events.push(event);
            if bytes > 4 << 20 {
                break;
            }
        }
        Ok(events)
    }

    /// Returns the newest event.
    pub fn last(&self) -> Result<Option<StatusEvent>, LedgerError> {
        let line = self
            .db
            .prepare_cached("SELECT line FROM event WHERE kind IN ('incident', 'maintenance') ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        line.map(|line| recorded(line).map(|recorded| recorded.event)).transpose()
    }

    /// Returns past events, oldest first; with a limit, the newest ones.
    pub fn events(&self, query: &Query) -> Result<Vec<StoredEvent>, LedgerError> {
        self.lines("event", "seq", query)
    }

    /// Returns suppressed events, oldest first. They have no sequence number: their `seq` is 0.
    pub fn filtered(&self, query: &Query) -> Result<Vec<StoredEvent>, LedgerError> {
        self.lines("filtered", "observed_at", query)
    }

    fn lines(
        &self,
        table: &str,
        order: &str,
        query: &Query,
    ) -> Result<Vec<StoredEvent>, LedgerError> {
        let mut conditions = vec!["1"];
        let mut values: Vec<Value> = Vec::new();
        let list =
            |words: Vec<&str>| Value::Text(serde_json::to_string(&words).unwrap_or_default());
        if !query.providers.is_empty() {
            conditions.push("provider IN (SELECT value FROM json_each(?))");
            values.push(list(query.providers.iter().map(String::as_str).collect()));
        }
        if let Some(since) = query.since {
            conditions.push("observed_at >= ?");
            values.push(Value::Integer(since.timestamp_millis()));
        }
        if !query.kinds.is_empty() {
            conditions.push("kind IN (SELECT value FROM json_each(?))");
            values.push(list(query.kinds.iter().map(|kind| kind.as_str()).collect()));
        }
        if !query.impacts.is_empty() {
            conditions.push("impact IN (SELECT value FROM json_each(?))");
            values.push(list(query.impacts.iter().map(|impact| impact.as_str()).collect()));
        }
        let limit = query.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        values.push(Value::Integer(limit));
        let sql = format!(
            "SELECT line FROM {table} WHERE {} ORDER BY {order} DESC LIMIT ?",
            conditions.join(" AND ")
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let lines: Vec<String> = statement
            .query_map(params_from_iter(values), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        lines.into_iter().rev().map(recorded).collect()
    }
}

pub(super) fn recorded(line: String) -> Result<StoredEvent, LedgerError> {
    let event = serde_json::from_str(&line).map_err(|error| LedgerError::Failed {
        reason: format!("a stored event is damaged: {error}"),
    })?;
    Ok(StoredEvent { event, line })
}

/// The columns in the order in which [`provider_row`] takes them.
const PROVIDERS: &str = "
    SELECT id, name, source, page_url, impact, watched, interval_ms, stale_after_ms, first_watched_at,
      coalesce(quiet.at, last_poll_at), coalesce(quiet.at, last_success_at), last_change_at,
      iif(quiet.at IS NULL, last_outcome, 'unchanged'), last_error, coalesce(quiet.next_at, next_poll_at), failures,
      unreachable, restarts, last_restart_at, last_restart_cause, parked, quarantined_until, shrunk, quiet_since,
      silent_moves, coalesce(dropped_events, 0),
      retry_until, retry_by, real_interval_ms, false_304_at, unconditional_until, unread_times,
      doubt, doubt_since
    FROM provider LEFT JOIN quiet ON quiet.provider = id ORDER BY watched DESC, id";

/// Reads the columns of a row in order: by name each would be searched for among all of them.
struct Columns<'row, 'stmt> {
    row: &'row Row<'stmt>,
    next: usize,
}

impl Columns<'_, '_> {
    fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    fn time(&mut self) -> rusqlite::Result<Option<Time>> {
        self.take().map(time)
    }
}

fn provider_row(row: &Row<'_>) -> rusqlite::Result<ProviderRow> {
    let mut columns = Columns { row, next: 0 };
    Ok(ProviderRow {
        id: columns.take()?,
        name: columns.take()?,
        source: columns.take()?,
        page_url: columns.take()?,
        impact: columns
            .take::<Option<String>>()?
            .map(|impact| impact.parse().unwrap_or(Impact::Unknown)),
        watched: columns.take()?,
        interval_ms: columns.take()?,
        stale_after_ms: columns.take()?,
        first_watched_at: columns.time()?,
        last_poll_at: columns.time()?,
        last_success_at: columns.time()?,
        last_change_at: columns.time()?,
        last_outcome: columns.take()?,
        last_error: columns.take()?,
        next_poll_at: columns.time()?,
        failures: columns.take()?,
        unreachable: columns.take()?,
        restarts: columns.take()?,
        last_restart_at: columns.time()?,
        last_restart_cause: columns.take()?,
        parked: columns.take()?,
        quarantined_until: columns.time()?,
        suspect: staleness::sentence(columns.take()?, columns.time()?)
            .or(provider_events::flapping(columns.take()?)),
        dropped_events: columns.take()?,
        retry_until: columns.time()?,
        retry_by: columns.take()?,
        real_interval_ms: columns.take()?,
        false_304_at: columns.time()?,
        unconditional_until: columns.time()?,
        unread_times: columns
            .take::<Option<String>>()?
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default(),
        doubt: columns.take()?,
        doubt_since: columns.time()?,
    })
}

pub(super) fn open_item(row: &Row<'_>) -> rusqlite::Result<OpenItem> {
    let components: String = row.get("components")?;
    Ok(OpenItem {
        provider: row.get("provider")?,
        incident_id: row.get("native_id")?,
        kind: row.get_ref("kind")?.as_str()?.parse().unwrap_or(Kind::Incident),
        title: row.get("title")?,
        status: row.get("status")?,
        impact: row.get_ref("impact")?.as_str()?.parse().unwrap_or(Impact::Unknown),
        url: row.get("url")?,
        started_at: time(row.get("started_at")?),
        scheduled_for: time(row.get("scheduled_for")?),
        scheduled_until: time(row.get("scheduled_until")?),
        components: serde_json::from_str(&components).unwrap_or_default(),
    })
}
