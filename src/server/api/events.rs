//! `/api/v1/events` and `/api/v1/history`.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use schemars::JsonSchema;
use serde_json::value::RawValue;

use super::{DEFAULT_LIMIT, LIMIT};
use crate::event::StatusEvent;
use crate::ledger::{Span, StoredEvent};
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{JSON, Refusal, content};
use crate::server::call::Call;

/// A page of events. The shape alone: the events are written as they are stored.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape alone is used")]
pub(in crate::server) struct EventPage {
    /// Oldest first; each as in the event log, byte for byte.
    events: Vec<StatusEvent>,
    /// `after` of the next page: the last event of this one.
    next: u64,
    /// Whether there are more now.
    more: bool,
    /// The oldest event that is kept; 0 if there is none. If it is beyond `after` + 1, events in
    /// between are gone.
    oldest: u64,
    /// The newest event; 0 if there is none.
    newest: u64,
}

/// `GET /api/v1/events`.
pub(in crate::server) async fn events(app: Arc<App>, call: Call) -> Response<Body> {
    finish(page(&app, &call).await)
}

async fn page(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let after = call.number("after", 0..=i64::MAX.unsigned_abs(), 0)?;
    let limit = call.number("limit", LIMIT, DEFAULT_LIMIT)? as usize;
    let read = app.model.read(move |reader| Ok((reader.after(after, limit)?, reader.span()?)));
    let (events, span) = read.await?;
    Ok(content(&call.headers, JSON, written(after, &events, span), 0))
}

/// The newest events that a filter takes. The shape alone: the events are written as they are stored.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape alone is used")]
pub(in crate::server) struct History {
    /// Oldest first; each as in the event log, byte for byte.
    events: Vec<StatusEvent>,
}

/// `GET /api/v1/history`.
pub(in crate::server) async fn history(app: Arc<App>, call: Call) -> Response<Body> {
    finish(past(&app, &call).await)
}

async fn past(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let wanted = call.wanted()?;
    let query = wanted.query(Some(call.number("limit", LIMIT, DEFAULT_LIMIT)? as usize));
    let events = app.model.read(move |reader| reader.events(&query)).await?;
    Ok(content(&call.headers, JSON, format!("{{\"events\":[{}]}}", lines(&events)), 0))
}

fn written(after: u64, events: &[StoredEvent], span: Span) -> String {
    let next = events.last().map_or(after, |last| last.event.seq);
    let more = next < span.newest;
    format!(
        "{{\"events\":[{}],\"next\":{next},\"more\":{more},\"oldest\":{},\"newest\":{}}}",
        lines(events),
        span.oldest,
        span.newest
    )
}

fn lines(events: &[StoredEvent]) -> String {
    let lines: Vec<&str> = events.iter().map(|recorded| recorded.line.as_str()).collect();
    lines.join(",")
}

/// The events as they are stored, for a larger answer.
pub(super) fn raw(events: &[StoredEvent]) -> Result<Box<RawValue>, Refusal> {
    RawValue::from_string(format!("[{}]", lines(events)))
        .map_err(|_| Refusal::Missing("a stored event is damaged"))
}
