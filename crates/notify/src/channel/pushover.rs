//! Pushover: an application and a user or group. It can neither thread nor edit, but the end of an
//! incident stops emergency notifications that nobody has acknowledged.
//!
//! Limits (<https://pushover.net/api>): message 1,024 and title 250 characters, address 512, its title
//! 100; two connections at once; 10,000 messages a month per account. With priority 2 a notification
//! is repeated every `retry` (at least 30) seconds for `expire` (at most 10,800) seconds until
//! somebody acknowledges it. Text is shown as it is, since `html` is not set.

use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, endpoint,
    judge_proof, retry_after,
};
use crate::notification::{Notification, Phase, Severity};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "pushover",
    name: "Pushover",
    audience: Audience::Chat,
    keys: &[
        Key::required("token", Shape::Secret, "The API token of an application."),
        Key::required("user", Shape::Secret, "The key of a user or group."),
        Key::optional("device", Shape::Text, "The name of one device, or several with commas."),
        Key::optional(
            "emergency",
            Shape::Flag,
            "Repeats a critical notification every minute for an hour until somebody acknowledges \
             it or the incident ends (default: false).",
        ),
        Key::optional("api_url", Shape::Url, "In place of https://api.pushover.net/1/."),
    ],
    build,
};

const TITLE: usize = 250;
const MESSAGE: usize = 1_024;
const LINK: usize = 512;
/// Seconds between two repetitions, and seconds after which they end.
const EMERGENCY: (u32, u32) = (60, 3_600);

#[derive(Debug)]
struct Pushover {
    api: Url,
    token: Secret<String>,
    user: Secret<String>,
    device: Option<String>,
    emergency: bool,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    Ok(Box::new(Pushover {
        api: values.url_or("api_url", "https://api.pushover.net/1/")?,
        token: values.need_secret("token")?.clone(),
        user: values.need_secret("user")?.clone(),
        device: values.text("device").map(str::to_owned),
        emergency: values.flag("emergency"),
    }))
}

impl Channel for Pushover {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut fields = Map::new();
        let mut set = |name: &str, value: &str| {
            fields.insert(name.to_owned(), json!(value));
        };
        match form {
            Form::Plain => set("message", &layout.short()),
            Form::Rich => {
                let title = format!("{} {}", layout.sign(), layout.title);
                let text = layout.text();
                // A message must not be empty.
                let text = if text.is_empty() { layout.title.clone() } else { text };
                // Characters are at most units of UTF-16, whatever the service counts.
                set("title", &fit(&title, TITLE, Unit::Utf16));
                set("message", &fit(&text, MESSAGE, Unit::Utf16));
                if let Some(url) = layout.url.as_ref().filter(|url| url.len() <= LINK) {
                    set("url", url);
                    set("url_title", "Open the status page");
                }
            }
        }
        set("timestamp", &layout.at.timestamp().to_string());
        let priority = self.priority(&layout);
        set("priority", &priority.to_string());
        if priority == 2 {
            set("retry", &EMERGENCY.0.to_string());
            set("expire", &EMERGENCY.1.to_string());
            set("tags", notification.thread);
        }
        let post = Step::json("post", &Value::Object(fields));
        let cancel =
            self.emergency && notification.phase == Phase::End && is_tag(notification.thread);
        if cancel {
            return vec![Step::json(format!("cancel:{}", notification.thread), &json!({})), post];
        }
        vec![post]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let stored: Value = serde_json::from_str(&step.body).unwrap_or_default();
        let empty = Map::new();
        let stored = stored.as_object().unwrap_or(&empty);
        let mut fields = vec![("token", self.token.expose().as_str())];
        let tag = step.op.strip_prefix("cancel:").filter(|tag| is_tag(tag));
        let url = if let Some(tag) = tag {
            endpoint(&self.api, &["receipts", "cancel_by_tag", &format!("{tag}.json")])
        } else {
            fields.push(("user", self.user.expose()));
            fields.extend(self.device.as_deref().map(|device| ("device", device)));
            endpoint(&self.api, &["messages.json"])
        };
        let values =
            stored.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        fields.extend(values);
        Request::Http(HttpRequest::post_form(url, fields))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge)
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(1), burst: 5 }), in_flight: 2 }
    }
}

impl Pushover {
    /// Returns a priority from -1 (no sound) to 2 (emergency).
    fn priority(&self, layout: &Layout) -> i8 {
        match layout.severity {
            _ if layout.over => 0,
            Severity::Critical if self.emergency => 2,
            Severity::Critical => 1,
            Severity::Major | Severity::Minor => 0,
            Severity::Info => -1,
        }
    }
}

