//! Signal: a number or groups, by a signal-cli-rest-api of one's own
//! (<https://bbernhard.github.io/signal-cli-rest-api/>). It can neither thread nor edit.
//!
//! Limits: Signal shows 2,000 bytes of a message and attaches the rest, so that is the limit here.
//! Formats are read with `text_mode: styled` alone, which a server may have as its default; mentions
//! would need a list of their own.

use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, HttpAnswer, HttpRequest, Request, Sending, Step, Verdict, describe, endpoint,
    judge_proof, retry_after,
};
use crate::notification::Notification;
use crate::text::{Layout, Style, Unit};
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "signal",
    name: "Signal",
    audience: Audience::Chat,
    keys: &[
        Key::required("server", Shape::Url, "The address of a signal-cli-rest-api."),
        Key::required("number", Shape::Text, "The number that sends, such as +4915112345678."),
        Key::required(
            "recipients",
            Shape::List,
            "Numbers, and ids of groups (\"group....\"); one group is best, because a message to \
             several recipients is sent again to all if one of them fails.",
        ),
        Key::optional("token", Shape::Secret, "A bearer token for a proxy before the server."),
    ],
    build,
};

/// Most bytes of a message.
const TEXT: usize = 2_000;

#[derive(Debug)]
struct Signal {
    server: Url,
    number: Secret<String>,
    recipients: Secret<Vec<String>>,
    token: Option<Secret<String>>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let number = values.need_text("number")?;
    let digits = number.strip_prefix('+').unwrap_or_default();
    if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ValueError::at("number", "it must be \"+\", the country code and the number"));
    }
    let recipients = values.list("recipients");
    if recipients.is_empty() || recipients.iter().any(String::is_empty) {
        return Err(ValueError::at("recipients", "give at least one number or group"));
    }
    Ok(Box::new(Signal {
        server: values.need_url("server")?.clone(),
        number: Secret::new(number.to_owned()),
        recipients: Secret::new(recipients.to_vec()),
        token: values.secret("token").cloned(),
    }))
}

impl Channel for Signal {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let layout = Layout::new(notification);
        let text = match form {
            Form::Plain => layout.short(),
            Form::Rich => Style::PLAIN.whole(&layout, TEXT, Unit::Bytes),
        };
        vec![Step::json("post", &json!({ "message": text, "text_mode": "normal" }))]
    }

    fn request(&self, step: &Step, _: &Sending<'_>) -> Request {
        let mut message: Value = serde_json::from_str(&step.body).unwrap_or_default();
        if let Some(message) = message.as_object_mut() {
            message.insert("number".to_owned(), json!(self.number.expose()));
            message.insert("recipients".to_owned(), json!(self.recipients.expose()));
        }
        let url = endpoint(&self.server, &["v2", "send"]);
        let request = HttpRequest::post_json(url, message.to_string());
        Request::Http(match &self.token {
            Some(token) => request.authorization("Bearer", token),
            None => request,
        })
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge)
    }

    fn limits(&self) -> Limits {
        // signal-cli sends one after the other.
        Limits { pace: Some(Pace { every: Duration::from_secs(2), burst: 3 }), in_flight: 1 }
    }
}

/// Judges an answer. Every error of signal-cli is a 400 with its text
/// (bbernhard/signal-cli-rest-api#56, #679, #692); a number that Signal limits is a 429.
fn judge(answer: &HttpAnswer) -> Verdict {
    let reason = describe(answer);
    let error = answer.text("/error").unwrap_or_default().to_ascii_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| error.contains(part));
    if answer.status == 400 && says(&["rate limit", "ratelimit"]) {
        let after = retry_after(answer).or(Some(Duration::from_mins(10)));
        return Verdict::Retry { after, reason };
    }
    // Somebody has to trust an identity, register a number or correct the configuration.
    if answer.status == 400
        && says(&["untrusted identit", "not registered", "unregistered", "invalid group"])
    {
        return Verdict::Broken { reason };
    }
    // Network and internal errors of signal-cli.
    if answer.status == 400 && says(&["timeout", "timed out", "connection", "network", "closed"]) {
        return Verdict::Retry { after: None, reason };
    }
    let proof = answer.text("/timestamp").map(|_| Verdict::delivered());
    judge_proof(answer, "signal-cli-rest-api", proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::checks::{hides, http, json, judges, show, steps};
    use crate::channel::corpus::{complete, walk};
    use crate::notification::{Phase, Reference};

    fn values() -> Values {
        Values::default()
            .with_text("number", "+4915112345678")
            .with("recipients", crate::values::Value::List(vec!["group.SECRET=".into()]))
            .with_url("server", "http://signal.example:8080")
            .unwrap()
    }

    fn channel() -> Box<dyn Channel> {
        build(&values()).unwrap()
    }

    #[test]
    fn fits_and_is_plain_text() {
        walk(&*channel(), &Reference::default(), |step, _| {
            let message = json(step);
            assert!((1..=2_000).contains(&message["message"].as_str().unwrap().len()));
            assert_eq!(message["text_mode"], "normal");
            assert!(message.get("mentions").is_none());
        });
        hides(&*channel(), "", &["SECRET", "4915112345678"]);
    }

    #[test]
    fn what_it_looks_like() {
        let first = steps(&*channel(), Phase::Open, None, Form::Rich);
        insta::assert_snapshot!(show(&*channel(), &first), @r#"
        post: POST http://signal.example:8080/v2/send
        {
          "message": "🟠 Acme Cloud: High errors with parcel labels\nIdentified (major)\nWe have found the cause.\n\nA fix is being rolled out.\nComponents: Labels, Label Printing\nStatus: Investigating → Identified\nhttps://status.acme.example/incidents/01ABC",
          "text_mode": "normal"
        }
        "#);
        let request = complete(&*channel(), &first[0]);
        let body: Value = serde_json::from_str(http(&request).body.expose()).unwrap();
        assert_eq!(body["number"], "+4915112345678");
        assert_eq!(body["recipients"], json!(["group.SECRET="]));
    }

    #[test]
    fn errors_are_distinguished_by_their_text() {
        let error = |text| format!(r#"{{"error":"{text}"}}"#);
        let untrusted = error("Failed to send message due to untrusted identities");
        judges(
            &*channel(),
            &[
                ("post", 201, r#"{"timestamp":"1721686852997"}"#, "delivered"),
                ("post", 200, "<html>", "broken"),
                ("post", 400, &untrusted, "broken"),
                ("post", 400, &error("User +49 is not registered."), "broken"),
                (
                    "post",
                    400,
                    &error("Failed to send message due to rate limiting"),
                    "retry after 600s",
                ),
                ("post", 400, &error("Connection closed unexpectedly"), "retry"),
                ("post", 400, &error("Failed to send message"), "refused"),
                ("post", 401, "", "broken"),
                ("post", 429, "", "retry"),
                ("post", 500, "", "retry"),
            ],
        );
    }

    #[test]
    fn numbers_are_checked() {
        assert!(build(&values().with_text("number", "0151 1234")).is_err());
        let nobody = values().with("recipients", crate::values::Value::List(Vec::new()));
        assert_eq!(build(&nobody).unwrap_err().key, Some("recipients"));
    }
}
