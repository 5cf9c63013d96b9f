//! Cuts a text to a limit, in the unit the service counts in.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;

/// What a service counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of UTF-8.
    Bytes,
    /// Unicode scalar values.
    Chars,
    /// Code units of UTF-16.
    Utf16,
}

/// Marks where a text was cut.
const MARK: char = '…';

/// Returns the length of `text`.
#[must_use]
pub fn length(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => text.len(),
        Unit::Chars => text.chars().count(),
        Unit::Utf16 => text.chars().map(char::len_utf16).sum(),
    }
}

fn mark_length(unit: Unit) -> usize {
    match unit {
        Unit::Bytes => MARK.len_utf8(),
        Unit::Chars | Unit::Utf16 => 1,
    }
}

/// Cuts `text` to at most `max` units. A text that is cut ends at a paragraph if that keeps at
/// least half of what fits, otherwise at a word, otherwise between two grapheme clusters, and then
/// with `…`.
///
/// Escape a text after it was cut, never before: an escape must not be cut in two.
#[must_use]
pub fn fit(text: &str, max: usize, unit: Unit) -> Cow<'_, str> {
    if length(text, unit) <= max {
        return Cow::Borrowed(text);
    }
    let Some(room) = max.checked_sub(mark_length(unit)) else {
        return Cow::Borrowed("");
    };
    let (mut used, mut end, mut word, mut paragraph) = (0, 0, None, None);
    for (at, cluster) in text.grapheme_indices(true) {
        match cluster {
            "\n" => paragraph = Some((at, used)),
            " " => word = Some((at, used)),
            _ => {}
        }
        let next = used + length(cluster, unit);
        if next > room {
            break;
        }
        used = next;
        end = at + cluster.len();
    }
    let long_enough = |place: Option<(usize, usize)>, least: usize| {
        place.filter(|(_, before)| *before >= least).map(|(at, _)| at)
    };
    let end =
        long_enough(paragraph, room / 2).or_else(|| long_enough(word, room * 3 / 4)).unwrap_or(end);
    let kept = text.get(..end).unwrap_or_default().trim_end();
    Cow::Owned(format!("{kept}{MARK}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cuts_at_a_paragraph_a_word_or_a_grapheme() {
        assert_eq!(fit("short", 5, Unit::Chars), "short");
        assert_eq!(fit("one two three\nfour five six", 20, Unit::Chars), "one two three…");
        assert_eq!(fit("one two three four five", 16, Unit::Chars), "one two three…");
        assert_eq!(fit("aaaaaaaaaaaaaaaaaaaa", 10, Unit::Chars), "aaaaaaaaa…");
        // A flag of two scalar values and a family of seven are kept whole or left out.
        assert_eq!(fit("ab🇩🇪🇩🇪", 5, Unit::Chars), "ab🇩🇪…");
        assert_eq!(fit("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 8, Unit::Chars), "👨‍👩‍👧‍👦…");
        assert_eq!(fit("anything", 0, Unit::Bytes), "");
    }

    proptest! {
        #[test]
        fn always_fits_and_keeps_a_prefix(
            text in "\\PC{0,40}([ \n]\\PC{0,20}){0,6}",
            max in 0usize..60,
        ) {
            for unit in [Unit::Bytes, Unit::Chars, Unit::Utf16] {
                let cut = fit(&text, max, unit);
                prop_assert!(length(&cut, unit) <= max);
                let kept = cut.strip_suffix(MARK).unwrap_or(&cut);
                prop_assert!(text.starts_with(kept));
            }
        }
    }
}
