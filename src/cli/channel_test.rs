//! `channels test`: one message, and what came back.

use std::fmt::Write as _;

use super::args::Common;
use super::exit::Exit;
use super::table::one_line;
use super::{context, delivery, output};
use crate::clock;
use crate::config::{Config, nearest};
use crate::dispatch::trial::{self, Exchange, Trial};
use crate::event::StatusEvent;
use crate::fetch::{Client, ClientOptions};
use crate::ledger::Reader;
use crate::transport::Transport;

/// Sends a message through the channel `name`: the event `seq`, or one that says it is a test.
///
/// # Errors
/// The ledger cannot be read, or the HTTP client cannot be set up.
pub fn run(common: &Common, config: &Config, name: &str, seq: Option<u64>) -> anyhow::Result<Exit> {
    let Some(channel) = config.channels.iter().find(|channel| channel.id == name) else {
        let ids = config.channels.iter().map(|channel| channel.id.as_str());
        let hint = nearest(name, ids).map_or_else(
            || "`statuswatch channels` lists those that are enabled".to_owned(),
            |id| format!("did you mean \"{id}\"?"),
        );
        return Ok(delivery::usage(&format!("no channel \"{}\"; {hint}", one_line(name))));
    };
    let event = match seq {
        None => None,
        Some(seq) => match event(common, config, seq)? {
            Ok(event) => Some(event),
            Err(exit) => return Ok(exit),
        },
    };
    let transport = Transport::new(&Client::new(ClientOptions::default())?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sending = trial::send(&transport, channel, event.as_ref(), clock::now());
    let trial = runtime.block_on(sending);
    runtime.shutdown_background();
    for error in &trial.template_errors {
        output::note(&format!(
            "warning: a template failed, the built-in text is sent: {}",
            one_line(error)
        ));
    }
    output::print(&text(&trial))?;
    Ok(if trial.is_delivered() { Exit::Done } else { Exit::Failed })
}

fn event(common: &Common, config: &Config, seq: u64) -> anyhow::Result<Result<StatusEvent, Exit>> {
    let reader = Reader::open(&context::dir(common, config))?;
    if let Some(recorded) = reader.event(seq)? {
        return Ok(Ok(recorded.event));
    }
    let newest = reader.newest_seq()?;
    let message = format!("there is no event {seq} in the ledger; the newest is {newest}");
    Ok(Err(delivery::usage(&message)))
}

fn text(trial: &Trial) -> String {
    if trial.exchanges.is_empty() {
        return "The channel sends nothing for this event.\n".to_owned();
    }
    let mut out = String::new();
    for (number, exchange) in trial.exchanges.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        block(&mut out, exchange);
    }
    out
}

fn block(out: &mut String, exchange: &Exchange) {
    let fields = exchange.fields.join(", ");
    // Writing to a string cannot fail.
    let mut line = |name: &str, value: &str| {
        writeln!(out, "{name:<8} {}", one_line(value)).ok();
    };
    line("request", &exchange.request);
    if !fields.is_empty() {
        line("fields", &fields);
    }
    out.push_str("body\n");
    for part in exchange.body.lines() {
        writeln!(out, "  {}", one_line(part)).ok();
    }
    let mut line = |name: &str, value: &str| {
        writeln!(out, "{name:<8} {}", one_line(value)).ok();
    };
    line("answer", exchange.answer.as_deref().unwrap_or("none"));
    let took = exchange.took.as_millis();
    line("verdict", &format!("{} ({took} ms)", exchange.verdict));
}
