//! Damage: a damaged document is an error and never operational.

use bytes::Bytes;
use serde_json::Value;
use statuswatch::document::{Document, Shape};
use statuswatch::event::{Impact, Kind};
use statuswatch::snapshot::{Listing, Snapshot};
use statuswatch::source::{Documents, Limits, ParseError, SOURCES, Source};

use super::fixtures::{Step, broken, steps};

/// Fields that a platform may omit: their absence is not detectable.
const MAY_BE_MISSING: &[(&str, &[&str])] = &[
    ("incidentio", &["incidents", "scheduled_maintenances"]),
    ("uptimerobot", &["statistics"]),
    ("instatus", &["activeIncidents", "activeMaintenances"]),
    ("cstate", &["pinnedIssues"]),
    ("cachet", &["included"]),
    ("feed", &["title", "home_page_url", "feed_url", "description"]),
];
/// Fields that may be null.
const MAY_BE_NULL: &[(&str, &[&str])] = &[
    ("incidentio", &["incidents", "scheduled_maintenances", "components"]),
    ("instatus", &["activeIncidents", "activeMaintenances"]),
    ("cstate", &["pinnedIssues"]),
    ("cachet", &["included"]),
    ("feed", &["title", "home_page_url", "feed_url", "description"]),
    ("uptimerobot", &["statistics"]),
    ("datadog", &["incidents", "maintenances"]),
];
/// Details that are plain lists, and may be empty.
const MAY_BE_EMPTY: &[(&str, &str)] = &[("statuscast", "incidents")];
/// Fields that no source reads.
const NOT_READ: &[(&str, &[&str])] = &[
    ("openstatus", &["description", "pageComponentGroups"]),
    ("statuspal", &["info_notices", "current_status_type"]),
    (
        "datadog",
        &[
            "description",
            "customDomain",
            "customDomainEnabled",
            "enabled",
            "public",
            "pageType",
            "created",
            "visualizationType",
        ],
    ),
    ("cloudflare", &["errors", "messages"]),
];

/// Sources whose first document is an empty list when operational.
const EMPTY_IS_QUIET: &[&str] = &["salesforce"];

const PAGE: &str = "<!DOCTYPE html><html><head><title>All systems operational</title></head><body>fine</body></html>";

#[test]
fn every_source_has_a_quiet_and_an_open_case() {
    for source in SOURCES {
        let name = source.name();
        let steps: Vec<Step> =
            steps().into_iter().filter(|step| step.source.name() == name).collect();
        assert!(
            !steps.is_empty(),
            "the source \"{name}\" has no fixtures: add tests/fixtures/{name}/quiet/01-<role>.<ext>"
        );
        let open = |step: &Step| {
            let snapshot = parse(step.source, &step.documents)
                .unwrap_or_else(|error| panic!("{}: {error}", step.name));
            snapshot.open().next().is_some() || snapshot.impact().rank() > Impact::None.rank()
        };
        let (open, quiet): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| open(step));
        assert!(
            !quiet.is_empty(),
            "the source \"{name}\" has no quiet fixture: add tests/fixtures/{name}/quiet/01-<role>.<ext>"
        );
        assert!(
            !open.is_empty(),
            "the source \"{name}\" has no open fixture: add tests/fixtures/{name}/open/01-<role>.<ext>"
        );
    }
}

#[test]
fn fixtures_are_detected_only_by_their_own_source() {
    for step in steps() {
        let by: Vec<&str> = SOURCES
            .iter()
            .filter(|s| s.detect(&step.documents.first).is_some())
            .map(|s| s.name())
            .collect();
        assert_eq!(by, [step.source.name()], "{}", step.name);
    }
}

#[test]
fn parsing_is_repeatable() {
    for step in steps() {
        let first = parse(step.source, &step.documents);
        assert!(first.is_ok(), "{}: {first:?}", step.name);
        assert_eq!(first, parse(step.source, &step.documents), "{}", step.name);
    }
}

#[test]
fn a_truncated_document_is_an_error() {
    for step in steps() {
        each_document(&step, |body, what, check| {
            let whole = body.trim_ascii().len();
            for at in (0..40)
                .map(|part| body.len() * part / 40)
                .filter(|at| body[..*at].trim_ascii().len() < whole)
            {
                check(body[..at].to_vec(), &format!("{what} cut at byte {at}"));
            }
        });
    }
}

