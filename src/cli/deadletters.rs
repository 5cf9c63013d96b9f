//! `deadletters`: messages that were given up.

use std::fmt::Write as _;
use std::path::Path;

use super::args::{ChosenLetters, DeadlettersCommand};
use super::delivery::{LetterView, usage};
use super::exit::Exit;
use super::output;
use super::table::{Table, one_line};
use crate::clock;
use crate::config::nearest;
use crate::event::format_time;
use crate::ledger::outbox::{DeadLetter, Payload};
use crate::ledger::{Control, Reader};
use crate::postgres::DatabaseUrl;
use crate::view::when;

/// The most messages that are listed.
const MOST: usize = 1000;

/// Lists, shows, retries or discards.
///
/// # Errors
/// There is no ledger, or it cannot be read or written.
pub fn run(
    state_dir: &Path,
    database: Option<&DatabaseUrl>,
    command: &DeadlettersCommand,
) -> anyhow::Result<Exit> {
    match command {
        DeadlettersCommand::List { channel, json } => list(state_dir, channel.as_deref(), *json),
        DeadlettersCommand::Show { id, json } => show(state_dir, *id, *json),
        DeadlettersCommand::Retry(chosen) => {
            change(state_dir, database, chosen, "retried", |control, now| {
                control.retry(chosen.id, chosen.channel.as_deref(), now)
            })
        }
        DeadlettersCommand::Discard(chosen) => {
            change(state_dir, database, chosen, "discarded", |control, _| {
                control.discard(chosen.id, chosen.channel.as_deref())
            })
        }
    }
}

fn list(state_dir: &Path, channel: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    let reader = Reader::open(state_dir)?;
    if let Some(exit) = unknown(&reader, channel)? {
        return Ok(exit);
    }
    let letters = reader.dead_letters(channel, MOST)?;
    let now = clock::now();
    if json {
        let letters: Vec<LetterView> = letters.iter().map(LetterView::of).collect();
        output::print_json(&serde_json::json!({
            "at": format_time(now), "deadletters": letters
        }))?;
        return Ok(Exit::Done);
    }
    if letters.is_empty() {
        output::print("No message was given up.\n")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["ID", "CHANNEL", "GIVEN UP", "MESSAGE", "REASON"]);
    for letter in &letters {
        table.row([
            letter.id.to_string().into(),
            letter.channel.as_str().into(),
            when::relative(letter.at, now).into(),
            what(&reader, letter)?.into(),
            letter.reason.as_str().into(),
        ]);
    }
    output::print(&table.render(output::color()))?;
    if letters.len() == MOST {
        output::note(&format!("Only the newest {MOST} are listed."));
    }
    Ok(Exit::Done)
}

/// `event 42: GitHub: Actions delayed`
fn what(reader: &Reader, letter: &DeadLetter) -> anyhow::Result<String> {
    const TITLE: usize = 60;
    Ok(match &letter.payload {
        Payload::Event(seq) => match reader.event(*seq)? {
            Some(recorded) => {
                let event = recorded.event;
                let title = crate::text::one_line(&event.title, TITLE);
                format!("event {seq}: {}: {title}", event.provider_name)
            }
            None => format!("event {seq}"),
        },
        Payload::Text(_) => "a summary or notice".to_owned(),
    })
}

fn show(state_dir: &Path, id: i64, json: bool) -> anyhow::Result<Exit> {
    let reader = Reader::open(state_dir)?;
    let Some(letter) = reader.dead_letter(id)? else {
        return Ok(none(id));
    };
    if json {
        output::print_json(&LetterView::of(&letter))?;
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    let mut fact = |name: &str, value: &str| {
        writeln!(out, "{name:<9} {}", one_line(value)).ok();
    };
    fact("channel", &letter.channel);
    fact("given up", &format_time(letter.at));
    fact("reason", &letter.reason);
    fact("message", &what(&reader, &letter)?);
    match (&letter.steps, &letter.payload) {
        (Some(steps), _) => {
            for step in steps {
                // `print` removes what could affect a terminal.
                write!(out, "\n{}\n{}\n", one_line(&step.op), step.body).ok();
            }
        }
        (None, Payload::Text(text)) => {
            write!(out, "\nIt was never sent. Its content:\n{text}\n").ok();
        }
        (None, Payload::Event(_)) => {
            writeln!(out, "\nIt was never sent.").ok();
        }
    }
    output::print(&out)?;
    Ok(Exit::Done)
}

fn change(
    state_dir: &Path,
    database: Option<&DatabaseUrl>,
    chosen: &ChosenLetters,
    done: &str,
    act: impl FnOnce(&mut Control, crate::event::Time) -> Result<usize, crate::ledger::LedgerError>,
) -> anyhow::Result<Exit> {
    let reader = Reader::open(state_dir)?;
    if let Some(exit) = unknown(&reader, chosen.channel.as_deref())? {
        return Ok(exit);
    }
    drop(reader);
    let count = act(&mut Control::open(state_dir, database)?, clock::now())?;
    if let Some(id) = chosen.id.filter(|_| count == 0) {
        return Ok(none(id));
    }
    let messages = if count == 1 { "message" } else { "messages" };
    output::print(&format!("{count} {messages} {done}.\n"))?;
    Ok(Exit::Done)
}

fn none(id: i64) -> Exit {
    usage(&format!("there is no dead letter {id}; `statuswatch deadletters list` lists all"))
}

/// Reports a channel that never was.
fn unknown(reader: &Reader, channel: Option<&str>) -> anyhow::Result<Option<Exit>> {
    let Some(channel) = channel else { return Ok(None) };
    let rows = reader.channels(clock::now())?;
    if rows.iter().any(|row| row.state.id == channel) {
        return Ok(None);
    }
    let meant = nearest(channel, rows.iter().map(|row| row.state.id.as_str()));
    let hint = meant.map_or_else(
        || "`statuswatch channels` lists all".to_owned(),
        |id| format!("did you mean \"{id}\"?"),
    );
    Ok(Some(usage(&format!("no channel \"{}\" in the ledger; {hint}", one_line(channel)))))
}
