//! `/public`: a page for people who may see nothing else here, without a script and without a link.
//!
//! What it shows is copied field by field into [`Shown`], and only that is rendered. A field that is
//! added elsewhere does not appear here by itself. There is no id, no address, no channel, no error
//! and no time of a poll.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use chrono::TimeDelta;
use maud::{DOCTYPE, Markup, html};
use tokio::sync::Mutex;

use super::overview::{provider_name, sorted_incidents, status_label};
use super::{HTML, parts};
use crate::event::{ComponentStatus, Kind, StatusEvent, Time};
use crate::ledger::ItemRow;
use crate::server::App;
use crate::server::answer::{Refusal, content, finish};
use crate::server::call::Call;
use crate::server::model::State;
use crate::text::{head, one_line, plain};

const STYLE: &str = include_str!("public.css");

/// What browsers and proxies may keep it for, in seconds, and for how long all readers share one.
const MAX_AGE: u32 = 15;
/// Incidents shown; the rest are counted.
const INCIDENTS: usize = 30;
/// Updates of each: the newest.
const UPDATES: usize = 10;
/// Characters of an update.
const MESSAGE: usize = 2_000;
/// Providers and maintenances shown; the rest are counted.
const LISTED: usize = 50;
/// Components named of an incident.
const COMPONENTS: usize = 8;
/// How far ahead maintenances are shown.
const AHEAD: TimeDelta = TimeDelta::days(30);

/// The page that was made last, and when.
pub(crate) type Made = Mutex<Option<(Instant, String)>>;

/// Everything that is shown.
struct Shown {
    at: Time,
    level: &'static str,
    sentence: String,
    /// Providers that are not operational, the worst first: name and state.
    providers: Vec<(String, parts::Look)>,
    more_providers: usize,
    incidents: Vec<Incident>,
    more_incidents: usize,
    maintenances: Vec<Maintenance>,
    more_maintenances: usize,
}

struct Incident {
    provider: String,
    title: String,
    impact: parts::Look,
    components: Vec<String>,
    /// The newest first.
    updates: Vec<Update>,
}

struct Update {
    status: String,
    at: Time,
    paragraphs: Vec<String>,
}

struct Maintenance {
    provider: String,
    title: String,
    begin: Option<Time>,
    end: Option<Time>,
}

/// `GET /public`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    // One reader makes it, all others wait: strangers cause one read of the ledger in 15 s.
    let mut made = app.public_page.lock().await;
    let keep = Duration::from_secs(MAX_AGE.into());
    let text = match made.as_ref().filter(|(at, _)| at.elapsed() < keep) {
        Some((_, text)) => text.clone(),
        None => match read(&app).await {
            Ok(shown) => {
                let text = render(&shown).into_string();
                *made = Some((Instant::now(), text.clone()));
                text
            }
            Err(error) => return unreadable(error),
        },
    };
    let mut response = content(&call.headers, HTML, text, MAX_AGE);
    restrict(&mut response);
    response
}

/// `GET /public/{name}`.
pub(super) async fn style(_: Arc<App>, call: Call) -> Response<Body> {
    if call.part("name") != style_name() {
        return finish(Err(Refusal::Missing("nothing is served here")));
    }
    let mut response = content(&call.headers, "text/css; charset=utf-8", STYLE, 0);
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}

/// It holds a hash of the bytes, so that a browser never asks for it again.
fn style_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        format!("style-{:016x}.css", xxhash_rust::xxh3::xxh3_64(STYLE.as_bytes()))
    });
    &NAME
}

/// Forbids everything but the style sheet.
fn restrict(response: &mut Response<Body>) {
    let policy = "default-src 'none'; style-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
}

/// The page while the ledger cannot be read. Why, strangers are not shown.
fn unreadable(refusal: Refusal) -> Response<Body> {
    // It logs the reason.
    let status = Response::from(refusal).status();
    let main = html! {
        section.verdict.warn { h1 { "The state is not known at present" } p { "Try again later." } }
    };
    let mut response = content(&HeaderMap::new(), HTML, page(&main).into_string(), 0);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE.max(status);
    response.headers_mut().remove(ETAG);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    restrict(&mut response);
    response
}

