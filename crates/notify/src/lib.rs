//! Notifications about status events.
//!
//! * [`Notification`] is what one channel is to deliver: an event, a [`Summary`] of several, or a
//!   [`Notice`] about this program itself.
//! * [`Channel`] turns a notification into [`Step`]s, completes each to a [`Request`] with its
//!   address and credentials, and judges the [`Answer`]. One file per kind in `channel/`, one row
//!   in [`CHANNELS`].
//! * [`text`] lays out a notification as plain text, cuts it to a service's limits and escapes it.
//! * [`Templates`] replace the built-in texts.
//! * [`route`] decides which channels an event goes to, [`Policy`] how a channel is served, and
//!   [`hold`] what is sent now, later, or in a summary.
//! * [`values`] describes the keys of a channel, from which configuration, schema and documentation
//!   follow.
//!
//! Nothing in this crate does I/O or reads a clock. Text of providers is hostile: it can neither
//! mention anybody, nor break out of the markup of a message, nor exceed a limit.

pub mod channel;
mod exchange;
pub mod hold;
mod notification;
mod policy;
pub mod route;
mod template;
pub mod text;
pub mod values;

pub use channel::{Audience, CHANNELS, Channel, Form, Limits, Pace, REPEAT_ENDED, Spec};
pub use exchange::{
    Answer, ExecAnswer, ExecRequest, HttpAnswer, HttpRequest, KafkaAnswer, KafkaLogin,
    KafkaRequest, KafkaStage, Login, MailAnswer, MailRequest, MailStage, Method, MqttAnswer,
    MqttRequest, MqttVersion, NatsAnswer, NatsAuth, NatsRequest, RefusedRecipient, Request, Rest,
    SaslMechanism, Security, Sending, Server, Step, Verdict, describe, endpoint, judge_http,
    judge_proof, retry_after, seconds,
};
pub use notification::{
    Content, Custom, Entry, Notice, Notification, Phase, Reference, Severity, Summary,
    SummaryReason, delivery_id,
};
pub use policy::{Digest, Policy, QuietHours};
pub use route::{Chosen, Decision, Matcher, Nobody, Outcome, Reason, Routes, Rule};
pub use template::{Rendered, Slot, Sources, TemplateError, Templates};
