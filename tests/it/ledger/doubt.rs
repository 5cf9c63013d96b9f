//! Doubt in the answers of a page, and times of a provider's clock that lie in the future.

use super::*;

/// One answer of a page as a number says: as known, older, another's.
fn answer(kind: u32) -> Snapshot {
    let mut snapshot = page(if kind == 1 { -50 } else { -10 }, vec![past("p")]);
    if kind == 2 {
        snapshot.page.id = Some("theirpage001".to_owned());
        snapshot.incidents = vec![opened()];
    }
    snapshot
}

/// Polls a page that answers so, and begins a new process before the polls that are named.
fn verdicts(answers: &[u32], restarts: &[usize]) -> (Vec<Verdict>, Vec<String>) {
    let mut out = (Vec::new(), Vec::new());
    story(async {
        let mut world = World::new(FirstRun::Active).await;
        for (place, kind) in answers.iter().enumerate() {
            if restarts.contains(&place) {
                world.restart().await;
            }
            out.0.push(world.poll(answer(*kind)).await.verdict);
        }
        out.1 = world.short();
    });
    out
}

#[test]
fn anomalies_survive_restarts_at_any_moment() {
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..6 {
        // Long runs of odd answers, so that some of them are believed in the end.
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
    story(async {
        let mut world = World::new(FirstRun::None).await;
        world.poll(page(0, vec![])).await;
        world.poll(page(far, vec![])).await;
        let mut trouble = incident("a", vec![update("1", Status::Investigating, 1, "Looking.")]);
        let recorded = world.poll(page(1, vec![trouble.clone()])).await;
        assert_eq!((recorded.verdict, recorded.events), (Verdict::Changed, 1), "of a page");

        // An edit of the future hides no edit of the present.
        trouble.updates[0].edited_at = Some(at(far));
        trouble.updates[0].text = "Looking into it.".to_owned();
        world.poll(page(2, vec![trouble.clone()])).await;
        trouble.updates[0].edited_at = Some(at(3));
        trouble.updates[0].text = "Looked into it.".to_owned();
        world.poll(page(3, vec![trouble.clone()])).await;

        // Nor a silent change, where no update says it.
        trouble.impact = Impact::Major;
        assert_eq!(world.poll(page(4, vec![trouble.clone()])).await.events, 1, "of an incident");
        assert_eq!(
            world.short(),
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
            status: Status::Update,
            stated: Status::Update,
            published_at: Some(at(minute)),
            edited_at: None,
            text: text.to_owned(),
        };
        page(0, vec![Incident { status: Status::Investigating, ..incident("a", vec![update]) }])
    };
    story(async {
        let mut world = World::new(FirstRun::None).await;
        world.poll(page(0, vec![])).await;
        for (minute, text) in [(1, "One."), (40_000_000, "Two."), (3, "Three."), (4, "Four.")] {
            assert_eq!(world.poll(latest(minute, text)).await.events, 1, "{text}");
        }
        // An old text of a replica is still an old one.
        assert_eq!(world.poll(latest(2, "One and a half.")).await.events, 0);
    });
}

/// A maintenance that has no word of its own.
fn planned(basis: Basis, from: i64, until: i64) -> Snapshot {
    let maintenance = Incident {
        basis,
        scheduled_for: Some(at(from)),
        scheduled_until: Some(at(until)),
        updates: vec![update("1", Status::Scheduled, -30, "New gates.")],
        ..Incident::new(Kind::Maintenance, "m", "Dock")
    };
    page(0, vec![maintenance])
}

#[test]
fn a_maintenance_without_a_status_follows_its_window_and_its_list() {
    for (basis, end) in [(Basis::Begin, None), (Basis::Window, Some("maintenance m completed"))] {
        story(async {
            let mut world = World::new(FirstRun::Active).await;
            let announced = world.poll(planned(basis, 3, 6)).await;
            assert_eq!(announced.window_at, Some(at(3)), "the next full poll is due then");
            assert!(!announced.active);
            assert_eq!(world.poll(planned(basis, 3, 6)).await.events, 0);
            let begun = world.poll(planned(basis, 3, 6)).await;
            assert_eq!((begun.active, begun.window_at), (true, Some(at(6))));
            assert_eq!(world.short(), ["maintenance m in_progress"]);
            world.poll(planned(basis, 3, 6)).await;
            world.poll(planned(basis, 3, 6)).await;
            assert_eq!(world.short(), Vec::<String>::new());
            world.poll(planned(basis, 3, 6)).await;
            world.poll(planned(basis, 3, 6)).await;
            assert_eq!(world.short(), Vec::from_iter(end), "{basis:?}");
        });
    }
}

#[test]
fn a_maintenance_first_seen_in_progress_is_reported_in_progress() {
    story(async {
        let mut world = World::new(FirstRun::Active).await;
        world.poll(page(0, vec![])).await;
        // Its only update says that it was scheduled.
        world.poll(planned(Basis::Begin, 1, 60)).await;
        assert_eq!(world.short(), ["maintenance m in_progress backfill: New gates."]);
        // An edit at the moment at which it begins does not hide that.
        let mut world = World::new(FirstRun::Active).await;
        world.poll(planned(Basis::Begin, 2, 60)).await;
        let mut edited = planned(Basis::Begin, 2, 60);
        edited.incidents[0].updates[0].text = "New gates and a lock.".to_owned();
        edited.incidents[0].updates[0].edited_at = Some(at(2));
        world.poll(edited).await;
        assert_eq!(
            world.short(),
            [
                "maintenance m scheduled r2 backfill: New gates and a lock.",
                "maintenance m in_progress"
            ]
        );
    });
}
