//! Which further documents a poll needs.

use statuswatch::event::{Kind, Time, parse_time};
use statuswatch::source::{Detail, Documents, Known, Limits};

use super::fixtures::{Step, case};

fn step(source: &str, name: &str, number: usize) -> Step {
    case(source, name).remove(number - 1)
}

fn wanted(step: &Step, known: &Known) -> Vec<&'static str> {
    details(step, known).into_iter().map(|detail| detail.role).collect()
}

fn details(step: &Step, known: &Known) -> Vec<Detail> {
    let first = &step.documents.first;
    let snapshot = step.source.parse(&Documents::only(first.clone()), Limits::default()).unwrap();
    step.source.details(first, &snapshot, known)
}

fn known(version: &str, open: &[(Kind, &str)]) -> Known {
    let version: Option<Time> = parse_time(version);
    assert!(version.is_some());
    Known { open: open.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect(), version, baseline: true }
}

#[test]
fn statuspage_reads_its_history_only_where_something_may_have_ended() {
    let first = step("statuspage", "outage", 1);
    let all = details(&first, &Known::default());
    assert_eq!(all.iter().map(|d| d.role).collect::<Vec<_>>(), ["incidents", "maintenances"], "for the baseline");
    assert_eq!(all[0].url.as_str(), "https://status.acme.example/api/v2/incidents.json");
    assert_eq!(all[1].url.as_str(), "https://status.acme.example/api/v2/scheduled-maintenances.json");
    assert!(all.iter().all(|detail| detail.optional));

    let open = [(Kind::Incident, "acmeinc00001")];
    assert!(wanted(&first, &known("2026-02-03T12:00:00Z", &open)).is_empty(), "the same version");
    assert_eq!(wanted(&first, &known("2026-02-03T11:00:00Z", &open)), ["incidents"], "another version");

    let gone = step("statuspage", "outage", 7);
    assert_eq!(wanted(&gone, &known("2026-02-03T13:30:00Z", &open)), ["incidents"], "an open incident vanished");

    let maintenance = step("statuspage", "maintenance", 5);
    let open = [(Kind::Maintenance, "acmemnt00001")];
    assert_eq!(wanted(&maintenance, &known("2026-03-08T12:40:00Z", &open)), ["incidents", "maintenances"]);

    let alone = step("statuspage", "incidents-alone", 1);
    assert!(wanted(&alone, &Known::default()).is_empty());
}

#[test]
fn a_glance_asks_for_what_the_whole_document_asks_for() {
    let mut agreed = 0;
    for step in super::fixtures::steps() {
        let first = &step.documents.first;
        let Ok(snapshot) = step.source.parse(&Documents::only(first.clone()), Limits::default()) else { continue };
        let open: Vec<_> = snapshot.incidents.iter().map(|incident| (incident.kind, incident.id.clone())).collect();
        let gone = vec![(Kind::Maintenance, "gone".to_owned())];
        for open in [Vec::new(), open, gone] {
            for (version, baseline) in [(None, false), (None, true), (snapshot.page.version, true)] {
                let known = Known { open: open.clone(), version, baseline };
                let Some(seen) = step.source.glance(first, &known) else { continue };
                assert!(!seen.is_empty(), "{}: nothing is told by none", step.name);
                assert_eq!(seen, step.source.details(first, &snapshot, &known), "{} {known:?}", step.name);
                agreed += 1;
            }
        }
    }
    assert!(agreed > 100, "Statuspage alone has more fixtures: {agreed}");
}

#[test]
fn a_history_older_than_the_summary_covers_nothing_in_between() {
    let mut step = step("statuspage", "outage", 7);
    let body = String::from_utf8(step.documents.details[0].1.body.to_vec()).unwrap();
    let page_time = "\"updated_at\": \"2026-02-03T13:30:00.000Z\"\n },\n \"incidents\"";
    assert!(body.contains(page_time));
    let old = body.replacen(page_time, &page_time.replace("13:30", "12:30"), 1);
    step.documents.details[0].1.body = old.into_bytes().into();
    let snapshot = step.source.parse(&step.documents, Limits::default()).unwrap();
    assert_eq!(snapshot.coverage.incidents, statuswatch::snapshot::Listing::Open);
    assert_eq!(snapshot.incidents.len(), 2, "what it tells is told all the same");

    let body = String::from_utf8(step.documents.details[0].1.body.to_vec()).unwrap();
    let status = "\"name\": \"Failed requests to the API and the console\",\n   \"status\": \"resolved\"";
    assert!(body.contains(status), "{body}");
    step.documents.details[0].1.body = body.replacen(status, &status.replace("resolved", "monitoring"), 1).into_bytes().into();
    let snapshot = step.source.parse(&step.documents, Limits::default()).unwrap();
    assert_eq!(snapshot.open().count(), 0, "the summary knows better what is open");
}

#[test]
fn a_detail_of_another_page_is_an_error() {
    let mut step = step("statuspage", "outage", 7);
    let body = String::from_utf8(step.documents.details[0].1.body.to_vec()).unwrap();
    step.documents.details[0].1.body = body.replacen("acm3cl0udpg1", "widg3ts00pg9", 1).into_bytes().into();
    let error = step.source.parse(&step.documents, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("widg3ts00pg9") && error.contains("acm3cl0udpg1"), "{error}");
}

#[test]
fn incidentio_reads_its_lists_whenever_the_summary_changed_and_the_widget_has_none() {
    let open = step("incidentio", "open", 1);
    assert_eq!(wanted(&open, &Known::default()), ["components", "incidents"]);
    assert!(wanted(&step("incidentio", "widget", 2), &Known::default()).is_empty());
}
