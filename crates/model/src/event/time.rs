//! Times of events: RFC 3339 in UTC.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeDelta, Timelike, Utc};

/// An instant in UTC.
pub type Time = DateTime<Utc>;

/// Formats a time as RFC 3339 in UTC with `Z`, and with a fraction only if it has one.
#[must_use]
pub fn format_time(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Parses any RFC 3339 time, including those written by [`format_time`].
#[must_use]
pub fn parse_time(text: &str) -> Option<Time> {
    plain_time(text.as_bytes()).or_else(|| any_time(text)).and_then(expressible)
}

fn any_time(text: &str) -> Option<Time> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc);
    // Leap seconds become the second before, which every parser accepts.
    if time.nanosecond() >= 1_000_000_000 { time.with_nanosecond(0) } else { Some(time) }
}

/// Returns the time if [`format_time`] can write it in a form that can be parsed again: RFC 3339
/// years have four digits. Times on pages can fall outside, by their value or by an offset.
#[must_use]
pub fn expressible(time: Time) -> Option<Time> {
    (0..=9999).contains(&time.year()).then_some(time)
}

/// Parses the most common spelling several times faster than the general parser:
/// `2026-03-08T01:30:00.000-08:00`, with or without the fraction, in any offset. Returns `None` for
/// any other spelling and for invalid or leap-second times.
fn plain_time(text: &[u8]) -> Option<Time> {
    let (head, tail) = text.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        *<&[u8; 19]>::try_from(head).ok()?
    else {
        return None;
    };
    let (nanos, zone) = match tail {
        [b'.', a, b, c, zone @ ..] if !zone.first().is_some_and(u8::is_ascii_digit) => {
            (number(&[*a, *b, *c])? * 1_000_000, zone)
        }
        _ => (0, tail),
    };
    let ahead = match *zone {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(
        number(&[y1, y2, y3, y4])? as i32,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    )?;
    let time =
        date.and_hms_nano_opt(number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?, nanos)?;
    time.checked_sub_signed(TimeDelta::try_seconds(ahead)?).map(|time| time.and_utc())
}

/// Parses digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

/// For `serde(with)`.
pub(super) mod required {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::event) fn serialize<S: Serializer>(
        time: &super::Time,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::format_time(*time))
    }

    pub(in crate::event) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<super::Time, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        super::parse_time(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// The same for a time that may be missing.
pub(super) mod optional {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(in crate::event) fn serialize<S: Serializer>(
        time: &Option<super::Time>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => s.serialize_str(&super::format_time(*time)),
            None => s.serialize_none(),
        }
    }

    pub(in crate::event) fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<super::Time>, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(d)?;
        text.map(|text| {
            super::parse_time(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
        })
        .transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(text: &str) -> Option<Time> {
        any_time(text).and_then(expressible)
    }

    #[test]
    fn what_is_read_as_a_time_can_be_written_and_read_again() {
        for text in [
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.5+02:00",
            "9999-12-31T23:59:59Z",
            "2016-12-31T23:59:60Z",
        ] {
            let time = parse_time(text).unwrap();
            assert_eq!(parse_time(&format_time(time)), Some(time), "{text}");
        }
        for text in
            ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "-0026-03-07T10:00:00Z"]
        {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn times_as_platforms_write_them_are_read_the_quick_way() {
        for text in [
            "2026-03-08T01:30:00Z",
            "2026-03-08T01:30:00.250Z",
            "2024-02-29T23:59:59.999-08:00",
            "2026-03-08T01:30:00+05:30",
        ] {
            assert_eq!(plain_time(text.as_bytes()), slow(text), "{text}");
            assert!(plain_time(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-03-08T24:00:00Z",
            "2026-03-08T01:30:00",
            "2026-03-08 01:30:00Z",
            "2026-03-08T01:30:00.1234Z",
            "",
            "Z",
        ] {
            assert_eq!(plain_time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_says_what_the_slow_one_says(
            date in "[0-9]{4}-[0-3][0-9]-[0-3][0-9]", time in "[Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]",
            fraction in "(|\\.[0-9]{0,10})", zone in "(|Z|z|[+-][0-2][0-9]:?[0-6][0-9])",
        ) {
            let text = format!("{date}{time}{fraction}{zone}");
            prop_assert_eq!(parse_time(&text), slow(&text), "{}", text);
        }

        #[test]
        fn no_text_is_taken_for_another_time(text in "\\PC{0,32}") {
            prop_assert_eq!(parse_time(&text), slow(&text), "{}", text);
        }
    }
}
