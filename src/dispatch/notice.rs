//! Messages that are no events: summaries as they are stored, and notices about channels and sinks.

use serde::{Deserialize, Serialize};
use statuswatch_notify::text::duration;
use statuswatch_notify::{Audience, Decision, Notice, Phase, Summary, delivery_id};

use super::Setup;
use super::lane::until;
use crate::event::{Impact, Time};
use crate::ledger::outbox::{NewMessage, OutboxChange, Payload};

/// A message that is no event, as stored in the outbox.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stored {
    /// Several threads.
    Summary(Summary),
    /// Something about this program.
    Notice(Notice),
}

/// Returns a summary as it is stored.
pub(super) fn summary_json(summary: &Summary) -> String {
    serde_json::to_string(&Stored::Summary(summary.clone())).unwrap_or_default()
}

/// What a notice is about: a channel or a sink, by its id.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// A channel fails.
    Fails {
        /// Since when.
        since: Time,
        /// Why, without secrets.
        error: &'a str,
        /// Whether it refuses everything.
        broken: bool,
    },
    /// A channel works again.
    Works {
        /// Since when it failed.
        since: Time,
    },
    /// Messages to a channel were given up.
    Dead {
        /// Why, without secrets.
        reason: &'a str,
    },
    /// A sink cannot write.
    SinkFails {
        /// Why.
        reason: &'a str,
    },
    /// A sink writes again.
    SinkWorks {
        /// Since when it failed.
        since: Time,
    },
}

impl About<'_> {
    /// Returns the title.
    fn title(self, id: &str) -> String {
        match self {
            Self::Fails { .. } => channel_fails(id),
            Self::Works { .. } => format!("statuswatch: the channel \"{id}\" works again"),
            Self::Dead { .. } => {
                format!("statuswatch: a message to the channel \"{id}\" was given up")
            }
            Self::SinkFails { .. } => sink_fails(id),
            Self::SinkWorks { .. } => format!("statuswatch: the sink \"{id}\" delivers again"),
        }
    }

    /// Returns the title that routes see. What ends goes where it was announced.
    fn routed_title(self, id: &str) -> String {
        match self {
            Self::Works { .. } => channel_fails(id),
            Self::SinkWorks { .. } => sink_fails(id),
            about => about.title(id),
        }
    }

    fn message(self, now: Time) -> String {
        match self {
            Self::Fails { error, broken, .. } => format!(
                "{error}\nIts messages are kept and sent when it works again. {}",
                if broken {
                    "Check its credentials and its address: \"statuswatch channels\" shows more, \
                     and \"statuswatch channels test\" tries it."
                } else {
                    "\"statuswatch channels\" shows more."
                }
            ),
            Self::Works { since } => {
                format!("It did not accept messages for {}.", duration(until(now, since)))
            }
            Self::Dead { reason } => format!(
                "{reason}\n\"statuswatch deadletters list\" shows what was not delivered, \
                 \"statuswatch deadletters retry\" sends it again."
            ),
            Self::SinkFails { reason } => {
                format!("{reason}\nEvents are kept and delivered when it works again.")
            }
            Self::SinkWorks { since } => {
                format!("It did not deliver for {}.", duration(until(now, since)))
            }
        }
    }

    /// Returns what tells the notice from every other one.
    fn key(self, id: &str, now: Time) -> String {
        match self {
            Self::Fails { since, .. } => format!("fails:{id}:{}", since.timestamp_millis()),
            Self::Works { since } => format!("works:{id}:{}", since.timestamp_millis()),
            // One an hour, however many are given up.
            Self::Dead { .. } => format!("dead:{id}:{}", now.timestamp() / 3600),
            Self::SinkFails { .. } => format!("sink fails:{id}:{}", now.timestamp_millis()),
            Self::SinkWorks { since } => {
                format!("sink works:{id}:{}", since.timestamp_millis())
            }
        }
    }

    const fn is_over(self) -> bool {
        matches!(self, Self::Works { .. } | Self::SinkWorks { .. })
    }

    const fn is_of_channel(self) -> bool {
        !matches!(self, Self::SinkFails { .. } | Self::SinkWorks { .. })
    }
}

/// The title of the notice that a channel fails.
pub(super) fn channel_fails(id: &str) -> String {
    format!("statuswatch: the channel \"{id}\" does not accept messages")
}

fn sink_fails(id: &str) -> String {
    format!("statuswatch: the sink \"{id}\" cannot deliver")
}

/// Returns the notices about the channel or sink `id`, one per channel that gets it.
pub(super) fn about(setup: &Setup, id: &str, about: About<'_>, now: Time) -> Vec<OutboxChange> {
    let notice = Notice {
        title: about.title(id),
        message: about.message(now),
        impact: if about.is_over() { Impact::None } else { Impact::Major },
        over: about.is_over(),
        at: now,
    };
    let content = serde_json::to_string(&Stored::Notice(notice)).unwrap_or_default();
    let channel = about.is_of_channel().then_some(id);
    let key = about.key(id, now);
    let thread = delivery_id(if channel.is_some() { "channel" } else { "sink" }, id);
    decide(setup, channel, &about.routed_title(id))
        .to
        .into_iter()
        .map(|chosen| {
            OutboxChange::Add(Box::new(NewMessage {
                key: delivery_id(&key, &chosen.channel),
                thread: thread.clone(),
                channel: chosen.channel,
                payload: Payload::Text(content.clone()),
                phase: Phase::Open,
                urgent: true,
                hold: None,
                at: now,
            }))
        })
        .collect()
}

/// Decides who gets a notice with this title, about `channel` if it is about one. By default that is
/// its fallback, or every other channel that people read.
pub(super) fn decide(setup: &Setup, channel: Option<&str>, title: &str) -> Decision {
    let config = channel.and_then(|channel| setup.channel(channel));
    let defaults = match config.and_then(|config| config.policy.fallback.clone()) {
        Some(fallback) => vec![fallback],
        None => setup
            .channels
            .iter()
            .filter(|other| channel != Some(other.id.as_str()))
            .filter(|other| other.policy.audience != Audience::Machine)
            .map(|other| other.id.clone())
            .collect(),
    };
    setup.routes.decide_notice(title, channel, &setup.audiences(), &defaults)
}
