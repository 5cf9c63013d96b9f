//! Parses dates and times as pages and feeds write them: RFC 3339, RFC 2822 and their variants,
//! prose dates in eight languages, Unix times.
//!
//! Common formats come first and cost almost nothing. Everything else is parsed token by token
//! ([`grammar`]) with the vocabulary of `words.tsv`. What cannot be read is counted and reported
//! ([`context`]), so that the time of observation is not mistaken for the provider's.

mod context;
mod grammar;
mod lex;
mod names;
mod numbers;
mod order;
mod parts;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta};

pub(crate) use context::{page_zone, unread, within};
pub(crate) use parts::Parts;

use statuswatch_model::event::{Time, expressible, parse_time};
use statuswatch_model::zone::Zone;

/// Placeholders for a missing time.
const UNSAID: &[&str] = &[
    "null",
    "nil",
    "none",
    "undefined",
    "false",
    "0",
    "-",
    "--",
    "–",
    "—",
    "n/a",
    "na",
    "tbd",
    "tba",
    "tbc",
    "unknown",
    "never",
    "<no value>",
    "invalid date",
];

/// Parses a time. Without a zone it is in that of the page, see [`within`]. Returns `None` for an
/// empty text, a placeholder, or an unreadable text; the latter is also counted.
pub(crate) fn read(text: &str) -> Option<Time> {
    read_in(None, text)
}

/// Like [`read`], with a default zone for a time without one.
pub(crate) fn read_in(zone: Option<Zone>, text: &str) -> Option<Time> {
    let text = text.trim();
    match parse(zone, text) {
        // Programs write their epoch for a missing time.
        Some(time) if time.year() <= 1970 => None,
        Some(time) => {
            context::clear(time.date_naive());
            Some(time)
        }
        None => {
            if !says_nothing(text) {
                unread(text);
            }
            None
        }
    }
}

/// Returns whether a text means that there is no time.
fn says_nothing(text: &str) -> bool {
    text.is_empty()
        || UNSAID.iter().any(|word| word.eq_ignore_ascii_case(text))
        || ["0000-00-00", "0001-01-01"].iter().any(|start| text.starts_with(start))
}

fn parse(zone: Option<Zone>, text: &str) -> Option<Time> {
    parse_time(text)
        .or_else(|| rfc_2822(text))
        .or_else(|| unix(text))
        .or_else(|| Parts::read(text)?.in_zone(zone).instant())
}

/// Parses `Tue, 03 Mar 2026 21:09:04 GMT` or `+0100`, the format of most RSS feeds, without
/// allocating. Returns `None` for any other format.
fn rfc_2822(text: &str) -> Option<Time> {
    let bytes = text.as_bytes();
    let rest = match bytes {
        [_, _, _, b',', b' ', rest @ ..] => rest,
        _ => bytes,
    };
    let (day, rest) = match rest {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', b' ', rest @ ..] => (two(*a, *b), rest),
        [a @ b'0'..=b'9', b' ', rest @ ..] => (u32::from(a - b'0'), rest),
        _ => return None,
    };
    let [
        m1,
        m2,
        m3,
        b' ',
        y1,
        y2,
        y3,
        y4,
        b' ',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b' ',
        zone @ ..,
    ] = rest
    else {
        return None;
    };
    let month = match &[*m1, *m2, *m3] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let digits = [y1, y2, y3, y4, h1, h2, n1, n2, s1, s2];
    if digits.iter().any(|digit| !digit.is_ascii_digit()) {
        return None;
    }
    let year = two(*y1, *y2) * 100 + two(*y3, *y4);
    let east = match zone {
        b"GMT" | b"UTC" | b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, m1, m2]
            if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            let (hours, minutes) = (two(*h1, *h2), two(*m1, *m2));
            if hours > 14 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(year as i32, month, day)?;
    let local = date.and_hms_opt(two(*h1, *h2), two(*n1, *n2), two(*s1, *s2))?;
    expressible(local.checked_sub_signed(TimeDelta::seconds(east))?.and_utc())
        .filter(|time| time.year() >= 1970)
}

const fn two(tens: u8, ones: u8) -> u32 {
    (tens.wrapping_sub(b'0') as u32) * 10 + ones.wrapping_sub(b'0') as u32
}

/// Parses a Unix time in seconds, which have had ten digits since 2001, or in milli-, micro- or
/// nanoseconds; also as `@1772572144` and `/Date(1772572144250+0100)/`.
fn unix(text: &str) -> Option<Time> {
    let text = match text.strip_prefix("/Date(").and_then(|text| text.strip_suffix(")/")) {
        // The offset is that of the server and does not change the instant.
        Some(inner) => inner
            .get(1..)
            .and_then(|rest| rest.find(['+', '-']))
            .map_or(inner, |at| inner.get(..=at).unwrap_or(inner)),
        None => text.strip_prefix('@').unwrap_or(text),
    };
    if !text.starts_with(|c: char| c.is_ascii_digit()) || text.len() > 40 {
        return None;
    }
    let time = if let Ok(number) = text.parse::<i64>() {
        match number {
            1_000_000_000..10_000_000_000 => DateTime::from_timestamp(number, 0),
            1_000_000_000_000..10_000_000_000_000 => DateTime::from_timestamp_millis(number),
            1_000_000_000_000_000..10_000_000_000_000_000 => {
                DateTime::from_timestamp_micros(number)
            }
            1_000_000_000_000_000_000.. => Some(DateTime::from_timestamp_nanos(number)),
            _ => None,
        }
    } else {
        let number: f64 = text.parse().ok()?;
        let millis = if number < 1e10 { number * 1000.0 } else { number };
        (1e12..1e13).contains(&millis).then(|| DateTime::from_timestamp_millis(millis as i64))?
    };
    time.and_then(expressible)
}
