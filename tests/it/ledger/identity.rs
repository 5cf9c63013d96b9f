//! Components keep their identity whatever happens to their ids, and no change is lost.

use statuswatch::document::Document;
use statuswatch::source::{Documents, Limits, by_name};

use super::*;

const UP: ComponentStatus = ComponentStatus::Operational;
const DOWN: ComponentStatus = ComponentStatus::MajorOutage;

/// The snapshots of a recorded page in `tests/fixtures/ledger`, in order.
pub(super) fn recorded(case: &str, source: &str) -> Vec<Snapshot> {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledger").join(case);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let parse = |file: &std::path::PathBuf| {
        let url = "https://status.acme.example/rss".parse().unwrap();
        let document = Document::new(url, None, std::fs::read(file).unwrap());
        by_name(source).unwrap().parse(&Documents::only(document), Limits::default()).unwrap()
    };
    files.iter().map(parse).collect()
}

/// Replays a recorded page; returns the component events as "step: title status".
fn replay(case: &str, source: &str) -> Vec<String> {
    let mut reported = Vec::new();
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        for (step, snapshot) in (1..).zip(recorded(case, source)) {
            harness.poll_from(source, snapshot).await;
            let new_events = harness.new_events();
            let changes = new_events.iter().filter(|event| event.kind == Kind::Component);
            reported
                .extend(changes.map(|event| format!("{step}: {} {}", event.title, event.status)));
        }
    });
    reported
}

pub(super) fn part(
    id: Option<&str>,
    group: Option<&str>,
    name: &str,
    status: ComponentStatus,
) -> Component {
    Component {
        id: id.map(str::to_owned),
        name: name.to_owned(),
        group: group.map(str::to_owned),
        status,
    }
}

fn parts(components: &[Component]) -> Snapshot {
    Snapshot { components: components.to_vec(), ..page(0, vec![]) }
}

/// Polls these lists in turn; returns the events as "title: from -> to".
fn changes(lists: &[&[Component]]) -> Vec<String> {
    let mut reported = Vec::new();
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        for list in lists {
            harness.poll(parts(list)).await;
        }
        let from = |event: &StatusEvent| event.previous_status.map_or("-", Status::as_str);
        let line =
            |event: StatusEvent| format!("{}: {} -> {}", event.title, from(&event), event.status);
        reported = harness.new_events().into_iter().map(line).collect();
    });
    reported
}

#[test]
fn changes_after_maintenances_got_new_ids_are_all_reported() {
    assert_eq!(
        replay("new-ids-of-maintenances", "statuspage"),
        [
            "2: Aldbury partial_outage",
            "3: Aldbury operational",
            "5: Aldbury partial_outage",
            "6: Aldbury operational",
            "7: Aldbury partial_outage",
        ]
    );
}

#[test]
fn recorded_components_are_followed() {
    let cases = [
        ("component-ids-rebuilt", "statuspage", &["2: Pumpe major_outage", "4: Pumpe operational"]),
        (
            "component-id-comes-and-goes",
            "site24x7",
            &["3: Lager major_outage", "5: Lager operational"],
        ),
    ];
    for (case, source, reported) in cases {
        assert_eq!(replay(case, source), reported, "{case}");
    }
    assert_eq!(
        replay("components-of-one-name", "site24x7"),
        [
            "3: Drucker major_outage",
            "5: Drucker operational",
            "7: Drucker #3 major_outage",
            "9: Drucker #3 operational",
        ]
    );
}

#[test]
fn changed_added_or_removed_ids_emit_nothing() {
    let first = [part(Some("a"), Some("EU"), "API", UP), part(Some("b"), Some("US"), "API", DOWN)];
    // A different order and different ids; then none; then the original ones.
    let second = [part(Some("y"), Some("US"), "API", DOWN), part(Some("x"), Some("EU"), "API", UP)];
    let third = [part(None, Some("EU"), "API", UP), part(None, Some("US"), "API", DOWN)];
    assert_eq!(changes(&[&first, &second, &third, &first]), [""; 0]);
    // Swapped ids mean swapped components: each follows its id.
    let swapped =
        [part(Some("b"), Some("EU"), "API", UP), part(Some("a"), Some("US"), "API", DOWN)];
    assert_eq!(changes(&[&first, &swapped]), ["API: - -> operational", "API: - -> major_outage"]);
}

