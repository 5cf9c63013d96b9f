//! `/api/v1/top`: what `statuswatch top --url` shows. An answer changes only when something does, so
//! that an idle `top` is answered with 304.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;

use super::{DEFAULT_LIMIT, LIMIT};
use crate::clock;
use crate::ledger::outbox::ChannelHealth;
use crate::server::App;
use crate::server::answer::{Refusal, finish, json};
use crate::server::call::Call;
use crate::view::top::{MAX_OPEN, NotifiedView, TopProviders, TopView};

/// The supervisor's loop turns every second.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// `GET /api/v1/top`.
pub(in crate::server) async fn top(app: Arc<App>, call: Call) -> Response<Body> {
    finish(screen(&app, &call).await)
}

async fn screen(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let state = app.model.state().await?;
    let read = app.model.read(|reader| {
        let now = clock::now();
        let channels = reader.channels(now)?;
        let mut notified: BTreeMap<String, Vec<NotifiedView>> = BTreeMap::new();
        for channel in channels.iter().filter(|row| row.state.health != ChannelHealth::Removed) {
            for thread in reader.open_threads(&channel.state.id, now)? {
                let sent = NotifiedView {
                    channel: channel.state.id.clone(),
                    accepted: thread.delivered > 0,
                };
                notified.entry(thread.thread).or_default().push(sent);
            }
        }
        Ok((channels, notified, reader.network()?, reader.sinks()?))
    });
    let (channels, mut notified, network, sinks) = read.await?;
    let providers = state.providers();
    let is_watched = |id: &str| providers.binary_search_by(|row| row.id.as_str().cmp(id)).is_ok();
    let open = state.open().iter().filter(|row| is_watched(&row.item.provider));
    let total = open.clone().count();
    let shown: Vec<_> = open.take(MAX_OPEN).collect();
    let keys: HashSet<String> = shown.iter().map(|row| row.key.to_string()).collect();
    notified.retain(|thread, _| keys.contains(thread));
    let view = TopView {
        version: state.version(),
        newest: state.span().newest,
        running: app.metrics.since_turn() < STUCK_AFTER,
        network,
        more_open: total - shown.len(),
        open: shown.iter().map(|row| row.item.clone()).collect(),
        sinks,
        channels,
        notified,
    };
    Ok(json(&call.headers, &view))
}

/// `GET /api/v1/top/providers`.
pub(in crate::server) async fn top_providers(app: Arc<App>, call: Call) -> Response<Body> {
    finish(page(&app, &call).await)
}

async fn page(app: &App, call: &Call) -> Result<Response<Body>, Refusal> {
    let limit = call.number("limit", LIMIT, DEFAULT_LIMIT)? as usize;
    let after = call.parameter("after").unwrap_or_default();
    let state = app.model.state().await?;
    let all = state.providers();
    // The ledger orders them by id.
    let begin = all.partition_point(|row| row.id.as_str() <= after);
    let providers: Vec<_> = all.iter().skip(begin).take(limit).cloned().collect();
    let is_last = begin + providers.len() >= all.len();
    let next = providers.last().filter(|_| !is_last).map(|last| last.id.clone());
    Ok(json(&call.headers, &TopProviders { providers, next }))
}
