//! The event log across several files.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

#[test]
fn size_rotation_splits_no_line_and_keeps_as_many_files_as_configured() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(3000);
    let mut sink = json(dir.path(), Rotation::Size(64 << 10));
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    assert_eq!(seqs(dir.path()), (1..=3000).collect::<Vec<_>>());
    let files = rotated(dir.path());
    assert!(files.len() > 20, "{}", files.len());
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 64 << 10));

    let foreign = dir.path().join("events.2020.jsonl");
    fs::write(&foreign, "{}\n").unwrap();
    let mut sink = {
        drop(sink);
        EventLogSink::new(dir.path(), LogFileFormat::Json, Rotation::Size(64 << 10), 5)
    };
    ledger.events = (1..=3500).map(recorded).collect();
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    let left = seqs(dir.path());
    assert_eq!(rotated(dir.path()).len(), 6, "five of ours and one that is not");
    assert!(foreign.exists());
    assert_eq!(left, (left[0]..=3500).collect::<Vec<_>>());
}

#[test]
fn one_file_holds_one_day() {
    let dir = tempfile::tempdir().unwrap();
    let start = parse_time("2026-03-28T23:00:00Z").unwrap();
    let now = Arc::new(AtomicI64::new(start.timestamp()));
    let clock = Arc::clone(&now);
    let mut ledger = Ledger::new(60);
    let mut sink = json(dir.path(), Rotation::Daily).with_clock(Box::new(move || {
        chrono::DateTime::from_timestamp(clock.load(Ordering::Relaxed), 0).unwrap()
    }));
    ledger.open(&mut sink).unwrap();
    while ledger.cursor.seq < 60 {
        ledger.cursor = sink.deliver(&ledger.behind(1)).unwrap();
        now.fetch_add(3600, Ordering::Relaxed);
    }
    let counts: Vec<(String, usize)> = rotated(dir.path())
        .iter()
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read_to_string(path).unwrap().lines().count(),
            )
        })
        .collect();
    let expected = [
        ("events.20260328T000000Z.000001.jsonl", 1),
        ("events.20260329T000000Z.000002.jsonl", 24),
        ("events.20260330T000000Z.000003.jsonl", 24),
    ];
    assert_eq!(counts, expected.map(|(name, lines)| (name.to_owned(), lines)));
    assert_eq!(seqs(dir.path()), (1..=60).collect::<Vec<_>>());
}

/// Killed before its first cursor was stored, after another file was begun.
#[test]
fn a_first_file_that_was_rotated_is_found_without_a_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(20);
    let mut sink = json(dir.path(), Rotation::Size(4 << 10));
    ledger.open(&mut sink).unwrap();
    let mut delivered = 0;
    while rotated(dir.path()).len() < 2 {
        delivered = sink.deliver(&ledger.events[delivered..]).unwrap().seq as usize;
    }
    drop(sink);
    assert!(delivered < 20);
    ledger.cursor = Cursor::default();
    let mut sink = json(dir.path(), Rotation::Size(4 << 10));
    ledger.open(&mut sink).unwrap();
    assert_eq!(ledger.cursor.seq as usize, delivered, "what stands in the files is proven");
    ledger.drain(&mut sink);
    assert_eq!(seqs(dir.path()), (1..=20).collect::<Vec<_>>());
}

/// A two-step rename that stopped after the first step left two names for one file.
#[test]
fn a_half_done_rename_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(4);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    drop(sink);
    fs::hard_link(active(dir.path()), dir.path().join("events.20260223T102049Z.000001.jsonl"))
        .unwrap();
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.events.push(recorded(5));
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    assert_eq!(seqs(dir.path()), [1, 2, 3, 4, 5]);
}
