//! The source `json`: a page described in `providers.yaml`, watched by the real binary.

use std::sync::Arc;

use chrono::Utc;
use serde_json::{Value, json};
use statuswatch::fake::Provider;

use crate::support::binary::Bench;
use crate::support::provider::alone;
use crate::support::wait::until_true;

/// The reports of a page in a format of its own.
fn show(acme: &Provider, reports: &Value) {
    acme.set_document(
        "board.json",
        "application/json",
        json!({"data": {"reports": reports}}).to_string(),
    );
}

fn report(no: u32, state: &str, text: &str, at: &str) -> Value {
    json!({"no": no, "headline": format!("Kiln {no} is cold"), "state": state, "log": [{"said": text, "at": at}], "level": "sev2"})
}

/// Kind, incident, status, message and impact of an event.
fn reported(event: &Value) -> (&str, &str, &str, Option<&str>, &str) {
    let text = |key: &str| event[key].as_str().unwrap();
    (text("kind"), text("incident_id"), text("status"), event["message"].as_str(), text("impact"))
}

fn bench(url: &str, absent: &str) -> Bench {
    let description = format!(
        ", source: json, json: {{list: /data/reports, id: /no, title: /headline, status: /state, text: /log/0/said, \
         time: /log/0/at, impact: /level{absent}, words: {{\"burning low\": investigating, \"warming up\": monitoring, sev2: major}}}}"
    );
    Bench::new().provider("acme", &format!("{url}/board.json"), &description)
}

#[tokio::test]
async fn an_incident_of_a_described_page_opens_changes_and_ends() {
    let acme = Provider::raw("acme", Arc::new(Utc::now));
    show(&acme, &json!([report(1, "burning low", "No gas at the valve.", "2026-11-20T08:00:00Z")]));
    let server = alone(&acme).await;
    let bench = bench(&server.url("acme"), ", absent: over");
    let run = bench.start(&["run", "--hosted"]);

    let events = bench.wait_events(1).await;
    assert_eq!(
        reported(&events[0]),
        ("incident", "1", "investigating", Some("No gas at the valve."), "major")
    );

    let second = report(2, "burning low", "Flame out.", "2026-11-20T09:00:00Z");
    show(
        &acme,
        &json!([report(1, "warming up", "The valve is open.", "2026-11-20T08:30:00Z"), second]),
    );
    let events = bench.wait_events(3).await;
    let mut news: Vec<_> = events[1..].iter().map(reported).collect();
    news.sort_unstable();
    assert_eq!(
        news,
        [
            ("incident", "1", "monitoring", Some("The valve is open."), "major"),
            ("incident", "2", "investigating", Some("Flame out."), "major"),
        ]
    );

    show(&acme, &json!([second]));
    let events = bench.wait_events(4).await;
    assert_eq!(reported(&events[3]), ("incident", "1", "resolved", None, "major"));
    assert_eq!(events[3]["previous_status"], "monitoring");
    let open = bench.status_of("acme").unwrap()["open"].clone();
    assert_eq!(
        open.as_array()
            .unwrap()
            .iter()
            .map(|item| item["title"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["Kiln 2 is cold"]
    );

    // An answer that is not as described ends nothing.
    acme.set_document("board.json", "application/json", r#"{"data": {}}"#);
    until_true("a failed poll", || {
        bench.status_of("acme").is_some_and(|acme| acme["failures"].as_u64() > Some(1))
    })
    .await;
    show(&acme, &json!([]));
    let events = bench.wait_events(5).await;
    assert_eq!(reported(&events[4]), ("incident", "2", "resolved", None, "major"));
    let ended = run.stop().await;
    assert_eq!((ended.code(), bench.events().len()), (Some(0), 5), "{}", ended.err);
}

#[tokio::test]
async fn by_default_an_absence_is_no_end() {
    let acme = Provider::raw("acme", Arc::new(Utc::now));
    show(&acme, &json!([report(1, "burning low", "No gas at the valve.", "2026-11-20T08:00:00Z")]));
    let server = alone(&acme).await;
    let bench = bench(&server.url("acme"), "");
    let run = bench.start(&["run", "--hosted"]);
    bench.wait_events(1).await;
    show(&acme, &json!([]));
    let is_closed = || {
        bench
            .status_of("acme")
            .is_some_and(|acme| acme["open"].as_array().is_some_and(Vec::is_empty))
    };
    until_true("nothing open any more", is_closed).await;
    let ended = run.stop().await;
    assert_eq!((ended.code(), bench.events().len()), (Some(0), 1), "{}", ended.err);
}
