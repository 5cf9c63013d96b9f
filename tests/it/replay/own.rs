//! The histories written for this project, in `tests/fixtures`.

use std::path::Path;

use super::{History, Step};

const SUMMARY: &str = "api/v2/summary.json";
const INCIDENTS: &str = "api/v2/incidents.json";
const WIDGET: &str = "api/v1/summary";

/// The path of the document with a fixture's role on a platform.
const PLACES: &[(&str, &str)] = &[
    ("summary", SUMMARY),
    ("incidents", INCIDENTS),
    ("maintenances", "api/v2/scheduled-maintenances.json"),
    ("components", "api/v2/components.json"),
    ("widget", WIDGET),
];

/// The case `source/case` of the fixtures, polled at `first`.
fn case(case: &str, first: &str, expected: &[&str]) -> History {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case);
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut steps: Vec<(String, Step)> = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let (number, role) = name.split_once('-').unwrap();
        let path = PLACES.iter().find(|(known, _)| *known == role).unwrap().1;
        if steps.last().is_none_or(|(last, _)| last != number) {
            steps.push((number.to_owned(), Vec::new()));
        }
        steps.last_mut().unwrap().1.push((path.to_owned(), std::fs::read(&file).unwrap()));
    }
    History {
        name: case.replace('/', "-"),
        first: first.to_owned(),
        steps: steps.into_iter().map(|(_, step)| step).collect(),
        brief: if case == "statuspage/outage" { &[6] } else { &[] },
        only: "",
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    }
}

/// Feed files, one per step.
fn feed(name: &str, files: &[&str], expected: &[&str]) -> History {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/feed");
    let steps = files
        .iter()
        .map(|file| vec![("history.atom".to_owned(), std::fs::read(folder.join(file)).unwrap())])
        .collect();
    History {
        name: name.to_owned(),
        first: "history.atom".to_owned(),
        steps,
        brief: &[],
        only: "",
        expected: expected.iter().map(|&line| line.to_owned()).collect(),
    }
}

/// All histories.
pub(super) fn histories() -> Vec<History> {
    [statuspage(), incidentio(), feeds()].into_iter().flatten().collect()
}

fn statuspage() -> Vec<History> {
    vec![
        case("statuspage/quiet", SUMMARY, &[]),
        // Open at the first poll: its newest update is reported.
        case(
            "statuspage/open",
            SUMMARY,
            &[
                "incident acmeinc00001 investigating r1 major 2026-02-03T12:00:00Z | We are seeing failed",
            ],
        ),
        case(
            "statuspage/outage",
            SUMMARY,
            &[
                "incident acmeinc00001 investigating r1 major 2026-02-03T12:00:00Z | We are seeing failed requests to the API.",
                // Two updates, an impact and a component at once.
                "incident acmeinc00001 identified r1 critical 2026-02-03T12:20:00Z | A broken release",
                "incident acmeinc00001 identified r1 critical 2026-02-03T12:30:00Z | The roll-back is half way through.",
                "component API: - -> major_outage",
                // Edited in place.
                "incident acmeinc00001 identified r2 critical 2026-02-03T12:30:00Z | The roll-back is half way through; Europe",
                // The oldest one edited, next to two new ones; the title is new, too.
                "incident acmeinc00001 investigating r2 minor 2026-02-03T12:00:00Z | We are seeing failed requests to the API since",
                "incident acmeinc00001 monitoring r1 minor 2026-02-03T12:50:00Z | The roll-back is complete.",
                "incident acmeinc00001 monitoring r1 minor 2026-02-03T12:50:30Z | The roll-back is complete.",
                "component API: major_outage -> operational",
                // The fifth update is deleted, then a stale replica answers: no events. Then the
                // end, which only the history contains.
                "incident acmeinc00001 resolved r1 minor 2026-02-03T13:30:00Z | This incident",
                "incident acmeinc00001 postmortem r1 minor 2026-02-06T09:00:00Z | A release left out",
            ],
        ),
        case(
            "statuspage/maintenance",
            SUMMARY,
            &[
                // Only announced at the first poll: not reported.
                "maintenance acmemnt00001 in_progress r1 maintenance 2026-03-08T09:00:05Z | Scheduled maintenance is",
                "component Databases: - -> under_maintenance",
                "maintenance acmemnt00001 scheduled r2 maintenance 2026-03-01T17:00:00Z | We will upgrade our databases to a new",
                "maintenance acmemnt00001 verifying r1 maintenance 2026-03-08T12:40:00Z | Verification",
                "maintenance acmemnt00001 completed r1 maintenance 2026-03-08T13:00:00Z | The scheduled maintenance has",
                "component Databases: under_maintenance -> operational",
            ],
        ),
        // The component of step 3 that is new is only remembered.
        case(
            "statuspage/components",
            SUMMARY,
            &[
                "component Europe: - -> degraded_performance",
                "component Europe: degraded_performance -> operational",
            ],
        ),
        case("statuspage/tenant", SUMMARY, &[]),
        // What is open at the first poll, one with an update of unknown status.
        case(
            "statuspage/odd",
            SUMMARY,
            &[
                "maintenance acmeoddmnt01 in_progress r1 maintenance 2026-02-03T09:00:00Z | It has begun.",
                "incident acmeoddinc01 update r1 none 2026-02-13T10:05:00Z | ",
                // Listed without a status: it is open.
                "incident acmeoddinc03 update r1 unknown now | ",
            ],
        ),
        case("statuspage/incidents-alone", INCIDENTS, &[]),
    ]
}

