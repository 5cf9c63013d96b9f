//! Mutes of a provider: a section of its page, and the forms that set and end them.
//!
//! They do what `/api/v1/mutes` does.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Response, StatusCode};
use maud::{Markup, html};

use super::form::{Fields, token_field};
use super::{finish, nothing, parts};
use crate::event::Time;
use crate::ledger::outbox::MuteRow;
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::api::{NewMute, apply, lift};
use crate::server::call::Call;
use crate::server::guard::{Changes, changes};
use crate::text::one_line;

/// How long, and in words. Empty: as long as something of it is open.
const DURATIONS: &[(&str, &str)] = &[
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("1d", "1 day"),
    ("7d", "7 days"),
    ("", "until everything of it has ended"),
];

/// The mutes of a provider that are in effect, with forms where changes are possible.
pub(super) fn section(app: &App, provider: &str, mutes: &[MuteRow], now: Time) -> Markup {
    html! {
        section #mutes aria-labelledby="mutes-title" {
            h2 #mutes-title { "Mutes" span.n { (mutes.len()) } }
            @if mutes.is_empty() { (nothing("Nothing of it is muted.")) } @else {
                ul.rows { @for mute in mutes { li {
                    span.who { @match &mute.component {
                        Some(component) => { bdi { (one_line(component, 80)) } },
                        None => { "The whole provider" },
                    } }
                    span.since { (parts::ago(mute.created_at, now)) }
                    p { (end(mute)) }
                    (unmute_form(app, mute))
                } } }
            }
            @if changes(app) != Changes::Never { (mute_form(app, provider)) }
        }
    }
}

/// Until when, and why.
fn end(mute: &MuteRow) -> Markup {
    html! {
        @match mute.until {
            Some(until) => { "until " (parts::at(until)) }
            None => { "until everything of it has ended" }
        }
        @if let Some(reason) = &mute.reason { ": " (one_line(reason, 160)) }
    }
}

fn mute_form(app: &App, provider: &str) -> Markup {
    html! {
        form.filter method="post" action={ (parts::provider_path(provider)) "/mute" } {
            label { span { "Mute for" } select name="for" {
                @for (value, words) in DURATIONS { option value=(value) { (words) } }
            } }
            label { span { "Only the component" } input name="component" maxlength="200" placeholder="all of it"; }
            label { span { "Reason" } input name="reason" maxlength="200"; }
            (token_field(app))
            button { "Mute" }
        }
    }
}

/// The button that ends a mute; that of a whole provider ends all of its mutes.
pub(super) fn unmute_form(app: &App, mute: &MuteRow) -> Markup {
    html! {
        @if changes(app) != Changes::Never {
            form.filter method="post" action={ (parts::provider_path(&mute.provider)) "/unmute" } {
                @if let Some(component) = &mute.component { input type="hidden" name="component" value=(component); }
                (token_field(app))
                button {
                    @match &mute.component {
                        Some(component) => { "Unmute" span.vh { " " (one_line(component, 80)) } }
                        None => { "Unmute all of " bdi { (one_line(&mute.provider, 64)) } }
                    }
                }
            }
        }
    }
}

/// `POST /providers/{id}/mute`.
pub(super) async fn mute(app: Arc<App>, call: Call) -> Response<Body> {
    let done = async {
        let fields = Fields::read(&app, &call)?;
        let new = NewMute {
            provider: call.part("id").to_owned(),
            component: fields.text("component"),
            duration: fields.text("for"),
            until: None,
            reason: fields.text("reason"),
        };
        apply(&app, new).await.map(drop)
    };
    let done = done.await;
    back(&app, &call, done)
}

/// `POST /providers/{id}/unmute`.
pub(super) async fn unmute(app: Arc<App>, call: Call) -> Response<Body> {
    let done = async {
        let fields = Fields::read(&app, &call)?;
        lift(&app, call.part("id").to_owned(), fields.text("component")).await.map(drop)
    };
    let done = done.await;
    back(&app, &call, done)
}

/// Leads back to the provider's page, or says why nothing was changed.
fn back(app: &App, call: &Call, done: Result<(), Refusal>) -> Response<Body> {
    match done {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SEE_OTHER;
            let path = format!("{}#mutes", parts::provider_path(call.part("id")));
            // An escaped path is a header's value.
            if let Ok(location) = HeaderValue::try_from(path) {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        }
        Err(refusal) => finish(app, call, None, Err(refusal)),
    }
}
