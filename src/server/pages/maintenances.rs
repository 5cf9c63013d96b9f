//! `/maintenances`: what is planned or under way.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use chrono::TimeDelta;
use maud::html;

use super::layout::Page;
use super::overview::{provider_name, status_label, window};
use super::{answer, nothing, part, parts, typed};
use crate::event::Kind;
use crate::ledger::ItemRow;
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::api::touches;
use crate::server::call::Call;
use crate::server::model::State;

/// Rows of a page.
const ROWS: usize = 100;
/// How far ahead.
const AHEAD: TimeDelta = TimeDelta::days(90);

/// `GET /maintenances`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(_app: &App, call: &Call, state: &State) -> Result<Page, Refusal> {
    let now = state.at;
    let q = typed(call, "q");
    let lower = q.to_lowercase();
    let mut rows: Vec<&ItemRow> = state
        .open()
        .iter()
        .filter(|row| row.item.kind == Kind::Maintenance && touches(row, now, now + AHEAD))
        .filter(|row| {
            lower.is_empty()
                || row.item.title.to_lowercase().contains(&lower)
                || provider_name(state, &row.item.provider).to_lowercase().contains(&lower)
        })
        .collect();
    rows.sort_by_key(|row| row.item.scheduled_for.or(row.item.started_at));
    let (page, pages, shown) = part(call, &rows, ROWS)?;
    let pager = parts::Pager { path: "/maintenances", filter: &[("q", q)], page, pages };
    let main = html! {
        section #list aria-labelledby="list-title" {
            h1 #list-title { "Maintenances" span.n { (parts::count(rows.len() as u64)) } }
            p.lead {
                "Of the next 90 days. " a href="/feeds/maintenances.ics" { "Subscribe in a calendar" } "."
            }
            form.filter role="search" {
                label { span { "Search" } input type="search" name="q" value=(q) placeholder="Title or provider" data-search; }
                button { "Show" }
            }
            @if shown.is_empty() { (nothing("No maintenance is planned.")) }
            @else {
                div.wide { table {
                    thead { tr {
                        th scope="col" { "Window" } th scope="col" { "Provider" } th scope="col" { "Maintenance" }
                        th scope="col" { "Status" } th scope="col" { "Begins" }
                    } }
                    tbody {
                        @for row in shown {
                            tr data-row {
                                td { (window(row)) }
                                td { bdi { (provider_name(state, &row.item.provider)) } }
                                th scope="row" {
                                    a data-go href={ "/incidents/" (row.key) } { bdi { (parts::title(&row.item.title)) } }
                                }
                                td { (status_label(&row.item.status)) }
                                td { @if let Some(begin) = row.item.scheduled_for { (parts::ago(begin, now)) } }
                            }
                        }
                    }
                } }
            }
            (pager.render())
        }
    };
    Ok(Page { title: "Maintenances".to_owned(), here: "/maintenances", main })
}
