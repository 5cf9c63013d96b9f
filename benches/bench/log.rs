//! The event log: lines written and synced per second.

use std::time::Instant;

use statuswatch::config::Rotation;
use statuswatch::sink::{Cursor, EventLogSink, LogFileFormat, Sink, StoredEvent};

use crate::measure::timed;
use crate::watched::event;

const EVENTS: usize = 100_000;

/// Prints the table.
pub(crate) fn run() {
    let events: Vec<StoredEvent> =
        (1..=EVENTS as u64).map(|seq| event(seq, "provider-1", chrono::Utc::now())).collect();
    println!(
        "\n| events in a batch, each batch synced | events/s | CPU per event |\n|---|---|---|"
    );
    for batch in [1, 10, 100, 1000] {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = EventLogSink::new(dir.path(), LogFileFormat::Json, Rotation::Never, 0);
        sink.open(&Cursor::default(), &mut |_| Ok(Vec::new())).unwrap();
        let started = Instant::now();
        let (written, wall, cpu) = timed(|| {
            let mut written = 0;
            for batch in events.chunks(batch) {
                sink.deliver(batch).unwrap();
                written += batch.len();
                if started.elapsed().as_secs() > 4 {
                    break;
                }
            }
            written
        });
        let rate = written as f64 / wall.as_secs_f64();
        println!("| {batch} | {rate:.0} | {:.1} µs |", cpu.as_secs_f64() * 1e6 / written as f64);
    }
}
