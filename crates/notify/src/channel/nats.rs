//! NATS: publishes the event as JSON to a stream of JetStream, which stores it before it answers.
//!
//! `Nats-Msg-Id` is the idempotency key: the stream drops a repetition within its duplicate window,
//! 2 minutes unless it is configured otherwise
//! (<https://docs.nats.io/using-nats/developer/develop_jetstream/model_deep_dive#message-deduplication>).

use super::event_json::event_json;
use super::server::{self, PASSWORD, Scheme, USER, login, protect};
use super::topic::Topic;
use super::{Audience, Channel, Form, Limits, Spec};
use crate::exchange::{
    Answer, NatsAnswer, NatsAuth, NatsRequest, Request, Security, Sending, Step, Verdict,
};
use crate::notification::Notification;
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "nats",
    name: "NATS JetStream",
    audience: Audience::Machine,
    keys: &[
        Key::required("server", Shape::Text, "\"nats://HOST:4222\", or \"tls://HOST:4222\"."),
        Key::optional(
            "subject",
            Shape::Text,
            "The subject, \"statuswatch.{provider}.{kind}\" by default; also {status}, {impact}, \
             {phase} and {thread}.",
        ),
        Key::optional("token", Shape::Secret, "The server's token."),
        USER,
        PASSWORD,
        Key::optional("creds", Shape::Secret, "The content of a user's \".creds\" file."),
        Key::optional(
            "tls",
            Shape::Word(&["none"]),
            "\"none\" sends a token or password without TLS to another machine.",
        ),
    ],
    build,
};

/// The default of `subject`.
const SUBJECT: &str = "statuswatch.{provider}.{kind}";
/// NATS begins TLS after the server's first line.
const SCHEMES: &[Scheme] = &[("nats", 4222, Security::None), ("tls", 4222, Security::StartTls)];

#[derive(Debug)]
struct Nats {
    server: crate::exchange::Server,
    auth: NatsAuth,
    subject: Topic,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let server = server::server(values, "server", SCHEMES)?;
    let given = ["token", "user", "creds"].iter().filter(|key| values.has(key)).count();
    if given > 1 {
        return Err(ValueError::new("give one of \"token\", \"user\" and \"creds\""));
    }
    let auth = if let Some(token) = values.secret("token") {
        NatsAuth::Token(token.clone())
    } else if let Some(creds) = values.secret("creds") {
        credentials(creds.expose())?
    } else {
        login(values)?.map_or(NatsAuth::None, NatsAuth::Login)
    };
    // The seed of `creds` never leaves this machine.
    let has_secret = matches!(auth, NatsAuth::Token(_) | NatsAuth::Login(_));
    protect(values, "server", &server, has_secret, "tls://")?;
    let subject = Topic::parse(values.text("subject").unwrap_or(SUBJECT))
        .map_err(|message| ValueError::at("subject", message))?;
    let example = subject.example();
    let is_token = |token: &str| {
        !token.is_empty()
            && !token.contains(|c: char| c.is_whitespace() || c.is_control() || "*>".contains(c))
    };
    if !example.split('.').all(is_token) || example.starts_with('$') || example.len() > 500 {
        return Err(ValueError::at(
            "subject",
            "it must be words separated by dots, without spaces and wildcards",
        ));
    }
    Ok(Box::new(Nats { server, auth, subject }))
}

/// Reads a `.creds` file: a token and a seed, each between two lines of dashes.
fn credentials(text: &str) -> Result<NatsAuth, ValueError> {
    let wrong = |what: &str| ValueError::at("creds", format!("it holds no {what}"));
    let section = |name: &str| {
        let (_, rest) = text.split_once(&format!("BEGIN {name}"))?;
        let line = rest.lines().skip(1).map(str::trim).find(|line| !line.is_empty())?;
        (!line.starts_with('-')).then_some(line)
    };
    let jwt = section("NATS USER JWT").ok_or_else(|| wrong("\"NATS USER JWT\""))?;
    let seed = section("USER NKEY SEED").and_then(seed);
    let seed = seed.ok_or_else(|| wrong("valid \"USER NKEY SEED\""))?;
    Ok(NatsAuth::Creds { jwt: Secret::new(jwt.to_owned()), seed: Secret::new(seed) })
}

/// Reads the seed of a user's key (`SU...`): in Base32 two bytes of type, the seed of 32 bytes, and
/// CRC-16/XMODEM, low byte first
/// (<https://github.com/nats-io/nkeys/blob/main/strkey.go>).
fn seed(text: &str) -> Option<[u8; 32]> {
    let bytes = base32(text)?;
    let (body, checksum) = bytes.split_at_checked(34)?;
    if checksum != crc16(body).to_le_bytes() {
        return None;
    }
    let (kind, seed) = body.split_at_checked(2)?;
    // `S` in the upper five bits, `U` in the next eight.
    let (seeds, users) = (18 << 3, 20 << 3);
    let is_user = matches!(kind, [first, second]
        if first & 0xf8 == seeds && (first & 7) << 5 | second >> 3 == users);
    is_user.then(|| seed.try_into().ok())?
}

