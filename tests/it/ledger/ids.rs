//! No event that was decided to be new is lost to an id that is in use.

use proptest::prelude::*;
use rusqlite::Connection;
use statuswatch::ledger::DATABASE;

use super::identity::part;
use super::*;

const STATES: [ComponentStatus; 3] =
    [ComponentStatus::Operational, ComponentStatus::PartialOutage, ComponentStatus::MajorOutage];

/// One poll of a page with four components: how their ids are made, their states, and whether its
/// incidents have new ids.
#[derive(Debug, Clone)]
struct Poll {
    ids: u8,
    states: [usize; 4],
    new_ids: bool,
}

fn polls() -> impl Strategy<Value = Vec<Poll>> {
    let poll = (0..4_u8, [0..3_usize, 0..3, 0..3, 0..3], any::<bool>())
        .prop_map(|(ids, states, new_ids)| Poll { ids, states, new_ids });
    prop::collection::vec(poll, 2..14)
}

fn snapshot(n: usize, poll: &Poll) -> Snapshot {
    let prefix = if poll.new_ids { format!("n{n}") } else { "old".to_owned() };
    let incidents = ["p", "q", "r"].map(|id| {
        let mut renamed = past(id);
        renamed.id = format!("{prefix}-{id}");
        renamed
    });
    let mut page = page(0, incidents.to_vec());
    page.components = (0..4)
        .map(|place| {
            let id = match poll.ids {
                0 => Some(format!("c{place}")),
                1 => Some(format!("n{n}-{place}")),
                2 => Some(format!("c{place}")).filter(|_| place % 2 == 0),
                _ => None,
            };
            part(id.as_deref(), None, &format!("Part {place}"), STATES[poll.states[place]])
        })
        .collect();
    page
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The page's components are known by their names alone: every change of a state between two
    /// polls is one event, whatever becomes of ids.
    #[test]
    fn ids_of_component_events_never_collide(polls in polls()) {
        let mut wrong = None;
        story(async {
            let mut world = World::new(FirstRun::Active).await;
            let mut owed = Vec::new();
            for (n, poll) in polls.iter().enumerate() {
                world.poll(snapshot(n, poll)).await;
                if let Some(before) = n.checked_sub(1).map(|before| &polls[before]) {
                    owed.extend((0..4).filter(|&place| before.states[place] != poll.states[place]).map(
                        |place| (format!("Part {place}"), Status::from(STATES[poll.states[place]])),
                    ));
                }
            }
            let new_events = world.new_events();
            let emitted: Vec<_> = new_events
                .iter()
                .filter(|event| event.kind == Kind::Component)
                .map(|event| (event.title.clone(), event.status))
                .collect();
            let others: Vec<_> = new_events.iter().filter(|event| event.kind == Kind::Incident).collect();
            let dropped = Reader::open(world.dir.path()).unwrap().providers().unwrap()[0].dropped_events;
            if emitted != owed || !others.is_empty() || dropped > 0 {
                wrong = Some(format!("told {emitted:?}\nowed {owed:?}\n{others:?}, {dropped} dropped"));
            }
        });
        prop_assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

/// A counter that is lost, as in a database that forgot it, costs no event.
#[test]
fn a_change_with_a_lost_counter_gets_its_own_id() {
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
        let new_events = world.new_events();
        let count = |kind: Kind| new_events.iter().filter(|event| event.kind == kind).count();
        assert_eq!((count(Kind::Component), count(Kind::Provider)), (5, 2), "{new_events:#?}");
        let of_impact = |event: &&StatusEvent| {
            event.update_id.as_deref().is_some_and(|id| id.starts_with("impact-"))
        };
        assert_eq!(new_events.iter().filter(of_impact).count(), 4);
        let mut ids: Vec<_> = new_events.iter().map(|event| &event.id).collect();
        let mut names: Vec<_> = new_events
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
fn a_dropped_update_is_counted() {
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
fn recovery_reported_twice_is_one_event() {
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
