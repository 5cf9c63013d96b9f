//! Delivery: each event once and in order, whatever happens between two calls.

mod console;
mod disk;
mod event_log;
mod moments;
mod rotation;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use statuswatch::config::Rotation;
use statuswatch::event::{Impact, IncidentStatus, Kind, StatusEvent, parse_time};
use statuswatch::sink::{
    Cursor, EventLogSink, LogFileFormat, LogReader, Sink, SinkError, StoredEvent,
};

fn recorded(seq: u64) -> StoredEvent {
    let time = parse_time("2026-02-23T10:20:49Z").unwrap() + chrono::Duration::seconds(seq as i64);
    let event = StatusEvent {
        seq,
        id: format!("{seq:032x}"),
        kind: Kind::Incident,
        provider: "acme".into(),
        provider_name: "Acme Cloud".into(),
        source: "statuspage".into(),
        incident_id: Some("i1".into()),
        update_id: Some(format!("u{seq}")),
        revision: 1,
        title: "Slow parcels".into(),
        status: IncidentStatus::Monitoring.into(),
        previous_status: None,
        impact: Impact::Minor,
        previous_impact: None,
        components: Vec::new(),
        message: Some(format!("Update {seq}. {}", "x".repeat((seq * 37 % 400) as usize))),
        url: None,
        started_at: None,
        published_at: time,
        observed_at: time,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    };
    let line = serde_json::to_string(&event).unwrap();
    StoredEvent { event, line }
}

/// Stands in for the ledger: the events and the stored cursor.
struct Ledger {
    events: Vec<StoredEvent>,
    cursor: Cursor,
}

impl Ledger {
    fn new(count: u64) -> Self {
        Self { events: (1..=count).map(recorded).collect(), cursor: Cursor::default() }
    }

    fn open(&mut self, sink: &mut EventLogSink) -> Result<(), SinkError> {
        let events = &self.events;
        // Pages of three, so that proofs cross page boundaries.
        let mut after =
            |seq: u64| Ok(events.iter().filter(|r| r.event.seq > seq).take(3).cloned().collect());
        self.cursor = sink.open(&self.cursor, &mut after)?;
        Ok(())
    }

    fn behind(&self, count: usize) -> Vec<StoredEvent> {
        self.events.iter().filter(|r| r.event.seq > self.cursor.seq).take(count).cloned().collect()
    }

    /// Delivers all pending events.
    fn drain(&mut self, sink: &mut EventLogSink) {
        loop {
            let batch = self.behind(1000);
            if batch.is_empty() {
                return;
            }
            self.cursor = sink.deliver(&batch).unwrap();
        }
    }
}

fn json(dir: &Path, rotation: Rotation) -> EventLogSink {
    EventLogSink::new(dir, LogFileFormat::Json, rotation, 0)
}

fn active(dir: &Path) -> PathBuf {
    dir.join("events.jsonl")
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// Returns the numbers of all events in the log, in reading order.
fn seqs(dir: &Path) -> Vec<u64> {
    let mut reader = LogReader::new(dir);
    let mut found = Vec::new();
    while let Some(line) = reader.next().unwrap() {
        found.extend(line.event.map(|event| event.seq));
    }
    found
}

fn rotated(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl") && *path != active(dir))
        .collect();
    names.sort();
    names
}
