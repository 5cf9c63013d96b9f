//! Captures of platforms whose HTML page is read, and of monitors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use statuswatch::document::Document;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus, Kind, parse_time};
use statuswatch::snapshot::{Listing, Snapshot, UpdateId};
use statuswatch::source::{Documents, Limits, by_name};
use url::Url;

use super::fixtures::captures;

fn read(root: &Path, source: &str, file: &str) -> Snapshot {
    let document = Document::new(
        Url::parse("https://status.acme.example/").unwrap(),
        None,
        fs::read(root.join(file)).unwrap(),
    );
    assert!(by_name(source).unwrap().detect(&document).is_some(), "{file}");
    let snapshot = by_name(source).unwrap().parse(&Documents::only(document), Limits::default());
    snapshot.unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn pagerduty_reads_the_data_of_its_script() {
    let root = captures();
    for (file, open) in
        [("pagerduty/pagerduty-page-good.html", 0), ("pagerduty/pagerduty-page-minor.html", 1)]
    {
        let snapshot = read(&root, "pagerduty", file);
        assert_eq!(snapshot.rejected, Vec::<String>::new(), "{file}");
        assert_eq!(
            (snapshot.page.id.as_deref(), snapshot.page.name.as_deref()),
            (Some("P67C5DQ"), Some("PagerDuty Status Page"))
        );
        assert_eq!(
            (snapshot.open().count(), snapshot.incidents.len(), snapshot.coverage.incidents),
            (open, 80 + open, Listing::Recent)
        );
        assert!(snapshot.components.len() > 40 && snapshot.coverage.all_components);
        let html = fs::read_to_string(root.join(file)).unwrap();
        let script = html
            .split("<script id=\"data\" type=\"application/json\">")
            .nth(1)
            .unwrap()
            .split("</script>")
            .next()
            .unwrap();
        let data: Value = serde_json::from_str(script).unwrap();
        for list in ["open_incidents", "resolved_incidents"] {
            for wire in data["summary"][list].as_array().unwrap() {
                let incident = snapshot
                    .incidents
                    .iter()
                    .find(|incident| wire["id"] == incident.id.as_str())
                    .unwrap();
                let written = wire["updates"].as_array().unwrap();
                assert_eq!(
                    incident.updates.len(),
                    written.len() + usize::from(wire["postmortem"].is_object()),
                    "{}",
                    incident.id
                );
                assert!(
                    incident.updates.is_sorted_by_key(|update| update.published_at),
                    "{}",
                    incident.id
                );
                for update in written {
                    let known = UpdateId::Native(update["id"].as_str().unwrap().to_owned());
                    let read = incident.updates.iter().find(|update| update.id == known).unwrap();
                    assert_eq!(
                        read.published_at,
                        parse_time(update["reported_at"].as_str().unwrap())
                    );
                    assert!(
                        !read.text.is_empty()
                            && !read.text.contains("<p>")
                            && read.status != IncidentStatus::Update
                    );
                }
                assert!(
                    incident.status.is_over() == (list == "resolved_incidents")
                        && !incident.title.is_empty()
                );
            }
        }
    }
    let minor = read(&root, "pagerduty", "pagerduty/pagerduty-page-minor.html");
    let states: BTreeSet<&str> = minor
        .components
        .iter()
        .filter(|component| component.status != ComponentStatus::Operational)
        .map(|component| component.name.as_str())
        .collect();
    assert_eq!(
        (minor.impact(), states),
        (Impact::Minor, ["Services (EU)", "Services (US)"].into())
    );
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn statuscast_lists_what_its_page_shows() {
    let root = captures();
    let good = read(&root, "statuscast", "statuscast/fastly-page-good.html");
    assert_eq!((good.incidents.len(), good.page.name.as_deref()), (21, Some("fastly")));
    assert!(good.open().all(|incident| incident.kind == Kind::Maintenance
        && incident.status == IncidentStatus::Scheduled));
    let major = read(&root, "statuscast", "statuscast/fastly-page-major.html");
    assert_eq!((major.incidents.len(), major.impact()), (14, Impact::Major));
    let open: BTreeSet<&str> = major
        .open()
        .filter(|incident| incident.kind == Kind::Incident)
        .map(|incident| incident.id.as_str())
        .collect();
    assert_eq!(open, ["375685", "375707"].into());
    let incident = major.incidents.iter().find(|incident| incident.id == "375707").unwrap();
    assert_eq!(
        (incident.title.as_str(), incident.impact),
        ("CDN Global Performance Impact", Impact::Major)
    );
    assert_eq!(incident.started_at, parse_time("2023-01-19T23:05:00Z"));
    assert!(incident.components.len() > 20 && incident.components[0].name == "Edge Cloud Platform");
    let [update] = incident.updates.as_slice() else { panic!() };
    assert_eq!(update.published_at, parse_time("2023-01-19T23:48:00Z"));
    assert!(
        update.text.starts_with("On the 19th of January at 23:00 UTC")
            && update.text.ends_with("Fastly Customers."),
        "{}",
        update.text
    );
    for incident in good.incidents.iter().chain(&major.incidents) {
        assert!(
            !incident.title.is_empty()
                && !incident.updates.is_empty()
                && incident.started_at.is_some(),
            "{}",
            incident.id
        );
        assert!(
            incident
                .updates
                .iter()
                .all(|update| !update.text.is_empty() && update.published_at.is_some()),
            "{}",
            incident.id
        );
    }
}

#[test]
#[ignore = "needs captures of real pages, in STATUSWATCH_CAPTURES: see .ci/run"]
fn upptime_sites_go_down_and_come_back() {
    let root = captures();
    let steps: Vec<BTreeMap<String, ComponentStatus>> = (1..=5)
        .map(|step| {
            let snapshot =
                read(&root, "upptime", &format!("upptime/pwv-history-summary-seq-0{step}.json"));
            assert!(snapshot.coverage.all_components && snapshot.rejected.is_empty());
            snapshot
                .components
                .into_iter()
                .map(|component| (component.id.unwrap(), component.status))
                .collect()
        })
        .collect();
    let down = |step: usize| {
        steps[step].values().filter(|status| **status == ComponentStatus::MajorOutage).count()
    };
    assert_eq!([down(0), down(1), down(2), down(3), down(4)], [2, 8, 2, 3, 2]);
    assert!(steps.iter().all(|step| step.len() == steps[0].len()));
}
