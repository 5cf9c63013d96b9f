//! Google Chat: a webhook of a space, with one thread per incident by a key of ours, so that nothing
//! has to be remembered. A webhook cannot edit.
//!
//! Limits: 32,000 bytes per message and 4,000 characters per thread key
//! (<https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages>), one
//! message a second per space (<https://developers.google.com/workspace/chat/limits>). The
//! idempotency key `requestId` of that page is not documented for webhooks and not used.
//!
//! `text` of a message reads `<users/all>` and `<url|text>`; the texts of cards read some HTML and no
//! mentions. So provider text stands escaped in cards.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{Answer, HttpRequest, Request, Sending, Step, Verdict, judge_proof};
use crate::notification::Notification;
use crate::text::{Layout, Unit, fit, fit_escaped, html};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "google_chat",
    name: "Google Chat",
    audience: Audience::Chat,
    keys: &[
        Key::required("webhook_url", Shape::SecretUrl, "The address of a webhook of the space."),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "none"]),
            "\"incident\" (default) posts the updates of an incident to one thread; \"none\" posts \
             each by itself.",
        ),
    ],
    build,
};

const TITLE: usize = 200;
/// Leaves room for the rest of the message and for an answer, which repeats the message with every
/// character escaped, within the 64 KiB that are read of it.
const BODY: usize = 8_000;
const FACT: usize = 1_000;
const LINK: usize = 2_000;

#[derive(Debug)]
struct GoogleChat {
    url: Secret<Url>,
    threads: bool,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let url = values.need_url("webhook_url")?;
    for key in ["key", "token"] {
        if !url.query_pairs().any(|(name, value)| name == key && !value.is_empty()) {
            return Err(ValueError::at(
                "webhook_url",
                format!("it must have \"{key}=...\": copy the whole address of the webhook"),
            ));
        }
    }
    let threads = values.text("thread") != Some("none");
    Ok(Box::new(GoogleChat { url: Secret::new(url.clone()), threads }))
}

impl Channel for GoogleChat {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut message = match form {
            Form::Plain => json!({ "text": inert(&layout.short()) }),
            Form::Rich => json!({
                "cardsV2": [{ "cardId": "event", "card": card(&layout) }],
                // Shown where a card cannot be, such as in notifications.
                "fallbackText": inert(&layout.short()),
            }),
        };
        if let Some(message) = message.as_object_mut().filter(|_| self.threads) {
            message.insert("thread".to_owned(), json!({ "threadKey": notification.thread }));
        }
        vec![Step::json("post", &message)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let mut url = self.url.expose().clone();
        if self.threads {
            url.query_pairs_mut()
                .append_pair("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD");
        }
        Request::Http(HttpRequest::post_json(url, &step.body))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        // `spaces/SPACE/messages/MESSAGE`
        let proof = answer.text("/name").map(|_| Verdict::delivered());
        judge_proof(answer, "Google Chat", proof)
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(1), burst: 1 }), in_flight: 1 }
    }
}

fn card(layout: &Layout) -> Value {
    let escaped = |text: &str, max| {
        fit_escaped(text, max, Unit::Bytes, |text| html(text).replace('\n', "<br>"))
    };
    let mut widgets = Vec::new();
    if !layout.body.is_empty() {
        widgets.push(json!({ "textParagraph": { "text": escaped(&layout.body, BODY) } }));
    }
    for (name, value) in &layout.facts {
        let text = escaped(value, FACT);
        widgets.push(json!({
            "decoratedText": { "topLabel": name, "text": text, "wrapText": true },
        }));
    }
    if !layout.remarks.is_empty() {
        let remarks = format!("<i>{}</i>", escaped(&layout.remarks.join("\n"), FACT));
        widgets.push(json!({ "textParagraph": { "text": remarks } }));
    }
    if let Some(url) = layout.url.as_ref().filter(|url| url.len() <= LINK) {
        widgets.push(json!({
            "buttonList": {
                "buttons": [{
                    "text": "Open the status page",
                    "onClick": { "openLink": { "url": url } },
                }],
            },
        }));
    }
    let title = format!("{} {}", layout.sign(), layout.title);
    let mut card = json!({
        // Title and subtitle are plain text.
        "header": { "title": fit(&title, TITLE, Unit::Chars), "subtitle": layout.status },
    });
    if let Some(card) = card.as_object_mut().filter(|_| !widgets.is_empty()) {
        card.insert("sections".to_owned(), json!([{ "widgets": widgets }]));
    }
    card
}

