//! `/incidents/{key}`: the timeline of one incident or maintenance: per update when it was published,
//! seen and delivered, and what an edit changed.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::diff::{Piece, diff};
use super::layout::Page;
use super::notified::{self, Story};
use super::overview::{provider_name, status_label, window};
use super::{answer, nothing, parts};
use crate::event::{Kind, StatusEvent, Time};
use crate::ledger::ItemQuery;
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::api::read_key;
use crate::server::call::Call;
use crate::server::model::State;
use crate::text::{head, one_line};

/// Updates shown: the newest.
const UPDATES: usize = 200;
/// Bytes of an update's text.
const TEXT: usize = 8 << 10;
/// Components named.
const COMPONENTS: usize = 60;

/// `GET /incidents/{key}`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, call: &Call, state: &State) -> Result<Page, Refusal> {
    const NONE: Refusal = Refusal::Missing("There is no incident with this key.");
    let key = read_key(call.part("key")).ok_or(NONE)?;
    let read = app.model.read(move |reader| {
        let rows = reader.items(ItemQuery::Key(key))?.into_iter().take(1).collect();
        notified::read(reader, rows, UPDATES)
    });
    let story = read.await?.into_iter().next().ok_or(NONE)?;
    let title = parts::title(&story.row.item.title);
    let anybody = !app.setup.get().channels.is_empty();
    let here = match story.row.item.kind {
        Kind::Maintenance => "/maintenances",
        _ => "/incidents",
    };
    let main = html! {
        (header(&story, state, &title, anybody))
        section #timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { "Updates" span.n { (story.events.len()) } }
            @if story.events.is_empty() { (nothing("No update of it was reported.")) }
            @if story.events.len() == UPDATES { p.nothing { "Earlier ones are left out." } }
            ol.timeline {
                @for (place, event) in story.events.iter().enumerate().rev() {
                    (update(event, before(&story.events, place), &story, state.at))
                }
            }
        }
    };
    Ok(Page { title, here, main })
}

fn header(story: &Story, state: &State, title: &str, anybody: bool) -> Markup {
    let (item, now) = (&story.row.item, state.at);
    let began = item.started_at.or(story.row.first_seen);
    html! {
        section #about .about {
            p.crumb {
                a href=(parts::provider_path(&item.provider)) { bdi { (provider_name(state, &item.provider)) } }
            }
            h1 { bdi { (title) } }
            dl.facts {
                div { dt { "Impact" } dd { (parts::state(parts::impact_look(item.impact))) } }
                div { dt { "Status" } dd { (status_label(&item.status)) @if !story.row.open { " (closed)" } } }
                @if item.kind == Kind::Maintenance { div { dt { "Window" } dd { (window(&story.row)) } } }
                @else if let Some(began) = began {
                    div { dt { "Began" } dd { (parts::at(began)) " (" (parts::ago(began, now)) ")" } }
                }
                div { dt { "Notified" } dd { (story.notified(anybody, now)) } }
            }
            @if !item.components.is_empty() {
                p.parts aria-label="Components" {
                    @for component in item.components.iter().take(COMPONENTS) {
                        span { (parts::shape(parts::component_look(component.status))) bdi { (one_line(&component.name, 80)) } }
                    }
                    @if item.components.len() > COMPONENTS { span { "+" (item.components.len() - COMPONENTS) } }
                }
            }
            p.links {
                (parts::outside(item.url.as_deref(), "Provider's page"))
                @if let Some(last) = story.events.last() {
                    " " a href={ "/routes?seq=" (last.seq) } { "Who is notified, and why" }
                }
            }
        }
    }
}

/// The revision before that of the update at `place`.
fn before(events: &[StatusEvent], place: usize) -> Option<&StatusEvent> {
    let event = events.get(place).filter(|event| event.revision > 1)?;
    let earlier = events.get(..place)?.iter().rev();
    earlier
        .into_iter()
        .find(|one| one.update_id == event.update_id && one.revision < event.revision)
}

fn update(event: &StatusEvent, before: Option<&StatusEvent>, story: &Story, now: Time) -> Markup {
    let delivered: Vec<_> =
        story.deliveries.iter().filter(|delivery| delivery.seq == event.seq).collect();
    let lag = event.observed_at - event.published_at;
    let message = event.message.as_deref().map(|text| head(text, TEXT));
    html! {
        li.(parts::impact_look(event.impact).class) {
            h3 {
                (parts::shape(parts::impact_look(event.impact))) (event.status.label())
                @if event.revision > 1 { " " span.edit { "edit " (event.revision - 1) } }
                @if event.backfill { " " span.edit { "before it was watched" } }
                span.since { (parts::ago(event.published_at, now)) }
            }
            @match (message, before.and_then(|before| before.message.as_deref())) {
                (Some(new), Some(old)) => { (changes(head(old, TEXT), new)) }
                (Some(text), None) => { p.text { bdi { (text) } } }
                (None, _) => { p.nothing { "No text." } }
            }
            @if let Some(before) = before.filter(|before| before.title != event.title) {
                p.nothing { "Title before: " bdi { (parts::title(&before.title)) } }
            }
            dl.times {
                div { dt { "published" } dd { (parts::clock(event.published_at)) } }
                div { dt { "seen" } dd {
                    (parts::clock(event.observed_at))
                    @if !event.backfill && lag.num_seconds() > 0 { " +" (parts::span(lag)) }
                } }
                div { dt { "delivered" } dd {
                    @if delivered.is_empty() { "–" }
                    @else {
                        ul.told {
                            @for delivery in delivered { (notified::done(&delivery.channel, delivery.at)) }
                        }
                    }
                } }
            }
        }
    }
}

fn changes(old: &str, new: &str) -> Markup {
    html! {
        p.text.diff {
            @for piece in diff(old, new) {
                @match piece {
                    Piece::Same(text) => { (text) }
                    Piece::Removed(text) => { del { (text) } }
                    Piece::Added(text) => { ins { (text) } }
                }
            }
        }
    }
}
