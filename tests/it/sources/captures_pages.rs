//! Real captures of platforms with few providers each, if available.

use std::fs;

use statuswatch::document::Document;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus, Kind, parse_time};
use statuswatch::snapshot::{Incident, Listing, Snapshot, UpdateId};
use statuswatch::source::{Documents, Limits, SOURCES, by_name};
use url::Url;

use super::fixtures::captures;

/// Parses a capture, after checking that only its source detects it; `details` are role and file.
fn read(source: &str, file: &str, url: &str, details: &[(&'static str, &str)]) -> Snapshot {
    let root = captures().join(source);
    let document = |file: &str, url: &str| {
        Document::new(Url::parse(url).unwrap(), None, fs::read(root.join(file)).unwrap())
    };
    let first = document(file, url);
    let by: Vec<&str> =
        SOURCES.iter().filter(|s| s.detect(&first).is_some()).map(|s| s.name()).collect();
    assert_eq!(by, [source], "{file}");
    let details = details.iter().map(|(role, file)| (*role, document(file, url))).collect();
    let snapshot = by_name(source)
        .unwrap()
        .parse(&Documents { details, ..Documents::only(first) }, Limits::default());
    let snapshot = snapshot.unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(snapshot.rejected, Vec::<String>::new(), "{file}");
    snapshot
}

fn statuses(incident: &Incident) -> Vec<IncidentStatus> {
    incident.updates.iter().map(|update| update.status).collect()
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn zed_on_instatus_is_up() {
    let details = [("components", "zed-components.json")];
    let zed = read("instatus", "zed-summary.json", "https://status.zed.dev/summary.json", &details);
    assert_eq!(
        (zed.page.name.as_deref(), zed.impact(), zed.incidents.len()),
        (Some("Zed"), Impact::None, 0)
    );
    assert_eq!((zed.coverage.incidents, zed.coverage.all_components), (Listing::Open, true));
    let names: Vec<(Option<&str>, &str)> =
        zed.components.iter().map(|one| (one.group.as_deref(), one.name.as_str())).collect();
    // "Zed" and "Delta" are groups listed among the components.
    assert_eq!(
        names,
        [
            (None, "Agent"),
            (Some("Zed"), "Collaboration"),
            (Some("Zed"), "Edit Prediction"),
            (Some("Zed"), "Extension Registry"),
            (Some("Delta"), "Delta Cloud Services"),
        ]
    );
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn turso_on_better_stack_has_one_report_that_is_over() {
    let turso =
        read("betterstack", "turso-index.json", "https://status.turso.tech/index.json", &[]);
    assert_eq!(
        (turso.page.id.as_deref(), turso.page.url.as_deref()),
        (Some("158916"), Some("https://status.turso.tech/"))
    );
    assert_eq!((turso.components.len(), turso.impact()), (15, Impact::None));
    assert!(
        turso
            .components
            .iter()
            .any(|one| one.name == "Amsterdam, Netherlands" && one.group.is_some()),
        "no tab in a name"
    );
    let [report] = turso.incidents.as_slice() else { panic!("{:?}", turso.incidents) };
    assert_eq!(
        (report.id.as_str(), report.kind, report.status),
        ("996229", Kind::Incident, IncidentStatus::Resolved)
    );
    assert_eq!(
        (report.impact, report.started_at),
        (Impact::Minor, parse_time("2026-08-04T22:18:00Z"))
    );
    let ids: Vec<&UpdateId> = report.updates.iter().map(|update| &update.id).collect();
    assert_eq!(
        ids,
        [&UpdateId::Native("5528592".to_owned()), &UpdateId::Native("5528735".to_owned())]
    );
    assert_eq!(statuses(report), [IncidentStatus::Investigating, IncidentStatus::Resolved]);
    assert_eq!(report.updates[1].published_at, parse_time("2026-08-04T23:06:00Z"));
    assert!(report.updates[0].text.starts_with("The router component"));
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn gitlab_on_status_io_is_quiet() {
    let url = "https://status-api.hostedstatus.com/1.0/status/5b36dc6502d06804c08349f7";
    let gitlab = read("statusio", "gitlab-status.json", url, &[]);
    assert_eq!(
        (gitlab.page.id.as_deref(), gitlab.impact()),
        (Some("5b36dc6502d06804c08349f7"), Impact::None)
    );
    assert_eq!(
        (gitlab.incidents.len(), gitlab.coverage.incidents, gitlab.coverage.all_components),
        (0, Listing::Open, true)
    );
    assert!(gitlab.components.iter().any(|one| one.name == "Website"));
    assert!(gitlab.components.iter().all(|one| one.status == ComponentStatus::Operational));
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn postmark_on_sorry_is_quiet() {
    let details = [("notices", "postmark-notices-present-empty.json")];
    let url = "https://status.postmarkapp.com/api/v1/status";
    let postmark = read("sorry", "postmark-status.json", url, &details);
    assert_eq!(
        (postmark.page.id.as_deref(), postmark.page.name.as_deref()),
        (Some("12903"), Some("Postmark Status"))
    );
    assert_eq!((postmark.impact(), postmark.coverage.incidents), (Impact::None, Listing::Open));
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn tor_on_cstate_calls_itself_disrupted() {
    let url = "https://status.torproject.org/index.json";
    let tor = read("cstate", "torproject-index-edited.json", url, &[]);
    assert_eq!(
        (tor.page.name.as_deref(), tor.page.impact),
        (Some("Tor Project status"), Some(Impact::Minor))
    );
    let onion = tor.components.iter().find(|one| one.name == "v3 Onion Services").unwrap();
    assert_eq!(
        (onion.group.as_deref(), onion.status),
        (Some("Tor Network"), ComponentStatus::Operational)
    );
    assert!(tor.coverage.all_components && tor.incidents.is_empty());
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn redis_on_firehydrant_has_its_whole_history() {
    let url = "https://status.redis.io/data/payload.json";
    let redis = read("firehydrant", "redis-payload.json", url, &[]);
    assert_eq!(
        (redis.components.len(), redis.incidents.len(), redis.impact()),
        (6, 4, Impact::None)
    );
    let zone = &redis.incidents[0];
    assert_eq!(
        (zone.title.as_str(), zone.status, zone.impact),
        ("AWS me-central-1 Zone Issue", IncidentStatus::Resolved, Impact::Major)
    );
    let expected = [
        IncidentStatus::Investigating,
        IncidentStatus::Investigating,
        IncidentStatus::Identified,
        IncidentStatus::Identified,
        IncidentStatus::Identified,
        IncidentStatus::Resolved,
    ];
    assert_eq!(statuses(zone), expected);
    let first = &zone.updates[0];
    assert_eq!(
        first.id,
        UpdateId::Timed(parse_time("2026-03-23T23:08:04.514337Z").unwrap(), 0),
        "the time it was written"
    );
    assert_eq!(first.published_at, parse_time("2026-03-01T14:33:58Z"), "the time it tells of");
    assert!(
        zone.updates[5].text.starts_with("UPDATE — The issue impacting availability"),
        "{}",
        zone.updates[5].text
    );
    let moved = &redis.incidents[1];
    assert_eq!(
        (moved.kind, moved.status, statuses(moved)),
        (Kind::Maintenance, IncidentStatus::Completed, vec![IncidentStatus::Completed])
    );
    assert_eq!(moved.components.len(), 5);
    let short = &redis.incidents[3];
    assert_eq!(
        statuses(short),
        [
            IncidentStatus::Investigating,
            IncidentStatus::Update,
            IncidentStatus::Resolved,
            IncidentStatus::Update
        ]
    );
}
