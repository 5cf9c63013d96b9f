//! Standard output and standard error, as used by every command. All text passes through here, and
//! terminal control sequences are removed whatever their origin: a provider, a file, the command line.
//! In JSON they are escaped. A closed pipe (`statuswatch history | head`) is not an error.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;

use crate::telemetry::progress;
use crate::text;

/// The reader of standard output has closed it: the command ends without a message.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub struct Closed;

/// Writes `text` to standard output. Of terminal control sequences, only colors pass.
///
/// # Errors
/// [`Closed`] if the reader has closed it, otherwise the I/O error.
pub fn print(text: &str) -> anyhow::Result<()> {
    write(&text::safe_colored(text))
}

fn write(text: &str) -> anyhow::Result<()> {
    let written = progress::around(|| {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    });
    written.map_err(|error| match error.kind() {
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
    write(&text::safe_json(&text))
}

/// Writes one line of rendered JSON.
///
/// # Errors
/// As [`print()`].
pub fn print_line(json: &str) -> anyhow::Result<()> {
    write(&format!("{}\n", text::safe_json(json)))
}

/// Returns standard output for the console sink, filtered as by [`print()`], one write at a time.
#[must_use]
pub fn writer() -> Box<dyn Write + Send> {
    Box::new(Filtered(io::stdout()))
}

struct Filtered<W>(W);

impl<W: Write> Write for Filtered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        // Flushed here: the line of progress is written again behind it, on another stream.
        progress::around(|| {
            self.0.write_all(text::safe_colored(&text).as_bytes())?;
            self.0.flush()
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns whether the text holds no terminal control sequences but colors.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    matches!(text::safe_colored(text), std::borrow::Cow::Borrowed(_))
}

/// Renders a path on one line, without terminal control sequences.
#[must_use]
pub fn shown(path: &Path) -> String {
    text::one_line(&path.display().to_string(), usize::MAX)
}

/// Writes a message to standard error, without terminal control sequences. Ignores write errors.
pub fn note(text: &str) {
    let _gone = progress::around(|| writeln!(io::stderr().lock(), "{}", text::safe(text)));
}

/// Returns whether standard output is a terminal and `NO_COLOR` is not set.
#[must_use]
pub fn color() -> bool {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !forbidden && io::stdout().is_terminal()
}

/// The color of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// None.
    Plain,
    /// Headings and secondary text.
    Dim,
    /// All is well.
    Green,
    /// Attention.
    Yellow,
    /// Something is broken.
    Red,
}

impl Paint {
    /// Colors `text`, or returns it unchanged if `on` is false.
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
