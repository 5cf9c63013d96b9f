//! Rocket.Chat: an incoming webhook, which can neither thread nor edit.
//!
//! Limits: 5,000 characters, the default of `Message_MaxAllowedSize`. Its parser
//! (`packages/message-parser/src/grammar.pegjs` of RocketChat/Rocket.Chat) knows neither backslashes
//! nor entities, so zero-width spaces break mentions, links and spoilers, and the characters of
//! formats are replaced by similar ones.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_proof,
};
use crate::notification::Notification;
use crate::text::{Layout, Style, Unit, fit, fit_escaped};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "rocketchat",
    name: "Rocket.Chat",
    audience: Audience::Chat,
    keys: &[
        Key::required("webhook_url", Shape::SecretUrl, "The address of an incoming webhook."),
        Key::optional(
            "channel",
            Shape::Text,
            "Another place: #channel, or @name for a direct message, if the webhook allows it.",
        ),
    ],
    build,
};

const TITLE: usize = 250;
const TEXT: usize = 4_500;
const LINK: usize = 2_000;

const STYLE: Style = Style { escape: inert, ..Style::PLAIN };

#[derive(Debug)]
struct RocketChat {
    url: Secret<Url>,
    channel: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    Ok(Box::new(RocketChat {
        url: Secret::new(values.need_url("webhook_url")?.clone()),
        channel: values.text("channel").map(str::to_owned),
    }))
}

impl Channel for RocketChat {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut message = match form {
            Form::Plain => json!({ "text": STYLE.short(&layout) }),
            Form::Rich => {
                let title = inert(&format!("{} {}", layout.sign(), layout.title));
                let url = layout.url.as_ref().filter(|url| url.len() <= LINK);
                json!({
                    "attachments": [{
                        "color": format!("#{:06x}", layout.color()),
                        "title": fit(&title, TITLE, Unit::Chars),
                        "title_link": url,
                        "text": fit_escaped(&layout.text(), TEXT, Unit::Chars, inert),
                    }],
                })
            }
        };
        if let (Some(message), Some(channel)) = (message.as_object_mut(), &self.channel) {
            message.insert("channel".to_owned(), json!(channel));
        }
        vec![Step::json("post", &message)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        Request::Http(HttpRequest::post_json(self.url.expose().clone(), &step.body))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge)
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(1), burst: 5 }), in_flight: 2 }
    }
}

/// Judges an answer: success is `"success": true`, and errors come with 200 or 400.
fn judge(answer: &HttpAnswer) -> Verdict {
    let error = answer.text("/error").unwrap_or_default();
    let reason = describe(answer);
    if error.starts_with("invalid-channel")
        || error.contains("error-not-allowed")
        || error.contains("error-invalid-room")
        || error.contains("Invalid integration id or token")
    {
        return Verdict::Broken { reason };
    }
    if error.contains("error-too-many-requests") {
        return Verdict::Retry { after: None, reason };
    }
    let proof = if answer.flag("/success") {
        Some(Verdict::delivered())
    } else {
        (!error.is_empty()).then_some(Verdict::Refused { reason })
    };
    judge_proof(answer, "Rocket.Chat", proof)
}

/// Keeps text from being read as markup.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '*' => out.push('∗'),
            '~' => out.push('∼'),
            '`' => out.push('ˋ'),
            '@' | '#' | '<' | '>' | '|' | ']' | '!' | '\\' | '$' => {
                out.push(c);
                out.push('\u{200b}');
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, is_inert, json, judges, show, steps};
    use crate::channel::corpus::walk;
    use crate::notification::{Phase, Reference};
    use crate::text::length;

    fn channel() -> Box<dyn Channel> {
        let url = "https://rocket.example/hooks/1/SECRET";
        let values = Values::default().with_text("channel", "#ops").with_url("webhook_url", url);
        build(&values.unwrap()).unwrap()
    }

    #[test]
    fn fits_and_mentions_nobody() {
        walk(&*channel(), &Reference::default(), |step, _| {
            let message = json(step);
            let attachment = &message["attachments"][0];
            let mut all = 0;
            for text in [&message["text"], &attachment["title"], &attachment["text"]] {
                let text = text.as_str().unwrap_or_default();
                is_inert(&text.replace("<\u{200b}", ""), "", "\0");
                all += length(text, Unit::Chars);
            }
            assert!((1..=5_000).contains(&all), "{all}");
        });
        hides(&*channel(), "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let steps = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &steps), @r##"
        post: POST https://rocket.example/hooks/1/SECRET
        {
          "attachments": [
            {
              "color": "#ef6c00",
              "text": "Identified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified",
              "title": "🟠 Acme Cloud: High errors with parcel labels",
              "title_link": "https://status.acme.example/incidents/01ABC"
            }
          ],
          "channel": "#ops"
        }
        "##);
    }

    #[test]
    fn a_200_is_no_success() {
        let error = |error| format!(r#"{{"success":false,"error":"{error}"}}"#);
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"success":true}"#, "delivered"),
                ("post", 200, &error("error-message-size-exceeded"), "refused"),
                ("post", 400, &error("invalid-channel"), "broken"),
                ("post", 400, &error("error-message-size-exceeded"), "refused"),
                ("post", 400, &error("error-too-many-requests"), "retry"),
                ("post", 404, &error("Invalid integration id or token provided."), "broken"),
                ("post", 200, "<html>", "broken"),
                ("post", 429, "", "retry"),
                ("post", 502, "", "retry"),
            ],
        );
    }
}
