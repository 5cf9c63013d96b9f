//! Jira Service Management (Operations) and Opsgenie: one alert per incident, component or provider.
//!
//! Both speak the same protocol at different addresses: the thread is the alias, a second `create`
//! for an open alias only counts, updates are notes, and the end closes the alert. All requests are
//! queued: 202 says that the request was accepted, not what became of it. Opsgenie ends on 5 April
//! 2027 (support.atlassian.com `what-happens-when-opsgenie-is-turned-off`).
//!
//! Limits: message 130 characters, description 15,000, alias 512, tags 20 of 50 characters
//! (<https://docs.opsgenie.com/docs/alerts-and-alert-fields>); 60 requests a minute for small
//! accounts. Close, note and `identifierType=alias`:
//! <https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events/>
//! and JSDCLOUD-14179. Opsgenie can also change the priority of an open alert; the integration API
//! of Jira Service Management cannot, so there the note says it.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::levels::{self, Levels};
use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{Answer, HttpRequest, Method, Request, Sending, Step, Verdict, judge_http};
use crate::notification::{Content, Notification, Phase, Severity};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

const KEY: Key = Key::required("api_key", Shape::Secret, "The key of an API integration.");
const TAGS: Key = Key::optional("tags", Shape::List, "Tags of every alert; at most 20.");

/// Describes the kind for Jira Service Management.
pub(super) const SPEC: Spec = Spec {
    kind: "jsm",
    name: "Jira Service Management",
    audience: Audience::Pager,
    keys: &[
        KEY,
        TAGS,
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://api.atlassian.com/jsm/ops/integration/v2/.",
        ),
        levels::SEVERITY,
    ],
    build: build_jsm,
};

/// Describes the kind for Opsgenie.
pub(super) const OPSGENIE: Spec = Spec {
    kind: "opsgenie",
    name: "Opsgenie",
    audience: Audience::Pager,
    keys: &[
        KEY,
        TAGS,
        Key::optional(
            "region",
            Shape::Word(&["us", "eu"]),
            "Where the account is: \"us\" (default) or \"eu\".",
        ),
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://api.opsgenie.com/v2/ or its European counterpart.",
        ),
        levels::SEVERITY,
    ],
    build: build_opsgenie,
};

/// In characters.
const MESSAGE: usize = 130;
/// Of a description or note, in characters.
const TEXT: usize = 15_000;
/// In characters.
const TAG: usize = 50;
/// How many.
const TAGS_MOST: usize = 20;
/// Of one extra property, in characters; all of them may have 8,000.
const DETAIL: usize = 255;

#[derive(Debug)]
struct Alerts {
    api: Url,
    api_key: Secret<String>,
    tags: Vec<String>,
    levels: Levels,
    /// Whether the priority of an open alert can be changed.
    reprioritizes: bool,
}

fn build_jsm(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    build(values, "https://api.atlassian.com/jsm/ops/integration/v2/", false)
}

fn build_opsgenie(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let default = match values.text("region") {
        Some("eu") => "https://api.eu.opsgenie.com/v2/",
        _ => "https://api.opsgenie.com/v2/",
    };
    build(values, default, true)
}

fn build(
    values: &Values,
    default: &str,
    reprioritizes: bool,
) -> Result<Box<dyn Channel>, ValueError> {
    let tags = values.list("tags");
    let long = tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > TAG);
    if long || tags.len() > TAGS_MOST {
        let message = format!("give at most {TAGS_MOST} tags of 1 to {TAG} characters");
        return Err(ValueError::at("tags", message));
    }
    Ok(Box::new(Alerts {
        api: levels::address(values, "api_url", default)?,
        api_key: values.need_secret("api_key")?.clone(),
        tags: tags.to_vec(),
        levels: Levels::read(values, ["P1", "P2", "P3", "P5"], &["P1", "P2", "P3", "P4", "P5"])?,
        reprioritizes,
    }))
}

