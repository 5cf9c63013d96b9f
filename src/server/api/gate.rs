//! `/api/v1/gate`: the answer of [`crate::gate`], with a status that `curl -f` understands.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use crate::clock;
use crate::config::parse_duration;
use crate::event::Impact;
use crate::gate::{Gate, NeedError, OnUnknown, Verdict, ask, parse_needs};
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, json_now};
use crate::server::call::Call;

/// `GET /api/v1/gate`.
pub(in crate::server) async fn gate(app: Arc<App>, call: Call) -> Response<Body> {
    finish(decided(&app, &call).await)
}

async fn decided(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let gate = asked(call)?;
    let read = app.model.read(move |reader| ask(reader, &gate, clock::now()));
    let answer = read.await?.map_err(|error| refused(&error))?;
    Ok(json_now(status(answer.verdict), &answer))
}

/// A name that nothing has is missing; everything else is wrong in the question.
fn refused(error: &NeedError) -> Refusal {
    match error {
        NeedError::UnknownProvider { .. }
        | NeedError::UnknownComponent { .. }
        | NeedError::NoComponents { .. } => Refusal::Unknown(error.to_string()),
        _ => Refusal::Bad(error.to_string()),
    }
}

const fn status(verdict: Verdict) -> StatusCode {
    match verdict {
        Verdict::Pass => StatusCode::OK,
        Verdict::Hold => StatusCode::CONFLICT,
        Verdict::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn asked(call: &Call) -> Result<Gate, Refusal> {
    let needs = call.query.iter().filter(|(key, _)| key == "needs");
    let needs = parse_needs(needs.map(|(_, value)| value.as_str()));
    let min_impact = match call.parameter("min_impact") {
        None | Some("major") => Impact::Major,
        Some("maintenance") => Impact::Maintenance,
        Some("minor") => Impact::Minor,
        Some("critical") => Impact::Critical,
        Some(_) => {
            let expected = "\"min_impact\" must be maintenance, minor, major or critical";
            return Err(Refusal::Bad(expected.to_owned()));
        }
    };
    let max_age = call.parameter("max_age").map(parse_duration).transpose();
    let on_unknown = match call.parameter("on_unknown") {
        None => None,
        Some("pass") => Some(OnUnknown::Pass),
        Some("hold") => Some(OnUnknown::Hold),
        Some(_) => return Err(Refusal::Bad("\"on_unknown\" must be pass or hold".to_owned())),
    };
    Ok(Gate {
        needs: needs.map_err(|error| Refusal::Bad(error.to_string()))?,
        min_impact,
        max_age: max_age
            .map_err(|_| Refusal::Bad("\"max_age\" must be a duration: 90s, 5m, 1h".to_owned()))?,
        on_unknown,
    })
}
