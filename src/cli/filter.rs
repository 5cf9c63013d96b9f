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
    /// Only of these providers, by id; may be repeated or separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// Seen at or after: 7d, 2h, 1h30m ago, or a time such as 2026-02-23 or 2026-02-23T10:00:00Z
    /// (UTC)
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub since: Option<Since>,
    /// Only of this kind: incident, maintenance, component, provider; may be repeated or separated
    /// by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<Kind>,
    /// Only with this impact: none, minor, major, critical, maintenance, unknown; `major+` is that
    /// and worse
    #[arg(long, value_name = "IMPACT", value_delimiter = ',', value_parser = parse_impact)]
    pub impact: Vec<ImpactIs>,
}

/// A point in time as written: it becomes an instant when the present is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// So long before now.
    Ago(Duration),
    /// At this time.
    At(Time),
}

/// What is asked of an impact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImpactIs {
    /// This one.
    Exactly(Impact),
    /// This one or a worse one.
    AtLeast(Impact),
}

/// The flags, with the present known. What is empty lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Ids of providers.
    pub providers: BTreeSet<String>,
    /// Seen at or after.
    pub since: Option<Time>,
    /// Kinds.
    pub kinds: Vec<Kind>,
    /// Impacts.
    pub impacts: Vec<Impact>,
}

impl FilterArgs {
    /// What they ask for at `now`.
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
    /// The instant at `now`; `None` where it lies before the beginning of time.
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
    /// Whether `event` is asked for.
    #[must_use]
    pub fn takes(&self, event: &StatusEvent) -> bool {
        (self.providers.is_empty() || self.providers.contains(&event.provider))
            && self.since.is_none_or(|since| event.observed_at >= since)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.impacts.is_empty() || self.impacts.contains(&event.impact))
    }
}

/// Reads a duration as it is written in `providers.yaml`: `90s`, `5m`, `1h30m`, `7d`.
///
/// # Errors
/// Words for a person.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text)
        .map_err(|error| format!("{error}: write it like 90s, 5m, 1h30m or 7d"))
}

/// Reads a duration before now, a date, or a time.
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
        format!("\"{text}\" is no time: write it like 7d, 2h, 2026-02-23 or 2026-02-23T10:00:00Z")
    })
}

/// Reads `major` or `major+`.
fn parse_impact(text: &str) -> Result<ImpactIs, String> {
    let (word, make): (&str, fn(Impact) -> ImpactIs) = match text.strip_suffix('+') {
        Some(word) => (word, ImpactIs::AtLeast),
        None => (text, ImpactIs::Exactly),
    };
    word.parse().map(make).map_err(|error: crate::event::UnknownWord| {
        format!("{error}: one of none, minor, major, critical, maintenance, unknown")
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
        assert!(parse_since("yesterday").unwrap_err().contains("\"yesterday\" is no time"));
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