#[test]
fn an_empty_document_or_an_html_page_is_an_error() {
    for step in steps() {
        each_document(&step, |_, what, check| {
            for other in ["", " \r\n\t", PAGE, "null", "[]", "{}", "\"ok\"", "0", "OK"] {
                let quiet =
                    what == "the first document" && EMPTY_IS_QUIET.contains(&step.source.name());
                if other == "[]" && quiet {
                    continue;
                }
                if other == "[]" && MAY_BE_EMPTY.contains(&(step.source.name(), what)) {
                    continue;
                }
                check(other.into(), &format!("{what} turned into {other:?}"));
            }
        });
    }
}

#[test]
fn a_document_without_a_required_part_is_an_error() {
    for step in steps().iter().filter(|step| step.documents.first.shape() == Shape::Json) {
        let whole: Value = serde_json::from_str(&step.documents.first.text()).unwrap();
        let Some(object) = whole.as_object() else {
            continue;
        };
        let unread = |key: &str| {
            NOT_READ
                .iter()
                .any(|(source, keys)| *source == step.source.name() && keys.contains(&key))
        };
        for key in object.keys().filter(|key| !unread(key)) {
            let mut stripped = object.clone();
            stripped.remove(key);
            check_without_key(step, &Value::Object(stripped), key, MAY_BE_MISSING);
            for (instead, spared) in
                [(Value::Null, MAY_BE_NULL), (Value::from("none"), &[]), (Value::from(7), &[])]
            {
                let mut stripped = object.clone();
                stripped.insert(key.clone(), instead);
                // A number instead of a title is damage; another title is not.
                if stripped[key].is_string() && object[key].is_string() {
                    continue;
                }
                check_without_key(step, &Value::Object(stripped), key, spared);
            }
        }
    }
}

fn check_without_key(step: &Step, stripped: &Value, key: &str, spared: &[(&str, &[&str])]) {
    let name = format!("{}without \"{key}\": {}", step.name, stripped[key]);
    let before = parse(step.source, &step.documents).unwrap();
    let mut documents = step.documents.clone();
    documents.first.body = stripped.to_string().into_bytes().into();
    let spared =
        spared.iter().any(|(source, keys)| *source == step.source.name() && keys.contains(&key));
    match parse(step.source, &documents) {
        Err(_) => {}
        Ok(after) if spared => {
            assert!(
                before.impact() == Impact::None || after.impact() != Impact::None,
                "{name}: all is well now"
            );
            let lost = lost_incidents(&before, &after);
            assert!(
                !lost || after.coverage.incidents == Listing::Unknown,
                "{name}: incidents are gone and nothing says so"
            );
        }
        Ok(after) => panic!("{name}: read as {after:?}"),
    }
}

fn lost_incidents(before: &Snapshot, after: &Snapshot) -> bool {
    before.open().any(|incident| {
        incident.kind == Kind::Incident
            && before.page.impact != Some(Impact::None)
            && !after.open().any(|i| i.id == incident.id)
    })
}

#[test]
fn broken_documents_are_errors_for_every_source() {
    let all = broken();
    assert!(!all.is_empty());
    for (own, name, document) in all {
        assert!(parse(own, &Documents::only(document.clone())).is_err(), "{name} is read");
        for source in SOURCES.iter().filter(|source| source.detect(&document).is_some()) {
            assert!(
                parse(*source, &Documents::only(document.clone())).is_err(),
                "{name} is recognised and read by {}",
                source.name()
            );
        }
    }
}

#[test]
fn too_many_items_are_an_error_and_nesting_is_harmless() {
    for step in steps() {
        let snapshot = parse(step.source, &step.documents).unwrap();
        if snapshot.incidents.len().max(snapshot.components.len()) > 1 {
            let error = step.source.parse(&step.documents, Limits { max_items: 1 });
            assert!(
                matches!(error, Err(ParseError::TooMany { limit: 1, .. })) || fits(&step, 1),
                "{}: {error:?}",
                step.name
            );
        }
    }
    // A decompression bomb contains nothing of its step: one per source is enough.
    let bombs: Vec<Bytes> =
        ["[".repeat(200_000), "{\"page\":".repeat(100_000), "<a>".repeat(100_000)]
            .into_iter()
            .map(Bytes::from)
            .collect();
    let mut steps = steps();
    steps.dedup_by_key(|step| step.source.name());
    for step in &steps {
        for bomb in &bombs {
            let mut documents = step.documents.clone();
            documents.first.body = bomb.clone();
            assert!(parse(step.source, &documents).is_err(), "{}", step.name);
        }
    }
}

