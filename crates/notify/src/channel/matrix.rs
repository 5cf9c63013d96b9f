//! Matrix: a user's access token. The first message of an incident is kept up to date by edits, and
//! each update is a message in its thread.
//!
//! Limits: 65,536 bytes per event (<https://spec.matrix.org/latest/client-server-api/#size-limits>);
//! rates are up to the server: 0.2 messages a second and ten at once by default in Synapse.
//!
//! The transaction id is the idempotency key: a repeated request has no effect and returns the first
//! event (<https://spec.matrix.org/latest/client-server-api/#transaction-identifiers>). `m.mentions`
//! is empty, so that nobody is notified by name or by `@room`.
//!
//! Posts, edits, replies, repeated transactions and the errors below were checked against Synapse
//! 1.163.2. It accepts edits of and replies to a message that somebody has removed.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Method, Request, Sending, Step, Verdict, describe, endpoint,
    judge_proof, retry_after,
};
use crate::notification::{Notification, Phase};
use crate::text::{Layout, Style, Unit, html};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "matrix",
    name: "Matrix",
    audience: Audience::Chat,
    keys: &[
        Key::required(
            "homeserver",
            Shape::Url,
            "The address of the homeserver, such as https://matrix.example.",
        ),
        Key::required("token", Shape::Secret, "The access token of a user who is in the room."),
        Key::required(
            "room",
            Shape::Text,
            "The id of the room, such as !abc:example (not its alias #name:example), without \
             encryption.",
        ),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "none"]),
            "\"incident\" (default) posts the updates of an incident to a thread and keeps its first \
             message up to date; \"none\" posts each by itself.",
        ),
    ],
    build,
};

/// Longest text of each of the two forms, in bytes: an edit holds both twice, and quotes, line breaks
/// and the rest of the event need room.
const TEXT: usize = 12_000;

const STYLE: Style = Style {
    escape: html,
    strong: |title| format!("<strong>{}</strong>", html(title)),
    link: |url| format!("<a href=\"{}\">Open the status page</a>", html(url)),
    newline: "<br>",
};

#[derive(Debug)]
struct Matrix {
    homeserver: Url,
    token: Secret<String>,
    room: String,
    threads: bool,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let room = values.need_text("room")?;
    if !room.starts_with('!') || room.len() > 255 {
        return Err(ValueError::at(
            "room",
            "it must be the id of a room, which starts with \"!\": see the advanced settings of the \
             room",
        ));
    }
    Ok(Box::new(Matrix {
        homeserver: values.need_url("homeserver")?.clone(),
        token: values.need_secret("token")?.clone(),
        room: room.to_owned(),
        threads: values.text("thread") != Some("none"),
    }))
}

/// Returns whether `id` can be the id of an event.
fn is_event(id: &str) -> bool {
    id.starts_with('$') && id.len() <= 255 && id.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Matrix {
    /// Returns the event of a reference, `ROOM/EVENT`, if it is in the room of today.
    fn root<'a>(&self, notification: &Notification<'a>) -> Option<&'a str> {
        let root = &notification.reference?.root;
        let event = root.strip_prefix(&self.room)?.strip_prefix('/')?;
        (self.threads && notification.phase != Phase::Open && is_event(event)).then_some(event)
    }

    fn judge_http(&self, step: &Step, answer: &HttpAnswer) -> Verdict {
        let code = answer.text("/errcode").unwrap_or_default();
        let error = answer.text("/error").unwrap_or_default().to_ascii_lowercase();
        let reason = describe(answer);
        match (answer.status, code.as_str()) {
            (_, "M_LIMIT_EXCEEDED") => {
                let millis = answer.json().pointer("/retry_after_ms").and_then(Value::as_u64);
                let wait = millis.map(|millis| Duration::from_millis(millis.min(86_400_000)));
                Verdict::Retry { after: wait.max(retry_after(answer)), reason }
            }
            // What the event refers to cannot be referred to: unknown, or in another room.
            (400 | 404, _) if step.op != "post" && error.contains("relation") => Verdict::Gone,
            _ => {
                let event = answer.text("/event_id").filter(|event| is_event(event));
                // An edit or reply is referred to by nothing.
                let proof = event.map(|event| Verdict::Delivered {
                    reference: (step.op == "post").then(|| format!("{}/{event}", self.room)),
                });
                judge_proof(answer, "a Matrix homeserver", proof)
            }
        }
    }
}

