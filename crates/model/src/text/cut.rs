//! Truncates text at a grapheme cluster boundary and adds an ellipsis.

use std::borrow::Cow;

use unicode_segmentation::GraphemeCursor;

use super::head;

/// Marks where a text was truncated.
pub(super) const CUT: char = '…';

/// Truncates `text` to `max` bytes, which must be at least 3. A truncated text ends at a grapheme
/// cluster boundary, followed by `…`.
#[must_use]
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let end = boundary(text, max.saturating_sub(CUT.len_utf8()));
    let mut kept = text.get(..end).unwrap_or_default().trim_end().to_owned();
    kept.push(CUT);
    Cow::Owned(kept)
}

/// Returns the last grapheme cluster boundary within `max` bytes. If a single cluster is longer,
/// such as a letter with a hundred accents, returns a character boundary within it.
pub(super) fn boundary(text: &str, max: usize) -> usize {
    let end = head(text, max).len();
    let mut cursor = GraphemeCursor::new(end, text.len(), true);
    if cursor.is_boundary(text, 0) == Ok(true) {
        return end;
    }
    match cursor.prev_boundary(text, 0) {
        Ok(Some(before)) if before > 0 => before,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation as _;

    use super::*;

    #[test]
    fn what_is_seen_as_one_sign_is_not_divided() {
        for (text, max, kept) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "…"),
            ("abcdef", 5, "ab…"),
            ("ab cdef", 6, "ab…"),
            // A combining accent, a flag, a skin tone, a decomposed Hangul syllable.
            ("abe\u{301}fghi", 7, "ab…"),
            ("abe\u{301}fghi", 8, "abe\u{301}…"),
            ("ab\u{1f1e9}\u{1f1ea}cd", 10, "ab…"),
            ("ab\u{1f1e9}\u{1f1ea}cdef", 13, "ab\u{1f1e9}\u{1f1ea}…"),
            ("ab\u{1f44d}\u{1f3fd}cd", 10, "ab…"),
            ("ab\u{1112}\u{1161}\u{11ab}cd", 12, "ab…"),
        ] {
            assert_eq!(cut(text, max), kept, "{text:?} at {max}");
        }
        let towering = format!("a{}", "\u{301}".repeat(1000));
        assert_eq!(cut(&towering, 10).len(), 10, "one sign of two thousand bytes is cut");
    }

    proptest! {
        #[test]
        fn a_cut_text_is_a_start_of_whole_signs(text in "(a|\\PC|\u{301}|\u{1f1e9}){0,40}", max in 3_usize..60) {
            let cut = cut(&text, max);
            prop_assert!(cut.len() <= max);
            if text.len() > max {
                let kept = cut.strip_suffix(CUT).unwrap();
                prop_assert!(text.starts_with(kept));
                let first = text.graphemes(true).next().map_or(0, str::len);
                let whole = text.grapheme_indices(true).any(|(at, _)| text.split_at(at).0.trim_end() == kept);
                prop_assert!(whole || first + 3 > max, "{text:?} {kept:?}");
            }
        }
    }
}
