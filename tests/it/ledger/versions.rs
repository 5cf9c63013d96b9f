//! What is an edit and what only looks like one, and what an edit after the end means.

use statuswatch::event::{IncidentStatus, beginning};

use super::*;

/// A page with one incident of which nothing else is known.
fn shown(minute: i64, status: IncidentStatus, updates: Vec<Update>) -> Snapshot {
    page(minute, vec![Incident { status, ..incident("a", updates) }])
}

/// An update identified by its time that states no status.
fn note(minute: i64, place: u32, status: IncidentStatus, text: &str) -> Update {
    Update {
        id: UpdateId::Timed(at(minute), place),
        status,
        stated: IncidentStatus::Update,
        edited_at: None,
        ..update("", status, minute, text)
    }
}

#[test]
fn an_edit_after_the_end_carries_the_end() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let first = update("1", IncidentStatus::Investigating, 1, "Looking.");
        let last = update("2", IncidentStatus::Resolved, 2, "Over.");
        harness.poll(shown(1, IncidentStatus::Investigating, vec![first.clone()])).await;
        harness.poll(shown(2, IncidentStatus::Resolved, vec![first.clone(), last.clone()])).await;
        assert_eq!(harness.short().len(), 2);
        let edited = Update {
            edited_at: Some(at(3)),
            ..update("1", IncidentStatus::Investigating, 1, "We looked.")
        };
        harness.poll(shown(3, IncidentStatus::Resolved, vec![edited.clone(), last.clone()])).await;
        let new_events = harness.new_events();
        assert_eq!(new_events.len(), 1);
        assert_eq!(
            (new_events[0].status, new_events[0].previous_status, new_events[0].revision),
            (IncidentStatus::Resolved.into(), Some(IncidentStatus::Resolved.into()), 2)
        );
        // So does an update added after the end; but a real reopening is emitted.
        let cause = update("3", IncidentStatus::Update, 4, "The cause was a damp wick.");
        let listed = vec![edited, last, cause];
        harness.poll(shown(4, IncidentStatus::Resolved, listed.clone())).await;
        assert_eq!(harness.short(), ["incident a resolved: The cause was a damp wick."]);
        let again = update("4", IncidentStatus::Investigating, 5, "It is back.");
        harness.poll(shown(5, IncidentStatus::Investigating, [listed, vec![again]].concat())).await;
        assert_eq!(harness.short(), ["incident a investigating: It is back."]);
    });
}

#[test]
fn an_edit_while_it_lasts_and_one_with_the_end_keep_their_own_status() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let first = update("1", IncidentStatus::Investigating, 1, "Looking.");
        let second = update("2", IncidentStatus::Identified, 2, "Found.");
        harness.poll(shown(1, IncidentStatus::Identified, vec![first, second.clone()])).await;
        harness.new_events();
        let edited = |minute, text: &str| Update {
            edited_at: Some(at(minute)),
            ..update("1", IncidentStatus::Investigating, 1, text)
        };
        harness
            .poll(shown(2, IncidentStatus::Identified, vec![edited(3, "We look."), second.clone()]))
            .await;
        assert_eq!(harness.short(), ["incident a investigating r2: We look."]);
        let last = update("3", IncidentStatus::Resolved, 4, "Over.");
        harness
            .poll(shown(3, IncidentStatus::Resolved, vec![edited(4, "Looked."), second, last]))
            .await;
        assert_eq!(
            harness.short(),
            ["incident a investigating r3: Looked.", "incident a resolved: Over."]
        );
    });
}

#[test]
fn the_position_of_an_update_is_not_part_of_its_content() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let first = note(2, 0, IncidentStatus::Investigating, "Lanterns stay dark.");
        harness.poll(shown(2, IncidentStatus::Investigating, vec![first])).await;
        assert_eq!(harness.short(), ["incident a investigating backfill: Lanterns stay dark."]);
        // A note is inserted before it, which makes it the second.
        let before = note(1, 0, IncidentStatus::Investigating, "We go on.");
        let second = note(2, 0, IncidentStatus::Update, "Lanterns stay dark.");
        harness.poll(shown(3, IncidentStatus::Investigating, vec![before, second])).await;
        assert_eq!(harness.short(), ["incident a investigating: We go on."]);
        // And removed again.
        let first = note(2, 0, IncidentStatus::Investigating, "Lanterns stay dark.");
        harness.poll(shown(4, IncidentStatus::Investigating, vec![first])).await;
        assert_eq!(harness.short(), [""; 0]);
    });
}

#[test]
fn updates_that_swap_positions_are_not_edits() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        let both = |first: &str, second: &str| {
            let list = vec![
                note(2, 0, IncidentStatus::Update, first),
                note(2, 1, IncidentStatus::Update, second),
            ];
            shown(2, IncidentStatus::Investigating, list)
        };
        harness.poll(both("a", "b")).await;
        harness.new_events();
        harness.poll(both("b", "a")).await;
        assert_eq!(harness.short(), [""; 0]);
        harness.poll(both("b", "c")).await;
        assert_eq!(harness.short().len(), 1, "that one is an edit");
    });
}

