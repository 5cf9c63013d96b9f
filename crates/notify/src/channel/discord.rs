//! Discord: a webhook. The first message of an incident is kept up to date by edits, which notify
//! nobody; each update is a message of its own besides. In a forum channel every incident is a post.
//!
//! Limits (<https://discord.com/developers/docs/resources/message#embed-object-embed-limits>): title
//! 256, description 4,096, 25 fields of 256 and 1,024, footer 2,048, 6,000 over all embeds, content
//! 2,000, name of a forum post 100. The unit is not documented; units of UTF-16 are never fewer than
//! characters. Webhooks may post five times in two seconds and 30 times a minute (not documented).
//!
//! Mentions are off (`allowed_mentions`) in posts and edits: an edit without it would read the text
//! again with the defaults. Discord shows any character after a backslash as it is, but no HTML
//! entities, so it has an escape of its own.

use std::time::Duration;

use serde_json::{Value, json};
use statuswatch_model::event::format_time;
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Method, Request, Sending, Step, Verdict, describe, endpoint,
    judge_http, judge_proof, retry_after, seconds,
};
use crate::notification::{Notification, Phase};
use crate::text::{Layout, Unit, fit, fit_escaped};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "discord",
    name: "Discord",
    audience: Audience::Chat,
    keys: &[
        Key::required("webhook_url", Shape::SecretUrl, "The address of a webhook."),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "forum", "none"]),
            "\"incident\" (default) keeps the first message of an incident up to date and posts each \
             update; \"forum\" is for forum channels, where each incident is a post; \"none\" only \
             posts.",
        ),
        Key::optional("thread_id", Shape::Text, "The id of a thread to post to."),
    ],
    build,
};

const TITLE: usize = 256;
const DESCRIPTION: usize = 3_000;
const FIELD: usize = 450;
const FOOTER: usize = 500;
const FORUM_TITLE: usize = 100;
const LINK: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threads {
    Edit,
    Forum,
    None,
}

#[derive(Debug)]
struct Discord {
    url: Secret<Url>,
    threads: Threads,
    thread_id: Option<String>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let url = values.need_url("webhook_url")?;
    if url.path().ends_with("/slack") || url.path().ends_with("/github") {
        return Err(ValueError::at("webhook_url", "remove \"/slack\" or \"/github\" at its end"));
    }
    let threads = match values.text("thread") {
        Some("forum") => Threads::Forum,
        Some("none") => Threads::None,
        _ => Threads::Edit,
    };
    let thread_id = values.text("thread_id").map(str::to_owned);
    if let Some(id) = &thread_id {
        if !is_id(id) {
            return Err(ValueError::at("thread_id", "it must be a number such as 1234567890"));
        }
        if threads == Threads::Forum {
            return Err(ValueError::at("thread_id", "it cannot be used with \"thread: forum\""));
        }
    }
    Ok(Box::new(Discord { url: Secret::new(url.clone()), threads, thread_id }))
}

/// Returns whether `text` is an id of Discord: it goes into addresses.
fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns channel and message of a reference: `CHANNEL/MESSAGE`.
fn place(root: &str) -> Option<(&str, &str)> {
    root.split_once('/').filter(|(channel, message)| is_id(channel) && is_id(message))
}

impl Channel for Discord {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut message = message(&layout, form);
        let root = notification.reference.and_then(|reference| place(&reference.root));
        match (self.threads, root.filter(|_| notification.phase != Phase::Open)) {
            // The edit can be repeated, the post cannot: it comes last.
            (Threads::Edit, Some((_, id))) => {
                vec![Step::json(format!("edit:{id}"), &message), Step::json("post", &message)]
            }
            (Threads::Forum, Some((thread, id))) => vec![
                Step::json(format!("edit:{id}:{thread}"), &message),
                Step::json(format!("post:{thread}"), &message),
            ],
            (Threads::Forum, None) => {
                let name = fit(&layout.title, FORUM_TITLE, Unit::Utf16);
                if let Some(message) = message.as_object_mut() {
                    message.insert("thread_name".to_owned(), json!(name));
                }
                vec![Step::json("post", &message)]
            }
            _ => vec![Step::json("post", &message)],
        }
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let mut op = step.op.split(':');
        let edit = op.next() == Some("edit");
        let message = if edit { op.next().filter(|id| is_id(id)) } else { None };
        let thread = op.next().filter(|id| is_id(id)).or(self.thread_id.as_deref());
        let mut url = match message {
            Some(id) => endpoint(self.url.expose(), &["messages", id]),
            None => self.url.expose().clone(),
        };
        // Without it the answer says nothing about a message that was not saved.
        url.query_pairs_mut().append_pair("wait", "true");
        if let Some(thread) = thread {
            url.query_pairs_mut().append_pair("thread_id", thread);
        }
        let method = if message.is_some() { Method::Patch } else { Method::Post };
        Request::Http(HttpRequest { method, ..HttpRequest::post_json(url, &step.body) })
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Http(answer) => judge(step, answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits { pace: Some(Pace { every: Duration::from_secs(2), burst: 4 }), in_flight: 2 }
    }
}

