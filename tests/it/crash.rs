//! `kill -9` at random moments while updates are published: nothing lost, nothing twice, nothing
//! torn.
//!
//! `STATUSWATCH_KILLS` sets the number of kills, `STATUSWATCH_SEED` the moments:
//! `STATUSWATCH_KILLS=2000 STATUSWATCH_BIN=$PWD/target/release/statuswatch cargo test --test it
//! crash:: -- --nocapture`

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;
use statuswatch::event::Impact;
use statuswatch::fake::platform::Statuspage;
use statuswatch::sink::LogReader;

use crate::support::bench::{Bench, Watch, parse};
use crate::support::provider::{alone, provider};
use crate::support::wait::within;

fn from_env(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Reads the file as people's collectors do: by name, to its end, then the next one under the name.
struct Follower {
    over: Arc<AtomicBool>,
    seen: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Follower {
    fn of(path: PathBuf) -> Self {
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stop, count) = (Arc::clone(&over), Arc::clone(&seen));
        Self { over, seen, thread: std::thread::spawn(move || follow(&path, &stop, &count)) }
    }

    fn end(self) -> Vec<String> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn follow(path: &Path, stop: &AtomicBool, count: &AtomicUsize) -> Vec<String> {
    let (mut seen, mut partial) = (Vec::new(), Vec::new());
    let mut file: Option<File> = None;
    loop {
        let last_look = stop.load(Ordering::Relaxed);
        let Some(held) = &mut file else {
            file = File::open(path).ok();
            if file.is_none() && last_look {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        // Looked at before reading: what is there when the name leads elsewhere is all it will ever
        // hold.
        let replaced =
            fs::metadata(path).is_ok_and(|named| named.ino() != held.metadata().unwrap().ino());
        held.read_to_end(&mut partial).unwrap();
        while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = partial.drain(..=end).collect();
            seen.push(String::from_utf8(line).unwrap().trim_end().to_owned());
        }
        count.store(seen.len(), Ordering::Relaxed);
        if replaced {
            assert_eq!(partial, b"", "a closed file ends in a whole line");
            file = None;
        } else if last_look {
            return seen;
        } else {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Follows across rotations, as `logs -f` does.
fn follow_all(dir: &Path, stop: &AtomicBool) -> Vec<String> {
    let (mut reader, mut seen) = (LogReader::new(dir), Vec::new());
    loop {
        let last_look = stop.load(Ordering::Relaxed);
        while let Some(line) = reader.next().unwrap() {
            seen.push(line.line);
        }
        if last_look {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills under a storm, then lets it settle. `how` ends a process that has run for a while.
fn rounds(kills: u64, seed: u64, extra: &str, how: fn(&mut Watch)) {
    let began = Instant::now();
    let mut bench = Bench::new(10, extra);
    // A kill while a document is read counts against its provider, which may be set aside for
    // minutes; and nothing may leave a page meanwhile.
    bench.patience = Duration::from_mins(5);
    for provider in bench.universe.providers() {
        provider.change(|state, _| state.window = Some(usize::MAX));
    }
    let mut rng = Rng::with_seed(seed);
    let follower = Follower::of(bench.path("logs/events.jsonl"));
    let over = Arc::new(AtomicBool::new(false));
    let (logs, stop) = (bench.path("logs"), Arc::clone(&over));
    let reader = std::thread::spawn(move || follow_all(&logs, &stop));
    let seen = Arc::clone(&follower.seen);
    let storm = bench.storm(seed, Duration::from_millis(if kills > 100 { 60 } else { 25 }));
    let mut during = 0;
    for _ in 0..kills {
        let before = seen.load(Ordering::Relaxed);
        let mut watch = bench.start();
        // Most in the start and the first polls; some where a page of several documents has been
        // read.
        let moment = if rng.u8(0..4) > 0 { rng.u64(5..250) } else { rng.u64(250..1000) };
        std::thread::sleep(Duration::from_millis(moment));
        how(&mut watch);
        during += usize::from(seen.load(Ordering::Relaxed) > before);
    }
    storm.end();
    let verdict = bench.settle();
    over.store(true, Ordering::Relaxed);
    let followed = follower.end();
    assert!(kills < 20 || during > 0, "no kill met a process at work");
    let seqs: Vec<u64> = followed.iter().map(|line| parse(line).unwrap().seq).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "who follows the name sees no line twice: {seqs:?}");
    assert!(
        extra.contains("rotation") || seqs.len() == verdict.reported,
        "who follows the name sees every line of a file that stays"
    );
    assert!(reader.join().unwrap() == bench.lines(), "who follows the files sees each line once");
    println!(
        "{kills} kills (seed {seed}, {during} while it was writing): {} updates owed, {} events reported, 0 lost, 0 twice, 0 torn, in {:.0?}",
        verdict.owed,
        verdict.reported,
        began.elapsed()
    );
}

#[test]
fn nothing_is_lost_or_reported_twice_by_kills() {
    let kills = from_env("STATUSWATCH_KILLS", 25);
    rounds(kills.div_ceil(2), from_env("STATUSWATCH_SEED", 1), "", Watch::kill);
}

#[test]
fn nothing_is_lost_or_reported_twice_by_kills_while_the_log_rotates() {
    let kills = from_env("STATUSWATCH_KILLS", 25);
    let extra = "event_log: {rotation: 16KiB, keep: 0}";
    rounds(kills.div_ceil(2), from_env("STATUSWATCH_SEED", 1) + 1, extra, Watch::kill);
}

#[test]
fn an_orderly_stop_cut_short_loses_nothing() {
    let kills = from_env("STATUSWATCH_KILLS", 10);
    rounds(kills.div_ceil(5), from_env("STATUSWATCH_SEED", 1) + 2, "", |watch| {
        watch.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..20)));
        // It may have ended by itself already.
        drop(watch.0.kill());
        watch.0.wait().unwrap();
    });
}

/// Killed before, within and behind its first poll it reports what is open, once, and nothing of the
/// past.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_cut_short_reports_what_is_open_and_no_history() {
    let mut rng = Rng::with_seed(from_env("STATUSWATCH_SEED", 1));
    for _ in 0..from_env("STATUSWATCH_KILLS", 16).div_ceil(4).min(100) {
        let acme = provider("acme", &Statuspage);
        acme.import(25);
        for text in ["One.", "Two."] {
            acme.open_incident(text, Impact::Minor, &[], text);
        }
        let server = alone(&acme).await;
        let bench = crate::support::binary::Bench::new().provider("acme", &server.url("acme"), "");
        for _ in 0..4 {
            let run = bench.start(&["run"]);
            tokio::time::sleep(Duration::from_millis(rng.u64(5..300))).await;
            run.signal(Signal::KILL);
            run.ended().await;
        }
        let run = bench.start(&["run"]);
        bench.wait_events(2).await;
        let before = server.requests_of("acme").len();
        within("polls afterwards", server.wait_answered("acme", before + 2)).await;
        assert_eq!(run.stop().await.code(), Some(0));
        let events = bench.events();
        let reported: Vec<&str> =
            events.iter().map(|event| event["message"].as_str().unwrap()).collect();
        assert_eq!(reported, ["One.", "Two."]);
        assert!(events.iter().all(|event| event["backfill"] == true));
    }
}