/// Keeps the markup of `text` from being read: it has no escapes, but a zero-width space breaks
/// mentions and links, and ends a format before it begins.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if "*_~`".contains(c) {
            out.push('\u{200b}');
        }
        out.push(c);
        if "<@*_~`".contains(c) {
            out.push('\u{200b}');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::walk;
    use crate::notification::{Phase, Reference};

    const ADDRESS: &str = "https://chat.example/v1/spaces/A/messages?key=SECRET1&token=SECRET2";

    fn channel() -> Box<dyn Channel> {
        build(&Values::default().with_url("webhook_url", ADDRESS).unwrap()).unwrap()
    }

    #[test]
    fn fits_and_holds_no_markup() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(step.body.len() <= 32_000);
            // An answer repeats it, and 64 KiB of that are read.
            let escaped: usize = step.body.chars().map(|c| if c < '~' { 1 } else { 6 }).sum();
            assert!(escaped <= 60_000, "{escaped}");
            let message = json(step);
            let key = message["thread"]["threadKey"].as_str().unwrap();
            assert_eq!(key, "fedcba9876543210fedcba9876543210");
            assert!(http(request).url.expose().query().unwrap().contains("messageReplyOption="));
            for text in [&message["text"], &message["fallbackText"]] {
                let text = text.as_str().unwrap_or_default();
                assert!(!text.contains("<u") && !text.contains("<h") && !text.contains("@here"));
            }
            let card = &message["cardsV2"][0]["card"];
            let empty = Vec::new();
            for widget in card["sections"][0]["widgets"].as_array().unwrap_or(&empty) {
                let text = widget.pointer("/textParagraph/text");
                let text = text.or_else(|| widget.pointer("/decoratedText/text"));
                let text = text.and_then(Value::as_str).unwrap_or_default();
                let own = text.replace("<br>", "").replace("<i>", "").replace("</i>", "");
                assert!(!own.contains('<'), "{text}");
            }
        });
        hides(&*channel(), "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let steps = steps(&*channel(), Phase::Update, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &steps), @r#"
        post: POST https://chat.example/v1/spaces/A/messages?key=SECRET1&token=SECRET2&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD
        {
          "cardsV2": [
            {
              "card": {
                "header": {
                  "subtitle": "Identified (major)",
                  "title": "🟠 Acme Cloud: High errors with parcel labels"
                },
                "sections": [
                  {
                    "widgets": [
                      {
                        "textParagraph": {
                          "text": "We have found the cause.<br><br>A fix is being rolled out."
                        }
                      },
                      {
                        "decoratedText": {
                          "text": "Labels, Label Printing",
                          "topLabel": "Components",
                          "wrapText": true
                        }
                      },
                      {
                        "decoratedText": {
                          "text": "Investigating → Identified",
                          "topLabel": "Status",
                          "wrapText": true
                        }
                      },
                      {
                        "buttonList": {
                          "buttons": [
                            {
                              "onClick": {
                                "openLink": {
                                  "url": "https://status.acme.example/incidents/01ABC"
                                }
                              },
                              "text": "Open the status page"
                            }
                          ]
                        }
                      }
                    ]
                  }
                ]
              },
              "cardId": "event"
            }
          ],
          "fallbackText": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)",
          "thread": {
            "threadKey": "fedcba9876543210fedcba9876543210"
          }
        }
        "#);
    }

    #[test]
    fn errors_are_distinguished() {
        let error = |status| format!(r#"{{"error":{{"status":"{status}","message":"x"}}}}"#);
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"name":"spaces/A/messages/B.C"}"#, "delivered"),
                ("post", 200, "<html>Sign in</html>", "broken"),
                ("post", 302, "", "broken"),
                ("post", 400, &error("INVALID_ARGUMENT"), "refused"),
                ("post", 401, &error("UNAUTHENTICATED"), "broken"),
                ("post", 403, &error("PERMISSION_DENIED"), "broken"),
                ("post", 404, &error("NOT_FOUND"), "broken"),
                ("post", 429, &error("RESOURCE_EXHAUSTED"), "retry"),
                ("post", 503, &error("UNAVAILABLE"), "retry"),
            ],
        );
        let cut = Values::default().with_url("webhook_url", "https://chat.example/v1?key=1");
        assert!(build(&cut.unwrap()).unwrap_err().message.contains("token="));
    }
}
