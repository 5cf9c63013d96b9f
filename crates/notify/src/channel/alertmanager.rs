//! Alertmanager, API v2: one alert per incident, component or provider, as a state.
//!
//! Alertmanager takes states, not events: an alert is over when its `endsAt` has passed, so what is
//! open must be sent again all the time, and what has ended for five more minutes, in case
//! Alertmanager restarts ([`Channel::repeat`]; `docs/alerts_api.md` of prometheus/alertmanager).
//!
//! The label set is the identity of an alert. Labels hold nothing that changes during an incident:
//! status, impact and texts are annotations, and `severity` is one of them.
//!
//! Limits: `alertname` and at least one more label; label names match `[a-zA-Z_][a-zA-Z0-9_]*`,
//! values are UTF-8 and not empty; `startsAt` is not after `endsAt`; `generatorURL` is an address
//! (`api/v2/openapi.yaml`, `Validate` in prometheus/common `model/alert.go`). A request with an
//! invalid alert is answered 400. There is no limit of length; texts are cut all the same.

use std::time::Duration;

use serde_json::{Map, Value, json};
use statuswatch_model::event::{Kind, Time, format_time};
use statuswatch_model::text::one_line;
use url::Url;

use super::levels::{self, Levels};
use super::{Audience, Channel, Form, Limits, Spec};
use crate::exchange::{Answer, HttpRequest, Request, Sending, Step, Verdict, judge_http};
use crate::notification::{Content, Notification};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "alertmanager",
    name: "Alertmanager",
    audience: Audience::Machine,
    keys: &[
        Key::required(
            "url",
            Shape::Url,
            "The address of Alertmanager, such as http://127.0.0.1:9093/, with its route prefix.",
        ),
        Key::optional("username", Shape::Text, "For basic authentication, with \"password\"."),
        Key::optional("password", Shape::Secret, "For basic authentication."),
        Key::optional("token", Shape::Secret, "A bearer token, in place of \"username\"."),
        Key::optional(
            "labels",
            Shape::Map,
            "Further labels of every alert, such as \"team\". They must never change while an \
             incident is open.",
        ),
        Key::optional(
            "repeat",
            Shape::Duration { min: 10, max: 900 },
            "How often what is open is sent again; 1m if it is not given.",
        ),
        Key::optional(
            "expires_after",
            Shape::Duration { min: 60, max: 86_400 },
            "How long an alert stays open when statuswatch no longer sends it, because it does not \
             run; at least four times \"repeat\"; 30m if it is not given.",
        ),
        levels::SEVERITY,
    ],
    build,
};

/// Of one annotation, in characters.
const TEXT: usize = 8_000;
/// Of what stands in one line, in characters.
const LINE: usize = 500;
/// In bytes.
const LINK: usize = 2_000;
const REPEAT: Duration = Duration::from_mins(1);
const EXPIRES_AFTER: Duration = Duration::from_mins(30);
/// The operation for an alert that is open: its `endsAt` is that of the attempt.
const FIRING: &str = "firing";
/// Labels that are ours.
const OURS: [&str; 3] = ["alertname", "provider", "incident"];

#[derive(Debug)]
struct Alertmanager {
    url: Url,
    authorization: Option<Secret<String>>,
    labels: Vec<(String, String)>,
    levels: Levels,
    repeat: Duration,
    expires_after: Duration,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let repeat = values.duration("repeat").unwrap_or(REPEAT);
    let expires_after = values.duration("expires_after").unwrap_or(EXPIRES_AFTER.max(repeat * 4));
    if expires_after < repeat * 4 {
        let message =
            "it must be at least four times \"repeat\", or alerts end while they are open";
        return Err(ValueError::at("expires_after", message));
    }
    for (name, value) in values.map("labels") {
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let valid = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !starts || !valid || value.is_empty() || OURS.contains(&name.as_str()) {
            let message = format!(
                "\"{name}\" must be letters, digits and \"_\", have a value, and be none of {}",
                OURS.join(", ")
            );
            return Err(ValueError::at("labels", message));
        }
    }
    Ok(Box::new(Alertmanager {
        url: levels::join(values.need_url("url")?, &["api", "v2", "alerts"]),
        authorization: levels::authorization(values)?,
        labels: values.map("labels").to_vec(),
        levels: Levels::free(values)?,
        repeat,
        expires_after,
    }))
}

