//! `/api/v1/status` and `/api/v1/providers`.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::{DEFAULT_LIMIT, Incident, LIMIT};
use crate::event::Component;
use crate::server::App;
use crate::server::answer::finish;
use crate::server::answer::{Refusal, json};
use crate::server::asked::{Asked, PrometheusAnswer};
use crate::server::call::Call;
use crate::server::nodes::{self, NodesAnswer};
use crate::server::observe::Observed;
use crate::view::lag::{self, Lag};
use crate::view::link;
use crate::view::status::{ProviderView, StatusView};

/// A page of providers.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct ProviderPage<'a> {
    /// By id.
    providers: Vec<&'a ProviderView>,
    /// `after` of the next page; null on the last one.
    next: Option<&'a str>,
    /// How many there are in all.
    total: usize,
}

/// One provider.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct ProviderDetail<'a> {
    /// As in the list.
    provider: &'a ProviderView,
    /// The page for people.
    page_url: Option<&'a str>,
    /// What it lists, by group and name.
    components: Vec<Component>,
    /// What is open, with keys.
    incidents: Vec<Incident>,
    /// How late its updates are seen, and how late it publishes.
    lag: Lag,
    /// What others see of it: the last report within 15 min.
    observed: Option<Observed>,
}

/// The present state of everything.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::server) struct StatusAnswer<'a> {
    #[serde(flatten)]
    view: &'a StatusView,
    /// What others see of the providers: the last reports within 15 min.
    observed: Vec<Observed>,
    /// The nodes that share a database; absent where this process is alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<NodesAnswer>,
    /// What came of asking Prometheus; absent where none is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    prometheus: Option<PrometheusAnswer>,
}

/// `GET /api/v1/status`.
pub(in crate::server) async fn status(app: Arc<App>, call: Call) -> Response<Body> {
    let state = app.model.state().await.map_err(Refusal::from);
    let nodes = nodes::answer(&app).await;
    let now = Instant::now();
    finish(state.map(|state| {
        let observed = state.view.providers.iter().filter_map(|one| app.observed.of(one, now));
        let prometheus = app.asked.as_ref().map(Asked::answer);
        let answer =
            StatusAnswer { view: &state.view, observed: observed.collect(), nodes, prometheus };
        json(&call.headers, &answer)
    }))
}

/// `GET /api/v1/providers`.
pub(in crate::server) async fn providers(app: Arc<App>, call: Call) -> Response<Body> {
    finish(page(&app, &call).await)
}

async fn page(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let limit = call.number("limit", LIMIT, DEFAULT_LIMIT)? as usize;
    let after = call.parameter("after").unwrap_or_default();
    let state = app.model.state().await?;
    let all = &state.view.providers;
    // The ledger orders them by id.
    let begin = all.partition_point(|provider| provider.id.as_str() <= after);
    let providers: Vec<&ProviderView> = all.iter().skip(begin).take(limit).collect();
    let is_last = begin + providers.len() >= all.len();
    let next = providers.last().filter(|_| !is_last).map(|last| last.id.as_str());
    Ok(json(&call.headers, &ProviderPage { next, total: all.len(), providers }))
}

/// `GET /api/v1/providers/{id}`.
pub(in crate::server) async fn provider(app: Arc<App>, call: Call) -> Response<Body> {
    finish(detail(&app, &call).await)
}

async fn detail(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let id = call.part("id").to_owned();
    let state = app.model.state().await?;
    let found = state.view.providers.iter().zip(state.providers()).find(|(one, _)| one.id == id);
    let (provider, row) = found.ok_or(Refusal::Missing("there is no such provider"))?;
    let open = state.open().iter().filter(|row| row.item.provider == id);
    let incidents = open.map(Incident::from).collect();
    let since = lag::since(state.at);
    let read = app.model.read(move |reader| {
        Ok((reader.components(&id)?, reader.update_times(&id, since, lag::MAX_UPDATES)?))
    });
    let (components, times) = read.await?;
    let detail = ProviderDetail {
        provider,
        page_url: link(row.page_url.as_deref()),
        components,
        incidents,
        lag: lag::lag(&times, row.first_watched_at),
        observed: app.observed.of(provider, Instant::now()),
    };
    Ok(json(&call.headers, &detail))
}
