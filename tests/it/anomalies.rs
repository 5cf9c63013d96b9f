//! Rejected responses: an anomaly lasts across restarts and single runs, is shown, and is reported
//! once; a page's time in the future is none.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use statuswatch::fake::{Provider, Server};

use crate::support::binary::Bench;
use crate::support::provider::alone;

const FIRST: &str = "api/v2/summary.json";

/// A page that changed so many seconds from now, with one incident of this text or none.
fn page(id: &str, seconds: i64, incident: Option<&str>) -> String {
    let now = (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339();
    let incidents: Vec<Value> = incident
        .map(|text| {
            json!({"id": format!("i{}", text.len()), "name": text, "status": "investigating", "impact": "minor",
                "created_at": now, "updated_at": now, "incident_updates": [{"id": format!("u{}", text.len()),
                "status": "investigating", "body": text, "created_at": now, "updated_at": now}]})
        })
        .into_iter()
        .collect();
    json!({"page": {"id": id, "name": "Acme", "url": "https://status.acme.example", "updated_at": now},
        "status": {"indicator": if incidents.is_empty() { "none" } else { "minor" }},
        "components": [{"id": "c1", "name": "API", "status": "operational"}],
        "incidents": incidents, "scheduled_maintenances": []})
    .to_string()
}

const OURS: &str = "abcdef123456";
const THEIRS: &str = "fedcba654321";

struct Watched {
    provider: Provider,
    _server: Server,
    bench: Bench,
}

impl Watched {
    async fn new() -> Self {
        let provider = Provider::raw("acme", Arc::new(Utc::now));
        let server = alone(&provider).await;
        let bench = Bench::new().provider("acme", &format!("{}{FIRST}", server.url("acme")), "");
        Self { provider, _server: server, bench }
    }

    /// One single run over this page; gives what it said, and how `status` shows it then.
    async fn once(&self, page: &str) -> (String, Value) {
        self.provider.set_document(FIRST, "application/json", page.to_owned());
        let ended = self.bench.start(&["run", "--once"]).ended().await;
        (ended.err, self.bench.status_of("acme").unwrap())
    }

    fn reported(&self) -> Vec<String> {
        let events = self.bench.events();
        events.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_page_time_in_the_future_blinds_no_single_run() {
    let watched = Watched::new().await;
    watched.once(&page(OURS, -60, None)).await;
    let century = 73 * 365 * 24 * 3600;
    let (_, shown) = watched.once(&page(OURS, century, None)).await;
    assert_eq!(shown["doubt"], Value::Null, "what it says is believed, but not when");
    let (_, shown) = watched.once(&page(OURS, -30, Some("Parcels"))).await;
    assert_eq!((&shown["doubt"], &shown["status"]), (&Value::Null, &json!("degraded_performance")));
    assert_eq!(watched.reported(), ["Parcels"]);
    // Of an incident, likewise.
    watched.once(&page(OURS, century, Some("Parcels, and labels"))).await;
    watched.once(&page(OURS, 0, Some("Parcels, labels, and vans"))).await;
    assert_eq!(watched.reported(), ["Parcels", "Parcels, and labels", "Parcels, labels, and vans"]);
}

#[tokio::test]
async fn what_is_not_believed_is_reported_once_shown_and_never_operational() {
    for (id, seconds, is_failure) in [(OURS, -3600, false), (THEIRS, 0, true)] {
        let watched = Watched::new().await;
        let good = page(OURS, -60, None);
        let (_, shown) = watched.once(&good).await;
        let read = shown["last_success"].clone();
        assert_eq!(
            (&shown["freshness"], &shown["status"]),
            (&json!("fresh"), &json!("operational"))
        );
        assert_eq!(shown["doubt"], Value::Null);

        let odd = page(id, seconds, Some("Theirs"));
        let (said, shown) = watched.once(&odd).await;
        assert_eq!(said.matches("the response is").count(), 1, "{said}");
        assert_eq!((&shown["freshness"], &shown["status"]), (&json!("doubted"), &json!("unknown")));
        assert_eq!(shown["last_success"], read, "it is no success");
        assert_eq!(shown["last_error"].is_string(), is_failure);
        let (began, why) = (shown["doubt_since"].clone(), shown["doubt"].as_str().unwrap());
        assert!(why.starts_with("the response is"), "{why}");

        // A failed poll waits; the clock of the test does not.
        if !is_failure {
            let (said, shown) = watched.once(&odd).await;
            assert!(!said.contains("the response is"), "said twice: {said}");
            assert_eq!(shown["doubt_since"], began, "it has lasted since the first");
        }
        let (_, text, _) = watched.bench.output(&["status"]);
        assert!(text.contains("not believed since") && text.contains(why), "{text}");
        assert_eq!(text.matches(why).count(), 1, "{text}");
        let (checked, ..) = watched.bench.output(&["status", "--check"]);
        assert_eq!(checked.status.code(), Some(1), "nobody is read");
        assert_eq!(watched.reported(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_answer_that_is_believed_ends_the_doubt() {
    let watched = Watched::new().await;
    let good = page(OURS, -60, None);
    watched.once(&good).await;
    let (_, shown) = watched.once(&page(OURS, -3600, None)).await;
    assert_eq!(shown["freshness"], "doubted");
    // The same bytes as before: nothing is parsed, and it is the page all the same.
    let (_, shown) = watched.once(&good).await;
    assert_eq!((&shown["freshness"], &shown["status"]), (&json!("fresh"), &json!("operational")));
    assert_eq!((&shown["doubt"], &shown["doubt_since"]), (&Value::Null, &Value::Null));
}
