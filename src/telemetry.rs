//! Diagnostics: tracing to a rotated file through tracing-appender, and warnings to standard error.
//!
//! Guarantees: [`start`] returns an error and never panics; untrusted values can neither forge a
//! line nor send escape sequences to a terminal; a slow or full disk costs lines of this log but
//! never delays the program. Events are not logged here: they have their own log, which loses
//! nothing.

mod human;
pub mod progress;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{self, RollingFileAppender};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Diagnostics, Rotation};

/// Prefix of the files' names. Old files are removed by this prefix, so no other file may have it.
pub const FILE_PREFIX: &str = "statuswatch";
/// Suffix of the files' names.
pub const FILE_SUFFIX: &str = "log";
/// tracing-appender keeps one file less than requested when it starts, and with 1 removes today's.
const LEAST_KEPT: usize = 3;
/// Lines that may wait for the disk before further ones are dropped.
const WAITING_LINES: usize = 16_384;

/// Whether warnings also go to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stderr {
    /// One line for each warning and error.
    Warnings,
    /// None: the terminal shows the interactive view.
    Off,
}

/// Keeps diagnostics alive; writes pending lines on drop.
#[derive(Debug)]
pub struct Guard {
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

impl Guard {
    /// Returns how many lines were dropped because the disk was too slow.
    #[must_use]
    pub fn dropped_lines(&self) -> usize {
        self.dropped.dropped_lines()
    }
}

/// Why diagnostics could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The directory cannot be created.
    #[error("cannot create the diagnostics directory {}", .path.display())]
    Directory {
        /// The path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("cannot open the diagnostics log in {}", .path.display())]
    File {
        /// Its directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: rolling::InitError,
    },
    /// The configuration asks for a rotation that tracing-appender does not support.
    #[error("the diagnostics log does not support rotation by size")]
    RotationBySize,
    /// The process already has a tracing subscriber.
    #[error("diagnostics are already running")]
    Started,
}

/// Starts the diagnostics of this process.
///
/// # Errors
///
/// Returns why diagnostics could not be started; nothing is running then.
pub fn start(settings: &Diagnostics, stderr: Stderr) -> Result<Guard, TelemetryError> {
    let (dispatch, guard) = build(settings, stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| TelemetryError::Started)?;
    Ok(guard)
}

/// Turns panics into one line of diagnostics instead of many on standard error: the supervisor
/// contains, counts and reports them.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let why = info.payload_as_str().unwrap_or("(no text)");
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name(), "panic: {why}");
    }));
}

fn build(settings: &Diagnostics, stderr: Stderr) -> Result<(Dispatch, Guard), TelemetryError> {
    let appender = appender(settings)?;
    let (writer, worker) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .finish(appender);
    let dropped = writer.error_counter();
    // Libraries are logged from warnings up; their details only at trace.
    let libraries =
        if settings.level == Level::TRACE { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(OneLine::new(move || -> NonBlocking { writer.clone() }))
        .with_filter(
            Targets::new().with_default(libraries).with_target(FILE_PREFIX, settings.level),
        );
    let warnings = (stderr == Stderr::Warnings).then(|| warnings(|| progress::Stderr));
    let subscriber = tracing_subscriber::registry().with(file).with(warnings);
    Ok((Dispatch::new(subscriber), Guard { dropped, _worker: worker }))
}

/// Formats our own warnings for people.
fn warnings<S, F, W>(writer: F) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    F: Fn() -> W + 'static,
    W: Write,
    OneLine<F>: for<'a> MakeWriter<'a> + 'static,
{
    tracing_subscriber::fmt::layer()
        .event_format(human::HumanFormat)
        .with_ansi(false)
        .with_writer(OneLine::new(writer))
        .with_filter(Targets::new().with_target(FILE_PREFIX, LevelFilter::WARN))
}

fn appender(settings: &Diagnostics) -> Result<RollingFileAppender, TelemetryError> {
    let rotation = match settings.rotation {
        Rotation::Never => rolling::Rotation::NEVER,
        Rotation::Hourly => rolling::Rotation::HOURLY,
        Rotation::Daily => rolling::Rotation::DAILY,
        Rotation::Size(_) => return Err(TelemetryError::RotationBySize),
    };
    make_directory(&settings.dir)
        .map_err(|source| TelemetryError::Directory { path: settings.dir.clone(), source })?;
    let builder = RollingFileAppender::builder()
        .rotation(rotation)
        .filename_prefix(FILE_PREFIX)
        .filename_suffix(FILE_SUFFIX);
    let builder = if settings.keep == 0 {
        builder
    } else {
        builder.max_log_files(settings.keep.max(LEAST_KEPT))
    };
    builder
        .build(&settings.dir)
        .map_err(|source| TelemetryError::File { path: settings.dir.clone(), source })
}

/// Creates the directory, accessible to its owner and group only. An existing one keeps its mode.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.create(path)
}

/// Creates writers that turn each record into exactly one line without control characters.
struct OneLine<F>(F);

