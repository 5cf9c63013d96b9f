//! Gotify: an application on a server of one's own. It can neither thread nor edit.
//!
//! Limits: none are documented (`docs/spec.json` of gotify/server); a message is cut to 8,000 bytes.
//! The content type is `text/plain`: text is shown as it is.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpRequest, Request, Sending, Step, Verdict, endpoint, judge_proof,
};
use crate::notification::{Notification, Severity};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "gotify",
    name: "Gotify",
    audience: Audience::Chat,
    keys: &[
        Key::required("server", Shape::Url, "The address of the server."),
        Key::required("token", Shape::Secret, "The token of an application (not of a client)."),
        Key::optional(
            "priority",
            Shape::Integer { min: 0, max: 10 },
            "One priority for everything, in place of 9, 7, 5 and 3 for critical, major, minor and \
             the rest; what is over has at most 5.",
        ),
    ],
    build,
};

const TITLE: usize = 250;
const MESSAGE: usize = 8_000;
const LINK: usize = 2_000;

#[derive(Debug)]
struct Gotify {
    server: Url,
    token: Secret<String>,
    priority: Option<u64>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    Ok(Box::new(Gotify {
        server: values.need_url("server")?.clone(),
        token: values.need_secret("token")?.clone(),
        priority: values.integer("priority"),
    }))
}

impl Channel for Gotify {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let priority = self.priority(&layout);
        let message = match form {
            Form::Plain => json!({ "message": layout.short(), "priority": priority }),
            Form::Rich => {
                let title = format!("{} {}", layout.sign(), layout.title);
                let text = layout.text();
                // A message must not be empty.
                let text = if text.is_empty() { layout.title.clone() } else { text };
                json!({
                    "title": fit(&title, TITLE, Unit::Bytes),
                    "message": fit(&text, MESSAGE, Unit::Bytes),
                    "priority": priority,
                    "extras": extras(&layout),
                })
            }
        };
        vec![Step::json("post", &message)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let url = endpoint(&self.server, &["message"]);
        let request = HttpRequest::post_json(url, &step.body);
        Request::Http(request.header("x-gotify-key", self.token.expose()))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        let proof = answer.text("/id").map(|_| Verdict::delivered());
        judge_proof(answer, "Gotify", proof)
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_millis(500), burst: 10 }), in_flight: 2 }
    }
}

impl Gotify {
    fn priority(&self, layout: &Layout) -> u64 {
        // Its Android application makes a sound from 4 and shows itself from 8.
        let usual = match layout.severity {
            Severity::Critical => 9,
            Severity::Major => 7,
            Severity::Minor => 5,
            Severity::Info => 3,
        };
        self.priority.unwrap_or(if layout.over { usual.min(5) } else { usual })
    }
}

fn extras(layout: &Layout) -> Value {
    let display = json!({ "contentType": "text/plain" });
    match layout.url.as_ref().filter(|url| url.len() <= LINK) {
        Some(url) => json!({
            "client::display": display,
            "client::notification": { "click": { "url": url } },
        }),
        None => json!({ "client::display": display }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::{complete, walk};
    use crate::notification::{Phase, Reference};

    fn channel() -> Box<dyn Channel> {
        let values = Values::default().with_secret("token", "SECRET");
        build(&values.with_url("server", "https://gotify.example/push/").unwrap()).unwrap()
    }

    #[test]
    fn fits_and_is_plain_text() {
        walk(&*channel(), &Reference::default(), |step, _| {
            let message = json(step);
            assert!((1..=8_000).contains(&message["message"].as_str().unwrap().len()));
            assert!(message["priority"].as_u64().unwrap() <= 10);
            if let Some(extras) = message.get("extras") {
                assert_eq!(extras["client::display"]["contentType"], "text/plain");
                let url = extras.pointer("/client::notification/click/url");
                let url = url.and_then(Value::as_str).unwrap_or("https://");
                assert!(url.starts_with("https://"));
            }
        });
        hides(&*channel(), "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        post: POST https://gotify.example/push/message
        {
          "extras": {
            "client::display": {
              "contentType": "text/plain"
            },
            "client::notification": {
              "click": {
                "url": "https://status.acme.example/incidents/01ABC"
              }
            }
          },
          "message": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
          "priority": 7,
          "title": "🟠 Acme Cloud: High errors with parcel labels"
        }
        "#);
        let request = complete(&*channel(), &first[0]);
        let (name, value) = &http(&request).headers[0];
        assert_eq!((*name, value.expose().as_str()), ("x-gotify-key", "SECRET"));
    }

    #[test]
    fn only_a_message_with_an_id_counts() {
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"id":25,"appid":5,"message":"x"}"#, "delivered"),
                ("post", 200, "<html>", "broken"),
                ("post", 400, r#"{"error":"Bad Request","errorCode":400}"#, "refused"),
                ("post", 401, r#"{"error":"Unauthorized","errorCode":401}"#, "broken"),
                ("post", 403, "", "broken"),
                ("post", 404, "", "broken"),
                ("post", 413, "", "refused"),
                ("post", 429, "", "retry"),
                ("post", 500, "", "retry"),
            ],
        );
    }
}
