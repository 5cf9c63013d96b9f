//! The vocabulary of dates: `words.tsv` as an in-memory table.

use std::collections::HashMap;
use std::sync::LazyLock;

use statuswatch_model::zone::Zone;

const DATA: &str = include_str!("words.tsv");

/// Longest name in the table, in words.
pub(super) const LONGEST: usize = 4;

/// The meaning of a word in a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A month, 1 to 12.
    Month(u32),
    /// A weekday, which is ignored: feeds get it wrong.
    Weekday,
    /// AM (`false`) or PM.
    Half(bool),
    /// No meaning.
    Filler,
    /// A time zone.
    Zone(Zone),
}

static WORDS: LazyLock<HashMap<&'static str, Meaning>> = LazyLock::new(|| {
    let weekdays =
        ["月", "火", "水", "木", "金", "土", "日", "월", "화", "수", "목", "금", "토", "일"];
    rows()
        .filter_map(|(word, meaning)| Some((word, meaning_of(meaning)?)))
        .chain(weekdays.map(|day| (day, Meaning::Weekday)))
        .collect()
});

/// Returns the meaning of a word, or of several separated by spaces, in a date.
pub(super) fn lookup(word: &str) -> Option<Meaning> {
    WORDS.get(word).copied()
}

fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    DATA.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?))
    })
}

fn meaning_of(text: &str) -> Option<Meaning> {
    Some(match text.split_once(' ') {
        Some(("month", number)) => Meaning::Month(number.parse().ok()?),
        Some(("offset", minutes)) => {
            let minutes: i32 = minutes.parse().ok()?;
            Meaning::Zone(if minutes == 0 { Zone::UTC } else { Zone::fixed(minutes * 60)? })
        }
        Some(("zone", name)) => Meaning::Zone(Zone::named(name)?),
        None if text == "day" => Meaning::Weekday,
        None if text == "am" => Meaning::Half(false),
        None if text == "pm" => Meaning::Half(true),
        None if text == "filler" => Meaning::Filler,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_meaning_and_no_word_has_two() {
        let mut seen = HashSet::new();
        for line in DATA.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{line}");
            assert!(meaning_of(columns[1]).is_some(), "{line}");
            assert!(seen.insert(columns[0]), "{line}");
            assert_eq!(crate::support::fold::fold(columns[0]), columns[0], "{line}");
            assert!(columns[0].split(' ').count() <= LONGEST, "{line}");
        }
        for language in ["en", "de", "fr", "es", "pt", "it", "nl"] {
            let months: HashSet<&str> = DATA
                .lines()
                .filter(|line| line.split([' ', '\t']).any(|column| column == language))
                .filter_map(|line| line.split('\t').nth(1)?.strip_prefix("month "))
                .collect();
            assert_eq!(months.len(), 12, "{language}");
        }
    }
}
