//! Channels, dead letters, mutes, the gate and what others see, over HTTP.

use serde_json::{Value, json};
use statuswatch::event::Impact;

use super::*;
use crate::support::receiver::{Receiver, Reply};

const JSON: (&str, &str) = ("Content-Type", "application/json");
/// The path of the channel that accepts what it is sent, with a secret.
const GOOD: &str = "/good?token=s3cr3t-0123456789";
const SECRET: &str = "s3cr3t-0123456789";

async fn change(served: &Served, method: &str, target: &str, body: &Value) -> Raw {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ask(served.address, method, target, "localhost", &[JSON], body.as_bytes()).await
}

/// A provider, a channel for people that accepts what it is sent, and one for programs that refuses
/// it.
async fn with_channels() -> (Provider, Server, Bench, Served, Receiver) {
    let receiver = Receiver::start();
    let url = &receiver.url;
    receiver.always("/bad", Reply::status(400));
    let (acme, server, bench) = acme(HTTP).await;
    let bench = bench.section(&format!(
        "channels:\n  good: {{kind: mattermost, webhook_url: \"{url}{GOOD}\"}}\n  bad: {{kind: webhook, url: \"{url}/bad\"}}"
    ));
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    (acme, server, bench, served, receiver)
}

async fn channel(served: &Served, id: &str) -> Value {
    let list = served.get("/api/v1/channels").await.json();
    list["channels"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
}

#[tokio::test]
async fn deliveries_are_counted_and_shown_without_a_secret() {
    let (acme, _server, _bench, served, _receiver) = with_channels().await;
    // Zeros from the start.
    for outcome in ["delivered", "retried", "broken", "rerendered", "dead"] {
        let series =
            format!("statuswatch_deliveries_total{{channel=\"good\",outcome=\"{outcome}\"}}");
        eventually("a zero", async || served.metric(&series).await.filter(|one| *one == 0.0)).await;
    }
    for (series, value) in [
        ("statuswatch_dead_letters{channel=\"bad\"}", 0.0),
        ("statuswatch_channel_healthy{channel=\"bad\"}", 1.0),
        ("statuswatch_channel_oldest_waiting_timestamp_seconds{channel=\"bad\"}", 0.0),
        ("statuswatch_delivery_lag_seconds_count{channel=\"good\"}", 0.0),
        ("statuswatch_actor_restarts_total{actor=\"dispatcher\"}", 0.0),
    ] {
        assert_eq!(served.metric(series).await, Some(value), "{series}");
    }
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let delivered = "statuswatch_deliveries_total{channel=\"good\",outcome=\"delivered\"}";
    eventually("a delivery", async || served.metric(delivered).await.filter(|one| *one >= 1.0))
        .await;
    let dead = "statuswatch_dead_letters{channel=\"bad\"}";
    eventually("a dead letter", async || served.metric(dead).await.filter(|one| *one >= 1.0)).await;
    let given_up = "statuswatch_deliveries_total{channel=\"bad\",outcome=\"dead\"}";
    assert!(served.metric(given_up).await.unwrap() >= 1.0);
    let text = served.get("/metrics").await.text();
    let value = |series: &str| text.lines().find_map(|line| line.strip_prefix(series));
    let lag = value("statuswatch_delivery_lag_seconds_count{channel=\"good\"}");
    assert_eq!((lag, lag.is_some()), (value(delivered), true));

    let letters = served.get("/api/v1/deadletters?channel=bad&limit=1").await.json();
    let letter = &letters["dead_letters"][0];
    assert_eq!(letter["channel"], "bad");
    assert!(letter["seq"].as_u64().is_some() && letter["reason"].is_string(), "{letter}");
    let none = served.get("/api/v1/deadletters?channel=good").await.json();
    assert_eq!(none, json!({"dead_letters": []}));
    let bad = channel(&served, "bad").await;
    assert!(bad["dead"].as_u64() >= Some(1) && bad["kind"] == "webhook", "{bad}");

    // Who was notified of the incident, and when.
    let key = eventually("the incident", async || {
        let incidents = served.get("/api/v1/incidents").await.json();
        incidents["incidents"][0]["key"].as_str().map(str::to_owned)
    })
    .await;
    let detail = served.get(&format!("/api/v1/incidents/{key}")).await.json();
    let notified = detail["notified"].as_array().unwrap();
    assert!(!notified.is_empty() && notified.iter().all(|one| one["channel"] == "good"));
    assert_eq!(notified[0]["seq"], detail["events"][0]["seq"]);
    assert!(statuswatch::event::parse_time(notified[0]["at"].as_str().unwrap()).is_some());

    for target in ["/api/v1/channels", "/api/v1/deadletters", "/metrics", "/api/v1/openapi.json"] {
        let text = served.get(target).await.text();
        assert!(!text.contains(SECRET) && !text.contains("/good?"), "{target}: {text}");
    }
}

#[tokio::test]
async fn a_channel_that_refuses_everything_is_not_healthy_and_its_messages_wait() {
    let (acme, _server, _bench, served, receiver) = with_channels().await;
    receiver.always(GOOD, Reply::status(401));
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let healthy = "statuswatch_channel_healthy{channel=\"good\"}";
    eventually("a broken channel", async || served.metric(healthy).await.filter(|one| *one == 0.0))
        .await;
    let since = "statuswatch_channel_oldest_waiting_timestamp_seconds{channel=\"good\"}";
    let since = served.metric(since).await.unwrap();
    let age = acme.now().timestamp() as f64 - since;
    assert!((-5.0..60.0).contains(&age), "{since}");
    let good = channel(&served, "good").await;
    assert_eq!(good["health"], "broken", "{good}");
    assert!(good["waiting"].as_u64() >= Some(1) && good["last_error"].is_string(), "{good}");
    assert!(good["oldest_waiting_at"].is_string() && good["probe_at"].is_string(), "{good}");
}

#[tokio::test]
async fn a_mute_is_set_listed_and_ended() {
    let (acme, _server, _bench, served, receiver) = with_channels().await;
    // A refusal would be reported to the other channel.
    receiver.always("/bad", Reply::ok(""));
    let set = json!({"provider": "acme", "for": "2h", "reason": "known\u{1b}\nissue"});
    let answer = change(&served, "POST", "/api/v1/mutes", &set).await;
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let mute = answer.json();
    assert_eq!((&mute["provider"], &mute["reason"]), (&"acme".into(), &"known issue".into()));
    assert!(mute["until"].is_string() && mute["ended_at"].is_null(), "{mute}");
    let listed = served.get("/api/v1/mutes").await.json();
    assert_eq!(listed, json!({"mutes": [mute]}));

    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    eventually("a held message", async || {
        (channel(&served, "good").await["held"].as_u64() >= Some(1)).then_some(())
    })
    .await;
    assert!(receiver.at(GOOD).is_empty());

    let ended = change(&served, "DELETE", "/api/v1/mutes?provider=acme", &Value::Null).await;
    assert_eq!((ended.status(), ended.json()), (200, json!({"ended": 1})));
    let again = change(&served, "DELETE", "/api/v1/mutes?provider=acme", &Value::Null).await;
    assert_eq!(again.json(), json!({"ended": 0}));
    assert_eq!(served.get("/api/v1/mutes").await.json(), json!({"mutes": []}));
    let all = served.get("/api/v1/mutes?all=true").await.json();
    assert!(all["mutes"][0]["ended_at"].is_string(), "{all}");
    eventually("the message", async || {
        (channel(&served, "good").await["delivered_today"].as_u64() >= Some(1)).then_some(())
    })
    .await;

    for (body, status) in [
        (json!({"provider": "other"}), 404),
        (json!({"provider": "acme", "for": "soon"}), 400),
        (json!({"provider": "acme", "until": "2020-01-01T00:00:00Z"}), 400),
        (json!({"provider": "acme", "for": "1h", "until": "2099-01-01T00:00:00Z"}), 400),
        (json!({"provider": "acme", "reason": "x".repeat(201)}), 400),
        (json!({"provider": "acme", "component": ""}), 400),
        (json!({"provider": "acme", "forever": true}), 400),
        (json!([]), 400),
    ] {
        let answer = change(&served, "POST", "/api/v1/mutes", &body).await;
        assert_eq!(answer.status(), status, "{body}: {}", answer.text());
        assert_eq!(answer.json()["status"], status, "{body}");
    }
    for (target, status) in [("/api/v1/mutes", 400), ("/api/v1/mutes?provider=other", 404)] {
        assert_eq!(change(&served, "DELETE", target, &Value::Null).await.status(), status);
    }
    // What a form of another page can send.
    let form = [("Content-Type", "text/plain")];
    let answer = ask(
        served.address,
        "POST",
        "/api/v1/mutes",
        "localhost",
        &form,
        b"{\"provider\":\"acme\"}",
    );
    assert_eq!(answer.await.status(), 415);
    let foreign = [JSON, ("Origin", "https://evil.example")];
    for method in ["POST", "DELETE"] {
        let target = "/api/v1/mutes?provider=acme";
        let answer = ask(served.address, method, target, "localhost", &foreign, b"{}").await;
        assert_eq!(answer.status(), 403, "{method}");
    }
}

#[tokio::test]
async fn changes_need_the_token_for_changes() {
    let (reading, writing) = ("0123456789abcdef-read", "0123456789abcdef-write");
    let start = async |http: &str| {
        let (acme, server, bench) = acme(http).await;
        std::fs::write(bench.path("read"), reading).unwrap();
        std::fs::write(bench.path("write"), writing).unwrap();
        let served = Served::start(&bench).await;
        first_poll(&bench).await;
        (acme, server, bench, served)
    };
    let with = async |served: &Served, method: &str, token: Option<&str>| {
        let bearer = format!("Bearer {}", token.unwrap_or_default());
        let mut headers = vec![JSON];
        headers.extend(token.map(|_| ("Authorization", bearer.as_str())));
        let body: &[u8] = if method == "POST" { b"{\"provider\":\"acme\"}" } else { b"" };
        ask(served.address, method, "/api/v1/mutes", "localhost", &headers, body).await.status()
    };
    let both =
        start("http: {listen: \"127.0.0.1:0\", token_file: read, write_token_file: write}").await;
    for (method, token, status) in [
        ("POST", None, 401),
        ("POST", Some(reading), 401),
        ("POST", Some(writing), 201),
        ("GET", None, 401),
        ("GET", Some(reading), 200),
        ("GET", Some(writing), 200),
    ] {
        assert_eq!(with(&both.3, method, token).await, status, "{method} {token:?}");
    }
    drop(both);
    let one = start("http: {listen: \"127.0.0.1:0\", token_file: read}").await;
    assert_eq!(with(&one.3, "POST", Some(reading)).await, 201);
    assert_eq!(with(&one.3, "POST", Some(writing)).await, 401);
    drop(one);
    // Everybody may read, so everybody could mute.
    let open =
        start("http: {listen: \"127.0.0.1:0\", hosts: [status.acme.example], auth: none}").await;
    assert_eq!(with(&open.3, "GET", None).await, 200);
    assert_eq!(with(&open.3, "POST", None).await, 403);
    drop(open);
    let writable =
        start("http: {listen: \"127.0.0.1:0\", hosts: [status.acme.example], auth: none, write_token_file: write}")
            .await;
    assert_eq!(with(&writable.3, "GET", None).await, 200);
    assert_eq!(with(&writable.3, "POST", None).await, 401);
    assert_eq!(with(&writable.3, "POST", Some(writing)).await, 201);
}

#[tokio::test]
async fn the_gate_answers_with_a_status_and_what_the_command_prints() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let pass = served.get("/api/v1/gate?needs=acme").await;
    assert_eq!((pass.status(), &pass.json()["verdict"]), (200, &"pass".into()));
    assert_eq!(pass.header("cache-control").as_deref(), Some("no-store"));
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    until("the incident", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    for (query, status) in [
        ("needs=acme", 409),
        ("needs=acme%23compute", 409),
        ("needs=acme&min_impact=critical", 200),
        ("needs=acme,npm", 409),
        ("needs=npm", 503),
        ("needs=npm&on_unknown=pass", 200),
        ("needs=npm&on_unknown=hold", 409),
        ("needs=acme&max_age=1ms", 503),
        ("needs=npm&needs=acme&min_impact=critical", 503),
        ("", 400),
        ("needs=", 400),
        ("needs=acne", 404),
        ("needs=acme%23nothing", 404),
        ("needs=acme&min_impact=none", 400),
        ("needs=acme&max_age=soon", 400),
        ("needs=acme&on_unknown=maybe", 400),
    ] {
        let answer = served.get(&format!("/api/v1/gate?{query}")).await;
        assert_eq!(answer.status(), status, "{query}: {}", answer.text());
        let media = answer.header("content-type").unwrap();
        let is_problem = matches!(status, 400 | 404);
        let expected = if is_problem { "application/problem+json" } else { "application/json" };
        assert_eq!(media, expected, "{query}");
    }
    let wrong = served.get("/api/v1/gate?needs=acne").await.json();
    assert_eq!(wrong["detail"], "no provider \"acne\"; candidate: acme");
    let answer = served.get("/api/v1/gate?needs=acme,npm").await.json();
    let (_, out, _) = bench.output(&["gate", "--needs", "acme,npm", "--json"]);
    let printed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["verdict"], printed["verdict"]);
    assert_eq!(answer["needs"][1], printed["needs"][1]);
    assert_eq!(answer["needs"][0]["items"], printed["needs"][0]["items"]);
}

