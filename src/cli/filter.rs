//! Which events `history` and `logs` show: provider, time, kind and impact.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use clap::Args;

use crate::config;
use crate::event::{Impact, Kind, StatusEvent, Time, parse_time};

/// Flags shared by `history` and `logs`.
#[derive(Debug, Clone, Default, Args)]
pub struct FilterArgs {
    /// Show only these providers (repeatable or comma-separated)
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// Show events observed since a duration ago (7d, 2h, 1h30m) or a UTC time (2026-02-23,
    /// 2026-02-23T10:00:00Z)
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub since: Option<Since>,
    /// Show only these kinds: incident, maintenance, component, provider (repeatable or
    /// comma-separated)
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<Kind>,
    /// Show only these impacts: none, minor, major, critical, maintenance, unknown; `major+` includes
    /// worse ones
    #[arg(long, value_name = "IMPACT", value_delimiter = ',', value_parser = parse_impact)]
    pub impact: Vec<ImpactIs>,
}

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

impl FilterArgs {
    /// Resolves the flags at `now`.
    #[must_use]
    pub fn at(&self, now: Time) -> Wanted {
        Wanted {
            providers: self.provider.iter().cloned().collect(),
            since: self.since.and_then(|since| since.instant(now)),
            kinds: self.kind.clone(),
            impacts: Impact::ALL
                .iter()
                .copied()
                .filter(|&impact| self.impact.iter().any(|is| is.holds(impact)))
                .collect(),
        }
    }
}

impl Since {
    /// Returns the instant relative to `now`, or `None` if it is out of range.
    fn instant(self, now: Time) -> Option<Time> {
        match self {
            Self::Ago(ago) => {
                TimeDelta::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago))
            }
            Self::At(time) => Some(time),
        }
    }
}

impl ImpactIs {
    fn holds(self, impact: Impact) -> bool {
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

/// Parses a duration as written in `providers.yaml`: `90s`, `5m`, `1h30m`, `7d`.
///
/// # Errors
/// A message for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text)
        .map_err(|error| format!("{error}: use a form such as 90s, 5m, 1h30m or 7d"))
}

/// Parses a duration before now, a date, or a time.
fn parse_since(text: &str) -> Result<Since, String> {
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
    parse_duration(text).map(Since::Ago).map_err(|_| {
        format!("\"{text}\" is not a time: use a form such as 7d, 2h, 2026-02-23 or 2026-02-23T10:00:00Z")
    })
}

/// Parses `major` or `major+`.
fn parse_impact(text: &str) -> Result<ImpactIs, String> {
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

    fn time(text: &str) -> Time {
        parse_time(text).unwrap()
    }

    #[test]
    fn since_takes_spans_dates_and_times() {
        let now = time("2026-02-23T12:00:00Z");
        let table = [
            ("2h", "2026-02-23T10:00:00Z"),
            ("7d", "2026-02-16T12:00:00Z"),
            ("2026-02-20", "2026-02-20T00:00:00Z"),
            ("2026-02-20 08:30", "2026-02-20T08:30:00Z"),
            ("2026-02-20 08:30:15 UTC", "2026-02-20T08:30:15Z"),
            ("2026-02-20T08:30:15+01:00", "2026-02-20T07:30:15Z"),
        ];
        for (text, at) in table {
            assert_eq!(parse_since(text).unwrap().instant(now), Some(time(at)), "{text}");
        }
        for text in ["", "h", "5x", "-1s", "2026-13-01", "é"] {
            assert!(parse_since(text).is_err(), "{text}");
        }
        assert!(parse_since("yesterday").unwrap_err().contains("\"yesterday\" is not a time"));
        assert_eq!(Since::Ago(Duration::from_secs(u64::MAX)).instant(now), None);
    }

    #[test]
    fn an_impact_is_exact_unless_a_plus_follows() {
        let impacts = |text: &str| {
            FilterArgs { impact: vec![parse_impact(text).unwrap()], ..FilterArgs::default() }
                .at(Time::UNIX_EPOCH)
                .impacts
        };
        assert_eq!(impacts("major"), [Impact::Major]);
        assert_eq!(impacts("major+"), [Impact::Major, Impact::Critical]);
        assert!(parse_impact("huge").unwrap_err().contains("unknown impact \"huge\""));
    }
}
