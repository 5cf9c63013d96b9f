//! PagerDuty, Events API v2: one alert per incident, component or provider.
//!
//! The thread is the `dedup_key`: sending an event again changes nothing, an update is a further
//! trigger of the open alert, and the end resolves it. A trigger after the alert was resolved opens
//! a new one, and a `resolve` of an unknown key is dropped without an error.
//!
//! Limits: `summary` 1,024 characters, `dedup_key` 255, 512 KB in all; the rate is adjusted by the
//! service, which answers 429 and advises to wait minutes. 202 means queued, 400 is never worth a
//! retry (<https://developer.pagerduty.com/docs/events-api-v2-overview>, PagerDuty/developer-docs
//! `docs/events-API-v2`). Accounts in Europe have hosts of their own
//! (<https://support.pagerduty.com/main/docs/service-regions>).

use std::time::Duration;

use serde_json::{Value, json};
use statuswatch_model::event::format_time;
use url::Url;

use super::levels::{self, Levels};
use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http, retry_after,
};
use crate::notification::{Content, Notification};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "pagerduty",
    name: "PagerDuty",
    audience: Audience::Pager,
    keys: &[
        Key::required(
            "routing_key",
            Shape::Secret,
            "The integration key of an \"Events API V2\" integration: 32 letters and digits.",
        ),
        Key::optional(
            "region",
            Shape::Word(&["us", "eu"]),
            "Where the account is: \"us\" (default) or \"eu\".",
        ),
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://events.pagerduty.com/v2/enqueue or its European counterpart.",
        ),
        levels::SEVERITY,
    ],
    build,
};

/// In characters.
const SUMMARY: usize = 1_024;
/// Of what has no stated limit, in characters.
const FIELD: usize = 255;
/// In characters; four bytes each at most, twice as much when escaped: well below 512 KB.
const TEXT: usize = 20_000;
/// In characters, of a message that must not be refused.
const PLAIN: usize = 200;
/// In bytes.
const LINK: usize = 2_000;
/// What the service asks for after a 429 that does not say.
const THROTTLED: Duration = Duration::from_mins(1);

#[derive(Debug)]
struct PagerDuty {
    url: Url,
    routing_key: Secret<String>,
    levels: Levels,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let default = match values.text("region") {
        Some("eu") => "https://events.eu.pagerduty.com/v2/enqueue",
        _ => "https://events.pagerduty.com/v2/enqueue",
    };
    let words = ["critical", "error", "warning", "info"];
    Ok(Box::new(PagerDuty {
        url: levels::address(values, "api_url", default)?,
        routing_key: values.need_secret("routing_key")?.clone(),
        levels: Levels::read(values, words, &words)?,
    }))
}

impl Channel for PagerDuty {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        if levels::is_idle(notification) {
            return Vec::new();
        }
        let action = if notification.is_over() { "resolve" } else { "trigger" };
        let mut body = json!({ "event_action": action, "dedup_key": notification.thread });
        let severity = self.levels.word(levels::severity(notification));
        match form {
            Form::Rich => rich(&mut body, notification, severity),
            // A resolve needs nothing else.
            Form::Plain if action == "resolve" => {}
            Form::Plain => {
                let title = Layout::new(notification).title;
                levels::set(
                    &mut body,
                    "payload",
                    json!({
                        "summary": nonempty(&fit(&title, PLAIN, Unit::Chars)),
                        "source": "statuswatch",
                        "severity": severity,
                    }),
                );
            }
        }
        vec![Step::json(action, &body)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        // The key is a secret: it is not part of what is stored.
        let mut body: Value = serde_json::from_str(&step.body).unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            body.insert("routing_key".to_owned(), json!(self.routing_key.expose()));
        }
        Request::Http(HttpRequest::post_json(self.url.clone(), body.to_string()))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        match answer.status {
            429 => Verdict::Retry {
                after: Some(retry_after(answer).unwrap_or(THROTTLED)),
                reason: describe(answer),
            },
            // It names the field at fault: a wrong key refuses every event, not this one.
            400 if answer.body.to_ascii_lowercase().replace('_', " ").contains("routing key") => {
                Verdict::Broken { reason: describe(answer) }
            }
            _ => judge_http(answer),
        }
    }

    fn limits(&self) -> Limits {
        // Measured by others at some 120 a minute for one key.
        let pace = Pace { every: Duration::from_secs(1), burst: 20 };
        Limits { pace: Some(pace), in_flight: 4 }
    }
}

