//! Standard output and standard error as every command uses them: the one place where text leaves the
//! program, and where nothing passes that a terminal would obey, whoever wrote it: a provider, a file,
//! the command line. JSON for programs is escaped, not cut. A reader that went away (`statuswatch
//! history | head`) is an ordinary end.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use serde::Serialize;

use crate::telemetry::progress;
use crate::text;

/// The reader of standard output went away. Nobody is left to tell: the command ends quietly.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub struct Closed;

/// Writes `text` to standard output; of what a terminal would obey, colours alone pass.
///
/// # Errors
/// [`Closed`] when nobody reads any more; otherwise why it could not be written.
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

/// Writes one line of JSON that is there already.
///
/// # Errors
/// As [`print()`].
pub fn print_line(json: &str) -> anyhow::Result<()> {
    write(&format!("{}\n", text::safe_json(json)))
}

/// Standard output for whoever writes events to it: filtered as [`print()`] does, a write at a time.
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

/// Whether nothing in the text could be obeyed by a terminal.
#[must_use]
pub fn is_harmless(text: &str) -> bool {
    matches!(text::safe_colored(text), std::borrow::Cow::Borrowed(_))
}

/// A path on one line, without anything a terminal would obey.
#[must_use]
pub fn shown(path: &Path) -> String {
    text::one_line(&path.display().to_string(), usize::MAX)
}

/// Writes a message for people to standard error, without anything a terminal would obey. A standard
/// error that is gone is no reason to fail.
pub fn note(text: &str) {
    let _gone = progress::around(|| writeln!(io::stderr().lock(), "{}", text::safe(text)));
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
