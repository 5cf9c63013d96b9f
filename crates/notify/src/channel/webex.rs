//! Webex: a bot. The updates of an incident are replies to its first message.
//!
//! Limits: 7,439 bytes per message
//! (<https://developer.webex.com/docs/api/v1/messages/create-a-message>). Webex reads Markdown and
//! mentions as `<@all>` or `<@personEmail:...>`; both are escaped.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, endpoint, judge_proof,
};
use crate::notification::{Notification, Phase};
use crate::text::{Layout, Style, Unit, markdown};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "webex",
    name: "Webex",
    audience: Audience::Chat,
    keys: &[
        Key::required("token", Shape::Secret, "The access token of a bot that is in the space."),
        Key::required("room_id", Shape::Text, "The id of the space."),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "none"]),
            "\"incident\" (default) posts the updates of an incident as replies to its first \
             message; \"none\" posts each by itself.",
        ),
        Key::optional("api_url", Shape::Url, "In place of https://webexapis.com/v1/."),
    ],
    build,
};

/// Most bytes of a message.
const TEXT: usize = 7_400;

/// A line break needs two spaces before it.
const STYLE: Style = Style {
    escape: markdown,
    strong: |title| format!("**{}**", markdown(title)),
    link: |url| format!("[Open the status page]({url})"),
    newline: "  \n",
};

#[derive(Debug)]
struct Webex {
    api: Url,
    token: Secret<String>,
    room: String,
    threads: bool,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    Ok(Box::new(Webex {
        api: values.url_or("api_url", "https://webexapis.com/v1/")?,
        token: values.need_secret("token")?.clone(),
        room: values.need_text("room_id")?.to_owned(),
        threads: values.text("thread") != Some("none"),
    }))
}

/// Returns whether `text` can be the id of a message: Base64.
fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+/".contains(&byte);
    (1..=200).contains(&text.len()) && text.bytes().all(allowed)
}

impl Channel for Webex {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut message = match form {
            // Plain text reads no mentions.
            Form::Plain => json!({ "roomId": self.room, "text": layout.short() }),
            Form::Rich => {
                json!({ "roomId": self.room, "markdown": STYLE.whole(&layout, TEXT, Unit::Bytes) })
            }
        };
        let root = notification.reference.map(|reference| reference.root.as_str());
        let root = root.filter(|root| is_id(root));
        match root.filter(|_| self.threads && notification.phase != Phase::Open) {
            Some(root) => {
                if let Some(message) = message.as_object_mut() {
                    message.insert("parentId".to_owned(), json!(root));
                }
                vec![Step::json("reply", &message)]
            }
            None => vec![Step::json("post", &message)],
        }
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let url = endpoint(&self.api, &["messages"]);
        let request = HttpRequest::post_json(url, &step.body);
        Request::Http(request.authorization("Bearer", &self.token))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Http(answer) => judge(step, answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(1), burst: 3 }), in_flight: 2 }
    }
}

fn judge(step: &Step, answer: &HttpAnswer) -> Verdict {
    if step.op == "reply" && matches!(answer.status, 400 | 404) {
        // The message it answers may be gone or not of this space. If it is something else, the new
        // message is refused as well, and that says what it is.
        return Verdict::Gone;
    }
    let id = answer.json().pointer("/id").and_then(Value::as_str).map(str::to_owned);
    let proof = id.filter(|id| is_id(id)).map(|id| Verdict::Delivered {
        // A reply cannot be replied to.
        reference: (step.op == "post").then_some(id),
    });
    judge_proof(answer, "Webex", proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, is_inert, json, judges, show, steps};
    use crate::channel::corpus::walk;
    use crate::notification::Reference;

    fn channel() -> Box<dyn Channel> {
        let values = Values::default().with_secret("token", "SECRET").with_text("room_id", "R1");
        build(&values).unwrap()
    }

    #[test]
    fn fits_and_mentions_nobody() {
        let reference = Reference { root: "M1".into(), last: None };
        walk(&*channel(), &reference, |step, _| {
            let message = json(step);
            let texts = [message["markdown"].as_str(), message["text"].as_str()];
            let text = texts.iter().flatten().next().unwrap();
            assert!((1..=7_439).contains(&text.len()), "{}", text.len());
            if let Some(markdown) = message["markdown"].as_str() {
                is_inert(markdown, "**", "[Open the status page](");
            }
            assert!(message.get("toPersonEmail").is_none() && message.get("html").is_none());
        });
        hides(&*channel(), "M1", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        post: POST https://webexapis.com/v1/messages
        {
          "markdown": "**🟠 Acme Cloud:\u{200b} High errors with parcel labels**  \nIdentified \\(major\\)  \nWe have found the cause.  \n  \nA fix is being rolled out.  \nComponents:\u{200b} Labels, Label Printing  \nStatus:\u{200b} Investigating → Identified  \n[Open the status page](https://status.acme.example/incidents/01ABC)",
          "roomId": "R1"
        }
        "#);
        let update = steps(&*channel(), Phase::Update, Some("M1"), Form::Plain);
        insta::assert_snapshot!(show(&*channel(), &update), @r#"
        reply: POST https://webexapis.com/v1/messages
        {
          "parentId": "M1",
          "roomId": "R1",
          "text": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)"
        }
        "#);
        let hostile = steps(&*channel(), Phase::Update, Some("\"}"), Form::Plain);
        assert_eq!(hostile[0].op, "post");
    }

    #[test]
    fn a_reply_to_nothing_is_posted_anew() {
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"id":"M1","roomId":"R1"}"#, "delivered M1"),
                ("reply", 200, r#"{"id":"M2","roomId":"R1"}"#, "delivered"),
                ("post", 200, "{}", "broken"),
                ("post", 400, r#"{"message":"too long"}"#, "refused"),
                ("reply", 400, r#"{"message":"Unable to reply"}"#, "gone"),
                ("reply", 404, "", "gone"),
                ("post", 401, "", "broken"),
                ("post", 404, r#"{"message":"Could not find a room"}"#, "broken"),
                ("post", 429, "", "retry"),
                ("post", 503, "", "retry"),
            ],
        );
    }
}