#[tokio::test]
async fn errors_that_others_see_stand_beside_the_providers_state() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    assert_eq!(served.get("/api/v1/status").await.json()["observed"], json!([]));
    assert!(served.get("/api/v1/providers/acme").await.json()["observed"].is_null());
    let report = json!({"provider": "acme", "error_rate": 0.2});
    let answer = change(&served, "POST", "/api/v1/observe", &report).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let observed = answer.json();
    assert_eq!(
        (&observed["status"], &observed["disagrees"]),
        (&"operational".into(), &true.into())
    );
    assert_eq!(served.get("/api/v1/status").await.json()["observed"], json!([observed]));
    assert_eq!(served.get("/api/v1/providers/acme").await.json()["observed"], observed);
    let line = "20 % of your requests fail";
    let overview = served.get("/").await.text();
    assert!(overview.contains(&format!("{line}; its page says operational.")), "{overview}");
    assert!(!overview.contains("Nothing is open."), "{overview}");
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    eventually("agreement", async || {
        let now = served.get("/api/v1/providers/acme").await.json();
        (now["observed"]["disagrees"] == false && now["observed"]["status"] == "partial_outage")
            .then_some(())
    })
    .await;
    assert!(!served.get("/").await.text().contains(line));
    let page = served.get("/providers/acme").await.text();
    assert!(page.contains(line) && page.contains("its page says partial outage."), "{page}");
    for (body, status) in [
        (json!({"provider": "other", "error_rate": 0.2}), 404),
        (json!({"provider": "acme", "error_rate": 1.1}), 400),
        (json!({"provider": "acme", "error_rate": -0.1}), 400),
        (json!({"provider": "acme"}), 400),
    ] {
        let answer = change(&served, "POST", "/api/v1/observe", &body).await;
        assert_eq!(answer.status(), status, "{body}");
    }
}

