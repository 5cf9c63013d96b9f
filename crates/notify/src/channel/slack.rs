//! Slack: a bot token, with one thread per incident whose first message shows the present state, or
//! an incoming webhook, which can neither thread nor edit.
//!
//! Limits: 150 characters in a header block, 3,000 in a section, about 13,200 over all blocks
//! (undocumented, slackapi/bolt-js#2509), one message a second per channel
//! (<https://api.slack.com/docs/rate-limits>). Provider text stands in `plain_text` objects, which
//! hold no mentions; the fallback text is escaped.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, judge_http,
    retry_after,
};
use crate::notification::{Notification, Phase};
use crate::text::{Layout, Unit, fit, length, slack};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "slack",
    name: "Slack",
    audience: Audience::Chat,
    keys: &[
        Key::optional(
            "token",
            Shape::Secret,
            "A bot token (\"xoxb-...\") with the scope \"chat:write\"; needs \"channel\".",
        ),
        Key::optional("channel", Shape::Text, "The id of the channel, such as C0123456789."),
        Key::optional(
            "webhook_url",
            Shape::SecretUrl,
            "The address of an incoming webhook, in place of \"token\" and \"channel\".",
        ),
        Key::optional(
            "thread",
            Shape::Word(&["incident", "none"]),
            "With a token: \"incident\" (default) posts the updates of an incident as replies to its \
             first message and keeps that one up to date; \"none\" posts each by itself.",
        ),
        Key::optional("api_url", Shape::Url, "In place of https://slack.com/api/."),
    ],
    build,
};

const HEADER: usize = 150;
const SECTION: usize = 2_900;
const FALLBACK: usize = 1_000;

#[derive(Debug)]
enum Slack {
    Bot { api: Url, token: Secret<String>, channel: String, threads: bool },
    Webhook { url: Secret<Url> },
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    if let Some(url) = values.url("webhook_url") {
        if values.has("token") {
            return Err(ValueError::at("token", "give \"token\" or \"webhook_url\", not both"));
        }
        return Ok(Box::new(Slack::Webhook { url: Secret::new(url.clone()) }));
    }
    let Some(token) = values.secret("token") else {
        return Err(ValueError::new("it needs \"token\" and \"channel\", or \"webhook_url\""));
    };
    let api = match values.url("api_url") {
        Some(url) => url.clone(),
        None => Url::parse("https://slack.com/api/")
            .map_err(|error| ValueError::at("api_url", error.to_string()))?,
    };
    Ok(Box::new(Slack::Bot {
        api,
        token: token.clone(),
        channel: values.need_text("channel")?.to_owned(),
        threads: values.text("thread") != Some("none"),
    }))
}

impl Channel for Slack {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let message = message(&layout, form);
        let Self::Bot { channel, threads, .. } = self else {
            return vec![Step::json("webhook", &message)];
        };
        let with = |more: Value| merge(&message, &more);
        // The place of the first message: `CHANNEL/TIMESTAMP`, as Slack answered.
        let root = notification.reference.and_then(|reference| reference.root.split_once('/'));
        match root {
            Some((place, ts)) if *threads && notification.phase != Phase::Open => vec![
                // The edit can be repeated, the reply cannot: it comes last.
                Step::json("chat.update", &with(json!({ "channel": place, "ts": ts }))),
                Step::json("chat.postMessage", &with(json!({ "channel": place, "thread_ts": ts }))),
            ],
            _ => vec![Step::json("chat.postMessage", &with(json!({ "channel": channel })))],
        }
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        Request::Http(match self {
            Self::Webhook { url } => HttpRequest::post_json(url.expose().clone(), &step.body),
            Self::Bot { api, token, .. } => {
                let mut url = api.clone();
                url.set_path(&format!("{}/{}", api.path().trim_end_matches('/'), step.op));
                HttpRequest::post_json(url, &step.body).authorization("Bearer", token)
            }
        })
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        match self {
            Self::Webhook { .. } if answer.status == 200 && answer.body.trim() != "ok" => {
                Verdict::Refused { reason: describe(answer) }
            }
            Self::Webhook { .. } => judge_http(answer),
            Self::Bot { .. } => judge_bot(step, answer),
        }
    }

    fn limits(&self) -> Limits {
        let pace = Pace { every: Duration::from_secs(1), burst: 3 };
        Limits { pace: Some(pace), in_flight: 4 }
    }
}

