//! Error rates that Prometheus is asked for.

use base64::Engine as _;
use serde_json::Value;

use super::*;
use crate::support::receiver::{Receiver, Reply};

const QUERY: &str = "/prom/api/v1/query";

fn vector(samples: &[(&str, &str)]) -> Reply {
    let samples: Vec<Value> = samples
        .iter()
        .map(|(id, value)| serde_json::json!({"metric": {"upstream": id}, "value": [1, value]}))
        .collect();
    let data = serde_json::json!({"resultType": "vector", "result": samples});
    Reply::ok(&serde_json::json!({"status": "success", "data": data}).to_string())
}

/// `acme`, and a Prometheus that is asked for it every 5 s.
async fn asked(receiver: &Receiver, more: &str) -> (Provider, Server, Bench) {
    let http = format!(
        "http: {{listen: \"127.0.0.1:0\", prometheus: {{url: \"{}/prom/\", label: upstream, every: 5s,\n  query: 'errors{{a=\"b&c\"}} / 2'{more}}}}}",
        receiver.url
    );
    acme(&http).await
}

#[tokio::test]
async fn what_prometheus_says_is_observed_and_its_failures_are_seen() {
    let receiver = Receiver::start();
    let hostile = "x\u{1b}[2J";
    receiver.always(QUERY, vector(&[("acme", "0.25"), (hostile, "0.5"), ("acme", "7")]));
    let (_acme, _server, bench) = asked(&receiver, ", username: me, password_file: password").await;
    std::fs::write(bench.path("password"), "0123-canary\n").unwrap();
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let status = eventually("an observation", async || {
        let status = served.get("/api/v1/status").await.json();
        // The state that it is compared with may be that before the first poll, for a moment.
        (status["observed"][0]["disagrees"] == true).then_some(status)
    })
    .await;
    let observed = &status["observed"][0];
    assert_eq!((&observed["provider"], &observed["error_rate"]), (&"acme".into(), &0.25.into()));
    assert_eq!(observed["disagrees"], true);
    let asked = &status["prometheus"];
    assert_eq!((&asked["providers"], &asked["invalid"]), (&1.into(), &1.into()));
    assert_eq!((&asked["error"], &asked["failing_since"]), (&Value::Null, &Value::Null));
    let unknown = asked["unknown"][0].as_str().unwrap();
    assert!(unknown.starts_with('x') && !unknown.contains('\u{1b}'), "{unknown}");
    let request = receiver.at(QUERY).remove(0);
    assert_eq!(request.body, "query=errors%7Ba%3D%22b%26c%22%7D+%2F+2&timeout=9s");
    let login = base64::engine::general_purpose::STANDARD.encode("me:0123-canary");
    assert_eq!(request.headers["authorization"], format!("Basic {login}"));
    let answered = "statuswatch_prometheus_queries_total{outcome=\"answered\"}";
    assert!(served.metric(answered).await.unwrap() >= 1.0);
    let last = "statuswatch_prometheus_last_success_timestamp_seconds";
    assert!(served.metric(last).await.unwrap() > 1e9);
    // A server that refuses, or does not answer, delays nothing and is seen.
    receiver.always(
        QUERY,
        Reply::Answer(422, Vec::new(), r#"{"status":"error","error":"no such"}"#.into()),
    );
    let page = eventually("a warning", async || {
        let page = served.get("/").await.text();
        page.contains("Prometheus has given no error rates since ").then_some(page)
    })
    .await;
    assert!(page.contains("status 422: no such"), "{page}");
    let status = served.get("/api/v1/status").await.json();
    // What was observed stays for its 15 min.
    assert_eq!(status["observed"][0]["error_rate"], 0.25);
    assert!(status["prometheus"]["failing_since"].is_string(), "{status}");
    assert!(status["prometheus"]["last_success"].is_string(), "{status}");
    let failed = "statuswatch_prometheus_queries_total{outcome=\"failed\"}";
    assert!(served.metric(failed).await.unwrap() >= 1.0);
    receiver.always(QUERY, Reply::Hang);
    let before = bench.status_of("acme").unwrap()["last_success"].clone();
    eventually("a query that hangs", async || {
        let all = receiver.at(QUERY);
        all.last().filter(|last| last.status == 0).map(|_| ())
    })
    .await;
    until("polls meanwhile", || {
        bench.status_of("acme").filter(|one| one["last_success"] != before)
    })
    .await;
    assert!(bench.diagnostics().contains("Prometheus gives no error rates"));
    for text in [bench.diagnostics(), served.get("/api/v1/status").await.text(), served.run.err()] {
        assert!(!text.contains("canary"), "{text}");
    }
}
