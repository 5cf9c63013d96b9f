//! Health, readiness and metrics.

use statuswatch::event::Impact;

use super::*;

#[tokio::test]
async fn it_is_healthy_at_once_and_ready_once_everything_was_read() {
    let (acme, server, bench) = acme(HTTP).await;
    acme.fault(statuswatch::fake::Fault::Status(503, None));
    let served = Served::start(&bench).await;
    let health = served.get("/healthz").await;
    assert_eq!((health.status(), health.text().as_str()), (200, "{\"healthy\":true}"));
    within("a failed poll", server.wait_answered("acme", 1)).await;
    let ready = eventually("a reason", async || {
        let ready = served.get("/readyz").await;
        ready.text().contains("are not fresh").then_some(ready)
    })
    .await;
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json()["reasons"][0], "1 of 1 providers are not fresh");
    acme.clear_faults();
    let ready = eventually("readiness", async || {
        let ready = served.get("/readyz").await;
        (ready.status() == 200).then_some(ready)
    })
    .await;
    assert_eq!(ready.text(), "{\"ready\":true,\"reasons\":[]}");
    assert_eq!(ready.header("cache-control").as_deref(), Some("no-store"));
}

#[tokio::test]
async fn the_numbers_are_openmetrics_and_few() {
    let receiver = crate::support::receiver::Receiver::start();
    let (acme, _server, bench) = acme(HTTP).await;
    let channel = format!("channels: {{ops: {{kind: webhook, url: \"{}/ops\"}}}}", receiver.url);
    let bench = bench.section(&channel);
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    assert_eq!(served.metric("statuswatch_events_total{kind=\"incident\"}").await, Some(0.0));
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "Requests fail.");
    let events = until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    // The state is at most half a second old.
    let operational = "statuswatch_providers{state=\"operational\"}";
    eventually("an outage", async || served.metric(operational).await.filter(|count| *count < 1.0))
        .await;
    let answer = served.get("/metrics").await;
    let text = answer.text();
    assert_eq!(
        answer.header("content-type").as_deref(),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 400, "{series}");
    for line in [
        "statuswatch_events_total{kind=\"incident\"} 1",
        "statuswatch_publish_lag_seconds_count{source=\"statuspage\"} 1",
        "statuswatch_providers{state=\"operational\"} 0.0",
        "statuswatch_actor_restarts_total{actor=\"poller\"} 0",
        "statuswatch_http_refused_total{reason=\"connections\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    for part in [
        "statuswatch_build_info{version=",
        "statuswatch_polls_total{outcome=\"read\"} ",
        "statuswatch_poll_duration_seconds_sum ",
        "statuswatch_ledger_commit_seconds_bucket{le=\"0.01\"} ",
        "statuswatch_sink_cursor_seq{sink=\"event_log.json\"} ",
        "statuswatch_sink_oldest_waiting_timestamp_seconds{sink=",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let all = format!("{text}{}", served.get("/metrics/providers").await.text());
    for name in names_in_deploy() {
        assert!(
            all.contains(&format!("\n{name}")),
            "deploy/ asks for {name}, which is not exported"
        );
    }
    let seq = served.metric("statuswatch_ledger_seq").await.unwrap();
    assert!(seq >= events.len() as f64, "{seq}");
}

/// The metrics that the dashboard and the alerts read.
fn names_in_deploy() -> std::collections::BTreeSet<String> {
    let file = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let (dashboard, alerts) = (file("grafana-dashboard.json"), file("prometheus-alerts.yaml"));
    let parsed: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    let exprs = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let exprs = exprs.map(|target| target["expr"].as_str().unwrap().to_owned());
    let parsed: serde_json::Value = serde_yaml::from_str(&alerts).unwrap();
    let rules = parsed["groups"][0]["rules"].as_array().unwrap();
    let exprs = exprs.chain(rules.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()));
    let words = exprs.flat_map(|expr| {
        let words = expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.map(str::to_owned).collect::<Vec<_>>()
    });
    let names: std::collections::BTreeSet<String> =
        words.filter(|word| word.starts_with("statuswatch_")).collect();
    assert!(names.len() > 12, "{names:?}");
    names
}

#[tokio::test]
async fn providers_are_counted_apart_and_as_configured() {
    let (acme, _server, bench) =
        acme("http: {listen: \"127.0.0.1:0\", metrics: {providers: open}}").await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let text = eventually("an empty list", async || {
        let text = served.get("/metrics/providers").await.text();
        (!text.contains("severity{")).then_some(text)
    })
    .await;
    assert!(text.ends_with("# EOF\n"), "{text}");
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "Requests fail.");
    let text = eventually("an open incident", async || {
        let text = served.get("/metrics/providers").await.text();
        text.contains("statuswatch_provider_open_incidents{provider=\"acme\"} 1").then_some(text)
    })
    .await;
    assert!(text.contains("statuswatch_provider_severity{provider=\"acme\"} 3"), "{text}");
    assert!(!text.contains("Failed requests"));
}
