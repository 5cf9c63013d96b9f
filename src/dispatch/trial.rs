//! One message sent to see whether a channel works, with what was sent and what came back as a
//! person may see it: without an address or a credential.

use std::time::{Duration, Instant};

use statuswatch_notify::hold::{is_end, thread_of};
use statuswatch_notify::{
    Answer, Audience, Content, Custom, Form, Notification, Phase, Request, Sending, Verdict,
    delivery_id,
};

use super::attempt::TIMEOUT;
use crate::clock;
use crate::config::ChannelConfig;
use crate::event::{Impact, IncidentStatus, Kind, Status, StatusEvent, Time};
use crate::text::one_line;
use crate::transport::Transport;

/// Most characters of an answer that are shown.
const SHOWN: usize = 500;

/// Shorter texts of a request are words rather than secrets.
const SHORTEST: usize = 4;

/// Shorter parts of an address are words, such as `services`.
const SHORTEST_PART: usize = 9;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was sent: method and scheme, or the protocol.
    pub request: String,
    /// Names of header fields, or of environment variables.
    pub fields: Vec<String>,
    /// The content.
    pub body: String,
    /// What came back; `None`: nothing.
    pub answer: Option<String>,
    /// Whether the channel accepted it.
    pub delivered: bool,
    /// What that means.
    pub verdict: String,
    /// How long it took.
    pub took: Duration,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Every request that was sent, in order.
    pub exchanges: Vec<Exchange>,
    /// Templates that failed; the built-in texts were sent.
    pub template_errors: Vec<String>,
}

impl Trial {
    /// Returns whether everything was accepted.
    #[must_use]
    pub fn is_delivered(&self) -> bool {
        !self.exchanges.is_empty() && self.exchanges.iter().all(|exchange| exchange.delivered)
    }
}

/// Returns an event that says it is a test.
#[must_use]
pub fn test_event(channel: &str, status: Status, now: Time) -> StatusEvent {
    StatusEvent {
        seq: 0,
        id: delivery_id(&format!("test:{}:{status}", now.timestamp_millis()), channel),
        kind: Kind::Incident,
        provider: "statuswatch".to_owned(),
        provider_name: "statuswatch".to_owned(),
        source: "statuswatch".to_owned(),
        incident_id: Some(format!("test-{}", now.timestamp_millis())),
        update_id: None,
        revision: 1,
        title: format!("Test of the channel \"{channel}\""),
        status,
        previous_status: None,
        impact: Impact::Minor,
        previous_impact: None,
        components: Vec::new(),
        message: Some(
            "This is a test by \"statuswatch channels test\". Nothing is wrong.".to_owned(),
        ),
        url: None,
        started_at: Some(now),
        published_at: now,
        observed_at: now,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    }
}

/// Sends `event` to a channel, or without one an event that says it is a test. A pager is sent the
/// end of the test as well, so that nothing stays open.
pub async fn send(
    transport: &Transport,
    config: &ChannelConfig,
    event: Option<&StatusEvent>,
    now: Time,
) -> Trial {
    let mut events = vec![
        event
            .cloned()
            .unwrap_or_else(|| test_event(&config.id, IncidentStatus::Investigating.into(), now)),
    ];
    if event.is_none() && config.policy.audience == Audience::Pager {
        events.push(test_event(&config.id, IncidentStatus::Resolved.into(), now));
    }
    let mut trial = Trial { exchanges: Vec::new(), template_errors: Vec::new() };
    for event in events {
        one(transport, config, &event, now, &mut trial).await;
        if !trial.is_delivered() {
            break;
        }
    }
    trial
}

async fn one(
    transport: &Transport,
    config: &ChannelConfig,
    event: &StatusEvent,
    now: Time,
    trial: &mut Trial,
) {
    // Its own key: a service that knows the event would drop it as a repetition.
    let id = format!("test:{}:{}", event.id, now.timestamp_millis());
    let key = delivery_id(&id, &config.id);
    // Its own thread: nothing that is open is edited or ended.
    let thread =
        delivery_id(&format!("test:{}:{}", thread_of(event), now.timestamp_millis()), &config.id);
    let mut notification = Notification {
        delivery_id: &key,
        thread: &thread,
        content: Content::Event(event),
        phase: if is_end(event) { Phase::End } else { Phase::Open },
        late: None,
        skipped: 0,
        open_since: None,
        reference: None,
        custom: Custom::default(),
        now,
    };
    if let Some(templates) = &config.templates {
        let rendered = templates.render(&notification);
        trial.template_errors.extend(rendered.errors.iter().map(ToString::to_string));
        notification.custom = rendered.custom;
    }
    for step in config.channel.render(&notification, Form::Rich) {
        let sending = Sending { delivery_id: &key, now: clock::now() };
        let request = config.channel.request(&step, &sending);
        let hidden = Hidden::of(&request, config);
        let (what, fields) = describe_request(&request);
        let began = Instant::now();
        let sent = transport.send(request, TIMEOUT).await;
        let took = began.elapsed();
        let (answer, verdict) = match sent {
            Ok(answer) => {
                let verdict = config.channel.judge(&step, &answer);
                (Some(describe_answer(&answer, &hidden)), verdict)
            }
            Err(error) => {
                (None, Verdict::Retry { after: None, reason: hidden.hide(&error.to_string()) })
            }
        };
        let delivered = matches!(verdict, Verdict::Delivered { .. } | Verdict::Partly { .. });
        trial.exchanges.push(Exchange {
            request: what,
            fields,
            body: hidden.hide(&step.body),
            answer,
            delivered,
            verdict: describe_verdict(&verdict, &hidden),
            took,
        });
        if !delivered {
            return;
        }
    }
}

