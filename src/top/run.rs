//! The terminal: keys, signals, and when to draw.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chrono::TimeDelta;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, enable_raw_mode};
use ratatui::layout::{Position, Rect};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until, timeout};

use super::draw::draw;
use super::facts::Subject;
use super::input;
use super::model::{Effect, Model};
use super::remote::{self, Remote};
use super::watch::{Ask, Report, watch};
use crate::clock;
use crate::event::Time;
use crate::ledger::{LedgerError, Reader};

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(100);
/// Ages are drawn again after this time.
const TICK: Duration = Duration::from_secs(1);
/// Events of the terminal and reports of the reader that may wait.
const WAITING: usize = 64;

/// Why the dashboard ended.
#[derive(Debug, thiserror::Error)]
pub enum TopError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The terminal failed.
    #[error("cannot use the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// A thread ended: a defect.
    #[error("the thread that reads {0} has ended")]
    Ended(&'static str),
}

/// What is shown.
pub enum Source {
    /// The ledger in a state directory.
    StateDir(Reading),
    /// What a server says.
    Server(Remote),
}

/// The thread that reads a ledger or asks a server.
pub struct Reading {
    ask: mpsc::Sender<Ask>,
    reports: Receiver<Report>,
}

impl Reading {
    /// Begins to read the ledger in a state directory, before there is a screen: a wrong directory is
    /// reported on a normal one, and the first frame need not wait.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn begin(dir: PathBuf) -> Result<Self, TopError> {
        let reader = Reader::open(&dir)?;
        Self::spawn(move |asked, report| watch(reader, dir, &asked, &report))
    }

    fn ask(server: Remote) -> Result<Self, TopError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Self::spawn(move |asked, report| runtime.block_on(remote::watch(server, asked, report)))
    }

    fn spawn(
        work: impl FnOnce(mpsc::Receiver<Ask>, Sender<Report>) + Send + 'static,
    ) -> Result<Self, TopError> {
        let (ask, asked) = mpsc::channel();
        let (report, reports) = channel(WAITING);
        thread::Builder::new().name("top-ledger".to_owned()).spawn(move || work(asked, report))?;
        Ok(Self { ask, reports })
    }
}

/// Shows the ledger until the user quits, or a signal ends it.
///
/// # Errors
/// The terminal fails. It is restored before. The ledger or a server may be away at any time.
pub fn run(source: Source, color: bool) -> Result<(), TopError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Reading { ask, reports } = match source {
        Source::StateDir(reading) => reading,
        Source::Server(server) => Reading::ask(server)?,
    };
    let terminal = ratatui::try_init()?;
    // After raw mode began: what was typed before belongs to the shell's line discipline.
    let keys = keys()?;
    let _restored = Restored;
    let mut screen = Screen {
        terminal,
        model: Model::new(clock::now(), color),
        ask,
        subject: None,
        drawn_seq: None,
        ahead: TimeDelta::zero(),
    };
    runtime.block_on(screen.show(keys, reports))
}

/// Restores the terminal when it is dropped. A panic restores it through the hook that
/// `ratatui::try_init` sets.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = ratatui::try_restore();
    }
}

/// Reads the terminal on a thread of its own, which ends with the process.
fn keys() -> io::Result<Receiver<io::Result<Event>>> {
    let (to, keys) = channel(WAITING);
    thread::Builder::new().name("top-keys".to_owned()).spawn(move || {
        loop {
            let event = event::read();
            let is_last = event.is_err();
            if to.blocking_send(event).is_err() || is_last {
                return;
            }
        }
    })?;
    Ok(keys)
}

struct Screen {
    terminal: DefaultTerminal,
    model: Model,
    ask: mpsc::Sender<Ask>,
    /// The details last asked for.
    subject: Option<Subject>,
    /// The newest event when they were.
    drawn_seq: Option<u64>,
    /// How far the clock of the server is ahead of ours.
    ahead: TimeDelta,
}

