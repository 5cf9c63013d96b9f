//! `replay`: a recording through the present parsers, ledger and filters.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;

use super::args::{Against, Common, ReplayArgs};
use super::exit::Exit;
use super::replay_view::{self, Style};
use super::{context, output};
use crate::event::{StatusEvent, Time};
use crate::ledger::{Query, Reader};
use crate::replay::{Compared, Played, compare, play};

/// Events are taken from the scratch ledger so many at a time.
const PAGE: usize = 1000;

/// A poll is observed this long after its answers at most; what was reported then counts as long.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// Replays; answers how it ended. `configured`: `--config` was given.
///
/// # Errors
/// The recording, or with `--against history` the ledger, cannot be read.
pub fn run(common: &Common, args: &ReplayArgs, configured: bool) -> anyhow::Result<Exit> {
    let providers = if configured {
        match context::load(common) {
            Ok(loaded) => Some(loaded.config.providers),
            Err(exit) => return Ok(exit),
        }
    } else {
        None
    };
    let against = match args.against {
        Some(Against::History) => match context::state_dir(common) {
            // Before the work, which may take long.
            Ok(dir) => Some(Reader::open(&dir)?),
            Err(exit) => return Ok(exit),
        },
        None => None,
    };
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(120));
    let played = play(&args.dir, providers.as_deref(), &mut |summary| {
        if summary.polls % 64 == 0 {
            progress.set_message(format!("{} polls, {} answers", summary.polls, summary.answers));
        }
    });
    progress.finish_and_clear();
    let played = played.with_context(|| format!("cannot replay {}", shown(&args.dir)))?;
    for warning in &played.warnings {
        output::note(&format!("warning: {warning}"));
    }
    let style = if args.json { Style::Json } else { Style::Text { color: output::color() } };
    let exit = if let Some(history) = against {
        let compared = against_history(&history, &played)?;
        output::print(&replay_view::differences(&compared, style))?;
        output::note(&replay_view::verdict(&compared));
        if compared.differences.is_empty() { Exit::Done } else { Exit::Failed }
    } else {
        print_events(&played, style)?;
        Exit::Done
    };
    output::note(&replay_view::summary(&played.summary, &played.missing));
    Ok(exit)
}

fn print_events(played: &Played, style: Style) -> anyhow::Result<()> {
    let mut seq = 0;
    loop {
        let events = played.events.after(seq, PAGE)?;
        let Some(last) = events.last() else { return Ok(()) };
        seq = last.event.seq;
        for recorded in &events {
            output::print(&replay_view::event(recorded, style))?;
        }
    }
}

fn against_history(history: &Reader, played: &Played) -> anyhow::Result<Compared> {
    let summary = &played.summary;
    let query = Query { providers: summary.providers.clone(), ..Query::default() };
    let of = |reader: &Reader| -> anyhow::Result<Vec<StatusEvent>> {
        if query.providers.is_empty() {
            return Ok(Vec::new());
        }
        Ok(reader.events(&query)?.into_iter().map(|recorded| recorded.event).collect())
    };
    let begin = summary.begin.unwrap_or(Time::MIN_UTC);
    let slack = chrono::Duration::from_std(AFTERWARDS).unwrap_or_default();
    let end = summary.end.and_then(|end| end.checked_add_signed(slack)).unwrap_or(Time::MAX_UTC);
    Ok(compare(of(history)?, of(&played.events)?, begin, end))
}

fn shown(dir: &Path) -> String {
    super::table::one_line(&dir.display().to_string())
}
