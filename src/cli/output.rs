//! Standard output as every command uses it: text that is safe on a terminal, JSON for programs,
//! and a reader that went away (`statuswatch history | head`) as an ordinary end.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// The reader of standard output went away. Nobody is left to tell: the command ends quietly.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub struct Closed;

/// Writes `text` as it is to standard output.
///
/// # Errors
/// [`Closed`] when nobody reads any more; otherwise why it could not be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => anyhow::Error::new(Closed),
        _ => anyhow::Error::new(error).context("cannot write to standard output"),
    })
}

/// Writes `value` as indented JSON to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Writes a message for people to standard error. A standard error that is gone is no reason to
/// fail.
pub fn note(text: &str) {
    let mut err = io::stderr().lock();
    let _gone = writeln!(err, "{text}");
}

/// Whether standard output may be coloured: a terminal, and no `NO_COLOR`.
#[must_use]
pub fn colour() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden && io::stdout().is_terminal()
}

/// What a line is coloured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Not at all.
    Plain,
    /// Headings and what matters less.
    Dim,
    /// All is well.
    Green,
    /// Attention.
    Yellow,
    /// Something is broken.
    Red,
}

impl Paint {
    /// `text` in this colour; as it is with `on` false.
    #[must_use]
    pub fn apply(self, text: &str, on: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Dim => "2",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
        };
        if on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
