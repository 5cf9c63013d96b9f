//! No event that was decided to be new is lost to an id that is in use.

use rusqlite::Connection;
use statuswatch::ledger::DATABASE;

use super::identity::part;
use super::*;

const STATES: [ComponentStatus; 3] =
    [ComponentStatus::Operational, ComponentStatus::PartialOutage, ComponentStatus::MajorOutage];

/// A counter that is lost, as in a database that forgot it, costs no event.
#[test]
fn a_change_whose_counter_was_lost_is_reported_under_an_id_of_its_own() {
    story(async {
        let mut world = World::new(FirstRun::Active).await;
        let api = |status| {
            let mut page = page(0, vec![opened()]);
            page.components = vec![part(Some("a"), None, "API", status)];
            page
        };
        let [up, _, down] = STATES;
        let forget = |world: &World, sql: &str| {
            let db = Connection::open(world.dir.path().join(DATABASE)).unwrap();
            assert_eq!(db.execute(sql, []).unwrap(), 1, "{sql}");
        };
        for _ in 0..3 {
            world.poll(api(up)).await;
            world.poll(api(down)).await;
            forget(&world, "UPDATE component SET list = replace(list, '\"changes\":', '\"x\":')");
        }
        // Impact alone changes, and the count of such changes is lost.
        for impact in [Impact::Major, Impact::Minor, Impact::Major, Impact::Minor] {
            let mut page = api(down);
            page.incidents[0].impact = impact;
            world.poll(page).await;
            forget(&world, "UPDATE item SET changes = 0");
        }
        // So is the count of moves.
        for n in 0..3 {
            let ids = |id: &str| {
                let mut renamed = past(id);
                renamed.id = format!("{n}-{id}");
                renamed
            };
            world.clock += chrono::Duration::days(2);
            world.poll(page(n, ["p", "q", "r"].map(ids).to_vec())).await;
            forget(&world, "UPDATE provider SET epoch = 0, outages = 0");
        }
        let news = world.news();
        let count = |kind: Kind| news.iter().filter(|event| event.kind == kind).count();
        assert_eq!((count(Kind::Component), count(Kind::Provider)), (5, 2), "{news:#?}");
        let of_impact = |event: &&StatusEvent| {
            event.update_id.as_deref().is_some_and(|id| id.starts_with("impact-"))
        };
        assert_eq!(news.iter().filter(of_impact).count(), 4);
        let mut ids: Vec<_> = news.iter().map(|event| &event.id).collect();
        let mut names: Vec<_> = news
            .iter()
            .map(|event| (&event.incident_id, &event.update_id, event.revision))
            .collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        names.sort();
        names.dedup();
        assert_eq!((ids.len(), names.len()), (all, all));
        let rows = Reader::open(world.dir.path()).unwrap().providers().unwrap();
        assert_eq!(rows[0].dropped_events, 0);
    });
}

/// What was seen is lost, but not what was reported: the update is not reported twice, and that
/// this was so is counted.
#[test]
fn an_update_decided_new_and_already_reported_is_counted() {
    story(async {
        let mut world = World::new(FirstRun::All).await;
        world.poll(page(0, vec![opened()])).await;
        assert_eq!(world.short().len(), 2);
        let db = Connection::open(world.dir.path().join(DATABASE)).unwrap();
        db.execute_batch("DELETE FROM seen; UPDATE item SET digest = zeroblob(16)").unwrap();
        world.poll(page(0, vec![opened()])).await;
        assert_eq!(world.short(), [""; 0]);
        let rows = Reader::open(world.dir.path()).unwrap().providers().unwrap();
        assert_eq!(rows[0].dropped_events, 2);
    });
}

/// One poll reports the end of blindness, and only one.
#[test]
fn an_end_that_is_reported_twice_over_is_one_event() {
    story(async {
        let mut world = World::new(FirstRun::Active).await;
        let whole = |incidents| {
            let mut page = page(0, incidents);
            page.coverage.incidents = Listing::Whole;
            page
        };
        for incidents in [vec![opened()], vec![], vec![], vec![opened()], vec![], vec![], vec![]] {
            world.poll(whole(incidents)).await;
        }
        assert_eq!(
            world.short(),
            [
                "incident a identified backfill: Found.",
                "incident a resolved",
                "incident a identified",
                "incident a resolved"
            ]
        );
    });
}
