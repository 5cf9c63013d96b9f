//! Messages that are no events: summaries as they are stored, and notices about channels.

use serde::{Deserialize, Serialize};
use statuswatch_notify::text::duration;
use statuswatch_notify::{Audience, Notice, Phase, Summary, delivery_id};

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

/// What others are sent about a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// It fails.
    Fails {
        /// Since when.
        since: Time,
        /// Why, without secrets.
        error: &'a str,
        /// Whether it refuses everything.
        broken: bool,
    },
    /// It works again.
    Works {
        /// Since when it failed.
        since: Time,
    },
    /// Messages were given up.
    Dead {
        /// Why, without secrets.
        reason: &'a str,
    },
}

/// Returns the messages that tell others about `channel`: its fallback, or every other channel that
/// people read.
pub(super) fn about(
    setup: &Setup,
    channel: &str,
    about: About<'_>,
    now: Time,
) -> Vec<OutboxChange> {
    let (notice, key) = match about {
        About::Fails { since, error, broken } => (
            Notice {
                title: format!("statuswatch: the channel \"{channel}\" does not accept messages"),
                message: format!(
                    "{error}\nIts messages are kept and sent when it works again. {}",
                    if broken {
                        "Check its credentials and its address: \"statuswatch channels\" shows \
                         more, and \"statuswatch channels test\" tries it."
                    } else {
                        "\"statuswatch channels\" shows more."
                    }
                ),
                impact: Impact::Major,
                over: false,
                at: now,
            },
            format!("fails:{channel}:{}", since.timestamp_millis()),
        ),
        About::Works { since } => (
            Notice {
                title: format!("statuswatch: the channel \"{channel}\" works again"),
                message: format!("It did not accept messages for {}.", duration(until(now, since))),
                impact: Impact::None,
                over: true,
                at: now,
            },
            format!("works:{channel}:{}", since.timestamp_millis()),
        ),
        About::Dead { reason } => (
            Notice {
                title: format!("statuswatch: a message to the channel \"{channel}\" was given up"),
                message: format!(
                    "{reason}\n\"statuswatch deadletters list\" shows what was not delivered, \
                     \"statuswatch deadletters retry\" sends it again."
                ),
                impact: Impact::Major,
                over: false,
                at: now,
            },
            // One an hour, however many are given up.
            format!("dead:{channel}:{}", now.timestamp() / 3600),
        ),
    };
    let content = serde_json::to_string(&Stored::Notice(notice)).unwrap_or_default();
    recipients(setup, channel)
        .into_iter()
        .map(|to| {
            OutboxChange::Add(Box::new(NewMessage {
                key: delivery_id(&key, &to),
                thread: delivery_id("channel", channel),
                channel: to,
                payload: Payload::Text(content.clone()),
                phase: Phase::Open,
                urgent: true,
                hold: None,
                at: now,
            }))
        })
        .collect()
}

fn recipients(setup: &Setup, channel: &str) -> Vec<String> {
    let fallback = setup.channel(channel).and_then(|config| config.policy.fallback.clone());
    if let Some(fallback) = fallback {
        return vec![fallback];
    }
    setup
        .channels
        .iter()
        .filter(|other| other.id != channel && other.policy.audience != Audience::Machine)
        .map(|other| other.id.clone())
        .collect()
}
