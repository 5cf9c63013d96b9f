//! `routes test`: where an event or a notice would go, and why.

use std::fmt::Write as _;

use serde::Serialize;
use statuswatch_notify::hold::HoldReason;
use statuswatch_notify::{Chosen, Decision, Nobody};

use super::args::{Common, RouteTestArgs};
use super::exit::Exit;
use super::table::one_line;
use super::{context, delivery, output};
use crate::clock;
use crate::config::{Config, nearest};
use crate::dispatch::Setup;
use crate::dispatch::simulate::{Foreseen, foresee, foresee_notice};
use crate::event::{
    Component, ComponentStatus, Impact, IncidentStatus, Kind, ProviderStatus, StatusEvent, Time,
    format_time,
};
use crate::ledger::outbox::Hold;
use crate::ledger::{LedgerError, OutboxCopy, Reader};
use crate::view::when;

/// The provider of events about the local network.
const OURSELVES: &str = "statuswatch";

/// Shows the path of an event.
///
/// # Errors
/// The ledger cannot be read.
pub fn run(common: &Common, args: &RouteTestArgs) -> anyhow::Result<Exit> {
    let config = match context::load(common) {
        Ok(loaded) => loaded.config,
        Err(exit) => return Ok(exit),
    };
    let mut setup = Setup::new(&config);
    if let Some(channel) = &args.notice {
        return notice(&setup, channel, args);
    }
    let provider = args.provider.clone().unwrap_or_default();
    if let Some(exit) = unknown_provider(&config, &provider) {
        return Ok(exit);
    }
    let now = clock::now();
    let event = event(args, &provider, &config, now);
    setup.tags.entry(provider).or_default().extend(args.tag.iter().cloned());
    let foreseen = match Reader::open(&context::dir(common, &config)) {
        Ok(reader) => foresee(&setup, &reader, &event, now)?,
        Err(LedgerError::Missing { .. }) => {
            output::note("There is no ledger yet: mutes and open incidents are not considered.\n");
            foresee(&setup, OutboxCopy::empty()?.reader(), &event, now)?
        }
        Err(error) => return Err(error.into()),
    };
    if args.json {
        output::print_json(&view(&event, &foreseen))?;
    } else {
        output::print(&text(&event, &foreseen, now))?;
    }
    Ok(Exit::Done)
}

fn unknown_provider(config: &Config, id: &str) -> Option<Exit> {
    let mut ids = config.providers.iter().map(|provider| provider.id.as_str());
    if id == OURSELVES || ids.clone().any(|known| known == id) {
        return None;
    }
    let hint = nearest(id, &mut ids)
        .map_or_else(String::new, |meant| format!("; did you mean \"{meant}\"?"));
    let message = format!("no provider \"{}\" in the configuration{hint}", one_line(id));
    Some(delivery::usage(&message))
}

/// Shows the path of a notice about a channel.
fn notice(setup: &Setup, channel: &str, args: &RouteTestArgs) -> anyhow::Result<Exit> {
    if setup.channel(channel).is_none() {
        let hint = nearest(channel, setup.ids().into_iter())
            .map_or_else(String::new, |meant| format!("; did you mean \"{meant}\"?"));
        let message = format!("no enabled channel \"{}\"{hint}", one_line(channel));
        return Ok(delivery::usage(&message));
    }
    let (title, decision) = foresee_notice(setup, channel, args.text.as_deref());
    if args.json {
        output::print_json(&notice_view(&title, &decision))?;
    } else {
        output::print(&notice_text(&title, &decision))?;
    }
    Ok(Exit::Done)
}

fn event(args: &RouteTestArgs, provider: &str, config: &Config, now: Time) -> StatusEvent {
    let status = args.status.unwrap_or(match args.kind {
        Kind::Incident => IncidentStatus::Investigating.into(),
        Kind::Maintenance => IncidentStatus::Scheduled.into(),
        Kind::Component => ComponentStatus::MajorOutage.into(),
        Kind::Provider if provider == OURSELVES => ProviderStatus::Offline.into(),
        Kind::Provider => ProviderStatus::Unreachable.into(),
    });
    let impact = args.impact.unwrap_or(match args.kind {
        Kind::Incident | Kind::Component => Impact::Major,
        Kind::Maintenance => Impact::Maintenance,
        Kind::Provider => Impact::Unknown,
    });
    let state = match impact {
        Impact::None => ComponentStatus::Operational,
        Impact::Minor => ComponentStatus::DegradedPerformance,
        Impact::Major => ComponentStatus::PartialOutage,
        Impact::Critical => ComponentStatus::MajorOutage,
        Impact::Maintenance => ComponentStatus::UnderMaintenance,
        Impact::Unknown => ComponentStatus::Unknown,
    };
    let component =
        |name: &String| Component { id: None, name: name.clone(), group: None, status: state };
    let known = config.providers.iter().find(|known| known.id == provider);
    let incident = matches!(args.kind, Kind::Incident | Kind::Maintenance);
    StatusEvent {
        // No event has it.
        seq: 0,
        id: "00000000000000000000000000000000".to_owned(),
        kind: args.kind,
        provider: provider.to_owned(),
        provider_name: known.map_or(provider, |known| &known.name).to_owned(),
        source: "statuswatch".to_owned(),
        incident_id: incident.then(|| "routes test".to_owned()),
        update_id: None,
        revision: 1,
        title: args.text.clone().unwrap_or_else(|| "Test".to_owned()),
        status,
        previous_status: None,
        impact,
        previous_impact: None,
        components: args.component.iter().map(component).collect(),
        message: None,
        url: None,
        started_at: None,
        published_at: now,
        observed_at: now,
        scheduled_for: None,
        scheduled_until: None,
        backfill: false,
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct View<'a> {
    event: &'a StatusEvent,
    rules: Vec<String>,
    channels: Vec<ChannelView<'a>>,
    /// Why nobody would get it.
    nobody: Option<&'static str>,
    /// Pagers that were not notified of what the event ends.
    without_page: &'a [String],
}

#[derive(Serialize)]
struct ChannelView<'a> {
    channel: &'a str,
    why: String,
    held_by: Option<&'a str>,
    held_until: Option<String>,
}

