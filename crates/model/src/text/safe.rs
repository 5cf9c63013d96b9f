//! Sanitizes text for terminals, and normalizes plain text of one or many lines.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::cut::{CUT, boundary};
use super::{MAX_INPUT, head};

/// Returns whether a character is safe to print on a terminal.
pub(super) const fn is_safe(c: char) -> bool {
    !matches!(c,
        '\0'..='\x09' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' // controls but the line feed: ESC, CSI, …
        | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' // direction, invisible
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' // byte order mark, annotations
        | '\u{e0000}'..='\u{e007f}') // tags
}

/// Removes characters that could affect a terminal: control characters other than the line feed,
/// direction overrides and invisible characters. A tab becomes a space. Used for all output,
/// including diagnostics.
#[must_use]
pub fn safe(text: &str) -> String {
    text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|&c| is_safe(c)).collect()
}

/// Like [`safe`], but keeps tabs and colors: the last filter before standard output, where tables
/// add their own colors. Of all terminal sequences only color (`ESC [ … m`) passes.
#[must_use]
pub fn safe_colored(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| is_safe(c) || c == '\t') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = color_length(rest).unwrap_or(c.len_utf8());
        let (one, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if one.len() > c.len_utf8() || is_safe(c) || c == '\t' {
            out.push_str(one);
        }
        rest = after;
    }
    Cow::Owned(out)
}

/// Returns the length of the color sequence the text starts with.
fn color_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    (length <= 8 && parameters.get(length..)?.starts_with('m')).then_some(length + 3)
}

/// Escapes unsafe characters in JSON: what [`safe`] would remove is escaped, which does not change
/// the value. Line feeds between values are kept.
#[must_use]
pub fn safe_json(json: &str) -> Cow<'_, str> {
    if json.chars().all(is_safe) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_safe(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(out)
}

