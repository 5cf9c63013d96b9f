//! `/providers/{id}`: one provider: what is open, its components, its last 90 days, how it is read.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use chrono::TimeDelta;
use maud::{Markup, html};

use super::days::{DAYS, Day, days};
use super::layout::Page;
use super::overview::status_label;
use super::{answer, nothing, parts};
use crate::event::{Component, ComponentStatus, Impact, Kind, StatusEvent, Time};
use crate::ledger::{ItemRow, ProviderRow, Query};
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::call::Call;
use crate::server::model::State;
use crate::text::one_line;
use crate::view::lag::{self, Lag, Spread};
use crate::view::status::ProviderView;

/// Incidents and maintenances listed.
const ITEMS: usize = 30;
/// Components listed; a page may have thousands.
const COMPONENTS: usize = 300;
/// Events that the days are made of: the newest.
const EVENTS: usize = 5000;

/// `GET /providers/{id}`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, call: &Call, state: &State) -> Result<Page, Refusal> {
    let id = call.part("id").to_owned();
    let found = state.view.providers.iter().zip(state.providers()).find(|(one, _)| one.id == id);
    let (view, row) = found.ok_or(Refusal::Missing("There is no such provider."))?;
    let now = state.at;
    let query = Query {
        providers: vec![id.clone()],
        since: Some(now - TimeDelta::days(DAYS as i64)),
        limit: Some(EVENTS),
        ..Query::default()
    };
    let read = app.model.read(move |reader| {
        let events = reader.events(&query)?;
        let mut mutes = reader.mutes(false)?;
        mutes.retain(|mute| mute.provider == id);
        let times = reader.update_times(&id, lag::since(now), lag::MAX_UPDATES)?;
        Ok((reader.components(&id)?, reader.items_of(&id, ITEMS)?, events, mutes, times))
    });
    let (components, items, events, mutes, times) = read.await?;
    let lag = lag::lag(&times, row.first_watched_at);
    let events: Vec<StatusEvent> = events.into_iter().map(|recorded| recorded.event).collect();
    let name = one_line(&view.name, 120);
    let setup = app.setup.get();
    let main = html! {
        section #about .about {
            p.crumb { a href="/providers" { "Providers" } }
            h1 { bdi { (name) } }
            p.big {
                (parts::state(parts::provider_look(view)))
                @if parts::provider_look(view).class == "unknown" && view.last_known_status != ComponentStatus::Unknown {
                    " last known: " (parts::component_look(view.last_known_status).word)
                }
                @if !mutes.is_empty() { " " a.edit href="#mutes" { "muted" } }
            }
            (super::observed::line(app, view))
            @if !setup.tags(&view.id).is_empty() {
                p.parts { @for tag in setup.tags(&view.id) { a href={ "/providers?tag=" (tag) } { (tag) } } }
            }
            p.links {
                (parts::outside(row.page_url.as_deref(), "Status page")) " "
                a href={ "/feeds/events.atom?provider=" (parts::escaped(&view.id)) } { "Feed" }
            }
        }
        section #days aria-labelledby="days-title" {
            h2 #days-title { "90 days" }
            (strip(&days(&events, row.first_watched_at, now)))
        }
        section #items aria-labelledby="items-title" {
            h2 #items-title { "Incidents and maintenances" }
            @if items.is_empty() { (nothing("None is known.")) } @else { (item_rows(&items, now)) }
        }
        div #more .split {
            section #components aria-labelledby="components-title" {
                h2 #components-title { "Components" span.n { (parts::count(components.len() as u64)) } }
                @if components.is_empty() { (nothing("Its page lists none.")) } @else { (component_rows(&components)) }
            }
            section #reading aria-labelledby="reading-title" {
                h2 #reading-title { "How it is read" }
                (reading(view, row, &lag, now))
            }
        }
        (super::mutes::section(app, &view.id, &mutes, now))
    };
    Ok(Page { title: name, here: "/providers", main })
}

fn strip(days: &[Day]) -> Markup {
    let bad = days.iter().filter(|day| day.worst.is_some_and(is_bad)).count();
    let known = days.iter().filter(|day| day.worst.is_some()).count();
    html! {
        ol.days aria-hidden="true" {
            @for day in days {
                li class=(class(day)) title=(label(day)) {}
            }
        }
        p.axis { span { "90 days ago" } span { "today" } }
        p.lead {
            (parts::counted(bad, "day")) " with incidents of " (known) " known. Days are in UTC."
        }
    }
}

fn is_bad(impact: Impact) -> bool {
    matches!(impact, Impact::Minor | Impact::Major | Impact::Critical)
}

fn class(day: &Day) -> &'static str {
    match day.worst {
        None => "blank",
        Some(Impact::None) => "ok",
        Some(impact) => parts::impact_look(impact).class,
    }
}

