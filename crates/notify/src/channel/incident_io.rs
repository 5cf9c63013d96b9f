//! incident.io: alert events to an HTTP alert source, one alert per incident, component or provider.
//!
//! The thread is the deduplication key: events with the same key belong to one alert until it is
//! resolved, so sending one again changes nothing.
//!
//! Limits: 512 KB per event. A larger one is answered 429, like a rate limit: it would be sent again
//! and again (`notify/incidentio` of prometheus/alertmanager), so it is kept below that here, and
//! such an answer refuses the event. Fields, address and `Bearer` token: TwiN/gatus
//! `alerting/provider/incidentio`. Descriptions are shown as Markdown: provider text is escaped.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::levels::{self, Levels};
use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{Answer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http};
use crate::notification::Notification;
use crate::text::{Layout, Unit, fit, markdown};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "incident_io",
    name: "incident.io",
    audience: Audience::Pager,
    keys: &[
        Key::required("source", Shape::Text, "The id of the HTTP alert source: 01ABC..."),
        Key::required("token", Shape::Secret, "The bearer token of the alert source."),
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://api.incident.io/v2/alert_events/http/.",
        ),
        levels::SEVERITY,
    ],
    build,
};

/// In characters.
const TITLE: usize = 250;
/// In characters before escaping, which makes five bytes of one and leaves longer ones alone.
const TEXT: usize = 20_000;
/// Of one fact, in characters.
const FACT: usize = 500;
/// In bytes.
const LINK: usize = 2_000;

#[derive(Debug)]
struct IncidentIo {
    url: Url,
    token: Secret<String>,
    levels: Levels,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let source = values.need_text("source")?;
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if source.is_empty() || !source.bytes().all(valid) {
        return Err(ValueError::at("source", "give the id alone: the last part of the address"));
    }
    let api = levels::address(values, "api_url", "https://api.incident.io/v2/alert_events/http/")?;
    Ok(Box::new(IncidentIo {
        url: levels::join(&api, &[source]),
        token: values.need_secret("token")?.clone(),
        levels: Levels::free(values)?,
    }))
}

impl Channel for IncidentIo {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        if levels::is_idle(notification) {
            return Vec::new();
        }
        let layout = Layout::new(notification);
        let status = if notification.is_over() { "resolved" } else { "firing" };
        let title = fit(&layout.title, TITLE, Unit::Chars);
        let mut metadata = match form {
            Form::Rich => levels::details(notification, FACT),
            Form::Plain => serde_json::Map::new(),
        };
        let severity = self.levels.word(levels::severity(notification));
        metadata.insert("severity".to_owned(), json!(severity));
        let mut body = json!({
            "title": if title.is_empty() { "statuswatch" } else { &title },
            "status": status,
            "deduplication_key": notification.thread,
            "metadata": metadata,
        });
        if form == Form::Rich {
            levels::set(
                &mut body,
                "description",
                json!(markdown(&fit(&layout.text(), TEXT, Unit::Chars))),
            );
            if let Some(url) = layout.url.filter(|url| url.len() <= LINK) {
                levels::set(&mut body, "source_url", json!(url));
            }
        }
        vec![Step::json(status, &body)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let request = HttpRequest::post_json(self.url.clone(), &step.body);
        Request::Http(request.authorization("Bearer", &self.token))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        let body = answer.body.to_ascii_lowercase();
        let large = ["too large", "payload size", "exceeds"].iter().any(|word| body.contains(word));
        match answer.status {
            429 if large => Verdict::Refused { reason: describe(answer) },
            _ => judge_http(answer),
        }
    }

    fn limits(&self) -> Limits {
        // No limit of alert events is stated; a storm must not look like an attack.
        let pace = Pace { every: Duration::from_secs(1), burst: 20 };
        Limits { pace: Some(pace), in_flight: 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    use crate::channel::corpus::{self, judged, walk};
    use crate::notification::Reference;

    fn values() -> Values {
        Values::default().with_text("source", "01HSOURCE").with_secret("token", "SECRET")
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            let Request::Http(request) = request else { panic!() };
            let address = "https://api.incident.io/v2/alert_events/http/01HSOURCE";
            assert_eq!(request.url.expose().as_str(), address);
            assert!(request.body.expose().len() < 512 * 1024, "{}", request.body.expose().len());
            let body: Value = serde_json::from_str(&step.body).unwrap();
            assert!(["firing", "resolved"].contains(&body["status"].as_str().unwrap()));
            assert!(!body["title"].as_str().unwrap().is_empty());
            let description = body["description"].as_str().unwrap_or_default();
            for markup in ["](", "<", "@channel", "@here", "**", "http://"] {
                assert!(!description.contains(markup), "{description}");
            }
        });
    }

    #[test]
    fn the_source_is_an_id() {
        for source in ["", "../x", "https://api.incident.io/v2/alert_events/http/01H", "a?b"] {
            let values = values().with_text("source", source);
            assert_eq!(build(&values).unwrap_err().key, Some("source"));
        }
    }

    #[test]
    fn answers() {
        let judge = |status, body: &str| judged(&*channel(), "firing", status, body);
        assert_eq!(judge(202, r#"{"status":"success"}"#), Verdict::delivered());
        assert!(matches!(judge(429, r#"{"message":"slow down"}"#), Verdict::Retry { .. }));
        let large = r#"{"status":429,"message":"Request payload too large"}"#;
        assert!(matches!(judge(429, large), Verdict::Refused { .. }));
        assert!(matches!(judge(413, ""), Verdict::Refused { .. }));
        assert!(matches!(judge(422, ""), Verdict::Refused { .. }));
        assert!(matches!(judge(401, ""), Verdict::Broken { .. }));
        assert!(matches!(judge(404, ""), Verdict::Broken { .. }));
        assert!(matches!(judge(502, ""), Verdict::Retry { .. }));
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*channel(), None), @r#"
        Open firing
        {
          "deduplication_key": "fedcba9876543210fedcba9876543210",
          "description": "Identified \\(major\\)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents:<ZWSP> Labels, Label Printing\nStatus:<ZWSP> Investigating → Identified",
          "metadata": {
            "components": "Labels, Label Printing",
            "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
            "impact": "major",
            "incident_id": "01ABC",
            "kind": "incident",
            "provider": "acme",
            "provider_name": "Acme Cloud",
            "published_at": "2026-02-23T10:20:49Z",
            "severity": "major",
            "status": "identified"
          },
          "source_url": "https://status.acme.example/incidents/01ABC",
          "status": "firing",
          "title": "Acme Cloud: High errors with parcel labels"
        }

        End resolved
        {
          "deduplication_key": "fedcba9876543210fedcba9876543210",
          "description": "Identified \\(major\\)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents:<ZWSP> Labels, Label Printing\nStatus:<ZWSP> Investigating → Identified",
          "metadata": {
            "components": "Labels, Label Printing",
            "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
            "impact": "major",
            "incident_id": "01ABC",
            "kind": "incident",
            "provider": "acme",
            "provider_name": "Acme Cloud",
            "published_at": "2026-02-23T10:20:49Z",
            "severity": "major",
            "status": "identified"
          },
          "source_url": "https://status.acme.example/incidents/01ABC",
          "status": "resolved",
          "title": "Acme Cloud: High errors with parcel labels"
        }
        "#);
    }
}
