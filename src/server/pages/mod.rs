//! The dashboard: pages rendered here, one style sheet and one script, nothing from elsewhere.
//!
//! A page is a file with a handler and a row in [`PAGES`]. Pages read the [`Model`](super::model) and
//! nothing else. All of them read without the script: filters are forms sent with GET. The script
//! fetches a page again when the stream reports an event, and puts what has changed in its place.
//!
//! Texts of providers are hostile. maud escapes them, links lead to `http` and `https` alone, and the
//! policy of every answer allows no script and no style but ours.

mod assets;
mod channels;
mod days;
mod diff;
mod form;
mod incident;
mod incidents;
mod layout;
mod maintenances;
mod mutes;
mod notified;
mod observed;
mod overview;
mod parts;
mod provider;
mod providers;
pub(super) mod public;
mod routing;
mod trial;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::REFERRER_POLICY;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use maud::{Markup, html};

use super::App;
use super::answer::{Refusal, content};
use super::call::Call;
use super::model::State;
use super::route::{Access, Answer, Handler, Parameter, Route, Values, handler, required};
use layout::Page;

/// The media type of a page.
const HTML: &str = "text/html; charset=utf-8";

const fn page(
    path: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    handler: Handler,
) -> Route {
    page_for(Access::Token, path, about, parameters, handler)
}

const fn page_for(
    access: Access,
    path: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    handler: Handler,
) -> Route {
    let (method, answer) = (Method::GET, Answer::Other(HTML));
    let (status, also, body) = (StatusCode::OK, &[], None);
    Route { method, path, access, about, parameters, body, status, also, answer, handler }
}

/// A page for strangers.
const fn public(
    path: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    handler: Handler,
) -> Route {
    page_for(Access::Public, path, about, parameters, handler)
}

/// A form of a page. It leads back to a page.
const fn form(path: &'static str, about: &'static str, handler: Handler) -> Route {
    let (method, access, answer) = (Method::POST, Access::Form, Answer::Other(HTML));
    let (status, also, body, parameters) = (StatusCode::SEE_OTHER, &[], None, ID);
    Route { method, path, access, about, parameters, body, status, also, answer, handler }
}

const ID: &[Parameter] = &[required("id", Values::Text, "Its id in providers.yaml.")];
const KEY: &[Parameter] = &[required("key", Values::Text, "Its key: 32 hexadecimal digits.")];
const NAME: &[Parameter] =
    &[required("name", Values::Text, "Its name, with a hash of the content.")];

/// The pages. They are for people: the `OpenAPI` description leaves them out.
pub static PAGES: &[Route] = &[
    page("/", "What can be trusted, what is open, what is coming.", &[], handler!(overview::get)),
    page("/providers", "The providers, filtered.", &[], handler!(providers::get)),
    page("/providers/{id}", "One provider.", ID, handler!(provider::get)),
    form("/providers/{id}/mute", "Mutes it.", handler!(mutes::mute)),
    form("/providers/{id}/unmute", "Ends its mutes.", handler!(mutes::unmute)),
    page("/incidents", "What is open, and the latest updates.", &[], handler!(incidents::get)),
    page("/incidents/{key}", "One incident or maintenance.", KEY, handler!(incident::get)),
    page("/maintenances", "Maintenances of 90 days.", &[], handler!(maintenances::get)),
    form("/channels/{id}/test", "Sends a test through it.", handler!(trial::post)),
    page("/channels", "Channels, mutes, what was given up.", &[], handler!(channels::get)),
    page("/routes", "Which channels an event would go to.", &[], handler!(routing::get)),
    public("/public", "The state for strangers.", &[], handler!(public::get)),
    public("/public/{name}", "Its style sheet.", NAME, handler!(public::style)),
    page("/assets/{name}", "The style sheet and the script.", NAME, handler!(assets::get)),
];

/// Makes the answer of a page, or of an error in the form of one.
fn finish(
    app: &App,
    call: &Call,
    state: Option<&State>,
    page: Result<Page, Refusal>,
) -> Response<Body> {
    let (status, page) = match page {
        Ok(page) => (StatusCode::OK, page),
        Err(refusal) => {
            let text = match &refusal {
                // The reason names files of this machine.
                Refusal::Read(_) => "The ledger cannot be read at present.".to_owned(),
                refusal => refusal.to_string(),
            };
            // Its status is that of the API, and it is logged there.
            let status = Response::from(refusal).status();
            (status, failure(status, &text))
        }
    };
    respond(app, &call.headers, state, status, &page)
}

fn respond(
    app: &App,
    headers: &HeaderMap,
    state: Option<&State>,
    status: StatusCode,
    page: &Page,
) -> Response<Body> {
    let text = layout::render(page, state, app.token.is_some()).into_string();
    let mut response = if status == StatusCode::OK {
        content(headers, HTML, text, 0)
    } else {
        // A page that failed is never taken for one that has not changed.
        let mut response = content(&HeaderMap::new(), HTML, text, 0);
        *response.status_mut() = status;
        response.headers_mut().remove(axum::http::header::ETAG);
        response
    };
    // With `no-referrer`, a browser says of a form that it comes from nowhere (Fetch, "append a
    // request Origin header"). Other sites learn nothing either way.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn failure(status: StatusCode, text: &str) -> Page {
    let title = status.canonical_reason().unwrap_or("Error");
    let main = html! {
        section #failure .trust.bad {
            h1 { (title) }
            p { (text) }
            p { a href="/" { "Overview" } }
        }
    };
    Page { title: title.to_owned(), here: "", main }
}

/// Answers with a page that is made of the present state and of what `make` reads besides.
async fn answer(
    app: Arc<App>,
    call: Call,
    make: impl AsyncFnOnce(&App, &Call, &State) -> Result<Page, Refusal>,
) -> Response<Body> {
    match app.model.state().await {
        Ok(state) => {
            let page = make(&app, &call, &state).await;
            finish(&app, &call, Some(&state), page)
        }
        Err(error) => finish(&app, &call, None, Err(Refusal::from(error))),
    }
}

/// The page that the query asks for, from 1, and the part of `all` on it.
fn part<'a, T>(call: &Call, all: &'a [T], size: usize) -> Result<(usize, usize, &'a [T]), Refusal> {
    let pages = all.len().div_ceil(size).max(1);
    let page = call.number("page", 1..=u64::from(u32::MAX), 1)? as usize;
    let page = page.min(pages);
    let begin = ((page - 1) * size).min(all.len());
    let end = (begin + size).min(all.len());
    Ok((page, pages, all.get(begin..end).unwrap_or_default()))
}

/// A text of the query, bounded: what a reader typed into a form.
fn typed<'a>(call: &'a Call, name: &str) -> &'a str {
    crate::text::head(call.parameter(name).unwrap_or_default().trim(), 200)
}

/// What there is instead of a list without entries.
fn nothing(text: &str) -> Markup {
    html! { p.nothing { (text) } }
}
