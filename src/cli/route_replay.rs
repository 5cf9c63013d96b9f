//! `routes replay`: what channels would have been sent of past events.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::args::Common;
use super::args::DEFAULT_CONFIG;
use super::exit::Exit;
use super::table::Table;
use super::{context, output};
use crate::clock;
use crate::config::Config;
use crate::dispatch::Setup;
use crate::dispatch::simulate::{Simulation, Volume};
use crate::event::{Time, format_time};
use crate::ledger::StoredEvent;
use crate::ledger::{Query, Reader};
use crate::view::filter::Since;

/// What one configuration would have sent.
#[derive(Debug, Serialize)]
struct Outcome {
    file: String,
    unrouted_events: u64,
    channels: BTreeMap<String, Sent>,
}

/// What a channel would have been sent.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
struct Sent {
    kind: String,
    messages: u64,
    threads: usize,
    held: BTreeMap<String, u64>,
    replaced: u64,
}

/// Plays the events since `since`. `configured`: `--config` was given.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(common: &Common, since: Since, json: bool, configured: bool) -> anyhow::Result<Exit> {
    let mut files = vec![common.clone()];
    if configured {
        let usual = std::env::var_os("STATUSWATCH_CONFIG")
            .map_or_else(|| DEFAULT_CONFIG.into(), std::path::PathBuf::from);
        if usual.exists() && !is_same(&usual, &common.config) {
            files.insert(0, Common { config: usual, state: common.state.clone() });
        }
    }
    let mut configs = Vec::new();
    for file in &files {
        match context::load(file) {
            Ok(loaded) => configs.push((file, loaded.config)),
            Err(exit) => return Ok(exit),
        }
    }
    let Some((first, usual)) = configs.first() else { return Ok(Exit::Usage) };
    let now = clock::now();
    let since = since.instant(now);
    let reader = Reader::open(&context::dir(first, usual))?;
    let events = reader.events(&Query { since, ..Query::default() })?;
    let mut outcomes = Vec::new();
    for (file, config) in &configs {
        outcomes.push(play(&file.config, config, &events, now)?);
    }
    if json {
        output::print_json(&serde_json::json!({
            "at": format_time(now), "since": since.map(format_time), "events": events.len(),
            "configurations": outcomes,
        }))?;
        return Ok(Exit::Done);
    }
    output::print(&text(&outcomes, events.len(), output::color()))?;
    Ok(Exit::Done)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn play(
    file: &Path,
    config: &Config,
    events: &[StoredEvent],
    now: Time,
) -> anyhow::Result<Outcome> {
    let mut simulation = Simulation::empty(Arc::new(Setup::new(config)))?;
    simulation.play(events, now)?;
    let channels = config.channels.iter().map(|channel| {
        let sent = simulation.volumes().get(&channel.id).cloned().unwrap_or_default();
        let Volume { messages, threads, held, replaced } = sent;
        let threads = threads.len();
        let kind = channel.kind.to_owned();
        (channel.id.clone(), Sent { kind, messages, threads, held, replaced })
    });
    Ok(Outcome {
        file: output::shown(file),
        unrouted_events: simulation.unrouted(),
        channels: channels.collect(),
    })
}

fn text(outcomes: &[Outcome], events: usize, color: bool) -> String {
    let mut out = format!("{events} event{}\n", if events == 1 { "" } else { "s" });
    let mut ids: Vec<&String> =
        outcomes.iter().flat_map(|outcome| outcome.channels.keys()).collect();
    ids.sort();
    ids.dedup();
    let number = |count: u64| if count == 0 { "-".to_owned() } else { count.to_string() };
    if let [only] = outcomes {
        let mut table =
            Table::new(&["CHANNEL", "KIND", "MESSAGES", "THREADS", "HELD BACK", "REPLACED"]);
        for (id, sent) in &only.channels {
            table.row([
                id.as_str().into(),
                sent.kind.as_str().into(),
                number(sent.messages).into(),
                number(sent.threads as u64).into(),
                held(sent).into(),
                number(sent.replaced).into(),
            ]);
        }
        out.push('\n');
        out.push_str(&table.render(color));
        out.push_str(&unrouted(only));
        return out;
    }
    let mut table =
        Table::new(&["CHANNEL", "FILE", "MESSAGES", "THREADS", "HELD BACK", "REPLACED"]);
    for id in ids {
        for outcome in outcomes {
            let Some(sent) = outcome.channels.get(id) else {
                table.row([id.as_str().into(), outcome.file.as_str().into(), "no channel".into()]);
                continue;
            };
            table.row([
                id.as_str().into(),
                outcome.file.as_str().into(),
                number(sent.messages).into(),
                number(sent.threads as u64).into(),
                held(sent).into(),
                number(sent.replaced).into(),
            ]);
        }
    }
    out.push('\n');
    out.push_str(&table.render(color));
    out.extend(outcomes.iter().map(unrouted));
    out
}

/// `quiet_hours 3, digest 2`
fn held(sent: &Sent) -> String {
    if sent.held.is_empty() {
        return "-".to_owned();
    }
    let parts: Vec<String> =
        sent.held.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    parts.join(", ")
}

fn unrouted(outcome: &Outcome) -> String {
    format!(
        "\nEvents that no rule of {} sends anywhere: {}\n",
        outcome.file, outcome.unrouted_events
    )
}
