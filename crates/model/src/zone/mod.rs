//! Time zones by name, as used by pages, users and `providers.yaml`.
//!
//! Each zone follows the rule in force today. Status pages are about the present: historical rules
//! would take forty times the space and affect only the hour of incidents years ago.

mod posix;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use self::posix::Rule;

/// Names and rules from the IANA time zone database.
const DATA: &str = include_str!("iana.tsv");

/// Names that Ruby on Rails uses for zones, which pages of Statuspage and Better Stack contain: the
/// keys of `ActiveSupport::TimeZone::MAPPING` that are not IANA names.
const RAILS: &[(&str, &str)] = &[
    ("pacific time (us & canada)", "America/Los_Angeles"),
    ("mountain time (us & canada)", "America/Denver"),
    ("central time (us & canada)", "America/Chicago"),
    ("eastern time (us & canada)", "America/New_York"),
    ("atlantic time (canada)", "America/Halifax"),
    ("indiana (east)", "America/Indiana/Indianapolis"),
    ("brasilia", "America/Sao_Paulo"),
    ("london", "Europe/London"),
    ("dublin", "Europe/Dublin"),
    ("paris", "Europe/Paris"),
    ("berlin", "Europe/Berlin"),
    ("amsterdam", "Europe/Amsterdam"),
    ("madrid", "Europe/Madrid"),
    ("rome", "Europe/Rome"),
    ("stockholm", "Europe/Stockholm"),
    ("tokyo", "Asia/Tokyo"),
    ("sydney", "Australia/Sydney"),
];

/// Maximum offset in seconds: larger than any zone has used.
const MAX_OFFSET: i32 = 15 * 3600;

static ZONES: LazyLock<HashMap<String, Zone>> = LazyLock::new(|| {
    let mut zones = HashMap::new();
    for line in DATA.lines().filter(|line| !line.starts_with('#')) {
        let Some((rule, names)) = line.split_once('\t') else { continue };
        let Some(rule) = Rule::parse(rule) else { continue };
        for name in names.split(' ') {
            zones.insert(name.to_ascii_lowercase(), Zone { name: Some(name), rule });
        }
    }
    for (name, meant) in RAILS {
        if let Some(zone) = zones.get(&meant.to_ascii_lowercase()).copied() {
            zones.insert((*name).to_owned(), zone);
        }
    }
    zones
});

/// A time zone: a fixed offset from UTC or a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    name: Option<&'static str>,
    rule: Rule,
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self { name: Some("UTC"), rule: Rule::fixed(0) };

    /// Creates a zone with a fixed offset in seconds east of UTC; `None` beyond 15 hours.
    #[must_use]
    pub const fn fixed(seconds_east: i32) -> Option<Self> {
        if seconds_east < -MAX_OFFSET || seconds_east > MAX_OFFSET {
            return None;
        }
        Some(Self { name: None, rule: Rule::fixed(seconds_east) })
    }

    /// Looks up a zone by name: an IANA name in any case (`Europe/Berlin`), a Rails name, or an
    /// offset (`+02:00`, `UTC+2`, `GMT-0330`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        let offset = lower.strip_prefix("utc").or_else(|| lower.strip_prefix("gmt"));
        match offset.map(str::trim) {
            Some("") => return Some(Self::UTC),
            Some(offset) if offset.starts_with(['+', '-']) => return fixed(offset),
            _ => {}
        }
        if lower.starts_with(['+', '-']) {
            return fixed(&lower);
        }
        ZONES.get(&lower).copied()
    }

    /// Returns every IANA name, in no particular order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ZONES.values().filter_map(|zone| zone.name)
    }

    /// Converts a local time to an instant. An ambiguous time means the first of the two; a skipped
    /// one is read as if the clocks had not changed.
    #[must_use]
    pub fn instant(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let at = |offset: i32| {
            local.checked_sub_signed(TimeDelta::seconds(i64::from(offset))).map(|utc| utc.and_utc())
        };
        let (standard, summer) = self.rule.offsets();
        let (first, second) = (standard.max(summer), standard.min(summer));
        [first, second]
            .into_iter()
            .find_map(|offset| at(offset).filter(|utc| self.rule.offset_at(*utc) == offset))
            .or_else(|| at(standard))
    }

    /// Converts an instant to local time, which is never ambiguous.
    #[must_use]
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        let offset = TimeDelta::seconds(i64::from(self.rule.offset_at(at)));
        at.naive_utc().checked_add_signed(offset).unwrap_or(at.naive_utc())
    }
}

