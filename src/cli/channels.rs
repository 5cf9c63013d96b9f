//! `channels`: what each channel was sent and whether it works.

use super::args::{ChannelsArgs, ChannelsCommand, Common};
use super::delivery::ChannelView;
use super::exit::Exit;
use super::output::{self, Paint};
use super::table::{Cell, Table};
use super::{channel_test, context};
use crate::clock;
use crate::config::{ChannelConfig, Config};
use crate::event::{Time, format_time, parse_time};
use crate::ledger::{LedgerError, Reader, StateLock};
use crate::view::when;

/// Shows the channels of the configuration and of the ledger, or tests one.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(common: &Common, args: &ChannelsArgs) -> anyhow::Result<Exit> {
    let config = match context::load(common) {
        Ok(loaded) => loaded.config,
        Err(exit) => return Ok(exit),
    };
    if let Some(ChannelsCommand::Test { name, seq }) = &args.command {
        return channel_test::run(common, &config, name, *seq);
    }
    let state_dir = context::dir(common, &config);
    let now = clock::now();
    let (rows, unrouted, missing) = match Reader::open(&state_dir) {
        Ok(reader) => (reader.channels(now)?, reader.unrouted()?, None),
        // Channels can be shown before the first run.
        Err(error @ LedgerError::Missing { .. }) => (Vec::new(), 0, Some(error)),
        Err(error) => return Err(error.into()),
    };
    let known: Vec<ChannelView> = rows.iter().map(ChannelView::of).collect();
    let channels = merge(&known, &config);
    if args.json {
        output::print_json(&serde_json::json!({
            "at": format_time(now), "channels": channels, "unrouted_events": unrouted
        }))?;
        return Ok(Exit::Done);
    }
    if let Some(error) = missing {
        output::note(&format!("statuswatch: {error}\n"));
    } else if !StateLock::is_held(&state_dir) {
        output::note("No run is watching this state directory: this is what was known last.\n");
    }
    output::print(&text(&channels, unrouted, &config, now, output::color()))?;
    Ok(Exit::Done)
}

/// Channels in the order of the configuration, then those that were removed from it.
fn merge(known: &[ChannelView], config: &Config) -> Vec<ChannelView> {
    let view = |channel: &ChannelConfig| {
        let found = known.iter().find(|view| view.id == channel.id && view.kind == channel.kind);
        match found {
            Some(view) if view.state != "removed" => view.clone(),
            // It returned, or has another kind now, and no run has seen that.
            Some(view) => ChannelView { state: "not started", since: None, ..view.clone() },
            None => ChannelView::not_started(&channel.id, channel.kind),
        }
    };
    let mut channels: Vec<ChannelView> =
        config.channels.iter().map(|channel| view(channel)).collect();
    let gone = known.iter().filter(|view| {
        let is_left = config.channels.iter().any(|channel| channel.id == view.id);
        !is_left && (view.state != "removed" || view.waiting + view.held + view.dead > 0)
    });
    channels.extend(gone.cloned());
    channels
}

fn text(
    channels: &[ChannelView],
    unrouted: u64,
    config: &Config,
    now: Time,
    color: bool,
) -> String {
    if channels.is_empty() {
        return "There are no channels: add them under \"channels\" in providers.yaml.\n"
            .to_owned();
    }
    let mut table = Table::new(&[
        "CHANNEL",
        "KIND",
        "STATE",
        "WAITING",
        "OLDEST",
        "HELD",
        "DEAD",
        "24 H",
        "LAST SUCCESS",
        "LAST ERROR",
    ]);
    let count = |count: u64| if count == 0 { "-".to_owned() } else { count.to_string() };
    let ago = |time: Option<&String>| {
        time.and_then(|time| parse_time(time)).map(|time| when::relative(time, now))
    };
    for channel in channels {
        let age = channel.since.as_deref().and_then(parse_time).map(|since| {
            let seconds = (now - since).num_seconds().max(0).unsigned_abs();
            format!(" {}", when::span(seconds))
        });
        let paint = match channel.state {
            "ok" => Paint::Green,
            "failing" => Paint::Yellow,
            "broken" => Paint::Red,
            _ => Paint::Dim,
        };
        let error = channel.last_error.as_ref().map(|error| {
            let at = ago(channel.last_error_at.as_ref()).map(|at| format!(" ({at})"));
            format!("{error}{}", at.unwrap_or_default())
        });
        table.row([
            channel.id.as_str().into(),
            channel.kind.as_str().into(),
            Cell::painted(&format!("{}{}", channel.state, age.unwrap_or_default()), paint),
            count(channel.waiting).into(),
            ago(channel.oldest_waiting.as_ref()).unwrap_or_else(|| "-".to_owned()).into(),
            count(channel.held).into(),
            count(channel.dead).into(),
            count(channel.delivered_24h).into(),
            ago(channel.last_success.as_ref()).unwrap_or_else(|| "-".to_owned()).into(),
            error.unwrap_or_default().into(),
        ]);
    }
    let mut out = table.render(color);
    if !config.routes.rules.is_empty() || unrouted > 0 {
        out.push_str(
            &["\nEvents that no rule sent anywhere: ", &unrouted.to_string(), "\n"].concat(),
        );
    }
    out
}