fn rich(body: &mut Value, notification: &Notification<'_>, severity: &str) {
    let layout = Layout::new(notification);
    let (_, published_at) = levels::times(notification);
    let summary = if layout.status.is_empty() {
        layout.title.clone()
    } else {
        format!("{} - {}", layout.title, layout.status)
    };
    let mut details = levels::details(notification, FIELD);
    details.insert("text".to_owned(), json!(fit(&layout.text(), TEXT, Unit::Chars)));
    let mut payload = json!({
        "summary": nonempty(&fit(&summary, SUMMARY, Unit::Chars)),
        "source": "statuswatch",
        "severity": severity,
        "timestamp": format_time(published_at),
        "custom_details": details,
    });
    if let Content::Event(event) = notification.content {
        levels::set(
            &mut payload,
            "source",
            json!(nonempty(&fit(&event.provider, FIELD, Unit::Chars))),
        );
        levels::set(&mut payload, "class", json!(event.kind.as_str()));
        let components = levels::components(event, FIELD);
        if !components.is_empty() {
            levels::set(&mut payload, "component", json!(components));
        }
    }
    levels::set(body, "payload", payload);
    levels::set(body, "client", json!("statuswatch"));
    if let Some(url) = layout.url.filter(|url| url.len() <= LINK) {
        levels::set(body, "links", json!([{ "href": url, "text": "Status page" }]));
    }
}

