//! Sends spans to a collector: OTLP/HTTP with JSON, as the `OpenTelemetry` Protocol Specification 1.x has
//! it ("OTLP/HTTP", "JSON Protobuf Encoding": ids in hexadecimal, 64-bit numbers as text).
//!
//! By hand, since the crates would bring tonic and prost for one format of which this is all. A
//! collector that is away, slow or refuses costs spans, which are counted, and nothing else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use crate::clock;
use crate::event::Time;
use crate::fetch::{Outgoing, Sender};
use crate::trace::{Counts, Span, Value};

/// Spans are sent at least this often.
const EVERY: Duration = Duration::from_secs(5);
/// Spans of one request.
const BATCH: usize = 512;
/// One request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The last one, when the process ends.
const LAST: Duration = Duration::from_millis(500);

/// Where spans go. Headers are credentials as a rule.
#[derive(Clone)]
pub struct Options {
    /// The whole address, with `/v1/traces`.
    pub endpoint: Url,
    /// Further header fields.
    pub headers: Vec<(String, String)>,
    /// `service.name`.
    pub service: String,
    /// Further attributes of the resource.
    pub resource: Vec<(String, String)>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("service", &self.service).finish_non_exhaustive()
    }
}

/// Sends spans until it is stopped.
pub struct Exporter {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Exporter {
    /// Starts to send what comes out of `spans`. Must be called inside a runtime.
    #[must_use]
    pub fn start(
        options: Options,
        sender: Sender,
        spans: mpsc::Receiver<Span>,
        counts: Arc<Counts>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let sending = Sending { options, sender, counts, failing: false };
        Self { stop, task: tokio::spawn(sending.run(spans, stopped)) }
    }

