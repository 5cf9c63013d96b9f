//! The event log's file: found, moved, truncated or continued.

use std::os::unix::fs::PermissionsExt;

use statuswatch::event::render_block;

use super::*;

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

/// An existing log is neither truncated nor mixed with ours, whether or not its end is torn.
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
        assert_eq!(
            text,
            format!("{content}{separator}{}\n{}\n", ledger.events[0].line, ledger.events[1].line)
        );
    }
}

/// A power failure can leave later pages written and earlier ones zero; all of it is ours.
#[test]
fn data_torn_by_a_power_failure_is_rewritten() {
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

/// A ledger restored from a backup knows less than the file, which keeps its lines.
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
    assert_eq!(
        fs::read_to_string(active(dir.path())).unwrap(),
        format!("{before}a note\n{}\n", recorded(7).line)
    );
}

#[test]
fn a_moved_deleted_or_shortened_file_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::new(9);
    let mut sink = json(dir.path(), Rotation::Never);
    ledger.open(&mut sink).unwrap();
    ledger.cursor = sink.deliver(&ledger.behind(2)).unwrap();
    fs::rename(active(dir.path()), dir.path().join("moved")).unwrap();
    ledger.cursor = sink.maintain(true).unwrap().unwrap();
    ledger.cursor = sink.deliver(&ledger.behind(2)).unwrap();
    fs::remove_file(active(dir.path())).unwrap();
    assert!(sink.maintain(false).unwrap().is_some());
    assert!(active(dir.path()).exists());
    assert!(sink.maintain(false).unwrap().is_none());
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
    // The whole directory is removed, including the lock.
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(sink.maintain(false).unwrap().is_some());
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
    let open =
        || json(dir.path(), Rotation::Never).open(&Cursor::default(), &mut |_| Ok(Vec::new()));
    fs::create_dir(active(dir.path())).unwrap();
    assert!(matches!(open(), Err(SinkError::Io { .. })));
    fs::remove_dir(active(dir.path())).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        active(dir.path()),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
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