/// Required texts must not be empty.
fn nonempty(text: &str) -> &str {
    if text.is_empty() { "statuswatch" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{self, complete, judged, rendered, walk};
    use crate::exchange::HttpAnswer;
    use crate::notification::{Phase, Reference};
    use crate::text::length;

    const KEY: &str = "0123456789abcdefSECRET9876543210";

    fn channel() -> Box<dyn Channel> {
        build(&Values::default().with_secret("routing_key", KEY)).unwrap()
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(!step.body.contains("SECRET"));
            let Request::Http(request) = request else { panic!("{request:?}") };
            assert!(request.body.expose().len() <= 512_000);
            let body: Value = serde_json::from_str(request.body.expose()).unwrap();
            assert_eq!(body["routing_key"], KEY);
            assert!(["trigger", "resolve"].contains(&body["event_action"].as_str().unwrap()));
            assert_eq!(body["dedup_key"].as_str().unwrap().len(), 32);
            if body["event_action"] == "trigger" || !body["payload"].is_null() {
                let payload = &body["payload"];
                let summary = payload["summary"].as_str().unwrap();
                assert!((1..=1_024).contains(&length(summary, Unit::Chars)));
                assert!(!payload["source"].as_str().unwrap().is_empty());
                let words = ["critical", "error", "warning", "info"];
                assert!(words.contains(&payload["severity"].as_str().unwrap()));
            }
            for link in body["links"].as_array().into_iter().flatten() {
                assert!(link["href"].as_str().unwrap().starts_with("http"));
            }
        });
    }

    #[test]
    fn maintenance_and_summaries_are_info() {
        let channel = channel();
        let severity = |notification: &Notification<'_>| {
            let step = channel.render(notification, Form::Rich).remove(0);
            let body: Value = serde_json::from_str(&step.body).unwrap();
            body["payload"]["severity"].as_str().unwrap().to_owned()
        };
        let events = corpus::events();
        let maintenance = corpus::notification(&events[1], Phase::Open, None);
        assert_eq!(severity(&maintenance), "info");
        let mut summary = corpus::summary();
        let incident = corpus::incident();
        let mut notification = corpus::notification(&incident, Phase::Open, None);
        assert_eq!(severity(&notification), "error");
        notification.content = Content::Summary(&summary);
        assert_eq!(severity(&notification), "info");
        // What it lists has ended: there is no alert to resolve.
        summary.entries.iter_mut().for_each(|entry| entry.open = false);
        let mut notification = corpus::notification(&incident, Phase::Open, None);
        notification.content = Content::Summary(&summary);
        assert!(channel.render(&notification, Form::Rich).is_empty());
    }

    #[test]
    fn the_key_is_sent_and_shown_nowhere() {
        let channel = channel();
        let step = rendered(&*channel, Phase::Open).remove(0);
        let request = complete(&*channel, &step);
        let shown = format!("{channel:?} {step:?} {request:?}");
        assert!(!shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn europe_has_its_own_host() {
        let values = Values::default().with_secret("routing_key", KEY).with_text("region", "eu");
        let channel = build(&values).unwrap();
        let Request::Http(request) = complete(&*channel, &rendered(&*channel, Phase::Open)[0])
        else {
            panic!()
        };
        assert_eq!(request.url.expose().as_str(), "https://events.eu.pagerduty.com/v2/enqueue");
    }

    #[test]
    fn answers() {
        let judge = |status, body: &str| judged(&*channel(), "trigger", status, body);
        assert_eq!(judge(202, r#"{"status":"success"}"#), Verdict::delivered());
        let invalid = r#"{"status":"invalid event","errors":["'payload.summary' is missing"]}"#;
        assert!(matches!(judge(400, invalid), Verdict::Refused { .. }));
        let key = r#"{"status":"invalid event","errors":["Invalid routing key"]}"#;
        assert!(matches!(judge(400, key), Verdict::Broken { .. }));
        let after = Some(Duration::from_mins(1));
        assert!(matches!(judge(429, ""), Verdict::Retry { after: found, .. } if found == after));
        assert!(matches!(judge(500, ""), Verdict::Retry { .. }));
        assert!(matches!(judge(404, ""), Verdict::Broken { .. }));
        let answer = HttpAnswer {
            status: 429,
            headers: vec![("retry-after".into(), "300".into())],
            body: String::new(),
        };
        let verdict = channel().judge(&Step::new("trigger", ""), &Answer::Http(answer));
        let after = Some(Duration::from_mins(5));
        assert!(matches!(verdict, Verdict::Retry { after: found, .. } if found == after));
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*channel(), None), @r#"
        Open trigger
        {
          "client": "statuswatch",
          "dedup_key": "fedcba9876543210fedcba9876543210",
          "event_action": "trigger",
          "links": [
            {
              "href": "https://status.acme.example/incidents/01ABC",
              "text": "Status page"
            }
          ],
          "payload": {
            "class": "incident",
            "component": "Labels, Label Printing",
            "custom_details": {
              "components": "Labels, Label Printing",
              "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
              "impact": "major",
              "incident_id": "01ABC",
              "kind": "incident",
              "provider": "acme",
              "provider_name": "Acme Cloud",
              "published_at": "2026-02-23T10:20:49Z",
              "status": "identified",
              "text": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified"
            },
            "severity": "error",
            "source": "acme",
            "summary": "Acme Cloud: High errors with parcel labels - Identified (major)",
            "timestamp": "2026-02-23T10:20:49Z"
          }
        }

        End resolve
        {
          "client": "statuswatch",
          "dedup_key": "fedcba9876543210fedcba9876543210",
          "event_action": "resolve",
          "links": [
            {
              "href": "https://status.acme.example/incidents/01ABC",
              "text": "Status page"
            }
          ],
          "payload": {
            "class": "incident",
            "component": "Labels, Label Printing",
            "custom_details": {
              "components": "Labels, Label Printing",
              "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
              "impact": "major",
              "incident_id": "01ABC",
              "kind": "incident",
              "provider": "acme",
              "provider_name": "Acme Cloud",
              "published_at": "2026-02-23T10:20:49Z",
              "status": "identified",
              "text": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified"
            },
            "severity": "error",
            "source": "acme",
            "summary": "Acme Cloud: High errors with parcel labels - Identified (major)",
            "timestamp": "2026-02-23T10:20:49Z"
          }
        }
        "#);
    }
}
