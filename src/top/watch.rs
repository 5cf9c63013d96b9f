//! The thread that reads the ledger, so that a slow disk delays no key.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::sync::mpsc::Sender;

use super::facts::{Details, Facts, Newest, Subject};
use crate::clock;
use crate::ledger::{DATABASE, LedgerError, Reader, StateLock};

/// How often the ledger is asked whether it has changed.
const LOOK: Duration = Duration::from_millis(250);
/// The ledger is read again after this time at the earliest, unless there is a new event.
const PAUSE: Duration = Duration::from_secs(1);
/// After a reading, this many times its duration passes before the next one, unless there is a new
/// event: with many providers, reading takes at most a hundredth of a processor.
const SHARE: u32 = 100;
/// But never more than this.
const LONGEST: Duration = Duration::from_secs(10);
/// How often it is checked whether `run` is active and the database is still the same file.
const CHECK: Duration = Duration::from_secs(1);

/// What the screen asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Everything, now.
    Refresh,
    /// The details of one line.
    Details(Subject),
}

/// What the thread reports.
#[derive(Debug)]
pub(super) enum Report {
    /// What was read.
    Facts(Box<Facts>),
    /// Nothing has changed; whether `run` is active.
    Same(bool),
    /// The details of one line.
    Details(Subject, Details),
    /// Why the ledger cannot be read.
    Failed(String),
    /// How far the clock of whoever reads it is ahead of ours.
    Ahead(TimeDelta),
}

/// Reads the ledger until the screen is gone.
pub(super) fn watch(
    reader: Reader,
    state_dir: PathBuf,
    asked: &Receiver<Ask>,
    to: &Sender<Report>,
) {
    let mut watch = Watch {
        database: identity(&state_dir),
        reader: Some(reader),
        state_dir,
        newest: Newest::default(),
        seq: 0,
        is_due: true,
        next_read: Instant::now(),
        next_check: Instant::now(),
        subject: None,
    };
    loop {
        for report in watch.look() {
            if to.blocking_send(report).is_err() {
                return;
            }
        }
        match asked.recv_timeout(LOOK) {
            Ok(Ask::Refresh) => {
                (watch.reader, watch.is_due, watch.next_read) = (None, true, Instant::now());
            }
            Ok(Ask::Details(subject)) => watch.subject = Some(subject),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

struct Watch {
    state_dir: PathBuf,
    reader: Option<Reader>,
    /// Which file is read: another one may take its place.
    database: Option<(u64, u64)>,
    newest: Newest,
    /// The newest event that was read.
    seq: u64,
    /// Whether something has changed that was not read.
    is_due: bool,
    next_read: Instant,
    next_check: Instant,
    /// Details that were asked for and not read.
    subject: Option<Subject>,
}

impl Watch {
    fn look(&mut self) -> Vec<Report> {
        self.read().unwrap_or_else(|error| {
            // The next look opens it again.
            self.forget();
            vec![Report::Failed(error.to_string())]
        })
    }

    fn forget(&mut self) {
        (self.reader, self.newest, self.is_due) = (None, Newest::default(), true);
        self.next_read = Instant::now() + PAUSE;
    }

    fn read(&mut self) -> Result<Vec<Report>, LedgerError> {
        let mut reports = Vec::new();
        let is_check = Instant::now() >= self.next_check;
        if is_check {
            self.next_check = Instant::now() + CHECK;
            let database = identity(&self.state_dir);
            if database != self.database {
                self.database = database;
                self.forget();
                self.next_read = Instant::now();
            }
        }
        if self.reader.is_none() && Instant::now() < self.next_read {
            return Ok(reports);
        }
        let reader = match &self.reader {
            Some(reader) => reader,
            None => self.reader.insert(Reader::open(&self.state_dir)?),
        };
        self.is_due |= reader.has_changed()?;
        let is_new = self.is_due && reader.newest_seq()? != self.seq;
        if self.is_due && (is_new || Instant::now() >= self.next_read) {
            let begun = Instant::now();
            let running = StateLock::is_held(&self.state_dir);
            let facts = Facts::read(reader, &mut self.newest, clock::now(), running)?;
            self.seq = reader.newest_seq()?;
            self.is_due = false;
            let pause = begun.elapsed().saturating_mul(SHARE).clamp(PAUSE, LONGEST);
            self.next_read = Instant::now() + pause;
            reports.push(Report::Facts(Box::new(facts)));
        } else if is_check {
            reports.push(Report::Same(StateLock::is_held(&self.state_dir)));
        }
        if let Some(subject) = self.subject.take() {
            let details = Details::read(reader, &subject)?;
            reports.push(Report::Details(subject, details));
        }
        Ok(reports)
    }
}

/// Returns which file the database is.
fn identity(state_dir: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(state_dir.join(DATABASE)).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