#[test]
fn one_wrong_value_never_yields_operational() {
    for step in steps().iter().filter(|step| step.documents.first.shape() == Shape::Json) {
        let before = parse(step.source, &step.documents).unwrap();
        let whole: Value = serde_json::from_str(&step.documents.first.text()).unwrap();
        let mut places = Vec::new();
        collect(&whole, String::new(), &mut places);
        for place in places {
            for wrong in [
                Value::Null,
                Value::from(-7),
                Value::from("x"),
                Value::from(true),
                Value::Array(vec![]),
                Value::from(1.5),
            ] {
                // An emptied list is what a quiet page sends: a valid answer.
                if wrong.is_array() && whole.pointer(&place).unwrap().is_array() {
                    continue;
                }
                let mut damaged = whole.clone();
                *damaged.pointer_mut(&place).unwrap() = wrong.clone();
                let mut documents = step.documents.clone();
                documents.first.body = damaged.to_string().into_bytes().into();
                let Ok(after) = parse(step.source, &documents) else {
                    continue;
                };
                let worse = before.impact() != Impact::None && after.impact() == Impact::None;
                assert!(!worse, "{}: {wrong} at {place} made all well", step.name);
                assert!(
                    after.incidents.iter().all(|incident| !incident.id.is_empty()),
                    "{}: an id was made up",
                    step.name
                );
            }
        }
    }
}

/// Items of one list are alike: only this many are damaged.
const ALIKE: usize = 3;

/// Collects the JSON pointers of everything inside `value`; of long lists, only of the first items.
fn collect(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| collect(value, format!("{at}/{key}"), out));
        }
        Value::Array(list) => {
            list.iter()
                .take(ALIKE)
                .enumerate()
                .for_each(|(place, value)| collect(value, format!("{at}/{place}"), out));
        }
        _ => {}
    }
    if !at.is_empty() {
        out.push(at);
    }
}

#[test]
fn flipped_bytes_cause_no_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for step in steps() {
        for _ in 0..10 {
            let mut documents = step.documents.clone();
            let mut body = documents.first.body.to_vec();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..body.len());
                body[at] = random.u8(..);
            }
            documents.first.body = body.into();
            // An error or a snapshot, but neither a panic nor nondeterminism.
            assert_eq!(
                parse(step.source, &documents),
                parse(step.source, &documents),
                "{}",
                step.name
            );
            for source in SOURCES {
                source.detect(&documents.first);
            }
        }
    }
}

/// Returns whether no list of the step's documents has more than `limit` items: the limit applies
/// per list.
fn fits(step: &Step, limit: usize) -> bool {
    let details = step.documents.details.iter().map(|(_, document)| document);
    std::iter::once(&step.documents.first).chain(details).all(|document| {
        let value: Value = serde_json::from_slice(&document.body).unwrap_or_default();
        value.as_object().is_some_and(|object| {
            object.values().filter_map(Value::as_array).all(|list| list.len() <= limit)
        })
    })
}

fn parse(source: &dyn Source, documents: &Documents) -> Result<Snapshot, ParseError> {
    source.parse(documents, Limits::default())
}

/// Calls `damage` for each document of a step with its bytes, its name, and a function that checks
/// replacement bytes.
fn each_document(step: &Step, damage: impl Fn(&[u8], &str, &dyn Fn(Vec<u8>, &str))) {
    let judge = |documents: &Documents, what: &str| {
        if let Ok(snapshot) = parse(step.source, documents) {
            panic!("{}: {what} was read as {snapshot:?}", step.name);
        }
    };
    let first: &Document = &step.documents.first;
    damage(&first.body, "the first document", &|body, what| {
        let mut documents = step.documents.clone();
        documents.first.body = body.into();
        judge(&documents, what);
    });
    for (place, (role, detail)) in step.documents.details.iter().enumerate() {
        damage(&detail.body, role, &|body, what| {
            let mut documents = step.documents.clone();
            documents.details[place].1.body = body.into();
            judge(&documents, what);
        });
    }
}
