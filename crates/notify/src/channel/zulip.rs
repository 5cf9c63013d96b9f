//! Zulip: a bot that writes to one topic per incident.
//!
//! Limits: 60 characters per topic, 10,000 per message
//! (<https://zulip.com/api/send-message>), 200 requests a minute per user.
//!
//! Zulip's Markdown (`zerver/lib/markdown/__init__.py` of zulip/zulip) has no backslash escapes, but
//! shows HTML entities as their characters after it has looked for mentions, links and formats. So
//! whatever may be markup is written as an entity.

use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use statuswatch_model::text::one_line;
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, endpoint,
    judge_proof, retry_after, seconds,
};
use crate::notification::Notification;
use crate::text::{Layout, Style, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "zulip",
    name: "Zulip",
    audience: Audience::Chat,
    keys: &[
        Key::required(
            "site",
            Shape::Url,
            "The address of the server, such as https://zulip.example.",
        ),
        Key::required("email", Shape::Text, "The email address of the bot."),
        Key::required("api_key", Shape::Secret, "The API key of the bot."),
        Key::required("channel", Shape::Text, "The name of the channel."),
        Key::optional(
            "topic",
            Shape::Text,
            "One topic for everything, in place of one per incident.",
        ),
    ],
    build,
};

const TOPIC: usize = 60;
const CONTENT: usize = 10_000;

const STYLE: Style = Style {
    escape: inert,
    strong: |title| format!("**{}**", inert(title)),
    link: |url| format!("[Open the status page]({url})"),
    newline: "\n",
};

#[derive(Debug)]
struct Zulip {
    site: Url,
    credentials: Secret<String>,
    channel: String,
    topic: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let key = values.need_secret("api_key")?.expose();
    let credentials = STANDARD.encode(format!("{}:{key}", values.need_text("email")?));
    Ok(Box::new(Zulip {
        site: values.need_url("site")?.clone(),
        credentials: Secret::new(credentials),
        channel: values.need_text("channel")?.to_owned(),
        topic: values.text("topic").map(|topic| one_line(topic, TOPIC)),
    }))
}

impl Channel for Zulip {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let content = match form {
            Form::Plain => STYLE.short(&layout),
            Form::Rich => STYLE.whole(&layout, CONTENT, Unit::Chars),
        };
        let topic = match (&self.topic, notification.reference) {
            (Some(topic), _) => topic.clone(),
            // The title may have changed: the topic stays what it was.
            (None, Some(reference)) => one_line(&reference.root, TOPIC),
            (None, None) => topic(&layout.title, notification.thread),
        };
        vec![Step::json("post", &json!({ "topic": topic, "content": content }))]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let body: serde_json::Value = serde_json::from_str(&step.body).unwrap_or_default();
        let field = |name: &str| body.get(name).and_then(|v| v.as_str()).unwrap_or_default();
        let url = endpoint(&self.site, &["api", "v1", "messages"]);
        let fields = [
            ("type", "stream"),
            ("to", self.channel.as_str()),
            ("topic", field("topic")),
            ("content", field("content")),
        ];
        let request = HttpRequest::post_form(url, fields);
        Request::Http(request.authorization("Basic", &self.credentials))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Http(answer) => judge(step, answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_millis(500), burst: 5 }), in_flight: 2 }
    }
}

/// Returns the topic of a thread: its first title, and a part of its id, because titles repeat.
fn topic(title: &str, thread: &str) -> String {
    let id: String = thread.chars().filter(char::is_ascii_alphanumeric).take(4).collect();
    let title = fit(title, TOPIC - 7, Unit::Chars);
    format!("{title} ({id})")
}

/// Judges an answer; codes: `ErrorCode` in `zerver/lib/exceptions.py` of zulip/zulip.
fn judge(step: &Step, answer: &HttpAnswer) -> Verdict {
    let code = answer.text("/code").unwrap_or_default();
    let message = answer.text("/msg").unwrap_or_default();
    let reason = describe(answer);
    if code == "RATE_LIMIT_HIT" {
        let wait = answer.text("/retry-after").as_deref().and_then(seconds);
        return Verdict::Retry { after: wait.max(retry_after(answer)), reason };
    }
    let broken = ["STREAM_DOES_NOT_EXIST", "INVALID_API_KEY", "UNAUTHORIZED_PRINCIPAL"];
    if broken.contains(&code.as_str()) || message.starts_with("Not authorized") {
        return Verdict::Broken { reason };
    }
    // The topic is what later messages need.
    let sent: serde_json::Value = serde_json::from_str(&step.body).unwrap_or_default();
    let topic = sent.get("topic").and_then(|topic| topic.as_str()).map(str::to_owned);
    let proof = match answer.text("/result").as_deref() {
        Some("success") => Some(Verdict::Delivered { reference: topic }),
        Some("error") => Some(Verdict::Refused { reason }),
        _ => None,
    };
    judge_proof(answer, "Zulip", proof)
}

