//! Rejected responses, and times in the future on the provider's clock.

use super::*;

/// A response by number: 0 current, 1 stale, 2 another tenant's.
fn answer(kind: u32) -> Snapshot {
    let mut snapshot = page(if kind == 1 { -50 } else { -10 }, vec![past("p")]);
    if kind == 2 {
        snapshot.page.id = Some("theirpage001".to_owned());
        snapshot.incidents = vec![opened()];
    }
    snapshot
}

/// Polls a page with these responses, and restarts before the given polls.
fn verdicts(answers: &[u32], restarts: &[usize]) -> (Vec<Verdict>, Vec<String>) {
    let mut out = (Vec::new(), Vec::new());
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        for (place, kind) in answers.iter().enumerate() {
            if restarts.contains(&place) {
                harness.restart().await;
            }
            out.0.push(harness.poll(answer(*kind)).await.verdict);
        }
        out.1 = harness.short();
    });
    out
}

#[test]
fn anomalies_survive_restarts_at_any_moment() {
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..6 {
        // Long runs of anomalies, so that some of them are accepted eventually.
        let mut answers = vec![0];
        while answers.len() < 90 {
            let (kind, count) = (random.u32(0..3), random.usize(1..45));
            answers.extend(std::iter::repeat_n(kind, count));
        }
        let (all, emitted) = verdicts(&answers, &[]);
        let moments: Vec<usize> = (0..answers.len()).filter(|_| random.u32(0..4) == 0).collect();
        assert_eq!(verdicts(&answers, &moments), (all, emitted), "round {round}: {answers:?}");
    }
}

#[test]
fn a_future_time_is_not_used_as_a_reference() {
    let far = 40_000_000;
    run_system(async {
        let mut harness = Harness::new(FirstRun::None).await;
        harness.poll(page(0, vec![])).await;
        harness.poll(page(far, vec![])).await;
        let mut open =
            incident("a", vec![update("1", IncidentStatus::Investigating, 1, "Looking.")]);
        let recorded = harness.poll(page(1, vec![open.clone()])).await;
        assert_eq!((recorded.verdict, recorded.events), (Verdict::Changed, 1), "of a page");

        // An edit in the future does not hide a current edit.
        open.updates[0].edited_at = Some(at(far));
        open.updates[0].text = "Looking into it.".to_owned();
        harness.poll(page(2, vec![open.clone()])).await;
        open.updates[0].edited_at = Some(at(3));
        open.updates[0].text = "Looked into it.".to_owned();
        harness.poll(page(3, vec![open.clone()])).await;

        // Nor a change of status without an update.
        open.impact = Impact::Major;
        assert_eq!(harness.poll(page(4, vec![open.clone()])).await.events, 1, "of an incident");
        assert_eq!(
            harness.short(),
            [
                "incident a investigating: Looking.",
                "incident a investigating r2: Looking into it.",
                "incident a investigating r3: Looked into it.",
                "incident a investigating",
            ]
        );
    });
}

#[test]
fn a_future_time_of_the_latest_update_hides_no_later_one() {
    let latest = |minute, text: &str| {
        let update = Update {
            id: UpdateId::Latest,
            status: IncidentStatus::Update,
            stated: IncidentStatus::Update,
            published_at: Some(at(minute)),
            edited_at: None,
            text: text.to_owned(),
        };
        page(
            0,
            vec![Incident { status: IncidentStatus::Investigating, ..incident("a", vec![update]) }],
        )
    };
    run_system(async {
        let mut harness = Harness::new(FirstRun::None).await;
        harness.poll(page(0, vec![])).await;
        for (minute, text) in [(1, "One."), (40_000_000, "Two."), (3, "Three."), (4, "Four.")] {
            assert_eq!(harness.poll(latest(minute, text)).await.events, 1, "{text}");
        }
        // An old text of a replica is still stale.
        assert_eq!(harness.poll(latest(2, "One and a half.")).await.events, 0);
    });
}

/// A maintenance without a status of its own.
fn planned(basis: Basis, from: i64, until: i64) -> Snapshot {
    let maintenance = Incident {
        basis,
        scheduled_for: Some(at(from)),
        scheduled_until: Some(at(until)),
        updates: vec![update("1", IncidentStatus::Scheduled, -30, "New gates.")],
        ..Incident::new(Kind::Maintenance, "m", "Dock")
    };
    page(0, vec![maintenance])
}

#[test]
fn a_maintenance_without_a_status_follows_its_window_and_its_list() {
    for (basis, end) in [(Basis::Begin, None), (Basis::Window, Some("maintenance m completed"))] {
        run_system(async {
            let mut harness = Harness::new(FirstRun::Active).await;
            let announced = harness.poll(planned(basis, 3, 6)).await;
            assert_eq!(announced.window_at, Some(at(3)), "the next full poll is due then");
            assert!(!announced.active);
            assert_eq!(harness.poll(planned(basis, 3, 6)).await.events, 0);
            let begun = harness.poll(planned(basis, 3, 6)).await;
            assert_eq!((begun.active, begun.window_at), (true, Some(at(6))));
            assert_eq!(harness.short(), ["maintenance m in_progress"]);
            harness.poll(planned(basis, 3, 6)).await;
            harness.poll(planned(basis, 3, 6)).await;
            assert_eq!(harness.short(), Vec::<String>::new());
            harness.poll(planned(basis, 3, 6)).await;
            harness.poll(planned(basis, 3, 6)).await;
            assert_eq!(harness.short(), Vec::from_iter(end), "{basis:?}");
        });
    }
}

#[test]
fn a_maintenance_first_seen_in_progress_is_reported_in_progress() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        harness.poll(page(0, vec![])).await;
        // Its only update states that it was scheduled.
        harness.poll(planned(Basis::Begin, 1, 60)).await;
        assert_eq!(harness.short(), ["maintenance m in_progress backfill: New gates."]);
        // An edit at the moment it starts does not hide the start.
        let mut harness = Harness::new(FirstRun::Active).await;
        harness.poll(planned(Basis::Begin, 2, 60)).await;
        let mut edited = planned(Basis::Begin, 2, 60);
        edited.incidents[0].updates[0].text = "New gates and a lock.".to_owned();
        edited.incidents[0].updates[0].edited_at = Some(at(2));
        harness.poll(edited).await;
        assert_eq!(
            harness.short(),
            [
                "maintenance m scheduled r2 backfill: New gates and a lock.",
                "maintenance m in_progress"
            ]
        );
    });
}
