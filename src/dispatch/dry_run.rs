//! `run --dry-run`: logs which messages would be sent, in place of sending them.
//!
//! A thread of its own reads the ledger like the dispatcher and decides in a copy of the outbox. It
//! changes nothing in the ledger: a later `run` sends what it would have sent without the dry run.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Setup;
use super::simulate::{Simulation, WouldSend};
use crate::clock;
use crate::ledger::outbox::MuteRow;
use crate::ledger::{LedgerError, Reader};
use crate::text::one_line;

/// How often the ledger is read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Events routed together.
const BATCH: usize = 200;

/// Most characters of a message that are logged.
const SHOWN: usize = 200;

/// A dry run of delivery. Ends when it is dropped.
pub struct DryRun {
    commands: mpsc::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Command {
    Configure(Arc<Setup>),
    Finish,
}

impl DryRun {
    /// Starts with the ledger as it is: after the events that are routed, or if none ever was, after
    /// those that are there.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn start(setup: Arc<Setup>, state_dir: PathBuf) -> Result<Self, LedgerError> {
        let reader = Reader::open(&state_dir)?;
        let cursor = match reader.routed()? {
            Some(seq) => seq,
            None => reader.newest_seq()?,
        };
        let mutes = reader.mutes(true)?;
        let mut follower = Follower { reader, cursor, mutes, state_dir };
        let (commands, inbox) = mpsc::channel();
        let body = move || {
            // In the thread: a simulation stays where it was made.
            let mut simulation = match Simulation::copy(setup, &follower.state_dir) {
                Ok(simulation) => simulation,
                Err(error) => {
                    tracing::error!(%error, "the dry run of delivery cannot start");
                    return;
                }
            };
            loop {
                let command = inbox.recv_timeout(LOOK_EVERY);
                if let Ok(Command::Configure(setup)) = command {
                    simulation.configure(setup);
                    continue;
                }
                if let Err(error) = follower.look(&mut simulation) {
                    tracing::warn!(%error, "the dry run of delivery cannot read the ledger");
                }
                if !matches!(command, Err(RecvTimeoutError::Timeout)) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("dry-run".to_owned()).spawn(body);
        let thread = thread.map_err(|error| LedgerError::Failed { reason: error.to_string() })?;
        Ok(Self { commands, thread: Mutex::new(Some(thread)) })
    }

    /// Replaces the configuration.
    pub fn configure(&self, setup: Arc<Setup>) {
        // It has ended only after an error, which was logged.
        drop(self.commands.send(Command::Configure(setup)));
    }

    /// Looks at the ledger a last time and ends.
    pub fn finish(&self) {
        drop(self.commands.send(Command::Finish));
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the dry run of delivery has failed");
        }
    }
}

/// Follows the ledger.
struct Follower {
    reader: Reader,
    cursor: u64,
    mutes: Vec<MuteRow>,
    state_dir: PathBuf,
}

impl Follower {
    fn look(&mut self, simulation: &mut Simulation) -> Result<(), LedgerError> {
        self.take_mutes(simulation)?;
        loop {
            let events = self.reader.after(self.cursor, BATCH)?;
            let Some(last) = events.last().map(|last| last.event.seq) else { break };
            log(&simulation.route(&events, clock::now())?);
            self.cursor = last;
        }
        let now = clock::now();
        if simulation.next_due()?.is_some_and(|due| due <= now) {
            log(&simulation.release(now)?);
        }
        Ok(())
    }

    fn take_mutes(&mut self, simulation: &mut Simulation) -> Result<(), LedgerError> {
        let mutes = self.reader.mutes(true)?;
        if mutes != self.mutes {
            simulation.copy_mutes(&self.state_dir)?;
            self.mutes = mutes;
        }
        Ok(())
    }
}

fn log(messages: &[WouldSend]) {
    for WouldSend { channel, line } in messages {
        tracing::warn!("would send to {channel}: {}", one_line(line, SHOWN));
    }
}
