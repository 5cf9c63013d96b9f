//! Mail: plain text and HTML, one thread per incident.
//!
//! `Message-ID` is the idempotency key, so that a repetition is recognized by servers and readers.
//! Every message of an incident refers to the same root, which nobody has sent: readers put them
//! together without any state on our side. Gmail also wants the same subject, so the subject holds
//! the title alone and the status stands in the first line of the text.

mod html;

use std::time::SystemTime;

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use serde::{Deserialize, Serialize};
use statuswatch_model::text::one_line;

use super::server::{self, PASSWORD, Scheme, USER, login};
use super::{Audience, Channel, Form, Limits, Pace, Spec};
use crate::exchange::{
    Answer, Login, MailAnswer, MailRequest, MailStage, RefusedRecipient, Request, Rest, Security,
    Sending, Server, Step, Verdict,
};
use crate::notification::Notification;
use crate::text::{Layout, Unit, fit};
use crate::values::{Key, Shape, ValueError, Values};

/// Describes the kind.
pub(super) const SPEC: Spec = Spec {
    kind: "email",
    name: "Email",
    audience: Audience::Chat,
    keys: &[
        Key::required(
            "smtp",
            Shape::Text,
            "The mail server: \"smtps://HOST:465\", or \"smtp://HOST:587\", where STARTTLS is \
             required unless HOST is this machine.",
        ),
        USER,
        PASSWORD,
        Key::required("from", Shape::Text, "The sender: an address, or \"NAME <ADDRESS>\"."),
        Key::required("to", Shape::List, "The recipients."),
        Key::optional("cc", Shape::List, "Further recipients."),
        Key::optional(
            "tls",
            Shape::Word(&["starttls", "none"]),
            "\"none\" sends mail without TLS, and then without a login; \"starttls\" requires TLS on \
             this machine as well.",
        ),
    ],
    build,
};

/// Longest subject, in characters.
const SUBJECT: usize = 140;
/// Longest text of an event, in characters: mail readers cut a message of more than 100 kB.
const BODY: usize = 20_000;
/// Longest text of a message that is sent again in plain form.
const PLAIN_BODY: usize = 2_000;
/// Most recipients; servers accept 100 (RFC 5321, section 4.5.3.1.8).
const RECIPIENTS: usize = 100;
const SCHEMES: &[Scheme] = &[("smtps", 465, Security::Tls), ("smtp", 587, Security::StartTls)];

#[derive(Debug)]
struct Email {
    server: Server,
    login: Option<Login>,
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
}

/// A rendered message, without addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Content {
    subject: String,
    thread: String,
    text: String,
    html: Option<String>,
    /// The only recipients of this copy, after others accepted it; empty: all of the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    only: Vec<String>,
}

fn build(values: &Values) -> Result<Box<dyn Channel>, ValueError> {
    let mut server = server::server(values, "smtp", SCHEMES)?;
    let login = login(values)?;
    match values.text("tls") {
        Some("none") if server.security == Security::Tls => {
            return Err(ValueError::at("tls", "\"smtps:\" is TLS: write \"smtp:\" instead"));
        }
        Some("none") if login.is_some() => {
            return Err(ValueError::at("tls", "a login is never sent without TLS"));
        }
        Some("none") => server.security = Security::None,
        // A relay on this machine has no certificate for "localhost".
        None if server.is_loopback()
            && server.security == Security::StartTls
            && login.is_none() =>
        {
            server.security = Security::None;
        }
        _ => {}
    }
    let from = mailbox("from", values.need_text("from")?)?;
    let list =
        |key| values.list(key).iter().map(|text| mailbox(key, text)).collect::<Result<Vec<_>, _>>();
    let to = list("to")?;
    let cc = list("cc")?;
    if to.is_empty() {
        return Err(ValueError::at("to", "it must name at least one recipient"));
    }
    if to.len() + cc.len() > RECIPIENTS {
        return Err(ValueError::at("to", format!("more than {RECIPIENTS} recipients")));
    }
    Ok(Box::new(Email { server, login, from, to, cc }))
}

fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, ValueError> {
    let wrong = || {
        let text = one_line(text, 100);
        ValueError::at(key, format!("\"{text}\" is neither an address nor \"NAME <ADDRESS>\""))
    };
    if text.contains(char::is_control) {
        return Err(wrong());
    }
    let mailbox: Mailbox = text.trim().parse().map_err(|_| wrong())?;
    let address = mailbox.email.to_string();
    // Servers need not accept others (RFC 6531), and quoted ones are not worth the risk.
    if !address.is_ascii() || address.contains(['"', ' ', '<', '>', '[']) {
        return Err(ValueError::at(
            key,
            format!("\"{address}\" must be ASCII; write a domain in its \"xn--\" form"),
        ));
    }
    Ok(mailbox)
}

