//! `Retry-After`: how long a host asks to be left alone.
//!
//! The header is written by applications, by proxies in front of them, and by wrong clocks.
//! Unparsable values are ignored; the caller caps the rest.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use url::Url;

use super::headers::seconds;
use crate::event::Time;

/// A longer wait until a date indicates that two clocks disagree, if another reading gives a
/// shorter one.
const PLAUSIBLE: Duration = Duration::from_hours(24);

/// Returns how long the host asks for, uncapped; the longest of several headers or values. `now`:
/// the time by our own clock.
pub(super) fn after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let date = values(headers, DATE).find_map(http_date);
    values(headers, RETRY_AFTER).flat_map(|value| waits(value, date, now)).max()
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok())
}

/// Parses one header: a date, which contains a comma, or numbers of seconds separated by commas.
fn waits(value: &str, date: Option<Time>, now: Time) -> Vec<Duration> {
    if let Some(until) = http_date(value) {
        return vec![wait_until(until, date, now)];
    }
    value.split(',').filter_map(|part| seconds(part.trim())).map(Duration::from_secs).collect()
}

/// Returns how far away a date is: by the server's own clock, as it named the date, or by ours if
/// the server's is implausible. A past date asks for nothing.
fn wait_until(until: Time, date: Option<Time>, now: Time) -> Duration {
    let from = |clock: Time| until.signed_duration_since(clock).to_std().unwrap_or_default();
    let (theirs, ours) = (from(date.unwrap_or(now)), from(now));
    if !theirs.is_zero() && theirs <= PLAUSIBLE {
        return theirs;
    }
    // Both clocks may be wrong, or the header may mean it: use the shorter wait.
    match (theirs.is_zero(), ours.is_zero()) {
        (false, false) => theirs.min(ours),
        (true, false) if ours <= PLAUSIBLE => ours,
        _ => Duration::ZERO,
    }
}

/// Parses the three date forms of RFC 9110.
fn http_date(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.to_utc());
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc())
}

/// Describes which host asked for the wait and how it was capped.
pub(super) fn asked_by(url: &Url, answer: &str, wish: Duration, most: Duration) -> String {
    let host = url.host_str().unwrap_or("the host");
    if wish > most {
        format!("{host} ({answer}; it asked for {}, max_wait is {})", spoken(wish), spoken(most))
    } else {
        format!("{host} ({answer})")
    }
}

/// Formats a duration in its two largest units: `1h 30m`, `24d`, `7s`.
pub(super) fn spoken(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if rest >= length && parts.len() < 2 {
            parts.push(format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    if parts.is_empty() { format!("{}ms", duration.as_millis()) } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;
    use crate::event::parse_time;

    fn now() -> Time {
        parse_time("2026-11-27T12:00:00Z").unwrap()
    }

    fn wait(pairs: &[(&'static str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        after(&headers, now()).map(|wait| wait.as_secs())
    }

    fn date(time: Time) -> String {
        time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    #[test]
    fn seconds_and_dates() {
        assert_eq!(wait(&[("retry-after", "5")]), Some(5));
        assert_eq!(wait(&[("retry-after", " 5 ")]), Some(5));
        for nothing in ["soon", "-5", "5.5", "", ",", "5s", "0x10", "Sun, 99 Nov 1994 08:49:37 GMT"]
        {
            assert_eq!(wait(&[("retry-after", nothing)]), None, "{nothing}");
        }
        let sent = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(wait(&[("retry-after", form), sent]), Some(7));
        }
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(0));
    }

    #[test]
    fn the_longest_of_several_values_applies() {
        assert_eq!(wait(&[("retry-after", "5"), ("retry-after", "60")]), Some(60));
        assert_eq!(wait(&[("retry-after", "60, 60")]), Some(60));
        assert_eq!(wait(&[("retry-after", "soon"), ("retry-after", "60")]), Some(60));
        let until = date(now() + TimeDelta::seconds(90));
        assert_eq!(wait(&[("retry-after", "60"), ("retry-after", &until)]), Some(90));
    }

    #[test]
    fn a_wrong_clock_does_not_make_a_long_wait() {
        let in_a_minute = date(now() + TimeDelta::seconds(60));
        for wrong in ["1970-01-01T00:00:09Z", "2099-01-01T00:00:00Z", "2026-11-20T00:00:00Z"] {
            let sent = date(parse_time(wrong).unwrap());
            assert_eq!(
                wait(&[("date", &sent), ("retry-after", &in_a_minute)]),
                Some(60),
                "{wrong}"
            );
        }
        // The server's clock is wrong throughout, but the difference is right.
        let (sent, until) = ("Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:01:00 GMT");
        assert_eq!(wait(&[("date", sent), ("retry-after", until)]), Some(60));
        // Two days that both clocks agree on are meant.
        let (sent, until) = (date(now()), date(now() + TimeDelta::days(2)));
        assert_eq!(wait(&[("date", &sent), ("retry-after", &until)]), Some(172_800));
    }

    #[test]
    fn the_host_that_asked_is_named() {
        let url = Url::parse("https://status.acme.example/x").unwrap();
        let hour = Duration::from_hours(1);
        assert_eq!(
            asked_by(&url, "429 Too Many Requests", hour, hour),
            "status.acme.example (429 Too Many Requests)"
        );
        assert_eq!(
            asked_by(&url, "503 Service Unavailable", 30 * hour, hour),
            "status.acme.example (503 Service Unavailable; it asked for 1d 6h, max_wait is 1h)"
        );
        assert_eq!(spoken(Duration::from_millis(250)), "250ms");
    }

    proptest! {
        /// No value yields a longer wait than some reading of it allows.
        #[test]
        fn any_value_is_read_or_ignored(values in prop::collection::vec("[ -~]{0,40}", 0..4), sent in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            headers.append("date", HeaderValue::from_str(&sent).unwrap());
            for value in &values {
                headers.append("retry-after", HeaderValue::from_str(value).unwrap());
            }
            after(&headers, now());
        }

        #[test]
        fn numbers_are_seconds_however_long(digits in "[0-9]{1,60}") {
            let read = wait(&[("retry-after", &digits)]).unwrap();
            let meant = digits.parse::<u64>().unwrap_or(u64::MAX);
            prop_assert_eq!(read, meant.min(u64::from(u32::MAX)));
        }

        /// The wait that a server means is found by its own clock, right or wrong.
        #[test]
        fn dates_are_differences(clock in 0_i64..4_000_000_000, seconds in 1_i64..86_400) {
            let sent = DateTime::from_timestamp(clock, 0).unwrap();
            let until = date(sent + TimeDelta::seconds(seconds));
            let read = wait(&[("date", &date(sent)), ("retry-after", &until)]);
            prop_assert_eq!(read, Some(seconds as u64));
        }

        /// A correct date is read by our clock if the server's is wrong by more than a day.
        #[test]
        fn dates_survive_a_server_without_a_clock(off in 2_i64..20_000, early: bool, seconds in 1_i64..86_400) {
            let wrong = if early { now() - TimeDelta::days(off) } else { now() + TimeDelta::days(off) };
            let until = date(now() + TimeDelta::seconds(seconds));
            let read = wait(&[("date", &date(wrong)), ("retry-after", &until)]);
            prop_assert_eq!(read, Some(seconds as u64));
        }
    }
}