impl Channel for Alerts {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        if levels::is_idle(notification) {
            return Vec::new();
        }
        let layout = Layout::new(notification);
        let alias = notification.thread;
        let note = match form {
            Form::Rich => fit(&layout.text(), TEXT, Unit::Chars).into_owned(),
            Form::Plain => String::new(),
        };
        if notification.is_over() {
            let mut body = json!({ "source": "statuswatch" });
            if !note.is_empty() {
                levels::set(&mut body, "note", json!(note));
            }
            return vec![Step::json(format!("close:{alias}"), &body)];
        }
        if notification.phase == Phase::Update && matches!(notification.content, Content::Event(_))
        {
            let mut steps = Vec::new();
            if let Some(severity) = self.changed(notification) {
                let body = json!({ "priority": self.levels.word(severity) });
                steps.push(Step::json(format!("priority:{alias}"), &body));
            }
            let note = if note.is_empty() { layout.status } else { note };
            let body = json!({ "source": "statuswatch", "note": note });
            steps.push(Step::json(format!("note:{alias}"), &body));
            return steps;
        }
        vec![Step::json("create", &self.alert(notification, &layout, note))]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        // The alias is our own, 32 hexadecimal digits; a segment is encoded whatever it holds.
        let (op, alias) = step.op.split_once(':').unwrap_or((&step.op, ""));
        let (method, action) = match op {
            "close" => (Method::Post, Some("close")),
            "note" => (Method::Post, Some("notes")),
            "priority" => (Method::Put, Some("priority")),
            _ => (Method::Post, None),
        };
        let mut url = match action {
            Some(action) => levels::join(&self.api, &["alerts", alias, action]),
            None => levels::join(&self.api, &["alerts"]),
        };
        if action.is_some() {
            url.query_pairs_mut().append_pair("identifierType", "alias");
        }
        let mut request = HttpRequest::post_json(url, &step.body);
        request.method = method;
        Request::Http(request.authorization("GenieKey", &self.api_key))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        match answer.status {
            // The alert was closed or deleted by hand: nothing is left to do.
            404 if step.op != "create" => Verdict::delivered(),
            _ => judge_http(answer),
        }
    }

    fn limits(&self) -> Limits {
        let pace = Pace { every: Duration::from_secs(1), burst: 20 };
        Limits { pace: Some(pace), in_flight: 4 }
    }
}

impl Alerts {
    /// Returns the severity if it is not that of the previous event and can be changed.
    fn changed(&self, notification: &Notification<'_>) -> Option<Severity> {
        let Content::Event(event) = notification.content else {
            return None;
        };
        let before = Severity::of(event.previous_impact?);
        let now = notification.severity();
        // What was skipped may have changed it as well.
        (self.reprioritizes && (before != now || notification.skipped > 0)).then_some(now)
    }

    fn alert(&self, notification: &Notification<'_>, layout: &Layout, text: String) -> Value {
        let message = fit(&layout.title, MESSAGE, Unit::Chars);
        let mut alert = json!({
            "alias": notification.thread,
            "message": if message.is_empty() { "statuswatch" } else { &message },
            "priority": self.levels.word(levels::severity(notification)),
            "source": "statuswatch",
        });
        if text.is_empty() {
            return alert;
        }
        let mut details = levels::details(notification, DETAIL);
        let mut description = text;
        if let Some(url) = &layout.url {
            // The link comes last and is never cut.
            if url.len() < TEXT / 2 {
                let room = TEXT - url.chars().count() - 1;
                description = format!("{}\n{url}", fit(&description, room, Unit::Chars));
            }
            if url.len() <= DETAIL {
                details.insert("url".to_owned(), json!(url));
            }
        }
        levels::set(&mut alert, "description", json!(description));
        levels::set(&mut alert, "details", json!(details));
        if let Content::Event(event) = notification.content {
            levels::set(&mut alert, "entity", json!(fit(&event.provider, DETAIL, Unit::Chars)));
        }
        if !self.tags.is_empty() {
            levels::set(&mut alert, "tags", json!(self.tags));
        }
        alert
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{self, complete, judged, walk};
    use crate::notification::Reference;
    use crate::text::length;
    use statuswatch_model::event::Impact;

    fn values() -> Values {
        Values::default().with_secret("api_key", "SECRET")
    }

    fn jsm() -> Box<dyn Channel> {
        build_jsm(&values()).unwrap()
    }

    fn address(channel: &dyn Channel, step: &Step) -> String {
        let Request::Http(request) = complete(channel, step) else { panic!() };
        format!("{} {}", request.method.as_str(), request.url.expose())
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*jsm(), &Reference::default(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            let body: Value = serde_json::from_str(&step.body).unwrap();
            for (name, most) in
                [("message", 130), ("description", 15_000), ("note", 15_000), ("alias", 512)]
            {
                let length = body[name].as_str().map_or(0, |text| length(text, Unit::Chars));
                assert!(length <= most, "{name}: {length}");
            }
            let details: usize = body["details"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| name.len() + value.as_str().unwrap().chars().count())
                .sum();
            assert!(details <= 8_000);
            match step.op.split(':').next().unwrap() {
                "create" => assert!(!body["message"].as_str().unwrap().is_empty()),
                "note" => assert!(!body["note"].as_str().unwrap().is_empty()),
                "close" => {}
                op => panic!("{op}"),
            }
        });
    }