/// Judges an answer; codes: <https://discord.com/developers/docs/topics/opcodes-and-status-codes>.
fn judge(step: &Step, answer: &HttpAnswer) -> Verdict {
    let code = answer.json().pointer("/code").and_then(Value::as_u64).unwrap_or_default();
    let in_thread = step.op.matches(':').count() == if step.op.starts_with("edit") { 2 } else { 1 };
    match (answer.status, code) {
        (429, _) => {
            let wait = answer.text("/retry_after").as_deref().and_then(seconds);
            let reason = describe(answer);
            Verdict::Retry { after: wait.max(retry_after(answer)), reason }
        }
        // Unknown message; a message of another author.
        (_, 10_008 | 50_005) if step.op.starts_with("edit") => Verdict::Gone,
        // Unknown channel; archived thread.
        (_, 10_003 | 50_083) if in_thread => Verdict::Gone,
        // A forum needs a name for the thread; other channels have no posts with names.
        (400, 220_001 | 220_003) => Verdict::Broken { reason: describe(answer) },
        (200..=299, _) => {
            let place = answer.text("/channel_id").zip(answer.text("/id"));
            let root = place.map(|(channel, id)| format!("{channel}/{id}"));
            let proof = root
                .filter(|root| place_is_valid(root))
                .map(|root| Verdict::Delivered { reference: Some(root) });
            judge_proof(answer, "Discord", proof)
        }
        _ => judge_http(answer),
    }
}

fn place_is_valid(root: &str) -> bool {
    place(root).is_some()
}

fn message(layout: &Layout, form: Form) -> Value {
    // Both are set, so that an edit replaces whatever was there.
    let (content, embeds) = match form {
        Form::Plain => (escape(&layout.short()), Vec::new()),
        Form::Rich => (String::new(), vec![embed(layout)]),
    };
    json!({ "content": content, "embeds": embeds, "allowed_mentions": { "parse": [] } })
}

fn embed(layout: &Layout) -> Value {
    let cut = |text: &str, max| fit_escaped(text, max, Unit::Utf16, escape);
    let text = match (layout.status.as_str(), layout.body.as_str()) {
        ("", body) => body.to_owned(),
        (status, "") => status.to_owned(),
        (status, body) => format!("{status}\n\n{body}"),
    };
    let fields: Vec<Value> = layout
        .facts
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": cut(value, FIELD) }))
        .collect();
    let mut embed = json!({
        "title": cut(&format!("{} {}", layout.sign(), layout.title), TITLE),
        "description": cut(&text, DESCRIPTION),
        "color": layout.color(),
        "fields": fields,
        "timestamp": format_time(layout.at),
    });
    if let Some(embed) = embed.as_object_mut() {
        if let Some(url) = layout.url.as_ref().filter(|url| url.len() <= LINK) {
            embed.insert("url".to_owned(), json!(url));
        }
        if !layout.remarks.is_empty() {
            // A footer is plain text.
            let footer = layout.remarks.join(" ");
            let text = fit(&footer, FOOTER, Unit::Utf16);
            embed.insert("footer".to_owned(), json!({ "text": text }));
        }
    }
    embed
}

