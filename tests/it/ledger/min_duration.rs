//! `min_duration` in the ledger's actor and its database.

use statuswatch::ledger::{Flush, Ledger, Unchanged};

use super::*;

/// A ledger in which a component state has to last for two minutes.
async fn harness() -> Harness {
    let mut harness = Harness::new(FirstRun::All).await;
    let settings =
        Settings { min_duration: Duration::from_mins(2), ..harness.provider.settings.clone() };
    harness.provider = Arc::new(Provider { settings, ..(*harness.provider).clone() });
    harness.restart().await;
    harness
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

/// Returns status and time of what was recorded but not reported.
fn passed(harness: &Harness) -> Vec<(Status, Time)> {
    let filtered = Reader::open(harness.dir.path()).unwrap().filtered(&Query::default()).unwrap();
    let mut passed: Vec<_> =
        filtered.into_iter().map(|one| (one.event.status, one.event.published_at)).collect();
    // The order within one poll is not kept.
    passed.sort_by_key(|(_, at)| *at);
    passed
}

/// An unchanged poll.
async fn unchanged(harness: &mut Harness) {
    harness.clock += chrono::Duration::minutes(1);
    let ledger = Ledger::default();
    ledger.replace(harness.ledger.clone());
    ledger.hint(Unchanged {
        provider: "acme".to_owned(),
        generation: 1,
        at: harness.clock,
        next_poll_at: harness.clock,
        validators: None,
        full: false,
    });
    harness.ledger.send(Flush).await.unwrap().unwrap();
}

#[test]
fn a_short_lived_state_is_recorded_and_not_reported() {
    run_system(async {
        let mut harness = harness().await;
        harness.poll(page(ComponentStatus::Operational)).await;
        harness.poll(page(ComponentStatus::DegradedPerformance)).await;
        harness.restart().await;
        harness.poll(page(ComponentStatus::MajorOutage)).await;
        harness.poll(page(ComponentStatus::Operational)).await;
        for _ in 0..5 {
            unchanged(&mut harness).await;
        }
        assert_eq!(harness.short(), [""; 0]);
        assert_eq!(
            passed(&harness),
            [
                (ComponentStatus::DegradedPerformance.into(), at(2)),
                (ComponentStatus::MajorOutage.into(), at(3)),
                (ComponentStatus::Operational.into(), at(4)),
            ]
        );
    });
}

#[test]
fn a_lasting_state_is_reported_by_unchanged_polls_and_after_a_restart() {
    run_system(async {
        let mut harness = harness().await;
        harness.poll(page(ComponentStatus::Operational)).await;
        harness.poll(page(ComponentStatus::MajorOutage)).await;
        unchanged(&mut harness).await;
        assert_eq!(harness.short(), [""; 0]);
        harness.restart().await;
        unchanged(&mut harness).await;
        let emitted = harness.new_events();
        let [event] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!(
            (event.status, event.previous_status),
            (ComponentStatus::MajorOutage.into(), None)
        );
        assert_eq!((event.published_at, event.observed_at), (at(2), at(4)), "seen, and reported");
        assert_eq!(event.components[0].id.as_deref(), Some("api"));
        unchanged(&mut harness).await;
        // Recovery has to last, too; a poll that reads the page again confirms it as well.
        harness.poll(page(ComponentStatus::Operational)).await;
        harness.poll(page(ComponentStatus::Operational)).await;
        assert_eq!(harness.short(), [""; 0]);
        harness.poll(page(ComponentStatus::Operational)).await;
        let emitted = harness.new_events();
        let [event] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!(
            (event.status, event.previous_status),
            (ComponentStatus::Operational.into(), Some(ComponentStatus::MajorOutage.into()))
        );
        // And again: the same change under another id.
        harness.poll(page(ComponentStatus::MajorOutage)).await;
        unchanged(&mut harness).await;
        unchanged(&mut harness).await;
        assert_eq!(harness.short(), ["component API major_outage"]);
        assert_eq!(passed(&harness), []);
    });
}

#[test]
fn a_state_that_keeps_changing_is_reported_as_it_is_then() {
    run_system(async {
        let mut harness = harness().await;
        harness.poll(page(ComponentStatus::Operational)).await;
        harness.poll(page(ComponentStatus::DegradedPerformance)).await;
        harness.poll(page(ComponentStatus::PartialOutage)).await;
        harness.poll(page(ComponentStatus::MajorOutage)).await;
        assert_eq!(harness.short(), ["component API major_outage"]);
        assert_eq!(passed(&harness).len(), 2);
    });
}

#[test]
fn an_unlisted_component_is_not_seen_to_last() {
    run_system(async {
        let mut harness = harness().await;
        harness.poll(page(ComponentStatus::Operational)).await;
        harness.poll(page(ComponentStatus::MajorOutage)).await;
        let mut without = page(ComponentStatus::Operational);
        without.components.remove(0);
        harness.poll(without).await;
        for _ in 0..3 {
            unchanged(&mut harness).await;
        }
        harness.poll(page(ComponentStatus::Operational)).await;
        assert_eq!(harness.short(), [""; 0]);
        // Without the setting each change is reported immediately.
        let settings =
            Settings { min_duration: Duration::ZERO, ..harness.provider.settings.clone() };
        harness.provider = Arc::new(Provider { settings, ..(*harness.provider).clone() });
        harness.restart().await;
        harness.poll(page(ComponentStatus::MajorOutage)).await;
        assert_eq!(harness.short(), ["component API major_outage"]);
    });
}