#[test]
fn a_renamed_component_is_the_same_and_its_old_name_is_free() {
    assert_eq!(
        changes(&[
            &[part(Some("a"), None, "API", UP)],
            &[part(Some("a"), None, "API v1", DOWN), part(Some("b"), None, "API", UP)],
            &[part(Some("c"), None, "API v1", UP), part(Some("d"), None, "API", DOWN)],
        ]),
        [
            "API v1: - -> major_outage",
            "API v1: major_outage -> operational",
            "API: - -> major_outage"
        ]
    );
}

#[test]
fn equal_names_without_ids_are_counted_and_their_order_means_nothing() {
    let of = |states: &[ComponentStatus]| -> Vec<Component> {
        states.iter().map(|status| part(None, None, "Printer", *status)).collect()
    };
    assert_eq!(
        changes(&[
            &of(&[UP, UP, UP]),
            &of(&[UP, DOWN, UP]),
            // Sorted by state, and back.
            &of(&[DOWN, UP, UP]),
            &of(&[UP, UP, DOWN]),
            &of(&[DOWN, DOWN, UP]),
            // One is removed.
            &of(&[DOWN, DOWN]),
            &of(&[UP, UP]),
        ]),
        [
            "Printer #2: - -> major_outage",
            "Printer: - -> major_outage",
            "Printer: major_outage -> operational",
            "Printer #2: major_outage -> operational",
        ]
    );
}

#[test]
fn an_id_listed_twice_counts_once_by_its_worse_state() {
    let twice = |one, other| {
        [part(Some("a"), Some("EU"), "API", one), part(Some("a"), Some("Top"), "API", other)]
    };
    assert_eq!(
        changes(&[&twice(UP, UP), &twice(UP, DOWN), &twice(DOWN, UP), &twice(UP, UP)]),
        ["API: - -> major_outage", "API: major_outage -> operational"]
    );
}

#[test]
fn names_and_ids_do_not_collide() {
    // A name equal to another component's id; a group and a name that join to the same text.
    let list = |api, deep| {
        [
            part(Some("API"), None, "Gateway", UP),
            part(None, None, "API", api),
            part(None, Some("a/b"), "c", UP),
            part(None, Some("a"), "b/c", deep),
        ]
    };
    assert_eq!(
        changes(&[&list(UP, UP), &list(DOWN, UP), &list(DOWN, DOWN), &list(UP, UP)])
            .iter()
            .map(|line| line.split_once(": ").unwrap().1)
            .collect::<Vec<_>>(),
        [
            "- -> major_outage",
            "- -> major_outage",
            "major_outage -> operational",
            "major_outage -> operational"
        ]
    );
}

#[test]
fn a_component_that_returns_keeps_its_identity() {
    assert_eq!(
        changes(&[
            &[part(Some("a"), None, "API", UP), part(Some("w"), None, "Web", UP)],
            &[part(Some("a"), None, "API", DOWN), part(Some("w"), None, "Web", UP)],
            &[part(Some("w"), None, "Web", UP)],
            &[part(Some("z"), None, "API", UP), part(Some("w"), None, "Web", UP)],
        ]),
        ["API: - -> major_outage", "API: major_outage -> operational"]
    );
}

#[test]
fn components_no_longer_listed_are_not_shown() {
    run_system(async {
        let mut harness = Harness::new(FirstRun::Active).await;
        harness.poll(parts(&[part(Some("a"), None, "API", UP), part(None, None, "Web", UP)])).await;
        let shown = |harness: &Harness| -> Vec<String> {
            let components = Reader::open(harness.dir.path()).unwrap().components("acme").unwrap();
            components.into_iter().map(|component| component.name).collect()
        };
        assert_eq!(shown(&harness), ["API", "Web"]);
        harness.poll(parts(&[part(None, None, "Web", UP)])).await;
        assert_eq!(shown(&harness), ["Web"]);
        // An incomplete list does not affect the others.
        let mut partial = parts(&[part(Some("a"), None, "API", UP)]);
        partial.coverage.all_components = false;
        harness.poll(partial).await;
        assert_eq!(shown(&harness), ["API", "Web"]);
    });
}
