//! Channels: one file and one row in [`CHANNELS`] per kind.

mod alertmanager;
mod datadog;
mod discord;
mod email;
mod event_json;
mod exec;
mod github_issue;
mod google_chat;
mod gotify;
mod incident_io;
mod jsm;
mod kafka;
mod levels;
mod matrix;
mod mattermost;
mod mqtt;
mod nats;
mod ntfy;
mod pagerduty;
mod pushover;
mod redact;
mod rocketchat;
mod server;
mod signal;
mod sigv4;
mod slack;
mod sns;
mod splunk_on_call;
mod teams;
mod telegram;
mod topic;
mod webex;
mod webhook;
mod zulip;

#[cfg(test)]
pub(crate) mod checks;
#[cfg(test)]
pub(crate) mod corpus;

use std::fmt;
use std::time::Duration;

use crate::exchange::{Answer, Request, Sending, Step, Verdict};
use crate::notification::Notification;
use crate::values::{Key, ValueError, Values};

/// A place of delivery: pure; the transport sends its requests.
pub trait Channel: Send + Sync + fmt::Debug {
    /// Renders a message within the service's limits, without address and credentials.
    ///
    /// Returns no step if the service has nothing to learn from it.
    fn render(&self, notification: &Notification<'_>, form: Form) -> Vec<Step>;

    /// Completes a step with its address, credentials and whatever depends on the time of the
    /// attempt.
    fn request(&self, step: &Step, sending: &Sending<'_>) -> Request;

    /// Judges the answer to a step.
    fn judge(&self, step: &Step, answer: &Answer) -> Verdict;

    /// Returns the service's limits.
    fn limits(&self) -> Limits;

    /// Returns whether [`Custom::json`](crate::notification::Custom::json) can be the whole body of
    /// a request. Configuration refuses a template for it otherwise.
    fn takes_json(&self) -> bool {
        false
    }

    /// Returns a text without the secrets of the channel, for a person who looks at an exchange.
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Returns how often the service must be sent the present state, if it forgets what it is not
    /// sent again.
    ///
    /// The caller renders the latest event of every thread that is open, and of every thread that
    /// has ended within [`REPEAT_ENDED`], once per this time with [`Self::render`], and does not
    /// store or retry these steps: the next ones replace them.
    fn repeat(&self) -> Option<Duration> {
        None
    }
}

/// How long a channel with [`Channel::repeat`] is sent what has ended.
pub const REPEAT_ENDED: Duration = Duration::from_mins(5);

/// How rich a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With everything the service can show.
    Rich,
    /// Short and plain, after the rich form was refused: nothing in it may be refused for what it
    /// says.
    Plain,
}

/// Who reads a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// People in a chat or mailbox: messages may be collected, summed up and held back.
    Chat,
    /// A pager: what it opened must be closed, and both at once.
    Pager,
    /// A program: gets every event as it is.
    Machine,
}

/// The limits of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rate of messages; `None`: as fast as they are answered.
    pub pace: Option<Pace>,
    /// Requests under way at once.
    pub in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pace: None, in_flight: 4 }
    }
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// One message per this time in the long run.
    pub every: Duration,
    /// This many at once after a pause.
    pub burst: u32,
}

/// Describes a kind of channel.
pub struct Spec {
    /// `kind` in `providers.yaml`.
    pub kind: &'static str,
    /// The service, as a person knows it.
    pub name: &'static str,
    /// Who reads it.
    pub audience: Audience,
    /// Its keys besides those that every channel has.
    pub keys: &'static [Key],
    /// Builds the channel from checked values.
    pub build: fn(&Values) -> Result<Box<dyn Channel>, ValueError>,
}

/// Every kind of channel, in the order of the documentation.
pub const CHANNELS: &[Spec] = &[
    webhook::SPEC,
    // Chats.
    slack::SPEC,
    teams::SPEC,
    discord::SPEC,
    google_chat::SPEC,
    mattermost::SPEC,
    rocketchat::SPEC,
    telegram::SPEC,
    matrix::SPEC,
    webex::SPEC,
    zulip::SPEC,
    ntfy::SPEC,
    gotify::SPEC,
    pushover::SPEC,
    signal::SPEC,
    // Pagers and programs.
    pagerduty::SPEC,
    jsm::SPEC,
    jsm::OPSGENIE,
    alertmanager::SPEC,
    incident_io::SPEC,
    splunk_on_call::SPEC,
    github_issue::SPEC,
    sns::SPEC,
    datadog::SPEC,
    // Mail, programs and brokers.
    email::SPEC,
    exec::SPEC,
    nats::SPEC,
    mqtt::SPEC,
    kafka::SPEC,
];

/// Returns the description of a kind.
#[must_use]
pub fn by_kind(kind: &str) -> Option<&'static Spec> {
    CHANNELS.iter().find(|spec| spec.kind == kind)
}
