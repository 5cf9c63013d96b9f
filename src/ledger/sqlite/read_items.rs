//! Reads what the HTTP server shows: incidents and maintenances with their keys, and the timeline
//! of one.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row};

use super::read::{Reader, open_item, recorded};
use super::time;
use crate::event::{IncidentKey, Time};
use crate::ledger::delivery::StoredEvent;
use crate::ledger::{LedgerError, OpenItem};

/// An incident or maintenance, open or not.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Identifies it everywhere: a hash of the provider's id and the platform's.
    pub key: IncidentKey,
    /// What it is.
    pub item: OpenItem,
    /// Whether it is open.
    pub open: bool,
    /// When we saw it first.
    pub first_seen: Option<Time>,
    /// When its page listed it last.
    pub last_listed: Option<Time>,
}

/// Which incidents and maintenances are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemQuery {
    /// Those that are open.
    Open,
    /// The one with this key.
    Key(IncidentKey),
    /// Maintenances that are open, and those that were listed at or after this time.
    Maintenances(Time),
}

/// The sequence numbers that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Of the oldest event; 0 if there is none.
    pub oldest: u64,
    /// Of the newest event that was ever numbered; 0 if there is none.
    pub newest: u64,
}

impl Span {
    /// Returns whether the events after `seq` are all there: none was removed, and `seq` exists.
    #[must_use]
    pub const fn continues(&self, seq: u64) -> bool {
        seq <= self.newest && seq.saturating_add(1) >= self.oldest
    }
}

const ITEMS: &str =
    "SELECT provider, key, native_id, kind, title, status, impact, url, started_at, scheduled_for,
    scheduled_until, components, open, first_seen, last_listed FROM item";

/// The newest event of one maintenance: `seq` and when it was observed.
pub type LastEvent = (u64, Option<Time>);

impl Reader {
    /// Returns incidents and maintenances, by provider and time.
    pub fn items(&self, query: ItemQuery) -> Result<Vec<ItemRow>, LedgerError> {
        let order = "ORDER BY provider, kind, coalesce(scheduled_for, started_at)";
        let rows = match query {
            ItemQuery::Open => self
                .db
                .prepare_cached(&format!("{ITEMS} WHERE open = 1 {order}"))?
                .query_map([], item_row)?
                .collect::<Result<_, _>>()?,
            // One search per provider instead of reading all items: the primary key begins with it.
            ItemQuery::Key(key) => self
                .db
                .prepare_cached(&format!(
                    "{ITEMS} WHERE key = ?1 AND provider IN (SELECT id FROM provider) {order}"
                ))?
                .query_map([key.as_bytes().as_slice()], item_row)?
                .collect::<Result<_, _>>()?,
            ItemQuery::Maintenances(since) => self
                .db
                .prepare_cached(&format!(
                    "{ITEMS} WHERE kind = 'maintenance' AND (open = 1 OR last_listed >= ?1) {order}"
                ))?
                .query_map([since.timestamp_millis()], item_row)?
                .collect::<Result<_, _>>()?,
        };
        Ok(rows)
    }

    /// Returns the incidents and maintenances of one provider, what is open first, then the newest;
    /// at most `most`.
    pub fn items_of(&self, provider: &str, most: usize) -> Result<Vec<ItemRow>, LedgerError> {
        let order = "ORDER BY open DESC, coalesce(newest_at, started_at, first_seen) DESC LIMIT ?2";
        let mut statement =
            self.db.prepare_cached(&format!("{ITEMS} WHERE provider = ?1 {order}"))?;
        let rows = statement.query_map((provider, most as i64), item_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the reported events of one incident, oldest first, at most the newest `most`.
    pub fn timeline(
        &self,
        provider: &str,
        incident_id: &str,
        most: usize,
    ) -> Result<Vec<StoredEvent>, LedgerError> {
        let mut statement = self.db.prepare_cached(
            "SELECT line FROM event WHERE provider = ?1 AND json_extract(line, '$.incident_id') = ?2
             ORDER BY seq DESC LIMIT ?3",
        )?;
        let lines: Vec<String> = statement
            .query_map((provider, incident_id, most as i64), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        lines.into_iter().rev().map(recorded).collect()
    }

    /// Returns the newest event of each maintenance, by provider and the platform's id.
    pub fn last_events_of_maintenances(
        &self,
    ) -> Result<HashMap<(String, String), LastEvent>, LedgerError> {
        let mut statement = self.db.prepare_cached(
            "SELECT provider, json_extract(line, '$.incident_id') AS incident, max(seq), observed_at
             FROM event WHERE kind = 'maintenance' AND incident IS NOT NULL GROUP BY 1, 2",
        )?;
        let rows = statement.query_map([], |row| {
            let seq = row.get::<_, i64>(2)?.cast_unsigned();
            Ok(((row.get(0)?, row.get(1)?), (seq, time(row.get(3)?))))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns which events are kept.
    pub fn span(&self) -> Result<Span, LedgerError> {
        let oldest: Option<i64> = self
            .db
            .prepare_cached("SELECT min(seq) FROM event")?
            .query_row([], |row| row.get(0))
            .optional()?
            .flatten();
        let newest = self.newest_seq()?;
        Ok(Span { oldest: oldest.map_or(0, i64::cast_unsigned), newest })
    }

    /// Returns a number that changes whenever another connection has committed.
    pub fn version(&self) -> Result<i64, LedgerError> {
        Ok(self.db.query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }
}

fn item_row(row: &Row<'_>) -> rusqlite::Result<ItemRow> {
    Ok(ItemRow {
        key: IncidentKey(row.get("key")?),
        item: open_item(row)?,
        open: row.get("open")?,
        first_seen: time(row.get("first_seen")?),
        last_listed: time(row.get("last_listed")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_noticed_at_both_ends() {
        let kept = Span { oldest: 10, newest: 20 };
        assert!(!kept.continues(8) && kept.continues(9) && kept.continues(20));
        assert!(!kept.continues(21));
        assert!(Span::default().continues(0) && !Span::default().continues(1));
    }
}