fn channel_view<'a>(chosen: &'a Chosen, hold: Option<&'a Hold>) -> ChannelView<'a> {
    ChannelView {
        channel: &chosen.channel,
        why: chosen.reason.to_string(),
        held_by: hold.map(|hold| hold.reason.as_str()),
        held_until: hold.map(|hold| format_time(hold.until)),
    }
}

fn view<'a>(event: &'a StatusEvent, foreseen: &'a Foreseen) -> View<'a> {
    let channels = foreseen
        .decision
        .to
        .iter()
        .map(|chosen| channel_view(chosen, hold(foreseen, &chosen.channel)));
    View {
        event,
        rules: foreseen.decision.trace.iter().map(ToString::to_string).collect(),
        channels: channels.collect(),
        nobody: foreseen.decision.nobody().map(nobody),
        without_page: &foreseen.decision.without_page,
    }
}

/// What `--json` prints of a notice.
#[derive(Serialize)]
struct NoticeView<'a> {
    /// Its title.
    notice: &'a str,
    rules: Vec<String>,
    channels: Vec<ChannelView<'a>>,
    /// Why nobody would get it.
    nobody: Option<&'static str>,
}

fn notice_view<'a>(title: &'a str, decision: &'a Decision) -> NoticeView<'a> {
    let channels = decision.to.iter().map(|chosen| channel_view(chosen, None));
    NoticeView {
        notice: title,
        rules: decision.trace.iter().map(ToString::to_string).collect(),
        channels: channels.collect(),
        nobody: decision.nobody().map(nobody_noticed),
    }
}

const fn nobody_noticed(why: Nobody) -> &'static str {
    match why {
        Nobody::OnPurpose => "a rule says so",
        Nobody::NoMatch | Nobody::NothingToEnd | Nobody::NoChannels => {
            "there is no other channel that people read"
        }
    }
}

fn notice_text(title: &str, decision: &Decision) -> String {
    let mut lines = vec![one_line(title), String::new()];
    lines.extend(decision.trace.iter().map(|trial| one_line(&trial.to_string())));
    if !decision.trace.is_empty() {
        lines.push(String::new());
    }
    for chosen in &decision.to {
        lines.push(one_line(&format!("{}: sent at once ({})", chosen.channel, chosen.reason)));
    }
    if let Some(why) = decision.nobody() {
        lines.push(format!("Nobody: {}", nobody_noticed(why)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn hold<'a>(foreseen: &'a Foreseen, channel: &str) -> Option<&'a Hold> {
    foreseen.channels.iter().find(|(id, _)| id == channel)?.1.as_ref()
}

const fn nobody(why: Nobody) -> &'static str {
    match why {
        Nobody::NoMatch => "no rule matches: the event would be counted as sent nowhere",
        Nobody::OnPurpose => "a rule says so",
        Nobody::NothingToEnd => "no pager was notified of what it ends",
        Nobody::NoChannels => "there are no channels",
    }
}

fn text(event: &StatusEvent, foreseen: &Foreseen, now: Time) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let mut line = |text: &str| {
        writeln!(out, "{}", crate::text::safe(text)).ok();
    };
    line(&one_line(&format!(
        "{}: {}, {} ({})",
        event.provider, event.kind, event.status, event.impact
    )));
    line("");
    for trial in &foreseen.decision.trace {
        line(&one_line(&trial.to_string()));
    }
    if !foreseen.decision.trace.is_empty() {
        line("");
    }
    for chosen in &foreseen.decision.to {
        let when = hold(foreseen, &chosen.channel)
            .map_or_else(|| "sent at once".to_owned(), |hold| held(hold, now));
        line(&one_line(&format!("{}: {when} ({})", chosen.channel, chosen.reason)));
    }
    for channel in &foreseen.decision.without_page {
        line(&one_line(&format!("{channel}: not sent, it was not notified of what this ends")));
    }
    if let Some(why) = foreseen.decision.nobody() {
        line(&format!("Nobody: {}", nobody(why)));
    }
    out
}

/// `held back by quiet hours until 2026-02-23T06:00:00Z (in 5h)`
fn held(hold: &Hold, now: Time) -> String {
    let reason = match hold.reason.parse() {
        Ok(HoldReason::Mute) => "a mute",
        Ok(HoldReason::QuietHours) => "quiet hours",
        Ok(HoldReason::Digest) => "its digest",
        Ok(HoldReason::Settle) => "\"settle\"",
        Ok(HoldReason::Storm) => "a storm",
        Ok(HoldReason::Cap) => "\"cap\"",
        Ok(HoldReason::Edits) => "\"edits\"",
        Ok(HoldReason::Unstable) => "an unstable state",
        Err(_) => hold.reason.as_str(),
    };
    let until = Time::from_timestamp(hold.until.timestamp(), 0).unwrap_or(hold.until);
    // A mute without an end is looked at again and again.
    let is_checked =
        hold.reason == HoldReason::Mute.as_str() && (hold.until - now).num_seconds() <= 60;
    if is_checked {
        return format!("held back by {reason}");
    }
    format!("held back by {reason} until {} ({})", format_time(until), when::relative(until, now))
}
