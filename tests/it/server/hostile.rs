//! What providers and strangers write, in every answer there is.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use statuswatch::server::routes::all;

use super::*;
use crate::support::receiver::Receiver;

const SCRIPT: &str = "</script><script>alert(1)</script><svg onload=alert(1)>'\"]]>--&amp;";
const LINK: &str = "javascript:alert(document.domain)//https://status.acme.example/";
/// Ends a line wherever it is copied as it is.
const LINES: &str = "x\r\nX-Evil: 1\r\n\r\n<b>y</b>";

/// A page of Statuspage with a hostile text in every field that there is.
fn page(text: &str) -> String {
    let at = (chrono::Utc::now() - chrono::Duration::minutes(5)).to_rfc3339();
    let later = (chrono::Utc::now() + chrono::Duration::hours(5)).to_rfc3339();
    let components = json!([
        {"id": "g1", "name": text, "status": "operational", "group": true, "group_id": null, "description": text},
        {"id": "c1", "name": text, "status": "major_outage", "group": false, "group_id": "g1", "description": text},
    ]);
    let item = |id: &str, status: &str, more: Value| {
        let mut item = json!({
            "id": id, "name": text, "status": status, "impact": "critical", "shortlink": LINK,
            "created_at": at, "updated_at": at, "started_at": at, "components": [components[1]],
            "incident_updates": [{
                "id": format!("u{id}"), "status": status, "body": text, "created_at": at,
                "updated_at": at, "display_at": at,
                "affected_components": [{"code": "c1", "name": text, "new_status": "major_outage"}],
            }],
        });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    json!({
        "page": {"id": "0123456789ab", "name": text, "url": LINK, "updated_at": at, "time_zone": text},
        "status": {"indicator": "critical", "description": text},
        "components": components,
        "incidents": [item("i1", "investigating", json!({}))],
        "scheduled_maintenances": [item("m1", "scheduled", json!({"scheduled_for": later, "scheduled_until": null}))],
    })
    .to_string()
}

/// A server whose one provider writes `text` wherever it can, and the key of its incident.
async fn hostile(text: &str) -> (Server, Bench, Served, String) {
    let acme = Provider::raw("acme", Arc::new(chrono::Utc::now));
    acme.set_document("api/v2/summary.json", "application/json", page(text));
    let server = alone(&acme).await;
    let name = serde_json::to_string(text).unwrap();
    let bench = Bench::new()
        .default("first_run", "all")
        .section(&HTTP.replace("metrics:", "public: [page], metrics:"))
        .section("channels: {ops: {kind: webhook, url: \"http://127.0.0.1:1/\"}}")
        .provider(
            "acme",
            &format!("{}/api/v2/summary.json", server.url("acme").trim_end_matches('/')),
            &format!(", name: {name}"),
        );
    let served = Served::start(&bench).await;
    let key = eventually("the incident", async || {
        let list = served.get("/api/v1/incidents").await.json();
        Some(list["incidents"][0]["key"].as_str()?.to_owned())
    })
    .await;
    (server, bench, served, key)
}

/// Every address that answers GET, but the stream.
fn targets(key: &str) -> Vec<String> {
    let routes = all().filter(|route| route.method == "GET" && route.path != "/api/v1/stream");
    let mut targets: Vec<String> = routes
        .map(|route| route.path.replace("{id}", "acme").replace("{key}", key))
        .map(|path| if path.ends_with("/gate") { format!("{path}?needs=acme") } else { path })
        .collect();
    targets.push("/routes?provider=acme&impact=major".to_owned());
    targets
}

#[tokio::test]
async fn no_field_of_a_page_becomes_a_script_a_link_or_a_header() {
    for text in [SCRIPT, LINES] {
        let (_server, _bench, served, key) = hostile(text).await;
        let mut shown = 0;
        for target in targets(&key) {
            let answer = served.get(&target).await;
            let whole = String::from_utf8_lossy(&answer.bytes).into_owned();
            let head = whole.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
            assert!(!head.contains("x-evil") && !head.contains("alert"), "{target}: {head}");
            let media = answer.header("content-type").unwrap();
            let body = answer.text();
            shown += usize::from(body.contains("alert(1)") || body.contains("X-Evil"));
            match media.split(';').next().unwrap() {
                "text/html" | "application/atom+xml" | "image/svg+xml" => {
                    let low = body.to_ascii_lowercase();
                    assert!(!low.contains("<script>") && !low.contains("<svg onload"), "{target}");
                    assert!(!low.contains("href=\"javascript:"), "{target}: {body}");
                    assert!(!low.contains("<b>y</b>"), "{target}: {body}");
                }
                "text/calendar" => {
                    assert!(!body.contains("\nX-Evil"), "{target}: {body}");
                    assert!(!body.contains("URL:javascript"), "{target}: {body}");
                }
                "application/openmetrics-text" => {
                    assert!(!body.contains("\nX-Evil"), "{target}: {body}");
                }
                // JSON: valid whatever is in it, and links lead nowhere else.
                media if media.contains("json") => links(&answer.json(), &target),
                other => assert!(other.starts_with("text/"), "{target}: {other}"),
            }
            if media.contains("atom") {
                feed_rs::parser::parse(answer.body()).unwrap();
            }
        }
        assert!(shown > 10, "the text is shown in {shown} answers only");
    }
}

/// Fails where a value that is an address has another scheme than HTTP.
fn links(value: &Value, target: &str) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| links(one, target)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if let (true, Some(text)) =
                    (name.ends_with("url") || name == "shortlink", value.as_str())
                {
                    assert!(
                        text.is_empty() || text.starts_with("http"),
                        "{target}: {name}: {text}"
                    );
                }
                links(value, target);
            }
        }
        _ => {}
    }
}

