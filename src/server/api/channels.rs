//! `/api/v1/channels` and `/api/v1/deadletters`: where messages go, and those that did not arrive.
//! A channel is named by its id; what it is sent with stays in the configuration.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::{DEFAULT_LIMIT, LIMIT};
use crate::clock;
use crate::event::format_time;
use crate::ledger::outbox::{ChannelRow, DeadLetter, Delivery, Payload};
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, json};
use crate::server::call::Call;

/// A channel.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct Channel {
    /// Its id in the configuration.
    id: String,
    /// `slack`, `email`, ...
    kind: String,
    /// `ok`, `failing`, `broken`: it refuses everything, or `removed` from the configuration.
    health: &'static str,
    /// Since when.
    since: String,
    /// What its last failure was; null where it works.
    last_error: Option<String>,
    /// When its last failure was.
    last_error_at: Option<String>,
    /// When it last accepted a message.
    last_success_at: Option<String>,
    /// When a broken channel is tried again.
    probe_at: Option<String>,
    /// Messages that wait to be sent.
    waiting: u64,
    /// When the oldest of them was routed or released.
    oldest_waiting_at: Option<String>,
    /// Messages held back: digests, quiet hours, mutes.
    held: u64,
    /// Messages that were given up.
    dead: u64,
    /// Messages accepted within the last 24 hours.
    delivered_today: u64,
}

impl From<ChannelRow> for Channel {
    fn from(row: ChannelRow) -> Self {
        Self {
            id: row.state.id,
            kind: row.state.kind,
            health: row.state.health.as_str(),
            since: format_time(row.state.since),
            last_error: row.state.last_error,
            last_error_at: row.last_error_at.map(format_time),
            last_success_at: row.last_success_at.map(format_time),
            probe_at: row.state.probe_at.map(format_time),
            waiting: row.waiting,
            oldest_waiting_at: row.oldest_at.map(format_time),
            held: row.held,
            dead: row.dead,
            delivered_today: row.delivered_today,
        }
    }
}

/// All channels.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct ChannelList {
    /// By id; removed ones last.
    channels: Vec<Channel>,
}

/// `GET /api/v1/channels`.
pub(in crate::server) async fn channels(app: Arc<App>, call: Call) -> Response<Body> {
    let rows = app.model.read(|reader| reader.channels(clock::now())).await;
    finish(rows.map_err(Refusal::from).map(|rows| {
        let channels = rows.into_iter().map(Channel::from).collect();
        json(&call.headers, &ChannelList { channels })
    }))
}

/// A message that was given up.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct Letter {
    /// Its id, as `statuswatch deadletters` names it.
    id: i64,
    /// The channel's id.
    channel: String,
    /// What it belongs to: messages about one incident have the same thread.
    thread: String,
    /// `seq` of the event it is about; null for a summary or notice.
    seq: Option<u64>,
    /// Why it was given up.
    reason: String,
    /// When.
    at: String,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            channel: letter.channel,
            thread: letter.thread,
            seq: match letter.payload {
                Payload::Event(seq) => Some(seq),
                Payload::Text(_) => None,
            },
            reason: letter.reason,
            at: format_time(letter.at),
        }
    }
}

/// Messages that were given up.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct DeadLetterList {
    /// Newest first, at most `limit`.
    dead_letters: Vec<Letter>,
}

/// `GET /api/v1/deadletters`.
pub(in crate::server) async fn dead_letters(app: Arc<App>, call: Call) -> Response<Body> {
    finish(letters(&app, &call).await)
}

async fn letters(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let limit = call.number("limit", LIMIT, DEFAULT_LIMIT)? as usize;
    let channel = call.parameter("channel").map(str::to_owned);
    let read = app.model.read(move |reader| reader.dead_letters(channel.as_deref(), limit));
    let dead_letters = read.await?.into_iter().map(Letter::from).collect();
    Ok(json(&call.headers, &DeadLetterList { dead_letters }))
}

/// When a channel accepted a message about an event.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct Notified {
    /// `seq` of the event.
    seq: u64,
    /// The channel's id.
    channel: String,
    /// When it accepted the message.
    at: String,
    /// Seconds since the event was routed, or released where it was held back.
    lag: f64,
}

impl From<Delivery> for Notified {
    fn from(delivery: Delivery) -> Self {
        Self {
            seq: delivery.seq,
            channel: delivery.channel,
            at: format_time(delivery.at),
            lag: delivery.lag_ms as f64 / 1000.0,
        }
    }
}
