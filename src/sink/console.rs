//! The console sink: one block or JSON line per event, each in one write. Delivery is
//! at-least-once: terminal or pipe output cannot be undone, so a restart after a crash may repeat
//! an event.

use std::io::Write;
use std::path::PathBuf;

use super::{Cursor, Sink, SinkError, StoredEvent};
use crate::config::ConsoleFormat;
use crate::event::{render_block, render_block_colored};

/// Writes events to a writer, usually standard output.
pub struct ConsoleSink {
    format: ConsoleFormat,
    writer: Box<dyn Write + Send>,
    color: bool,
    seq: u64,
}

impl ConsoleSink {
    /// Creates a sink on `writer`. `color` is only for terminals, and not with `NO_COLOR`.
    #[must_use]
    pub fn new(format: ConsoleFormat, writer: Box<dyn Write + Send>, color: bool) -> Self {
        Self { format, writer, color, seq: 0 }
    }

    fn render(&self, recorded: &StoredEvent) -> Option<String> {
        match self.format {
            ConsoleFormat::Text if self.color => Some(render_block_colored(&recorded.event)),
            ConsoleFormat::Text => Some(render_block(&recorded.event)),
            ConsoleFormat::Json => Some(format!("{}\n", crate::text::safe_json(&recorded.line))),
            ConsoleFormat::Off => None,
        }
    }

    fn cursor(&self) -> Cursor {
        Cursor { seq: self.seq, memory: None }
    }
}

impl Sink for ConsoleSink {
    fn id(&self) -> &'static str {
        "console"
    }

    fn open(
        &mut self,
        cursor: &Cursor,
        _after: &mut dyn FnMut(u64) -> Result<Vec<StoredEvent>, SinkError>,
    ) -> Result<Cursor, SinkError> {
        // What this process has already written is not repeated, whether or not its cursor was
        // stored.
        self.seq = self.seq.max(cursor.seq);
        Ok(self.cursor())
    }

    fn deliver(&mut self, events: &[StoredEvent]) -> Result<Cursor, SinkError> {
        for recorded in
            events.iter().filter(|recorded| recorded.event.seq > self.seq).collect::<Vec<_>>()
        {
            if let Some(text) = self.render(recorded) {
                self.writer.write_all(text.as_bytes()).and_then(|()| self.writer.flush()).map_err(
                    |source| SinkError::Io {
                        action: "write to",
                        path: PathBuf::from("standard output"),
                        source,
                    },
                )?;
            }
            self.seq = recorded.event.seq;
        }
        Ok(self.cursor())
    }
}