/// Each secret is written once in the configuration, and must be in no answer and no diagnostics.
#[tokio::test]
async fn no_secret_of_the_configuration_is_in_any_answer() {
    let receiver = Receiver::start();
    let (acme, server, _) = acme(HTTP).await;
    acme.open_incident("Failed requests", statuswatch::event::Impact::Major, &["Compute"], "x");
    let secrets = [
        "canary-hook-0123456789",
        "canary-read-0123456789",
        "canary-write-0123456789",
        "canary-url-0123456789",
        "canary-webhook-0123456789",
        "canary-slack-0123456789",
        "canary-header-0123456789",
        "canary-beat-0123456789",
    ];
    let [hook, read, write, url, webhook, slack, header, beat] = secrets;
    let at = receiver.url.trim_start_matches("http://");
    let bench = Bench::new()
        .section(&format!(
            "http: {{listen: \"127.0.0.1:0\", token_file: read, write_token_file: write, hooks: {{acme: {hook}}}}}"
        ))
        .section(&format!("beat: {{url: \"http://127.0.0.1:1/{beat}\"}}"))
        .section(&format!(
            "channels:\n  ops: {{kind: webhook, url: \"http://127.0.0.1:1/{webhook}?x={webhook}\", headers: {{X-Key: {header}}}}}\n  team: {{kind: mattermost, webhook_url: \"http://{at}/{slack}\"}}"
        ))
        .section("routes: [{match: {min_impact: none}, to: [ops, team]}]")
        .provider("acme", &server.url("acme"), "")
        .provider("down", &format!("http://127.0.0.1:1/?key={url}"), "");
    std::fs::write(bench.path("read"), read).unwrap();
    std::fs::write(bench.path("write"), write).unwrap();
    let served = Served::start(&bench).await;
    let bearer = format!("Bearer {read}");
    let carried = [("Authorization", bearer.as_str())];
    // The channel that cannot be reached has failed, so that its error is there to be shown.
    eventually("an error", async || {
        let list = served.get_with("/api/v1/channels", &carried).await.json();
        let ops = list["channels"].as_array()?.iter().find(|one| one["id"] == "ops")?.clone();
        ops["last_error"].is_string().then_some(())
    })
    .await;
    let key = eventually("the incident", async || {
        let list = served.get_with("/api/v1/incidents", &carried).await.json();
        Some(list["incidents"][0]["key"].as_str()?.to_owned())
    })
    .await;
    let mut answered = 0;
    let down = ["/api/v1/providers/down", "/providers/down", "/badge/down.svg"].map(str::to_owned);
    for target in targets(&key).into_iter().chain(down) {
        for headers in [&carried[..], &[]] {
            let answer = served.get_with(&target, headers).await;
            let text = String::from_utf8_lossy(&answer.bytes).into_owned();
            answered += usize::from(answer.status() == 200);
            for secret in secrets {
                assert!(!text.contains(secret), "{target}: {secret}: {text}");
            }
        }
    }
    assert!(answered > 25, "{answered} answers only");
    let said = format!("{}{}{}", bench.diagnostics(), served.run.err(), served.run.out());
    for secret in secrets {
        assert!(!said.contains(secret), "{secret} in: {said}");
    }
}

