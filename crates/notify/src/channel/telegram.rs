//! Telegram: a bot. The first message of an incident is kept up to date by edits, which notify
//! nobody, and each update is a reply to it.
//!
//! Limits: 4,096 units of UTF-16 per message; one message a second per chat, 20 a minute per group
//! and 30 a second in all (<https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>).
//! Formats are given as entities with offsets in UTF-16
//! (<https://core.telegram.org/bots/api#messageentity>), without a parse mode: there is nothing to
//! escape. But Telegram finds `@name` in plain text as well, so a zero-width space follows each `@`.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, endpoint,
    judge_proof, retry_after, seconds,
};
use crate::notification::{Notification, Phase};
use crate::text::{Layout, Unit, fit_escaped, length};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "telegram",
    name: "Telegram",
    audience: Audience::Chat,
    keys: &[
        Key::required("token", Shape::Secret, "The token of a bot, as @BotFather gives it."),
        Key::required(
            "chat_id",
            Shape::Text,
            "The id of the chat, such as -1001234567890, or @name of a public channel.",
        ),
        Key::optional(
            "topic_id",
            Shape::Integer { min: 1, max: i32::MAX as u64 },
            "The id of a topic in the chat.",
        ),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "none"]),
            "\"incident\" (default) posts the updates of an incident as replies to its first message \
             and keeps that one up to date; \"none\" posts each by itself.",
        ),
        Key::optional("api_url", Shape::Url, "In place of https://api.telegram.org/."),
    ],
    build,
};

const TITLE: usize = 250;
/// Most units of a message.
const TEXT: usize = 4_096;
/// Longest address of a link, in bytes.
const LINK: usize = 2_000;
const LINK_TEXT: &str = "Open the status page";

#[derive(Debug)]
struct Telegram {
    api: Url,
    token: Secret<String>,
    chat: String,
    topic: Option<u64>,
    threads: bool,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let token = values.need_secret("token")?;
    // It goes into the address.
    let valid = token.expose().split_once(':').is_some_and(|(id, key)| {
        let is_key = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        is_number(id) && !key.is_empty() && key.bytes().all(is_key)
    });
    if !valid {
        return Err(ValueError::at("token", "it must look like 123456:ABC-DEF..."));
    }
    let chat = values.need_text("chat_id")?;
    if !is_number(chat.strip_prefix('-').unwrap_or(chat)) && !chat.starts_with('@') {
        return Err(ValueError::at("chat_id", "it must be a number, or \"@\" and a name"));
    }
    Ok(Box::new(Telegram {
        api: values.url_or("api_url", "https://api.telegram.org/")?,
        token: token.clone(),
        chat: chat.to_owned(),
        topic: values.integer("topic_id"),
        threads: values.text("thread") != Some("none"),
    }))
}

