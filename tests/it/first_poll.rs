//! What the first poll of a page reports and shows: listed incidents are open, maintenances that
//! have begun are in progress, and an unknown state is not shown as operational.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use statuswatch::fake::{Etag, Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::alone;
use crate::support::wait::eventually;

/// The files of a case, by path.
fn case(name: &str) -> Vec<(String, Vec<u8>)> {
    fn collect(folder: &Path, root: &Path, out: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, out);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases").join(name);
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files
}

async fn serve(files: &[(String, Vec<u8>)]) -> (Provider, Server) {
    let provider = Provider::raw("acme", Arc::new(Utc::now));
    for (path, body) in files {
        provider.set_document(path, "application/json; charset=utf-8", body.clone());
    }
    let server = alone(&provider).await;
    (provider, server)
}

/// Reads the page once, from nothing; gives what was reported and how `status` shows it.
async fn look(files: &[(String, Vec<u8>)], first: &str) -> (Vec<Value>, Value) {
    let (_provider, server) = serve(files).await;
    let bench = Bench::new().provider("acme", &format!("{}{first}", server.url("acme")), "");
    let ended = bench.start(&["run", "--once"]).ended().await;
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    (bench.events(), bench.status_of("acme").unwrap())
}

/// Kind, status and title of each event.
fn reported(events: &[Value]) -> Vec<String> {
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or("-").to_owned();
    let line = |event| ["kind", "status", "title"].map(|key| word(event, key)).join(" ");
    events.iter().map(line).collect()
}

#[tokio::test]
async fn an_incident_that_is_listed_is_reported_whatever_its_word() {
    for (files, first, title, status) in [
        ("unknown-word-first-run", "api/v2/summary.json", "Deich undicht", "partial_outage"),
        ("unknown-word-first-run", "instatus-summary.json", "Wehr klemmt", "major_outage"),
        ("kuma-pinned-first-run", "api/status-page/heartbeat/main", "Kran steht", "partial_outage"),
    ] {
        let (events, shown) = look(&case(files), first).await;
        assert_eq!(reported(&events), [format!("incident update {title}")], "{first}");
        assert_eq!(shown["status"], status, "{first}");
        assert_eq!(shown["open"].as_array().unwrap().len(), 1, "{first}");
    }
}

#[tokio::test]
async fn an_item_of_a_feed_that_says_nothing_is_taken_for_past() {
    let feed = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Acme</title><link>https://acme.example/</link>
        <item><title>Parcels are late</title><guid>a-1</guid><description>We look.</description></item>
        <item><title>Identified: labels</title><guid>a-2</guid><description>Found.</description></item></channel></rss>"#;
    let (events, _) = look(&[("rss.xml".to_owned(), feed.as_bytes().to_vec())], "rss.xml").await;
    assert_eq!(reported(&events), ["incident identified Identified: labels"]);
}

#[tokio::test]
async fn what_is_not_known_to_be_well_is_unknown() {
    let first = "api/v2/summary.json";
    let (events, shown) = look(&case("unknown-indicator"), first).await;
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(
        (&shown["status"], &shown["freshness"]),
        (&json!("unknown"), &json!("fresh")),
        "an indicator nobody knows"
    );
    // The other way round: an unknown state next to an indicator that says all is well.
    let mut files = case("unknown-indicator");
    let text = String::from_utf8(files.remove(0).1).unwrap();
    for (severe, operational, expected) in [
        ("none", "operational", "operational"),
        ("none", "wobbling", "unknown"),
        ("severe", "partial_outage", "partial_outage"),
    ] {
        let text = text
            .replace("\"severe\"", &format!("\"{severe}\""))
            .replace("\"operational\"", &format!("\"{operational}\""));
        let (_, shown) = look(&[(first.to_owned(), text.into_bytes())], first).await;
        assert_eq!(shown["status"], expected, "{severe} {operational}");
    }
}

#[tokio::test]
async fn a_page_that_lists_no_component_any_more_is_unknown() {
    let first = "api/v2/summary.json";
    let (_, body) = case("unknown-indicator").remove(0);
    let mut page: Value = serde_json::from_slice(&body).unwrap();
    page["status"]["indicator"] = json!("none");
    let (provider, server) = serve(&[(first.to_owned(), page.to_string().into_bytes())]).await;
    let bench = Bench::new().provider("acme", &format!("{}{first}", server.url("acme")), "");
    let mut shown = Vec::new();
    for components in [page["components"].clone(), json!([]), page["components"].clone()] {
        page["components"] = components;
        provider.set_document(first, "application/json", page.to_string());
        let ended = bench.start(&["run", "--once"]).ended().await;
        assert_eq!(ended.code(), Some(0), "{}", ended.err);
        let now = bench.status_of("acme").unwrap();
        shown.push((now["status"].clone(), now["suspect"].is_null()));
    }
    assert_eq!(
        shown,
        [(json!("operational"), true), (json!("unknown"), false), (json!("operational"), true)]
    );
}