/// Decodes Base32 of RFC 4648 without padding.
fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for c in text.bytes() {
        let five = match c {
            b'A'..=b'Z' => c - b'A',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(five);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

impl Channel for Nats {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let op = format!("publish:{}", self.subject.of(notification));
        vec![Step::json(op, &event_json(notification, form))]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        Request::Nats(NatsRequest {
            server: self.server.clone(),
            auth: self.auth.clone(),
            subject: step.op.strip_prefix("publish:").unwrap_or_default().to_owned(),
            message_id: sending.delivery_id.to_owned(),
            payload: step.body.clone(),
        })
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Nats(answer) => judge(answer),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }
}

fn judge(answer: &NatsAnswer) -> Verdict {
    let reason = |text: &str| statuswatch_model::text::one_line(text, 200);
    match answer {
        NatsAnswer::Ack(json) => {
            let ack: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
            let number = |place| ack.pointer(place).and_then(serde_json::Value::as_u64);
            let text = |place| ack.pointer(place).and_then(serde_json::Value::as_str);
            match number("/error/code") {
                // The request itself is wrong; anything else is the state of the cluster.
                Some(code) => {
                    let description = text("/error/description").unwrap_or_default();
                    let reason = reason(&format!("JetStream error {code}: {description}"));
                    if code == 400 {
                        Verdict::Refused { reason }
                    } else {
                        Verdict::Retry { after: None, reason }
                    }
                }
                None if text("/stream").is_some() && number("/seq").is_some() => {
                    Verdict::delivered()
                }
                None => Verdict::Broken {
                    reason: "something other than JetStream answers on this subject".to_owned(),
                },
            }
        }
        NatsAnswer::NoStream => {
            Verdict::Broken { reason: "no stream of JetStream stores this subject".to_owned() }
        }
        NatsAnswer::TooLarge(most) => Verdict::Refused {
            reason: format!("the message is larger than the server's limit of {most} bytes"),
        },
        NatsAnswer::Error(text) => {
            let lower = text.to_ascii_lowercase();
            let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
            let reason = reason(text);
            if says(&["authorization", "authentication", "permissions", "revoked", "too old"]) {
                Verdict::Broken { reason }
            } else if says(&["maximum payload", "invalid subject"]) {
                Verdict::Refused { reason }
            } else {
                Verdict::Retry { after: None, reason }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::corpus::{complete, rendered, walk};
    use crate::notification::{Phase, Reference};

    fn values() -> Values {
        Values::default().with_text("server", "tls://nats.example")
    }

    #[test]
    fn no_text_of_a_provider_reaches_the_subject() {
        let channel = build(&values().with_secret("token", "s3cr3t")).unwrap();
        walk(&*channel, &Reference::default(), |_, request| {
            let Request::Nats(request) = request else { panic!() };
            let kind = request.subject.strip_prefix("statuswatch.acme.").unwrap();
            assert!(kind.bytes().all(|byte| byte.is_ascii_lowercase()), "{kind}");
            assert!(!format!("{request:?}").contains("s3cr3t"));
            assert!(request.payload.len() < 1_000_000);
        });
    }

    #[test]
    fn what_is_published() {
        let channel = build(&values()).unwrap();
        let step = rendered(&*channel, Phase::Update).remove(0);
        let Request::Nats(request) = complete(&*channel, &step) else { panic!() };
        assert_eq!(request.subject, "statuswatch.acme.incident");
        assert_eq!(request.message_id, "0123456789abcdef0123456789abcdef");
        assert!(request.payload.contains(r#""phase":"update""#));
    }

    #[test]
    fn mistakes_are_found() {
        let error = |values: Values| build(&values).unwrap_err().to_string();
        for subject in ["", "a..b", "a b", "a.*", "a.>", "$JS.API.x", "{provder}"] {
            error(values().with_text("subject", subject));
        }
        let plain = || Values::default().with_text("server", "nats://nats.example");
        assert!(error(plain().with_secret("token", "t")).contains("tls: none"));
        build(&plain().with_secret("token", "t").with_text("tls", "none")).unwrap();
        build(&plain()).unwrap();
        build(&Values::default().with_text("server", "nats://127.0.0.1").with_secret("token", "t"))
            .unwrap();
        error(values().with_secret("token", "t").with_text("user", "u"));
        error(values().with_text("user", "u"));
    }

    /// The seed is the one of the documentation of NATS.
    #[test]
    fn reads_credentials() {
        let seed = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU";
        let creds = format!(
            "-----BEGIN NATS USER JWT-----\neyJ0eXAi.x.y\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let NatsAuth::Creds { jwt, .. } = credentials(&creds).unwrap() else { panic!() };
        assert_eq!(jwt.expose(), "eyJ0eXAi.x.y");
        // A wrong character, an account's seed, a public key.
        for wrong in
            [seed.replace("MLK", "MLL"), seed.replacen("SU", "SA", 1), seed.replacen('S', "U", 1)]
        {
            let error = credentials(&creds.replace(seed, &wrong)).unwrap_err().to_string();
            assert!(!error.contains(&wrong), "{error}");
        }
        assert!(credentials("eyJ0eXAi").is_err());
    }

    #[test]
    fn an_acknowledgment_is_one_of_jetstream() {
        let ack = |json: &str| judge(&NatsAnswer::Ack(json.to_owned()));
        assert_eq!(ack(r#"{"stream":"S","seq":7}"#), Verdict::delivered());
        assert_eq!(ack(r#"{"stream":"S","seq":7,"duplicate":true}"#), Verdict::delivered());
        assert!(matches!(ack("ok"), Verdict::Broken { .. }));
        let full = r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}"#;
        assert!(matches!(ack(full), Verdict::Retry { reason, .. } if reason.ends_with("exceeded")));
        let said = |text: &str| judge(&NatsAnswer::Error(text.to_owned()));
        assert!(matches!(said("Authorization Violation"), Verdict::Broken { .. }));
        assert!(matches!(said("Maximum Connections Exceeded"), Verdict::Retry { .. }));
        assert!(matches!(judge(&NatsAnswer::TooLarge(1)), Verdict::Refused { .. }));
    }
}
