//! What is sent and what comes back.

mod server;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use statuswatch_model::event::Time;
use url::Url;

use crate::values::Secret;

pub use server::{
    KafkaAnswer, KafkaLogin, KafkaRequest, KafkaStage, Login, MailAnswer, MailRequest, MailStage,
    MqttAnswer, MqttRequest, MqttVersion, NatsAnswer, NatsAuth, NatsRequest, RefusedRecipient,
    SaslMechanism, Security, Server,
};

/// A rendered part of a message, without address and credentials: it is stored at the first attempt
/// and is the same on every later one.
///
/// Most messages have one step. Where a service needs several requests, each must be repeatable, and
/// the one that is not comes last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What the channel calls the operation: `post`, `update:1234`.
    pub op: String,
    /// The content; JSON for most services.
    pub body: String,
}

impl Step {
    /// Creates a step.
    #[must_use]
    pub fn new(op: impl Into<String>, body: impl Into<String>) -> Self {
        Self { op: op.into(), body: body.into() }
    }

    /// Creates a step whose body is `value` as JSON.
    #[must_use]
    pub fn json(op: impl Into<String>, value: &serde_json::Value) -> Self {
        Self::new(op, value.to_string())
    }
}

/// The attempt a step is completed for.
#[derive(Debug, Clone, Copy)]
pub struct Sending<'a> {
    /// The idempotency key.
    pub delivery_id: &'a str,
    /// The time of the attempt.
    pub now: Time,
}

/// A complete request. Holds credentials: its `Debug` shows none.
#[derive(Debug, Clone)]
pub enum Request {
    /// An HTTP request; redirects are not followed.
    Http(HttpRequest),
    /// A program.
    Exec(ExecRequest),
    /// A mail.
    Mail(MailRequest),
    /// A message for JetStream.
    Nats(NatsRequest),
    /// A message for a broker of MQTT.
    Mqtt(MqttRequest),
    /// A record for Kafka.
    Kafka(KafkaRequest),
}

/// HTTP methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
}

impl Method {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// An HTTP request.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// Its method.
    pub method: Method,
    /// Its address, which may be a secret in itself.
    pub url: Secret<Url>,
    /// Header fields besides `content-type`; values may be credentials.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// Header fields from the configuration, with names in lower case.
    pub extra: Vec<(String, Secret<String>)>,
    /// `content-type`.
    pub content_type: &'static str,
    /// Its body; may hold credentials.
    pub body: Secret<String>,
}

impl HttpRequest {
    /// Creates a POST request with a JSON body.
    #[must_use]
    pub fn post_json(url: Url, body: impl Into<String>) -> Self {
        Self {
            method: Method::Post,
            url: Secret::new(url),
            headers: Vec::new(),
            extra: Vec::new(),
            content_type: "application/json",
            body: Secret::new(body.into()),
        }
    }

    /// Creates a POST request whose body is an HTML form.
    #[must_use]
    pub fn post_form<'a>(url: Url, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self { content_type: "application/x-www-form-urlencoded", ..Self::post_json(url, body) }
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Secret::new(value.into())));
        self
    }

    /// Adds `authorization: SCHEME TOKEN`.
    #[must_use]
    pub fn authorization(self, scheme: &str, token: &Secret<String>) -> Self {
        let value = format!("{scheme} {}", token.expose());
        self.header("authorization", value)
    }
}

/// Returns `base` with further segments of its path, each percent-encoded, and without the slash
/// that may end it.
#[must_use]
pub fn endpoint(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // An `http` address always has a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// A program to run, without a shell.
#[derive(Debug, Clone)]
pub struct ExecRequest {
    /// The program and its arguments; not empty.
    pub argv: Vec<String>,
    /// Its environment, and nothing else of ours.
    pub env: Vec<(String, String)>,
    /// Its standard input.
    pub stdin: String,
    /// After this time its process group is killed; the time of the attempt limits it as well.
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, Clone)]
pub enum Answer {
    /// An HTTP response.
    Http(HttpAnswer),
    /// A program has ended.
    Exec(ExecAnswer),
    /// What a mail server said.
    Mail(MailAnswer),
    /// What a NATS server said.
    Nats(NatsAnswer),
    /// What a broker of MQTT said.
    Mqtt(MqttAnswer),
    /// What a broker of Kafka said.
    Kafka(KafkaAnswer),
}

impl Answer {
    /// Judges an HTTP response; any other answer is [`Verdict::unexpected`].
    #[must_use]
    pub fn http(&self, judge: impl FnOnce(&HttpAnswer) -> Verdict) -> Verdict {
        match self {
            Self::Http(answer) => judge(answer),
            _ => Verdict::unexpected(),
        }
    }
}