/// A summary of `OnlineOrNot` with one maintenance that begins so many seconds from now.
fn onlineornot(begins: i64) -> Value {
    let (_, body) = case("onlineornot-begun").remove(0);
    let mut page: Value = serde_json::from_slice(&body).unwrap();
    let start = (Utc::now() + TimeDelta::seconds(begins)).to_rfc3339();
    page["result"]["scheduled_maintenance"][0]["started"] = json!(start);
    page["result"]["scheduled_maintenance"][0]["start_date"] = json!(start);
    page
}

const ONLINEORNOT: &str = "v1/status_pages/anker/summary";

#[tokio::test]
async fn a_maintenance_that_has_begun_is_in_progress_and_one_that_has_not_is_not_reported() {
    let begun = ["maintenance in_progress Geplante Arbeiten an der Winde"];
    // As it is in the case, long past its end and still listed; under way; announced.
    let (events, _) = look(&case("onlineornot-begun"), ONLINEORNOT).await;
    assert_eq!(reported(&events), begun);
    for (begins, expected) in [(-60, &begun[..]), (3600, &[])] {
        let page = [(ONLINEORNOT.to_owned(), onlineornot(begins).to_string().into_bytes())];
        let (events, shown) = look(&page, ONLINEORNOT).await;
        assert_eq!(reported(&events), expected, "{begins}");
        let status = if begins < 0 { "in_progress" } else { "scheduled" };
        assert_eq!(shown["open"][0]["status"], status);
    }
}

#[tokio::test]
async fn of_every_platform_that_has_no_word_for_it() {
    let at = |hours: i64| (Utc::now() + TimeDelta::hours(hours)).to_rfc3339();
    let (from, until) = (at(-1), at(1));
    let kuma = json!({"config": {"slug": "main", "title": "Werft"}, "incident": null, "publicGroupList": [],
        "maintenanceList": [{"id": 3, "title": "Dock", "description": "Neue Tore.", "status": "scheduled",
            "timeslotList": [{"startDate": from, "endDate": until}]}]});
    let beats = json!({"heartbeatList": {}, "uptimeList": {}});
    let statusio = json!({"result": {
        "status_overall": {"updated": from, "status": "Operational", "status_code": 100},
        "status": [{"id": "c1", "name": "Dock", "status": "Operational", "status_code": 100,
            "containers": [{"id": "k1", "name": "Nord", "status": "Operational", "status_code": 100}]}],
        "incidents": [], "maintenance": {"active": [], "upcoming": [{"_id": "m1", "name": "Dock",
            "datetime_open": from, "datetime_planned_start": from, "datetime_planned_end": until,
            "messages": [], "components_affected": [], "containers_affected": []}]}}});
    for (files, first) in [
        (
            vec![("api/status-page/heartbeat/main", beats), ("api/status-page/main", kuma)],
            "api/status-page/heartbeat/main",
        ),
        (
            vec![("1.0/status/0123456789abcdef01234567", statusio)],
            "1.0/status/0123456789abcdef01234567",
        ),
    ] {
        let files: Vec<_> = files
            .into_iter()
            .map(|(path, body)| (path.to_owned(), body.to_string().into_bytes()))
            .collect();
        let (events, shown) = look(&files, first).await;
        assert_eq!(reported(&events), ["maintenance in_progress Dock"], "{first}");
        assert_eq!(shown["status"], "under_maintenance", "{first}");
    }
}

/// The page stays the same byte for byte, and its server says so: that a maintenance begins is reported
/// when it does all the same, once, and by the next single run where nothing runs at that moment.
#[tokio::test]
async fn a_maintenance_that_begins_while_the_page_stays_the_same_is_reported_when_it_begins() {
    for once in [false, true] {
        let page = [(ONLINEORNOT.to_owned(), onlineornot(4).to_string().into_bytes())];
        let (provider, server) = serve(&page).await;
        provider.behave(|behaviour| behaviour.etag = Etag::Strong);
        let url = format!("{}{ONLINEORNOT}", server.url("acme"));
        let bench = Bench::new().provider("acme", &url, "");
        let events = if once {
            // On a busy machine one of them may not have the time to deliver: the next one does.
            eventually("the maintenance", async || {
                bench.start(&["run", "--once"]).ended().await;
                Some(bench.events()).filter(|events| !events.is_empty())
            })
            .await
        } else {
            let run = bench.start(&["run", "--hosted"]);
            let events = bench.wait_events(1).await;
            run.stop().await;
            events
        };
        let event = &events[0];
        assert_eq!(
            (&event["status"], &event["kind"]),
            (&json!("in_progress"), &json!("maintenance"))
        );
        let (seen, begins) = (&event["observed_at"], &event["scheduled_for"]);
        assert!(seen.as_str() >= begins.as_str(), "{seen} {begins}");
    }
}
