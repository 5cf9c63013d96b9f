//! Time zone rules as specified by POSIX.1-2017 (section 8.3, `TZ`) and RFC 9636:
//! `CET-1CEST,M3.5.0,M10.5.0/3`.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc, Weekday};

/// A zone's offsets in seconds east of UTC, and when daylight saving time starts and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    standard: i32,
    summer: Option<Summer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Summer {
    offset: i32,
    begin: Change,
    end: Change,
}

/// A transition: `M3.5.0/2` is the last (5th) Sunday (0) of March at 2:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    month: u32,
    week: u32,
    weekday: u32,
    /// Seconds after midnight, local time before the transition; may fall on another day.
    at: i32,
}

impl Rule {
    /// A permanent offset.
    pub(super) const fn fixed(standard: i32) -> Self {
        Self { standard, summer: None }
    }

    /// Parses a rule; `None` if it is invalid or gives days by number, which no zone does.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let rest = behind_name(parts.next()?)?;
        let end = rest.find(|c: char| !is_of_time(c)).unwrap_or(rest.len());
        let (offset, rest) = rest.split_at_checked(end)?;
        let standard = -seconds(offset)?;
        if rest.is_empty() {
            return Some(Self::fixed(standard));
        }
        let offset = behind_name(rest)?;
        let offset = if offset.is_empty() { standard + 3600 } else { -seconds(offset)? };
        let (begin, end) = (Change::parse(parts.next()?)?, Change::parse(parts.next()?)?);
        Some(Self { standard, summer: Some(Summer { offset, begin, end }) })
    }

    /// The standard and daylight saving offsets, which may be equal.
    pub(super) fn offsets(self) -> (i32, i32) {
        (self.standard, self.summer.map_or(self.standard, |summer| summer.offset))
    }

    /// Returns the offset in force at an instant.
    pub(super) fn offset_at(self, at: DateTime<Utc>) -> i32 {
        let Some(summer) = self.summer else {
            return self.standard;
        };
        let local = at.naive_utc() + TimeDelta::seconds(i64::from(self.standard));
        let change = |change: Change, offset: i32| {
            change.of(local.year()).map(|local| local - TimeDelta::seconds(i64::from(offset)))
        };
        let (begin, end) = (change(summer.begin, self.standard), change(summer.end, summer.offset));
        let (Some(begin), Some(end)) = (begin, end) else {
            return self.standard;
        };
        let at = at.naive_utc();
        let is_summer =
            if begin < end { begin <= at && at < end } else { !(end <= at && at < begin) };
        if is_summer { summer.offset } else { self.standard }
    }
}

impl Change {
    fn parse(text: &str) -> Option<Self> {
        let (day, at) =
            text.strip_prefix('M')?.split_once('/').unwrap_or((text.strip_prefix('M')?, "2"));
        let mut numbers = day.split('.').map(|number| number.parse::<u32>().ok());
        let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let known = (1..=12).contains(&month) && (1..=5).contains(&week) && weekday <= 6;
        (known && numbers.next().is_none()).then_some(())?;
        Some(Self { month, week, weekday, at: seconds(at)? })
    }

    /// Returns the local time of the transition in a year.
    fn of(self, year: i32) -> Option<chrono::NaiveDateTime> {
        let weekday = Weekday::try_from(((self.weekday + 6) % 7) as u8).ok()?;
        let nth =
            |week: u32| NaiveDate::from_weekday_of_month_opt(year, self.month, weekday, week as u8);
        // The fifth weekday of a month means the last one, which may be the fourth.
        let day = nth(self.week).or_else(|| nth(4))?;
        day.and_hms_opt(0, 0, 0)?.checked_add_signed(TimeDelta::seconds(i64::from(self.at)))
    }
}

/// Returns what follows an abbreviation: letters, or anything in angle brackets.
fn behind_name(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>').map(|(_, rest)| rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    text.get(end..).filter(|_| end >= 3)
}

const fn is_of_time(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '-' | ':')
}

/// Parses `-3:30`, `2` or `167:59:59` as seconds.
fn seconds(text: &str) -> Option<i32> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let mut total = 0;
    for (part, unit) in digits.split(':').zip([3600, 60, 1]) {
        let number: i32 = part.parse().ok().filter(|number| (0..=167).contains(number))?;
        total += number * unit;
    }
    Some(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_what_is_none_is_refused() {
        let berlin = Rule::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(berlin.offsets(), (3600, 7200));
        assert_eq!(Rule::parse("<+0330>-3:30").unwrap().offsets(), (12_600, 12_600));
        for text in [
            "",
            "CET",
            "CET-1CEST",
            "CET-1CEST,M13.5.0,M10.5.0",
            "CET-1CEST,J60,J300",
            "<+02",
            "X-1",
            "CET-999",
            "CET-1CEST,M3.5.0,M10.5.0/é",
        ] {
            assert_eq!(Rule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_fifth_week_is_the_last_one() {
        let change = Change::parse("M2.5.0/-1").unwrap();
        assert_eq!(change.of(2026).unwrap().to_string(), "2026-02-21 23:00:00");
    }
}
