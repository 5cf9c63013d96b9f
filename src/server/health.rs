//! `/healthz` and `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Serialize;

use super::App;
use super::answer::json_now;
use super::call::Call;
use super::model::State;
use crate::view::status::Freshness;

/// The supervisor's loop turns every second.
const STUCK_AFTER: Duration = Duration::from_secs(15);
/// The first round of a run counts as over after this time, whatever has not been read.
const FIRST_ROUND: Duration = Duration::from_mins(2);
/// A sink that has delivered nothing for so long is down.
const SINK_DOWN: TimeDelta = TimeDelta::minutes(15);

/// The answer of `/healthz`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// Whether the supervisor's loop turns.
    healthy: bool,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// Whether there is no reason against it.
    ready: bool,
    /// Why not.
    reasons: Vec<String>,
}

/// `/healthz`.
pub(super) async fn healthz(app: Arc<App>, _: Call) -> Response<Body> {
    let healthy = app.metrics.since_turn() < STUCK_AFTER;
    json_now(status(healthy), &Health { healthy })
}

/// `/readyz`.
pub(super) async fn readyz(app: Arc<App>, _: Call) -> Response<Body> {
    let reasons = match app.model.state().await {
        Ok(state) => reasons(&state, app.metrics.is_writable(), app.started.elapsed()),
        Err(error) => {
            tracing::warn!(%error, "the HTTP server cannot read the ledger");
            vec!["the ledger cannot be read".to_owned()]
        }
    };
    let ready = reasons.is_empty();
    json_now(status(ready), &Readiness { ready, reasons })
}

/// A probe reads the status alone.
const fn status(is_well: bool) -> StatusCode {
    if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Why events may be missed or late. Names no provider: it is public.
fn reasons(state: &State, writable: bool, up: Duration) -> Vec<String> {
    let mut reasons = Vec::new();
    let all = state.providers().len();
    let unread = state.providers().iter().filter(|row| row.last_poll_at.is_none()).count();
    if unread > 0 && up < FIRST_ROUND {
        reasons.push(format!("{unread} of {all} providers have not been polled yet"));
    }
    let fresh = state.view.providers.iter().filter(|one| one.freshness == Freshness::Fresh);
    let blind = all - fresh.count();
    if blind * 2 > all && (up >= FIRST_ROUND || unread == 0) {
        reasons.push(format!("{blind} of {all} providers are not fresh"));
    }
    if state.view.offline.is_some() {
        reasons.push("our own network is down".to_owned());
    }
    if !writable {
        reasons.push("the ledger cannot be written".to_owned());
    }
    for (sink, waiting) in state.sinks() {
        if waiting.is_some_and(|since| state.at - since > SINK_DOWN) && sink.failure.is_some() {
            reasons.push(format!("the sink {} has not delivered for 15 min", sink.id));
        }
    }
    reasons
}