/// Normalizes multi-line text: applies [`safe`], converts CRLF to LF, collapses whitespace within
/// lines and keeps at most one blank line between paragraphs. Does not truncate; see
/// [`super::cut`].
#[must_use]
pub fn plain(text: &str) -> String {
    if is_folded(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for line in text
        .split(['\n', '\u{2028}', '\u{2029}', '\u{85}'])
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
    {
        let start = out.len();
        fold_into(&mut out, line);
        if out.len() == start {
            blank = true;
        } else {
            if start > 0 {
                out.insert_str(start, if blank { "\n\n" } else { "\n" });
            }
            blank = false;
        }
    }
    out
}

/// Normalizes titles and names to one line: applies [`safe`], collapses whitespace and truncates to
/// `max_chars` characters at a grapheme cluster boundary, with `…` as the last character.
#[must_use]
pub fn one_line(text: &str, max_chars: usize) -> String {
    if text.len() <= max_chars && is_folded(text) {
        return text.to_owned();
    }
    let input = head(text, MAX_INPUT);
    let mut out = String::new();
    fold_into(&mut out, input);
    let mut ends = out.char_indices().map(|(at, _)| at).skip(max_chars.saturating_sub(1));
    if let (Some(last), Some(_)) = (ends.next(), ends.next()) {
        let end = boundary(&out, last);
        out.truncate(out.get(..end).map_or(0, |kept| kept.trim_end().len()));
        out.push(CUT);
    }
    out
}

/// Appends `line` with whitespace collapsed and unsafe characters removed.
fn fold_into(out: &mut String, line: &str) {
    if is_folded(line) {
        out.push_str(line);
        return;
    }
    let start = out.len();
    let mut space = false;
    for c in line.chars() {
        if c.is_whitespace() {
            space = out.len() > start;
        } else if is_safe(c) {
            if space {
                out.push(' ');
                space = false;
            }
            out.push(c);
        }
    }
}

/// Returns whether the text is obviously normalized already: printable ASCII with single spaces.
fn is_folded(line: &str) -> bool {
    let bytes = line.as_bytes();
    // No early exit, so that the loop can be vectorized.
    let printable = bytes.iter().fold(true, |all, byte| all & (b' '..=b'~').contains(byte));
    printable
        && memchr::memmem::find(bytes, b"  ").is_none()
        && bytes.first() != Some(&b' ')
        && bytes.last() != Some(&b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folds_and_keeps_paragraphs() {
        assert_eq!(plain("a\r\n b\t\tc \r\n\r\n\n\n d\u{1b}[31m\u{202e}x\n"), "a\nb c\n\nd[31mx");
        assert_eq!(one_line(" a\n\u{200b} b\u{a0}c ", 80), "a b c");
        assert_eq!(safe("a\tb\u{9b}c\nd\u{e0041}"), "a bc\nd");
    }

    #[test]
    fn what_needs_no_folding_is_distinguished_from_what_does() {
        for folded in ["", "a", "a b", "a, b: c!~"] {
            assert!(is_folded(folded), "{folded:?}");
        }
        for other in [" ", " a", "a ", "a  b", "a\tb", "a\nb", "\u{e9}", "a\u{7f}"] {
            assert!(!is_folded(other), "{other:?}");
        }
    }

    #[test]
    fn cuts_on_a_character_with_a_mark() {
        assert_eq!(one_line("Störung", 4), "Stö…");
        assert_eq!(one_line("Störung", 7), "Störung");
        assert_eq!(one_line("ab cd", 4), "ab…");
        assert_eq!(one_line("ab cd", 5), "ab cd");
        assert_eq!(one_line("ab  cd", 6), "ab cd");
        assert_eq!(one_line("Au\u{308}sfall", 4), "Au\u{308}…", "a letter keeps its accent");
        assert_eq!(one_line("Au\u{308}sfall", 3), "A…");
        assert_eq!(
            one_line("\u{1f1e9}\u{1f1ea}\u{1f1eb}\u{1f1f7}", 4),
            "\u{1f1e9}\u{1f1ea}\u{1f1eb}\u{1f1f7}"
        );
        assert_eq!(one_line("\u{1f1e9}\u{1f1ea}\u{1f1eb}\u{1f1f7}x", 4), "\u{1f1e9}\u{1f1ea}…");
        assert_eq!(one_line("abc", 1), "…");
    }

    #[test]
    fn a_text_of_several_lines_is_kept_whole() {
        let long = "ä b\n".repeat(40_000);
        assert_eq!(plain(&long), long.trim_end());
        assert_eq!(plain(&"\n".repeat(100_000)), "");
    }

    #[test]
    fn colors_pass_and_no_other_command() {
        for (text, shown) in [
            ("\u{1b}[32mup\u{1b}[0m\tfine\n", "\u{1b}[32mup\u{1b}[0m\tfine\n"),
            ("\u{1b}[1;31mdown\u{1b}[0m", "\u{1b}[1;31mdown\u{1b}[0m"),
            ("a\u{1b}[2Jb\u{1b}]0;t\u{7}c\u{9b}31md", "a[2Jb]0;tc31md"),
            ("\u{1b}[", "["),
            ("\u{1b}", ""),
            ("\u{1b}[123456789m", "[123456789m"),
            ("\u{1b}[3\u{1b}[2Jm", "[3[2Jm"),
            ("ab\u{202e}c\rd", "abcd"),
        ] {
            assert_eq!(safe_colored(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn json_means_the_same(text in any::<String>()) {
            let json = serde_json::to_string_pretty(&[&text]).unwrap();
            let shown = safe_json(&json);
            prop_assert!(shown.chars().all(is_safe));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&shown).unwrap(), [text]);
        }

        #[test]
        fn nothing_but_colors_is_let_through(text in "[\u{1b}\\[0-9;mJ\u{9b}ab\r\t]{0,40}") {
            let shown = safe_colored(&text);
            for command in shown.split('\u{1b}').skip(1) {
                let parameters = command.strip_prefix('[').and_then(|rest| rest.split_once('m'));
                let digits = parameters.is_some_and(|(parameters, _)| {
                    parameters.chars().all(|c| c.is_ascii_digit() || c == ';')
                });
                prop_assert!(digits, "{:?}", shown);
            }
            prop_assert!(!shown.contains(['\u{9b}', '\r']), "{:?}", shown);
            prop_assert_eq!(safe_colored(&shown), shown.clone());
        }

        #[test]
        fn output_is_safe(text in any::<String>(), max in 1_usize..50) {
            let safe_text = safe(&text);
            prop_assert_eq!(safe(&safe_text), safe_text.clone());
            prop_assert!(safe_text.chars().all(is_safe));
            let plain_text = plain(&text);
            prop_assert!(plain_text.chars().all(is_safe));
            prop_assert_eq!(plain(&plain_text), plain_text);
            let line = one_line(&text, max);
            prop_assert!(line.chars().all(|c| is_safe(c) && c != '\n') && line.chars().count() <= max);
        }
    }
}