impl Screen {
    async fn show(
        &mut self,
        mut keys: Receiver<io::Result<Event>>,
        mut reports: Receiver<Report>,
    ) -> Result<(), TopError> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
        let mut resume = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        // The first frame waits for what is about to be read, if that does not take long: an empty one
        // would put it off.
        if let Ok(Some(report)) = timeout(FRAME, reports.recv()).await {
            self.take(report);
        }
        while let Ok(report) = reports.try_recv() {
            self.take(report);
        }
        let (mut next_frame, mut next_tick) = (Instant::now(), Instant::now() + TICK);
        let mut is_dirty = true;
        loop {
            let wake = if is_dirty { next_frame.min(next_tick) } else { next_tick };
            let effect = tokio::select! {
                // Keys first: a storm of reports must not delay quitting.
                biased;
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = hangup.recv() => return Ok(()),
                _ = stop.recv() => Effect::Suspend,
                // After SIGSTOP, which cannot be caught, the shell may have changed the terminal.
                _ = resume.recv() => {
                    self.resume()?;
                    Effect::Draw
                }
                key = keys.recv() => match key {
                    Some(Ok(Event::Key(key))) => match input::action(self.model.mode, key) {
                        Some(action) => self.model.apply(action),
                        None => continue,
                    },
                    Some(Ok(_)) => Effect::Draw,
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(TopError::Ended("keys")),
                },
                () = sleep_until(wake) => {
                    if Instant::now() >= next_tick {
                        self.model.tick(self.now());
                        next_tick = Instant::now() + TICK;
                        is_dirty = true;
                    }
                    if is_dirty && Instant::now() >= next_frame {
                        self.frame()?;
                        next_frame = Instant::now() + FRAME;
                        is_dirty = false;
                    }
                    continue;
                }
                report = reports.recv() => match report {
                    Some(report) => {
                        is_dirty |= self.take(report);
                        continue;
                    }
                    None => return Err(TopError::Ended("the ledger")),
                },
            };
            is_dirty = true;
            match effect {
                Effect::Quit => return Ok(()),
                Effect::Suspend => self.suspend()?,
                Effect::Refresh => {
                    self.clear()?;
                    self.subject = None;
                    let _ended = self.ask.send(Ask::Refresh);
                }
                Effect::Draw => {}
            }
        }
    }

    /// Returns the time by the clock that the times of the ledger are from.
    fn now(&self) -> Time {
        clock::now() + self.ahead
    }

    /// Takes what was read. Returns whether it is to be drawn before the next tick.
    fn take(&mut self, report: Report) -> bool {
        match report {
            Report::Facts(facts) => self.model.update(*facts, self.now()),
            Report::Details(subject, details) => self.model.detail(subject, details),
            Report::Failed(error) => self.model.fail(error),
            Report::Ahead(ahead) => {
                self.ahead = ahead;
                return false;
            }
            Report::Same(running) => {
                self.model.is_current(self.now());
                self.model.set_running(running);
                return false;
            }
        }
        true
    }

    fn frame(&mut self) -> Result<(), TopError> {
        self.terminal.draw(|frame| draw(&mut self.model, frame))?;
        // Asked for after the frame: the list does not wait for its details.
        let newest = self.model.facts.events.first().map(|event| event.seq);
        let subject = self.model.subject();
        if subject != self.subject || newest != self.drawn_seq {
            if let Some(subject) = &subject {
                let _ended = self.ask.send(Ask::Details(subject.clone()));
            }
            (self.subject, self.drawn_seq) = (subject, newest);
        }
        Ok(())
    }

    /// Gives the terminal back to the shell and stops, as programs do on Ctrl-Z. The signal that
    /// continues the process takes the terminal again.
    fn suspend(&mut self) -> Result<(), TopError> {
        self.terminal.show_cursor()?;
        ratatui::try_restore()?;
        kill_process(getpid(), Signal::STOP).map_err(io::Error::from)?;
        Ok(())
    }

    /// Takes the terminal after a stop. Unlike `try_init`, this sets no further panic hook.
    fn resume(&mut self) -> Result<(), TopError> {
        enable_raw_mode()?;
        execute!(self.terminal.backend_mut(), EnterAlternateScreen)?;
        self.clear()
    }

    /// Makes the next frame draw everything. `Terminal::clear` would ask the terminal where its
    /// cursor is, and the answer would go to the thread that reads keys.
    fn clear(&mut self) -> Result<(), TopError> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))?;
        Ok(())
    }
}
