//! The dates feeds write: RFC 3339, RFC 822 with its abuses, dates for people, unix times.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta};

use crate::event::{Time, expressible, parse_time};

/// No date is longer; what is, is prose.
const MAX_CHARS: usize = 64;

/// A date as written: what is missing is not guessed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) year: Option<i32>,
    pub(super) month: Option<u32>,
    pub(super) day: Option<u32>,
    pub(super) hour: Option<u32>,
    minute: u32,
    second: u32,
    nanos: u32,
    /// Seconds east of UTC; UTC where none is written.
    offset: Option<i32>,
    pm: Option<bool>,
}

/// Reads a time; one without a zone is taken as UTC.
pub(in crate::source) fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    if text.len() > MAX_CHARS {
        return None;
    }
    if let Some(time) = parse_time(text) {
        return Some(time);
    }
    if let Ok(number) = text
        .parse::<i64>()
        .or_else(|error| text.parse::<f64>().map(|number| number as i64).map_err(|_| error))
    {
        // Seconds since 1970 have had ten digits since 2001, milliseconds thirteen.
        return match number {
            1_000_000_000..10_000_000_000 => DateTime::from_timestamp(number, 0),
            1_000_000_000_000..10_000_000_000_000 => DateTime::from_timestamp_millis(number),
            _ => None,
        };
    }
    let written = Written::read(text)?;
    written.in_year(written.year?)
}

