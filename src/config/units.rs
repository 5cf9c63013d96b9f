//! Parses and renders durations, sizes and percentages.

use std::fmt::Write as _;
use std::time::Duration;

/// The text is not a duration, size or percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// A number is missing.
    #[error("a number is missing")]
    NoNumber,
    /// The unit is unknown.
    #[error("unknown unit")]
    UnknownUnit,
    /// `5s1h`, `1m1m`.
    #[error("units must go from largest to smallest")]
    Order,
    /// The number is too large.
    #[error("the number is too large")]
    TooLarge,
}

/// Units of time in nanoseconds, the largest first.
const DURATION_UNITS: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// Units of size; the first that divides a size is the one it is shown in.
const SIZE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Parses `500ms`, `15s`, `5m`, `1h30m`, `0.5s`, `2d` or a bare number of seconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let (unit, after) = split_unit(after);
        let nanos = match unit {
            "" if number.len() == text.len() => 1_000_000_000,
            _ => DURATION_UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, nanos)| *nanos)
                .ok_or(UnitError::UnknownUnit)?,
        };
        if nanos >= smallest {
            return Err(UnitError::Order);
        }
        smallest = nanos;
        total = total.checked_add(times(number, nanos)?).ok_or(UnitError::TooLarge)?;
        rest = after;
    }
    Ok(Duration::from_nanos(total))
}

/// Parses `8MiB`, `64KiB`, `10MB` or a bare number of bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let (number, after) = split_number(text)?;
    let unit = after.trim_start();
    let bytes = match unit {
        "" => 1,
        _ => SIZE_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, bytes)| *bytes)
            .ok_or(UnitError::UnknownUnit)?,
    };
    times(number, bytes)
}

/// Parses `10%` or `0.1` as a fraction.
pub fn parse_fraction(text: &str) -> Result<f64, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let (number, after) = split_number(text)?;
    let value: f64 = number.parse().map_err(|_| UnitError::NoNumber)?;
    match after.trim() {
        "" => Ok(value),
        "%" => Ok(value / 100.0),
        _ => Err(UnitError::UnknownUnit),
    }
}

/// Renders a duration as [`parse_duration`] parses it: `1h30m`, `500ms`. Truncates to milliseconds.
#[must_use]
pub fn render_duration(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (unit, nanos) in DURATION_UNITS.iter().copied() {
        // Days are read and not written: 24h says the same and is the word of the contract.
        let nanos = u128::from(nanos);
        let count = rest / nanos;
        if unit != "d" && count > 0 && write!(text, "{count}{unit}").is_ok() {
            rest %= nanos;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Renders a size as [`parse_size`] parses it, in the largest unit that divides it.
#[must_use]
pub fn render_size(bytes: u64) -> String {
    match SIZE_UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => "0B".to_owned(),
    }
}

/// Renders a fraction as a percentage.
#[must_use]
pub fn render_fraction(fraction: f64) -> String {
    format!("{}%", (fraction * 10_000.0).round() / 100.0)
}

fn split_number(text: &str) -> Result<(&str, &str), UnitError> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end).ok_or(UnitError::NoNumber)?;
    let dots = number.bytes().filter(|byte| *byte == b'.').count();
    if dots > 1 || !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with('.') {
        return Err(UnitError::NoNumber);
    }
    Ok((number, rest))
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// `number` times `unit`; what is below one nanosecond or byte is cut.
fn times(number: &str, unit: u64) -> Result<u64, UnitError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| UnitError::TooLarge)?;
    // More digits than these cannot count for a unit of at most a day.
    let digits: String = fraction.chars().take(15).collect();
    let part = match digits.parse::<u128>() {
        Ok(value) => value * u128::from(unit) / 10_u128.pow(digits.len() as u32),
        Err(_) => 0,
    };
    let part = u64::try_from(part).map_err(|_| UnitError::TooLarge)?;
    whole.checked_mul(unit).and_then(|total| total.checked_add(part)).ok_or(UnitError::TooLarge)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("15s", 15_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("60", 60_000),
            ("0.5", 500),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
            ("1m500ms", 60_500),
            (" 10s ", 10_000),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        use UnitError::{Empty, NoNumber, Order, TooLarge, UnknownUnit};
        for (text, error) in [
            ("", Empty),
            ("soon", NoNumber),
            ("-1", NoNumber),
            ("5 parsecs", UnknownUnit),
            ("1e18", UnknownUnit),
            ("5s1h", Order),
            ("1m1m", Order),
            ("5s3", UnknownUnit),
            ("1..5s", NoNumber),
            ("5.s", NoNumber),
            ("99999999999999999999s", TooLarge),
            ("999999999999d", TooLarge),
            ("５s", NoNumber),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_and_fractions() {
        assert_eq!(parse_size("8MiB"), Ok(8 << 20));
        assert_eq!(parse_size("64 KiB"), Ok(64 << 10));
        assert_eq!(parse_size("10MB"), Ok(10_000_000));
        assert_eq!(parse_size("1.5KiB"), Ok(1536));
        assert_eq!(parse_size("512"), Ok(512));
        assert_eq!(parse_size("8Mi"), Err(UnitError::UnknownUnit));
        assert_eq!(parse_size("lots"), Err(UnitError::NoNumber));
        assert_eq!(parse_size("999999999GiB999"), Err(UnitError::UnknownUnit));
        assert_eq!(parse_fraction("10%"), Ok(0.1));
        assert_eq!(parse_fraction("0.25"), Ok(0.25));
        assert_eq!(parse_fraction("ten"), Err(UnitError::NoNumber));
        assert_eq!(render_fraction(0.125), "12.5%");
    }

    proptest! {
        #[test]
        fn a_rendered_duration_reads_back(millis in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&render_duration(duration)), Ok(duration));
        }

        #[test]
        fn a_rendered_size_reads_back(bytes in any::<u64>()) {
            prop_assert_eq!(parse_size(&render_size(bytes)), Ok(bytes));
        }

        #[test]
        fn a_rendered_percentage_reads_back(hundredths in 0_u32..=5000) {
            let fraction = f64::from(hundredths) / 10_000.0;
            let back = parse_fraction(&render_fraction(fraction)).unwrap();
            prop_assert!((back - fraction).abs() < 1e-9);
        }

        #[test]
        fn nothing_makes_them_panic(text in ".{0,40}") {
            // Any answer will do, as long as there is one.
            prop_assert!(parse_duration(&text).is_ok() || parse_duration(&text).is_err());
            prop_assert!(parse_size(&text).is_ok() || parse_size(&text).is_err());
            prop_assert!(parse_fraction(&text).is_ok() || parse_fraction(&text).is_err());
        }
    }
}
