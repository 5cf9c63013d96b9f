//! `/hook/PROVIDER/TOKEN`: a push of a provider that means "poll now".
//!
//! Statuspage signs nothing, so nothing in the body is believed: the address is the secret, and what
//! is new is read from the page itself.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use subtle::ConstantTimeEq as _;

use super::App;
use super::answer::{json, problem};
use super::call::Call;

/// From one poll that a hook causes to the next.
const EVERY: Duration = Duration::from_secs(10);

/// The answer of a hook.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Accepted {
    /// Whether this call causes a poll; false within 10 s after one that did.
    poll: bool,
}

/// `POST /hook/{provider}/{token}`.
pub(super) async fn post(app: Arc<App>, call: Call) -> Response<Body> {
    let (provider, given) = (call.part("provider"), call.part("token"));
    let known = app
        .http
        .hooks
        .get(provider)
        .is_some_and(|token| bool::from(token.reveal().as_bytes().ct_eq(given.as_bytes())));
    if !known {
        // The same for an unknown provider and a wrong token.
        app.counts.refused("hooks");
        return problem(StatusCode::NOT_FOUND, "nothing is served here");
    }
    let poll = {
        let mut hooked = app.hooked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = hooked.get(provider).is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            hooked.insert(provider.to_owned(), Instant::now());
        }
        due
    };
    if poll {
        (app.poll_now)(provider);
    }
    let mut response = json(&call.headers, &Accepted { poll });
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}
