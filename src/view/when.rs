//! Renders times relative to now.

use crate::event::Time;

/// Renders `2m ago`, `in 40s` or `now`.
#[must_use]
pub fn relative(time: Time, now: Time) -> String {
    let seconds = (time - now).num_seconds();
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", span(seconds.unsigned_abs())),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

/// Renders a span in its largest unit.
#[must_use]
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `2026-02-23 10:20:49`, UTC.
#[must_use]
pub fn stamp(time: Time) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn spans_keep_one_unit() {
        let now = Time::UNIX_EPOCH;
        let table = [
            (0, "now"),
            (-1, "1s ago"),
            (-119, "119s ago"),
            (-120, "2m ago"),
            (40, "in 40s"),
            (-7_200, "2h ago"),
            (-200_000, "2d ago"),
        ];
        for (seconds, words) in table {
            assert_eq!(relative(now + TimeDelta::seconds(seconds), now), words);
        }
    }
}
