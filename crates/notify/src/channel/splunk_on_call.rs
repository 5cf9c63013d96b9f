//! Splunk On-Call, once Victor Ops: generic REST endpoint: one incident per thread.
//!
//! The thread is the `entity_id`: further messages with it belong to the same incident, `RECOVERY`
//! ends it, and a `RECOVERY` of something unknown does nothing. `CRITICAL` pages, `WARNING` does so
//! if the account is set that way, `INFO` only stands in the timeline.
//!
//! Limits: `state_message` 20,480 characters (`notify/victorops` of prometheus/alertmanager); an
//! annotation 1,124 characters; the rest has no stated limit. The answer says `"result": "success"`,
//! or `"failure"` with a message
//! (<https://docs.saltproject.io/en/3006/ref/modules/all/salt.modules.victorops.html>). Fields and
//! `vo_annotate.u.TITLE`, a link:
//! <https://help.splunk.com/splunk-observability-cloud/splunk-on-call/integrations-with-splunk-on-call/rest-endpoint-integration-for-splunk-on-call>.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::levels::{self, Levels};
use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{Answer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http};
use crate::notification::Notification;
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "splunk_on_call",
    name: "Splunk On-Call",
    audience: Audience::Pager,
    keys: &[
        Key::required(
            "api_key",
            Shape::Secret,
            "The key in the address of the REST endpoint: the part before the routing key.",
        ),
        Key::required("routing_key", Shape::Text, "Which team is paged."),
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://alert.victorops.com/integrations/generic/20131114/alert/.",
        ),
        levels::SEVERITY,
    ],
    build,
};

/// In characters.
const NAME: usize = 250;
/// In characters.
const TEXT: usize = 20_480;
/// In characters.
const ANNOTATION: usize = 1_124;
/// Of one fact, in characters.
const FACT: usize = 255;

#[derive(Debug)]
struct SplunkOnCall {
    url: Secret<Url>,
    levels: Levels,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let default = "https://alert.victorops.com/integrations/generic/20131114/alert/";
    let routing_key = values.need_text("routing_key")?;
    let api_key = values.need_secret("api_key")?.expose();
    if api_key.is_empty() || api_key.contains(['/', '?', '#']) {
        return Err(ValueError::at("api_key", "give the key alone, not the address"));
    }
    if routing_key.is_empty() || [".", ".."].contains(&routing_key) {
        return Err(ValueError::at("routing_key", "give the name of a routing key"));
    }
    let url = levels::join(&levels::address(values, "api_url", default)?, &[api_key, routing_key]);
    let levels = Levels::read(
        values,
        ["CRITICAL", "CRITICAL", "WARNING", "INFO"],
        &["CRITICAL", "WARNING", "INFO"],
    )?;
    Ok(Box::new(SplunkOnCall { url: Secret::new(url), levels }))
}

impl Channel for SplunkOnCall {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        if levels::is_idle(notification) {
            return Vec::new();
        }
        let layout = Layout::new(notification);
        let over = notification.is_over();
        let message_type =
            if over { "RECOVERY" } else { self.levels.word(levels::severity(notification)) };
        let mut body = json!({
            "message_type": message_type,
            "entity_id": notification.thread,
            "entity_display_name": fit(&layout.title, NAME, Unit::Chars),
            "monitoring_tool": "statuswatch",
        });
        if form == Form::Rich {
            let (started_at, _) = levels::times(notification);
            levels::set(&mut body, "state_start_time", json!(started_at.timestamp()));
            levels::set(&mut body, "state_message", json!(fit(&layout.text(), TEXT, Unit::Chars)));
            for (name, fact) in levels::details(notification, FACT) {
                levels::set(&mut body, &name, fact);
            }
            if let Some(url) = layout.url.filter(|url| url.len() <= ANNOTATION) {
                levels::set(&mut body, "vo_annotate.u.Status page", json!(url));
            }
        }
        vec![Step::json(if over { "recovery" } else { "alert" }, &body)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        Request::Http(HttpRequest::post_json(self.url.expose().clone(), &step.body))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        if !(200..=299).contains(&answer.status) {
            return judge_http(answer);
        }
        let reason = describe(answer);
        match answer.text("/result").as_deref() {
            Some("success") => Verdict::delivered(),
            Some("failure") => Verdict::Refused { reason },
            // Not its answer: a proxy's, for example.
            _ => Verdict::Retry { after: None, reason },
        }
    }