async fn read(app: &App) -> Result<Shown, Refusal> {
    let state = app.model.state().await?;
    let open = sorted_incidents(state.open());
    let more_incidents = open.len().saturating_sub(INCIDENTS);
    let rows: Vec<ItemRow> = open.into_iter().take(INCIDENTS).cloned().collect();
    let read = app.model.read(move |reader| {
        let mut stories = Vec::with_capacity(rows.len());
        for row in rows {
            let events = reader.timeline(&row.item.provider, &row.item.incident_id, UPDATES)?;
            let events: Vec<StatusEvent> = events.into_iter().map(|stored| stored.event).collect();
            stories.push((row, events));
        }
        Ok(stories)
    });
    let stories = read.await?;
    let incidents = stories.iter().map(|(row, events)| incident(&state, row, events)).collect();
    Ok(shown(&state, incidents, more_incidents))
}

fn shown(state: &State, incidents: Vec<Incident>, more_incidents: usize) -> Shown {
    let views = &state.view.providers;
    let mut not_fine: Vec<_> =
        views.iter().filter(|view| view.status != ComponentStatus::Operational).collect();
    not_fine.sort_by_key(|view| std::cmp::Reverse(super::overview::weight(view)));
    // Whether it is stale, unreachable or was never read is our own business.
    let provider = |view: &&crate::view::status::ProviderView| {
        (name(&view.name), parts::component_look(view.status))
    };
    let providers: Vec<_> = not_fine.iter().take(LISTED).map(provider).collect();
    let mut planned: Vec<&ItemRow> = state
        .open()
        .iter()
        .filter(|row| row.item.kind == Kind::Maintenance)
        .filter(|row| row.item.scheduled_for.is_none_or(|begin| begin <= state.at + AHEAD))
        .collect();
    planned.sort_by_key(|row| row.item.scheduled_for.or(row.item.started_at));
    let maintenance = |row: &&ItemRow| Maintenance {
        provider: provider_name(state, &row.item.provider),
        title: parts::title(&row.item.title),
        begin: row.item.scheduled_for.or(row.item.started_at),
        end: row.item.scheduled_until,
    };
    let states: Vec<ComponentStatus> = views.iter().map(|view| view.status).collect();
    let (level, sentence) = verdict(&states);
    Shown {
        at: state.at,
        level,
        sentence,
        more_providers: not_fine.len() - providers.len(),
        providers,
        incidents,
        more_incidents,
        maintenances: planned.iter().take(LISTED).map(maintenance).collect(),
        more_maintenances: planned.len().saturating_sub(LISTED),
    }
}

fn incident(state: &State, row: &ItemRow, events: &[StatusEvent]) -> Incident {
    let item = &row.item;
    let update = |event: &StatusEvent| {
        let text = plain(event.message.as_deref().unwrap_or_default());
        let paragraphs = head(&text, MESSAGE).lines().filter(|line| !line.trim().is_empty());
        Update {
            status: event.status.label(),
            at: event.published_at,
            paragraphs: paragraphs.map(|line| one_line(line, MESSAGE)).collect(),
        }
    };
    let components = item.components.iter().take(COMPONENTS);
    let mut updates: Vec<Update> = events.iter().rev().map(update).collect();
    if updates.is_empty() {
        // It was open before its provider was first watched.
        let at = item.started_at.or(row.first_seen).unwrap_or(state.at);
        updates.push(Update { status: status_label(&item.status), at, paragraphs: Vec::new() });
    }
    Incident {
        provider: provider_name(state, &item.provider),
        title: parts::title(&item.title),
        impact: parts::impact_look(item.impact),
        components: components.map(|component| name(&component.name)).collect(),
        updates,
    }
}

fn name(text: &str) -> String {
    one_line(text, 80)
}

