//! Splits a date into numbers, words and symbols.

use super::names;
use crate::support::fold::{is_unspaced, unspaced_word};

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// ASCII digits.
    Number,
    /// Letters, or one known word or single character of an ideographic or Hangul run.
    Word,
    /// Anything else, one character.
    Sign(char),
}

/// A token of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) class: Class,
    pub(super) text: &'t str,
    /// Whether it directly follows the previous token.
    pub(super) glued: bool,
}

/// Longest word of a script without spaces between words, in characters.
const LONGEST_RUN: usize = 8;

/// Returns the tokens of a folded text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut glued = false;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = rest.trim_start();
            glued = false;
            continue;
        }
        let (class, end) = if c.is_ascii_digit() {
            (Class::Number, run(rest, |c| c.is_ascii_digit()))
        } else if is_unspaced(c) {
            (Class::Word, unspaced_word(rest, LONGEST_RUN, |word| names::lookup(word).is_some()))
        } else if c.is_alphabetic() {
            (Class::Word, run(rest, |c| (c.is_alphabetic() && !is_unspaced(c)) || c == '_'))
        } else {
            (Class::Sign(c), c.len_utf8())
        };
        let Some((text, after)) = rest.split_at_checked(end) else { break };
        out.push(Token { class, text, glued });
        rest = after;
        glued = true;
    }
    out
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::fold::fold;

    #[test]
    fn texts_are_split_into_numbers_words_and_symbols() {
        let text = fold("２０２６年10月24日（土） À 8H28 −05:00 Août");
        let read: Vec<&str> = tokens(&text).iter().map(|token| token.text).collect();
        assert_eq!(
            read,
            [
                "2026", "年", "10", "月", "24", "日", "(", "土", ")", "a", "8", "h", "28", "-",
                "05", ":", "00", "aout"
            ]
        );
        let text = fold("水曜日午後8時");
        let read: Vec<&str> = tokens(&text).iter().map(|token| token.text).collect();
        assert_eq!(read, ["水曜日", "午後", "8", "時"]);
    }
}
