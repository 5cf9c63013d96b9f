//! MQTT: publishes the event as JSON with QoS 1, and the latest event of each provider as a retained
//! message, which later subscribers get immediately.
//!
//! A broker of version 3.1.1 acknowledges what its rules then drop; one of version 5 says so
//! (<https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html>, section 3.4.2.1).

use super::event_json::event_json;
use super::server::{self, PASSWORD, Scheme, USER, login, protect};
use super::topic::Topic;
use super::{Audience, Channel, Form, Limits, Spec};
use crate::exchange::{
    Answer, Login, MqttAnswer, MqttRequest, MqttVersion, Request, Security, Sending, Server, Step,
    Verdict,
};
use crate::notification::{Content, Notification, Phase};
use crate::values::{Key, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "mqtt",
    name: "MQTT",
    audience: Audience::Machine,
    keys: &[
        Key::required("server", Shape::Text, "\"mqtt://HOST:1883\", or \"mqtts://HOST:8883\"."),
        Key::optional(
            "version",
            Shape::Word(&["3.1.1", "5"]),
            "The version of the protocol, \"5\" by default.",
        ),
        USER,
        PASSWORD,
        Key::optional(
            "client_id",
            Shape::Text,
            "The name of the session. By default each message has its own, \"statuswatch-\" and \
             digits.",
        ),
        Key::optional(
            "topic",
            Shape::Text,
            "The topic of events, \"statuswatch/{provider}/{kind}\" by default; also {status}, \
             {impact}, {phase} and {thread}.",
        ),
        Key::optional(
            "state_topic",
            Shape::Text,
            "The topic of the retained message, \"statuswatch/{provider}/state\" by default. With \
             {thread} there is one per incident, which its end removes.",
        ),
        Key::optional(
            "state",
            Shape::Flag,
            "Whether there is a retained message; true by default.",
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
const TOPIC: &str = "statuswatch/{provider}/{kind}";
/// The default of `state_topic`.
const STATE: &str = "statuswatch/{provider}/state";
const SCHEMES: &[Scheme] = &[("mqtt", 1883, Security::None), ("mqtts", 8883, Security::Tls)];
/// Digits of the delivery id in a session's name: with them it has 23 characters, which every broker
/// of version 3.1.1 allows.
const DIGITS: usize = 11;

#[derive(Debug)]
struct Mqtt {
    server: Server,
    version: MqttVersion,
    login: Option<Login>,
    client_id: Option<String>,
    topic: Topic,
    state: Option<Topic>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let server = server::server(values, "server", SCHEMES)?;
    let login = login(values)?;
    protect(values, "server", &server, login.is_some(), "mqtts://")?;
    let client_id = values.text("client_id").map(str::to_owned);
    if client_id.as_ref().is_some_and(|id| id.is_empty() || id.contains(char::is_control)) {
        return Err(ValueError::at("client_id", "it must be text without control characters"));
    }
    let with_state = !values.has("state") || values.flag("state");
    Ok(Box::new(Mqtt {
        server,
        version: match values.text("version") {
            Some("3.1.1") => MqttVersion::V3,
            _ => MqttVersion::V5,
        },
        login,
        client_id,
        topic: topic(values, "topic", TOPIC)?,
        state: if with_state { Some(topic(values, "state_topic", STATE)?) } else { None },
    }))
}

fn topic(values: &Values, key: &'static str, default: &str) -> Result<Topic, ValueError> {
    let topic = Topic::parse(values.text(key).unwrap_or(default))
        .map_err(|message| ValueError::at(key, message))?;
    let example = topic.example();
    let wrong = |c: char| matches!(c, '+' | '#') || c.is_control();
    if example.is_empty() || example.starts_with('$') || example.contains(wrong) {
        return Err(ValueError::at(key, "it must be a topic without wildcards"));
    }
    if example.len() > 1_000 {
        return Err(ValueError::at(key, "it is longer than 1,000 bytes"));
    }
    Ok(topic)
}

impl Channel for Mqtt {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let message = event_json(notification, form).to_string();
        let mut steps = Vec::new();
        // The retained message can be set again: the event comes last.
        if let Some(state) = &self.state
            && matches!(notification.content, Content::Event(_))
        {
            let is_over = notification.phase == Phase::End && state.has("thread");
            let body = if is_over { String::new() } else { message.clone() };
            steps.push(Step::new(format!("retain:{}", state.of(notification)), body));
        }
        steps.push(Step::new(format!("publish:{}", self.topic.of(notification)), message));
        steps
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        let (op, topic) = step.op.split_once(':').unwrap_or_default();
        let client_id = self.client_id.clone().unwrap_or_else(|| {
            let digits: String = sending.delivery_id.chars().take(DIGITS).collect();
            format!("statuswatch-{digits}")
        });
        Request::Mqtt(MqttRequest {
            server: self.server.clone(),
            version: self.version,
            client_id,
            login: self.login.clone(),
            topic: topic.to_owned(),
            payload: step.body.clone(),
            retain: op == "retain",
        })
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Mqtt(answer) => judge(*answer, self.version),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        // Two sessions with the same name would end each other.
        let in_flight = if self.client_id.is_some() { 1 } else { 4 };
        Limits { pace: None, in_flight }
    }
}

fn judge(answer: MqttAnswer, version: MqttVersion) -> Verdict {
    let retry = |reason: String| Verdict::Retry { after: None, reason };
    match (answer, version) {
        // 0x10: there are no subscribers.
        (MqttAnswer::Publish(0..=0x7f), _) => Verdict::delivered(),
        (MqttAnswer::Connect(code), MqttVersion::V3) => {
            let text = match code {
                1 => "it does not speak version 3.1.1",
                2 => "it refuses the client id",
                3 => return retry("the broker is not available".to_owned()),
                4 => "wrong user or password",
                5 => "not authorized",
                _ => return retry(format!("the broker refuses the connection: code {code}")),
            };
            Verdict::Broken { reason: format!("the broker refuses the connection: {text}") }
        }
        (
            MqttAnswer::Publish(code) | MqttAnswer::Connect(code) | MqttAnswer::Disconnect(code),
            _,
        ) => {
            let what = match answer {
                MqttAnswer::Publish(_) => "the broker refuses the message",
                MqttAnswer::Connect(_) => "the broker refuses the connection",
                MqttAnswer::Disconnect(_) => "the broker closes the connection",
            };
            let reason = format!("{what}: {}", reason(code));
            match code {
                0x84..=0x87 | 0x8a | 0x8c | 0x9a | 0x9b | 0x9c | 0x9d => Verdict::Broken { reason },
                0x90 | 0x95 | 0x99 => Verdict::Refused { reason },
                _ => retry(reason),
            }
        }
    }
}

/// Describes a reason code (section 2.4).
fn reason(code: u8) -> String {
    let text = match code {
        0x84 => "it does not speak version 5",
        0x85 => "it refuses the client id",
        0x86 => "wrong user or password",
        0x87 => "not authorized",
        0x88 => "it is not available",
        0x89 => "it is busy",
        0x8a => "this client is banned",
        0x8b => "it is shutting down",
        0x8e => "another client has taken over the session",
        0x90 => "the topic is not valid",
        0x95 => "the packet is too large",
        0x97 => "a quota is exceeded",
        0x99 => "the payload is not valid",
        0x9a => "it does not retain messages",
        0x9b => "it does not support QoS 1",
        0x9c | 0x9d => "another server is to be used",
        0x9f => "too many connections",
        _ => return format!("reason code {code:#04x}"),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{rendered, walk};
    use crate::notification::Reference;

    fn values() -> Values {
        Values::default().with_text("server", "mqtts://mqtt.example")
    }

    #[test]
    fn no_text_of_a_provider_reaches_the_topic() {
        let login = values().with_text("user", "u").with_secret("password", "s3cr3t");
        let channel = build(&login).unwrap();
        walk(&*channel, &Reference::default(), |_, request| {
            let Request::Mqtt(request) = request else { panic!() };
            assert!(request.topic.starts_with("statuswatch/acme/"), "{}", request.topic);
            assert_eq!(request.topic.matches('/').count(), 2);
            assert_eq!(request.retain, request.topic.ends_with("/state"));
            assert_eq!(request.client_id.len(), 23);
            assert!(request.payload.len() < 1_000_000);
            assert!(!format!("{request:?}").contains("s3cr3t"));
        });
    }

    #[test]
    fn the_end_of_an_incident_removes_its_own_state() {
        let ops = |channel: &dyn Channel, phase| {
            rendered(channel, phase)
                .iter()
                .map(|step| format!("{} {}", step.op, step.body.len().min(1)))
                .collect::<Vec<_>>()
        };
        let channel = build(&values()).unwrap();
        let both = ["retain:statuswatch/acme/state 1", "publish:statuswatch/acme/incident 1"];
        assert_eq!(ops(&*channel, Phase::End), both);
        let channel = build(&values().with_text("state_topic", "s/{provider}/{thread}")).unwrap();
        let thread = "fedcba9876543210fedcba9876543210";
        assert_eq!(ops(&*channel, Phase::Open)[0], format!("retain:s/acme/{thread} 1"));
        assert_eq!(ops(&*channel, Phase::End)[0], format!("retain:s/acme/{thread} 0"));
        let without = values().with("state", crate::values::Value::Flag(false));
        assert_eq!(ops(&*build(&without).unwrap(), Phase::End).len(), 1);
    }

    #[test]
    fn mistakes_are_found() {
        for topic in ["", "a/+", "a/#", "$SYS/x", "a\nb", "{x}"] {
            assert!(build(&values().with_text("topic", topic)).is_err(), "{topic:?}");
        }
        let plain = Values::default()
            .with_text("server", "mqtt://mqtt.example")
            .with_text("user", "u")
            .with_secret("password", "p");
        assert!(build(&plain).unwrap_err().to_string().contains("mqtts://"));
        build(&plain.with_text("tls", "none")).unwrap();
    }

    #[test]
    fn codes_are_judged() {
        use MqttAnswer::{Connect, Disconnect, Publish};
        let (v3, v5) = (MqttVersion::V3, MqttVersion::V5);
        assert_eq!(judge(Publish(0), v3), Verdict::delivered());
        assert_eq!(judge(Publish(0x10), v5), Verdict::delivered());
        for (answer, version) in [(Connect(5), v3), (Connect(0x86), v5), (Publish(0x87), v5)] {
            assert!(matches!(judge(answer, version), Verdict::Broken { .. }), "{answer:?}");
        }
        for (answer, version) in [(Connect(3), v3), (Connect(0x89), v5), (Publish(0x97), v5)] {
            assert!(matches!(judge(answer, version), Verdict::Retry { .. }), "{answer:?}");
        }
        assert_eq!(
            judge(Disconnect(0x95), v5),
            Verdict::Refused {
                reason: "the broker closes the connection: the packet is too large".to_owned()
            }
        );
    }
}
