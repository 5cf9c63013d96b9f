//! Mattermost: an incoming webhook, which can neither thread nor edit.
//!
//! Limits: a post has 16,383 characters
//! (<https://developers.mattermost.com/integrate/webhooks/incoming/>). Mentions are read in the texts
//! of attachments as well; a zero-width space after `@` keeps them from being read.

use std::time::Duration;

use serde_json::json;
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http,
    judge_proof,
};
use crate::notification::Notification;
use crate::text::{Layout, Style, Unit, markdown};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "mattermost",
    name: "Mattermost",
    audience: Audience::Chat,
    keys: &[
        Key::required("webhook_url", Shape::SecretUrl, "The address of an incoming webhook."),
        Key::optional(
            "channel",
            Shape::Text,
            "The name of another channel, such as town-square, or @name for a direct message, if the \
             webhook allows it.",
        ),
        Key::optional("username", Shape::Text, "Shown as the sender, if the server allows it."),
    ],
    build,
};

/// Longest text; the rest of the 16,383 is left to the fallback.
const TEXT: usize = 8_000;

/// Backslashes and entities are understood, a line break is one.
const STYLE: Style = Style {
    escape: markdown,
    strong: |title| format!("**{}**", markdown(title)),
    link: |url| format!("[Open the status page](<{url}>)"),
    newline: "\n",
};

#[derive(Debug)]
struct Mattermost {
    url: Secret<Url>,
    channel: Option<String>,
    username: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    Ok(Box::new(Mattermost {
        url: Secret::new(values.need_url("webhook_url")?.clone()),
        channel: values.text("channel").map(str::to_owned),
        username: values.text("username").map(str::to_owned),
    }))
}

impl Channel for Mattermost {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut message = match form {
            Form::Plain => json!({ "text": STYLE.short(&layout) }),
            Form::Rich => json!({
                "attachments": [{
                    // Shown in notifications, without Markdown.
                    "fallback": layout.short().replace('@', "@\u{200b}"),
                    "color": format!("#{:06x}", layout.color()),
                    "text": STYLE.whole(&layout, TEXT, Unit::Chars),
                }],
            }),
        };
        if let Some(message) = message.as_object_mut() {
            for (key, value) in [("channel", &self.channel), ("username", &self.username)] {
                if let Some(value) = value {
                    message.insert(key.to_owned(), json!(value));
                }
            }
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
        // The default of RateLimitSettings is ten requests a second.
        Limits { pace: Some(Pace { every: Duration::from_millis(500), burst: 5 }), in_flight: 2 }
    }
}

/// Judges an answer; the ids of errors are those of `HandleIncomingWebhook` in
/// `server/channels/app/webhook.go` of mattermost/mattermost, most of them with status 400.
fn judge(answer: &HttpAnswer) -> Verdict {
    let id = answer.text("/id").unwrap_or_default();
    match id.strip_prefix("web.incoming_webhook.") {
        Some(
            "invalid.app_error"
            | "disabled.app_error"
            | "channel.app_error"
            | "channel_locked.app_error"
            | "permissions.app_error"
            | "user.app_error",
        ) => Verdict::Broken { reason: describe(answer) },
        _ if answer.status == 501 => judge_http(answer),
        _ => {
            let proof = (answer.body.trim() == "ok").then(Verdict::delivered);
            judge_proof(answer, "Mattermost", proof)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, is_inert, json, judges, show, steps};
    use crate::channel::corpus::walk;
    use crate::notification::{Phase, Reference};
    use crate::text::length;

    fn channel() -> Box<dyn Channel> {
        let url = "https://mattermost.example/hooks/SECRET";
        let values = Values::default().with_text("channel", "ops").with_url("webhook_url", url);
        build(&values.unwrap()).unwrap()
    }

    #[test]
    fn fits_and_mentions_nobody() {
        walk(&*channel(), &Reference::default(), |step, _| {
            let message = json(step);
            let attachment = &message["attachments"][0];
            let mut all = 0;
            for text in [&message["text"], &attachment["text"]] {
                let text = text.as_str().unwrap_or_default();
                is_inert(text, "**", "[Open the status page](<");
                all += length(text, Unit::Chars);
            }
            let fallback = attachment["fallback"].as_str().unwrap_or_default();
            assert!(!fallback.contains("@here") && !fallback.contains("@all"));
            all += length(fallback, Unit::Chars);
            assert!((1..=16_383).contains(&all), "{all}");
        });
        hides(&*channel(), "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let steps = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &steps), @r##"
        post: POST https://mattermost.example/hooks/SECRET
        {
          "attachments": [
            {
              "color": "#ef6c00",
              "fallback": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)",
              "text": "**🟠 Acme Cloud:\u{200b} High errors with parcel labels**\nIdentified \\(major\\)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents:\u{200b} Labels, Label Printing\nStatus:\u{200b} Investigating → Identified\n[Open the status page](<https://status.acme.example/incidents/01ABC>)"
            }
          ],
          "channel": "ops"
        }
        "##);
    }

    #[test]
    fn only_ok_is_success() {
        let error =
            |id| format!(r#"{{"id":"web.incoming_webhook.{id}.app_error","status_code":400}}"#);
        judges(
            &*channel(),
            &[
                ("post", 200, "ok", "delivered"),
                ("post", 200, "<html>Sign in</html>", "broken"),
                ("post", 400, &error("invalid"), "broken"),
                ("post", 403, &error("channel_locked"), "broken"),
                ("post", 400, &error("parse"), "refused"),
                ("post", 400, &error("text.length"), "refused"),
                ("post", 404, "", "broken"),
                ("post", 413, "", "refused"),
                ("post", 429, "limit exceeded", "retry"),
                ("post", 500, "", "retry"),
                ("post", 501, &error("disabled"), "broken"),
            ],
        );
    }
}
