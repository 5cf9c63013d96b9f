//! `/providers`: all providers, filtered on the server, a page at a time.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use maud::{Markup, html};

use super::layout::Page;
use super::overview::weight;
use super::{answer, nothing, part, parts, typed};
use crate::ledger::ProviderRow;
use crate::server::App;
use crate::server::answer::Refusal;
use crate::server::call::Call;
use crate::server::model::State;
use crate::text::one_line;
use crate::view::status::{Freshness, ProviderView};

/// Rows of a page.
const ROWS: usize = 100;
/// Tags offered in the form.
const TAGS: usize = 100;

/// The states that can be asked for: the value in the address and its name.
const STATES: &[(&str, &str)] = &[
    ("", "Any state"),
    ("not-ok", "Not operational"),
    ("blind", "Not read"),
    ("open", "Incident open"),
    ("critical", "Major outage"),
    ("major", "Partial outage"),
    ("minor", "Degraded"),
    ("planned", "Maintenance"),
    ("unknown", "Unknown"),
    ("ok", "Operational"),
];

/// `GET /providers`.
pub(super) async fn get(app: Arc<App>, call: Call) -> Response<Body> {
    answer(app, call, make).await
}

async fn make(app: &App, call: &Call, state: &State) -> Result<Page, Refusal> {
    let (q, wanted, tag) = (typed(call, "q"), typed(call, "state"), typed(call, "tag"));
    let setup = app.setup.get();
    let lower = q.to_lowercase();
    let mut rows: Vec<(&ProviderView, &ProviderRow)> = state
        .view
        .providers
        .iter()
        .zip(state.providers())
        .filter(|(view, _)| is_in(view, wanted))
        .filter(|(view, _)| tag.is_empty() || setup.tags(&view.id).iter().any(|one| one == tag))
        .filter(|(view, _)| {
            lower.is_empty()
                || view.id.contains(&lower)
                || view.name.to_lowercase().contains(&lower)
        })
        .collect();
    rows.sort_by_key(|(view, _)| std::cmp::Reverse(weight(view)));
    let (page, pages, shown) = part(call, &rows, ROWS)?;
    let mut tags: Vec<&str> = setup.tags.values().flatten().map(String::as_str).collect();
    tags.sort_unstable();
    tags.dedup();
    tags.truncate(TAGS);
    let filter = [("q", q), ("state", wanted), ("tag", tag)];
    let pager = parts::Pager { path: "/providers", filter: &filter, page, pages };
    let main = html! {
        section #list aria-labelledby="list-title" {
            h1 #list-title { "Providers" span.n { (parts::count(rows.len() as u64)) } }
            form.filter role="search" {
                label { span { "Search" } input type="search" name="q" value=(q) placeholder="Name or id" data-search; }
                label { span { "State" } select name="state" { (options(STATES, wanted)) } }
                @if !tags.is_empty() {
                    label { span { "Tag" } select name="tag" {
                        option value="" { "Any tag" }
                        @for one in tags { option value=(one) selected[one == tag] { (one) } }
                    } }
                }
                button { "Show" }
            }
            @if shown.is_empty() { (nothing("No provider matches.")) } @else { (table(shown, state)) }
            (pager.render())
        }
    };
    Ok(Page { title: "Providers".to_owned(), here: "/providers", main })
}

/// The options of a choice.
pub(super) fn options(all: &[(&str, &str)], chosen: &str) -> Markup {
    html! { @for (value, name) in all { option value=(value) selected[*value == chosen] { (name) } } }
}

fn is_in(view: &ProviderView, wanted: &str) -> bool {
    match wanted {
        "" => true,
        "blind" => view.freshness != Freshness::Fresh,
        "not-ok" => parts::provider_look(view).class != "ok",
        "open" => !view.open.is_empty(),
        class => parts::provider_look(view).class == class,
    }
}

fn table(rows: &[(&ProviderView, &ProviderRow)], state: &State) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { "Provider" } th scope="col" { "State" } th.num scope="col" { "Open" }
                th scope="col" { "Read" } th scope="col" { "Source" }
            } }
            tbody {
                @for (view, row) in rows {
                    tr data-row {
                        th scope="row" {
                            a data-go href=(parts::provider_path(&view.id)) { bdi { (one_line(&view.name, 80)) } }
                        }
                        td { (parts::state(parts::provider_look(view))) }
                        td.num { @if !view.open.is_empty() { (view.open.len()) } }
                        td {
                            @match row.last_success_at {
                                Some(at) => { (parts::ago(at, state.at)) }
                                None => { "never" }
                            }
                        }
                        td { (view.source.as_deref().unwrap_or("–")) }
                    }
                }
            }
        } }
    }
}
