//! What a terminal shows besides the events: banner, current state, last known update, replies to
//! keys.

use std::fmt::Write;
use std::path::Path;

use super::keys::Key;
use crate::cli::{output, text_status, view_history};
use crate::config::Config;
use crate::config::units::render_duration;
use crate::event::render_block;
use crate::ledger::{LedgerError, Query, Reader};
use crate::view::status as view_status;

/// Events shown by the key `h`.
const HISTORY: usize = 10;

/// Renders the banner: the settings, the present state and the last known update. `new`: how many
/// providers were never polled before.
pub(super) fn banner(config: &Config, new: usize) -> String {
    let mut text = String::new();
    let intervals = |of: fn(&crate::config::Settings) -> std::time::Duration| {
        let (mut least, mut most) = (std::time::Duration::MAX, std::time::Duration::ZERO);
        for provider in &config.providers {
            least = least.min(of(&provider.settings));
            most = most.max(of(&provider.settings));
        }
        if least >= most {
            render_duration(most)
        } else {
            format!("{} to {}", render_duration(least), render_duration(most))
        }
    };
    let count = config.providers.len();
    // Writing to a string cannot fail.
    let _infallible = writeln!(
        text,
        "statuswatch {} · {count} provider{}",
        env!("CARGO_PKG_VERSION"),
        if count == 1 { "" } else { "s" }
    );
    let _infallible = writeln!(
        text,
        "  polled every {}, every {} during incidents",
        intervals(|settings| settings.interval),
        intervals(|settings| settings.incident_interval)
    );
    let _infallible = writeln!(
        text,
        "  events in {}, diagnostics in {}, state in {}",
        output::shown(&config.event_log.dir),
        output::shown(&config.diagnostics.dir),
        output::shown(&config.state_dir)
    );
    if new < count
        && let Ok(reader) = Reader::open(&config.state_dir)
    {
        let _infallible =
            writeln!(text, "  now: {}", now(&reader).unwrap_or_else(|_| "unknown".to_owned()));
        if let Ok(Some(last)) = reader.last() {
            let _infallible = write!(text, "\nLast known update:\n{}", render_block(&last));
        }
    }
    if new > 0 {
        let _infallible = writeln!(
            text,
            "\nReading {new} page{} for the first time.",
            if new == 1 { "" } else { "s" }
        );
    }
    text.push_str("Keys: h history · s status · q quit\n\n");
    text
}

fn now(reader: &Reader) -> Result<String, LedgerError> {
    let rows: Vec<_> = reader.providers()?.into_iter().filter(|row| row.watched).collect();
    let view = view_status::view(&rows, &reader.open_items(None)?, &[], crate::clock::now());
    let now = view_status::summary(&view.providers);
    Ok(match view_status::offline_in_one_line(&reader.network()?) {
        Some(offline) => format!("{offline} · {now}"),
        None => now,
    })
}

/// Renders what is open, worst first, and the summary.
pub(super) fn present(state_dir: &Path) -> Result<String, LedgerError> {
    let reader = Reader::open(state_dir)?;
    let rows: Vec<_> = reader.providers()?.into_iter().filter(|row| row.watched).collect();
    Ok(text_status::present(&rows, &reader.open_items(None)?, crate::clock::now()))
}

/// Renders the output of `--once` without new updates.
pub(super) fn nothing_new(reader: &Reader) -> Result<String, LedgerError> {
    let mut text = "No new updates.\n".to_owned();
    if let Some(last) = reader.last()? {
        let _infallible = write!(text, "Last known update:\n{}", render_block(&last));
    }
    Ok(text)
}

/// Answers a key.
pub(super) fn answer(key: Key, state_dir: &Path) {
    let text = match key {
        Key::Quit => return,
        Key::Help => Ok("Keys: h history · s status · q quit\n".to_owned()),
        Key::History => history(state_dir),
        Key::Status => status(state_dir),
    };
    show(text);
}

/// Prints a text for the person at the terminal, or why there is none.
pub(super) fn show(text: Result<String, LedgerError>) {
    let shown = match text {
        Ok(text) => output::print(&text),
        Err(error) => {
            output::note(&format!("statuswatch: {error}"));
            Ok(())
        }
    };
    if let Err(error) = shown {
        tracing::debug!(%error, "cannot write to the terminal");
    }
}

fn history(state_dir: &Path) -> Result<String, LedgerError> {
    let events =
        Reader::open(state_dir)?.events(&Query { limit: Some(HISTORY), ..Query::default() })?;
    let events: Vec<_> = events.into_iter().map(|recorded| recorded.event).collect();
    Ok(if events.is_empty() {
        "No events yet.\n".to_owned()
    } else {
        view_history::render(&events, output::color())
    })
}

fn status(state_dir: &Path) -> Result<String, LedgerError> {
    let reader = Reader::open(state_dir)?;
    let rows: Vec<_> = reader.providers()?.into_iter().filter(|row| row.watched).collect();
    let table = text_status::render(
        &rows,
        &reader.open_items(None)?,
        &reader.sinks()?,
        crate::clock::now(),
        output::color(),
        text_status::Shown::NotFine,
    );
    Ok(match view_status::offline_in_one_line(&reader.network()?) {
        Some(offline) => format!("statuswatch is {offline}\n\n{table}"),
        None => table,
    })
}
