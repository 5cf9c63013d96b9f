//! How a channel is served: what is held back, for how long, and what happens when it fails.

use std::time::Duration;

use chrono::{NaiveTime, Weekday};
use statuswatch_model::event::Impact;
use statuswatch_model::zone::Zone;

use crate::channel::Audience;

/// The settings of a channel that are the same for every kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Who reads the channel. Only people's messages are collected, summed up or left out.
    pub audience: Audience,
    /// Collects messages; `None`: each is sent by itself.
    pub digest: Option<Digest>,
    /// A component state or a provider's reachability that does not last so long is not sent; zero:
    /// each is sent at once.
    pub settle: Duration,
    /// More providers than this that open something within [`Policy::STORM_WITHIN`] are one message;
    /// `None`: each is sent.
    pub storm: Option<u32>,
    /// Messages per hour; further ones are collected. `None`: no limit.
    pub cap: Option<u32>,
    /// Edits of one incident's updates are sent at most once per this time; zero: each is sent.
    pub edits: Duration,
    /// The channel that gets what this one cannot deliver.
    pub fallback: Option<String>,
    /// A message that could not be delivered for so long is dead.
    pub retry_for: Duration,
}

impl Policy {
    /// The time within which the opening of many incidents counts as a storm.
    pub const STORM_WITHIN: Duration = Duration::from_mins(2);

    /// Returns the defaults for an audience.
    #[must_use]
    pub const fn new(audience: Audience) -> Self {
        let chat = matches!(audience, Audience::Chat);
        Self {
            audience,
            digest: None,
            settle: Duration::ZERO,
            storm: if chat { Some(10) } else { None },
            cap: None,
            edits: if chat { Duration::from_mins(10) } else { Duration::ZERO },
            fallback: None,
            // A page that is not delivered within an hour must take another way.
            retry_for: match audience {
                Audience::Pager => Duration::from_hours(1),
                Audience::Chat | Audience::Machine => Duration::from_hours(72),
            },
        }
    }
}

/// Collects the messages of a channel into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// One message per this time, in windows aligned to midnight UTC.
    pub every: Duration,
    /// What has at least this impact is sent at once; `None`: nothing is.
    pub immediate: Option<Impact>,
}

/// A time of day in which messages are held back.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietHours {
    /// The channels concerned; empty: every channel that people read.
    pub channels: Vec<String>,
    /// Their beginning, local time.
    pub from: NaiveTime,
    /// Their end, local time, exclusive; before `from`: on the next day.
    pub to: NaiveTime,
    /// The days on which they begin; empty: every day.
    pub days: Vec<Weekday>,
    /// Whose local time.
    pub zone: Zone,
    /// What has at least this impact is sent at once; `None`: nothing is.
    pub pass: Option<Impact>,
}
