//! The further documents that a poll needs.

use statuswatch::event::{Kind, Time, parse_time};
use statuswatch::source::{Detail, Documents, Limits, PriorItems};

use super::fixtures::{Step, case};

fn step(source: &str, name: &str, number: usize) -> Step {
    case(source, name).remove(number - 1)
}

fn wanted(step: &Step, known: &PriorItems) -> Vec<&'static str> {
    details(step, known).into_iter().map(|detail| detail.role).collect()
}

fn details(step: &Step, known: &PriorItems) -> Vec<Detail> {
    let first = &step.documents.first;
    let snapshot = step.source.parse(&Documents::only(first.clone()), Limits::default()).unwrap();
    step.source.details(first, &snapshot, known)
}

fn known(version: &str, open: &[(Kind, &str)]) -> PriorItems {
    let version: Option<Time> = parse_time(version);
    assert!(version.is_some());
    PriorItems {
        open: open.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect(),
        version,
        baseline: true,
    }
}

#[test]
fn statuspage_reads_its_history_only_where_something_may_have_ended() {
    let first = step("statuspage", "outage", 1);
    let all = details(&first, &PriorItems::default());
    assert_eq!(
        all.iter().map(|d| d.role).collect::<Vec<_>>(),
        ["incidents", "maintenances"],
        "for the baseline"
    );
    assert_eq!(all[0].url.as_str(), "https://status.acme.example/api/v2/incidents.json");
    assert_eq!(
        all[1].url.as_str(),
        "https://status.acme.example/api/v2/scheduled-maintenances.json"
    );
    assert!(all.iter().all(|detail| detail.optional));

    let open = [(Kind::Incident, "acmeinc00001")];
    assert!(wanted(&first, &known("2026-02-03T12:00:00Z", &open)).is_empty(), "the same version");
    assert_eq!(
        wanted(&first, &known("2026-02-03T11:00:00Z", &open)),
        ["incidents"],
        "another version"
    );

    let gone = step("statuspage", "outage", 7);
    assert_eq!(
        wanted(&gone, &known("2026-02-03T13:30:00Z", &open)),
        ["incidents"],
        "an open incident vanished"
    );

    let maintenance = step("statuspage", "maintenance", 5);
    let open = [(Kind::Maintenance, "acmemnt00001")];
    assert_eq!(
        wanted(&maintenance, &known("2026-03-08T12:40:00Z", &open)),
        ["incidents", "maintenances"]
    );

    let alone = step("statuspage", "incidents-alone", 1);
    assert!(wanted(&alone, &PriorItems::default()).is_empty());
}

