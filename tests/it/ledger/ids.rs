//! No new event is lost because its id is taken.

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

    /// The components are identified by name only: every change of state between two polls is one
    /// event, whatever happens to their ids.
    #[test]
    fn ids_of_component_events_never_collide(polls in polls()) {
        let mut wrong = None;
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let mut owed = Vec::new();
            for (n, poll) in polls.iter().enumerate() {
                harness.poll(snapshot(n, poll)).await;
                if let Some(before) = n.checked_sub(1).map(|before| &polls[before]) {
                    owed.extend((0..4).filter(|&place| before.states[place] != poll.states[place]).map(
                        |place| (format!("Part {place}"), Status::from(STATES[poll.states[place]])),
                    ));
                }
            }
            let new_events = harness.new_events();
            let emitted: Vec<_> = new_events
                .iter()
                .filter(|event| event.kind == Kind::Component)
                .map(|event| (event.title.clone(), event.status))
                .collect();
            let others: Vec<_> = new_events.iter().filter(|event| event.kind == Kind::Incident).collect();
            let dropped = Reader::open(harness.dir.path()).unwrap().providers().unwrap()[0].dropped_events;
            if emitted != owed || !others.is_empty() || dropped > 0 {
                wrong = Some(format!("reported {emitted:?}\nowed {owed:?}\n{others:?}, {dropped} dropped"));
            }
        });
        prop_assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

/// A lost counter, as in a reset database, costs no event.
#[test]
fn a_change_with_a_lost_counter_gets_its_own_id() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let api = |status| {
            let mut page = page(0, vec![opened()]);
            page.components = vec![part(Some("a"), None, "API", status)];
            page
        };
        let [up, _, down] = STATES;
        let forget = |harness: &Harness, sql: &str| {
            let db = Connection::open(harness.dir.path().join(DATABASE)).unwrap();
            assert_eq!(db.execute(sql, []).unwrap(), 1, "{sql}");
        };
        for _ in 0..3 {
            harness.poll(api(up)).await;
            harness.poll(api(down)).await;
            forget(&harness, "UPDATE component SET list = replace(list, '\"changes\":', '\"x\":')");
        }
        // Only the impact changes, and the counter of such changes is lost.
        for impact in [Impact::Major, Impact::Minor, Impact::Major, Impact::Minor] {
            let mut page = api(down);
            page.incidents[0].impact = impact;
            harness.poll(page).await;
            forget(&harness, "UPDATE item SET changes = 0");
        }
        // So is the counter of moves.
        for n in 0..3 {
            let ids = |id: &str| {
                let mut renamed = past(id);
                renamed.id = format!("{n}-{id}");
                renamed
            };
            harness.clock += chrono::Duration::days(2);
            harness.poll(page(n, ["p", "q", "r"].map(ids).to_vec())).await;
            forget(&harness, "UPDATE provider SET epoch = 0, outages = 0");
        }
        let new_events = harness.new_events();
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
        let rows = Reader::open(harness.dir.path()).unwrap().providers().unwrap();
        assert_eq!(rows[0].dropped_events, 0);
    });
}

/// The seen versions are lost, but not the events: the update is not reported twice, and the drop
/// is counted.
#[test]
fn a_dropped_update_is_counted() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::All).await;
        harness.poll(page(0, vec![opened()])).await;
        assert_eq!(harness.short().len(), 2);
        let db = Connection::open(harness.dir.path().join(DATABASE)).unwrap();
        db.execute_batch("DELETE FROM seen; UPDATE item SET digest = zeroblob(16)").unwrap();
        harness.poll(page(0, vec![opened()])).await;
        assert_eq!(harness.short(), [""; 0]);
        let rows = Reader::open(harness.dir.path()).unwrap().providers().unwrap();
        assert_eq!(rows[0].dropped_events, 2);
    });
}

/// Only one poll reports that a provider is reachable again.
#[test]
fn recovery_reported_twice_is_one_event() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let whole = |incidents| {
            let mut page = page(0, incidents);
            page.coverage.incidents = Listing::Whole;
            page
        };
        for incidents in [vec![opened()], vec![], vec![], vec![opened()], vec![], vec![], vec![]] {
            harness.poll(whole(incidents)).await;
        }
        assert_eq!(
            harness.short(),
            [
                "incident a identified backfill: Found.",
                "incident a resolved",
                "incident a identified",
                "incident a resolved"
            ]
        );
    });
}
