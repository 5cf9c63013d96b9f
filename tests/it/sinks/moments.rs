//! The event log under any sequence of deliveries, crashes and restarts.

use proptest::prelude::*;

use super::*;

/// What may happen between two deliveries.
#[derive(Debug, Clone)]
enum Step {
    Deliver {
        count: usize,
    },
    /// The process dies after the write; the cursor is not stored, and this much of what was
    /// written remains.
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
        (1..12usize, 0.0..=1.0f64, any::<bool>()).prop_map(|(count, keep, rubbish)| Step::Crash {
            count,
            keep,
            rubbish
        }),
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
                    // Synced bytes remain; those of this delivery may be lost if the process died
                    // before the sync.
                    let base = if rotated(dir.path()).len() > files { 0 } else { before };
                    let size = fs::metadata(active(dir.path())).unwrap().len();
                    let kept = base + ((size - base) as f64 * keep) as u64;
                    OpenOptions::new().write(true).open(active(dir.path())).unwrap().set_len(kept).unwrap();
                    if rubbish && kept < size {
                        append(&active(dir.path()), &vec![0; (size - kept) as usize]);
                    } else if kept == 0 && base == 0 {
                        // Died between the rename and the creation of the new file.
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
                    if let Some(cursor) = sink.maintain(true).unwrap() {
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
