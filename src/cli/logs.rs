//! `logs`: prints the event log across rotated files, and follows it.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::args::{Common, LogsArgs};
use super::exit::Exit;
use super::filter::Wanted;
use super::{context, output};
use crate::clock;
use crate::config::LogFormat;
use crate::event::{render_block, render_block_colored};
use crate::sink::{LogLine, LogReader};

/// How often the log is checked for new lines.
const LOOK: Duration = Duration::from_millis(200);
/// The directory of the event log without a configuration.
const DEFAULT_DIR: &str = "logs";

/// Prints the event log, and follows it with `-f` until interrupted.
///
/// # Errors
/// The log cannot be read.
pub fn run(common: &Common, args: &LogsArgs) -> anyhow::Result<Exit> {
    let dir = match directory(common) {
        Ok(dir) => dir,
        Err(exit) => return Ok(exit),
    };
    let mut view = View {
        wanted: args.filter.at(clock::now()),
        json: args.json,
        color: output::color(),
        strange: 0,
    };
    let follower = if args.follow { Some(Follower::new()?) } else { None };
    let mut reader = LogReader::new(&dir);
    let limit = (args.limit > 0).then_some(args.limit);
    let mut newest = VecDeque::new();
    while let Some(line) = reader.next()? {
        let Some(text) = view.show(&line) else {
            continue;
        };
        match limit {
            None => output::print(&text)?,
            Some(limit) => {
                if newest.len() == limit {
                    newest.pop_front();
                }
                newest.push_back(text);
            }
        }
    }
    newest.iter().try_for_each(|text| output::print(text))?;
    if let Some(follower) = follower {
        follower.follow(&mut reader, &mut view)?;
    }
    if view.strange > 0 {
        output::note(&format!(
            "statuswatch: {} lines in {} are not events and were skipped",
            view.strange,
            output::shown(&dir)
        ));
    }
    Ok(Exit::Done)
}

/// The event log's directory.
fn directory(common: &Common) -> Result<PathBuf, Exit> {
    if context::is_absent(common) {
        return Ok(DEFAULT_DIR.into());
    }
    let log = context::load(common)?.config.event_log;
    if log.format == LogFormat::Text {
        output::note(
            "statuswatch: event_log.format is text, which cannot be filtered: use `statuswatch history`",
        );
        return Err(Exit::Usage);
    }
    Ok(log.dir)
}

/// Waits for lines, or for the end. Made before the first line is shown: from then on a signal is
/// an ordinary end.
struct Follower {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
}

impl Follower {
    fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot wait for signals")?;
        let context = runtime.enter();
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        drop(context);
        Ok(Self { runtime, terminate, interrupt })
    }

    /// Shows what is written until the process is stopped.
    fn follow(self, reader: &mut LogReader, view: &mut View) -> anyhow::Result<()> {
        let Self { runtime, mut terminate, mut interrupt } = self;
        runtime.block_on(async {
            let mut look = tokio::time::interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = look.tick() => {}
                    _ = terminate.recv() => return Ok(()),
                    _ = interrupt.recv() => return Ok(()),
                }
                while let Some(line) = reader.next()? {
                    if let Some(text) = view.show(&line) {
                        output::print(&text)?;
                    }
                }
            }
        })
    }
}

/// How a line is shown, if it is.
struct View {
    wanted: Wanted,
    json: bool,
    color: bool,
    /// The number of lines that are not events.
    strange: u64,
}

impl View {
    fn show(&mut self, line: &LogLine) -> Option<String> {
        let Some(event) = &line.event else {
            self.strange += u64::from(!line.line.trim().is_empty());
            return None;
        };
        if !self.wanted.takes(event) {
            return None;
        }
        Some(match (self.json, self.color) {
            (true, _) => format!("{}\n", crate::text::safe_json(&line.line)),
            (false, true) => render_block_colored(event),
            (false, false) => render_block(event),
        })
    }
}
