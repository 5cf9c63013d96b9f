//! `/api/v1/observe`: takes what others see of a provider.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::clock;
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, json_now};
use crate::server::call::Call;

/// An error rate to show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct NewObservation {
    /// The provider's id.
    provider: String,
    /// The share of your requests to it that fail: 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    error_rate: f64,
}

/// `POST /api/v1/observe`.
pub(in crate::server) async fn observe(app: Arc<App>, call: Call) -> Response<Body> {
    finish(kept(&app, &call).await)
}

async fn kept(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let new: NewObservation = call.json()?;
    if !(0.0..=1.0).contains(&new.error_rate) {
        return Err(Refusal::Bad("\"error_rate\" must be a number from 0 to 1".to_owned()));
    }
    let state = app.model.state().await?;
    let found = state.view.providers.iter().find(|provider| provider.id == new.provider);
    let provider = found.ok_or(Refusal::Missing("there is no such provider"))?;
    let now = Instant::now();
    app.observed.keep(&provider.id, new.error_rate, clock::now(), now);
    Ok(json_now(StatusCode::OK, &app.observed.of(provider, now)))
}
