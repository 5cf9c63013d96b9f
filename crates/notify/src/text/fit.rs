//! Cuts a text to a limit, in the unit the service counts in.

use std::borrow::Cow;

use unicode_segmentation::GraphemeCursor;

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

const fn char_length(c: char, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => c.len_utf8(),
        Unit::Chars => 1,
        Unit::Utf16 => c.len_utf16(),
    }
}

/// Returns the start of the grapheme cluster that `at`, a boundary of characters, is in.
fn cluster_start(text: &str, at: usize) -> usize {
    let mut cursor = GraphemeCursor::new(at, text.len(), true);
    // With the whole text at hand the cursor never asks for more.
    match cursor.is_boundary(text, 0) {
        Ok(true) => at,
        _ => cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0),
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
    let Some(room) = max.checked_sub(char_length(MARK, unit)) else {
        return Cow::Borrowed("");
    };
    let mut used = 0;
    let limit = text.char_indices().find(|&(_, c)| {
        used += char_length(c, unit);
        used > room
    });
    let end = limit.map_or(text.len(), |(at, _)| cluster_start(text, at));
    // What follows may be the space or line break that ends the last word.
    let next = text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let last = |separator: char, least: usize| {
        let at = text.get(..end + next)?.rfind(separator)?;
        (length(text.get(..at)?, unit) >= least).then_some(at)
    };
    let end = last('\n', room / 2).or_else(|| last(' ', room * 3 / 4)).unwrap_or(end);
    let kept = text.get(..end).unwrap_or_default().trim_end();
    Cow::Owned(format!("{kept}{MARK}"))
}

/// Cuts `text` with [`fit`] so that its escaped form has at most `max` units. The text is cut before
/// it is escaped, so that no escape is cut in two.
#[must_use]
pub fn fit_escaped(text: &str, max: usize, unit: Unit, escape: impl Fn(&str) -> String) -> String {
    // What is cut off here could not fit in any case, and makes every attempt slower.
    let text = fit(text, max, unit);
    let attempt = |room| Some(escape(&fit(&text, room, unit))).filter(|e| length(e, unit) <= max);
    largest(length(&text, unit), attempt).unwrap_or_default()
}

/// Returns what `attempt` makes of the largest room up to `most` that it can do with, or of one that
/// is smaller by at most a 64th of `most`; `None` if there is none. For limits of a whole message: `attempt` cuts a text to the room and returns the message
/// unless it is too large.
pub fn largest<T>(most: usize, attempt: impl Fn(usize) -> Option<T>) -> Option<T> {
    if let Some(whole) = attempt(most) {
        return Some(whole);
    }
    let (mut low, mut high) = (0, most);
    let mut best = None;
    while low < high && (best.is_none() || high - low > most / 64) {
        let middle = low + (high - low) / 2;
        match attempt(middle) {
            Some(found) => {
                best = Some(found);
                low = middle + 1;
            }
            None => high = middle,
        }
    }
    best
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

    #[test]
    fn an_escaped_text_fits_and_no_escape_is_cut() {
        let escape = |text: &str| text.replace('<', "&lt;");
        assert_eq!(fit_escaped("a<b", 6, Unit::Chars, escape), "a&lt;b");
        assert_eq!(fit_escaped("<<<<<<", 10, Unit::Chars, escape), "&lt;&lt;…");
        assert_eq!(fit_escaped("", 0, Unit::Chars, escape), "");
        assert_eq!(largest(100, |room| (room <= 57).then_some(room)), Some(57));
        assert_eq!(largest(100, |_| None::<()>), None);
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
                let escaped = fit_escaped(&text, max, unit, crate::text::markdown);
                prop_assert!(length(&escaped, unit) <= max);
            }
        }
    }
}
