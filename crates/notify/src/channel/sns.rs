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
mod tests {
    use super::*;
    use crate::channel::corpus::{self, complete, judged, rendered, walk};
    use crate::notification::{Phase, Reference};
    use std::collections::BTreeMap;

    const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:status";

    fn values() -> Values {
        Values::default()
            .with_text("topic_arn", TOPIC)
            .with_text("access_key_id", "AKIDEXAMPLE")
            .with_secret("secret_access_key", "SECRET1")
            .with_secret("session_token", "SECRET2")
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    fn pairs(step: &Step) -> BTreeMap<String, String> {
        form_urlencoded::parse(step.body.as_bytes()).into_owned().collect()
    }

    fn check(step: &Step) -> String {
        let pairs = pairs(step);
        let size: usize = pairs
            .iter()
            .filter(|(name, _)| *name == "Message" || name.starts_with("MessageA"))
            .map(|(_, value)| value.len())
            .sum();
        assert!((1..=262_144).contains(&size), "{size}");
        if let Some(subject) = pairs.get("Subject") {
            assert!((1..100).contains(&subject.len()), "{subject}");
            assert!(subject.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            assert!(!subject.starts_with(' '));
        }
        for (name, value) in &pairs {
            assert!(!name.starts_with("MessageAttributes") || !value.is_empty(), "{name}");
        }
        pairs["Message"].clone()
    }

    #[test]
    fn fits_whatever_the_text() {
        walk(&*channel(), &Reference::default(), |step, request| {
            assert!(!format!("{step:?} {request:?}").contains("SECRET"));
            check(step);
        });
    }

    #[test]
    fn fits_as_json() {
        let channel = build(&values().with_text("format", "json")).unwrap();
        for event in corpus::events() {
            for form in [Form::Rich, Form::Plain] {
                let notification = corpus::notification(&event, Phase::Open, None);
                let message = check(&channel.render(&notification, form)[0]);
                let message: serde_json::Value = serde_json::from_str(&message).unwrap();
                assert_eq!(message["data"]["id"], event.id);
            }
        }
    }

    #[test]
    fn a_template_is_the_message() {
        assert!(!channel().takes_json());
        let channel = build(&values().with_text("format", "json")).unwrap();
        assert!(channel.takes_json());
        let event = corpus::incident();
        let mut notification = corpus::notification(&event, Phase::Open, None);
        notification.custom.json = Some("{\"a\":1}".into());
        assert_eq!(pairs(&channel.render(&notification, Form::Rich)[0])["Message"], "{\"a\":1}");
    }

    #[test]
    fn a_long_summary_fits_as_json() {
        let mut summary = corpus::summary();
        summary.entries = vec![summary.entries[0].clone(); 5_000];
        let event = corpus::incident();
        let mut notification = corpus::notification(&event, Phase::Open, None);
        notification.content = Content::Summary(&summary);
        for form in [Form::Rich, Form::Plain] {
            let message = json_message(&notification, form);
            assert!(message.len() <= MESSAGE);
            assert!(message.starts_with('{') && message.contains("\"summary\""));
        }
    }

    #[test]
    fn requests_are_signed_for_their_time() {
        let step = rendered(&*channel(), Phase::Open).remove(0);
        let Request::Http(request) = complete(&*channel(), &step) else { panic!() };
        assert_eq!(request.url.expose().as_str(), "https://sns.eu-central-1.amazonaws.com/");
        let header = |wanted: &str| {
            let found = request.headers.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.expose().clone()).unwrap()
        };
        assert_eq!(header("x-amz-date"), "20260223T102049Z");
        assert_eq!(header("x-amz-security-token"), "SECRET2");
        let scope = "AKIDEXAMPLE/20260223/eu-central-1/sns/aws4_request";
        let names = "content-type;host;x-amz-date;x-amz-security-token";
        let start =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature=");
        assert!(header("authorization").starts_with(&start));
    }

    #[test]
    fn a_fifo_topic_drops_repetitions() {
        let values = values().with_text("topic_arn", &format!("{TOPIC}.fifo"));
        let pairs = pairs(&rendered(&*build(&values).unwrap(), Phase::Open)[0]);
        assert_eq!(pairs["MessageGroupId"], "fedcba9876543210fedcba9876543210");
        assert_eq!(pairs["MessageDeduplicationId"], "0123456789abcdef0123456789abcdef");
    }

    #[test]
    fn the_topic_is_checked() {
        for arn in [
            "",
            "status",
            "arn:aws:sqs:eu-central-1:123456789012:status",
            "arn:aws:sns:eu-central-1.evil.example/:123456789012:status",
            "arn:aws:sns:eu-central-1:1234:status",
            "arn:aws:sns:eu-central-1:123456789012:status:0d4a",
        ] {
            assert_eq!(place(arn), None, "{arn}");
        }
        let china = place("arn:aws-cn:sns:cn-north-1:123456789012:status").unwrap();
        assert_eq!(china.1, "https://sns.cn-north-1.amazonaws.com.cn/");
    }

    #[test]
    fn answers() {
        let judge = |status, body: &str| judged(&*channel(), "publish", status, body);
        let published = "<PublishResponse><PublishResult><MessageId>567910cd-659e</MessageId>\
                         </PublishResult></PublishResponse>";
        assert_eq!(judge(200, published), Verdict::delivered());
        assert!(matches!(judge(200, "<html>"), Verdict::Retry { .. }));
        let error = |code: &str| {
            format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
            )
        };
        assert!(matches!(judge(400, &error("Throttling")), Verdict::Retry { .. }));
        assert!(matches!(judge(400, &error("KMSThrottling")), Verdict::Retry { .. }));
        assert!(matches!(judge(500, &error("Unheard")), Verdict::Retry { .. }));
        assert!(matches!(judge(400, &error("InvalidParameter")), Verdict::Refused { .. }));
        assert!(matches!(judge(400, &error("ExpiredToken")), Verdict::Broken { .. }));
        assert!(matches!(judge(404, &error("NotFound")), Verdict::Broken { .. }));
        let expected = Verdict::Broken { reason: "HTTP 403: SignatureDoesNotMatch".into() };
        assert_eq!(judge(403, &error("SignatureDoesNotMatch")), expected);
        assert!(matches!(judge(503, ""), Verdict::Retry { .. }));
    }