/// Bytes that a path or a query may be made of, often such as mean something.
fn bytes() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[a-z0-9]{1,8}",
        2 => prop::sample::select(vec![
            "/", "//", "..", ".", "?", "&", "=", ",", "#", "+", "-", "%", "%00", "%0a", "%0d%0a", "%2f", "%2e%2e",
            "%ff", "%c3%28", "%F0%9F%92%A9", "%u0041", "{id}", "acme", "major+", "since", "after", "limit", "page",
            "provider", "needs", "kind", "impact", "q", "1h", "18446744073709551616", "-1", "1e9", "\u{7f}",
        ]).prop_map(str::to_owned),
        1 => any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Whatever a path and a query hold, an answer comes that is one of ours.
#[tokio::test]
async fn no_path_or_query_is_too_strange_for_an_answer() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let routes: Vec<&str> =
        all().map(|route| route.path).filter(|path| *path != "/api/v1/stream").collect();
    let target = prop_oneof![
        (prop::sample::select(routes), bytes(), bytes()).prop_map(|(route, part, query)| {
            let part = part.replace(['?', '#'], "");
            let path = ["{id}", "{key}", "{provider}", "{token}", "{name}"]
                .iter()
                .fold(route.to_owned(), |path, name| path.replace(name, &part));
            format!("{path}?{query}")
        }),
        bytes().prop_map(|path| format!("/{path}")),
    ];
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..1500 {
        let target = target.new_tree(&mut runner).unwrap().current();
        if target.starts_with("/api/v1/stream") {
            continue;
        }
        let answer = served.get(&target).await;
        let status = answer.status();
        // The gate and readiness say 503 and 409 for what they found.
        let found = target.starts_with("/api/v1/gate") || target.starts_with("/readyz");
        let fine = matches!(status, 200 | 400 | 404 | 405) || found && matches!(status, 409 | 503);
        assert!(fine, "{target}: {status}: {}", answer.text());
        let head = String::from_utf8_lossy(&answer.bytes).into_owned();
        let head = head.split("\r\n\r\n").next().unwrap().to_owned();
        assert!(
            !head.contains(|c: char| c.is_control() && !"\r\n".contains(c)),
            "{target}: {head}"
        );
        assert!(answer.header("content-security-policy").is_some() || status == 400, "{target}");
    }
    // Bytes that are no text at all.
    for path in [&b"/\xff\xfe"[..], b"/badge/\xc3\x28.svg", b"/?\xff=\xfe", b"/\x00", b"/ /"] {
        let request = [b"GET ", path, b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"];
        let answer = send(served.address, &request.concat()).await;
        assert!([200, 400, 404].contains(&answer.status()), "{path:?}: {}", answer.status());
    }
    assert_eq!(served.get("/healthz").await.status(), 200);
}
