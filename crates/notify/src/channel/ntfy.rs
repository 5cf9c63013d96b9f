//! ntfy: a topic on ntfy.sh or a server of one's own. Every message of an incident replaces the
//! notification before it, by a key of ours; servers before 2.16 publish each by itself.
//!
//! Limits: 4,096 bytes per message, what is longer becomes an attachment
//! (<https://docs.ntfy.sh/publish/#limitations>). ntfy.sh lets a visitor publish 60 messages at once
//! and one per five seconds after that, 250 a day; then it answers 429 (code 42908).
//!
//! Text is shown as it is. The name of a topic is all one needs to read and write it, so it is a
//! secret.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_proof,
    retry_after,
};
use crate::notification::{Notification, Severity};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "ntfy",
    name: "ntfy",
    audience: Audience::Chat,
    keys: &[
        Key::required("topic", Shape::Secret, "The name of the topic."),
        Key::optional("token", Shape::Secret, "An access token (\"tk_...\")."),
        Key::optional(
            "priority",
            Shape::Integer { min: 1, max: 5 },
            "One priority for everything, in place of 5, 4, 3 and 2 for critical, major, minor and \
             the rest; what is over has at most 3.",
        ),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "none"]),
            "\"incident\" (default) replaces the notification of an incident by its next update; \
             \"none\" shows each by itself.",
        ),
        Key::optional("server", Shape::Url, "In place of https://ntfy.sh/."),
    ],
    build,
};

const TITLE: usize = 250;
const MESSAGE: usize = 4_096;
const LINK: usize = 2_000;

#[derive(Debug)]
struct Ntfy {
    server: Url,
    topic: Secret<String>,
    token: Option<Secret<String>>,
    priority: Option<u64>,
    threads: bool,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let topic = values.need_secret("topic")?;
    let name = topic.expose();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(ValueError::at(
            "topic",
            "it must be 1 to 64 letters, digits, \"-\" and \"_\", not an address",
        ));
    }
    Ok(Box::new(Ntfy {
        server: values.url_or("server", "https://ntfy.sh/")?,
        topic: topic.clone(),
        token: values.secret("token").cloned(),
        priority: values.integer("priority"),
        threads: values.text("thread") != Some("none"),
    }))
}

impl Channel for Ntfy {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut message = match form {
            Form::Plain => json!({ "message": layout.short() }),
            Form::Rich => {
                let title = format!("{} {}", layout.sign(), layout.title);
                let title = fit(&title, TITLE, Unit::Bytes);
                let text = layout.text();
                // Without a message it would say "triggered".
                let text = if text.is_empty() { layout.title.clone() } else { text };
                json!({ "title": title, "message": fit(&text, MESSAGE, Unit::Bytes) })
            }
        };
        if let Some(message) = message.as_object_mut() {
            message.insert("priority".to_owned(), json!(self.priority(&layout)));
            if self.threads {
                message.insert("sequence_id".to_owned(), json!(notification.thread));
            }
            let url = layout.url.as_ref().filter(|url| form == Form::Rich && url.len() <= LINK);
            if let Some(url) = url {
                message.insert("click".to_owned(), json!(url));
            }
        }
        vec![Step::json("post", &message)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let mut message: Value = serde_json::from_str(&step.body).unwrap_or_default();
        if let Some(message) = message.as_object_mut() {
            message.insert("topic".to_owned(), json!(self.topic.expose()));
        }
        // JSON is published to the root.
        let request = HttpRequest::post_json(self.server.clone(), message.to_string());
        Request::Http(match &self.token {
            Some(token) => request.authorization("Bearer", token),
            None => request,
        })
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge)
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(5), burst: 20 }), in_flight: 2 }
    }
}

impl Ntfy {
    fn priority(&self, layout: &Layout) -> u64 {
        let usual = match layout.severity {
            Severity::Critical => 5,
            Severity::Major => 4,
            Severity::Minor => 3,
            Severity::Info => 2,
        };
        self.priority.unwrap_or(if layout.over { usual.min(3) } else { usual })
    }
}

/// Judges an answer; codes: `server/errors.go` of binwiederhier/ntfy.
fn judge(answer: &HttpAnswer) -> Verdict {
    if answer.status == 429 && answer.text("/code").as_deref() == Some("42908") {
        // The messages of the day are used up.
        let after = retry_after(answer).or(Some(Duration::from_hours(1)));
        return Verdict::Retry { after, reason: describe(answer) };
    }
    let proof = answer.text("/id").map(|_| Verdict::delivered());
    judge_proof(answer, "ntfy", proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::{complete, walk};
    use crate::notification::{Phase, Reference};

    fn values() -> Values {
        Values::default().with_secret("topic", "SECRET1").with_secret("token", "tk_SECRET2")
    }

    #[test]
    fn fits_and_is_plain_text() {
        let channel = build(&values()).unwrap();
        walk(&*channel, &Reference::default(), |step, request| {
            let message = json(step);
            assert!((1..=4_096).contains(&message["message"].as_str().unwrap().len()));
            assert!((1..=5).contains(&message["priority"].as_u64().unwrap()));
            let key = message["sequence_id"].as_str().unwrap();
            assert!(key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            for other in ["markdown", "actions", "attach", "icon", "email", "call", "delay"] {
                assert!(message.get(other).is_none());
            }
            // The server reads at most 32 KiB of JSON.
            assert!(http(request).body.expose().len() <= 32_768);
        });
        hides(&*channel, "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let channel = build(&values()).unwrap();
        let first = steps(&*channel, Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel, &first), @r#"
        post: POST https://ntfy.sh/
        {
          "click": "https://status.acme.example/incidents/01ABC",
          "message": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
          "priority": 4,
          "sequence_id": "fedcba9876543210fedcba9876543210",
          "title": "🟠 Acme Cloud: High errors with parcel labels"
        }
        "#);
        let request = complete(&*channel, &first[0]);
        assert!(http(&request).body.expose().contains(r#""topic":"SECRET1""#));
        // An end must not wake anyone.
        let end = steps(&*channel, Phase::End, None, Form::Plain);
        assert_eq!(json(&end[0])["priority"], 3);
    }

    #[test]
    fn a_used_up_day_waits_longer() {
        let error = |code| format!(r#"{{"code":{code},"http":429,"error":"limit reached"}}"#);
        judges(
            &*build(&values()).unwrap(),
            &[
                ("post", 200, r#"{"id":"sPs71M8A2T","event":"message"}"#, "delivered"),
                ("post", 200, "<html>", "broken"),
                ("post", 400, r#"{"code":40009,"error":"invalid request"}"#, "refused"),
                ("post", 401, "", "broken"),
                ("post", 403, "", "broken"),
                ("post", 413, "", "refused"),
                ("post", 429, &error(42901), "retry"),
                ("post", 429, &error(42908), "retry after 3600s"),
                ("post", 507, "", "retry"),
            ],
        );
        let address = Values::default().with_secret("topic", "https://ntfy.sh/SECRET");
        let error = build(&address).unwrap_err();
        assert!(error.key == Some("topic") && !error.message.contains("SECRET"));
    }
}