/// Judges an answer of the Web API, which reports errors in a 200.
fn judge_bot(step: &Step, answer: &HttpAnswer) -> Verdict {
    if answer.status != 200 {
        return judge_http(answer);
    }
    if answer.flag("/ok") {
        let place = answer.text("/channel").zip(answer.text("/ts"));
        return Verdict::Delivered { reference: place.map(|(c, ts)| format!("{c}/{ts}")) };
    }
    let error = answer.text("/error").unwrap_or_else(|| "no error code".to_owned());
    let reason = format!("Slack: {}", statuswatch_model::text::one_line(&error, 100));
    match error.as_str() {
        "ratelimited" | "rate_limited" => Verdict::Retry { after: retry_after(answer), reason },
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => Verdict::Retry { after: None, reason },
        "message_not_found" | "thread_not_found" | "cant_update_message" | "edit_window_closed"
            if step.op == "chat.update" =>
        {
            Verdict::Gone
        }
        "invalid_auth"
        | "not_authed"
        | "account_inactive"
        | "token_revoked"
        | "token_expired"
        | "no_permission"
        | "missing_scope"
        | "channel_not_found"
        | "not_in_channel"
        | "is_archived"
        | "access_denied"
        | "org_login_required"
        | "ekm_access_denied"
        | "restricted_action"
        | "team_access_not_granted" => Verdict::Broken { reason },
        _ => Verdict::Refused { reason },
    }
}

fn message(layout: &Layout, form: Form) -> Value {
    let title = format!("{} {}", layout.sign(), layout.title);
    let fallback = fit(&title, FALLBACK, Unit::Chars);
    let message = json!({
        "text": slack(&fallback),
        "unfurl_links": false,
        "unfurl_media": false,
    });
    if form == Form::Plain {
        return message;
    }
    let mut blocks =
        vec![json!({ "type": "header", "text": text(&fit(&title, HEADER, Unit::Chars)) })];
    let mut section = |body: &str| {
        if !body.is_empty() {
            blocks
                .push(json!({ "type": "section", "text": text(&fit(body, SECTION, Unit::Chars)) }));
        }
    };
    section(&layout.status);
    if layout.facts.is_empty() && layout.url.is_none() {
        // A summary, whose list may be long: it has room for three sections.
        for part in sections(&layout.body) {
            section(&part);
        }
    } else {
        section(&layout.body);
    }
    let facts: Vec<String> =
        layout.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    section(&facts.join("\n"));
    section(&layout.remarks.join("\n"));
    if let Some(url) = &layout.url {
        let url = url.replace('|', "%7C").replace('>', "%3E").replace('<', "%3C");
        let link = format!("<{}|Open the status page>", url.replace('&', "&amp;"));
        if link.len() <= SECTION {
            blocks.push(json!({
                "type": "context",
                "elements": [{ "type": "mrkdwn", "text": link }],
            }));
        }
    }
    // A bar in the color of the severity next to the blocks.
    let color = format!("#{:06x}", layout.color());
    merge(&message, &json!({ "attachments": [{ "color": color, "blocks": blocks }] }))
}

/// Divides a text at its lines into the longest sections, three at most.
fn sections(body: &str) -> Vec<String> {
    let body = fit(body, 3 * SECTION - 1_000, Unit::Chars);
    let mut parts: Vec<String> = Vec::new();
    for line in body.lines() {
        match parts.last_mut() {
            Some(part) if length(part, Unit::Chars) + length(line, Unit::Chars) < SECTION => {
                part.push('\n');
                part.push_str(line);
            }
            _ => parts.push(line.to_owned()),
        }
    }
    parts
}

fn text(plain: &str) -> Value {
    json!({ "type": "plain_text", "text": plain, "emoji": true })
}