fn label(day: &Day) -> String {
    let date = day.date.format("%-d %b %Y");
    match day.worst {
        None => format!("{date}: not watched"),
        Some(Impact::None) => format!("{date}: nothing reported"),
        Some(impact) => {
            let word = parts::impact_look(impact).word;
            match day.incidents {
                0 => format!("{date}: {word}"),
                count => format!("{date}: {word}, {}", parts::counted(count, "incident")),
            }
        }
    }
}

fn item_rows(items: &[ItemRow], now: Time) -> Markup {
    html! {
        ul.rows {
            @for row in items {
                @let impact = if row.item.kind == Kind::Maintenance { Impact::Maintenance } else { row.item.impact };
                li data-row {
                    (parts::state(parts::impact_look(impact)))
                    span.who { a data-go href={ "/incidents/" (row.key) } { bdi { (parts::title(&row.item.title)) } } }
                    span.since {
                        @if let Some(at) = row.item.scheduled_for.or(row.item.started_at).or(row.first_seen) { (parts::ago(at, now)) }
                    }
                    p { (status_label(&row.item.status)) @if row.open { ", " b { "open" } } }
                }
            }
        }
    }
}

fn component_rows(components: &[Component]) -> Markup {
    let mut listed: Vec<&Component> = components.iter().collect();
    // What is wrong is seen without scrolling; otherwise as the page has them.
    listed.sort_by_key(|one| one.status == ComponentStatus::Operational);
    html! {
        ul.rows.tight {
            @for component in listed.iter().take(COMPONENTS) {
                li {
                    span.who {
                        bdi { (one_line(&component.name, 120)) }
                        @if let Some(group) = &component.group { small { bdi { (one_line(group, 80)) } } }
                    }
                    (parts::state(parts::component_look(component.status)))
                }
            }
        }
        @if listed.len() > COMPONENTS {
            p.more { (parts::counted(listed.len() - COMPONENTS, "more component")) " not shown" }
        }
    }
}

/// How late its updates are seen, and how late it publishes them.
fn delays(lag: &Lag) -> Markup {
    html! {
        @if lag.updates.count > 0 || lag.incidents.count > 0 {
            div { dt { "Seen" } dd { (spread(&lag.updates, "after publication", "update")) } }
            div { dt { "Its habit" } dd {
                (spread(&lag.incidents, "from the start of an incident to its first update", "incident"))
            } }
            @if lag.implausible > 0 {
                div { dt { "Clock" } dd {
                    (parts::counted(lag.implausible, "update")) " more than a minute ahead of ours"
                } }
            }
        }
    }
}

fn spread(spread: &Spread, what: &str, of: &str) -> Markup {
    let shown = |seconds: f64| parts::span(TimeDelta::milliseconds((seconds * 1000.0) as i64));
    html! {
        @if let (Some(p50), Some(p99)) = (spread.p50, spread.p99) {
            "p50 " b { (shown(p50)) } ", p99 " b { (shown(p99)) } " " (what)
            small { (parts::counted(spread.count, of)) " in " (lag::DAYS) " days" }
        } @else { "not measured yet" }
    }
}

fn reading(view: &ProviderView, row: &ProviderRow, lag: &Lag, now: Time) -> Markup {
    let every = |milliseconds: i64| parts::span(TimeDelta::milliseconds(milliseconds));
    html! {
        dl.facts.list {
            div { dt { "State" } dd { (parts::freshness_word(view.freshness)) } }
            div { dt { "Last success" } dd { @if let Some(at) = row.last_success_at { (parts::ago(at, now)) } @else { "never" } } }
            div { dt { "Last change" } dd { @if let Some(at) = row.last_change_at { (parts::ago(at, now)) } @else { "never" } } }
            div { dt { "Next poll" } dd { @if let Some(at) = row.next_poll_at { (parts::ago(at, now)) } @else { "–" } } }
            div { dt { "Interval" } dd {
                (every(row.interval_ms))
                @if let Some(real) = row.real_interval_ms { "; its host allows " (every(real)) }
            } }
            div { dt { "Stale after" } dd { (every(row.stale_after_ms)) } }
            (delays(lag))
            div { dt { "Source" } dd { (row.source.as_deref().unwrap_or("not detected yet")) } }
            @if row.failures > 0 { div { dt { "Failures" } dd { (row.failures) " in a row" } } }
            @if row.restarts > 0 {
                div { dt { "Restarts" } dd {
                    (row.restarts)
                    @if let Some(at) = row.last_restart_at { ", last " (parts::ago(at, now)) }
                    @if let Some(cause) = &row.last_restart_cause { ": " (one_line(cause, 160)) }
                } }
            }
            @if let Some(until) = row.retry_until.filter(|until| *until > now) {
                div { dt { "Waits" } dd {
                    "until " (parts::clock(until))
                    @if let Some(by) = &row.retry_by { ", asked by " (one_line(by, 120)) }
                } }
            }
            @for (name, text) in [("Last error", &row.last_error), ("Rejected", &row.doubt), ("Suspect", &row.suspect)] {
                @if let Some(text) = text { div { dt { (name) } dd { (one_line(text, 300)) } } }
            }
        }
    }
}
