//! `/metrics`: the process, and `/metrics/providers`: what it watches. Two, because the second grows
//! with the number of providers and can be scraped less often.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::answer::finish;
use super::answer::{Refusal, content, problem};
use super::asked::Asked;
use super::call::Call;
use super::model::State;
use super::{App, MAX_STREAMS};
use crate::clock;
use crate::config::ProviderMetrics;
use crate::event::{ComponentStatus, Kind, StatusEvent, Time};
use crate::ledger::outbox::{ChannelHealth, ChannelRow};
use crate::metrics::{LAG_BUCKETS, PREFIX};
use crate::nodes::membership::Standing;
use crate::view::status::Freshness;

/// The media type of the `OpenMetrics` text format 1.0.0.
pub(super) const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Events read for the counters in one scrape. More are counted by the next.
const MAX_EVENTS: usize = 20_000;
const BATCH: usize = 1000;

const REFUSALS: [&str; 6] =
    ["connections", "hooks", "requests", "streams", "timeouts", "unauthorized"];

macro_rules! labels {
    ($($name:ident { $label:ident: $type:ty }),+ $(,)?) => {$(
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $label: $type }
    )+};
}

labels! {
    StateLabel { state: &'static str },
    FreshnessLabel { freshness: &'static str },
    KindLabel { kind: &'static str },
    SourceLabel { source: String },
    SinkLabel { sink: String },
    ChannelLabel { channel: String },
    ProviderLabel { provider: String },
    ReasonLabel { reason: &'static str },
    OutcomeLabel { outcome: &'static str },
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// What the server counts of itself.
#[derive(Debug, Clone)]
pub(crate) struct Counts {
    refused: Family<ReasonLabel, Counter>,
}

impl Default for Counts {
    fn default() -> Self {
        let refused = Family::<ReasonLabel, Counter>::default();
        for reason in REFUSALS {
            drop(refused.get_or_create(&ReasonLabel { reason }));
        }
        Self { refused }
    }
}

impl Counts {
    /// Counts a connection, request or stream that was not served.
    pub(super) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabel { reason }).inc();
    }
}

/// Holds what is counted from one scrape to the next.
pub(crate) struct Exporter {
    events: Family<KindLabel, Counter>,
    lag: Family<SourceLabel, Histogram, fn() -> Histogram>,
    /// The last event that was counted; `None` before the first look.
    counted: Mutex<Option<u64>>,
}

impl Exporter {
    pub(super) fn new() -> Self {
        let events = Family::<KindLabel, Counter>::default();
        for kind in Kind::ALL {
            drop(events.get_or_create(&KindLabel { kind: kind.as_str() }));
        }
        Self {
            events,
            lag: Family::new_with_constructor(|| Histogram::new(LAG_BUCKETS)),
            counted: Mutex::new(None),
        }
    }

    /// Counts the events after this one.
    pub(super) async fn begin(&self, newest: u64) {
        self.counted.lock().await.get_or_insert(newest);
    }

    fn count(&self, event: &StatusEvent) {
        self.events.get_or_create(&KindLabel { kind: event.kind.as_str() }).inc();
        let is_written = matches!(event.kind, Kind::Incident | Kind::Maintenance);
        // Without a time of the provider's own, `published_at` is the time of observation. An edit
        // has the time of the text it changes.
        let has_time = event.published_at != event.observed_at;
        if is_written && has_time && event.revision == 1 && !event.backfill {
            let lag = (event.observed_at - event.published_at).num_milliseconds() as f64 / 1000.0;
            let source = SourceLabel { source: event.source.clone() };
            self.lag.get_or_create(&source).observe(lag.max(0.0));
        }
    }
}

/// Counts what was recorded since the last scrape.
async fn catch_up(app: &App) -> Result<(), Refusal> {
    // One scrape at a time: none counts what another counts.
    let mut counted = app.exporter.counted.lock().await;
    let mut left = MAX_EVENTS;
    while left > 0 {
        let after = *counted;
        let read = app.model.read(move |reader| match after {
            None => Ok((reader.newest_seq()?, Vec::new())),
            Some(seq) => {
                let events = reader.after(seq, BATCH)?;
                // A ledger that was replaced begins again.
                let newest = reader.newest_seq()?;
                Ok((newest.min(events.last().map_or(seq, |last| last.event.seq)), events))
            }
        });
        let (seq, events) = read.await?;
        for recorded in &events {
            app.exporter.count(&recorded.event);
        }
        *counted = Some(seq);
        if events.len() < BATCH {
            break;
        }
        left -= BATCH.min(left);
    }
    Ok(())
}

/// Adds gauges with one label, at their present values.
fn gauges<L, V>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (L, V)>,
) where
    L: Clone + Hash + Eq + EncodeLabelSet + Debug + Send + Sync + 'static,
    V: Into<f64>,
{
    let family = Family::<L, FloatGauge>::default();
    for (label, value) in values {
        family.get_or_create(&label).set(value.into());
    }
    registry.register(name, help, family);
}

fn seconds(time: Option<Time>) -> f64 {
    time.map_or(0.0, |time| time.timestamp_millis() as f64 / 1000.0)
}

/// `/metrics`.
pub(super) async fn process(app: Arc<App>, call: Call) -> Response<Body> {
    finish(process_text(&app).await.map(|text| content(&call.headers, MEDIA, text, 0)))
}

async fn process_text(app: &App) -> Result<String, Refusal> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register(
        "build",
        "The version",
        Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
    );
    app.metrics.register(&mut registry);
    catch_up(app).await?;
    registry.register("events", "Events recorded, by kind", app.exporter.events.clone());
    registry.register(
        "publish_lag_seconds",
        "From a provider's own time of an update to its observation, by source",
        app.exporter.lag.clone(),
    );
    registry.register(
        "http_refused",
        "Connections, requests and streams that were not served, by reason",
        app.counts.refused.clone(),
    );
    let streams = MAX_STREAMS - app.streams.available_permits();
    let open = FloatGauge::default();
    open.set(streams as f64);
    registry.register("http_streams", "Open event streams", open);
    if let Some(asked) = &app.asked {
        asked_series(&mut registry, asked);
    }
    if let Some(nodes) = &app.nodes {
        node_gauges(&mut registry, &nodes.standing());
    }
    let state = app.model.state().await?;
    state_gauges(&mut registry, &state);
    let channels = app.model.read(|reader| reader.channels(clock::now())).await?;
    channel_gauges(&mut registry, &channels);
    written(&registry)
}

/// Queries of Prometheus.
fn asked_series(registry: &mut Registry, asked: &Asked) {
    let queries = Family::<OutcomeLabel, Counter>::default();
    for (outcome, count) in [("answered", &asked.answered), ("failed", &asked.failed)] {
        let counter = queries.get_or_create(&OutcomeLabel { outcome });
        counter.inc_by(count.load(Ordering::Relaxed));
    }
    registry.register(
        "prometheus_queries",
        "Queries of error rates that Prometheus answered or not, by outcome",
        queries,
    );
    let last = FloatGauge::default();
    last.set(asked.last_success_ms.load(Ordering::Relaxed) as f64 / 1000.0);
    let help = "When Prometheus last answered with error rates; 0 if never";
    registry.register("prometheus_last_success_timestamp_seconds", help, last);
}

/// This process as one of several nodes.
fn node_gauges(registry: &mut Registry, standing: &Standing) {
    let mut gauge = |name: &str, help: &str, value: f64| {
        let gauge = FloatGauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let held = standing.shards as f64;
    gauge("node_shards", "Shards of 1,024 that this node polls the providers of", held);
    let main = if standing.main { 1.0 } else { 0.0 };
    gauge("node_main", "1 if this node serves channels and the heartbeat, else 0", main);
    gauge(
        "node_database_unreachable_since_timestamp_seconds",
        "Since when the database of the nodes does not answer; 0 if it does",
        seconds(standing.unreachable_since),
    );
}

/// Channels of the configuration, in the order of the ledger.
fn channel_gauges(registry: &mut Registry, channels: &[ChannelRow]) {
    let rows = channels.iter().filter(|row| row.state.health != ChannelHealth::Removed);
    let label = |row: &ChannelRow| ChannelLabel { channel: row.state.id.clone() };
    gauges(
        registry,
        "channel_healthy",
        "1 if the channel accepts messages or was never tried, 0 if it fails or is broken",
        rows.clone().map(|row| (label(row), u8::from(row.state.health == ChannelHealth::Ok))),
    );
    gauges(
        registry,
        "channel_oldest_waiting_timestamp_seconds",
        "When the oldest message that waits for the channel was routed or released; 0 if none waits",
        rows.clone().map(|row| (label(row), seconds(row.oldest_at))),
    );
    gauges(
        registry,
        "dead_letters",
        "Messages that were given up and are neither sent again nor discarded, by channel",
        rows.map(|row| (label(row), row.dead as f64)),
    );
}

fn state_gauges(registry: &mut Registry, state: &State) {
    let providers = &state.view.providers;
    let count = |of: &dyn Fn(&crate::view::status::ProviderView) -> bool| {
        providers.iter().filter(|one| of(one)).count() as f64
    };
    gauges(
        registry,
        "providers",
        "Providers watched, by state",
        ComponentStatus::ALL.iter().map(|&status| {
            (StateLabel { state: status.as_str() }, count(&|one| one.status == status))
        }),
    );
    gauges(
        registry,
        "providers_by_freshness",
        "Providers watched, by how current their state is",
        Freshness::ALL.iter().map(|&freshness| {
            let label = FreshnessLabel { freshness: freshness.word() };
            (label, count(&|one| one.freshness == freshness))
        }),
    );
    let newest = FloatGauge::default();
    newest.set(state.span().newest as f64);
    registry.register("ledger_seq", "Sequence number of the newest event", newest);
    gauges(
        registry,
        "sink_cursor_seq",
        "Sequence number of the last event delivered, by sink",
        state.sinks().map(|(sink, _)| (SinkLabel { sink: sink.id.clone() }, sink.seq as f64)),
    );
    gauges(
        registry,
        "sink_oldest_waiting_timestamp_seconds",
        "When the oldest event that waits for a sink was observed; 0 if none waits",
        state.sinks().map(|(sink, since)| (SinkLabel { sink: sink.id.clone() }, seconds(since))),
    );
}

fn written(registry: &Registry) -> Result<String, Refusal> {
    let mut text = String::new();
    encode(&mut text, registry).map_err(|_| Refusal::Missing("the numbers cannot be written"))?;
    Ok(text)
}

/// `/metrics/providers`.
pub(super) async fn providers(app: Arc<App>, call: Call) -> Response<Body> {
    if app.http.provider_metrics == ProviderMetrics::None {
        let detail = "metrics.providers is none in the configuration";
        return problem(StatusCode::NOT_FOUND, detail);
    }
    finish(provider_text(&app).await.map(|text| content(&call.headers, MEDIA, text, 0)))
}

async fn provider_text(app: &App) -> Result<String, Refusal> {
    let state = app.model.state().await?;
    let all = app.http.provider_metrics == ProviderMetrics::All;
    let rows = state.view.providers.iter().zip(state.providers()).filter(|(view, _)| {
        all || view.status != ComponentStatus::Operational || !view.open.is_empty()
    });
    let label = |id: &str| ProviderLabel { provider: id.to_owned() };
    let mut registry = Registry::with_prefix(PREFIX);
    gauges(
        &mut registry,
        "provider_severity",
        "0 operational, 1 maintenance, 2 degraded, 3 partial outage, 4 major outage, -1 unknown",
        rows.clone().map(|(view, _)| (label(&view.id), severity(view.status))),
    );
    gauges(
        &mut registry,
        "provider_open_incidents",
        "Open incidents",
        rows.clone().map(|(view, _)| {
            let open = view.open.iter().filter(|item| item.kind == Kind::Incident).count();
            (label(&view.id), open as f64)
        }),
    );
    gauges(
        &mut registry,
        "provider_last_success_timestamp_seconds",
        "When the provider was last read; 0 if never",
        rows.map(|(view, row)| (label(&view.id), seconds(row.last_success_at))),
    );
    written(&registry)
}

const fn severity(status: ComponentStatus) -> i32 {
    match status {
        ComponentStatus::Operational => 0,
        ComponentStatus::UnderMaintenance => 1,
        ComponentStatus::DegradedPerformance => 2,
        ComponentStatus::PartialOutage => 3,
        ComponentStatus::MajorOutage => 4,
        ComponentStatus::Unknown => -1,
    }
}