impl Channel for Matrix {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let content = content(&Layout::new(notification), form);
        let with = |content: &Value, more: Value| {
            let mut content = content.clone();
            if let (Some(content), Value::Object(more)) = (content.as_object_mut(), more) {
                content.extend(more);
            }
            content
        };
        let Some(root) = self.root(notification) else {
            return vec![Step::json("post", &content)];
        };
        let replace = json!({
            "m.new_content": content,
            "m.relates_to": { "rel_type": "m.replace", "event_id": root },
        });
        let reply = json!({
            "m.relates_to": {
                "rel_type": "m.thread",
                "event_id": root,
                // For clients without threads.
                "is_falling_back": true,
                "m.in_reply_to": { "event_id": root },
            },
        });
        vec![
            Step::json("edit", &with(&content, replace)),
            Step::json("reply", &with(&content, reply)),
        ]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        // The two steps of an update are two transactions.
        let transaction = match step.op.as_str() {
            "edit" => format!("{}.edit", sending.delivery_id),
            _ => sending.delivery_id.to_owned(),
        };
        let path = [
            "_matrix",
            "client",
            "v3",
            "rooms",
            &self.room,
            "send",
            "m.room.message",
            &transaction,
        ];
        let url = endpoint(&self.homeserver, &path);
        let request =
            HttpRequest { method: Method::Put, ..HttpRequest::post_json(url, &step.body) };
        Request::Http(request.authorization("Bearer", &self.token))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Http(answer) => self.judge_http(step, answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(5), burst: 4 }), in_flight: 1 }
    }
}