impl Written {
    /// Takes a date apart; `None` where a word is no part of a date.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_CHARS {
            return None;
        }
        let mut written = Self::default();
        for token in text
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')'))
            .filter(|token| !token.is_empty())
        {
            written.token(token)?;
        }
        Some(written)
    }

    /// The instant, if it is one in this year.
    pub(super) fn in_year(self, year: i32) -> Option<Time> {
        if !(1970..=9999).contains(&year) {
            return None;
        }
        let hour = match (self.hour.unwrap_or(0), self.pm) {
            (12, Some(false)) => 0,
            (hour @ 1..12, Some(true)) => hour + 12,
            (hour, _) => hour,
        };
        let date = NaiveDate::from_ymd_opt(year, self.month?, self.day?)?;
        let time = date.and_hms_nano_opt(hour, self.minute, self.second.min(59), self.nanos)?;
        let offset = TimeDelta::seconds(i64::from(self.offset.unwrap_or(0)));
        expressible(NaiveDateTime::checked_sub_signed(time, offset)?.and_utc())
    }

    /// The instant, in the year that is written or else in the one that brings it nearest to
    /// `near`.
    pub(super) fn near(self, near: Time) -> Option<Time> {
        if let Some(year) = self.year {
            return self.in_year(year);
        }
        let candidates = (near.year() - 1..=near.year() + 1).filter_map(|year| self.in_year(year));
        candidates.min_by_key(|time| (*time - near).abs())
    }

    /// The instant, in the year that is written or else in the last one in which it is not after
    /// `latest`.
    pub(super) fn before(self, latest: Time) -> Option<Time> {
        if let Some(year) = self.year {
            return self.in_year(year);
        }
        let candidates =
            (latest.year() - 8..=latest.year()).rev().filter_map(|year| self.in_year(year));
        candidates.into_iter().find(|time| *time <= latest)
    }

    /// Takes the zone of `other` where none is written here.
    pub(super) fn inherit_zone(&mut self, other: Self) {
        self.offset = self.offset.or(other.offset);
    }

    /// Takes year, month and day of `other` where they are not written here.
    pub(super) fn inherit_date(&mut self, other: Self) {
        self.year = self.year.or(other.year);
        self.month = self.month.or(other.month);
        self.day = self.day.or(other.day);
    }

    fn token(&mut self, token: &str) -> Option<()> {
        let lower = token.trim_end_matches('.').to_ascii_lowercase();
        if lower.is_empty() || matches!(lower.as_str(), "-" | "–" | "at" | "of" | "the" | "on") {
            return Some(());
        }
        if let Some(pm) = match lower.as_str() {
            "am" | "a.m" => Some(false),
            "pm" | "p.m" => Some(true),
            _ => None,
        } {
            self.pm = Some(pm);
            return Some(());
        }
        if self.hour.is_some()
            && let Some(offset) = zone(&lower)
        {
            // "+0000 UTC" says it twice.
            self.offset = self.offset.or(Some(offset));
            return Some(());
        }
        if lower.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return self.word(&lower);
        }
        if let Some((date, time)) =
            lower.split_once('t').filter(|(date, _)| date.contains('-') && date.is_ascii())
        {
            self.date(date)?;
            return self.clock(time);
        }
        if lower.contains(':') {
            return self.clock(&lower);
        }
        if lower.contains(['-', '/']) {
            return self.date(&lower);
        }
        self.number(&lower)
    }

    /// A month, a weekday (which is not believed: feeds get it wrong), or a zone before the time.
    fn word(&mut self, word: &str) -> Option<()> {
        const MONTHS: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        const DAYS: [&str; 7] =
            ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let is = |long: &&str| word.len() >= 3 && long.starts_with(word);
        if let Some(month) = MONTHS
            .iter()
            .position(|long| long.starts_with(word) && word.len() >= 3)
            .or_else(|| (word == "sept").then_some(8))
        {
            self.month = Some(month as u32 + 1);
            return Some(());
        }
        if DAYS.iter().any(is) || matches!(word, "tues" | "thur") {
            return Some(());
        }
        self.offset = Some(zone(word)?);
        Some(())
    }

    /// `2026-03-03`, `2026/03/03`, `03-mar-26`.
    fn date(&mut self, text: &str) -> Option<()> {
        let mut parts = text.split(['-', '/']);
        let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        if second.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            self.number(first)?;
            self.word(second)?;
            return self.number(third);
        }
        // 03/04/2026 is March in one country and April in the next: no guess.
        if first.len() != 4 {
            return None;
        }
        self.year = Some(first.parse().ok()?);
        self.month = Some(second.parse().ok()?);
        self.day = Some(third.parse().ok()?);
        Some(())
    }

    /// `21:09`, `21:09:04.123`, with `Z`, `+02:00`, `pm` or `utc` at its end.
    fn clock(&mut self, text: &str) -> Option<()> {
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.')))
            .unwrap_or(text.len());
        let (clock, suffix) = text.split_at(end);
        let mut parts = clock.split(':');
        self.hour = Some(parts.next()?.parse().ok()?);
        self.minute = parts.next()?.parse().ok()?;
        if let Some(seconds) = parts.next() {
            let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
            self.second = seconds.parse().ok()?;
            if !fraction.is_empty() {
                self.nanos =
                    format!("{:0<9}", fraction.get(..9).unwrap_or(fraction)).parse().ok()?;
            }
        }
        match suffix {
            "" => {}
            "am" => self.pm = Some(false),
            "pm" => self.pm = Some(true),
            _ => self.offset = Some(zone(suffix)?),
        }
        (self.second <= 60 && parts.next().is_none()).then_some(())
    }

    /// A day, then a year; four digits are a year anywhere.
    fn number(&mut self, text: &str) -> Option<()> {
        let digits =
            ["st", "nd", "rd", "th"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
        let number: u32 = digits.parse().ok()?;
        match (digits.len(), self.day, self.year) {
            (4, _, None) => self.year = Some(number as i32),
            (1 | 2, None, _) => self.day = Some(number),
            // RFC 2822: two digits below 50 are of this century.
            (2, Some(_), None) => {
                self.year = Some(number as i32 + if number < 50 { 2000 } else { 1900 });
            }
            _ => return None,
        }
        Some(())
    }
}