impl Channel for Email {
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step> {
        let mut layout = Layout::new(notification);
        let most = if form == Form::Plain { PLAIN_BODY } else { BODY };
        layout.body = fit(&layout.body, most, Unit::Chars).into_owned();
        let facts = layout.facts.iter().map(|(name, value)| format!("{name}: {value}"));
        let last: Vec<String> = facts.chain(layout.remarks.iter().cloned()).collect();
        let last = last.join("\n");
        let url = layout.url.as_deref().unwrap_or_default();
        let parts = [&*layout.title, &*layout.status, &*layout.body, &*last, url];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let content = Content {
            subject: fit(&layout.title, SUBJECT, Unit::Chars).into_owned(),
            thread: notification.thread.to_owned(),
            text: format!("{}\n", parts.join("\n\n")),
            html: (form == Form::Rich).then(|| html::page(&layout, notification)),
            only: Vec::new(),
        };
        // It holds strings alone, which always become JSON.
        serde_json::to_string(&content).map(|body| Step::new("mail", body)).into_iter().collect()
    }

    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request {
        let mut content = serde_json::from_str(&step.body).unwrap_or_else(|_| Content {
            subject: String::new(),
            thread: String::new(),
            text: step.body.clone(),
            html: None,
            only: Vec::new(),
        });
        let mut recipients = std::mem::take(&mut content.only);
        if recipients.is_empty() {
            let everybody = self.to.iter().chain(&self.cc);
            recipients = everybody.map(|mailbox| mailbox.email.to_string()).collect();
        }
        Request::Mail(MailRequest {
            server: self.server.clone(),
            login: self.login.clone(),
            from: self.from.email.to_string(),
            recipients,
            message: self.message(content, sending),
        })
    }

    fn judge(&self, step: &Step, answer: &Answer) -> Verdict {
        match answer {
            Answer::Mail(answer) => judge_recipients(step, answer).unwrap_or_else(|| judge(answer)),
            _ => Verdict::unexpected(),
        }
    }

    fn limits(&self) -> Limits {
        let pace = Pace { every: std::time::Duration::from_secs(1), burst: 10 };
        Limits { pace: Some(pace), in_flight: 2 }
    }
}

impl Email {
    /// Returns the complete message of RFC 5322.
    fn message(&self, content: Content, sending: &Sending<'_>) -> String {
        let domain = self.from.email.domain();
        let root = format!("<{}@{domain}>", content.thread);
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .subject(content.subject)
            .date(SystemTime::from(sending.now))
            .message_id(Some(format!("<{}@{domain}>", sending.delivery_id)))
            .in_reply_to(root.clone())
            .references(root)
            .header(AutoSubmitted);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        for cc in &self.cc {
            builder = builder.cc(cc.clone());
        }
        let text = SinglePart::plain(content.text);
        let message = match content.html {
            None => builder.singlepart(text),
            Some(html) => builder.multipart(
                MultiPart::alternative()
                    // Not by chance: a repetition is the same, byte for byte.
                    .boundary(format!("statuswatch-{}", sending.delivery_id))
                    .singlepart(text)
                    .singlepart(SinglePart::html(html)),
            ),
        };
        // A sender and a recipient are there: nothing else is missing in an envelope.
        let bytes = message.map(|message| message.formatted()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Keeps vacation notices and the like away (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Longest list of recipients and reasons, in characters.
const REFUSED: usize = 1_000;

/// Judges what a server says of single recipients; `None`: they are not what decides.
///
/// A copy for recipients that were left out before is about them alone: that they do not accept it
/// says nothing about the channel.
fn judge_recipients(step: &Step, answer: &MailAnswer) -> Option<Verdict> {
    let content: Content = serde_json::from_str(&step.body).ok()?;
    let accepted = answer.stage == MailStage::Message && (200..300).contains(&answer.code);
    let is_copy = !content.only.is_empty() && answer.stage == MailStage::Recipients;
    if answer.refused.is_empty() || !(accepted || is_copy) {
        return None;
    }
    let (never, again): (Vec<_>, Vec<_>) =
        answer.refused.iter().partition(|recipient| recipient.code >= 500);
    if is_copy && never.is_empty() {
        return Some(Verdict::Later { reason: refusal("not accepted yet", &again) });
    }
    let rest = |what: &str, recipients: &[&RefusedRecipient]| {
        let only = recipients.iter().map(|recipient| recipient.address.clone()).collect();
        let body = serde_json::to_string(&Content { only, ..content.clone() }).ok()?;
        let step = Step::new(step.op.clone(), body);
        (!recipients.is_empty()).then(|| Rest { step, reason: refusal(what, recipients) })
    };
    Some(Verdict::Partly {
        again: rest("not accepted yet", &again),
        never: rest("the server refuses recipients", &never),
    })
}

fn refusal(what: &str, recipients: &[&RefusedRecipient]) -> String {
    let each = recipients.iter().map(|recipient| {
        let RefusedRecipient { address, code, text } = recipient;
        one_line(&format!("{address} ({code} {text})"), 250)
    });
    one_line(&format!("{what}: {}", each.collect::<Vec<_>>().join(", ")), REFUSED)
}

/// Judges a reply: a code of 4yz asks for another attempt, one of 5yz about the message refuses it,
/// and one about us, the sender or every recipient means that the channel does not work.
fn judge(answer: &MailAnswer) -> Verdict {
    let at = match answer.stage {
        MailStage::Connect => "the connection",
        MailStage::Login => "the login",
        MailStage::Sender => "the sender",
        MailStage::Recipients => "the recipients",
        MailStage::Message => "the message",
    };
    let reason =
        one_line(&format!("the server refuses {at}: {} {}", answer.code, answer.text), 250);
    match (answer.stage, answer.code) {
        (MailStage::Message, 200..=299) => Verdict::delivered(),
        (_, 400..=499) => Verdict::Retry { after: None, reason },
        (MailStage::Message, _) => Verdict::Refused { reason },
        _ => Verdict::Broken { reason },
    }
}

#[cfg(test)]
mod tests;
