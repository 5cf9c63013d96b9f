//! Amazon SNS: publishes to a topic, whose subscribers get text or JSON.
//!
//! Limits: message and attributes 262,144 bytes; a subject is ASCII, begins with a letter, digit or
//! punctuation mark, has no control character and fewer than 100 characters; 10 attributes are
//! filtered by; a FIFO topic drops what has the same deduplication id within 5 minutes
//! (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>). A standard topic has no
//! idempotency key. Errors are XML with a `<Code>`; requests are signed (`sigv4`).

use std::time::Duration;

use serde_json::json;
use statuswatch_model::event::format_time;
use url::{Url, form_urlencoded};

use super::sigv4::Signer;
use super::{Audience, Channel, Form, Limits, Pace, Spec, levels};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, judge_http, retry_after,
};
use crate::notification::{Content, Notification};
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "sns",
    name: "Amazon SNS",
    audience: Audience::Machine,
    keys: &[
        Key::required("topic_arn", Shape::Text, "arn:aws:sns:REGION:ACCOUNT:NAME."),
        Key::required("access_key_id", Shape::Text, "The access key of a user that may publish."),
        Key::required("secret_access_key", Shape::Secret, "Its secret."),
        Key::optional("session_token", Shape::Secret, "For temporary credentials."),
        Key::optional(
            "format",
            Shape::Word(&["text", "json"]),
            "\"text\" (default) for people, \"json\" for programs: the body that a webhook gets.",
        ),
        Key::optional(
            "api_url",
            Shape::Url,
            "In place of https://sns.REGION.amazonaws.com/, such as a VPC endpoint.",
        ),
    ],
    build,
};

/// Of a message, in bytes: attributes count as well.
const MESSAGE: usize = 250_000;
/// Of a message for people, in bytes.
const TEXT: usize = 60_000;
/// In characters.
const SUBJECT: usize = 99;
/// Of an attribute, in bytes.
const ATTRIBUTE: usize = 250;
/// In characters, of a message that must not be refused.
const PLAIN: usize = 200;
/// In bytes: the least that [`levels::bounded_event`] can cut to.
const PLAIN_JSON: usize = 32 * 1024;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[derive(Debug)]
struct Sns {
    url: Url,
    topic_arn: String,
    json: bool,
    /// Whether the topic keeps an order and drops repetitions.
    fifo: bool,
    signer: Signer,
}

/// Returns region and host of a topic.
fn place(topic_arn: &str) -> Option<(&str, String)> {
    let mut parts = topic_arn.split(':');
    let [arn, partition, service, region, account, name] =
        [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let valid = arn == "arn"
        && partition.starts_with("aws")
        && service == "sns"
        && !region.is_empty()
        && region.bytes().all(lower)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=256).contains(&name.len())
        && name.bytes().all(named)
        && parts.next().is_none();
    let domain = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    valid.then(|| (region, format!("https://sns.{region}.{domain}/")))
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let topic_arn = values.need_text("topic_arn")?;
    let Some((region, host)) = place(topic_arn) else {
        let message = "it must be arn:aws:sns:REGION:ACCOUNT:NAME, as the console shows it";
        return Err(ValueError::at("topic_arn", message));
    };
    let access_key_id = values.need_text("access_key_id")?;
    if access_key_id.is_empty() || !access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(ValueError::at("access_key_id", "it must be letters and digits: AKIA..."));
    }
    Ok(Box::new(Sns {
        url: levels::address(values, "api_url", &host)?,
        topic_arn: topic_arn.to_owned(),
        json: values.text("format") == Some("json"),
        fifo: topic_arn.strip_suffix(".fifo").is_some(),
        signer: Signer {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: values.need_secret("secret_access_key")?.clone(),
            session_token: values.secret("session_token").cloned(),
            region: region.to_owned(),
            service: "sns",
        },
    }))
}

impl Channel for Sns {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs
            .append_pair("Action", "Publish")
            .append_pair("Version", "2010-03-31")
            .append_pair("TopicArn", &self.topic_arn)
            .append_pair("Message", &self.message(notification, &layout, form));
        if self.fifo {
            pairs
                .append_pair("MessageGroupId", notification.thread)
                .append_pair("MessageDeduplicationId", notification.delivery_id);
        }
        if form == Form::Rich {
            pairs.append_pair("Subject", &subject(&layout.title));
            for (place, (name, value)) in attributes(notification).iter().enumerate() {
                let entry = format!("MessageAttributes.entry.{}", place + 1);
                pairs
                    .append_pair(&format!("{entry}.Name"), name)
                    .append_pair(&format!("{entry}.Value.DataType"), "String")
                    .append_pair(&format!("{entry}.Value.StringValue"), value);
            }
        }
        vec![Step::new("publish", pairs.finish())]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        let (date, authorization) =
            self.signer.sign("POST", &self.url, Some(FORM), &step.body, sending.now);
        let mut request = HttpRequest::post_json(self.url.clone(), &step.body)
            .header("x-amz-date", date)
            .header("authorization", authorization);
        if let Some(token) = &self.signer.session_token {
            request = request.header("x-amz-security-token", token.expose());
        }
        request.content_type = FORM;
        Request::Http(request)
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        let Answer::Http(answer) = answer else {
            return Verdict::unexpected();
        };
        if answer.status == 200 {
            return match element(&answer.body, "MessageId") {
                Some(_) => Verdict::delivered(),
                // Not its answer: a proxy's, for example.
                None => retry(answer, "an answer without a message id"),
            };
        }
        match element(&answer.body, "Code") {
            Some(code) => judge_code(answer, code),
            None => judge_http(answer),
        }
    }

    fn limits(&self) -> Limits {
        // Hundreds a second in the smallest region for a standard topic, 300 for a FIFO topic.
        let pace = Pace { every: Duration::from_millis(50), burst: 50 };
        Limits { pace: Some(pace), in_flight: 4 }
    }

    fn takes_json(&self) -> bool {
        self.json
    }
}

