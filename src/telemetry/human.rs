//! The human format, one line on standard error: `[2026-11-21 03:05:44 UTC] warning: larkspur
//! cannot be read: the reason`.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Fields that carry the reason.
const REASONS: [&str; 3] = ["reason", "error", "why"];

/// Fields that name the subject.
const SUBJECTS: [&str; 2] = ["provider", "sink"];

/// The format: time, level, subject, message, reason, and the rest as `key=value`.
#[derive(Debug)]
pub(super) struct HumanFormat;

impl<S, N> FormatEvent<S, N> for HumanFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        writeln!(
            writer,
            "[{}] {level}: {line}",
            crate::clock::now().format("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// The fields of one event, sorted by role.
#[derive(Default)]
struct Line {
    subject: Option<String>,
    message: String,
    reason: Option<String>,
    rest: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subject) = &self.subject {
            // "larkspur cannot be read" is one sentence; "larkspur: the poller ended" needs the
            // colon.
            let is_predicate = ["can ", "cannot ", "delivers ", "looks "]
                .iter()
                .any(|verb| self.message.starts_with(verb));
            write!(f, "{subject}{} ", if is_predicate { "" } else { ":" })?;
        }
        f.write_str(&self.message)?;
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        if self.rest.is_empty() { Ok(()) } else { write!(f, " ({})", self.rest) }
    }
}

impl Line {
    fn put(&mut self, name: &str, value: String) {
        if name == "message" {
            self.message = value;
        } else if SUBJECTS.contains(&name) && self.subject.is_none() {
            self.subject = Some(value);
        } else if REASONS.contains(&name) && self.reason.is_none() {
            self.reason = Some(value);
        } else {
            let gap = if self.rest.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail.
            write!(self.rest, "{gap}{name}={value}").ok();
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}