fn content(layout: &Layout, form: Form) -> Value {
    let mut content = json!({
        "msgtype": "m.text",
        "body": layout.short(),
        "m.mentions": {},
    });
    if let Some(content) = content.as_object_mut().filter(|_| form == Form::Rich) {
        content.insert("body".to_owned(), json!(Style::PLAIN.whole(layout, TEXT, Unit::Bytes)));
        content.insert("format".to_owned(), json!("org.matrix.custom.html"));
        let formatted = STYLE.whole(layout, TEXT, Unit::Bytes);
        content.insert("formatted_body".to_owned(), json!(formatted));
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::walk;
    use crate::notification::Reference;

    const ROOM: &str = "!a/b:example";
    const ROOT: &str = "!a/b:example/$root";

    fn channel() -> Box<dyn Channel> {
        let values = Values::default()
            .with_secret("token", "syt_SECRET")
            .with_text("room", ROOM)
            .with_url("homeserver", "https://matrix.example/")
            .unwrap();
        build(&values).unwrap()
    }

    #[test]
    fn fits_mentions_nobody_and_is_escaped() {
        let reference = Reference { root: ROOT.into(), last: None };
        walk(&*channel(), &reference, |step, request| {
            // The server adds some hundred bytes of its own.
            assert!(step.body.len() <= 64_000, "{}", step.body.len());
            let path = http(request).url.expose().path();
            assert!(path.starts_with("/_matrix/client/v3/rooms/!a%2Fb:example/send/"), "{path}");
            let content = json(step);
            for content in [&content, &content["m.new_content"]] {
                if content.is_null() {
                    continue;
                }
                assert_eq!(content["m.mentions"], json!({}));
                assert!(!content["body"].as_str().unwrap().is_empty());
                let formatted = content["formatted_body"].as_str().unwrap_or_default();
                let mut rest = formatted.replace("<br>", "");
                for own in ["<strong>", "</strong>", "<a href=\"https://", "\">Open", "</a>"] {
                    rest = rest.replacen(own, "", 1);
                }
                assert!(!rest.contains(['<', '>', '"']), "{formatted}");
            }
        });
        hides(&*channel(), ROOT, &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        post: PUT https://matrix.example/_matrix/client/v3/rooms/!a%2Fb:example/send/m.room.message/0123456789abcdef0123456789abcdef
        {
          "body": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified\nhttps://status.acme.example/incidents/01ABC",
          "format": "org.matrix.custom.html",
          "formatted_body": "<strong>🟠 Acme Cloud: High errors with parcel labels</strong><br>Identified (major)<br>We have found the cause.<br><br>A fix is being rolled out.<br>Components: Labels, Label Printing<br>Status: Investigating → Identified<br><a href=\"https://status.acme.example/incidents/01ABC\">Open the status page</a>",
          "m.mentions": {},
          "msgtype": "m.text"
        }
        "#);
    }

    #[test]
    fn an_update_edits_the_first_message_and_goes_to_its_thread() {
        let update = steps(&*channel(), Phase::Update, Some(ROOT), Form::Plain);
        insta::assert_snapshot!(show(&*channel(), &update), @r#"
        edit: PUT https://matrix.example/_matrix/client/v3/rooms/!a%2Fb:example/send/m.room.message/0123456789abcdef0123456789abcdef.edit
        {
          "body": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)",
          "m.mentions": {},
          "m.new_content": {
            "body": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)",
            "m.mentions": {},
            "msgtype": "m.text"
          },
          "m.relates_to": {
            "event_id": "$root",
            "rel_type": "m.replace"
          },
          "msgtype": "m.text"
        }
        reply: PUT https://matrix.example/_matrix/client/v3/rooms/!a%2Fb:example/send/m.room.message/0123456789abcdef0123456789abcdef
        {
          "body": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)",
          "m.mentions": {},
          "m.relates_to": {
            "event_id": "$root",
            "is_falling_back": true,
            "m.in_reply_to": {
              "event_id": "$root"
            },
            "rel_type": "m.thread"
          },
          "msgtype": "m.text"
        }
        "#);
        // An event of another room, or none at all.
        for root in ["!other:example/$root", "!a/b:example/root", "$root"] {
            let update = steps(&*channel(), Phase::Update, Some(root), Form::Plain);
            assert_eq!(update.len(), 1, "{root}");
            assert_eq!(update[0].op, "post");
        }
    }

    #[test]
    fn errors_are_distinguished_by_their_code() {
        let error = |code| format!(r#"{{"errcode":"{code}","error":"x"}}"#);
        let limited = r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1200}"#;
        let unrelated = [
            "Can't send relation to unknown event",
            "Relations must be in the same room",
            "Cannot start threads from an event with a relation",
        ];
        for unrelated in unrelated {
            let body = format!(r#"{{"errcode":"M_UNKNOWN","error":"{unrelated}"}}"#);
            judges(&*channel(), &[("edit", 400, &body, "gone"), ("reply", 400, &body, "gone")]);
        }
        judges(
            &*channel(),
            &[
                ("post", 200, r#"{"event_id":"$abc"}"#, "delivered !a/b:example/$abc"),
                ("post", 200, r#"{"event_id":"abc def"}"#, "broken"),
                ("post", 200, "<html>", "broken"),
                ("post", 429, limited, "retry after 1.2s"),
                ("edit", 200, r#"{"event_id":"$def"}"#, "delivered"),
                ("post", 400, &error("M_BAD_JSON"), "refused"),
                ("post", 401, &error("M_UNKNOWN_TOKEN"), "broken"),
                ("post", 403, &error("M_FORBIDDEN"), "broken"),
                ("post", 404, &error("M_UNRECOGNIZED"), "broken"),
                ("post", 413, &error("M_TOO_LARGE"), "refused"),
                ("post", 502, "", "retry"),
            ],
        );
        let alias = Values::default().with_text("room", "#ops:example").with_secret("token", "x");
        assert_eq!(build(&alias).unwrap_err().key, Some("room"));
    }
}