fn is_number(text: &str) -> bool {
    (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns chat and message of a reference: `CHAT/MESSAGE`.
fn place(root: &str) -> Option<(&str, u64)> {
    let (chat, message) = root.split_once('/')?;
    let valid = is_number(chat.strip_prefix('-').unwrap_or(chat));
    valid.then_some(chat).zip(message.parse().ok())
}

impl Channel for Telegram {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let (text, entities) = match form {
            Form::Plain => (inert(&layout.short()), Vec::new()),
            Form::Rich => message(&layout),
        };
        let message = |chat: &str| {
            json!({
                "chat_id": chat,
                "text": text,
                "entities": entities,
                "link_preview_options": { "is_disabled": true },
            })
        };
        let with = |mut message: Value, key: &str, value: Value| {
            if let Some(message) = message.as_object_mut() {
                message.insert(key.to_owned(), value);
            }
            message
        };
        let message_in_topic = |chat: &str| match self.topic {
            Some(topic) => with(message(chat), "message_thread_id", json!(topic)),
            None => message(chat),
        };
        let root = notification.reference.and_then(|reference| place(&reference.root));
        // A message of another chat, such as the one before `chat_id` was changed, is left alone.
        let root = root.filter(|(chat, _)| self.chat.starts_with('@') || *chat == self.chat);
        let root = root.filter(|_| self.threads && notification.phase != Phase::Open);
        let Some((chat, id)) = root else {
            return vec![Step::json("sendMessage", &message_in_topic(&self.chat))];
        };
        // The edit can be repeated, the reply cannot: it comes last, and is sent even if what it
        // answers is gone.
        let reply = json!({ "message_id": id, "allow_sending_without_reply": true });
        vec![
            Step::json("editMessageText", &with(message(chat), "message_id", json!(id))),
            Step::json("sendMessage", &with(message_in_topic(chat), "reply_parameters", reply)),
        ]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let edit = step.op == "editMessageText";
        let method = if edit { "editMessageText" } else { "sendMessage" };
        let url = endpoint(&self.api, &[&format!("bot{}", self.token.expose()), method]);
        Request::Http(HttpRequest::post_json(url, &step.body))
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Http(answer) => judge(step, answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        // 20 a minute per group; an update is an edit and a reply.
        let every = Duration::from_secs(if self.threads { 6 } else { 3 });
        Limits { pace: Some(Pace { every, burst: 1 }), in_flight: 1 }
    }
}

/// Judges an answer. Errors have no codes of their own beyond the status, only descriptions, those of
/// `telegram-bot-api/Client.cpp` of tdlib/telegram-bot-api.
fn judge(step: &Step, answer: &HttpAnswer) -> Verdict {
    if answer.flag("/ok") {
        // An answer to an edit has the same ids as the message.
        let place = answer.text("/result/chat/id").zip(answer.text("/result/message_id"));
        let root = place.map(|(chat, message)| format!("{chat}/{message}"));
        return Verdict::Delivered { reference: root.filter(|root| place_is_valid(root)) };
    }
    let reason = describe(answer);
    let description = answer.text("/description").unwrap_or_default().to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| description.contains(part));
    if let Some(wait) = answer.text("/parameters/retry_after") {
        return Verdict::Retry { after: seconds(&wait).max(retry_after(answer)), reason };
    }
    if let Some(chat) = answer.text("/parameters/migrate_to_chat_id") {
        let chat = statuswatch_model::text::one_line(&chat, 20);
        return Verdict::Broken { reason: format!("the chat has a new id: set chat_id to {chat}") };
    }
    if step.op == "editMessageText" {
        if says(&["message is not modified"]) {
            return Verdict::delivered();
        }
        if says(&["message to edit not found", "message can't be edited", "message_id_invalid"]) {
            return Verdict::Gone;
        }
    }
    if answer.status == 400
        && says(&[
            "chat not found",
            "not enough rights",
            "have no rights",
            "need administrator rights",
            "message thread not found",
            "topic_closed",
            "topic_deleted",
            "peer_id_invalid",
            "chat_write_forbidden",
            "group is deactivated",
        ])
    {
        return Verdict::Broken { reason };
    }
    let refused = (!description.is_empty()).then_some(Verdict::Refused { reason });
    judge_proof(answer, "Telegram", refused)
}

fn place_is_valid(root: &str) -> bool {
    place(root).is_some()
}

/// Keeps `@name` from being read as a mention.
fn inert(text: &str) -> String {
    text.replace('@', "@\u{200b}")
}

/// Returns text and entities.
fn message(layout: &Layout) -> (String, Vec<Value>) {
    let title = format!("{} {}", layout.sign(), layout.title);
    let mut text = fit_escaped(&title, TITLE, Unit::Utf16, inert);
    let units = |text: &str| length(text, Unit::Utf16);
    let mut entities = vec![json!({ "type": "bold", "offset": 0, "length": units(&text) })];
    // Two line breaks and the link.
    let room = TEXT.saturating_sub(units(&text) + 2 + LINK_TEXT.len());
    let body = fit_escaped(&layout.text(), room, Unit::Utf16, inert);
    if !body.is_empty() {
        text.push('\n');
        text.push_str(&body);
    }
    if let Some(url) = layout.url.as_ref().filter(|url| url.len() <= LINK) {
        text.push('\n');
        let (offset, length) = (units(&text), LINK_TEXT.len());
        text.push_str(LINK_TEXT);
        let link = json!({ "type": "text_link", "offset": offset, "length": length, "url": url });
        entities.push(link);
    }
    (text, entities)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::{complete, walk};
    use crate::notification::Reference;

    fn values() -> Values {
        Values::default().with_secret("token", "123456:SECRET").with_text("chat_id", "-1001")
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    #[test]
    fn fits_and_entities_name_what_they_should() {
        let reference = Reference { root: "-1001/17".into(), last: None };
        walk(&*channel(), &reference, |step, _| {
            let message = json(step);
            assert!(message.get("parse_mode").is_none());
            let text = message["text"].as_str().unwrap();
            assert_eq!(text, text.trim(), "the service trims it, and offsets would be wrong");
            assert!(text.split('@').skip(1).all(|rest| rest.starts_with('\u{200b}')), "{text}");
            let units: Vec<u16> = text.encode_utf16().collect();
            assert!((1..=4_096).contains(&units.len()));
            for entity in message["entities"].as_array().unwrap() {
                let number = |key: &str| usize::try_from(entity[key].as_u64().unwrap()).unwrap();
                let (from, to) = (number("offset"), number("offset") + number("length"));
                let part = String::from_utf16(&units[from..to]).unwrap();
                match entity["type"].as_str().unwrap() {
                    "bold" => assert!(text.starts_with(&part) && !part.contains('\n')),
                    "text_link" => assert_eq!(part, LINK_TEXT),
                    other => panic!("{other}"),
                }
            }
        });
        hides(&*channel(), "-1001/17", &["SECRET", "123456"]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        sendMessage: POST https://api.telegram.org/bot123456:SECRET/sendMessage
        {
          "chat_id": "-1001",
          "entities": [
            {
              "length": 45,
              "offset": 0,
              "type": "bold"
            },
            {
              "length": 20,
              "offset": 188,
              "type": "text_link",
              "url": "https://status.acme.example/incidents/01ABC"
            }
          ],
          "link_preview_options": {
            "is_disabled": true
          },
          "text": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified\nOpen the status page"
        }
        "#);
    }

    #[test]
    fn an_update_edits_the_first_message_and_replies_to_it() {
        let update = steps(&*channel(), Phase::Update, Some("-1001/17"), Form::Plain);
        insta::assert_snapshot!(show(&*channel(), &update), @r#"
        editMessageText: POST https://api.telegram.org/bot123456:SECRET/editMessageText
        {
          "chat_id": "-1001",
          "entities": [],
          "link_preview_options": {
            "is_disabled": true
          },
          "message_id": 17,
          "text": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)"
        }
        sendMessage: POST https://api.telegram.org/bot123456:SECRET/sendMessage
        {
          "chat_id": "-1001",
          "entities": [],
          "link_preview_options": {
            "is_disabled": true
          },
          "reply_parameters": {
            "allow_sending_without_reply": true,
            "message_id": 17
          },
          "text": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)"
        }
        "#);
        for other in ["../x/17", "-1002/17", "-1001/x"] {
            assert_eq!(steps(&*channel(), Phase::Update, Some(other), Form::Plain).len(), 1);
        }
        let topic = build(&values().with("topic_id", crate::values::Value::Integer(4))).unwrap();
        let first = steps(&*topic, Phase::Open, None, Form::Plain);
        assert_eq!(json(&first[0])["message_thread_id"], 4);
    }

    #[test]
    fn errors_are_distinguished_by_their_description() {
        let error = |code: u16, description: &str| {
            format!(r#"{{"ok":false,"error_code":{code},"description":"{description}"}}"#)
        };
        let sent = r#"{"ok":true,"result":{"message_id":17,"chat":{"id":-1001}}}"#;
        let limited = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#;
        let moved = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1002}}"#;
        judges(
            &*channel(),
            &[
                ("sendMessage", 200, sent, "delivered -1001/17"),
                ("editMessageText", 200, r#"{"ok":true,"result":true}"#, "delivered"),
                ("sendMessage", 200, &error(400, "Bad Request: x"), "refused"),
                ("sendMessage", 429, limited, "retry after 7s"),
                ("sendMessage", 400, moved, "broken"),
                ("sendMessage", 400, &error(400, "Bad Request: chat not found"), "broken"),
                ("sendMessage", 400, &error(400, "Bad Request: message is too long"), "refused"),
                ("sendMessage", 401, &error(401, "Unauthorized"), "broken"),
                ("sendMessage", 403, &error(403, "Forbidden: bot was kicked"), "broken"),
                ("sendMessage", 404, &error(404, "Not Found"), "broken"),
                (
                    "editMessageText",
                    400,
                    &error(400, "Bad Request: message is not modified: specified new message"),
                    "delivered",
                ),
                (
                    "editMessageText",
                    400,
                    &error(400, "Bad Request: message to edit not found"),
                    "gone",
                ),
                (
                    "editMessageText",
                    400,
                    &error(400, "Bad Request: message can't be edited"),
                    "gone",
                ),
                ("sendMessage", 200, "<html>", "broken"),
                ("sendMessage", 502, "<html>", "retry"),
            ],
        );
    }

    #[test]
    fn what_goes_into_an_address_is_checked() {
        let wrong = values().with_secret("token", "123456:XY/../Z");
        let error = build(&wrong).unwrap_err();
        assert!(error.key == Some("token") && !error.message.contains("XY"));
        assert!(build(&values().with_text("chat_id", "my group")).is_err());
        let request = complete(&*channel(), &Step::new("deleteWebhook", "{}"));
        assert!(http(&request).url.expose().path().ends_with("/bot123456:SECRET/sendMessage"));
    }
}
