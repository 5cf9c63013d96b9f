//! A webhook: the event as JSON, signed as [Standard Webhooks] describes.
//!
//! `webhook-id` is the idempotency key; `webhook-timestamp` and `webhook-signature` are those of the
//! attempt. Receivers should drop what they have seen and refuse what is old.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use url::Url;

use super::event_json::event_json;
use super::{Audience, Channel, Form, Limits, Spec};
use crate::exchange::{Answer, HttpRequest, Request, Sending, Step, Verdict, judge_http};
use crate::notification::Notification;
use crate::values::{Key, Secret, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "webhook",
    name: "Webhook",
    audience: Audience::Machine,
    keys: &[
        Key::required("url", Shape::SecretUrl, "The address that receives a POST request."),
        Key::optional(
            "secret",
            Shape::Secret,
            "Signs each request: \"whsec_\" and 24 to 64 bytes in Base64. Several, separated by \
             spaces, sign each request with each of them while one is being replaced.",
        ),
        Key::optional("headers", Shape::Map, "Further header fields, such as an API key."),
    ],
    build,
};

/// What starts a secret.
const PREFIX: &str = "whsec_";

#[derive(Debug)]
struct Webhook {
    url: Secret<Url>,
    secrets: Vec<Secret<Vec<u8>>>,
    headers: Vec<(String, Secret<String>)>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let secrets = match values.secret("secret") {
        None => Vec::new(),
        Some(secrets) => {
            secrets.expose().split_whitespace().map(secret).collect::<Result<_, _>>()?
        }
    };
    for (name, value) in values.map("headers") {
        let valid = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !valid {
            return Err(ValueError::at(
                "headers",
                format!("\"{name}\" and its value must be a header field in ASCII"),
            ));
        }
    }
    Ok(Box::new(Webhook {
        url: Secret::new(values.need_url("url")?.clone()),
        secrets,
        headers: values
            .map("headers")
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), Secret::new(value.clone())))
            .collect(),
    }))
}

fn secret(text: &str) -> Result<Secret<Vec<u8>>, ValueError> {
    let key = text.strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
    match key {
        Some(key) if (24..=64).contains(&key.len()) => Ok(Secret::new(key)),
        _ => Err(ValueError::at(
            "secret",
            "it must be \"whsec_\" followed by 24 to 64 bytes in Base64, as \"echo whsec_$(openssl \
             rand -base64 32)\" prints",
        )),
    }
}

impl Channel for Webhook {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        if let Some(json) = &notification.custom.json {
            return vec![Step::new("post", json.clone())];
        }
        vec![Step::json("post", &event_json(notification, form))]
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        let mut request = HttpRequest::post_json(self.url.expose().clone(), step.body.clone());
        let timestamp = sending.now.timestamp().to_string();
        request = request
            .header("webhook-id", sending.delivery_id)
            .header("webhook-timestamp", timestamp.clone());
        if !self.secrets.is_empty() {
            let content = format!("{}.{timestamp}.{}", sending.delivery_id, step.body);
            let signatures: Vec<String> =
                self.secrets.iter().map(|secret| sign(secret.expose(), &content)).collect();
            request = request.header("webhook-signature", signatures.join(" "));
        }
        request.extra.clone_from(&self.headers);
        Request::Http(request)
    }

    fn judge(&self, _: &Step, answer: &Answer) -> Verdict {
        answer.http(judge_http)
    }

    fn limits(&self) -> Limits {
        Limits { pace: None, in_flight: 8 }
    }

    fn takes_json(&self) -> bool {
        true
    }
}

/// Returns `v1,` and the Base64 of the HMAC-SHA256.
fn sign(key: &[u8], content: &str) -> String {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(content.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification's reference implementations.
    #[test]
    fn signs_like_the_specification() {
        let key = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let content = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        assert_eq!(sign(key.expose(), content), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_weak_secret_is_refused() {
        assert!(secret("hunter2").is_err());
        assert!(secret("whsec_c2hvcnQ=").is_err());
    }
}
