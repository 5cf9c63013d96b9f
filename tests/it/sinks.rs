//! Delivery to the event log: each event once, in order, whatever happens between two calls.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use statuswatch::config::{ConsoleFormat, Rotation};
use statuswatch::event::{Impact, Kind, Status, StatusEvent, parse_time, render_block};
use statuswatch::sink::{ConsoleSink, Cursor, EventLogSink, LogFileFormat, LogReader, Recorded, Sink, SinkError};

fn recorded(seq: u64) -> Recorded {
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
        status: Status::Monitoring,
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
    Recorded { event, line }
}

/// What the ledger would be: the events and the stored cursor.
struct Ledger {
    events: Vec<Recorded>,
    cursor: Cursor,
}

impl Ledger {
    fn new(count: u64) -> Self {
        Self { events: (1..=count).map(recorded).collect(), cursor: Cursor::default() }
    }

    fn open(&mut self, sink: &mut EventLogSink) -> Result<(), SinkError> {
        let events = &self.events;
        // Pages of three: a proof has to go over page ends.
        let mut after = |seq: u64| Ok(events.iter().filter(|r| r.event.seq > seq).take(3).cloned().collect());
        self.cursor = sink.open(&self.cursor, &mut after)?;
        Ok(())
    }

    fn behind(&self, count: usize) -> Vec<Recorded> {
        self.events.iter().filter(|r| r.event.seq > self.cursor.seq).take(count).cloned().collect()
    }

    /// Delivers everything there is.
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

/// Every event in the log, in the order of reading.
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

#[test]
fn modes_hold_and_a_second_writer_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/b");
    let mut ledger = Ledger::new(3);
    let mut sink = json(&dir, Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(fs::metadata(active(&dir)).unwrap().permissions().mode() & 0o777, 0o640);
    let second = json(&dir, Rotation::Never).open(&Cursor::default(), &mut |_| Ok(Vec::new()));
    assert!(matches!(second, Err(SinkError::Locked { .. })));
    let expected: Vec<&str> = ledger.events.iter().map(|r| r.line.as_str()).collect();
    assert_eq!(fs::read_to_string(active(&dir)).unwrap(), expected.join("\n") + "\n");
}

/// The log of an earlier life is neither cut nor mixed with ours, torn end or not.
#[test]
fn a_foreign_file_is_continued_at_its_end() {
    for content in ["{\"seq\":9}\n", "{\"seq\":9}\n{\"seq\":10,\"id", "\0\0\0"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(active(dir.path()), content).unwrap();
        let mut ledger = Ledger::new(2);
        let mut sink = json(dir.path(), Rotation::Never);
        ledger.open(&mut sink).unwrap();
        ledger.drain(&mut sink);
        let text = fs::read_to_string(active(dir.path())).unwrap();
        let separator = if content.ends_with('\n') { "" } else { "\n" };
        assert_eq!(text, format!("{content}{separator}{}\n{}\n", ledger.events[0].line, ledger.events[1].line));
    }
}

/// A power cut can leave later pages written and earlier ones zero: nothing of it is somebody else's.
#[test]
fn what_a_power_cut_left_is_cut_and_written_anew() {
    let line = |seq: u64| format!("{}\n", recorded(seq).line);
    let tails = [
        "\0".repeat(700),
        format!("{}{}{}", line(4), "\0".repeat(line(5).len()), line(6)),
        format!("{}{}", "\0".repeat(line(4).len() / 2), line(4).split_at(line(4).len() / 2).1),
        "\u{1}rubbish".to_owned(),
        "{\"seq\":77,\"id\":\"torn".to_owned(),
    ];
    for tail in tails {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::new(3);
        let mut sink = json(dir.path(), Rotation::Never);
        ledger.open(&mut sink).unwrap();
        ledger.drain(&mut sink);
        drop(sink);
        ledger.events = (1..=8).map(recorded).collect();
        append(&active(dir.path()), tail.as_bytes());
        let mut sink = json(dir.path(), Rotation::Never);
        ledger.open(&mut sink).unwrap();
        ledger.drain(&mut sink);
        let expected: String = (1..=8).map(line).collect();
        assert_eq!(fs::read_to_string(active(dir.path())).unwrap(), expected, "{tail:?}");
    }
}

/// A ledger from a backup knows less than the file: the file keeps its lines.
#[test]
fn lines_the_ledger_does_not_know_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(3);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    let backup = ledger.cursor.clone();
    ledger.events = (1..=6).map(recorded).collect();
    ledger.drain(&mut sink);
    drop(sink);
    let before = fs::read_to_string(active(dir.path())).unwrap();
    ledger = Ledger::new(3);
    ledger.cursor = backup;
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    assert_eq!(fs::read_to_string(active(dir.path())).unwrap(), before);
    append(&active(dir.path()), b"a note");
    assert_eq!(ledger.cursor.seq, 3);
    ledger.events.push(recorded(7));
    ledger.drain(&mut sink);
    assert_eq!(fs::read_to_string(active(dir.path())).unwrap(), format!("{before}a note\n{}\n", recorded(7).line));
}

