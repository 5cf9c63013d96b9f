//! Keeps the secrets of a channel out of what it says about an answer: some servers repeat the path
//! of a request in an error (`Cannot POST /hooks/...`).

use std::time::Duration;

use super::{Channel, Form, Limits, Spec};
use crate::exchange::{Answer, Request, Rest, Sending, Step, Verdict};
use crate::notification::Notification;
use crate::values::{Secret, ValueError, Values};

/// Shorter parts of an address are words (`webhooks`) rather than secrets.
const SHORTEST: usize = 9;

impl Spec {
    /// Builds the channel from checked values. The reasons of its verdicts show none of its secrets.
    ///
    /// # Errors
    ///
    /// Returns an error if the values do not fit together.
    pub fn channel(&self, values: &Values) -> Result<Box<dyn Channel>, ValueError> {
        let channel = (self.build)(values)?;
        let mut secrets = Vec::new();
        for key in self.keys.iter().filter(|key| key.shape.is_secret()) {
            if let Some(secret) = values.secret(key.name) {
                secrets.push(secret.clone());
            }
            if let Some(url) = values.url(key.name) {
                let parts =
                    url.path().split('/').chain(url.query().unwrap_or("").split(['&', '=']));
                let parts = parts.filter(|part| part.len() >= SHORTEST);
                secrets.extend(parts.map(|part| Secret::new(part.to_owned())));
            }
        }
        Ok(Box::new(Redacted { channel, secrets }))
    }
}

#[derive(Debug)]
struct Redacted {
    channel: Box<dyn Channel>,
    secrets: Vec<Secret<String>>,
}

impl Redacted {
    fn clean(&self, mut reason: String) -> String {
        for secret in self.secrets.iter().map(Secret::expose).filter(|secret| !secret.is_empty()) {
            reason = reason.replace(secret, "***");
            // A quote may end within a secret.
            let tail = reason.trim_end_matches('…');
            let starts = (4..secret.len()).rev().filter_map(|end| secret.get(..end));
            let cut = starts.into_iter().find_map(|start| tail.strip_suffix(start));
            if let Some(kept) = cut {
                reason = format!("{kept}***");
            }
        }
        reason
    }
}

impl Channel for Redacted {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        self.channel.render(notification, form)
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        self.channel.request(step, sending)
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match self.channel.judge(step, answer) {
            Verdict::Retry { after, reason } => {
                Verdict::Retry { after, reason: self.clean(reason) }
            }
            Verdict::Refused { reason } => Verdict::Refused { reason: self.clean(reason) },
            Verdict::Broken { reason } => Verdict::Broken { reason: self.clean(reason) },
            Verdict::Later { reason } => Verdict::Later { reason: self.clean(reason) },
            Verdict::Partly { again, never } => {
                let clean = |rest: Rest| Rest { reason: self.clean(rest.reason), ..rest };
                Verdict::Partly { again: again.map(clean), never: never.map(clean) }
            }
            verdict @ (Verdict::Delivered { .. } | Verdict::Gone) => verdict,
        }
    }

    fn limits(&self) -> Limits {
        self.channel.limits()
    }

    fn takes_json(&self) -> bool {
        self.channel.takes_json()
    }

    fn redact(&self, text: &str) -> String {
        self.clean(text.to_owned())
    }

    fn repeat(&self) -> Option<Duration> {
        self.channel.repeat()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{by_kind, corpus};
    use super::*;

    #[test]
    fn a_channel_is_what_it_is_without() {
        let values = Values::default().with_url("url", "https://hook.example/").unwrap();
        assert!(by_kind("webhook").unwrap().channel(&values).unwrap().takes_json());
        let alertmanager = by_kind("alertmanager").unwrap().channel(&values).unwrap();
        assert_eq!(alertmanager.repeat(), Some(Duration::from_mins(1)));
    }

    #[test]
    fn an_answer_that_repeats_the_address_reports_nothing() {
        let url = "https://rocket.example/hooks/65f1c0ffee/SECRETSECRET?token=TOKENTOKEN";
        let values = Values::default().with_url("webhook_url", url).unwrap();
        let channel = by_kind("rocketchat").unwrap().channel(&values).unwrap();
        let body = "Cannot POST /hooks/65f1c0ffee/SECRETSECRET?token=TOKENTOKEN";
        let Verdict::Broken { reason } = corpus::judged(&*channel, "post", 404, body) else {
            panic!("not broken");
        };
        assert_eq!(reason, "HTTP 404: Cannot POST /hooks/***/***?token=***");
        let long = format!("{}{body}", "x".repeat(160));
        let Verdict::Broken { reason } = corpus::judged(&*channel, "post", 404, &long) else {
            panic!("not broken");
        };
        assert!(reason.ends_with("/hooks/***/***"), "{reason}");
        let values = Values::default().with_secret("topic", "mine").with_secret("token", "");
        let channel = by_kind("ntfy").unwrap().channel(&values).unwrap();
        let Verdict::Refused { reason } = corpus::judged(&*channel, "post", 400, "topic mine")
        else {
            panic!("not refused");
        };
        assert_eq!(reason, "HTTP 400: topic ***");
    }
}
