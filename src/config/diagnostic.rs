//! Configuration diagnostics: what is wrong, where, the source line, and a suggested fix.
//!
//! Secrets are never shown: user names, passwords and query values of URLs are masked in every message
//! and source line.

use std::fmt;
use std::path::PathBuf;

/// The configuration could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file has errors. Lists all errors and warnings, in the order of the lines.
    Invalid(Vec<Diagnostic>),
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, reason } => {
                write!(f, "cannot read {}: {reason}", visible(&path.display().to_string()))
            }
            Self::Invalid(diagnostics) => {
                for diagnostic in diagnostics {
                    writeln!(f, "{diagnostic}\n")?;
                }
                f.write_str(&count(diagnostics))
            }
        }
    }
}

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The configuration is rejected.
    Error,
    /// The configuration is accepted.
    Warning,
}

/// An error or a warning in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as given by the user.
    pub file: String,
    /// Line number, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// The offending key or value as written in the file, masked.
    pub offending: Option<String>,
    /// The source line, masked.
    pub source_line: Option<String>,
    /// A suggested fix.
    pub hint: Option<String>,
    /// Whether the configuration is rejected.
    pub severity: Severity,
}

/// Longer lines are shown as a window around the offending text.
const WINDOW: usize = 100;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.severity == Severity::Warning { "warning: " } else { "" };
        write!(
            f,
            "{}:{}:{}: {warning}{}",
            visible(&self.file),
            self.line,
            self.column,
            self.message
        )?;
        if let Some(line) = self.source_line.as_deref().filter(|line| !line.trim().is_empty()) {
            let column = self.column.saturating_sub(1);
            let length = line.chars().count();
            let skipped = if length > WINDOW { column.saturating_sub(WINDOW / 2) } else { 0 };
            let shown: String = line.chars().skip(skipped).take(WINDOW).collect();
            let shown = shown.trim_end();
            let room = (shown.chars().count() + skipped).saturating_sub(column).max(1);
            let width =
                self.offending.as_ref().map_or(1, |word| word.chars().count()).clamp(1, room);
            let gutter = self.line.to_string();
            let blank = " ".repeat(gutter.len());
            write!(
                f,
                "\n  {gutter} | {shown}\n  {blank} | {}{}",
                " ".repeat(column.saturating_sub(skipped)),
                "^".repeat(width)
            )?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  help: {hint}")?;
        }
        Ok(())
    }
}