#[test]
fn a_moved_deleted_or_shortened_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(9);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.cursor = sink.deliver(&ledger.behind(2)).unwrap();
    fs::rename(active(dir.path()), dir.path().join("moved")).unwrap();
    ledger.cursor = sink.tend(true).unwrap().unwrap();
    ledger.cursor = sink.deliver(&ledger.behind(2)).unwrap();
    fs::remove_file(active(dir.path())).unwrap();
    assert!(sink.tend(false).unwrap().is_some());
    assert!(active(dir.path()).exists());
    assert!(sink.tend(false).unwrap().is_none());
    // Deleted again, written, and killed before the cursor was stored: the exact line is found.
    fs::remove_file(active(dir.path())).unwrap();
    sink.deliver(&ledger.behind(2)).unwrap();
    drop(sink);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    assert_eq!(ledger.cursor.seq, 6);
    // copytruncate
    OpenOptions::new().write(true).open(active(dir.path())).unwrap().set_len(0).unwrap();
    ledger.drain(&mut sink);
    assert_eq!(seqs(dir.path()), [7, 8, 9]);
    // The whole directory is gone, lock and all.
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(sink.tend(false).unwrap().is_some());
    ledger.events.push(recorded(10));
    ledger.drain(&mut sink);
    assert_eq!(seqs(dir.path()), [10]);
    assert!(matches!(
        json(dir.path(), Rotation::Never).open(&Cursor::default(), &mut |_| Ok(Vec::new())),
        Err(SinkError::Locked { .. })
    ));
}

#[test]
fn a_place_that_is_no_file_is_an_error_and_a_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let open = || json(dir.path(), Rotation::Never).open(&Cursor::default(), &mut |_| Ok(Vec::new()));
    fs::create_dir(active(dir.path())).unwrap();
    assert!(matches!(open(), Err(SinkError::Io { .. })));
    fs::remove_dir(active(dir.path())).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, active(dir.path()), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert!(matches!(open(), Err(SinkError::Io { .. })));
    fs::remove_file(active(dir.path())).unwrap();
    let target = dir.path().join("elsewhere");
    fs::write(&target, "").unwrap();
    std::os::unix::fs::symlink(&target, active(dir.path())).unwrap();
    let mut ledger = Ledger::new(2);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    assert_eq!(fs::read_to_string(target).unwrap().lines().count(), 2);
}

#[test]
fn size_rotation_splits_no_line_and_keeps_what_it_was_told() {
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
    let mut sink = json(dir.path(), Rotation::Daily)
        .with_clock(Box::new(move || chrono::DateTime::from_timestamp(clock.load(Ordering::Relaxed), 0).unwrap()));
    ledger.open(&mut sink).unwrap();
    while ledger.cursor.seq < 60 {
        ledger.cursor = sink.deliver(&ledger.behind(1)).unwrap();
        now.fetch_add(3600, Ordering::Relaxed);
    }
    let counts: Vec<(String, usize)> = rotated(dir.path())
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap().lines().count()))
        .collect();
    let expected = [
        ("events.20260328T000000Z.000001.jsonl", 1),
        ("events.20260329T000000Z.000002.jsonl", 24),
        ("events.20260330T000000Z.000003.jsonl", 24),
    ];
    assert_eq!(counts, expected.map(|(name, lines)| (name.to_owned(), lines)));
    assert_eq!(seqs(dir.path()), (1..=60).collect::<Vec<_>>());
}

/// Killed before its first cursor was stored, when it had already begun another file.
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

/// A rename of two steps that stopped after the first left two names for one file.
#[test]
fn a_half_done_rename_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(4);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    drop(sink);
    fs::hard_link(active(dir.path()), dir.path().join("events.20260223T102049Z.000001.jsonl")).unwrap();
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.events.push(recorded(5));
    ledger.open(&mut sink).unwrap();
    ledger.drain(&mut sink);
    assert_eq!(seqs(dir.path()), [1, 2, 3, 4, 5]);
}

#[test]
fn the_text_log_resumes_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.log");
    let mut ledger = Ledger::new(3);
    let whole: String = ledger.events.iter().map(|r| render_block(&r.event)).collect();
    let text = || EventLogSink::new(dir.path(), LogFileFormat::Text, Rotation::Never, 0);
    let mut sink = text();
    ledger.open(&mut sink).unwrap();
    drop(sink);
    for cut in [1, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole.as_bytes()[..cut]).unwrap();
        let mut ledger = Ledger { events: ledger.events.clone(), cursor: ledger.cursor.clone() };
        let mut sink = text();
        ledger.open(&mut sink).unwrap();
        ledger.drain(&mut sink);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "cut at {cut}");
    }
}

#[test]
fn a_closed_or_full_console_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut sink = ConsoleSink::new(ConsoleFormat::Json, Box::new(full), false);
    assert!(matches!(sink.deliver(&[recorded(1)]), Err(SinkError::Io { .. })));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut sink = ConsoleSink::new(ConsoleFormat::Text, Box::new(writer), false);
    assert!(sink.deliver(&[recorded(1)]).unwrap_err().to_string().contains("standard output"));
}

