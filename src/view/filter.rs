//! Which events are shown: provider, time, kind and impact. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};

use crate::config;
use crate::event::{Impact, Kind, StatusEvent, Time, parse_time};
use crate::ledger::Query;

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

impl Wanted {
    /// Returns the query for these events: the newest `limit` of them, or all.
    #[must_use]
    pub fn query(self, limit: Option<usize>) -> Query {
        Query {
            providers: self.providers.into_iter().collect(),
            since: self.since,
            kinds: self.kinds,
            impacts: self.impacts,
            limit,
        }
    }
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
    config::parse_duration(text).ok().or_else(|| seconds(text)).map(Since::Ago).ok_or_else(|| {
        format!("\"{text}\" is not a time: use a form such as 7d, 2h, 2026-02-23 or 2026-02-23T10:00:00Z")
    })
}

/// Parses seconds as a program may write a number: `1e3`.
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let ago = digits.then(|| Duration::try_from_secs_f64(text.parse().ok()?).ok()).flatten();
    // As much as a duration with a unit may be.
    ago.filter(|ago| u64::try_from(ago.as_nanos()).is_ok())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_may_be_written_as_programs_write_numbers() {
        let ago = |text: &str| match parse_since(text) {
            Ok(Since::Ago(ago)) => Some(ago.as_millis()),
            _ => None,
        };
        let written = ["90", "1.5", "1e3", "2.5E1", "2.2250738585072014e-308", "0"];
        assert_eq!(written.map(ago), [90_000, 1_500, 1_000_000, 25_000, 0, 0].map(Some));
        let wrong = ["-1", "1e30", "18446744074", "inf", "nan", "e", "1e", "."];
        assert_eq!(wrong.map(ago), [None; 8]);
    }
}