#[tokio::test]
async fn the_lag_of_a_provider_is_measured_and_printed_alike() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let none = served.get("/api/v1/providers/acme").await.json();
    assert_eq!(none["lag"]["updates"], json!({"count": 0, "p50": null, "p99": null}));
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    acme.update(posted.incident, statuswatch::event::IncidentStatus::Identified, "We know why.");
    let lag = eventually("a lag", async || {
        let lag = served.get("/api/v1/providers/acme").await.json()["lag"].clone();
        (lag["updates"]["count"] == 2).then_some(lag)
    })
    .await;
    // It is polled every 200 ms.
    let p99 = lag["updates"]["p99"].as_f64().unwrap();
    assert!((0.0..30.0).contains(&p99) && lag["updates"]["p50"].as_f64().unwrap() <= p99, "{lag}");
    assert_eq!(lag["incidents"]["count"], 1, "{lag}");
    let (_, out, _) = bench.output(&["status", "--lag", "--json", "acme"]);
    let printed: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&printed["days"], &printed["providers"][0]["lag"]), (&30.into(), &lag));
    let page = served.get("/providers/acme").await.text();
    for part in ["<dt>Seen</dt>", "2 updates in 30 days", "1 incident in 30 days", "p99 <b>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (output, out, _) = bench.output(&["status", "--lag"]);
    assert!(output.status.success());
    let line = out.lines().nth(1).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((cells[0], cells[1], cells[4]), ("acme", "2", "1"), "{out}");
    let (output, ..) = bench.output(&["status", "--lag", "--check"]);
    assert_eq!(output.status.code(), Some(2));
}