/// Seconds east of UTC of `z`, `utc`, `+02:00`, `-0800`, `+03` or an abbreviation. Where two zones
/// share one (IST, BST, CST) the one that status pages mean is taken.
fn zone(text: &str) -> Option<i32> {
    if let Some(sign) = text.chars().next().filter(|c| matches!(c, '+' | '-')) {
        let digits: String = text.chars().skip(1).filter(|c| *c != ':').collect();
        let (hours, minutes) = match digits.len() {
            1 | 2 => (digits.parse::<i32>().ok()?, 0),
            4 => (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse::<i32>().ok()?),
            _ => return None,
        };
        let seconds = (hours * 60 + minutes) * 60;
        return FixedOffset::east_opt(if sign == '-' { -seconds } else { seconds })
            .map(|offset| offset.local_minus_utc());
    }
    let minutes = match text {
        "z" | "utc" | "gmt" | "ut" | "wet" => 0,
        "est" | "cdt" => -300,
        "edt" | "ast" => -240,
        "cst" | "mdt" => -360,
        "mst" | "pdt" => -420,
        "pst" | "akdt" => -480,
        "akst" => -540,
        "hst" => -600,
        "nst" => -210,
        "ndt" => -150,
        "adt" | "brt" | "art" => -180,
        "cet" | "met" | "west" | "bst" => 60,
        "cest" | "mest" | "eet" | "sast" => 120,
        "eest" | "msk" | "trt" => 180,
        "gst" => 240,
        "pkt" => 300,
        "ist" => 330,
        "ict" | "wib" => 420,
        "sgt" | "hkt" | "awst" | "pht" => 480,
        "jst" | "kst" => 540,
        "acst" => 570,
        "aest" => 600,
        "acdt" => 630,
        "aedt" => 660,
        "nzst" => 720,
        "nzdt" => 780,
        _ => return None,
    };
    Some(minutes * 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::format_time;

    #[test]
    fn reads_what_feeds_write() {
        for (text, time) in [
            ("2026-03-03T21:09:04Z", "2026-03-03T21:09:04Z"),
            ("2026-03-03T13:09:04.250-08:00", "2026-03-03T21:09:04.250Z"),
            ("2026-03-03T21:09Z", "2026-03-03T21:09:00Z"),
            ("2026-03-03T21:09:04+0200", "2026-03-03T19:09:04Z"),
            ("2026-03-03 21:09:04", "2026-03-03T21:09:04Z"),
            ("2026-03-03 21:09:04 +0000 UTC", "2026-03-03T21:09:04Z"),
            ("2026-03-03", "2026-03-03T00:00:00Z"),
            ("Tue, 03 Mar 2026 21:09:04 GMT", "2026-03-03T21:09:04Z"),
            ("Mon, 3 Mar 2026 21:09:04 +0100", "2026-03-03T20:09:04Z"),
            ("Tue, 03 Mar 2026 21:09:04 Z", "2026-03-03T21:09:04Z"),
            ("Tue, 03 Mar 26 21:09 PST", "2026-03-04T05:09:00Z"),
            ("Tue, 03 Mar 2026 21:09:04 PDT", "2026-03-04T04:09:04Z"),
            ("Tue, 03 Mar 2026 21:09:04 EST", "2026-03-04T02:09:04Z"),
            ("Tue, 03 Mar 2026 21:09:04 CET", "2026-03-03T20:09:04Z"),
            ("Tuesday, 03 March 2026 21:09:04", "2026-03-03T21:09:04Z"),
            ("March 3, 2026", "2026-03-03T00:00:00Z"),
            ("Mar 3, 2026 - 21:09 UTC", "2026-03-03T21:09:00Z"),
            ("Mar 3rd, 2026 at 9:09pm", "2026-03-03T21:09:00Z"),
            ("03-Mar-26 12:09 AM", "2026-03-03T00:09:00Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("Sat, 31 Dec 2016 23:59:60 GMT", "2016-12-31T23:59:59Z"),
            ("1772572144", "2026-03-03T21:09:04Z"),
            ("1772572144250", "2026-03-03T21:09:04.250Z"),
            ("03/04/2026", ""),
            ("tomorrow", ""),
            ("Tue, 03 Mar 2026 21:09:04 XYZ", ""),
            ("Mar 32, 2026", ""),
            ("12", ""),
            ("", ""),
        ] {
            assert_eq!(parse(text).map(format_time).unwrap_or_default(), time, "{text}");
        }
    }

    #[test]
    fn a_missing_year_is_the_one_that_fits() {
        let near = parse("2026-01-02T10:00:00Z").unwrap();
        let written = Written::read("Dec 31, 23:50 PST").unwrap();
        assert_eq!(format_time(written.near(near).unwrap()), "2026-01-01T07:50:00Z");
        assert_eq!(format_time(written.before(near).unwrap()), "2026-01-01T07:50:00Z");
        let leap = Written::read("Feb 29, 10:00 UTC").unwrap();
        assert_eq!(format_time(leap.before(near).unwrap()), "2024-02-29T10:00:00Z");
        assert_eq!(leap.near(near), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[0-9A-Za-z:+., /-]{0,40}") {
            let _ = parse(&text);
            let _ = Written::read(&text).and_then(|written| written.near(DateTime::UNIX_EPOCH));
        }
    }
}