    /// Sends what is left, for at most half a second.
    pub async fn finish(&mut self) {
        self.stop.send_replace(true);
        if timeout(LAST, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

struct Sending {
    options: Options,
    sender: Sender,
    counts: Arc<Counts>,
    /// Whether the last request failed.
    failing: bool,
}

/// What a collector may say of what it accepted.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Accepted {
    partial_success: Option<Partial>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Partial {
    /// A number as text, or as a number: collectors differ.
    rejected_spans: Json,
}

impl Sending {
    async fn run(mut self, mut spans: mpsc::Receiver<Span>, mut stopped: watch::Receiver<bool>) {
        let (mut batch, mut due) = (Vec::new(), Instant::now() + EVERY);
        loop {
            let is_last = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => true,
                () = sleep_until(due) => false,
                span = spans.recv() => {
                    batch.extend(span);
                    if batch.len() < BATCH {
                        continue;
                    }
                    false
                }
            };
            if is_last {
                while let Some(span) = spans.try_recv().ok().filter(|_| batch.len() < BATCH) {
                    batch.push(span);
                }
            }
            if !batch.is_empty() {
                self.send(&std::mem::take(&mut batch)).await;
            }
            if is_last {
                return;
            }
            due = Instant::now() + EVERY;
        }
    }

    async fn send(&mut self, batch: &[Span]) {
        let now = (clock::now(), std::time::Instant::now());
        let body = request(batch, &self.options, now, &mut fastrand::Rng::new()).to_string();
        let headers = self.options.headers.iter();
        let outgoing = Outgoing {
            method: "POST",
            url: &self.options.endpoint,
            headers: headers.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            content_type: "application/json",
            body,
        };
        let rejected = match self.sender.send(outgoing, TIMEOUT).await {
            Ok(received) if (200..300).contains(&received.status) => Ok(rejected(&received.body)),
            Ok(received) => Err(format!("it answers with the status {}", received.status)),
            Err(error) => Err(error.failure.message),
        };
        let count = batch.len() as u64;
        match rejected {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                self.counts.exported.fetch_add(count - rejected, Ordering::Relaxed);
                self.counts.failed.fetch_add(rejected, Ordering::Relaxed);
                if std::mem::take(&mut self.failing) {
                    tracing::warn!("the collector accepts traces again");
                }
            }
            Err(reason) => {
                self.counts.failed.fetch_add(count, Ordering::Relaxed);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(reason, "the collector does not accept traces");
                }
            }
        }
    }
}

/// Returns how many spans a collector did not accept of those that it did.
fn rejected(body: &str) -> u64 {
    let accepted: Accepted = serde_json::from_str(body).unwrap_or_default();
    let number = accepted.partial_success.unwrap_or_default().rejected_spans;
    number.as_u64().or_else(|| number.as_str()?.parse().ok()).unwrap_or(0)
}

/// An `ExportTraceServiceRequest`. `now` are both clocks at one moment.
fn request(
    batch: &[Span],
    options: &Options,
    now: (Time, std::time::Instant),
    random: &mut fastrand::Rng,
) -> Json {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let version = env!("CARGO_PKG_VERSION");
    let mut resource =
        vec![text("service.name", &options.service), text("service.version", version)];
    resource.extend(options.resource.iter().map(|(key, value)| text(key, value)));
    let nanos = |at: std::time::Instant| {
        let wall = u128::try_from(now.0.timestamp_nanos_opt().unwrap_or(0)).unwrap_or(0);
        wall.saturating_sub(now.1.saturating_duration_since(at).as_nanos()).to_string()
    };
    let mut spans = Vec::with_capacity(batch.len());
    for span in batch {
        let attributes = span.attributes.iter().map(|(key, value)| match value {
            Value::Text(value) => text(key, value),
            Value::Number(value) => json!({"key": key, "value": {"intValue": value.to_string()}}),
        });
        spans.push(json!({
            "traceId": format!("{:032x}", random.u128(1..)),
            "spanId": format!("{:016x}", random.u64(1..)),
            "name": span.name,
            // INTERNAL, CLIENT.
            "kind": if span.remote { 3 } else { 1 },
            "startTimeUnixNano": nanos(span.begun),
            "endTimeUnixNano": nanos(span.ended),
            "attributes": attributes.collect::<Vec<_>>(),
            // UNSET, ERROR.
            "status": if span.failed { json!({"code": 2}) } else { json!({}) },
        }));
    }
    json!({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "statuswatch", "version": version}, "spans": spans}],
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_the_protocol_has_it() {
        let moment = std::time::Instant::now();
        let now = crate::event::parse_time("2026-02-23T12:00:00Z").unwrap();
        let span = Span {
            name: "poll",
            remote: true,
            begun: moment,
            ended: moment + Duration::from_millis(250),
            failed: true,
            attributes: vec![("statuswatch.provider", "acme".into()), ("bytes", 7.into())],
        };
        let options = Options {
            endpoint: "http://127.0.0.1:4318/v1/traces".parse().unwrap(),
            headers: vec![("authorization".to_owned(), "Bearer s3cr3t".to_owned())],
            service: "watch".to_owned(),
            resource: vec![("deployment.environment.name".to_owned(), "test".to_owned())],
        };
        assert!(!format!("{options:?}").contains("s3cr3t"));
        let at = (now, moment + Duration::from_secs(1));
        let written = request(&[span], &options, at, &mut fastrand::Rng::with_seed(7));
        let span = &written["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        let [begun, ended] =
            ["startTimeUnixNano", "endTimeUnixNano"].map(|key| span[key].as_str().unwrap());
        assert_eq!((begun, ended), ("1771847999000000000", "1771847999250000000"));
        assert_eq!(span["attributes"][1], json!({"key": "bytes", "value": {"intValue": "7"}}));
        assert_eq!((&span["kind"], &span["status"]), (&3.into(), &json!({"code": 2})));
        assert_eq!(span["traceId"].as_str().unwrap().len(), 32);
    }

    #[test]
    fn what_was_not_accepted_is_counted() {
        for (body, count) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#, 3),
            (r#"{"partialSuccess":{"rejectedSpans":4}}"#, 4),
            ("<html>", 0),
        ] {
            assert_eq!(rejected(body), count, "{body}");
        }
    }
}