impl<F, W> OneLine<F>
where
    F: Fn() -> W,
{
    const fn new(make: F) -> Self {
        Self(make)
    }
}

impl<'a, F, W> MakeWriter<'a> for OneLine<F>
where
    F: Fn() -> W,
    W: Write,
{
    type Writer = OneLineWriter<W>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineWriter((self.0)())
    }
}

/// The formatter passes a whole record at once; everything but the last line feed is escaped.
struct OneLineWriter<W>(W);

impl<W: Write> Write for OneLineWriter<W> {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        // One write: the non-blocking writer may drop a message, and half a line would merge with
        // the next.
        self.0.write_all(one_line(text.trim_end_matches('\n')).as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns `record` as one safe line: inner line feeds are shown as `\n`, control characters are
/// removed.
fn one_line(record: &str) -> String {
    let mut line = crate::text::safe(&record.replace('\n', "\\n"));
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(dir: &Path) -> Diagnostics {
        Diagnostics { dir: dir.to_owned(), level: Level::INFO, rotation: Rotation::Daily, keep: 7 }
    }

    /// Returns what the files of `dir` contain after `say` has run.
    fn written(dir: &Path, say: impl FnOnce()) -> (Vec<String>, String) {
        let (dispatch, guard) = build(&settings(dir), Stderr::Off).unwrap();
        tracing::dispatcher::with_default(&dispatch, say);
        drop(guard);
        let files: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        let text = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        (
            files
                .iter()
                .map(|file| file.file_name().unwrap().to_str().unwrap().to_owned())
                .collect(),
            text,
        )
    }

    #[test]
    fn hostile_values_are_escaped_to_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let (files, text) = written(&dir.path().join("logs"), || {
            let title = "x\n2026-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{202e}\r\u{9b}1m";
            tracing::info!(target: "statuswatch::test", title, "first {title}");
            tracing::info!(target: "statuswatch::test", "second");
            tracing::debug!(target: "statuswatch::test", "below the level");
            tracing::info!(target: "hyper::client", "a library's detail");
        });
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.ends_with("second\n"), "{text}");
        assert!(
            !text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{text:?}"
        );
        assert!(
            matches!(files.as_slice(), [name] if name.starts_with("statuswatch.2")),
            "{files:?}"
        );
    }

    /// Collects the lines that would go to standard error.
    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warnings_are_sentences() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(warnings(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let target = "the connection closed before the end of the body";
            tracing::warn!(target: "statuswatch::a", provider = "larkspur", reason = target, "cannot be read");
            tracing::warn!(target: "statuswatch::a", provider = "larkspur", "can be read again");
            let error = io::Error::other("no\nspace\u{1b}[2J\u{202e}");
            tracing::error!(target: "statuswatch::a", sink = "event_log.json", why = %error, count = 3, ok = true, "ended");
            tracing::info!(target: "statuswatch::a", "not for people");
            tracing::warn!(target: "hyper", "not ours");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let said: Vec<&str> = text.lines().map(|line| line.split_once("] ").unwrap().1).collect();
        assert_eq!(
            said,
            [
                "warning: larkspur cannot be read: the connection closed before the end of the body",
                "warning: larkspur can be read again",
                "error: event_log.json: ended: no\\nspace[2J (count=3, ok=true)",
            ]
        );
        let stamp = text.strip_prefix('[').and_then(|text| text.split_once("] ")).unwrap().0;
        assert!(
            chrono::NaiveDateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S UTC").is_ok(),
            "{stamp}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_directory_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("a/b");
        written(&logs, || ());
        assert_eq!(std::fs::metadata(&logs).unwrap().permissions().mode() & 0o777 & !0o750, 0);
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = build(&settings(&file.join("logs")), Stderr::Off).unwrap_err();
        assert!(matches!(error, TelemetryError::Directory { .. }), "{error}");
        let by_size = Diagnostics { rotation: Rotation::Size(1), ..settings(dir.path()) };
        assert!(matches!(build(&by_size, Stderr::Off), Err(TelemetryError::RotationBySize)));
    }

    /// Old files are removed by prefix: the event log's must not match.
    #[test]
    fn old_files_are_removed_and_others_kept() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "events.2026-01-01.jsonl",
            "events.log",
            "statuswatch.2020-01-01.log",
            "statuswatch.2020-01-02.log",
            "statuswatch.2020-01-03.log",
        ] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let kept = Diagnostics { keep: 1, ..settings(dir.path()) };
        let (_dispatch, guard) = build(&kept, Stderr::Off).unwrap();
        drop(guard);
        let names: Vec<String> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(
            names.contains(&"events.log".to_owned())
                && names.contains(&"events.2026-01-01.jsonl".to_owned()),
            "{names:?}"
        );
        assert!(
            names.iter().filter(|name| name.starts_with(FILE_PREFIX)).count() <= LEAST_KEPT,
            "{names:?}"
        );
    }
}
