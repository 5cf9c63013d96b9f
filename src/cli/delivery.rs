//! What the commands of delivery share: how channels, mutes and messages are shown.

use serde::Serialize;
use statuswatch_notify::Step;

use super::exit::Exit;
use super::output;
use super::table::one_line;
use crate::event::{Time, format_time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow, DeadLetter, MuteRow, Payload};
use crate::view::when;

/// A mute, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MuteView {
    /// Its id.
    pub id: i64,
    /// The provider.
    pub provider: String,
    /// The component, or null for the whole provider.
    pub component: Option<String>,
    /// Until when; null: until nothing of the provider is open.
    pub until: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub created_at: String,
    /// When it ended; null: it is in effect.
    pub ended_at: Option<String>,
}

impl MuteView {
    /// Makes it of a row.
    #[must_use]
    pub fn of(row: &MuteRow) -> Self {
        Self {
            id: row.id,
            provider: row.provider.clone(),
            component: row.component.clone(),
            until: row.until.map(format_time),
            reason: row.reason.clone(),
            created_at: format_time(row.created_at),
            ended_at: row.ended_at.map(format_time),
        }
    }
}

/// A channel, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChannelView {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// `ok`, `failing`, `broken`, `removed` or `not started`.
    pub state: &'static str,
    /// Since when.
    pub since: Option<String>,
    /// Messages waiting to be sent.
    pub waiting: u64,
    /// When the oldest of them was routed.
    pub oldest_waiting: Option<String>,
    /// Messages held back.
    pub held: u64,
    /// Messages given up.
    pub dead: u64,
    /// Messages accepted within the last 24 hours.
    pub delivered_24h: u64,
    /// When it last accepted one.
    pub last_success: Option<String>,
    /// Its last failure, without secrets.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<String>,
    /// When a broken channel is tried again.
    pub probe_at: Option<String>,
}

impl ChannelView {
    /// Makes it of a row.
    #[must_use]
    pub fn of(row: &ChannelRow) -> Self {
        Self {
            id: row.state.id.clone(),
            kind: row.state.kind.clone(),
            state: row.state.health.as_str(),
            since: Some(format_time(row.state.since)),
            waiting: row.waiting,
            oldest_waiting: row.oldest_at.map(format_time),
            held: row.held,
            dead: row.dead,
            delivered_24h: row.delivered_today,
            last_success: row.last_success_at.map(format_time),
            last_error: row.state.last_error.clone(),
            last_error_at: row.last_error_at.map(format_time),
            probe_at: row.state.probe_at.map(format_time),
        }
    }

    /// A channel of the configuration that no run has used.
    #[must_use]
    pub fn not_started(id: &str, kind: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            state: "not started",
            since: None,
            waiting: 0,
            oldest_waiting: None,
            held: 0,
            dead: 0,
            delivered_24h: 0,
            last_success: None,
            last_error: None,
            last_error_at: None,
            probe_at: None,
        }
    }
}

/// A message that was given up, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LetterView {
    /// Its id.
    pub id: i64,
    /// The channel.
    pub channel: String,
    /// The event it is about; null for a summary or notice.
    pub seq: Option<u64>,
    /// Why it was given up, without secrets.
    pub reason: String,
    /// When.
    pub at: String,
    /// What was sent, without address and credentials; null if it was never tried.
    pub steps: Option<Vec<Step>>,
}

impl LetterView {
    /// Makes it of a row.
    #[must_use]
    pub fn of(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id,
            channel: letter.channel.clone(),
            seq: match letter.payload {
                Payload::Event(seq) => Some(seq),
                Payload::Text(_) => None,
            },
            reason: letter.reason.clone(),
            at: format_time(letter.at),
            steps: letter.steps.clone(),
        }
    }
}

/// Returns the lines of `status` about channels that do not work and mutes in effect.
#[must_use]
pub fn in_short(channels: &[ChannelRow], mutes: &[MuteRow], now: Time) -> Vec<String> {
    let failing = channels.iter().filter_map(|row| {
        let what = match row.state.health {
            ChannelHealth::Broken => "is broken",
            ChannelHealth::Failing => "fails",
            ChannelHealth::Ok | ChannelHealth::Removed => return None,
        };
        let error = row.state.last_error.as_deref().map(|error| format!(": {}", one_line(error)));
        let since = when::relative(row.state.since, now);
        let waiting = match row.waiting {
            0 => String::new(),
            1 => ", 1 message waits".to_owned(),
            more => format!(", {more} messages wait"),
        };
        let error = error.unwrap_or_default();
        Some(format!("The channel {} {what} since {since}{waiting}{error}", row.state.id))
    });
    let muted = mutes.iter().filter(|mute| mute.ended_at.is_none()).map(|mute| {
        let component = mute.component.as_deref().map(|name| format!("#{name}"));
        let until = mute.until.map_or_else(
            || "nothing of it is open".to_owned(),
            |until| format_time(Time::from_timestamp(until.timestamp(), 0).unwrap_or(until)),
        );
        let reason = mute.reason.as_deref().map(|reason| format!(": {reason}"));
        one_line(&format!(
            "{}{} is muted until {until}{}",
            mute.provider,
            component.unwrap_or_default(),
            reason.unwrap_or_default()
        ))
    });
    failing.chain(muted).collect()
}

/// Reports wrong usage.
#[must_use]
pub fn usage(message: &str) -> Exit {
    output::note(&format!("statuswatch: {message}"));
    Exit::Usage
}
