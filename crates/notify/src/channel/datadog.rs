//! Datadog: events in the event stream, grouped by incident, component or provider.
//!
//! Limits: text 4,000 characters, aggregation key 100, a time of at most 18 hours ago (`EventCreateRequest`
//! of DataDog/datadog-api-client-rust, `src/datadogV1`); titles are cut at 100 characters, which
//! older documentation states. The answer is 202 with `"status": "ok"`; addresses by site:
//! <https://docs.datadoghq.com/api/latest/events/post-an-event/>. There is no idempotency key.
//!
//! The text is plain: Markdown is read between `%%%` alone, which is broken by a zero-width space,
//! and so is `@name`, which notifies people and integrations.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec, levels};
use crate::exchange::{Answer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http};
use crate::notification::{Content, Notification, Severity};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "datadog",
    name: "Datadog events",
    audience: Audience::Machine,
    keys: &[
        Key::required("api_key", Shape::Secret, "An API key; no application key is needed."),
        Key::optional(
            "site",
            Shape::Word(SITES),
            "Where the account is: the domain after \"app.\"; datadoghq.com if it is not given.",
        ),
        Key::optional("tags", Shape::List, "Tags of every event, such as \"team:ops\"."),
        Key::optional("api_url", Shape::Url, "In place of https://api.SITE/."),
        levels::SEVERITY,
    ],
    build,
};