/// Set in the process that runs on a small file system of its own.
const SMALL_DISK: &str = "STATUSWATCH_TEST_SMALL_DISK";

/// A disk that fills and is freed: nothing missing, nothing twice, nothing torn.
#[test]
fn a_full_disk_delays_and_loses_nothing() {
    let Some(dir) = std::env::var_os(SMALL_DISK).map(PathBuf::from) else {
        let dir = tempfile::tempdir().unwrap();
        let run = |script: &str| {
            std::process::Command::new("unshare")
                .args(["-Urm", "sh", "-c", script])
                .env(SMALL_DISK, dir.path())
                .env("TEST_BINARY", std::env::current_exe().unwrap())
                .output()
        };
        let mount = format!("mount -t tmpfs -o size=256k none \"${SMALL_DISK}\"");
        if !run(&mount).is_ok_and(|output| output.status.success()) {
            println!("skipped: no file system of one's own can be mounted here");
            return;
        }
        let output = run(&format!("{mount} && exec \"$TEST_BINARY\" --exact sinks::a_full_disk_delays_and_loses_nothing")).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        return;
    };
    let filler = dir.join("filler");
    let mut ledger = Ledger::new(200);
    let mut sink = json(&dir, Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.cursor = sink.deliver(&ledger.behind(5)).unwrap();
    fs::write(&filler, vec![1; 220 << 10]).unwrap();
    assert!(sink.deliver(&ledger.behind(200)).is_err());
    assert!(ledger.open(&mut sink).is_err(), "still full: the torn line cannot be completed");
    fs::remove_file(&filler).unwrap();
    ledger.open(&mut sink).unwrap();
    assert!(ledger.cursor.seq > 5, "what was written is kept");
    ledger.drain(&mut sink);
    let expected: Vec<&str> = ledger.events.iter().map(|r| r.line.as_str()).collect();
    assert_eq!(fs::read_to_string(active(&dir)).unwrap(), expected.join("\n") + "\n");
}

/// What may happen between two deliveries.
#[derive(Debug, Clone)]
enum Step {
    Deliver {
        count: usize,
    },
    /// The process dies after the write; the cursor is not stored, and this much of what was written stays.
    Crash {
        count: usize,
        keep: f64,
        rubbish: bool,
    },
    Restart,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..12usize).prop_map(|count| Step::Deliver { count }),
        (1..12usize, 0.0..=1.0f64, any::<bool>()).prop_map(|(count, keep, rubbish)| Step::Crash { count, keep, rubbish }),
        Just(Step::Restart),
        Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_line_stands_once_whatever_happens(steps in prop::collection::vec(step(), 1..30), limit in 900u64..9000) {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation::Size(limit);
        let mut ledger = Ledger::new(120);
        let mut sink = json(dir.path(), rotation);
        ledger.open(&mut sink).unwrap();
        let mut follower = LogReader::new(dir.path());
        let mut followed = Vec::new();
        for step in steps {
            match step {
                Step::Deliver { count } => ledger.cursor = sink.deliver(&ledger.behind(count)).unwrap(),
                Step::Crash { count, keep, rubbish } => {
                    let files = rotated(dir.path()).len();
                    let before = fs::metadata(active(dir.path())).unwrap().len();
                    sink.deliver(&ledger.behind(count)).unwrap();
                    drop(sink);
                    // Synced bytes do not go away; those of this delivery may, when it died before the sync.
                    let base = if rotated(dir.path()).len() > files { 0 } else { before };
                    let size = fs::metadata(active(dir.path())).unwrap().len();
                    let kept = base + ((size - base) as f64 * keep) as u64;
                    OpenOptions::new().write(true).open(active(dir.path())).unwrap().set_len(kept).unwrap();
                    if rubbish && kept < size {
                        append(&active(dir.path()), &vec![0; (size - kept) as usize]);
                    } else if kept == 0 && base == 0 {
                        // Died between the rename and the new file.
                        fs::remove_file(active(dir.path())).unwrap();
                    }
                    sink = json(dir.path(), rotation);
                    ledger.open(&mut sink).unwrap();
                }
                Step::Restart => {
                    drop(sink);
                    sink = json(dir.path(), rotation);
                    ledger.open(&mut sink).unwrap();
                }
                Step::Reopen => {
                    if let Some(cursor) = sink.tend(true).unwrap() {
                        ledger.cursor = cursor;
                    }
                }
            }
            while let Some(line) = follower.next().unwrap() {
                followed.push(line.event.unwrap().seq);
            }
        }
        ledger.drain(&mut sink);
        while let Some(line) = follower.next().unwrap() {
            followed.push(line.event.unwrap().seq);
        }
        let all: Vec<u64> = (1..=120).collect();
        prop_assert_eq!(seqs(dir.path()), all.clone());
        prop_assert_eq!(followed, all);
        for file in rotated(dir.path()) {
            prop_assert!(fs::metadata(&file).unwrap().len() <= limit.max(1000));
        }
    }
}
