//! Feeds, badges and the whole as a Statuspage page.

use rustix::process::Signal;
use statuswatch::document::Document;
use statuswatch::event::{ComponentStatus, Impact, IncidentStatus};
use statuswatch::source::{Documents, Limits, by_name};

use super::*;
use crate::support::wait::until_true;

/// A provider with hostile texts, an incident with two updates and a maintenance, all delivered.
async fn with_events() -> (Provider, Server, Bench, Served, u64) {
    let (acme, server, bench) = acme(HTTP).await;
    let bench = bench.default("stale_after", "2s");
    let posted = acme.open_incident(
        "Failed <script>alert(1)</script> & more",
        Impact::Major,
        &["Compute"],
        "They ]]> fail.",
    );
    let served = Served::start(&bench).await;
    // A first run reports what is open, not what is planned.
    until("the incident", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    let planned = acme.schedule(
        "Upgrade; with, commas",
        (acme.now() + chrono::Duration::hours(2), acme.now() + chrono::Duration::hours(3)),
        &["Compute"],
        "We upgrade.",
    );
    until("both", || Some(bench.events()).filter(|events| events.len() >= 2)).await;
    acme.update(posted.incident, IncidentStatus::Identified, "We know why.");
    until("the update", || {
        Some(bench.events()).filter(|events| events.iter().any(|one| one["status"] == "identified"))
    })
    .await;
    (acme, server, bench, served, planned.incident)
}

#[tokio::test]
async fn a_feed_has_an_entry_for_each_update() {
    let (_acme, _server, bench, served, _) = with_events().await;
    let ids: Vec<String> = bench
        .events()
        .iter()
        .filter(|event| event["kind"] == "incident")
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .rev()
        .collect();
    assert_eq!(ids.len(), 2);
    let answer = served.get("/feeds/events.atom?kind=incident&impact=major%2B&since=1h").await;
    let feed = feed_rs::parser::parse(answer.body()).unwrap();
    let found: Vec<&str> = feed.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(found, ids.iter().map(|id| format!("urn:statuswatch:{id}")).collect::<Vec<_>>());
    assert!(!answer.text().contains("<script"), "{}", answer.text());
    let answer = served.get("/feeds/events.json?kind=incident").await;
    assert_eq!(answer.header("content-type").as_deref(), Some("application/feed+json"));
    let items = answer.json()["items"].clone();
    let found: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(found, ids);
    let none = served.get("/feeds/events.json?provider=other").await.json();
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_maintenance_keeps_its_calendar_entry_while_it_changes() {
    let (acme, _server, bench, served, id) = with_events().await;
    let planned = served.get("/api/v1/maintenances").await.json();
    let key = planned["incidents"][0]["key"].as_str().unwrap().to_owned();
    let answer = served.get("/feeds/maintenances.ics").await;
    assert_eq!(answer.header("content-type").as_deref(), Some("text/calendar; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains(&format!("UID:{key}\r\n")), "{text}");
    assert!(text.contains("STATUS:CONFIRMED\r\n"), "{text}");
    assert!(text.contains("Upgrade\\; with\\, commas"), "{text}");
    let sequence = |text: &str| -> u64 {
        text.lines().find_map(|line| line.strip_prefix("SEQUENCE:")).unwrap().parse().unwrap()
    };
    let before = sequence(&text);
    acme.start(id, "We begin.").unwrap();
    until("the start", || {
        bench.events().into_iter().find(|event| event["status"] == "in_progress")
    })
    .await;
    let text = served.get("/feeds/maintenances.ics").await.text();
    assert!(text.contains(&format!("UID:{key}\r\n")) && sequence(&text) > before, "{text}");
}

#[tokio::test]
async fn a_badge_shows_the_state_and_what_is_not_known() {
    let (acme, _server, _bench, served, _) = with_events().await;
    let badge = served.get("/badge/acme.svg").await;
    assert_eq!(badge.header("content-type").as_deref(), Some("image/svg+xml"));
    assert_eq!(badge.header("cache-control").as_deref(), Some("max-age=60"));
    // Pages elsewhere show it.
    assert_eq!(badge.header("cross-origin-resource-policy").as_deref(), Some("cross-origin"));
    assert!(badge.text().contains(": partial outage</title>"), "{}", badge.text());
    assert!(served.get("/badge.svg").await.text().contains("1 partial outage"));
    acme.fault(statuswatch::fake::Fault::Status(503, None));
    eventually("a gray badge", async || {
        let text = served.get("/badge/acme.svg").await.text();
        let words = ["unknown", "unreachable", "stale"];
        (words.iter().any(|word| text.contains(word)) && text.contains("#6b6b6b")).then_some(())
    })
    .await;
}

/// Our own source reads what we serve as it reads any other page of that platform.
#[tokio::test]
async fn the_page_is_read_by_our_own_source() {
    let (_acme, _server, bench, served, _) = with_events().await;
    let answer = served.get("/api/v2/summary.json").await;
    let url: url::Url = format!("http://{}/api/v2/summary.json", served.address).parse().unwrap();
    let document = Document::new(url, Some("application/json"), answer.body().to_vec());
    let source = by_name("statuspage").unwrap();
    assert!(source.detect(&document).is_some());
    let read = source.parse(&Documents::only(document), Limits::default()).unwrap();
    assert_eq!(read.rejected, Vec::<String>::new());
    assert_eq!(read.components.len(), 1);
    assert_eq!(read.components[0].status, ComponentStatus::PartialOutage);
    let titles: Vec<&str> = read.incidents.iter().map(|one| one.title.as_str()).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(titles.iter().all(|title| title.starts_with("acme: ")), "{titles:?}");
    let incident =
        read.incidents.iter().find(|one| one.status == IncidentStatus::Identified).unwrap();
    assert_eq!(incident.impact, Impact::Major);
    assert_eq!(incident.updates.len(), 2);
    assert_eq!(incident.updates[1].text, "We know why.");
    for name in ["status", "components", "incidents", "scheduled-maintenances"] {
        let part = served.get(&format!("/api/v2/{name}.json")).await.json();
        assert_eq!(part["page"]["id"], read.page.id.clone().unwrap(), "{name}");
    }
    // Another statuswatch reports it, and this one refuses itself.
    let outer = Bench::new().provider("inner", &format!("http://{}/", served.address), "");
    let run = outer.start(&["run", "--hosted"]);
    until("an incident of an incident", || {
        outer.events().into_iter().find(|event| event["kind"] == "incident")
    })
    .await;
    drop(run);
    let mut bench = bench;
    bench.add("me", &format!("http://{}/", served.address), "");
    bench.write();
    served.run.signal(Signal::HUP);
    until_true("a refusal", || {
        let me = bench.status_of("me");
        let error = me.as_ref().and_then(|me| me["last_error"].as_str());
        error.is_some_and(|error| error.contains("must not watch itself"))
    })
    .await;
}