/// Puts a backslash before every character that may be markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if "\\`*_~|<>[]()#@:+-!".contains(c) {
            out.push('\\');
        }
        out.push(c);
        if c == '@' {
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
    use crate::notification::Reference;
    use crate::text::length;

    const ADDRESS: &str = "https://discord.example/api/webhooks/1/SECRET";

    fn channel(thread: &str) -> Box<dyn Channel> {
        let values = Values::default().with_text("thread", thread);
        build(&values.with_url("webhook_url", ADDRESS).unwrap()).unwrap()
    }

    fn is_escaped(text: &str) -> bool {
        let mut before = ' ';
        text.chars().all(|c| {
            let fine = before == '\\' || !"`*_~|<>[]()#@".contains(c);
            before = if before == '\\' { ' ' } else { c };
            fine
        })
    }

    #[test]
    fn fits_and_mentions_nobody() {
        for thread in ["incident", "forum"] {
            let reference = Reference { root: "7/9".into(), last: None };
            walk(&*channel(thread), &reference, |step, request| {
                let message = json(step);
                assert_eq!(message["allowed_mentions"], json!({ "parse": [] }));
                assert!(http(request).url.expose().query().unwrap().contains("wait=true"));
                let units = |text: &Value| length(text.as_str().unwrap(), Unit::Utf16);
                assert!(units(&message["content"]) <= 2_000);
                assert!(is_escaped(message["content"].as_str().unwrap()));
                if let Some(name) = message.get("thread_name") {
                    assert!((1..=100).contains(&units(name)));
                }
                for embed in message["embeds"].as_array().unwrap() {
                    let mut all = units(&embed["title"]) + units(&embed["description"]);
                    assert!((1..=256).contains(&units(&embed["title"])));
                    assert!(units(&embed["description"]) <= 4_096);
                    assert!(is_escaped(embed["title"].as_str().unwrap()));
                    assert!(is_escaped(embed["description"].as_str().unwrap()));
                    let fields = embed["fields"].as_array().unwrap();
                    assert!(fields.len() <= 25);
                    for field in fields {
                        assert!((1..=256).contains(&units(&field["name"])));
                        assert!((1..=1_024).contains(&units(&field["value"])));
                        assert!(is_escaped(field["value"].as_str().unwrap()));
                        all += units(&field["name"]) + units(&field["value"]);
                    }
                    if let Some(footer) = embed.get("footer") {
                        assert!((1..=2_048).contains(&units(&footer["text"])));
                        all += units(&footer["text"]);
                    }
                    assert!(all <= 6_000, "{all}");
                }
            });
        }
        hides(&*channel("incident"), "7/9", &["SECRET"]);
    }

    #[test]
    fn what_it_looks_like() {
        let channel = channel("incident");
        let first = steps(&*channel, Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel, &first), @r#"
        post: POST https://discord.example/api/webhooks/1/SECRET?wait=true
        {
          "allowed_mentions": {
            "parse": []
          },
          "content": "",
          "embeds": [
            {
              "color": 15690752,
              "description": "Identified \\(major\\)\n\nWe have found the cause.\n\nA fix is being rolled out.",
              "fields": [
                {
                  "name": "Components",
                  "value": "Labels, Label Printing"
                },
                {
                  "name": "Status",
                  "value": "Investigating → Identified"
                }
              ],
              "timestamp": "2026-02-23T10:20:49Z",
              "title": "🟠 Acme Cloud\\: High errors with parcel labels",
              "url": "https://status.acme.example/incidents/01ABC"
            }
          ]
        }
        "#);
    }

    #[test]
    fn an_update_edits_the_first_message_and_posts_another() {
        let requests = |thread: &str, root: &str| -> Vec<String> {
            let channel = channel(thread);
            let steps = steps(&*channel, Phase::Update, Some(root), Form::Plain);
            let shown = show(&*channel, &steps);
            let requests = shown.lines().filter(|line| line.contains("https://"));
            requests.map(|line| line.replace("https://discord.example/api", "")).collect()
        };
        insta::assert_debug_snapshot!(requests("incident", "7/9"), @r#"
        [
            "edit:9: PATCH /webhooks/1/SECRET/messages/9?wait=true",
            "post: POST /webhooks/1/SECRET?wait=true",
        ]
        "#);
        insta::assert_debug_snapshot!(requests("forum", "7/9"), @r#"
        [
            "edit:9:7: PATCH /webhooks/1/SECRET/messages/9?wait=true&thread_id=7",
            "post:7: POST /webhooks/1/SECRET?wait=true&thread_id=7",
        ]
        "#);
        // An id that is none gets into no address.
        insta::assert_debug_snapshot!(requests("forum", "7/../../users"), @r#"
        [
            "post: POST /webhooks/1/SECRET?wait=true",
        ]
        "#);
    }

    #[test]
    fn only_a_saved_message_counts() {
        let saved = r#"{"id":"9","channel_id":"7","content":""}"#;
        let hostile = r#"{"id":"../../x","channel_id":"7"}"#;
        judges(
            &*channel("incident"),
            &[
                ("post", 200, saved, "delivered 7/9"),
                ("post", 204, "", "broken"),
                ("post", 200, hostile, "broken"),
                ("post", 429, r#"{"retry_after":0.35,"global":false}"#, "retry after 350ms"),
                ("edit:9", 404, r#"{"code":10008,"message":"Unknown Message"}"#, "gone"),
                ("post", 404, r#"{"code":10015,"message":"Unknown Webhook"}"#, "broken"),
                ("edit:9", 404, r#"{"code":10015,"message":"Unknown Webhook"}"#, "broken"),
                ("post:7", 404, r#"{"code":10003,"message":"Unknown Channel"}"#, "gone"),
                ("post", 404, r#"{"code":10003,"message":"Unknown Channel"}"#, "broken"),
                ("edit:9:7", 400, r#"{"code":50083,"message":"archived"}"#, "gone"),
                ("post", 400, r#"{"code":220001,"message":"forum"}"#, "broken"),
                ("post", 400, r#"{"code":50035,"message":"Invalid Form Body"}"#, "refused"),
                ("post", 401, r#"{"code":50027}"#, "broken"),
                ("post", 500, "", "retry"),
            ],
        );
    }

    #[test]
    fn a_thread_must_be_an_id() {
        let values = Values::default().with_url("webhook_url", ADDRESS).unwrap();
        assert!(build(&values.clone().with_text("thread_id", "1&wait=false")).is_err());
        let fixed = build(&values.with_text("thread_id", "12")).unwrap();
        let steps = steps(&*fixed, Phase::Open, None, Form::Plain);
        assert!(show(&*fixed, &steps).contains("?wait=true&thread_id=12\n"));
        let slack = format!("{ADDRESS}/slack");
        assert!(build(&Values::default().with_url("webhook_url", &slack).unwrap()).is_err());
    }
}