/// Counts errors and warnings: `2 errors and 1 warning`.
#[must_use]
pub fn count(diagnostics: &[Diagnostic]) -> String {
    let errors =
        diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let plural = |count: usize, word: &str| {
        if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
    };
    match (errors, warnings) {
        (_, 0) => plural(errors, "error"),
        (0, _) => plural(warnings, "warning"),
        _ => format!("{} and {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// Masks user names, passwords, query values and fragments of addresses, character for character,
/// so that what follows keeps its column; control characters become visible.
pub(super) fn masked(text: &str) -> String {
    let mut characters: Vec<char> = visible(text).chars().collect();
    let mut at = 0;
    while at < characters.len() {
        let begins = characters.get(at..at + 3).is_some_and(|three| three == [':', '/', '/']);
        if !begins {
            at += 1;
            continue;
        }
        let end = closing_quote(&characters, at).unwrap_or(characters.len());
        at += 3;
        mask_address(characters.get_mut(at..end).unwrap_or_default());
    }
    // `user:password@host` where the scheme was forgotten.
    let mut start = 0;
    for end in 0..=characters.len() {
        if characters.get(end).is_none_or(|c| c.is_whitespace()) {
            mask_word(characters.get_mut(start..end).unwrap_or_default());
            start = end + 1;
        }
    }
    characters.into_iter().collect()
}

/// Where the quotes close in which the address stands whose `://` is at `at`.
fn closing_quote(characters: &[char], at: usize) -> Option<usize> {
    let before = characters
        .get(..at)?
        .iter()
        .rev()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))?;
    if !matches!(before, '"' | '\'') {
        return None;
    }
    let mut index = at;
    while let Some(c) = characters.get(index) {
        if *c == '\\' {
            index += 1;
        } else if c == before {
            // Two of a kind are one that is part of the text.
            if characters.get(index + 1) != Some(before) {
                return Some(index);
            }
            index += 1;
        }
        index += 1;
    }
    None
}

/// Masks what follows `://`. Whatever may belong to a password is masked to the end of the line:
/// one with a space, a quote or a comma in it must not show its second half.
fn mask_address(rest: &mut [char]) {
    let last_at = rest.iter().rposition(|c| *c == '@').unwrap_or(0);
    mask(rest.get_mut(..last_at).unwrap_or_default());
    let authority = rest
        .iter()
        .position(|c| matches!(c, '/' | '?' | '#' | '"' | '\'') || c.is_whitespace())
        .unwrap_or(rest.len());
    if last_at == 0 {
        // A password whose `@` stands in another line.
        let host = rest.get_mut(..authority).unwrap_or_default();
        if let Some(colon) = host.iter().position(|c| *c == ':')
            && host.first() != Some(&'[')
        {
            let port = host.get_mut(colon + 1..).unwrap_or_default();
            if port.first().is_some_and(|c| !c.is_ascii_digit()) {
                mask(port);
            }
        }
    }
    let Some(query) = rest.iter().position(|c| *c == '?' || *c == '#') else {
        return;
    };
    // A comment behind the address is not part of it.
    if rest.get(query) == Some(&'#')
        && query > 0
        && rest.get(query - 1).is_some_and(|c| c.is_whitespace())
    {
        return;
    }
    let query = rest.get_mut(query + 1..).unwrap_or_default();
    for pair in query.split_mut(|c| *c == '&') {
        let value = pair.iter().position(|c| *c == '=').map_or(0, |at| at + 1);
        mask(pair.get_mut(value..).unwrap_or_default());
    }
}

fn mask_word(word: &mut [char]) {
    if let Some(at) = word.iter().rposition(|c| *c == '@')
        && let Some(colon) = word.get(..at).and_then(|before| before.iter().position(|c| *c == ':'))
    {
        mask(word.get_mut(colon + 1..at).unwrap_or_default());
    }
}

fn mask(secret: &mut [char]) {
    for c in secret {
        if !matches!(c, '"' | '\'' | ' ' | ':' | '@' | '/') {
            *c = '*';
        }
    }
}

/// The text without anything that could move a cursor, character for character.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_masked_and_columns_kept() {
        for (text, shown) in [
            (
                "url: https://status.example/history.rss # ours",
                "url: https://status.example/history.rss # ours",
            ),
            (
                "url: https://me:hunter2@status.example/x",
                "url: https://**:*******@status.example/x",
            ),
            (
                "url: https://status.example/x?token=abc&b=c",
                "url: https://status.example/x?token=***&b=*",
            ),
            ("url: https://status.example/x?abc", "url: https://status.example/x?***"),
            ("url: https://status.example:8443/", "url: https://status.example:8443/"),
            ("url: http://[::1]:80/", "url: http://[::1]:80/"),
            ("url: me:hunter2@status.example", "url: me:*******@status.example"),
            (
                "{url: 'https://a.example/?k=a''b\"c', x: 1}",
                "{url: 'https://a.example/?k=*''*\"*', x: 1}",
            ),
            ("url: \"https://me:hun", "url: \"https://me:***"),
            ("a\u{1b}[2Jb\tc", "a\u{fffd}[2Jb c"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    proptest! {
        #[test]
        fn no_password_survives(secret in "[A-Z0-9!,;# ]{4,20}Q", before in "[a-z:{ -]{0,8}", after in "[a-z,} ]{0,8}") {
            let shown = masked(&format!("{before}https://user:{secret}@status.example/{after}"));
            prop_assert!(!shown.contains('Q'), "{}", shown);
            let shown = masked(&format!("{before}https://status.example/?key={secret}{after}"));
            prop_assert!(!shown.contains('Q'), "{}", shown);
        }

        #[test]
        fn columns_never_move(text in ".{0,80}") {
            prop_assert_eq!(masked(&text).chars().count(), text.chars().count());
        }
    }
}
