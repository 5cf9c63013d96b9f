//! Microsoft Teams: an Adaptive Card for a workflow "Post to a channel when a webhook request is
//! received". A workflow can neither thread nor edit, and answers before it posts: 202 says nothing
//! about the message.
//!
//! Limits: about 28 KB for everything
//! (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
//! Whether that counts UTF-8 or UTF-16 is not documented, so a message has at most 14,000 bytes of
//! UTF-8, which are at most 28,000 of UTF-16. Cards up to version 1.4 are shown everywhere.
//!
//! Teams reads Markdown in `TextBlock` and `FactSet`
//! (<https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format>),
//! but not in the `TextRun` of a `RichTextBlock`, which therefore holds all text of providers. A
//! mention would need an entry in `msteams.entities`, and there is none.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http,
};
use crate::notification::{Notification, Severity};
use crate::text::{Layout, Unit, fit, largest};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "teams",
    name: "Microsoft Teams",
    audience: Audience::Chat,
    keys: &[Key::required(
        "webhook_url",
        Shape::SecretUrl,
        "The address of a workflow \"Post to a channel when a webhook request is received\".",
    )],
    build,
};

/// Most bytes of a message.
const MESSAGE: usize = 14_000;

/// Longest title, in characters.
const TITLE: usize = 250;

/// Longest address of the link, in bytes.
const LINK: usize = 2_000;

#[derive(Debug)]
struct Teams {
    url: Secret<Url>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    Ok(Box::new(Teams { url: Secret::new(values.need_url("webhook_url")?.clone()) }))
}

impl Channel for Teams {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let message = if form == Form::Plain {
            message(&layout, &layout.short().lines().map(line).collect::<Vec<_>>(), false)
        } else {
            largest(layout.body.len().min(MESSAGE), |room| {
                let message = message(&layout, &blocks(&layout, room), true);
                (message.to_string().len() <= MESSAGE).then_some(message)
            })
            // Too much besides the body.
            .unwrap_or_else(|| message(&layout, &[title(&layout)], false))
        };
        vec![Step::json("post", &message)]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        Request::Http(HttpRequest::post_json(self.url.expose().clone(), &step.body))
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge)
    }

    fn limits(&self) -> Limits {
        // Four requests a second per webhook, says the page on limits above.
        Limits { pace: Some(Pace { every: Duration::from_secs(1), burst: 4 }), in_flight: 2 }
    }
}

/// Judges an answer of Power Automate, which reports a workflow that is off or gone as a 400, or of
/// an old connector, which reports errors of Teams in the text of a 200.
fn judge(answer: &HttpAnswer) -> Verdict {
    let reason = describe(answer);
    let code = answer.text("/error/code").unwrap_or_default();
    match answer.status {
        200..=299 if answer.body.contains("HTTP error 429") => {
            Verdict::Retry { after: None, reason }
        }
        200..=299 if answer.body.contains("delivery failed") => Verdict::Refused { reason },
        400 if matches!(
            code.as_str(),
            "WorkflowTriggerIsNotEnabled"
                | "WorkflowDisabled"
                | "WorkflowNotFound"
                | "DirectApiAuthorizationRequired"
                | "InvalidSignature"
        ) =>
        {
            Verdict::Broken { reason }
        }
        _ => judge_http(answer),
    }
}

