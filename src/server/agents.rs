//! `/mcp`: the tools of [`crate::mcp`] over HTTP. They only read, so the token for reading is enough.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};

use super::App;
use super::answer::finish;
use super::answer::{JSON, Refusal};
use super::call::Call;
use super::nodes;
use crate::clock;
use crate::mcp::{self, Context, Mirrored, Routing};
use crate::text::safe_json;

/// `POST /mcp`.
pub(super) async fn post(app: Arc<App>, call: Call) -> Response<Body> {
    finish(answered(&app, &call).await)
}

async fn answered(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    call.needs_json()?;
    let nodes = nodes::answer(app).await.map(|nodes| nodes.view);
    let setup = app.setup.get();
    let routing = Routing {
        routes: setup.routes.clone(),
        channels: setup.audiences(),
        tags: setup.tags.clone(),
    };
    let context = Context {
        state_dir: app.model.state_dir().to_owned(),
        routing: Some(routing),
        now: clock::now,
        nodes: Box::new(move || nodes.clone()),
    };
    let (body, headers) = (call.body.clone(), call.headers.clone());
    // The tools open the ledger for themselves; a place among the readers bounds how many do.
    let read = app.model.read(move |_| {
        let mirrored = Mirrored {
            version: field(&headers, "mcp-protocol-version"),
            method: field(&headers, "mcp-method"),
            name: field(&headers, "mcp-name"),
        };
        Ok(mcp::answer(&body, mirrored, &context))
    });
    let answer = read.await?;
    let body = answer
        .body
        .map_or_else(Body::empty, |body| Body::from(safe_json(&body.to_string()).into_owned()));
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A header field; one that is no text is as good as none.
fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
