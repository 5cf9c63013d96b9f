//! Kafka: writes the event as JSON to a topic, and waits until all replicas in sync have it.
//!
//! The key is the thread, so that the updates of an incident stay in order in one partition. The
//! header `message-id` is the idempotency key: a record whose answer was lost is written again.
//! Error codes: <https://kafka.apache.org/protocol#protocol_error_codes>.

use super::event_json::event_json;
use super::server::{self, PASSWORD, Scheme, USER, login, protect};
use super::topic::Topic;
use super::{Audience, Channel, Form, Limits, Spec};
use crate::exchange::{
    Answer, KafkaAnswer, KafkaLogin, KafkaRequest, KafkaStage, Request, SaslMechanism, Security,
    Sending, Server, Step, Verdict,
};
use crate::notification::Notification;
use crate::values::{Key, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "kafka",
    name: "Kafka",
    audience: Audience::Machine,
    keys: &[
        Key::required(
            "servers",
            Shape::List,
            "Up to 10 brokers of the cluster: \"kafka://HOST:9092\", or \"tls://HOST:9093\".",
        ),
        Key::optional(
            "topic",
            Shape::Text,
            "The topic, \"statuswatch\" by default; it may hold {provider}, {kind}, {status}, \
             {impact} and {phase}.",
        ),
        USER,
        PASSWORD,
        Key::optional(
            "mechanism",
            Shape::Word(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
            "How SASL proves the password, \"PLAIN\" by default.",
        ),
        Key::optional(
            "tls",
            Shape::Word(&["none"]),
            "\"none\" sends a password without TLS to another machine.",
        ),
    ],
    build,
};

/// The default of `topic`.
const TOPIC: &str = "statuswatch";
/// The ports that Kafka's own examples use.
const SCHEMES: &[Scheme] = &[("kafka", 9092, Security::None), ("tls", 9093, Security::Tls)];
/// Most servers: each that does not answer costs a part of an attempt's time.
const MAX_SERVERS: usize = 10;
/// Longest name of a topic, in bytes
/// (<https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/internals/Topic.java>).
const MAX_TOPIC: usize = 249;

#[derive(Debug)]
struct Kafka {
    servers: Vec<Server>,
    login: Option<KafkaLogin>,
    clear: bool,
    topic: Topic,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let servers = values
        .list("servers")
        .iter()
        .map(|text| server::address(text, "servers", SCHEMES))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = servers.first() else {
        return Err(ValueError::at("servers", "it must name at least one server"));
    };
    if servers.len() > MAX_SERVERS {
        return Err(ValueError::at("servers", format!("more than {MAX_SERVERS} servers")));
    }
    if servers.iter().any(|server| server.security != first.security) {
        return Err(ValueError::at("servers", "use \"tls://\" for all servers, or for none"));
    }
    let mechanism = match values.text("mechanism") {
        Some("SCRAM-SHA-256") => SaslMechanism::ScramSha256,
        Some("SCRAM-SHA-512") => SaslMechanism::ScramSha512,
        _ => SaslMechanism::Plain,
    };
    let login = login(values)?.map(|login| KafkaLogin { mechanism, login });
    if login.is_none() && values.has("mechanism") {
        return Err(ValueError::at("mechanism", "it needs \"user\" and \"password\""));
    }
    for server in &servers {
        protect(values, "servers", server, login.is_some(), "tls://")?;
    }
    let topic = Topic::parse(values.text("topic").unwrap_or(TOPIC))
        .map_err(|message| ValueError::at("topic", message))?;
    // Every incident would have a topic of its own.
    if topic.has("thread") {
        return Err(ValueError::at("topic", "the thread is the key of a record, not its topic"));
    }
    let example = topic.example();
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if matches!(example.as_str(), "" | "." | "..") || !example.bytes().all(valid) {
        return Err(ValueError::at(
            "topic",
            "it must consist of letters, digits, \".\", \"_\" and \"-\"",
        ));
    }
    if example.len() > MAX_TOPIC {
        return Err(ValueError::at("topic", format!("it is longer than {MAX_TOPIC} bytes")));
    }
    let clear = values.text("tls") == Some("none");
    Ok(Box::new(Kafka { servers, login, clear, topic }))
}

impl Channel for Kafka {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let (topic, key) = (self.topic.of(notification), notification.thread);
        vec![Step::json(format!("produce:{topic}:{key}"), &event_json(notification, form))]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        // The name of a topic holds no colon.
        let place = step.op.strip_prefix("produce:").unwrap_or_default();
        let (topic, key) = place.split_once(':').unwrap_or_default();
        Request::Kafka(KafkaRequest {
            servers: self.servers.clone(),
            login: self.login.clone(),
            clear: self.clear,
            topic: topic.to_owned(),
            key: key.to_owned(),
            headers: vec![
                ("message-id", sending.delivery_id.to_owned()),
                ("content-type", "application/json".to_owned()),
            ],
            value: step.body.clone(),
            timestamp: sending.now.timestamp_millis(),
        })
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Kafka(answer) => judge(answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }
}

fn judge(answer: &KafkaAnswer) -> Verdict {
    match answer {
        KafkaAnswer::Stored { .. } => Verdict::delivered(),
        KafkaAnswer::Unusable(reason) => Verdict::Broken { reason: reason.clone() },
        KafkaAnswer::Error { stage, code, text } => {
            let what = match stage {
                KafkaStage::Connect => "the broker refuses the connection",
                KafkaStage::Login => "the broker refuses the login",
                KafkaStage::Metadata => "the broker does not know where to write",
                KafkaStage::Produce => "the broker refuses the record",
            };
            let text = statuswatch_model::text::one_line(text, 200);
            let said = if text.is_empty() { String::new() } else { format!(" ({text})") };
            let reason = format!("{what}: {}{said}", reason(*code));
            match code {
                3 | 17 | 21 | 29 | 31..=35 | 42 | 43 | 58 => Verdict::Broken { reason },
                10 | 18 | 44 | 87 => Verdict::Refused { reason },
                // The state of the cluster, or a code of a later version.
                _ => Verdict::Retry { after: None, reason },
            }
        }
    }
}

/// Describes an error code.
fn reason(code: i16) -> String {
    let text = match code {
        -1 => "it has an unexpected error",
        2 => "it found the record damaged",
        3 => "the topic does not exist, or is not shown to this user",
        5 => "the partition has no leader at the moment",
        6 => "another broker leads the partition",
        8 => "it is not available",
        10 | 18 => "the record is larger than the topic allows",
        17 => "the name of the topic is not valid",
        19 => "too few replicas are in sync",
        21 => "it does not wait for its replicas",
        29 => "this user may not write to the topic",
        31 => "this user may not use the cluster",
        32 => "the time of the record is out of range: compare the clocks",
        33 => "it does not offer the mechanism",
        34 => "it did not expect a login here",
        35 => "it does not speak this version of the protocol",
        42 => "it does not understand the request",
        43 => "the topic has a format of before version 0.11",
        44 => "a policy forbids the record",
        56 => "it cannot write to its disk",
        58 => "wrong user or password",
        87 => "the topic does not accept such a record",
        89 => "a quota is exceeded",
        _ => return format!("error code {code}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{complete, rendered, walk};
    use crate::notification::{Phase, Reference};
    use crate::values::Value;

    fn at(servers: &[&str]) -> Values {
        let servers = servers.iter().map(|&server| server.to_owned()).collect();
        Values::default().with("servers", Value::List(servers))
    }

    fn values() -> Values {
        at(&["tls://k1.example", "tls://k2.example:9094"])
    }

    #[test]
    fn no_text_of_a_provider_reaches_the_topic_or_the_key() {
        let login = values().with_text("user", "u").with_secret("password", "s3cr3t");
        let channel = build(&login.with_text("topic", "status.{provider}.{kind}")).unwrap();
        walk(&*channel, &Reference::default(), |_, request| {
            let Request::Kafka(request) = request else { panic!() };
            let kind = request.topic.strip_prefix("status.acme.").unwrap();
            assert!(kind.bytes().all(|byte| byte.is_ascii_lowercase()), "{kind}");
            assert_eq!(request.key, "fedcba9876543210fedcba9876543210");
            assert!(request.value.len() < 1_000_000);
            assert!(!format!("{request:?}").contains("s3cr3t"));
        });
    }

    #[test]
    fn what_is_written() {
        let channel = build(&values()).unwrap();
        let step = rendered(&*channel, Phase::Update).remove(0);
        let Request::Kafka(request) = complete(&*channel, &step) else { panic!() };
        assert_eq!(request.topic, "statuswatch");
        let headers: Vec<_> = request.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        let id = "message-id: 0123456789abcdef0123456789abcdef";
        assert_eq!(headers, [id, "content-type: application/json"]);
        assert!(request.value.contains(r#""phase":"update""#));
        assert_eq!(request.timestamp, 1_771_842_049_000);
        let ports: Vec<u16> = request.servers.iter().map(|server| server.port).collect();
        assert_eq!(ports, [9093, 9094]);
    }

    #[test]
    fn mistakes_are_found() {
        let error = |values: Values| build(&values).unwrap_err().to_string();
        for topic in ["", ".", "..", "a b", "a/b", "a:b", "ä", "{thread}", "{x}", &"x".repeat(250)]
        {
            error(values().with_text("topic", topic));
        }
        build(&values().with_text("topic", &"x".repeat(249))).unwrap();
        assert!(error(at(&[])).contains("at least one"));
        assert!(error(at(&["kafka://k.example"; 11])).contains("more than 10"));
        assert!(error(at(&["k.example:9092"])).contains("\"kafka://HOST:9092\""));
        assert!(error(at(&["kafka://k1.example", "tls://k2.example"])).contains("for all"));
        assert!(error(values().with_text("mechanism", "PLAIN")).contains("\"user\""));
        let login = |values: Values| values.with_text("user", "u").with_secret("password", "p");
        let plain = || login(at(&["kafka://127.0.0.1", "kafka://k.example"]));
        assert!(error(plain()).contains("tls: none"));
        build(&plain().with_text("tls", "none")).unwrap();
        build(&login(at(&["kafka://localhost"]))).unwrap();
    }

    #[test]
    fn codes_are_judged() {
        let judged = |code| {
            let text = "said\u{1b}[31m\nso".to_owned();
            match judge(&KafkaAnswer::Error { stage: KafkaStage::Produce, code, text }) {
                Verdict::Retry { after: None, reason } => ("retry", reason),
                Verdict::Refused { reason } => ("refused", reason),
                Verdict::Broken { reason } => ("broken", reason),
                other => panic!("{other:?}"),
            }
        };
        for (expected, codes) in [
            ("retry", &[-1, 2, 5, 6, 7, 8, 13, 19, 20, 56, 89, 999][..]),
            ("refused", &[10, 18, 44, 87]),
            ("broken", &[3, 17, 21, 29, 31, 32, 33, 34, 35, 42, 43, 58]),
        ] {
            for code in codes {
                let (verdict, reason) = judged(*code);
                assert_eq!(verdict, expected, "{code} {reason}");
                assert!(!reason.contains(char::is_control), "{reason:?}");
            }
        }
        assert_eq!(
            judged(10).1,
            "the broker refuses the record: the record is larger than the topic allows (said[31m so)"
        );
        let stored = KafkaAnswer::Stored { partition: 3, offset: 7 };
        assert_eq!(judge(&stored), Verdict::delivered());
        let old = KafkaAnswer::Unusable("too old".to_owned());
        assert_eq!(judge(&old), Verdict::Broken { reason: "too old".to_owned() });
    }
}
