//! Which events `history` and `logs` show: provider, time, kind and impact.

use std::time::Duration;

use clap::Args;

use crate::config;
use crate::event::{Impact, Kind, Time};
use crate::view::filter::{ImpactIs, Since, parse_impact, parse_since};

pub use crate::view::filter::Wanted;

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

/// Parses a duration as written in `providers.yaml`: `90s`, `5m`, `1h30m`, `7d`.
///
/// # Errors
/// A message for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text)
        .map_err(|error| format!("{error}: use a form such as 90s, 5m, 1h30m or 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::parse_time;

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