/// An HTTP response.
#[derive(Debug, Clone, Default)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Its header fields with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The first 64 KiB of its body, lossily decoded.
    pub body: String,
}

impl HttpAnswer {
    /// Returns the value of a header field; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON, or null.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Returns a text or number of a JSON body as text; `pointer` as in RFC 6901: `/error`.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<String> {
        match self.json().pointer(pointer)? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Returns whether a value of a JSON body is `true`.
    #[must_use]
    pub fn flag(&self, pointer: &str) -> bool {
        self.json().pointer(pointer) == Some(&serde_json::Value::Bool(true))
    }
}

/// How a program ended.
#[derive(Debug, Clone)]
pub struct ExecAnswer {
    /// Its exit status; `None`: killed by a signal or after its timeout.
    pub code: Option<i32>,
    /// The last part of what it printed, at most 64 KiB.
    pub output: String,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The service has accepted the step.
    Delivered {
        /// The id the service gave the message, if later messages need it.
        reference: Option<String>,
    },
    /// Not now: the same again later.
    Retry {
        /// No attempt before this time has passed.
        after: Option<Duration>,
        /// Why, without secrets.
        reason: String,
    },
    /// This message is refused as it is: it is tried once more as short plain text
    /// ([`super::Form::Plain`]), then it is dead.
    Refused {
        /// Why, without secrets.
        reason: String,
    },
    /// The channel itself does not work: credentials, address, permission. Its messages wait.
    Broken {
        /// Why, without secrets.
        reason: String,
    },
    /// The message that was to be edited or answered is gone: post a new one.
    Gone,
    /// The service has accepted the message for some of its recipients.
    Partly {
        /// For those that may accept it later.
        again: Option<Rest>,
        /// For those that never will.
        never: Option<Rest>,
    },
    /// This message alone is not accepted now; the channel works.
    Later {
        /// Why, without secrets.
        reason: String,
    },
}

/// A message for the recipients that were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The message.
    pub step: Step,
    /// Who they are and why, without secrets.
    pub reason: String,
}

impl Verdict {
    /// An answer that is not one to the channel's requests, which no caller passes.
    #[must_use]
    pub fn unexpected() -> Self {
        Self::Refused { reason: "an answer of another kind of service".to_owned() }
    }

    /// The step was accepted and nothing has to be remembered.
    #[must_use]
    pub const fn delivered() -> Self {
        Self::Delivered { reference: None }
    }
}

/// Longest quoted part of an answer, in bytes.
const QUOTED: usize = 200;

/// Judges an HTTP response by its status alone: 2xx is delivered, 408, 425, 429 and 5xx (except 501)
/// are retried, 401, 403, 404, 405, 410 and redirects mean that the channel is broken, and anything
/// else refuses the message.
///
/// A channel whose service says more in the body looks there first.
#[must_use]
pub fn judge_http(answer: &HttpAnswer) -> Verdict {
    let reason = describe(answer);
    match answer.status {
        200..=299 => Verdict::delivered(),
        408 | 425 | 429 | 500 | 502..=599 => Verdict::Retry { after: retry_after(answer), reason },
        300..=399 | 401 | 403 | 404 | 405 | 407 | 410 => Verdict::Broken { reason },
        _ => Verdict::Refused { reason },
    }
}

/// Judges a response of a service that confirms each message in the body: 2xx without `proof` comes
/// from something else, such as a proxy's login page, and means that the channel is broken.
#[must_use]
pub fn judge_proof(answer: &HttpAnswer, service: &str, proof: Option<Verdict>) -> Verdict {
    match proof {
        _ if !(200..=299).contains(&answer.status) => judge_http(answer),
        Some(verdict) => verdict,
        None => {
            Verdict::Broken { reason: format!("not an answer of {service}: {}", describe(answer)) }
        }
    }
}

/// Describes a response for a person: `HTTP 400: invalid_blocks`.
#[must_use]
pub fn describe(answer: &HttpAnswer) -> String {
    let body = statuswatch_model::text::one_line(&answer.body, QUOTED);
    if body.is_empty() {
        format!("HTTP {}", answer.status)
    } else {
        format!("HTTP {}: {body}", answer.status)
    }
}

/// Reads `Retry-After` in seconds, whole or with a fraction, and at most a day. A date is not read:
/// no service of [`super::CHANNELS`] sends one.
#[must_use]
pub fn retry_after(answer: &HttpAnswer) -> Option<Duration> {
    answer.header("retry-after").and_then(seconds)
}

/// Reads a number of seconds from a header or body, at most a day.
#[must_use]
pub fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)))
}