fn merge(message: &Value, more: &Value) -> Value {
    let mut merged = message.clone();
    if let (Some(merged), Some(more)) = (merged.as_object_mut(), more.as_object()) {
        merged.extend(more.clone());
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{complete, judged, rendered, walk};
    use crate::notification::Reference;

    fn bot() -> Box<dyn Channel> {
        let values = Values::default().with_secret("token", "xoxb-1").with_text("channel", "C1");
        build(&values).unwrap()
    }

    #[test]
    fn fits_whatever_the_text() {
        let reference = Reference { root: "C1/17.5".into(), last: None };
        walk(&*bot(), &reference, |step, _| {
            let body: Value = serde_json::from_str(&step.body).unwrap();
            let blocks = body["attachments"][0]["blocks"].as_array().cloned().unwrap_or_default();
            let mut all = 0;
            for block in &blocks {
                let (text, most) = match block["type"].as_str().unwrap() {
                    "header" => (&block["text"]["text"], 150),
                    "section" => (&block["text"]["text"], 3_000),
                    _ => (&block["elements"][0]["text"], 3_000),
                };
                let length = length(text.as_str().unwrap(), Unit::Chars);
                assert!((1..=most).contains(&length), "{block}");
                all += length;
                // Mentions are read in mrkdwn alone.
                assert!(block["type"] == "context" || block["text"]["type"] == "plain_text");
            }
            assert!(blocks.len() <= 50 && all <= 13_200);
            let fallback = body["text"].as_str().unwrap();
            assert!(!fallback.contains('<') && !fallback.contains("@here"), "{fallback}");
        });
    }

    #[test]
    fn an_update_edits_the_first_message_and_replies_to_it() {
        let event = crate::channel::corpus::incident();
        let reference = Reference { root: "C1/17.5".into(), last: None };
        let notification =
            crate::channel::corpus::notification(&event, Phase::Update, Some(&reference));
        let steps = bot().render(&notification, Form::Rich);
        let ops: Vec<&str> = steps.iter().map(|step| step.op.as_str()).collect();
        assert_eq!(ops, ["chat.update", "chat.postMessage"]);
        assert!(steps[0].body.contains("\"ts\":\"17.5\""));
        assert!(steps[1].body.contains("\"thread_ts\":\"17.5\""));
    }

    #[test]
    fn what_it_looks_like() {
        let step = rendered(&*bot(), Phase::Open).remove(0);
        let body: Value = serde_json::from_str(&step.body).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap(), @r##"
        {
          "attachments": [
            {
              "blocks": [
                {
                  "text": {
                    "emoji": true,
                    "text": "🟠 Acme Cloud: High errors with parcel labels",
                    "type": "plain_text"
                  },
                  "type": "header"
                },
                {
                  "text": {
                    "emoji": true,
                    "text": "Identified (major)",
                    "type": "plain_text"
                  },
                  "type": "section"
                },
                {
                  "text": {
                    "emoji": true,
                    "text": "We have found the cause.\n\nA fix is being rolled out.",
                    "type": "plain_text"
                  },
                  "type": "section"
                },
                {
                  "text": {
                    "emoji": true,
                    "text": "Components: Labels, Label Printing\nStatus: Investigating → Identified",
                    "type": "plain_text"
                  },
                  "type": "section"
                },
                {
                  "elements": [
                    {
                      "text": "<https://status.acme.example/incidents/01ABC|Open the status page>",
                      "type": "mrkdwn"
                    }
                  ],
                  "type": "context"
                }
              ],
              "color": "#ef6c00"
            }
          ],
          "channel": "C1",
          "text": "🟠 Acme Cloud: High errors with parcel labels",
          "unfurl_links": false,
          "unfurl_media": false
        }
        "##);
        let Request::Http(request) = complete(&*bot(), &step) else { panic!() };
        assert_eq!(request.url.expose().as_str(), "https://slack.com/api/chat.postMessage");
        assert!(!format!("{request:?}").contains("xoxb"));
    }

    #[test]
    fn a_200_is_no_success() {
        let judge = |body: &str| judged(&*bot(), "chat.update", 200, body);
        assert_eq!(
            judge(r#"{"ok":true,"channel":"C1","ts":"17.5"}"#),
            Verdict::Delivered { reference: Some("C1/17.5".into()) }
        );
        assert!(matches!(judge(r#"{"ok":false,"error":"ratelimited"}"#), Verdict::Retry { .. }));
        assert!(matches!(judge(r#"{"ok":false,"error":"invalid_auth"}"#), Verdict::Broken { .. }));
        assert_eq!(judge(r#"{"ok":false,"error":"message_not_found"}"#), Verdict::Gone);
        assert!(matches!(
            judge(r#"{"ok":false,"error":"msg_blocks_too_long"}"#),
            Verdict::Refused { .. }
        ));
        assert!(matches!(judge("not JSON"), Verdict::Refused { .. }));
    }
}