impl Channel for Alertmanager {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let Some(labels) = self.labels(notification) else {
            return Vec::new();
        };
        let layout = Layout::new(notification);
        let (started_at, published_at) = levels::times(notification);
        // A provider's clock may be ahead: nothing begins or ends in the future.
        let ends_at = published_at.min(notification.now);
        let starts_at = started_at.min(ends_at);
        let mut alert = json!({
            "labels": labels,
            "annotations": self.annotations(notification, &layout, form),
            "startsAt": format_time(starts_at),
        });
        if form == Form::Rich
            && let Some(url) = layout.url.filter(|url| url.len() <= LINK)
        {
            levels::set(&mut alert, "generatorURL", json!(url));
        }
        if notification.is_over() {
            levels::set(&mut alert, "endsAt", json!(format_time(ends_at)));
            return vec![Step::json("resolved", &json!([alert]))];
        }
        vec![Step::json(FIRING, &json!([alert]))]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        let mut request = if step.op == FIRING {
            let body = firing(&step.body, sending.now + self.expires_after);
            HttpRequest::post_json(self.url.clone(), body)
        } else {
            HttpRequest::post_json(self.url.clone(), &step.body)
        };
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.expose());
        }
        Request::Http(request)
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge_http)
    }

    fn limits(&self) -> Limits {
        Limits { pace: None, in_flight: 4 }
    }

    fn repeat(&self) -> Option<Duration> {
        Some(self.repeat)
    }
}

/// Sets the end of the alerts: it is counted from the attempt, not from when they were rendered.
fn firing(body: &str, ends_at: Time) -> String {
    let mut alerts: Value = serde_json::from_str(body).unwrap_or_default();
    for alert in alerts.as_array_mut().into_iter().flatten() {
        if let Some(alert) = alert.as_object_mut() {
            alert.insert("endsAt".to_owned(), json!(format_time(ends_at)));
        }
    }
    alerts.to_string()
}

impl Alertmanager {
    /// Returns the labels, or nothing for a summary: Alertmanager knows each of its parts.
    fn labels(&self, notification: &Notification<'_>) -> Option<Map<String, Value>> {
        let (name, provider) = match notification.content {
            Content::Event(event) => {
                let name = match event.kind {
                    Kind::Incident => "ProviderIncident",
                    Kind::Maintenance => "ProviderMaintenance",
                    Kind::Component => "ProviderComponent",
                    Kind::Provider => "ProviderUnreachable",
                };
                (name, event.provider.as_str())
            }
            Content::Notice(_) => ("StatuswatchNotice", "statuswatch"),
            Content::Summary(_) => return None,
        };
        let mut labels = Map::new();
        for (name, value) in &self.labels {
            labels.insert(name.clone(), json!(value));
        }
        let ours = [name, provider, notification.thread];
        labels
            .extend(OURS.iter().zip(ours).map(|(name, value)| ((*name).to_owned(), json!(value))));
        Some(labels)
    }

