//! `/channels`: whether messages arrive: health, what waits, what was given up, mutes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::layout::Page;
use super::mutes::unmute_form;
use super::{answer, nothing, parts, trial};
use crate::event::{IncidentKey, Time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow, DeadLetter, MuteRow};
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::api::read_key;
use crate::server::call::Call;
use crate::server::model::State;
use crate::text::one_line;

/// Messages shown of those that were given up: the newest.
const DEAD: usize = 50;
/// Mutes shown.
const MUTES: usize = 200;

/// `GET /channels`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, _: &Call, state: &State) -> Result<Page, Refusal> {
    let now = state.at;
    let read = app.model.read(move |reader| {
        let (dead, mutes) = (reader.dead_letters(None, DEAD)?, reader.mutes(false)?);
        Ok((reader.channels(now)?, dead, mutes, reader.unrouted()?))
    });
    let (channels, dead, mutes, unrouted) = read.await?;
    let main = html! {
        section #list aria-labelledby="list-title" {
            h1 #list-title { "Channels" span.n { (channels.len()) } }
            @if channels.is_empty() {
                (nothing("No channel is configured: events go to the console and the event log alone."))
            } @else { (table(app, &channels, now)) }
            @if unrouted > 0 {
                p.why { (parts::counted(unrouted as usize, "event")) " matched no route. "
                    a href="/routes" { "Test the routes" } "." }
            }
        }
        section #mutes aria-labelledby="mutes-title" {
            h2 #mutes-title { "Muted" span.n { (mutes.len()) } }
            @if mutes.is_empty() { (nothing("Nothing is muted.")) } @else { (muted(app, &mutes, now)) }
        }
        section #dead aria-labelledby="dead-title" {
            h2 #dead-title { "Given up" span.n { (dead.len()) } }
            @if dead.is_empty() { (nothing("Every message was accepted or still waits.")) }
            @else { (given_up(&dead, now)) }
        }
        section #sinks aria-labelledby="sinks-title" {
            h2 #sinks-title { "Sinks" }
            (sinks(state))
        }
    };
    Ok(Page { title: "Channels".to_owned(), here: "/channels", main })
}

const fn look(health: ChannelHealth) -> parts::Look {
    let (class, word) = match health {
        ChannelHealth::Ok => ("ok", "ok"),
        ChannelHealth::Failing => ("major", "failing"),
        ChannelHealth::Broken => ("critical", "broken"),
        ChannelHealth::Removed => ("unknown", "removed"),
    };
    parts::Look { class, word }
}

fn table(app: &App, channels: &[ChannelRow], now: Time) -> Markup {
    let number = |number: u64| html! { @if number > 0 { (parts::count(number)) } @else { "–" } };
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { "Channel" } th scope="col" { "Health" } th.num scope="col" { "Waiting" }
                th scope="col" { "Oldest" } th.num scope="col" { "Held" } th.num scope="col" { "Given up" }
                th.num scope="col" { "24 h" } th scope="col" { "Last accepted" }
            } }
            tbody {
                @for row in channels {
                    tr data-row {
                        th scope="row" {
                            (one_line(&row.state.id, 64)) small { (one_line(&row.state.kind, 40)) }
                            (trial::form(app, &row.state.id))
                        }
                        td {
                            (parts::state(look(row.state.health)))
                            @if row.state.health != ChannelHealth::Ok { " since " (parts::at(row.state.since)) }
                            @if let Some(error) = row.state.last_error.as_deref().filter(|_| row.state.health != ChannelHealth::Ok) {
                                p { (one_line(error, 240)) }
                            }
                        }
                        td.num { (number(row.waiting)) }
                        td { @if let Some(oldest) = row.oldest_at { (parts::age(oldest, now)) } @else { "–" } }
                        td.num { (number(row.held)) }
                        td.num { (number(row.dead)) }
                        td.num { (number(row.delivered_today)) }
                        td { @if let Some(at) = row.last_success_at { (parts::ago(at, now)) } @else { "never" } }
                    }
                }
            }
        } }
    }
}

fn muted(app: &App, mutes: &[MuteRow], now: Time) -> Markup {
    html! {
        ul.rows {
            @for mute in mutes.iter().take(MUTES) {
                li data-row {
                    a.who data-go href=(parts::provider_path(&mute.provider)) { (one_line(&mute.provider, 64)) }
                    @if let Some(component) = &mute.component { bdi { (one_line(component, 80)) } }
                    span.since { (parts::ago(mute.created_at, now)) }
                    p {
                        @match mute.until {
                            Some(until) => { "until " (parts::at(until)) }
                            None => { "until everything of it has ended" }
                        }
                        @if let Some(reason) = &mute.reason { ": " (one_line(reason, 160)) }
                    }
                    (unmute_form(app, mute))
                }
            }
        }
    }
}

fn given_up(dead: &[DeadLetter], now: Time) -> Markup {
    // Threads of incidents are their keys; those of components lead nowhere.
    let key =
        |letter: &DeadLetter| read_key(&letter.thread).map(|key: IncidentKey| key.to_string());
    html! {
        ul.rows {
            @for letter in dead {
                li data-row {
                    span.who { (one_line(&letter.channel, 64)) }
                    span { "message " (letter.id) }
                    span.since { (parts::ago(letter.at, now)) }
                    p {
                        (one_line(&letter.reason, 240)) " "
                        @if let Some(key) = key(letter) { a data-go href={ "/incidents/" (key) } { "What it was about" } }
                    }
                }
            }
        }
    }
}

fn sinks(state: &State) -> Markup {
    html! {
        ul.rows {
            @for (sink, waiting) in state.sinks() {
                li {
                    (parts::state(if sink.failure.is_some() { look(ChannelHealth::Failing) } else { look(ChannelHealth::Ok) }))
                    span.who { (one_line(&sink.id, 64)) }
                    span.since { @if let Some(at) = sink.delivered_at { (parts::ago(at, state.at)) } }
                    @if let Some(reason) = &sink.failure { p { (one_line(reason, 240)) } }
                    @if let Some(since) = waiting {
                        p { (parts::counted(sink.behind as usize, "event")) " waiting, the oldest for " (parts::age(since, state.at)) }
                    }
                }
            }
        }
    }
}
