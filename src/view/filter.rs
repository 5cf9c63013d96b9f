//! Which events are shown: provider, time, kind and impact. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use crate::config;
use crate::event::{Impact, Kind, StatusEvent, Time, parse_time};

/// A point in time as given, resolved against the current time later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This long before now.
    Ago(Duration),
    /// At this time.
    At(Time),
}

/// A condition on the impact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImpactIs {
    /// This one.
    Exactly(Impact),
    /// This one or a worse one.
    AtLeast(Impact),
}

/// The resolved filter. An empty list matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Provider ids.
    pub providers: BTreeSet<String>,
    /// Observed at or after.
    pub since: Option<Time>,
    /// Kinds.
    pub kinds: Vec<Kind>,
    /// Impacts.
    pub impacts: Vec<Impact>,
}

impl Since {
    /// Returns the instant relative to `now`, or `None` if it is out of range.
    #[must_use]
    pub fn instant(self, now: Time) -> Option<Time> {
        match self {
            Self::Ago(ago) => {
                TimeDelta::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago))
            }
            Self::At(time) => Some(time),
        }
    }
}

impl ImpactIs {
    /// Returns whether `impact` meets the condition.
    #[must_use]
    pub fn holds(self, impact: Impact) -> bool {
        match self {
            Self::Exactly(wanted) => impact == wanted,
            Self::AtLeast(least) => impact.rank() >= least.rank(),
        }
    }
}

impl Wanted {
    /// Returns whether `event` matches.
    #[must_use]
    pub fn takes(&self, event: &StatusEvent) -> bool {
        (self.providers.is_empty() || self.providers.contains(&event.provider))
            && self.since.is_none_or(|since| event.observed_at >= since)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.impacts.is_empty() || self.impacts.contains(&event.impact))
    }
}

/// Parses a duration before now, a date, or a time.
///
/// # Errors
/// A message for the user.
pub fn parse_since(text: &str) -> Result<Since, String> {
    if let Some(time) = parse_time(text) {
        return Ok(Since::At(time));
    }
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(Since::At(date.and_time(chrono::NaiveTime::MIN).and_utc()));
    }
    let plain = text.trim_end_matches(" UTC").trim_end_matches('Z');
    for format in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(plain, format) {
            return Ok(Since::At(time.and_utc()));
        }
    }
    config::parse_duration(text).map(Since::Ago).map_err(|_| {
        format!("\"{text}\" is not a time: use a form such as 7d, 2h, 2026-02-23 or 2026-02-23T10:00:00Z")
    })
}

/// Parses `major` or `major+`.
///
/// # Errors
/// A message for the user.
pub fn parse_impact(text: &str) -> Result<ImpactIs, String> {
    let (word, make): (&str, fn(Impact) -> ImpactIs) = match text.strip_suffix('+') {
        Some(word) => (word, ImpactIs::AtLeast),
        None => (text, ImpactIs::Exactly),
    };
    word.parse().map(make).map_err(|error: crate::event::UnknownWord| {
        format!("{error}: expected one of none, minor, major, critical, maintenance, unknown")
    })
}