fn message(layout: &Layout, body: &[Value], with_link: bool) -> Value {
    let mut card = json!({
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": body,
    });
    let link = layout.url.as_ref().filter(|url| with_link && url.len() <= LINK);
    if let (Some(url), Some(card)) = (link, card.as_object_mut()) {
        let open = json!({ "type": "Action.OpenUrl", "title": "Open the status page", "url": url });
        card.insert("actions".to_owned(), json!([open]));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// Returns the elements of a card whose body has at most `room` bytes.
fn blocks(layout: &Layout, room: usize) -> Vec<Value> {
    let mut blocks = vec![title(layout)];
    if !layout.status.is_empty() {
        blocks.push(line(&layout.status));
    }
    blocks.extend(fit(&layout.body, room, Unit::Bytes).lines().filter(|l| !l.is_empty()).map(line));
    for (name, value) in &layout.facts {
        let name = json!({ "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" });
        let value = json!({ "type": "TextRun", "text": fit(value, 1_500, Unit::Bytes) });
        blocks.push(json!({ "type": "RichTextBlock", "inlines": [name, value] }));
    }
    for remark in &layout.remarks {
        blocks.push(rich(&json!({ "type": "TextRun", "text": remark, "isSubtle": true })));
    }
    blocks
}

fn title(layout: &Layout) -> Value {
    let title = format!("{} {}", layout.sign(), layout.title);
    let color = match (layout.over, layout.severity) {
        (true, _) => "Good",
        (false, Severity::Critical) => "Attention",
        (false, Severity::Major | Severity::Minor) => "Warning",
        (false, Severity::Info) => "Accent",
    };
    rich(&json!({
        "type": "TextRun",
        "text": fit(&title, TITLE, Unit::Chars),
        "size": "Large",
        "weight": "Bolder",
        "color": color,
    }))
}

fn line(text: &str) -> Value {
    rich(&json!({ "type": "TextRun", "text": text }))
}

fn rich(run: &Value) -> Value {
    json!({ "type": "RichTextBlock", "inlines": [run] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, json, judges, show, steps};
    use crate::channel::corpus::walk;
    use crate::notification::{Phase, Reference};

    const ADDRESS: &str = "https://x.logic.azure.example/workflows/1/run?sig=SECRET";

    fn channel() -> Box<dyn Channel> {
        build(&Values::default().with_url("webhook_url", ADDRESS).unwrap()).unwrap()
    }

    #[test]
    fn fits_and_holds_no_markdown() {
        walk(&*channel(), &Reference::default(), |step, _| {
            assert!(step.body.encode_utf16().count() * 2 <= 28_000);
            let message = json(step);
            let card = &message["attachments"][0]["content"];
            let keys: Vec<&String> = card["msteams"].as_object().unwrap().keys().collect();
            assert_eq!(keys, ["width"]);
            for block in card["body"].as_array().unwrap() {
                // Only the runs of a rich text are shown as they are.
                assert_eq!(block["type"], "RichTextBlock");
                for run in block["inlines"].as_array().unwrap() {
                    assert_eq!(run["type"], "TextRun");
                    assert!(!run["text"].as_str().unwrap().is_empty());
                    assert!(run.get("selectAction").is_none());
                }
            }
            for action in card["actions"].as_array().unwrap_or(&Vec::new()) {
                assert!(action["url"].as_str().unwrap().starts_with("https://"));
            }
        });
        hides(&*channel(), "", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let steps = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &steps), @r#"
        post: POST https://x.logic.azure.example/workflows/1/run?sig=SECRET
        {
          "attachments": [
            {
              "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "actions": [
                  {
                    "title": "Open the status page",
                    "type": "Action.OpenUrl",
                    "url": "https://status.acme.example/incidents/01ABC"
                  }
                ],
                "body": [
                  {
                    "inlines": [
                      {
                        "color": "Warning",
                        "size": "Large",
                        "text": "🟠 Acme Cloud: High errors with parcel labels",
                        "type": "TextRun",
                        "weight": "Bolder"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "Identified (major)",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "We have found the cause.",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "A fix is being rolled out.",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "Components: ",
                        "type": "TextRun",
                        "weight": "Bolder"
                      },
                      {
                        "text": "Labels, Label Printing",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  },
                  {
                    "inlines": [
                      {
                        "text": "Status: ",
                        "type": "TextRun",
                        "weight": "Bolder"
                      },
                      {
                        "text": "Investigating → Identified",
                        "type": "TextRun"
                      }
                    ],
                    "type": "RichTextBlock"
                  }
                ],
                "msteams": {
                  "width": "Full"
                },
                "type": "AdaptiveCard",
                "version": "1.4"
              },
              "contentType": "application/vnd.microsoft.card.adaptive",
              "contentUrl": null
            }
          ],
          "type": "message"
        }
        "#);
    }

    #[test]
    fn accepted_is_not_always_delivered() {
        let disabled = r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"off"}}"#;
        let schema = r#"{"error":{"code":"TriggerInputSchemaMismatch","message":"no"}}"#;
        let failed = "Webhook message delivery failed with error: HTTP error 413";
        let limited = "Webhook message delivery failed with error: Microsoft Teams endpoint \
                       returned HTTP error 429 with ContextId x";
        judges(
            &*channel(),
            &[
                ("post", 202, "", "delivered"),
                ("post", 200, "1", "delivered"),
                ("post", 200, limited, "retry"),
                ("post", 200, failed, "refused"),
                ("post", 400, disabled, "broken"),
                ("post", 400, schema, "refused"),
                ("post", 401, "", "broken"),
                ("post", 404, "", "broken"),
                ("post", 413, "request entity too large", "refused"),
                ("post", 429, "", "retry"),
                ("post", 502, "", "retry"),
            ],
        );
    }
}