#[test]
fn a_long_text_is_compared_whole_and_shown_cut() {
    for id in [UpdateId::Native("1".to_owned()), UpdateId::Timed(at(1), 0), UpdateId::Latest] {
        run_system(async {
            let mut harness = Harness::new(FirstRun::All).await;
            let long = |end: &str| format!("{}{end}", "All of this is a long report. ".repeat(600));
            let with = |text: &str| {
                let one = Update {
                    id: id.clone(),
                    edited_at: None,
                    ..update("1", IncidentStatus::Resolved, 1, text)
                };
                shown(1, IncidentStatus::Resolved, vec![one])
            };
            harness.poll(with(&long("Credits are not given."))).await;
            let emitted = harness.new_events();
            let message = emitted[0].message.clone().unwrap();
            assert!(message.len() <= 16 * 1024 && message.ends_with('…'), "{id:?}");
            harness.poll(with(&long("Credits are not given."))).await;
            assert_eq!(harness.short(), [""; 0], "{id:?}");
            harness.poll(with(&long("Credits are given."))).await;
            let edits = harness.new_events();
            assert_eq!(edits.len(), 1, "{id:?}");
            assert_eq!(
                (edits[0].revision, edits[0].status),
                (2, IncidentStatus::Resolved.into()),
                "{id:?}"
            );
            assert_eq!(edits[0].update_id, emitted[0].update_id, "{id:?}");
            assert_ne!(edits[0].id, emitted[0].id, "{id:?}");
        });
    }
}

/// Before 0.1.0 an inferred status was part of a fingerprint, and long texts were stored truncated.
#[test]
fn versions_stored_under_the_former_rules_are_recognized() {
    for id in [UpdateId::Native("1".to_owned()), UpdateId::Timed(at(1), 0), UpdateId::Content] {
        run_system(async {
            let mut harness = Harness::new(FirstRun::All).await;
            let long = |end: &str| format!("{}{end}", "All of this is a long report. ".repeat(600));
            let with = |stated: IncidentStatus, text: &str| {
                let one = Update {
                    id: id.clone(),
                    stated,
                    edited_at: None,
                    ..update("1", IncidentStatus::Investigating, 1, text)
                };
                shown(1, IncidentStatus::Investigating, vec![one])
            };
            for (stated, text) in [
                (IncidentStatus::Investigating, beginning(&long("a")).into_owned()),
                (IncidentStatus::Update, long("a")),
            ] {
                harness.poll(with(stated, &text)).await;
            }
            assert_eq!(harness.short().len(), 1, "{id:?}: reported once");
            harness.poll(with(IncidentStatus::Update, &long("a"))).await;
            assert_eq!(harness.short(), [""; 0], "{id:?}");
            harness.poll(with(IncidentStatus::Update, &long("b"))).await;
            let edits = harness.new_events();
            assert_eq!(edits.len(), 1, "{id:?}: what follows is an edit");
            assert_eq!(edits[0].revision, 2, "{id:?}");
        });
    }
}

#[test]
fn a_parser_difference_is_not_an_edit() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::All).await;
        let list = |status: IncidentStatus, text: &str, edited: i64| {
            let native = Update { edited_at: Some(at(edited)), ..update("1", status, 1, text) };
            let latest = Update { id: UpdateId::Latest, ..update("", status, 1, text) };
            let other = Incident { status, ..incident("b", vec![latest]) };
            page(1, vec![Incident { status, ..incident("a", vec![native]) }, other])
        };
        harness.poll_by("adobe", 1, list(IncidentStatus::Update, "", 1)).await;
        assert_eq!(harness.short().len(), 2);
        harness
            .poll_by("adobe", 2, list(IncidentStatus::Identified, "A word by its token.", 1))
            .await;
        assert_eq!(harness.short(), [""; 0], "nobody has written");
        harness.poll_by("adobe", 2, list(IncidentStatus::Identified, "Another word.", 2)).await;
        let edits = harness.short();
        assert_eq!(edits.len(), 2, "{edits:?}");
        assert!(edits.iter().all(|edit| edit.contains(" r2")), "{edits:?}");
        // A dated edit is an edit, and a new update is new, whichever version reads it.
        let mut snapshot = list(IncidentStatus::Identified, "A third word.", 9);
        snapshot.incidents[0].updates.push(update("2", IncidentStatus::Monitoring, 8, "Fixed."));
        harness.poll_by("adobe", 3, snapshot).await;
        assert_eq!(
            harness.short(),
            ["incident a identified r3: A third word.", "incident a monitoring: Fixed."]
        );
    });
}
