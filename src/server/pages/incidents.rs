//! `/incidents`: what is open, filtered, and the latest updates.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::layout::Page;
use super::overview::{provider_name, sorted_incidents, status_label};
use super::providers::options;
use super::{answer, nothing, part, parts, typed};
use crate::event::{IncidentKey, Kind, StatusEvent};
use crate::ledger::{ItemRow, Query};
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::call::Call;
use crate::server::model::State;

/// Rows of a page.
const ROWS: usize = 100;
/// The latest updates.
const LATEST: usize = 40;

const IMPACTS: &[(&str, &str)] = &[
    ("", "Any impact"),
    ("critical", "Critical"),
    ("major", "Major"),
    ("minor", "Minor"),
    ("none", "None"),
    ("unknown", "Unknown"),
];

/// `GET /incidents`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, call: &Call, state: &State) -> Result<Page, Refusal> {
    let (q, impact) = (typed(call, "q"), typed(call, "impact"));
    let lower = q.to_lowercase();
    let rows: Vec<&ItemRow> = sorted_incidents(state.open())
        .into_iter()
        .filter(|row| impact.is_empty() || row.item.impact.as_str() == impact)
        .filter(|row| {
            lower.is_empty()
                || row.item.title.to_lowercase().contains(&lower)
                || provider_name(state, &row.item.provider).to_lowercase().contains(&lower)
        })
        .collect();
    let query = Query {
        kinds: vec![Kind::Incident, Kind::Maintenance],
        limit: Some(LATEST),
        ..Query::default()
    };
    let latest = app.model.read(move |reader| reader.events(&query)).await?;
    let (page, pages, shown) = part(call, &rows, ROWS)?;
    let filter = [("q", q), ("impact", impact)];
    let pager = parts::Pager { path: "/incidents", filter: &filter, page, pages };
    let main = html! {
        section #list aria-labelledby="list-title" {
            h1 #list-title { "Open incidents" span.n { (parts::count(rows.len() as u64)) } }
            form.filter role="search" {
                label { span { "Search" } input type="search" name="q" value=(q) placeholder="Title or provider" data-search; }
                label { span { "Impact" } select name="impact" { (options(IMPACTS, impact)) } }
                button { "Show" }
            }
            @if shown.is_empty() { (nothing("No open incident matches.")) } @else { (table(shown, state)) }
            (pager.render())
        }
        section #latest aria-labelledby="latest-title" {
            h2 #latest-title { "Latest updates" }
            @if latest.is_empty() { (nothing("No update yet.")) }
            @else {
                ul.rows.log { @for recorded in latest.iter().rev() { (line(&recorded.event, state)) } }
            }
        }
    };
    Ok(Page { title: "Incidents".to_owned(), here: "/incidents", main })
}

fn table(rows: &[&ItemRow], state: &State) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { "Impact" } th scope="col" { "Provider" } th scope="col" { "Incident" }
                th scope="col" { "Status" } th scope="col" { "Since" }
            } }
            tbody {
                @for row in rows {
                    tr data-row {
                        td { (parts::state(parts::impact_look(row.item.impact))) }
                        td { bdi { (provider_name(state, &row.item.provider)) } }
                        th scope="row" {
                            a data-go href={ "/incidents/" (row.key) } { bdi { (parts::title(&row.item.title)) } }
                        }
                        td { (status_label(&row.item.status)) }
                        td {
                            @if let Some(began) = row.item.started_at.or(row.first_seen) { (parts::ago(began, state.at)) }
                        }
                    }
                }
            }
        } }
    }
}

fn line(event: &StatusEvent, state: &State) -> Markup {
    let id = event.incident_id.as_deref().unwrap_or(&event.title);
    let key = IncidentKey::new(&event.provider, id);
    html! {
        li data-row {
            (parts::state(parts::impact_look(event.impact)))
            span.who { bdi { (provider_name(state, &event.provider)) } }
            span.since { (parts::ago(event.observed_at, state.at)) }
            p {
                b { (event.status.label()) } @if event.revision > 1 { " (edited)" } " "
                a data-go href={ "/incidents/" (key) } { bdi { (parts::title(&event.title)) } }
            }
        }
    }
}