    #[test]
    fn hosts_and_paths() {
        let steps = corpus::rendered(&*jsm(), Phase::Open);
        let base = "https://api.atlassian.com/jsm/ops/integration/v2/alerts";
        assert_eq!(address(&*jsm(), &steps[0]), format!("POST {base}"));
        let steps = corpus::rendered(&*jsm(), Phase::Update);
        let alias = "fedcba9876543210fedcba9876543210";
        assert_eq!(
            address(&*jsm(), &steps[0]),
            format!("POST {base}/{alias}/notes?identifierType=alias")
        );
        let steps = corpus::rendered(&*jsm(), Phase::End);
        assert_eq!(
            address(&*jsm(), &steps[0]),
            format!("POST {base}/{alias}/close?identifierType=alias")
        );
        let opsgenie = build_opsgenie(&values()).unwrap();
        assert_eq!(
            address(&*opsgenie, &Step::new("create", "")),
            "POST https://api.opsgenie.com/v2/alerts"
        );
        let europe = build_opsgenie(&values().with_text("region", "eu")).unwrap();
        assert_eq!(
            address(&*europe, &Step::new("create", "")),
            "POST https://api.eu.opsgenie.com/v2/alerts"
        );
    }

    #[test]
    fn opsgenie_raises_the_priority_of_an_open_alert() {
        let opsgenie = build_opsgenie(&values()).unwrap();
        let mut event = corpus::incident();
        event.previous_impact = Some(Impact::Minor);
        let notification = corpus::notification(&event, Phase::Update, None);
        let steps = opsgenie.render(&notification, Form::Rich);
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].body, r#"{"priority":"P2"}"#);
        assert!(address(&*opsgenie, &steps[0]).starts_with("PUT https://api.opsgenie.com/v2/"));
        assert_eq!(jsm().render(&notification, Form::Rich).len(), 1);
    }

    #[test]
    fn answers() {
        let judge = |op: &str, status| judged(&*jsm(), op, status, "{}");
        assert_eq!(judge("create", 202), Verdict::delivered());
        assert!(matches!(judge("create", 404), Verdict::Broken { .. }));
        assert!(matches!(judge("create", 401), Verdict::Broken { .. }));
        assert!(matches!(judge("create", 422), Verdict::Refused { .. }));
        assert!(matches!(judge("create", 429), Verdict::Retry { .. }));
        assert!(matches!(judge("close:1", 503), Verdict::Retry { .. }));
        assert_eq!(judge("close:1", 404), Verdict::delivered());
        assert_eq!(judge("note:1", 404), Verdict::delivered());
    }

    #[test]
    fn tags_are_checked() {
        let tags = |tags: Vec<String>| {
            build_jsm(&values().with("tags", crate::values::Value::List(tags))).map(drop)
        };
        assert!(tags(vec!["saas".into()]).is_ok());
        assert!(tags(vec!["x".repeat(51)]).is_err());
        assert!(tags(vec!["x".into(); 21]).is_err());
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*jsm(), None), @r#"
        Open create
        {
          "alias": "fedcba9876543210fedcba9876543210",
          "description": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified\nhttps://status.acme.example/incidents/01ABC",
          "details": {
            "components": "Labels, Label Printing",
            "event_id": "4f12b0b9b16baa24b5bccae7d7efec9b",
            "impact": "major",
            "incident_id": "01ABC",
            "kind": "incident",
            "provider": "acme",
            "provider_name": "Acme Cloud",
            "published_at": "2026-02-23T10:20:49Z",
            "status": "identified",
            "url": "https://status.acme.example/incidents/01ABC"
          },
          "entity": "acme",
          "message": "Acme Cloud: High errors with parcel labels",
          "priority": "P2",
          "source": "statuswatch"
        }

        End close:fedcba9876543210fedcba9876543210
        {
          "note": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
          "source": "statuswatch"
        }
        "#);
    }
}
