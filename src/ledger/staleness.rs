//! Detects providers that are readable but suspicious: their lists shrank by half, or nothing has
//! changed for so long that the page may be abandoned. Each finding is logged once; `status` shows
//! it while it lasts.

use super::abandoned;
use super::book::{Book, Change};
use super::error::Result;
use super::known::Usual;
use super::messages::Record;
use super::post_commit::Warning;
use super::store::Store;
use crate::event::{Impact, Kind, Time};
use crate::snapshot::{Listing, Snapshot};

/// A page on which nothing happens for this long may be unmaintained.
const QUIET: chrono::Duration = chrono::Duration::days(30);

/// A list that stays short for this long is accepted as the new normal.
const BELIEVED: chrono::Duration = chrono::Duration::days(7);

/// Shorter lists can legitimately shrink by half.
const FEW: usize = 6;

/// Whether the list has been short for long enough to be the new normal.
fn is_settled(usual: Usual, now: Time) -> bool {
    usual.shrunk_since.is_some_and(|since| now - since >= BELIEVED)
}

/// Returns the overall impact of a snapshot. If a page that listed components lists none, their
/// state is unknown, whatever overall status the page states, until that has lasted for a week.
pub(super) fn impact(snapshot: &Snapshot, usual: Usual, now: Time) -> Impact {
    let lists_none = snapshot.coverage.all_components && snapshot.components.is_empty();
    let vanished =
        lists_none && usual.components.is_some_and(|before| before > 0) && !is_settled(usual, now);
    Impact::worst(
        [Some(snapshot.impact()), vanished.then_some(Impact::Unknown)].into_iter().flatten(),
    )
}

/// Compares the lengths of the lists with the usual ones, after the snapshot was recorded. Returns
/// a warning if one has shrunk.
pub(super) fn count(
    book: &mut dyn Book,
    message: &Record,
    usual: Usual,
) -> Result<Option<Warning>> {
    let snapshot = &message.snapshot;
    // Only complete lists can shrink: lists of open incidents come and go.
    let incidents =
        (snapshot.coverage.incidents == Listing::Recent && message.complete).then(|| {
            snapshot.incidents.iter().filter(|incident| incident.kind == Kind::Incident).count()
        });
    let components = snapshot.coverage.all_components.then_some(snapshot.components.len());
    let now = message.observed_at;
    let settled = is_settled(usual, now);
    // A few incidents can disappear legitimately; of components one can, but not all.
    let counts = [
        (incidents, usual.incidents, FEW, "incidents"),
        (components, usual.components, 1, "components"),
    ];
    let lost = counts
        .into_iter()
        .find(|&(listed, before, few, _)| match (listed, before) {
            (Some(0), Some(before)) => before >= few,
            (Some(listed), Some(before)) => before >= FEW && listed * 2 <= before,
            _ => false,
        })
        .map(|(listed, before, _, what)| (listed, before, what));
    if let Some((Some(listed), Some(before), what)) = lost.filter(|_| !settled) {
        let shrunk = format!("it lists {listed} {what}, down from {before}");
        book.put(Change::Shrunk { reason: &shrunk, at: now })?;
        return Ok(usual.shrunk_since.is_none().then_some(Warning::Shrunk(shrunk)));
    }
    if usual.shrunk_since.is_some() && !settled && incidents.or(components).is_none() {
        // This document does not cover the list that had shrunk.
        return Ok(None);
    }
    let changed = incidents.is_some_and(|count| usual.incidents != Some(count))
        || components.is_some_and(|count| usual.components != Some(count));
    if changed || usual.shrunk_since.is_some() {
        book.put(Change::Usual { incidents, components })?;
    }
    Ok(None)
}

/// Checks a page that is read for the first time by its own contents.
pub(super) fn first_look(book: &mut dyn Book, message: &Record) -> Result<Option<Warning>> {
    let Some(found) = abandoned::page_silence(&message.snapshot, message.observed_at) else {
        return Ok(None);
    };
    book.put(Change::QuietSince(found.since))?;
    Ok(Some(Warning::Silent(found.sentence())))
}

/// Finds readable providers on which nothing has happened for far longer than is usual for them,
/// judged by the page's own time, its newest item and the observed changes. Returns the ids of
/// newly detected providers.
pub(super) fn look_for_quiet(store: &mut dyn Store, now: Time) -> Result<Vec<String>> {
    let long_ago = now.checked_sub_signed(QUIET).unwrap_or(Time::MIN_UTC);
    let mut found = Vec::new();
    for (id, newest) in store.quiet(long_ago, now)? {
        if let Some(silence) = abandoned::silence(newest, &store.item_times(&id)?, now) {
            store.put_quiet_since(&id, silence.since)?;
            let reason = sentence(None, Some(silence.since));
            tracing::warn!(provider = id, reason, "looks suspect");
            found.push(id);
        }
    }
    Ok(found)
}