    fn annotations(
        &self,
        notification: &Notification<'_>,
        layout: &Layout,
        form: Form,
    ) -> Map<String, Value> {
        let mut annotations = match form {
            Form::Rich => levels::details(notification, LINE),
            Form::Plain => Map::new(),
        };
        // It is a label.
        annotations.remove("provider");
        let severity = self.levels.word(levels::severity(notification));
        annotations.insert("severity".to_owned(), json!(severity));
        annotations.insert("summary".to_owned(), json!(one_line(&layout.title, LINE)));
        if form == Form::Rich {
            let text = layout.text();
            if !text.is_empty() {
                let text = fit(&text, TEXT, Unit::Chars);
                annotations.insert("description".to_owned(), json!(text));
            }
        }
        annotations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{self, complete, judged, walk};
    use crate::notification::{Phase, Reference};
    use chrono::TimeDelta;
    use statuswatch_model::event::{Impact, parse_time};
    use std::collections::BTreeSet;

    fn values() -> Values {
        let values = Values::default().with_secret("token", "SECRET");
        values.with_url("url", "http://127.0.0.1:9093/am/").unwrap()
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    fn sent(channel: &dyn Channel, step: &Step, now: Time) -> Value {
        let Request::Http(request) = channel.request(step, &Sending { delivery_id: "", now })
        else {
            panic!()
        };
        serde_json::from_str(request.body.expose()).unwrap()
    }

    #[test]
    fn is_valid_whatever_the_text() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            let Request::Http(request) = request else { panic!() };
            assert_eq!(request.url.expose().as_str(), "http://127.0.0.1:9093/am/api/v2/alerts");
            assert!(request.body.expose().len() < 256 * 1024);
            let alerts: Value = serde_json::from_str(request.body.expose()).unwrap();
            let alert = &alerts[0];
            let time = |name: &str| parse_time(alert[name].as_str().unwrap()).unwrap();
            assert!(time("startsAt") <= time("endsAt"));
            assert_eq!(step.op == FIRING, time("endsAt") > corpus::at());
            for value in alert["labels"].as_object().unwrap().values() {
                assert!(!value.as_str().unwrap().is_empty());
            }
            assert!(alert["annotations"].as_object().unwrap().values().all(Value::is_string));
            if let Some(url) = alert["generatorURL"].as_str() {
                assert!(Url::parse(url).is_ok() && url.starts_with("http"));
                // What Go's `url.ParseRequestURI` refuses, and Alertmanager with 422.
                for part in url.split('%').skip(1) {
                    assert!(part.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()), "{url}");
                }
            }
        });
    }

    #[test]
    fn labels_stay_the_same_while_everything_else_changes() {
        let channel = channel();
        let mut seen = BTreeSet::new();
        let mut event = corpus::incident();
        for (impact, title, phase) in [
            (Impact::Minor, "Slow", Phase::Open),
            (Impact::Critical, "Down", Phase::Update),
            (Impact::None, "Over", Phase::End),
        ] {
            event.impact = impact;
            event.title = title.into();
            let notification = corpus::notification(&event, phase, None);
            for form in [Form::Rich, Form::Plain] {
                let step = channel.render(&notification, form).remove(0);
                let body: Value = serde_json::from_str(&step.body).unwrap();
                seen.insert(body[0]["labels"].to_string());
            }
        }
        assert_eq!(seen.len(), 1, "{seen:?}");
    }

    #[test]
    fn the_end_of_an_open_alert_is_counted_from_the_attempt() {
        let channel = channel();
        assert_eq!(channel.repeat(), Some(REPEAT));
        let step = corpus::rendered(&*channel, Phase::Open).remove(0);
        let later = corpus::at() + TimeDelta::hours(5);
        let first = sent(&*channel, &step, corpus::at());
        assert_eq!(first[0]["endsAt"], "2026-02-23T10:50:49Z");
        assert_eq!(sent(&*channel, &step, later)[0]["endsAt"], "2026-02-23T15:50:49Z");
        let step = corpus::rendered(&*channel, Phase::End).remove(0);
        assert_eq!(sent(&*channel, &step, later)[0]["endsAt"], "2026-02-23T10:20:49Z");
    }

    #[test]
    fn a_clock_ahead_does_not_keep_an_alert_open() {
        let mut event = corpus::incident();
        event.published_at = corpus::at() + TimeDelta::days(1);
        event.started_at = Some(event.published_at);
        let notification = corpus::notification(&event, Phase::End, None);
        let step = channel().render(&notification, Form::Rich).remove(0);
        let sent = sent(&*channel(), &step, corpus::at());
        assert_eq!(sent[0]["endsAt"], "2026-02-23T10:20:49Z");
        assert_eq!(sent[0]["startsAt"], "2026-02-23T10:20:49Z");
    }

    #[test]
    fn a_summary_is_nothing_and_a_notice_an_alert() {
        let event = corpus::incident();
        let mut notification = corpus::notification(&event, Phase::Open, None);
        let summary = corpus::summary();
        notification.content = Content::Summary(&summary);
        assert!(channel().render(&notification, Form::Rich).is_empty());
        let notice = corpus::notice();
        notification.content = Content::Notice(&notice);
        let step = channel().render(&notification, Form::Rich).remove(0);
        assert!(step.body.contains("StatuswatchNotice"));
    }

    #[test]
    fn keys_are_checked() {
        let labels = |name: &str, value: &str| {
            let labels = vec![(name.to_owned(), value.to_owned())];
            build(&values().with("labels", crate::values::Value::Map(labels))).map(drop)
        };
        assert!(labels("team", "ops").is_ok());
        for (name, value) in
            [("te-am", "x"), ("1a", "x"), ("", "x"), ("team", ""), ("provider", "x")]
        {
            assert!(labels(name, value).is_err(), "{name}");
        }
        let duration = |seconds| crate::values::Value::Duration(Duration::from_secs(seconds));
        let short = values().with("repeat", duration(60)).with("expires_after", duration(120));
        assert_eq!(build(&short).unwrap_err().key, Some("expires_after"));
        let long = values().with("repeat", duration(900));
        assert!(build(&long).is_ok());
    }

    #[test]
    fn answers() {
        let judge = |status| judged(&*channel(), FIRING, status, "");
        assert_eq!(judge(200), Verdict::delivered());
        assert!(matches!(judge(400), Verdict::Refused { .. }));
        assert!(matches!(judge(401), Verdict::Broken { .. }));
        assert!(matches!(judge(404), Verdict::Broken { .. }));
        assert!(matches!(judge(500), Verdict::Retry { .. }));
        assert!(matches!(judge(503), Verdict::Retry { .. }));
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*channel(), None), @r#"
        Open firing
        [
          {
            "annotations": {
              "components": "Labels, Label Printing",
              "description": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
              "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
              "impact": "major",
              "incident_id": "01ABC",
              "kind": "incident",
              "provider_name": "Acme Cloud",
              "published_at": "2026-02-23T10:20:49Z",
              "severity": "major",
              "status": "identified",
              "summary": "Acme Cloud: High errors with parcel labels"
            },
            "generatorURL": "https://status.acme.example/incidents/01ABC",
            "labels": {
              "alertname": "ProviderIncident",
              "incident": "fedcba9876543210fedcba9876543210",
              "provider": "acme"
            },
            "startsAt": "2026-02-23T10:20:49Z"
          }
        ]

        End resolved
        [
          {
            "annotations": {
              "components": "Labels, Label Printing",
              "description": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
              "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
              "impact": "major",
              "incident_id": "01ABC",
              "kind": "incident",
              "provider_name": "Acme Cloud",
              "published_at": "2026-02-23T10:20:49Z",
              "severity": "major",
              "status": "identified",
              "summary": "Acme Cloud: High errors with parcel labels"
            },
            "endsAt": "2026-02-23T10:20:49Z",
            "generatorURL": "https://status.acme.example/incidents/01ABC",
            "labels": {
              "alertname": "ProviderIncident",
              "incident": "fedcba9876543210fedcba9876543210",
              "provider": "acme"
            },
            "startsAt": "2026-02-23T10:20:49Z"
          }
        ]
        "#);
        let step = corpus::rendered(&*channel(), Phase::Open).remove(0);
        assert!(matches!(complete(&*channel(), &step), Request::Http(_)));
    }
}
