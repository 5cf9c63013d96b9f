//! Case, accent and width folding, for comparing text with a vocabulary.

use unicode_normalization::UnicodeNormalization as _;

/// Returns the canonical form shared by all spellings of a text: NFKC, lower case, Latin letters
/// without accents, plain hyphens and apostrophes, no invisible characters.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkc().flat_map(char::to_lowercase) {
        match c {
            '\u{2212}' | '\u{2010}' | '\u{2011}' => out.push('-'),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' => {}
            '’' => out.push('\''),
            'ß' => out.push_str("ss"),
            c if ('\u{c0}'..'\u{250}').contains(&c) => {
                out.extend(std::iter::once(c).nfd().filter(|part| !is_accent(*part)));
            }
            c if is_accent(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns whether a character belongs to a script that puts no spaces between words: kana,
/// ideographs, Hangul.
#[must_use]
pub const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3005}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// Returns the length in bytes of the longest word at the start of `text` that `known` accepts, up
/// to `longest` characters; otherwise the length of its first character.
#[must_use]
pub fn unspaced_word(text: &str, longest: usize, known: impl Fn(&str) -> bool) -> usize {
    let mut end_of_word = text.chars().next().map_or(0, char::len_utf8);
    let run = text.char_indices().take(longest).take_while(|(_, c)| is_unspaced(*c));
    for (at, c) in run {
        let end = at + c.len_utf8();
        if text.get(..end).is_some_and(&known) {
            end_of_word = end_of_word.max(end);
        }
    }
    end_of_word
}

const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_folded_into_one() {
        assert_eq!(fold("ＲÉSOLU – Störung, Größe’s «été»"), "resolu – storung, grosse's «ete»");
        assert_eq!(fold("e\u{301}te\u{301}"), "ete");
        assert_eq!(fold("が２０２６年"), "が2026年");
        let known = |word: &str| matches!(word, "復旧" | "復旧しました");
        assert_eq!(unspaced_word("復旧しましたか", 10, known), "復旧しました".len());
        assert_eq!(unspaced_word("今復旧", 10, known), "今".len());
        assert_eq!(unspaced_word("", 10, known), 0);
    }
}