/// Describes the finding in human-readable form.
pub(super) fn sentence(shrunk: Option<String>, quiet_since: Option<Time>) -> Option<String> {
    shrunk.or_else(|| {
        quiet_since.map(|since| {
            format!("the page is readable but has not changed since {}", since.format("%Y-%m-%d"))
        })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Filter, Provider, Settings};
    use crate::event::{ComponentStatus, parse_time};
    use crate::ledger::sqlite::SqliteStore;
    use crate::ledger::sqlite::testing::{Connection, declare, judge};
    use crate::ledger::{Checkpoint, DATABASE, open_writer};
    use crate::snapshot::{Coverage, Incident, Snapshot, component};

    fn at(day: i64) -> Time {
        parse_time("2026-03-01T00:00:00Z").unwrap() + chrono::Duration::days(day)
    }

    pub(in crate::ledger) fn provider() -> Arc<Provider> {
        Arc::new(Provider {
            id: "acme".to_owned(),
            name: "Acme".to_owned(),
            url: "https://status.acme.example/feed?token=s3cret".parse().unwrap(),
            source: None,
            url_written: true,
            settings: Settings::default(),
            filter: Filter::default(),
            json: None,
        })
    }

    fn open() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let db = open_writer(dir.path()).unwrap();
        declare(&db, &[provider()], &std::collections::HashMap::new(), at(0)).unwrap();
        (dir, db)
    }

    fn record(incidents: Option<usize>, components: usize, day: i64) -> Record {
        let listing = if incidents.is_some() { Listing::Recent } else { Listing::Open };
        let snapshot = Snapshot {
            incidents: (0..incidents.unwrap_or(0))
                .map(|n| Incident::new(Kind::Incident, n.to_string(), "x"))
                .collect(),
            components: (0..components)
                .map(|n| component(None, n.to_string(), None, ComponentStatus::Operational))
                .collect(),
            coverage: Coverage { incidents: listing, all_components: true, ..Coverage::default() },
            ..Snapshot::default()
        };
        Record {
            provider: provider(),
            generation: 1,
            snapshot: Box::new(snapshot),
            checkpoint: Checkpoint::default(),
            complete: true,
            observed_at: at(day),
        }
    }

    /// Looks for quiet pages on the actor's connection.
    fn look_for_quiet(dir: &tempfile::TempDir, now: Time) -> Vec<String> {
        super::look_for_quiet(&mut SqliteStore::open(dir.path()).unwrap(), now).unwrap()
    }

    fn usual(db: &Connection) -> Usual {
        judge(db, "acme", |book| book.state()).unwrap().usual
    }

    fn shrunk(db: &Connection) -> Option<String> {
        db.query_row("SELECT shrunk FROM provider", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_halved_list_is_suspicious_until_restored_or_accepted() {
        let (_dir, db) = open();
        let after = |incidents, components, day| {
            let usual = usual(&db);
            let warning =
                judge(&db, "acme", |book| count(book, &record(incidents, components, day), usual))
                    .unwrap();
            let shrunk = shrunk(&db);
            let begins = usual.shrunk_since.is_none();
            assert_eq!(
                warning,
                shrunk.clone().filter(|_| begins).map(Warning::Shrunk),
                "logged when it starts"
            );
            shrunk
        };
        assert_eq!(after(Some(50), 40, 0), None);
        // A list of open incidents does not cover past ones, and half plus one is not a loss of
        // half.
        assert_eq!(after(None, 21, 0), None);
        assert_eq!(after(None, 40, 0), None);
        assert_eq!(after(Some(50), 20, 1).as_deref(), Some("it lists 20 components, down from 40"));
        assert_eq!(after(Some(10), 40, 1).as_deref(), Some("it lists 10 incidents, down from 50"));
        assert_eq!(after(Some(50), 40, 2), None);
        assert_eq!(after(Some(0), 40, 3).as_deref(), Some("it lists 0 incidents, down from 50"));
        assert!(after(Some(0), 40, 9).is_some());
        assert_eq!(after(Some(3), 40, 10), None);
        // Short lists are exempt.
        assert_eq!(after(Some(0), 40, 11), None);
    }

    #[test]
    fn a_page_without_components_has_an_unknown_state() {
        let (_dir, db) = open();
        let shown = |components, day| {
            let mut record = record(None, components, day);
            record.snapshot.page.impact = Some(Impact::None);
            let usual = usual(&db);
            judge(&db, "acme", |book| count(book, &record, usual)).unwrap();
            (impact(&record.snapshot, usual, at(day)), shrunk(&db).is_some())
        };
        assert_eq!(shown(0, 0), (Impact::None, false), "a page that never had one");
        assert_eq!(shown(2, 1), (Impact::None, false));
        assert_eq!(shown(0, 2), (Impact::Unknown, true));
        assert_eq!(shown(0, 8), (Impact::Unknown, true), "and still, at each document");
        assert_eq!(shown(1, 8), (Impact::None, false), "one of two is listed again");
        assert_eq!(shown(0, 9), (Impact::Unknown, true));
        assert_eq!(shown(0, 16), (Impact::None, false), "a week later that is how the page is");
        // An incomplete list cannot shrink.
        let mut part = record(None, 0, 20);
        part.snapshot.coverage.all_components = false;
        part.snapshot.page.impact = Some(Impact::None);
        let usual = Usual { components: Some(9), ..Usual::default() };
        assert_eq!(impact(&part.snapshot, usual, at(20)), Impact::None);
    }

    #[test]
    fn thirty_quiet_days_are_reported_once() {
        let (dir, db) = open();
        assert!(look_for_quiet(&dir, at(90)).is_empty(), "never read");
        let set = |sql: &str, day: i64| {
            db.execute(&format!("UPDATE provider SET {sql}"), [at(day).timestamp_millis()]).unwrap()
        };
        set("baseline_at = ?1, last_change_at = ?1", 0);
        set("last_success_at = ?1", 29);
        assert!(look_for_quiet(&dir, at(29)).is_empty());
        assert!(look_for_quiet(&dir, at(40)).is_empty(), "not read any more");
        set("last_success_at = ?1", 40);
        assert_eq!(look_for_quiet(&dir, at(40)), ["acme"]);
        assert!(look_for_quiet(&dir, at(40)).is_empty(), "reported twice");
        let since: Option<i64> =
            db.query_row("SELECT quiet_since FROM provider", [], |row| row.get(0)).unwrap();
        let reported = sentence(None, since.and_then(Time::from_timestamp_millis));
        assert_eq!(
            reported.as_deref(),
            Some("the page is readable but has not changed since 2026-03-01")
        );
        // A change clears the finding.
        set("last_change_at = ?1", 41);
        set("last_success_at = ?1", 41);
        assert!(look_for_quiet(&dir, at(41)).is_empty());
        let since: Option<i64> =
            db.query_row("SELECT quiet_since FROM provider", [], |row| row.get(0)).unwrap();
        assert_eq!(since, None);
    }

    #[test]
    fn an_old_page_time_is_suspicious_immediately() {
        let (dir, db) = open();
        let (old, now) = (at(-400).timestamp_millis(), at(0).timestamp_millis());
        let set = "UPDATE provider SET baseline_at = ?2, last_change_at = ?2, last_success_at = ?2, page_version = ?1";
        db.execute(set, [old, now]).unwrap();
        assert_eq!(look_for_quiet(&dir, at(0)), ["acme"]);
    }

    #[test]
    fn what_is_usual_for_the_page_decides_how_long_is_too_long() {
        let (dir, db) = open();
        let (old, now) = (at(-400).timestamp_millis(), at(0).timestamp_millis());
        let set = "UPDATE provider SET baseline_at = ?2, last_change_at = ?2, last_success_at = ?2, page_version = ?1";
        db.execute(set, [old, now]).unwrap();
        let item = |day: i64| {
            let started_at = at(day);
            let incident = Incident {
                started_at: Some(started_at),
                ..Incident::new(Kind::Incident, day.to_string(), "x")
            };
            let key = crate::event::IncidentKey::new("acme", &incident.id);
            let context = crate::ledger::reconcile::Context {
                provider: "acme",
                now: at(0),
                first_run: None,
                watched_since: at(0),
                first_history: false,
                reported: &[],
                reread: false,
            };
            let known = crate::ledger::reconcile::reconcile(None, &[], &incident, context).item;
            let change = Change::Item { key, item: &known, incident: &incident, at: at(0) };
            judge(&db, "acme", |book| book.put(change)).unwrap();
        };
        // An incident every 150 days: 400 days of silence are unusual, 100 are not.
        for day in [-700, -550, -400] {
            item(day);
        }
        assert!(look_for_quiet(&dir, at(0)).is_empty(), "less than three times as long");
        assert_eq!(look_for_quiet(&dir, at(0)), [""; 0]);
        let later = at(51);
        db.execute("UPDATE provider SET last_success_at = ?1", [later.timestamp_millis()]).unwrap();
        assert_eq!(look_for_quiet(&dir, later), ["acme"]);
        assert!(look_for_quiet(&dir, later).is_empty(), "once");
        item(20);
        assert!(look_for_quiet(&dir, later).is_empty());
        let since: Option<i64> =
            db.query_row("SELECT quiet_since FROM provider", [], |row| row.get(0)).unwrap();
        assert_eq!(since, None);
    }

    #[test]
    fn secrets_in_the_url_are_not_stored() {
        let (dir, db) = open();
        declare(&db, &[provider()], &std::collections::HashMap::new(), at(1)).unwrap();
        let url: String = db.query_row("SELECT url FROM provider", [], |row| row.get(0)).unwrap();
        assert!(url.starts_with("https://status.acme.example/feed?token=… #"), "{url}");
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let bytes = std::fs::read(dir.path().join(DATABASE)).unwrap();
        assert!(memchr::memmem::find(&bytes, b"s3cret").is_none());
    }
}