#[test]
fn prefetch_requests_the_same_details_as_the_whole_document() {
    let mut agreed = 0;
    for step in super::fixtures::steps() {
        let first = &step.documents.first;
        let Ok(snapshot) = step.source.parse(&Documents::only(first.clone()), Limits::default())
        else {
            continue;
        };
        let open: Vec<_> = snapshot
            .incidents
            .iter()
            .map(|incident| (incident.kind, incident.id.clone()))
            .collect();
        let gone = vec![(Kind::Maintenance, "gone".to_owned())];
        for open in [Vec::new(), open, gone] {
            for (version, baseline) in [(None, false), (None, true), (snapshot.page.version, true)]
            {
                let known = PriorItems { open: open.clone(), version, baseline };
                let Some(seen) = step.source.prefetch(first, &known) else {
                    continue;
                };
                assert!(!seen.is_empty(), "{}: no details, no sidecars", step.name);
                assert_eq!(
                    seen,
                    step.source.details(first, &snapshot, &known),
                    "{} {known:?}",
                    step.name
                );
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
    assert_eq!(snapshot.incidents.len(), 2, "its incidents are reported all the same");

    let body = String::from_utf8(step.documents.details[0].1.body.to_vec()).unwrap();
    let status =
        "\"name\": \"Failed requests to the API and the console\",\n   \"status\": \"resolved\"";
    assert!(body.contains(status), "{body}");
    step.documents.details[0].1.body =
        body.replacen(status, &status.replace("resolved", "monitoring"), 1).into_bytes().into();
    let snapshot = step.source.parse(&step.documents, Limits::default()).unwrap();
    assert_eq!(snapshot.open().count(), 0, "the summary knows better what is open");
}

#[test]
fn a_detail_of_another_page_is_an_error() {
    let mut step = step("statuspage", "outage", 7);
    let body = String::from_utf8(step.documents.details[0].1.body.to_vec()).unwrap();
    step.documents.details[0].1.body =
        body.replacen("acm3cl0udpg1", "widg3ts00pg9", 1).into_bytes().into();
    let error = step.source.parse(&step.documents, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("widg3ts00pg9") && error.contains("acm3cl0udpg1"), "{error}");
}

#[test]
fn incidentio_reads_its_lists_whenever_the_summary_changed_and_the_widget_has_none() {
    let open = step("incidentio", "open", 1);
    assert_eq!(wanted(&open, &PriorItems::default()), ["components", "incidents"]);
    assert!(wanted(&step("incidentio", "widget", 2), &PriorItems::default()).is_empty());
}

/// Returns what the ledger knows after the first document of a step.
fn after(step: &Step) -> PriorItems {
    let snapshot = step
        .source
        .parse(&Documents::only(step.documents.first.clone()), Limits::default())
        .unwrap();
    let open: Vec<_> =
        snapshot.open().map(|incident| (incident.kind, incident.id.clone())).collect();
    assert!(!open.is_empty(), "{}: nothing is open", step.name);
    PriorItems { open, version: None, baseline: true }
}

/// Returns what is known where the incident `id` is open.
fn open_before(id: &str) -> PriorItems {
    PriorItems { open: vec![(Kind::Incident, id.to_owned())], ..PriorItems::default() }
}

/// Returns role and URL of each detail.
fn places(step: &Step, known: &PriorItems) -> Vec<(&'static str, String)> {
    details(step, known).into_iter().map(|detail| (detail.role, detail.url.to_string())).collect()
}

fn at(role: &'static str, url: &str) -> (&'static str, String) {
    (role, url.to_owned())
}

#[test]
fn heroku_reads_its_incidents_for_the_baseline_and_when_one_is_absent() {
    let (open, last) = (step("heroku", "outage", 1), step("heroku", "outage", 4));
    let history = [at("incidents", "https://status.heroku.com/api/v4/incidents?limit=30")];
    assert_eq!(places(&open, &PriorItems::default()), history, "for the baseline");
    let known = after(&open);
    assert!(places(&open, &known).is_empty(), "all that was open is listed");
    assert_eq!(places(&last, &known), history, "it is not listed any more");
    assert!(details(&last, &known).iter().all(|detail| detail.optional));
    assert!(
        last.source
            .parse(&last.documents, Limits::default())
            .unwrap()
            .incidents
            .iter()
            .any(|one| one.id == known.open[0].1)
    );
}

#[test]
fn slack_reads_its_history_for_the_baseline_and_when_one_is_absent() {
    let (open, last) = (step("slack", "outage", 1), step("slack", "outage", 5));
    let history = [at("history", "https://slack-status.com/api/v2.0.0/history")];
    assert_eq!(places(&open, &PriorItems::default()), history, "for the baseline");
    let known = after(&open);
    assert!(places(&open, &known).is_empty(), "all that was open is listed");
    assert_eq!(places(&last, &known), history, "it is not listed any more");
    assert!(
        last.source
            .parse(&last.documents, Limits::default())
            .unwrap()
            .incidents
            .iter()
            .any(|one| one.id == known.open[0].1)
    );
}

#[test]
fn salesforce_reads_its_newest_lists_whenever_the_active_one_changed() {
    let open = step("salesforce", "outage", 1);
    let order = "limit=100&sort=updatedAt&order=desc";
    let lists = [
        at("incidents", &format!("https://api.status.salesforce.com/v1/incidents?{order}")),
        at("maintenances", &format!("https://api.status.salesforce.com/v1/maintenances?{order}")),
    ];
    assert_eq!(places(&open, &PriorItems::default()), lists);
    assert_eq!(places(&open, &after(&open)), lists, "maintenances are in no other list");
    assert!(details(&open, &PriorItems::default()).iter().all(|detail| detail.optional));
    // A page polled through another list has all of it in the first document.
    let mut other = step("salesforce", "outage", 4);
    other.documents.first = other.documents.details.remove(0).1;
    other.documents.first.url = "https://api.status.salesforce.com/v1/incidents".parse().unwrap();
    assert!(places(&other, &PriorItems::default()).is_empty());
}

#[test]
fn details_that_change_alone_are_sidecars_while_they_can_change() {
    let sidecars = |source: &str, name: &str, number: usize| {
        let step = step(source, name, number);
        let snapshot = step.source.parse(&step.documents, Limits::default()).unwrap();
        let roles = details(&step, &PriorItems::default()).into_iter().map(|detail| detail.role);
        roles.filter(|role| step.source.is_sidecar(role, &snapshot)).collect::<Vec<_>>()
    };
    assert_eq!(sidecars("salesforce", "outage", 1), ["maintenances"]);
    assert_eq!(sidecars("cachet", "quiet", 1), ["components", "schedules"]);
    assert_eq!(sidecars("cachet", "older", 2), ["components", "schedules", "updates", "updates"]);
    assert_eq!(sidecars("sorry", "quiet", 1), ["notices"]);
    assert_eq!(sidecars("sorry", "outage", 1), ["notices", "components"]);
    assert_eq!(sidecars("statuscast", "state", 2), ["components", "incidents"]);
    assert_eq!(sidecars("instatus", "outage", 1), ["components", "feed"]);
    assert_eq!(sidecars("instatus", "quiet", 1), [""; 0]);
    // The details of these follow from their first document.
    for source in ["statuspage", "incidentio", "heroku", "slack"] {
        assert_eq!(sidecars(source, "outage", 1), [""; 0], "{source}");
    }
}

#[test]
fn aws_asks_its_history_for_what_has_left_the_list_and_for_nothing_else() {
    let (open, quiet) = (step("aws", "ended", 1), step("aws", "ended", 2));
    assert!(
        places(&open, &PriorItems::default()).is_empty(),
        "a year of past events is no baseline"
    );
    let mut known = after(&open);
    assert!(places(&open, &known).is_empty(), "it is still listed");
    let url = "https://history-events-us-west-2-prod.s3.amazonaws.com/historyevents.json";
    assert_eq!(places(&quiet, &known), [at("history", url)]);
    known.open.push((Kind::Incident, "ec2-us-east-1-1606314960".to_owned()));
    assert_eq!(places(&quiet, &known).len(), 1, "one of the former format is in no history");
    known.open.remove(0);
    assert!(places(&quiet, &known).is_empty());

    let mut elsewhere = step("aws", "ended", 2);
    elsewhere.documents.known = open_before("arn:aws:health:utopia-north-1::event/X/Y/Z");
    let snapshot = elsewhere.source.parse(&elsewhere.documents, Limits::default()).unwrap();
    assert!(snapshot.incidents.is_empty(), "what was not requested is not reported: {snapshot:?}");
}

#[test]
fn statusio_asks_the_feed_of_the_page_for_what_has_left_the_lists() {
    let (open, last) = (step("statusio", "outage", 1), step("statusio", "outage", 5));
    let known = after(&open);
    assert!(places(&open, &PriorItems::default()).is_empty() && places(&open, &known).is_empty());
    let feed = |place: &str| [at("feed", &format!("{place}/pages/5a0000000000000000000001/rss"))];
    assert_eq!(places(&last, &known), feed("https://status.io"));
    for (api, place) in [
        ("https://status-api.hostedstatus.com", "https://status.io"),
        ("https://status.acme.example", "https://status.acme.example"),
        ("https://acmestatus.io/below", "https://acmestatus.io/below"),
    ] {
        let mut last = step("statusio", "outage", 5);
        last.documents.first.url =
            format!("{api}/1.0/status/5a0000000000000000000001").parse().unwrap();
        assert_eq!(places(&last, &known), feed(place), "{api}");
    }

    let mut elsewhere = step("statusio", "outage", 5);
    elsewhere.documents.known = open_before("5a0000000000000000000b02");
    let snapshot = elsewhere.source.parse(&elsewhere.documents, Limits::default()).unwrap();
    assert!(snapshot.incidents.is_empty(), "what was not requested is not reported: {snapshot:?}");
    // Still monitored, according to an outdated feed.
    let mut behind = step("statusio", "outage", 5);
    let body = String::from_utf8(behind.documents.details[0].1.body.to_vec()).unwrap();
    assert!(body.contains("<b>Resolved</b> - Builds start at once."));
    behind.documents.details[0].1.body =
        body.replace("<b>Resolved</b> - Builds", "<b>Update</b> - Builds").into_bytes().into();
    assert!(
        behind.source.parse(&behind.documents, Limits::default()).unwrap().incidents.is_empty()
    );
}

#[test]
fn onlineornot_reads_the_feed_of_the_page_while_something_is_open_or_absent() {
    let (open, last) = (step("onlineornot", "outage", 1), step("onlineornot", "outage", 4));
    let feed = [at("feed", "https://status.acme.example/incidents.rss")];
    assert_eq!(places(&open, &PriorItems::default()), feed);
    assert_eq!(places(&last, &after(&open)), feed);
    assert!(places(&last, &PriorItems::default()).is_empty());
    // Its own API identifies the page.
    let mut own = step("onlineornot", "outage", 1);
    own.documents.first.url =
        "https://api.onlineornot.com/v1/status_pages/acmeport/summary".parse().unwrap();
    assert_eq!(places(&own, &PriorItems::default()), feed);
    let body = String::from_utf8(own.documents.first.body.to_vec()).unwrap();
    for (domain, host) in
        [("https://status.acme.test/", "status.acme.test"), ("", "acmeport.onlineornot.com")]
    {
        own.documents.first.body = body.replace("status.acme.example", domain).into_bytes().into();
        assert_eq!(
            places(&own, &PriorItems::default()),
            [at("feed", &format!("https://{host}/incidents.rss"))]
        );
    }

    let located = |page: &str| {
        open.source
            .locate(&page.parse().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let summary = "https://api.onlineornot.com/v1/status_pages/acmeport/summary";
    assert_eq!(located("https://acmeport.onlineornot.com/history"), [summary]);
    assert_eq!(located(summary), [summary]);
    for nothing in [
        "https://status.acme.example/",
        "https://onlineornot.com/",
        "https://www.onlineornot.com/docs",
    ] {
        assert!(located(nothing).is_empty(), "{nothing}");
    }

    // Incidents that were not requested are not reported, and a newer feed does not end what is
    // listed.
    let mut elsewhere = step("onlineornot", "outage", 4);
    elsewhere.documents.known = PriorItems::default();
    assert!(
        elsewhere
            .source
            .parse(&elsewhere.documents, Limits::default())
            .unwrap()
            .incidents
            .is_empty()
    );
    let mut ahead = step("onlineornot", "outage", 3);
    ahead.documents.details = last.documents.details.clone();
    assert_eq!(ahead.source.parse(&ahead.documents, Limits::default()).unwrap().open().count(), 1);
}

#[test]
fn cachet_asks_for_the_updates_of_what_is_open_where_the_list_has_none() {
    let base = "https://status.acme.example/api/v1/";
    let beside = [
        at("components", &format!("{base}components?per_page=500")),
        at("schedules", &format!("{base}schedules?sort=id&order=desc&per_page=50")),
    ];
    assert_eq!(places(&step("cachet", "outage", 2), &PriorItems::default()), beside);
    let updates = |id: u32| at("updates", &format!("{base}incidents/{id}/updates?per_page=100"));
    let older = step("cachet", "older", 1);
    assert_eq!(places(&older, &PriorItems::default())[2..], [updates(9), updates(8)]);
    assert_eq!(
        places(&step("cachet", "older", 3), &PriorItems::default())[2..],
        [updates(9)],
        "the other one is over"
    );
    assert_eq!(
        places(&step("cachet", "older", 3), &after(&older))[2..],
        [updates(9), updates(8)],
        "it was open until now"
    );
    let new: Vec<_> = places(&step("cachet", "new", 2), &PriorItems::default());
    let base = "https://status.acme.example/api/";
    let beside = [
        at("components", &format!("{base}components?per_page=500")),
        at("schedules", &format!("{base}schedules?include=updates,components&per_page=50")),
    ];
    assert_eq!(new, beside);
}

#[test]
fn statuspal_reads_its_incidents_for_the_baseline_and_when_one_is_absent() {
    let (open, last) = (step("statuspal", "outage", 1), step("statuspal", "outage", 4));
    let history =
        [at("history", "https://statuspal.io/api/v2/status_pages/acme/incidents?limit=50")];
    assert_eq!(places(&open, &PriorItems::default()), history, "for the baseline");
    let known = after(&open);
    assert!(places(&open, &known).is_empty());
    assert_eq!(places(&last, &known), history);
    let located = |page: &str| {
        open.source
            .locate(&page.parse().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let summary = ["https://statuspal.eu/api/v2/status_pages/acme/summary"];
    assert_eq!(located("https://acme.statuspal.eu/"), summary);
    assert_eq!(located("https://statuspal.eu/api/v2/status_pages/acme/incidents"), summary);
    for nothing in [
        "https://status.acme.example/",
        "https://statuspal.io/",
        "https://www.statuspal.io/",
        "https://notstatuspal.io/",
    ] {
        assert!(located(nothing).is_empty(), "{nothing}");
    }
}
