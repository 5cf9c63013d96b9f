//! Traces, sent by the real binary to a collector that takes nothing which the protocol does not have.

use serde::Deserialize;
use statuswatch::event::Impact;
use statuswatch::fake::platform::Statuspage;

use crate::support::binary::{Bench, Run};
use crate::support::provider::{alone, provider};
use crate::support::receiver::{Receiver, Reply};
use crate::support::wait::until;

/// `ExportTraceServiceRequest` of OTLP 1.x in JSON, as far as a span needs it, and no other field.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Export {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    name: String,
    version: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Span {
    trace_id: String,
    #[serde(rename = "spanId")]
    id: String,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Status {
    code: u8,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    key: String,
    value: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Value {
    StringValue(String),
    /// 64-bit numbers are text.
    IntValue(String),
}

impl Span {
    fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.key == key)?;
        Some(match &found.value {
            Value::StringValue(text) => text,
            Value::IntValue(number) => {
                assert!(number.parse::<i64>().is_ok(), "{number}");
                number
            }
        })
    }
}

/// The spans that a collector received, each checked.
fn spans(receiver: &Receiver) -> Vec<Span> {
    let mut all = Vec::new();
    for request in receiver.at("/v1/traces") {
        assert_eq!(request.headers["content-type"], "application/json");
        let export: Export = serde_json::from_str(&request.body).unwrap();
        for resource in export.resource_spans {
            let attributes = &resource.resource.attributes;
            let service = attributes.iter().find(|one| one.key == "service.name").unwrap();
            assert!(matches!(&service.value, Value::StringValue(name) if name == "watch"));
            for scope in resource.scope_spans {
                assert_eq!(scope.scope.name, "statuswatch");
                assert_eq!(scope.scope.version, env!("CARGO_PKG_VERSION"));
                all.extend(scope.spans);
            }
        }
    }
    let now = chrono::Utc::now().timestamp_nanos_opt().unwrap();
    for span in &all {
        let is_id = |id: &str, digits: usize| {
            let hex = id.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
            id.len() == digits && hex && id.chars().any(|c| c != '0')
        };
        assert!(is_id(&span.trace_id, 32) && is_id(&span.id, 16), "{span:?}");
        let [begun, ended] = [&span.start_time_unix_nano, &span.end_time_unix_nano]
            .map(|time| time.parse::<i64>().unwrap());
        assert!(begun <= ended && ended <= now && now - begun < 600_000_000_000, "{span:?}");
        assert!(matches!((span.kind, span.status.code), (1 | 3, 0 | 2)), "{span:?}");
    }
    all
}

fn start(bench: &Bench, endpoint: &str) -> Run {
    bench.write();
    let mut command = bench.command();
    command.args(["run", "--hosted"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_SERVICE_NAME", "watch");
    command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary-header");
    Run::start(&mut command)
}

#[tokio::test]
async fn polls_commits_and_deliveries_are_spans_without_a_secret() {
    let acme = provider("acme", &Statuspage);
    acme.open_incident("canary-title", Impact::Major, &["Compute"], "canary-text");
    let server = alone(&acme).await;
    let (collector, channel) = (Receiver::start(), Receiver::start());
    collector.always("/v1/traces", Reply::ok("{}"));
    channel.script("/canary", [Reply::status(500)]);
    let bench = Bench::new()
        .section(&format!(
            "channels: {{ops: {{kind: webhook, url: \"{}/canary\"}}}}\nhttp: {{listen: \"127.0.0.1:0\"}}",
            channel.url
        ))
        .provider("acme", &format!("{}?token=canary", server.url("acme")), "")
        .provider("down", "http://127.0.0.1:1/canary", "");
    let run = start(&bench, &collector.url);
    let wanted = |all: &[Span], name: &str, attributes: &[(&str, &str)]| {
        all.iter().any(|span| {
            span.name == name
                && attributes.iter().all(|(key, value)| span.attribute(key) == Some(value))
        })
    };
    let all = until("all kinds of spans", || {
        let all = spans(&collector);
        let delivery = |outcome| [("statuswatch.channel", "ops"), ("statuswatch.outcome", outcome)];
        let poll = |provider, outcome| {
            [("statuswatch.provider", provider), ("statuswatch.outcome", outcome)]
        };
        let there = wanted(&all, "poll", &poll("acme", "read"))
            && wanted(&all, "poll", &poll("acme", "unchanged"))
            && wanted(&all, "poll", &poll("down", "failed"))
            && wanted(&all, "ledger commit", &[])
            && wanted(&all, "delivery", &delivery("retried"))
            && wanted(&all, "delivery", &delivery("delivered"));
        there.then_some(all)
    })
    .await;
    for span in &all {
        let outcome = span.attribute("statuswatch.outcome");
        match (span.name.as_str(), outcome) {
            ("poll", Some("read")) => {
                assert_eq!(span.attribute("statuswatch.source"), Some("statuspage"), "{span:?}");
                assert_eq!(span.attribute("http.response.status_code"), Some("200"), "{span:?}");
                let bytes: u64 = span.attribute("statuswatch.bytes").unwrap().parse().unwrap();
                assert!(bytes > 100, "{span:?}");
            }
            ("poll", Some("failed")) => {
                assert_eq!(span.status.code, 2, "{span:?}");
                assert_eq!(span.attribute("error.type"), Some("connect"), "{span:?}");
            }
            ("delivery", Some("retried")) => assert_eq!(span.status.code, 2, "{span:?}"),
            _ => assert_eq!(span.status.code, 0, "{span:?}"),
        }
    }
    let requests = collector.at("/v1/traces");
    assert_eq!(requests[0].headers["authorization"], "Bearer canary-header");
    assert!(requests.iter().all(|request| !request.body.contains("canary")));
    let ended = run.stop().await;
    assert_eq!(ended.code(), Some(0));
    assert!(!bench.diagnostics().contains("canary-header") && !ended.err.contains("canary-header"));
}

#[tokio::test]
async fn a_collector_that_hangs_delays_neither_polls_nor_the_end() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let collector = Receiver::start();
    collector.always("/v1/traces", Reply::Hang);
    let bench = Bench::new().provider("acme", &server.url("acme"), "");
    let run = start(&bench, &collector.url);
    until("a request that hangs", || (!collector.at("/v1/traces").is_empty()).then_some(())).await;
    let before = server.requests_of("acme").len();
    until("polls meanwhile", || (server.requests_of("acme").len() > before + 10).then_some(()))
        .await;
    let begun = std::time::Instant::now();
    assert_eq!(run.stop().await.code(), Some(0));
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    // Nobody is sent anything unless it is asked for, and a mistake ends no watch.
    let run = start(&bench, "collector:4318");
    run.wait_err("no traces are sent: OTEL_EXPORTER_OTLP_ENDPOINT must be an address").await;
    let before = server.requests_of("acme").len();
    until("polls", || (server.requests_of("acme").len() > before).then_some(())).await;
    assert_eq!(run.stop().await.code(), Some(0));
}