    #[test]
    fn what_it_looks_like() {
        let shown: Vec<String> = [Phase::Open, Phase::End]
            .into_iter()
            .flat_map(|phase| pairs(&rendered(&*channel(), phase)[0]))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        Action=Publish
        Message=Acme Cloud: High errors with parcel labels

        Identified (major)
        We have found the cause.

        A fix is being rolled out.
        Components: Labels, Label Printing
        Status: Investigating → Identified

        https://status.acme.example/incidents/01ABC
        MessageAttributes.entry.1.Name=provider
        MessageAttributes.entry.1.Value.DataType=String
        MessageAttributes.entry.1.Value.StringValue=acme
        MessageAttributes.entry.2.Name=kind
        MessageAttributes.entry.2.Value.DataType=String
        MessageAttributes.entry.2.Value.StringValue=incident
        MessageAttributes.entry.3.Name=status
        MessageAttributes.entry.3.Value.DataType=String
        MessageAttributes.entry.3.Value.StringValue=identified
        MessageAttributes.entry.4.Name=impact
        MessageAttributes.entry.4.Value.DataType=String
        MessageAttributes.entry.4.Value.StringValue=major
        MessageAttributes.entry.5.Name=state
        MessageAttributes.entry.5.Value.DataType=String
        MessageAttributes.entry.5.Value.StringValue=open
        Subject=Acme Cloud: High errors with parcel labels
        TopicArn=arn:aws:sns:eu-central-1:123456789012:status
        Version=2010-03-31
        Action=Publish
        Message=Acme Cloud: High errors with parcel labels

        Identified (major)
        We have found the cause.

        A fix is being rolled out.
        Components: Labels, Label Printing
        Status: Investigating → Identified

        https://status.acme.example/incidents/01ABC
        MessageAttributes.entry.1.Name=provider
        MessageAttributes.entry.1.Value.DataType=String
        MessageAttributes.entry.1.Value.StringValue=acme
        MessageAttributes.entry.2.Name=kind
        MessageAttributes.entry.2.Value.DataType=String
        MessageAttributes.entry.2.Value.StringValue=incident
        MessageAttributes.entry.3.Name=status
        MessageAttributes.entry.3.Value.DataType=String
        MessageAttributes.entry.3.Value.StringValue=identified
        MessageAttributes.entry.4.Name=impact
        MessageAttributes.entry.4.Value.DataType=String
        MessageAttributes.entry.4.Value.StringValue=major
        MessageAttributes.entry.5.Name=state
        MessageAttributes.entry.5.Value.DataType=String
        MessageAttributes.entry.5.Value.StringValue=end
        Subject=Acme Cloud: High errors with parcel labels
        TopicArn=arn:aws:sns:eu-central-1:123456789012:status
        Version=2010-03-31
        "#);
    }
}