fn describe_verdict(verdict: &Verdict, hidden: &Hidden<'_>) -> String {
    match verdict {
        Verdict::Delivered { .. } => "delivered".to_owned(),
        Verdict::Retry { after: Some(after), reason } => format!(
            "not now, again after {}: {}",
            statuswatch_notify::text::duration(*after),
            hidden.hide(reason)
        ),
        Verdict::Retry { after: None, reason } | Verdict::Later { reason } => {
            format!("not delivered, would be tried again: {}", hidden.hide(reason))
        }
        Verdict::Refused { reason } => {
            format!("refused, would be tried once more as plain text: {}", hidden.hide(reason))
        }
        Verdict::Broken { reason } => {
            format!("the channel refuses everything: {}", hidden.hide(reason))
        }
        Verdict::Gone => "the earlier message is gone".to_owned(),
        Verdict::Partly { again, never } => {
            let reasons: Vec<&str> =
                again.iter().chain(never).map(|rest| rest.reason.as_str()).collect();
            format!("delivered, but not to everybody: {}", hidden.hide(&reasons.join("; ")))
        }
    }
}

/// Returns what a request is, and the names of its fields.
fn describe_request(request: &Request) -> (String, Vec<String>) {
    match request {
        Request::Http(request) => {
            let mut fields = vec!["content-type".to_owned()];
            fields.extend(request.headers.iter().map(|(name, _)| (*name).to_owned()));
            fields.extend(request.extra.iter().map(|(name, _)| name.clone()));
            let scheme = request.url.expose().scheme();
            (format!("{} {scheme}://…", request.method.as_str()), fields)
        }
        Request::Exec(request) => {
            let arguments = request.argv.len().saturating_sub(1);
            let names = request.env.iter().map(|(name, _)| name.clone()).collect();
            (format!("a program with {arguments} arguments"), names)
        }
        Request::Mail(request) => {
            let count = request.recipients.len();
            (format!("SMTP, {count} recipient{}", if count == 1 { "" } else { "s" }), Vec::new())
        }
        Request::Nats(_) => ("NATS publish to JetStream".to_owned(), Vec::new()),
        Request::Mqtt(_) => ("MQTT publish, QoS 1".to_owned(), Vec::new()),
        Request::Kafka(request) => {
            let fields = request.headers.iter().map(|(name, _)| (*name).to_owned());
            ("Kafka produce, acks=all".to_owned(), fields.collect())
        }
    }
}

fn describe_answer(answer: &Answer, hidden: &Hidden<'_>) -> String {
    let text = |text: &str| {
        let text = hidden.hide(text);
        let text = one_line(&text, SHOWN);
        if text.is_empty() { String::new() } else { format!(": {text}") }
    };
    match answer {
        Answer::Http(answer) => format!("HTTP {}{}", answer.status, text(&answer.body)),
        Answer::Exec(answer) => {
            let code = answer
                .code
                .map_or_else(|| "killed".to_owned(), |code| format!("exit status {code}"));
            format!("{code}{}", text(&answer.output))
        }
        Answer::Mail(answer) => format!("{}{}", answer.code, text(&answer.text)),
        Answer::Nats(answer) => one_line(&hidden.hide(&format!("{answer:?}")), SHOWN),
        Answer::Mqtt(answer) => format!("{answer:?}"),
        Answer::Kafka(answer) => one_line(&hidden.hide(&format!("{answer:?}")), SHOWN),
    }
}

/// What a person must not see of an exchange.
struct Hidden<'a> {
    config: &'a ChannelConfig,
    texts: Vec<String>,
}

impl<'a> Hidden<'a> {
    fn of(request: &Request, config: &'a ChannelConfig) -> Self {
        let mut texts = Vec::new();
        match request {
            Request::Http(request) => {
                let url = request.url.expose();
                texts.push(url.as_str().to_owned());
                texts.push(url.origin().ascii_serialization());
                texts.extend(url.host_str().map(str::to_owned));
                let parts =
                    url.path().split('/').chain(url.query().unwrap_or("").split(['&', '=']));
                let parts = parts.filter(|part| part.len() >= SHORTEST_PART);
                texts.extend(parts.map(str::to_owned));
                let fixed = request.headers.iter().map(|(_, value)| value.expose());
                let extra = request.extra.iter().map(|(_, value)| value.expose());
                // `Bearer TOKEN` and the token alone.
                let values = fixed.chain(extra).flat_map(|value| {
                    [Some(value.as_str()), value.split_once(' ').map(|(_, token)| token)]
                });
                let values = values.flatten().filter(|value| value.len() >= SHORTEST_PART);
                texts.extend(values.map(str::to_owned));
            }
            Request::Exec(request) => {
                texts.extend(request.argv.iter().filter(|one| one.len() >= SHORTEST_PART).cloned());
            }
            Request::Mail(request) => {
                texts.push(request.server.host.clone());
                texts.push(request.from.clone());
                texts.extend(request.recipients.iter().cloned());
                texts.extend(request.login.iter().map(|login| login.user.clone()));
            }
            Request::Nats(request) => texts.push(request.server.host.clone()),
            Request::Mqtt(request) => {
                texts.push(request.server.host.clone());
                texts.extend(request.login.iter().map(|login| login.user.clone()));
            }
            Request::Kafka(request) => {
                texts.extend(request.servers.iter().map(|server| server.host.clone()));
                texts.extend(request.login.iter().map(|login| login.login.user.clone()));
            }
        }
        texts.retain(|text| text.len() >= SHORTEST);
        // The whole before its parts.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { config, texts }
    }

    fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for hidden in &self.texts {
            if text.contains(hidden.as_str()) {
                text = text.replace(hidden.as_str(), "***");
            }
        }
        self.config.channel.redact(&text)
    }
}
