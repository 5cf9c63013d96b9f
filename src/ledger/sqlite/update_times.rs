//! The times of a provider's updates, for [`crate::view::lag`].

use std::borrow::Cow;

use rusqlite::params;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::read::Reader;
use crate::event::{Kind, Time, parse_time};
use crate::ledger::{LedgerError, UpdateTimes};

/// Goes by the index `event_provider`, so it reads nothing of other providers or of older events.
/// The inner limit bounds what is read of a provider whose components change all the time.
pub(super) const NEWEST: &str = "SELECT line FROM (
       SELECT kind, line FROM event WHERE provider = ?1 AND observed_at >= ?2
       ORDER BY observed_at DESC LIMIT ?3 * 4
     ) WHERE kind IN ('incident', 'maintenance') LIMIT ?3";

/// What is read of a stored event: neither its text nor its components.
#[derive(Deserialize)]
struct Stored<'a> {
    kind: Kind,
    revision: u32,
    previous_status: Option<IgnoredAny>,
    #[serde(borrow)]
    started_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    published_at: Cow<'a, str>,
    #[serde(borrow)]
    observed_at: Cow<'a, str>,
    backfill: bool,
}

impl Stored<'_> {
    fn times(&self) -> Option<UpdateTimes> {
        Some(UpdateTimes {
            kind: self.kind,
            first: self.previous_status.is_none(),
            revision: self.revision,
            backfill: self.backfill,
            started_at: self.started_at.as_deref().and_then(parse_time),
            published_at: parse_time(&self.published_at)?,
            observed_at: parse_time(&self.observed_at)?,
        })
    }
}

impl Reader {
    /// Returns the times of the updates of a provider that were observed since `since`, newest
    /// first: at most `most`, found among the newest four times as many events.
    ///
    /// # Errors
    /// The ledger cannot be read, or a stored event is damaged.
    pub fn update_times(
        &self,
        provider: &str,
        since: Time,
        most: usize,
    ) -> Result<Vec<UpdateTimes>, LedgerError> {
        let mut statement = self.db().prepare_cached(NEWEST)?;
        let mut rows = statement.query(params![provider, since.timestamp_millis(), most as i64])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let line = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let stored: Stored<'_> = serde_json::from_str(line).map_err(|error| damaged(&error))?;
            found.extend(stored.times());
        }
        Ok(found)
    }
}

fn damaged(error: &serde_json::Error) -> LedgerError {
    LedgerError::Failed { reason: format!("a stored event is damaged: {error}") }
}

#[cfg(test)]
mod tests {
    use super::super::migrate;

    #[test]
    fn only_events_of_the_provider_within_the_time_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let db = migrate::open_writer(dir.path()).unwrap();
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {}", super::NEWEST)).unwrap();
        let plan: Vec<String> = statement
            .query_map(rusqlite::params!["acme", 0, 10], |row| row.get("detail"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let index = "SEARCH event USING INDEX event_provider (provider=? AND observed_at>?)";
        assert_eq!(plan, ["CO-ROUTINE (subquery-1)", index, "SCAN (subquery-1)"], "no sorting");
    }
}