fn incidentio() -> Vec<History> {
    vec![
        case("incidentio/quiet", SUMMARY, &[]),
        case("incidentio/silent", SUMMARY, &[]),
        case("incidentio/regions", SUMMARY, &[]),
        case(
            "incidentio/open",
            SUMMARY,
            &[
                "incident 01HACME0XNC000000000000001 investigating r1 minor 2026-04-02T10:00:00Z | We’re investigating runs",
            ],
        ),
        case(
            "incidentio/outage",
            SUMMARY,
            &[
                "incident 01HACME0XNC000000000000001 investigating r1 minor 2026-04-02T10:00:00Z | We’re investigating runs",
                "incident 01HACME0XNC000000000000001 monitoring r1 major 2026-04-02T10:30:00Z | A fix is in place.",
                "component Runs: - -> major_outage",
                // Without text, as their updates may be.
                "incident 01HACME0XNC000000000000001 resolved r1 major 2026-04-02T11:00:00Z | -",
                "component Runs: major_outage -> operational",
            ],
        ),
        case(
            "incidentio/widget",
            WIDGET,
            &[
                "maintenance 01HACME0XNC000000000000007 scheduled r1 maintenance 2026-04-01T09:00:00Z | We move",
                "maintenance 01HACME0XNC000000000000008 in_progress r1 maintenance 2026-04-02T09:00:00Z | Keys",
                "incident 01HACME0XNC000000000000001 investigating r1 critical 2026-04-02T10:00:00Z | We’re investigating.",
                // The maintenances leave the list, which does not show how they ended.
                "incident 01HACME0XNC000000000000001 monitoring r1 minor 2026-04-02T10:30:00Z | A fix is in place.",
            ],
        ),
    ]
}

fn feeds() -> Vec<History> {
    vec![
        feed(
            "feed-appended",
            &["growing-01.atom", "growing-02-appended.atom"],
            &[
                "incident m1n2o3p4q5r6 monitoring r1 unknown 2026-03-03T21:30:00Z | A new relay",
                // In one minute and with the same text: two updates, the older one first.
                "incident m1n2o3p4q5r6 monitoring r1 unknown 2026-03-03T21:55:00Z | Queues are empty.",
                "incident m1n2o3p4q5r6 resolved r1 unknown 2026-03-03T21:55:00Z | Queues are empty.",
            ],
        ),
        feed(
            "feed-edited",
            &["growing-01.atom", "growing-03-edited.atom"],
            &[
                "incident m1n2o3p4q5r6 monitoring r1 unknown 2026-03-03T21:30:00Z | A new relay",
                "incident m1n2o3p4q5r6 investigating r2 unknown 2026-03-03T20:55:00Z | Mail is slow & queues of some",
            ],
        ),
        // The same in other markup and another order.
        feed(
            "feed-rerendered",
            &["growing-01.atom", "growing-04-rerendered.atom"],
            &["incident m1n2o3p4q5r6 monitoring r1 unknown 2026-03-03T21:30:00Z | A new relay"],
        ),
        // Entries that show the latest update alone.
        feed(
            "feed-replaced",
            &["replaced.atom"],
            &[
                "maintenance 01M1J99EDCYED5GP2W8GZ3N2NA in_progress r1 maintenance 2026-04-01T08:00:00Z | Short breaks",
                "incident 01M1KWEDH417T2CF44YYHZDFCR identified r1 unknown 2026-04-02T11:58:49.046Z | A disk is full.",
            ],
        ),
    ]
}