/// Returns whether `text` can be a tag: it goes into an address.
fn is_tag(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Judges an answer: `status` in the body is 1 for success.
fn judge(answer: &HttpAnswer) -> Verdict {
    let reason = describe(answer);
    let errors = answer.json().pointer("/errors").map(ToString::to_string).unwrap_or_default();
    if answer.status == 429 {
        // The messages of the month are used up, or requests come too fast.
        let after = retry_after(answer).or(Some(Duration::from_hours(1)));
        return Verdict::Retry { after, reason };
    }
    let config = ["application token", "user identifier", "user key", "device name"];
    if config.iter().any(|part| errors.contains(part)) {
        return Verdict::Broken { reason };
    }
    let proof = match answer.text("/status").as_deref() {
        Some("1") => Some(Verdict::delivered()),
        Some(_) => Some(Verdict::Refused { reason }),
        None => None,
    };
    judge_proof(answer, "Pushover", proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::{complete, incident, notification, walk};
    use crate::notification::Reference;
    use crate::text::length;
    use statuswatch_model::event::Impact;

    fn channel() -> Box<dyn Channel> {
        let values = Values::default()
            .with_secret("token", "SECRET1")
            .with_secret("user", "SECRET2")
            .with("emergency", crate::values::Value::Flag(true));
        build(&values).unwrap()
    }

    #[test]
    fn fits_and_is_plain_text() {
        walk(&*channel(), &Reference::default(), |step, _| {
            if step.op.starts_with("cancel:") {
                return;
            }
            let message = json(step);
            let characters = |name: &str| {
                length(message.get(name).and_then(Value::as_str).unwrap_or_default(), Unit::Chars)
            };
            assert!((1..=1_024).contains(&characters("message")));
            assert!(characters("title") <= 250 && characters("url") <= 512);
            assert!(characters("url_title") <= 100);
            assert!(message.get("html").is_none() && message.get("monospace").is_none());
        });
        hides(&*channel(), "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        post: POST https://api.pushover.net/1/messages.json
        {
          "message": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
          "priority": "0",
          "timestamp": "1771842049",
          "title": "🟠 Acme Cloud: High errors with parcel labels",
          "url": "https://status.acme.example/incidents/01ABC",
          "url_title": "Open the status page"
        }
        "#);
        let request = complete(&*channel(), &first[0]);
        let body = http(&request).body.expose();
        assert!(body.starts_with("token=SECRET1&user=SECRET2&message=Identified"), "{body}");
    }

    #[test]
    fn an_emergency_is_repeated_until_the_incident_ends() {
        let mut event = incident();
        event.impact = Impact::Critical;
        let render = |phase| channel().render(&notification(&event, phase, None), Form::Plain);
        let open = render(Phase::Open);
        insta::assert_snapshot!(show(&*channel(), &open), @r#"
        post: POST https://api.pushover.net/1/messages.json
        {
          "expire": "3600",
          "message": "🔴 Acme Cloud: High errors with parcel labels\nIdentified (critical)",
          "priority": "2",
          "retry": "60",
          "tags": "fedcba9876543210fedcba9876543210",
          "timestamp": "1771842049"
        }
        "#);
        let end = render(Phase::End);
        insta::assert_snapshot!(show(&*channel(), &end), @r#"
        cancel:fedcba9876543210fedcba9876543210: POST https://api.pushover.net/1/receipts/cancel_by_tag/fedcba9876543210fedcba9876543210.json
        {}
        post: POST https://api.pushover.net/1/messages.json
        {
          "message": "✅ Acme Cloud: High errors with parcel labels\nIdentified (critical)",
          "priority": "0",
          "timestamp": "1771842049"
        }
        "#);
    }

    #[test]
    fn errors_stand_in_the_body() {
        let error = |text| format!(r#"{{"status":0,"errors":["{text}"]}}"#);
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"status":1,"request":"x"}"#, "delivered"),
                ("cancel:abc", 200, r#"{"status":1,"canceled":0}"#, "delivered"),
                ("post", 200, &error("message cannot be blank"), "refused"),
                ("post", 200, "<html>", "broken"),
                ("post", 400, &error("application token is invalid"), "broken"),
                ("post", 400, &error("user identifier is not a valid user"), "broken"),
                ("post", 400, &error("message cannot be blank"), "refused"),
                ("post", 413, "", "refused"),
                ("post", 429, &error("over quota"), "retry after 3600s"),
                ("post", 500, "", "retry"),
            ],
        );
        let request = complete(&*channel(), &Step::new("cancel:../x", "{}"));
        assert_eq!(http(&request).url.expose().path(), "/1/messages.json");
    }
}