    fn limits(&self) -> Limits {
        let pace = Pace { every: Duration::from_secs(1), burst: 10 };
        Limits { pace: Some(pace), in_flight: 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    use crate::channel::corpus::{self, complete, judged, rendered, walk};
    use crate::notification::{Phase, Reference};
    use crate::text::length;

    fn values() -> Values {
        Values::default().with_secret("api_key", "SECRET").with_text("routing_key", "ops/eu")
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            let body: Value = serde_json::from_str(&step.body).unwrap();
            for (name, value) in body.as_object().unwrap() {
                let most = match name.as_str() {
                    "state_message" => 20_480,
                    name if name.starts_with("vo_annotate") => 1_124,
                    _ => 255,
                };
                let length = value.as_str().map_or(0, |text| length(text, Unit::Chars));
                assert!(length <= most, "{name}: {length}");
            }
            let types = ["CRITICAL", "WARNING", "INFO", "RECOVERY"];
            assert!(types.contains(&body["message_type"].as_str().unwrap()));
        });
    }

    #[test]
    fn the_key_is_part_of_the_address_alone() {
        let channel = channel();
        let request = complete(&*channel, &rendered(&*channel, Phase::Open)[0]);
        let Request::Http(http) = &request else { panic!() };
        assert_eq!(
            http.url.expose().as_str(),
            "https://alert.victorops.com/integrations/generic/20131114/alert/SECRET/ops%2Feu"
        );
        assert!(!format!("{channel:?} {request:?}").contains("SECRET"));
        for (key, value) in [("api_key", "https://alert.victorops.com/x"), ("api_key", "")] {
            assert_eq!(build(&values().with_secret(key, value)).unwrap_err().key, Some(key));
        }
        assert!(build(&values().with_text("routing_key", "..")).is_err());
    }

    #[test]
    fn answers() {
        let judge = |status, body: &str| judged(&*channel(), "alert", status, body);
        assert_eq!(judge(200, r#"{"result":"success","entity_id":"x"}"#), Verdict::delivered());
        let failure = r#"{"result":"failure","message":"Failed to parse"}"#;
        assert!(matches!(judge(200, failure), Verdict::Refused { .. }));
        assert!(matches!(judge(200, "<html>log in</html>"), Verdict::Retry { .. }));
        assert!(matches!(judge(400, ""), Verdict::Refused { .. }));
        assert!(matches!(judge(404, ""), Verdict::Broken { .. }));
        assert!(matches!(judge(429, ""), Verdict::Retry { .. }));
        assert!(matches!(judge(500, ""), Verdict::Retry { .. }));
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*channel(), None), @r#"
        Open alert
        {
          "components": "Labels, Label Printing",
          "entity_display_name": "Acme Cloud: High errors with parcel labels",
          "entity_id": "fedcba9876543210fedcba9876543210",
          "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
          "impact": "major",
          "incident_id": "01ABC",
          "kind": "incident",
          "message_type": "CRITICAL",
          "monitoring_tool": "statuswatch",
          "provider": "acme",
          "provider_name": "Acme Cloud",
          "published_at": "2026-02-23T10:20:49Z",
          "state_message": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
          "state_start_time": 1771842049,
          "status": "identified",
          "vo_annotate.u.Status page": "https://status.acme.example/incidents/01ABC"
        }

        End recovery
        {
          "components": "Labels, Label Printing",
          "entity_display_name": "Acme Cloud: High errors with parcel labels",
          "entity_id": "fedcba9876543210fedcba9876543210",
          "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
          "impact": "major",
          "incident_id": "01ABC",
          "kind": "incident",
          "message_type": "RECOVERY",
          "monitoring_tool": "statuswatch",
          "provider": "acme",
          "provider_name": "Acme Cloud",
          "published_at": "2026-02-23T10:20:49Z",
          "state_message": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
          "state_start_time": 1771842049,
          "status": "identified",
          "vo_annotate.u.Status page": "https://status.acme.example/incidents/01ABC"
        }
        "#);
    }
}