/// Writes ASCII punctuation that may be markup as entities.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut line_start = true;
    for c in text.chars() {
        let always = "\\`*_~[]()<>&@#|$:!".contains(c);
        // Lists, and dots or signs that make them.
        if always || (line_start && "-+=.0123456789".contains(c)) {
            // Writing to a string cannot fail.
            let _infallible = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
        line_start = c == '\n';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, is_inert, json, judges, show, steps};
    use crate::channel::corpus::{complete, walk};
    use crate::notification::{Phase, Reference};
    use crate::text::length;

    fn channel() -> Box<dyn Channel> {
        let values = Values::default()
            .with_text("email", "bot@zulip.example")
            .with_secret("api_key", "SECRET")
            .with_text("channel", "ops")
            .with_url("site", "https://zulip.example/")
            .unwrap();
        build(&values).unwrap()
    }

    #[test]
    fn fits_and_mentions_nobody() {
        let reference = Reference { root: "GitHub: Old title (fedc)".into(), last: None };
        walk(&*channel(), &reference, |step, _| {
            let message = json(step);
            let text = |key: &str| message[key].as_str().unwrap().to_owned();
            assert!((1..=60).contains(&length(&text("topic"), Unit::Chars)));
            assert!((1..=10_000).contains(&length(&text("content"), Unit::Chars)));
            is_inert(&text("content"), "**", "[Open the status page](");
        });
        hides(&*channel(), "t", &["SECRET", &STANDARD.encode("bot@zulip.example:SECRET")]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        post: POST https://zulip.example/api/v1/messages
        {
          "content": "**🟠 Acme Cloud&#58; High errors with parcel labels**\nIdentified &#40;major&#41;\nWe have found the cause.\n\nA fix is being rolled out.\nComponents&#58; Labels, Label Printing\nStatus&#58; Investigating → Identified\n[Open the status page](https://status.acme.example/incidents/01ABC)",
          "topic": "Acme Cloud: High errors with parcel labels (fedc)"
        }
        "#);
        let request = complete(&*channel(), &first[0]);
        let body = http(&request).body.expose();
        assert!(body.starts_with("type=stream&to=ops&topic=Acme+Cloud%3A+High+errors"), "{body}");
        assert_eq!(http(&request).content_type, "application/x-www-form-urlencoded");
    }

    #[test]
    fn an_incident_keeps_its_topic() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        let answer = HttpAnswer {
            status: 200,
            body: r#"{"result":"success","msg":"","id":42}"#.into(),
            ..HttpAnswer::default()
        };
        let Verdict::Delivered { reference: Some(root) } = judge(&first[0], &answer) else {
            panic!("not delivered");
        };
        assert_eq!(root, "Acme Cloud: High errors with parcel labels (fedc)");
        let update = steps(&*channel(), Phase::Update, Some("An older title (fedc)"), Form::Rich);
        assert_eq!(json(&update[0])["topic"], "An older title (fedc)");
    }

    #[test]
    fn errors_are_distinguished_by_their_code() {
        let error = |code: &str, message: &str| {
            format!(r#"{{"result":"error","code":"{code}","msg":"{message}"}}"#)
        };
        let limited = r#"{"result":"error","code":"RATE_LIMIT_HIT","retry-after":28.5}"#;
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"result":"success","id":42}"#, "delivered"),
                ("post", 200, "<html>", "broken"),
                ("post", 429, limited, "retry after 28.5s"),
                ("post", 400, &error("STREAM_DOES_NOT_EXIST", "no"), "broken"),
                ("post", 400, &error("BAD_REQUEST", "Not authorized to send to channel"), "broken"),
                ("post", 400, &error("BAD_REQUEST", "Message must not be empty"), "refused"),
                ("post", 401, &error("INVALID_API_KEY", "no"), "broken"),
                ("post", 502, "", "retry"),
            ],
        );
    }
}