/// Returns how bad it is and a sentence. What is unknown is not operational.
fn verdict(states: &[ComponentStatus]) -> (&'static str, String) {
    let count = |of: &[ComponentStatus]| states.iter().filter(|state| of.contains(state)).count();
    let outages = count(&[ComponentStatus::MajorOutage, ComponentStatus::PartialOutage]);
    let degraded = count(&[ComponentStatus::DegradedPerformance]);
    let planned = count(&[ComponentStatus::UnderMaintenance]);
    let unknown = count(&[ComponentStatus::Unknown]);
    let all = parts::counted(states.len(), "provider");
    if states.is_empty() || unknown == states.len() {
        return ("warn", "The state is not known at present".to_owned());
    }
    let parts: Vec<String> = [
        (outages, "with an outage"),
        (degraded, "degraded"),
        (planned, "in maintenance"),
        (unknown, "not known"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{} {what}", parts::count(*count as u64)))
    .collect();
    match (outages, parts.is_empty(), states.len()) {
        (_, true, 1) => ("good", "The provider is operational".to_owned()),
        (_, true, _) => ("good", format!("All {all} are operational")),
        (0, ..) => ("warn", format!("Of {all}: {}", parts.join(", "))),
        _ => ("bad", format!("Of {all}: {}", parts.join(", "))),
    }
}

fn page(main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Status of providers" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href={ "/public/" (style_name()) };
            }
            body { main { (main) } }
        }
    }
}

fn more(count: usize, what: &str) -> Markup {
    html! { @if count > 0 { p.more { (parts::counted(count, what)) " not shown" } } }
}

fn render(shown: &Shown) -> Markup {
    let main = html! {
        section.verdict.(shown.level) {
            h1 { (shown.sentence) }
            p { "As of " (parts::at(shown.at)) ". Load the page again for the present state." }
        }
        @if !shown.providers.is_empty() {
            section #providers {
                h2 { "Providers" }
                ul.providers {
                    @for (name, look) in &shown.providers { li { span { bdi { (name) } } (parts::state(*look)) } }
                }
                (more(shown.more_providers, "more provider"))
            }
        }
        section #incidents {
            h2 { "Open incidents" }
            @if shown.incidents.is_empty() { p { "No incident is known to be open." } }
            @for one in &shown.incidents { (card(one)) }
            (more(shown.more_incidents, "more incident"))
        }
        section #maintenances {
            h2 { "Maintenance" }
            @if shown.maintenances.is_empty() { p { "None is planned." } }
            @else {
                ul.rows {
                    @for one in &shown.maintenances {
                        li {
                            h3 { bdi { (one.title) } }
                            p { bdi { (one.provider) } ", " (window(one)) }
                        }
                    }
                }
            }
            (more(shown.more_maintenances, "more maintenance"))
        }
    };
    page(&main)
}

fn window(one: &Maintenance) -> Markup {
    html! {
        @match (one.begin, one.end) {
            (Some(begin), Some(end)) => { (parts::at(begin)) " to " (parts::at(end)) }
            (Some(begin), None) => { "from " (parts::at(begin)) }
            (None, Some(end)) => { "until " (parts::at(end)) }
            (None, None) => { "time not announced" }
        }
    }
}

fn card(one: &Incident) -> Markup {
    html! {
        article {
            h3 { bdi { (one.title) } }
            p.about {
                (parts::state(one.impact)) " " bdi { (one.provider) }
                @if !one.components.is_empty() { ": " bdi { (one.components.join(", ")) } }
            }
            ol {
                @for update in &one.updates {
                    li {
                        p.when { b { (update.status) } " " (parts::at(update.at)) }
                        @for paragraph in &update.paragraphs { p { bdi { (paragraph) } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_operational() {
        use ComponentStatus as S;
        for (states, level, sentence) in [
            (&[][..], "warn", "The state is not known at present"),
            (&[S::Unknown, S::Unknown], "warn", "The state is not known at present"),
            (&[S::Operational], "good", "The provider is operational"),
            (&[S::Operational; 3], "good", "All 3 providers are operational"),
            (&[S::Operational, S::Unknown], "warn", "Of 2 providers: 1 not known"),
            (
                &[S::MajorOutage, S::PartialOutage, S::DegradedPerformance, S::UnderMaintenance],
                "bad",
                "Of 4 providers: 2 with an outage, 1 degraded, 1 in maintenance",
            ),
        ] {
            assert_eq!(verdict(states), (level, sentence.to_owned()));
        }
    }

    #[test]
    fn the_style_loads_nothing() {
        assert!(STYLE.len() < 6 << 10 && !STYLE.contains("://") && !STYLE.contains("@import"));
    }
}