/// Judges an error by its code; its message is not quoted, as it may repeat the string to sign.
fn judge_code(answer: &HttpAnswer, code: &str) -> Verdict {
    let code = statuswatch_model::text::one_line(code, 100);
    let reason = format!("HTTP {}: {code}", answer.status);
    match code.as_str() {
        "Throttling"
        | "ThrottlingException"
        | "Throttled"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "KMSThrottling"
        | "InternalError"
        | "InternalFailure"
        | "ServiceUnavailable" => retry(answer, &code),
        "InvalidParameter" | "InvalidParameterValue" | "ValidationError" => {
            Verdict::Refused { reason }
        }
        // Credentials, permissions, a clock that is wrong, keys of KMS, the topic.
        "AuthorizationError"
        | "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "OptInRequired"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "NotFound"
        | "KMSAccessDenied"
        | "KMSDisabled"
        | "KMSInvalidState"
        | "KMSNotFound"
        | "KMSOptInRequired" => Verdict::Broken { reason },
        _ => match judge_http(answer) {
            Verdict::Retry { .. } => retry(answer, &code),
            Verdict::Broken { .. } => Verdict::Broken { reason },
            _ => Verdict::Refused { reason },
        },
    }
}

fn retry(answer: &HttpAnswer, what: &str) -> Verdict {
    let reason = format!("HTTP {}: {what}", answer.status);
    Verdict::Retry { after: retry_after(answer), reason }
}

/// Returns the text of the first element of a name that has no attributes.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.is_empty()).then_some(text)
}

/// Returns a subject: what is not ASCII becomes `?`.
fn subject(title: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let subject: String = fit(title, SUBJECT, Unit::Chars).chars().map(visible).collect();
    let subject = subject.trim();
    if subject.is_empty() { "statuswatch".to_owned() } else { subject.to_owned() }
}

/// Returns what subscriptions can filter by.
fn attributes(notification: &Notification<'_>) -> Vec<(&'static str, String)> {
    let phase = if notification.is_over() { "end" } else { "open" };
    let Content::Event(event) = notification.content else {
        let kind =
            if matches!(notification.content, Content::Notice(_)) { "notice" } else { "summary" };
        return vec![("kind", kind.to_owned()), ("state", phase.to_owned())];
    };
    let provider = fit(&event.provider, ATTRIBUTE, Unit::Bytes).into_owned();
    vec![
        ("provider", if provider.is_empty() { "unknown".to_owned() } else { provider }),
        ("kind", event.kind.to_string()),
        ("status", event.status.to_string()),
        ("impact", event.impact.to_string()),
        ("state", phase.to_owned()),
    ]
}

impl Sns {
    fn message(&self, notification: &Notification<'_>, layout: &Layout, form: Form) -> String {
        if self.json {
            return json_message(notification, form);
        }
        let title = if layout.title.is_empty() { "statuswatch" } else { &layout.title };
        if form == Form::Plain {
            return fit(title, PLAIN, Unit::Chars).into_owned();
        }
        let mut message = title.to_owned();
        let text = layout.text();
        if !text.is_empty() {
            message.push_str("\n\n");
            message.push_str(&fit(&text, TEXT, Unit::Bytes));
        }
        if let Some(url) = layout.url.as_deref().filter(|url| url.len() < TEXT) {
            message.push_str("\n\n");
            message.push_str(url);
        }
        message
    }
}

fn json_message(notification: &Notification<'_>, form: Form) -> String {
    let most = if form == Form::Rich { MESSAGE } else { PLAIN_JSON };
    if let Some(json) = &notification.custom.json
        && form == Form::Rich
        && json.len() <= MESSAGE
    {
        return json.clone();
    }
    let (kind, at, data) = match notification.content {
        // The frame around the event is far below 1 KiB.
        Content::Event(event) => {
            let data = levels::bounded_event(event, most - 1_024);
            (event.kind.as_str(), event.observed_at, data)
        }
        Content::Summary(summary) => ("summary", notification.now, json!(summary)),
        Content::Notice(notice) => ("notice", notice.at, json!(notice)),
    };
    let message = json!({
        "type": kind,
        "timestamp": format_time(at),
        "thread": notification.thread,
        "phase": notification.phase,
        "data": data,
    });
    let message = message.to_string();
    if message.len() <= most {
        return message;
    }
    // A summary or notice that is too long: its text, without its parts.
    let layout = Layout::new(notification);
    let text = fit(&layout.body, most / 8, Unit::Bytes);
    let data = json!({ "title": layout.title, "message": text });
    json!({ "type": kind, "timestamp": format_time(at), "data": data }).to_string()
}

#[cfg(test)]
mod tests;
