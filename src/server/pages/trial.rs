//! The test of a channel: a form in the list of channels, and what came of it.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::form::{Fields, token_field};
use super::layout::Page;
use super::{finish, nothing, parts};
use crate::dispatch::trial::{Exchange, Trial};
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::call::Call;
use crate::server::guard::{Changes, changes};
use crate::text::one_line;

/// From one test of a channel to the next: whoever is at the other end is a person.
const EVERY: Duration = Duration::from_secs(10);
/// How long an answer is waited for: less than a request to this server may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// The button that sends a test; nothing where none can be sent.
pub(super) fn form(app: &App, channel: &str) -> Markup {
    html! {
        @if app.test_channel.is_some() && changes(app) != Changes::Never && app.setup.get().channel(channel).is_some() {
            form.filter method="post" action={ "/channels/" (parts::escaped(channel)) "/test" } {
                (token_field(app))
                button { "Send a test" span.vh { " to " (one_line(channel, 64)) } }
            }
        }
    }
}

/// `POST /channels/{id}/test`.
pub(super) async fn post(app: Arc<App>, call: Call) -> Response<Body> {
    let page = tried(&app, &call).await;
    finish(&app, &call, None, page)
}

async fn tried(app: &App, call: &Call) -> Result<Page, Refusal> {
    Fields::read(app, call)?;
    let id = call.part("id");
    let channel = app.setup.get().channel(id).map(Arc::clone);
    let channel = channel.ok_or(Refusal::Missing("There is no such channel."))?;
    let Some(send) = &app.test_channel else {
        return Err(Refusal::Forbidden("Nothing is sent in a dry run."));
    };
    {
        let mut tested = app.tested.lock().unwrap_or_else(PoisonError::into_inner);
        if tested.get(id).is_some_and(|at| at.elapsed() < EVERY) {
            return Err(Refusal::Busy("This channel was tested less than 10 s ago."));
        }
        tested.insert(id.to_owned(), Instant::now());
    }
    tracing::info!(channel = id, "a test of a channel was asked for over HTTP");
    let trial = tokio::time::timeout(PATIENCE, send(channel)).await.ok();
    let main = html! {
        section #trial aria-labelledby="trial-title" {
            p.crumb { a href="/channels" { "Channels" } }
            h1 #trial-title { "Test of " bdi { (one_line(id, 64)) } }
            @match &trial {
                None => { p.why { "No answer within 8 s. The message may have arrived." } }
                Some(trial) => { (outcome(trial)) }
            }
        }
    };
    Ok(Page { title: "Test of a channel".to_owned(), here: "/channels", main })
}

fn outcome(trial: &Trial) -> Markup {
    html! {
        @if trial.exchanges.is_empty() { (nothing("The channel sends nothing for a test.")) }
        @for exchange in &trial.exchanges { (sent(exchange)) }
        @for error in &trial.template_errors {
            p.why { "A template failed, the built-in text was sent: " (one_line(error, 300)) }
        }
    }
}

/// One message; what is secret in it is hidden already.
fn sent(exchange: &Exchange) -> Markup {
    let (class, word) =
        if exchange.delivered { ("ok", "delivered") } else { ("major", "not delivered") };
    html! {
        dl.facts.list {
            div { dt { "Result" } dd { (parts::state(parts::Look { class, word })) } }
            div { dt { "Request" } dd { (one_line(&exchange.request, 200)) } }
            div { dt { "Answer" } dd { (one_line(exchange.answer.as_deref().unwrap_or("none"), 600)) } }
            div { dt { "Verdict" } dd { (one_line(&exchange.verdict, 300)) " (" (exchange.took.as_millis()) " ms)" } }
        }
    }
}
