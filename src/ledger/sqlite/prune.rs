//! Removes old rows.
//!
//! An incident that a page still lists is never removed, however long it stays unchanged: otherwise
//! its next change would report it as new. Unchanged polls write nothing for this. Open items are
//! kept as such. Items that are over count as listed as of the last document that listed any item
//! of their kind that is over: documents with only open items, and unchanged responses, do not
//! affect them.

use rusqlite::{Connection, params};

use super::Sql;
use crate::event::Time;

/// Rows of `item` that may be removed: not open, last listed before `?1`, and not listed by the
/// last document that covered past items. Such a document marks what it lists unless marked within
/// a day (see `commit`).
macro_rules! forgettable {
    () => {
        "last_listed < ?1 AND open = 0 AND NOT (
           status IN ('resolved', 'postmortem', 'withdrawn', 'completed')
           AND last_listed >= coalesce((SELECT iif(i.kind = 'maintenance', past_maintenances_at, past_incidents_at)
             FROM provider WHERE id = i.provider), 0) - 86400000)"
    };
}

/// Removes events delivered by every sink and older than `before`, and incidents that are neither
/// open nor listed and were last listed before it. Removes at most `most` rows of each kind;
/// returns how many.
pub(in crate::ledger) fn prune(db: &Connection, before: Time, most: u32) -> Sql<usize> {
    let before = before.timestamp_millis();
    let events = db.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE observed_at < ?1
           AND seq <= coalesce((SELECT min(seq) FROM sink), 0) AND seq < (SELECT max(seq) FROM event) ORDER BY seq LIMIT ?2)",
        params![before, most],
    )?;
    let filtered = db.execute(
        "DELETE FROM filtered WHERE id IN (SELECT id FROM filtered WHERE observed_at < ?1 LIMIT ?2)",
        params![before, most],
    )?;
    let seen = db.execute(
        concat!(
            "DELETE FROM seen WHERE item IN (SELECT key FROM item i WHERE ",
            forgettable!(),
            " LIMIT ?2)"
        ),
        params![before, most],
    )?;
    let items = db.execute(
        concat!(
            "DELETE FROM item WHERE (provider, key) IN (SELECT provider, key FROM item i WHERE ",
            forgettable!(),
            " AND NOT EXISTS(SELECT 1 FROM seen WHERE seen.item = i.key) LIMIT ?2)"
        ),
        params![before, most],
    )?;
    Ok(events + filtered + seen + items)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::event::{ComponentStatus, IncidentStatus, Kind, Status, parse_time};
    use crate::ledger::commit;
    use crate::ledger::messages::{Checkpoint, Record};
    use crate::ledger::post_commit::PostCommit;
    use crate::ledger::sqlite::components::components;
    use crate::ledger::sqlite::migrate;
    use crate::ledger::sqlite::testing::{declare, judge};
    use crate::ledger::staleness;
    use crate::snapshot::{Coverage, Incident, Listing, Snapshot, Update, UpdateId, component};

    /// How long history is kept, in days.
    const KEEP: i64 = 400;

    fn at(day: i64) -> Time {
        parse_time("2026-03-01T00:00:00Z").unwrap() + chrono::Duration::days(day)
    }

    fn incident(id: &str, kind: Kind, over: bool, day: i64) -> Incident {
        let status = match (kind, over) {
            (Kind::Maintenance, true) => IncidentStatus::Completed,
            (Kind::Maintenance, false) => IncidentStatus::InProgress,
            (_, true) => IncidentStatus::Resolved,
            (_, false) => IncidentStatus::Investigating,
        };
        let update = Update {
            id: UpdateId::Native(format!("{id}-1")),
            status,
            stated: status,
            published_at: Some(at(day)),
            edited_at: None,
            text: "x".to_owned(),
        };
        Incident { status, updates: vec![update], ..Incident::new(kind, id, id) }
    }

    /// A page with a history of 30 incidents and maintenances that ended before day 0.
    fn history() -> Vec<Incident> {
        let kind = |n| if n % 3 == 0 { Kind::Maintenance } else { Kind::Incident };
        (0..30).map(|n| incident(&format!("old{n}"), kind(n), true, n - 40)).collect()
    }

    struct Fixture {
        db: Connection,
        _dir: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let db = migrate::open_writer(dir.path()).unwrap();
            declare(&db, &[staleness::tests::provider()], &HashMap::new(), at(0)).unwrap();
            Self { db, _dir: dir }
        }

        /// Records a document; returns the number of events.
        fn poll(&self, incidents: Vec<Incident>, listing: Listing, day: i64) -> usize {
            let api = component(Some("api".into()), "API", None, ComponentStatus::Operational);
            let snapshot = Snapshot {
                incidents,
                components: vec![api],
                coverage: Coverage {
                    incidents: listing,
                    maintenances: listing,
                    all_components: true,
                },
                ..Snapshot::default()
            };
            let record = Record {
                provider: staleness::tests::provider(),
                generation: 1,
                snapshot: Box::new(snapshot),
                checkpoint: Checkpoint::default(),
                complete: true,
                observed_at: at(day),
            };
            let mut post_commit = PostCommit::default();
            let recorded =
                judge(&self.db, "acme", |book| commit::record(book, &mut post_commit, &record));
            recorded.unwrap().events
        }

        /// Counts the incidents and update versions left by retention.
        fn prune(&self, day: i64) -> (HashSet<String>, u32) {
            while prune(&self.db, at(day - KEEP), 7).unwrap() > 0 {}
            let mut items = self.db.prepare("SELECT native_id FROM item").unwrap();
            let items = items.query_map([], |row| row.get(0)).unwrap();
            let seen = "SELECT count(*) FROM seen WHERE item IN (SELECT key FROM item)";
            let seen: u32 = self.db.query_row(seen, [], |row| row.get(0)).unwrap();
            (items.collect::<Result<_, _>>().unwrap(), seen)
        }
    }

    #[test]
    fn after_years_without_a_change_the_next_incident_does_not_report_the_old_history() {
        for listing in [Listing::Recent, Listing::Unknown] {
            let fixture = Fixture::new();
            fixture.poll(history(), listing, 0);
            // Only 304s and equal bodies from here on: nothing is recorded.
            assert_eq!(fixture.prune(KEEP * 3), (ids(&history()), 30));
            let mut page = history();
            page.remove(0);
            page.push(incident("new", Kind::Incident, false, KEEP * 3));
            assert_eq!(fixture.poll(page.clone(), listing, KEEP * 3), 1, "{listing:?}");
            assert_eq!(components(&fixture.db, "acme").unwrap().len(), 1);
            // Items that left the list are removed in time, and nothing else.
            assert_eq!(fixture.prune(KEEP * 5), (ids(&page), 30));
        }
    }

    #[test]
    fn documents_that_list_what_is_open_alone_do_not_let_the_history_be_forgotten() {
        let fixture = Fixture::new();
        fixture.poll(history(), Listing::Recent, 0);
        // Summaries with changes at every poll, none of which lists items that are over.
        for day in 1..KEEP {
            let open = incident(&format!("m{day}"), Kind::Maintenance, false, day);
            fixture.poll(vec![open], Listing::Open, day);
            fixture.poll(vec![], Listing::Open, day);
            fixture.poll(vec![], Listing::Open, day);
        }
        let (left, _) = fixture.prune(KEEP * 2);
        assert!(ids(&history()).is_subset(&left), "{left:?}");
        assert_eq!(left.len(), 30, "what was only ever listed while it was open is forgotten");
        // The history of one kind does not cover the other.
        let incidents = || history().into_iter().filter(|one| one.kind == Kind::Incident);
        fixture.poll(incidents().take(5).collect(), Listing::Recent, KEEP * 2);
        let maintenances = history().into_iter().filter(|one| one.kind == Kind::Maintenance);
        let expected: Vec<_> = incidents().take(5).chain(maintenances).collect();
        assert_eq!(fixture.prune(KEEP * 4).0, ids(&expected));
    }

    #[test]
    fn rows_of_an_older_version_are_kept_until_a_document_says_what_is_listed() {
        let fixture = Fixture::new();
        fixture.poll(history(), Listing::Recent, 0);
        let sql = "UPDATE provider SET past_incidents_at = NULL, past_maintenances_at = NULL";
        fixture.db.execute(sql, []).unwrap();
        assert_eq!(fixture.prune(KEEP * 3).0.len(), 30);
        fixture.poll(history().into_iter().skip(20).collect(), Listing::Recent, KEEP * 3);
        assert_eq!(fixture.prune(KEEP * 5).0.len(), 10);
    }

    #[test]
    fn the_words_for_what_is_over_are_those_of_the_events() {
        let over = Status::ALL.iter().filter(|status| status.is_over());
        let list: Vec<String> = over.map(|status| format!("'{status}'")).collect();
        assert!(forgettable!().contains(&format!("({})", list.join(", "))), "{list:?}");
    }

    fn ids(incidents: &[Incident]) -> HashSet<String> {
        incidents.iter().map(|incident| incident.id.clone()).collect()
    }
}
