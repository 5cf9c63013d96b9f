//! `min_duration`: component states that have to last, in the ledger's actor and its database.

use statuswatch::ledger::{Flush, Ledger, Unchanged};

use super::*;

/// A world in which a component state has to last for two minutes.
async fn world() -> World {
    let mut world = World::new(FirstRun::All).await;
    let settings =
        Settings { min_duration: Duration::from_mins(2), ..world.provider.settings.clone() };
    world.provider = Arc::new(Provider { settings, ..(*world.provider).clone() });
    world.restart().await;
    world
}

fn page(status: ComponentStatus) -> Snapshot {
    Snapshot {
        components: vec![
            statuswatch::snapshot::component(Some("api".to_owned()), "API", None, status),
            statuswatch::snapshot::component(
                Some("web".to_owned()),
                "Web",
                None,
                ComponentStatus::Operational,
            ),
        ],
        coverage: Coverage { all_components: true, ..Coverage::default() },
        ..Snapshot::default()
    }
}

/// What was recorded and not reported: status and time.
fn passed(world: &World) -> Vec<(Status, Time)> {
    let filtered = Reader::open(world.dir.path()).unwrap().filtered(&Query::default()).unwrap();
    let mut passed: Vec<_> =
        filtered.into_iter().map(|one| (one.event.status, one.event.published_at)).collect();
    // Of what is recorded with one poll the order is not kept.
    passed.sort_by_key(|(_, at)| *at);
    passed
}

/// A poll that brings nothing new.
async fn unchanged(world: &mut World) {
    world.clock += chrono::Duration::minutes(1);
    let ledger = Ledger::default();
    ledger.replace(world.ledger.clone());
    ledger.hint(Unchanged {
        provider: "acme".to_owned(),
        generation: 1,
        at: world.clock,
        next_poll_at: world.clock,
        validators: None,
        full: false,
    });
    world.ledger.send(Flush).await.unwrap().unwrap();
}

#[test]
fn a_short_lived_state_is_recorded_and_not_reported() {
    story(async {
        let mut world = world().await;
        world.poll(page(ComponentStatus::Operational)).await;
        world.poll(page(ComponentStatus::DegradedPerformance)).await;
        world.restart().await;
        world.poll(page(ComponentStatus::MajorOutage)).await;
        world.poll(page(ComponentStatus::Operational)).await;
        for _ in 0..5 {
            unchanged(&mut world).await;
        }
        assert_eq!(world.short(), [""; 0]);
        assert_eq!(
            passed(&world),
            [
                (Status::DegradedPerformance, at(2)),
                (Status::MajorOutage, at(3)),
                (Status::Operational, at(4)),
            ]
        );
    });
}

#[test]
fn a_lasting_state_is_reported_by_unchanged_polls_and_after_a_restart() {
    story(async {
        let mut world = world().await;
        world.poll(page(ComponentStatus::Operational)).await;
        world.poll(page(ComponentStatus::MajorOutage)).await;
        unchanged(&mut world).await;
        assert_eq!(world.short(), [""; 0]);
        world.restart().await;
        unchanged(&mut world).await;
        let emitted = world.new_events();
        let [event] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!((event.status, event.previous_status), (Status::MajorOutage, None));
        assert_eq!((event.published_at, event.observed_at), (at(2), at(4)), "seen, and reported");
        assert_eq!(event.components[0].id.as_deref(), Some("api"));
        unchanged(&mut world).await;
        // The way back has to last, too; a poll that reads the page again says so as well.
        world.poll(page(ComponentStatus::Operational)).await;
        world.poll(page(ComponentStatus::Operational)).await;
        assert_eq!(world.short(), [""; 0]);
        world.poll(page(ComponentStatus::Operational)).await;
        let emitted = world.new_events();
        let [event] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!(
            (event.status, event.previous_status),
            (Status::Operational, Some(Status::MajorOutage))
        );
        // And again: the same change under another id.
        world.poll(page(ComponentStatus::MajorOutage)).await;
        unchanged(&mut world).await;
        unchanged(&mut world).await;
        assert_eq!(world.short(), ["component API major_outage"]);
        assert_eq!(passed(&world), []);
    });
}

#[test]
fn a_state_that_keeps_changing_is_reported_as_it_is_then() {
    story(async {
        let mut world = world().await;
        world.poll(page(ComponentStatus::Operational)).await;
        world.poll(page(ComponentStatus::DegradedPerformance)).await;
        world.poll(page(ComponentStatus::PartialOutage)).await;
        world.poll(page(ComponentStatus::MajorOutage)).await;
        assert_eq!(world.short(), ["component API major_outage"]);
        assert_eq!(passed(&world).len(), 2);
    });
}

#[test]
fn an_unlisted_component_is_not_seen_to_last() {
    story(async {
        let mut world = world().await;
        world.poll(page(ComponentStatus::Operational)).await;
        world.poll(page(ComponentStatus::MajorOutage)).await;
        let mut without = page(ComponentStatus::Operational);
        without.components.remove(0);
        world.poll(without).await;
        for _ in 0..3 {
            unchanged(&mut world).await;
        }
        world.poll(page(ComponentStatus::Operational)).await;
        assert_eq!(world.short(), [""; 0]);
        // Without the setting each change is reported at once.
        let settings = Settings { min_duration: Duration::ZERO, ..world.provider.settings.clone() };
        world.provider = Arc::new(Provider { settings, ..(*world.provider).clone() });
        world.restart().await;
        world.poll(page(ComponentStatus::MajorOutage)).await;
        assert_eq!(world.short(), ["component API major_outage"]);
    });
}
