//! `/api/v1`.

use serde_json::Value;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::server::openapi::describe;
use statuswatch::server::routes::{Answer, ROUTES};

use super::*;

/// A provider with an incident of three updates and a maintenance, all of it delivered.
async fn with_events() -> (Provider, Server, Bench, Served) {
    let (acme, server, bench) = acme(HTTP).await;
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    // A first run reports what is open, not what is planned.
    until("the incident", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    acme.schedule(
        "Upgrade",
        (acme.now() + chrono::Duration::hours(2), acme.now() + chrono::Duration::hours(3)),
        &["Compute"],
        "We upgrade.",
    );
    until("both", || Some(bench.events()).filter(|events| events.len() >= 2)).await;
    acme.update(posted.incident, IncidentStatus::Identified, "We know why.");
    acme.update(posted.incident, IncidentStatus::Monitoring, "We fixed it.");
    until("the updates", || {
        Some(bench.events()).filter(|events| events.iter().any(|one| one["status"] == "monitoring"))
    })
    .await;
    (acme, server, bench, served)
}

#[tokio::test]
async fn an_event_is_the_line_of_the_event_log() {
    let (_acme, _server, bench, served) = with_events().await;
    let log = std::fs::read_to_string(bench.path("logs/events.jsonl")).unwrap();
    let answer = served.get("/api/v1/events").await;
    let text = answer.text();
    for line in log.lines() {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
    // A page at a time, nothing twice and nothing left out.
    let (mut after, mut seqs) = (0, Vec::new());
    loop {
        let page = served.get(&format!("/api/v1/events?after={after}&limit=1")).await.json();
        let events = page["events"].as_array().unwrap();
        seqs.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        after = page["next"].as_u64().unwrap();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seqs, (1..=log.lines().count() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_idle_client_is_sent_nothing_again() {
    let (_acme, _server, _bench, served) = with_events().await;
    for target in
        ["/api/v1/events", "/api/v1/incidents", "/feeds/events.atom", "/feeds/maintenances.ics"]
    {
        let tag = served.get(target).await.header("etag").unwrap();
        let again = served.get_with(target, &[("If-None-Match", &tag)]).await;
        assert_eq!((again.status(), again.body().len()), (304, 0), "{target}");
    }
    let tag = served.get("/api/v1/events?limit=1").await.header("etag").unwrap();
    let other = served.get_with("/api/v1/events?limit=2", &[("If-None-Match", &tag)]).await;
    assert_eq!(other.status(), 200);
}

#[tokio::test]
async fn an_incident_is_found_by_its_key_with_its_events() {
    let (_acme, _server, bench, served) = with_events().await;
    let list = served.get("/api/v1/incidents").await.json();
    let one = &list["incidents"][0];
    assert_eq!((&one["title"], &one["open"]), (&"Failed requests".into(), &true.into()));
    let detail = served.get(&format!("/api/v1/incidents/{}", one["key"].as_str().unwrap())).await;
    let detail = detail.json();
    assert_eq!(detail["incident"], *one);
    let expected: Vec<Value> =
        bench.events().into_iter().filter(|event| event["kind"] == "incident").collect();
    assert_eq!(detail["events"], Value::from(expected));
    let planned = served.get("/api/v1/maintenances").await.json();
    assert_eq!(planned["incidents"][0]["title"], "Upgrade");
    let past = served.get("/api/v1/maintenances?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z");
    assert_eq!(past.await.json()["incidents"], Value::Array(Vec::new()));
    let provider = served.get("/api/v1/providers/acme").await.json();
    assert_eq!(provider["provider"]["id"], "acme");
    assert_eq!(provider["components"][0]["name"], "Compute");
    assert_eq!(provider["incidents"].as_array().unwrap().len(), 2);
    let status = served.get("/api/v1/status").await.json();
    let printed = bench.status().unwrap();
    assert_eq!(status["providers"][0]["open"], printed["providers"][0]["open"]);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_answered_with_a_problem() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    for (target, status) in [
        ("/nothing", 404),
        ("/api/v1/providers/other", 404),
        ("/api/v1/incidents/0123456789abcdef0123456789abcdef", 404),
        ("/api/v1/incidents/1", 404),
        ("/api/v1/events?after=-1", 400),
        ("/api/v1/events?limit=0", 400),
        ("/api/v1/events?limit=1001", 400),
        ("/api/v1/maintenances?from=yesterday", 400),
        ("/feeds/events.atom?impact=huge", 400),
        ("/feeds/events.atom?impact=", 400),
        ("/feeds/events.json?kind=incident,", 400),
        ("/feeds/events.json?since=", 400),
        ("/feeds/events.json?since=18446744074", 400),
        ("/api/v1/stream?after=x", 400),
        ("/api/v1/deadletters?limit=0", 400),
        ("/api/v1/mutes?all=maybe", 400),
        ("/badge/other.svg", 404),
        ("/badge/acme.png", 404),
    ] {
        let answer = served.get(target).await;
        assert_eq!(answer.status(), status, "{target}: {}", answer.text());
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/problem+json"),
            "{target}"
        );
        assert_eq!(answer.json()["status"], status, "{target}");
    }
    let answer = ask(served.address, "DELETE", "/api/v1/events", "localhost", &[], b"").await;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.header("allow").as_deref(), Some("GET,HEAD"));
    let answer = ask(served.address, "HEAD", "/healthz", "localhost", &[], b"").await;
    assert_eq!((answer.status(), answer.body().len()), (200, 0));
}

/// Each row of the table is served, described, and answers as described.
#[tokio::test]
async fn every_route_answers_as_it_is_described() {
    let (_acme, _server, _bench, served) = with_events().await;
    let description = served.get("/api/v1/openapi.json").await.json();
    assert_eq!(description, describe());
    let paths = description["paths"].as_object().unwrap();
    let operations: usize = paths.values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(operations, ROUTES.len());
    let list = served.get("/api/v1/incidents").await.json();
    let key = list["incidents"][0]["key"].as_str().unwrap().to_owned();
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let described = &description["paths"][route.path]["get"];
        assert!(described["summary"].is_string(), "{}", route.path);
        let content = &described["responses"]["200"]["content"][route.media_type()];
        assert!(content["schema"].is_object(), "{}", route.path);
        if route.path == "/api/v1/stream" {
            continue;
        }
        let target = route.path.replace("{key}", &key).replace("{id}", "acme");
        // The provider has an open incident.
        let (target, status) = match route.path {
            "/api/v1/gate" => (format!("{target}?needs=acme"), 409),
            _ => (target, 200),
        };
        let answer = served.get(&target).await;
        assert_eq!(answer.status(), status, "{target}: {}", answer.text());
        let content = &described["responses"][status.to_string()]["content"][route.media_type()];
        let media = answer.header("content-type").unwrap();
        if let Answer::Json(_) = route.answer {
            assert_eq!(media, "application/json", "{target}");
            schema::check(&description, &content["schema"], &answer.json(), route.path);
        }
    }
}
