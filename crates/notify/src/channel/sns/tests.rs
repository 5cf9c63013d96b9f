//! What is sent to SNS, and what its answers mean.

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
    let start = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature=");
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
    let shown = |phase| -> Vec<String> {
        let pairs = pairs(&rendered(&*channel(), phase)[0]);
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect()
    };
    let (open, mut end) = (shown(Phase::Open), shown(Phase::End));
    end.retain(|line| !open.contains(line));
    assert_eq!(end, ["MessageAttributes.entry.5.Value.StringValue=end"]);
    insta::assert_snapshot!(open.join("\n"), @r#"
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
    "#);
}