const SITES: &[&str] = &[
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// In characters.
const TITLE: usize = 100;
/// In characters.
const TEXT: usize = 4_000;
/// Of a tag, in characters.
const TAG: usize = 200;
/// How many tags of ours the configuration may add.
const TAGS: usize = 50;
/// Older times are left out: a stored event may be sent a little later.
const OLDEST: TimeDelta = TimeDelta::hours(12);

#[derive(Debug)]
struct Datadog {
    url: Url,
    api_key: Secret<String>,
    tags: Vec<String>,
    levels: levels::Levels,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let site = values.text("site").unwrap_or("datadoghq.com");
    let api = levels::address(values, "api_url", &format!("https://api.{site}/"))?;
    let tags = values.list("tags");
    let long = tags.iter().any(|tag| tag.is_empty() || tag.chars().count() > TAG);
    if long || tags.len() > TAGS {
        let message = format!("give at most {TAGS} tags of 1 to {TAG} characters");
        return Err(ValueError::at("tags", message));
    }
    let types = ["error", "error", "warning", "info"];
    Ok(Box::new(Datadog {
        url: levels::join(&api, &["api", "v1", "events"]),
        api_key: values.need_secret("api_key")?.clone(),
        tags: tags.to_vec(),
        levels: levels::Levels::read(values, types, &["error", "warning", "info", "success"])?,
    }))
}

impl Channel for Datadog {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let over = notification.is_over();
        let severity = notification.severity();
        let title = inert(&layout.title, TITLE);
        let mut event = json!({
            "title": if title.is_empty() { "statuswatch" } else { &title },
            "text": if layout.status.is_empty() { "statuswatch" } else { &layout.status },
            "alert_type": if over { "success" } else { self.levels.word(severity) },
            "aggregation_key": notification.thread,
        });
        if form == Form::Rich {
            self.enrich(&mut event, notification, &layout);
        }
        vec![Step::json("event", &event)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let request = HttpRequest::post_json(self.url.clone(), &step.body);
        Request::Http(request.header("dd-api-key", self.api_key.expose()))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        match answer.status {
            200..=299 if answer.text("/status").as_deref() == Some("ok") => Verdict::delivered(),
            // Not its answer: a proxy's, for example.
            200..=299 => Verdict::Retry { after: None, reason: describe(answer) },
            _ => judge_http(answer),
        }
    }

    fn limits(&self) -> Limits {
        let pace = Pace { every: Duration::from_millis(200), burst: 20 };
        Limits { pace: Some(pace), in_flight: 4 }
    }
}

impl Datadog {
    fn enrich(&self, event: &mut Value, notification: &Notification<'_>, layout: &Layout) {
        let mut tags = self.tags.clone();
        tags.push("source:statuswatch".to_owned());
        if let Content::Event(event) = notification.content {
            let provider = fit(&event.provider, TAG / 2, Unit::Chars);
            tags.push(format!("provider:{provider}"));
            tags.push(format!("kind:{}", event.kind));
            tags.push(format!("status:{}", event.status));
            tags.push(format!("impact:{}", event.impact));
        }
        levels::set(event, "tags", json!(tags));
        let low = notification.severity() == Severity::Info && !notification.is_over();
        levels::set(event, "priority", json!(if low { "low" } else { "normal" }));
        let (_, published_at) = levels::times(notification);
        if notification.now.signed_duration_since(published_at) < OLDEST {
            levels::set(
                event,
                "date_happened",
                json!(published_at.min(notification.now).timestamp()),
            );
        }
        let link = layout.url.as_deref().filter(|url| url.chars().count() < TEXT / 2);
        let room = TEXT - link.map_or(0, |url| inert(url, TEXT).chars().count() + 1);
        let mut text = inert(&layout.text(), room);
        if let Some(link) = link {
            text.push('\n');
            text.push_str(&inert(link, TEXT));
        }
        if !text.trim().is_empty() {
            levels::set(event, "text", json!(text));
        }
    }
}

/// Cuts a text to `max` characters in which nothing is a mention or the start of Markdown.
fn inert(text: &str, max: usize) -> String {
    let escape = |text: &str| text.replace('@', "@\u{200b}").replace("%%", "%\u{200b}%\u{200b}");
    let mut room = max;
    loop {
        let cut = fit(text, room, Unit::Chars);
        let escaped = escape(&cut);
        let over = escaped.chars().count().saturating_sub(max);
        if over == 0 {
            return escaped;
        }
        // A character less is one or two less when escaped.
        room = room.saturating_sub(over.div_ceil(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{self, complete, judged, rendered, walk};
    use crate::notification::{Phase, Reference};
    use crate::text::length;

    fn values() -> Values {
        let tags = crate::values::Value::List(vec!["team:ops".into()]);
        Values::default().with_secret("api_key", "SECRET").with("tags", tags)
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            let event: Value = serde_json::from_str(&step.body).unwrap();
            for (name, most) in [("title", 100), ("text", 4_000), ("aggregation_key", 100)] {
                let text = event[name].as_str().unwrap();
                assert!((1..=most).contains(&length(text, Unit::Chars)), "{name}");
                assert!(!text.contains("%%"), "{text}");
                let inert = text.split('@').skip(1).all(|rest| rest.starts_with('\u{200b}'));
                assert!(inert, "{text}");
            }
            let types = ["error", "warning", "info", "success"];
            assert!(types.contains(&event["alert_type"].as_str().unwrap()));
        });
    }

    #[test]
    fn many_mentions_fit_as_well() {
        for (text, max) in [("@".repeat(9_000), 4_000), ("%".repeat(9_000), 99), ("@@".into(), 1)] {
            let length = length(&inert(&text, max), Unit::Chars);
            assert!(length <= max && (length + 2 >= max || max == 1), "{length}");
        }
        assert_eq!(inert("100% %%% @all", 50), "100% %\u{200b}%\u{200b}% @\u{200b}all");
    }

    #[test]
    fn an_old_time_is_left_out() {
        let mut event = corpus::incident();
        event.published_at = corpus::at() - TimeDelta::hours(20);
        let notification = corpus::notification(&event, Phase::Open, None);
        let step = channel().render(&notification, Form::Rich).remove(0);
        assert!(!step.body.contains("date_happened"));
    }

    #[test]
    fn sites() {
        let address = |site| {
            let channel = build(&values().with_text("site", site)).unwrap();
            let Request::Http(request) = complete(&*channel, &rendered(&*channel, Phase::Open)[0])
            else {
                panic!()
            };
            request.url.expose().to_string()
        };
        assert_eq!(address("datadoghq.com"), "https://api.datadoghq.com/api/v1/events");
        assert_eq!(address("datadoghq.eu"), "https://api.datadoghq.eu/api/v1/events");
    }

    #[test]
    fn answers() {
        let judge = |status, body: &str| judged(&*channel(), "event", status, body);
        assert_eq!(judge(202, r#"{"status":"ok","event":{"id":1}}"#), Verdict::delivered());
        assert!(matches!(judge(202, "{}"), Verdict::Retry { .. }));
        assert!(matches!(judge(400, "{}"), Verdict::Refused { .. }));
        assert!(matches!(judge(403, "{}"), Verdict::Broken { .. }));
        assert!(matches!(judge(413, "{}"), Verdict::Refused { .. }));
        assert!(matches!(judge(429, "{}"), Verdict::Retry { .. }));
        assert!(matches!(judge(500, "{}"), Verdict::Retry { .. }));
    }

    #[test]
    fn what_it_looks_like() {
        insta::assert_snapshot!(corpus::shown(&*channel(), None), @r#"
        Open event
        {
          "aggregation_key": "fedcba9876543210fedcba9876543210",
          "alert_type": "error",
          "date_happened": 1771842049,
          "priority": "normal",
          "tags": [
            "team:ops",
            "source:statuswatch",
            "provider:acme",
            "kind:incident",
            "status:identified",
            "impact:major"
          ],
          "text": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified\nhttps://status.acme.example/incidents/01ABC",
          "title": "Acme Cloud: High errors with parcel labels"
        }

        End event
        {
          "aggregation_key": "fedcba9876543210fedcba9876543210",
          "alert_type": "success",
          "date_happened": 1771842049,
          "priority": "normal",
          "tags": [
            "team:ops",
            "source:statuswatch",
            "provider:acme",
            "kind:incident",
            "status:identified",
            "impact:major"
          ],
          "text": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified\nhttps://status.acme.example/incidents/01ABC",
          "title": "Acme Cloud: High errors with parcel labels"
        }
        "#);
    }
}