/// Parses an offset such as `+02:00`, `-0330` or `+9`.
fn fixed(text: &str) -> Option<Zone> {
    let (east, digits) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let digits = digits.trim_start();
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 1 | 2) => (digits, "0"),
        (None, 3) => digits.split_at_checked(1)?,
        (None, 4) => digits.split_at_checked(2)?,
        _ => return None,
    };
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    if minutes > 59 {
        return None;
    }
    Zone::fixed(east * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name {
            return f.write_str(name);
        }
        let minutes = self.rule.offsets().0 / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(zone: &str, local: &str) -> String {
        let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M").unwrap();
        let zone = Zone::named(zone).unwrap_or_else(|| panic!("{zone}"));
        zone.instant(local).unwrap().format("%Y-%m-%d %H:%M").to_string()
    }

    #[test]
    fn local_times_become_instants() {
        for (zone, local, expected) in [
            ("UTC", "2026-07-01 12:00", "2026-07-01 12:00"),
            ("utc+2", "2026-07-01 12:00", "2026-07-01 10:00"),
            ("GMT-0330", "2026-07-01 12:00", "2026-07-01 15:30"),
            ("+9", "2026-07-01 12:00", "2026-07-01 03:00"),
            ("Europe/Berlin", "2026-07-01 12:00", "2026-07-01 10:00"),
            ("europe/berlin", "2026-01-01 12:00", "2026-01-01 11:00"),
            // The skipped hour and the ambiguous one.
            ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),
            ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),
            ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"),
            ("America/New_York", "2026-03-08 01:59", "2026-03-08 06:59"),
            ("America/New_York", "2026-03-08 03:00", "2026-03-08 07:00"),
            ("US/Pacific", "2026-11-01 01:30", "2026-11-01 08:30"),
            ("Pacific Time (US & Canada)", "2026-12-01 01:30", "2026-12-01 09:30"),
            ("Asia/Kolkata", "2026-07-01 12:00", "2026-07-01 06:30"),
            ("Asia/Tokyo", "2026-07-01 12:00", "2026-07-01 03:00"),
            // In the southern hemisphere, daylight saving time spans the new year.
            ("Australia/Sydney", "2026-01-01 12:00", "2026-01-01 01:00"),
            ("Australia/Sydney", "2026-07-01 12:00", "2026-07-01 02:00"),
            // In Ireland winter time is the exception by law, with the smaller offset.
            ("Europe/Dublin", "2026-07-01 12:00", "2026-07-01 11:00"),
            ("Europe/Dublin", "2026-01-01 12:00", "2026-01-01 12:00"),
            ("America/Nuuk", "2026-07-01 12:00", "2026-07-01 13:00"),
            ("Etc/GMT+5", "2026-07-01 12:00", "2026-07-01 17:00"),
        ] {
            assert_eq!(utc(zone, local), expected, "{zone} {local}");
        }
    }

    #[test]
    fn instants_become_local_times() {
        for (zone, utc, expected) in [
            ("+05:30", "2026-07-01 12:00", "2026-07-01 17:30"),
            ("Europe/Berlin", "2026-03-29 00:59", "2026-03-29 01:59"),
            ("Europe/Berlin", "2026-03-29 01:00", "2026-03-29 03:00"),
            ("Europe/Berlin", "2026-10-25 00:30", "2026-10-25 02:30"),
            ("Europe/Berlin", "2026-10-25 01:30", "2026-10-25 02:30"),
            ("America/New_York", "2026-11-01 06:00", "2026-11-01 01:00"),
            ("Australia/Lord_Howe", "2026-04-04 14:59", "2026-04-05 01:59"),
            ("Australia/Lord_Howe", "2026-04-04 15:00", "2026-04-05 01:30"),
        ] {
            let utc = NaiveDateTime::parse_from_str(utc, "%Y-%m-%d %H:%M").unwrap().and_utc();
            let local = Zone::named(zone).unwrap().local(utc);
            assert_eq!(local.format("%Y-%m-%d %H:%M").to_string(), expected, "{zone} {utc}");
        }
    }

    #[test]
    fn every_rule_is_read_and_every_name_found() {
        let lines = || DATA.lines().filter(|line| !line.starts_with('#'));
        let mut names = 0;
        for line in lines() {
            let (rule, of) = line.split_once('\t').unwrap();
            assert!(Rule::parse(rule).is_some(), "{rule}");
            for name in of.split(' ') {
                assert!(Zone::named(name).is_some(), "{name}");
                names += 1;
            }
        }
        assert_eq!(names, Zone::names().collect::<std::collections::HashSet<_>>().len());
        assert!(names > 500);
        for (name, _) in RAILS {
            assert!(Zone::named(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_no_zone_is_none() {
        for name in ["", "Europe", "Europe/Atlantis", "+25", "UTC+99:00", "+2:75", "utc++2", "GMT "]
        {
            let found = Zone::named(name).map(|zone| zone.to_string());
            assert_eq!(found, (name == "GMT ").then(|| "UTC".to_owned()), "{name}");
        }
        assert_eq!(Zone::fixed(-12_600).unwrap().to_string(), "-03:30");
    }
}
