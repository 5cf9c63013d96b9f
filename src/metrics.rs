//! Counts what the process does, for `/metrics`. Cheap: an atomic addition per poll or commit, which
//! happens whether or not anybody reads the numbers.
//!
//! Label values come from the fixed lists here and from the configuration, never from a provider's
//! answer, so the number of series is bounded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::trace::{Counts, Span, Tracer};

/// Every name begins with this.
pub const PREFIX: &str = "statuswatch";

/// Seconds that a poll takes: from a fast 304 to the longest timeout.
const POLL_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
/// Seconds that a commit takes: from a fast disk to one that fails.
const COMMIT_BUCKETS: [f64; 8] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0];
/// Seconds from a provider's own time of an update to the time we saw it.
pub const LAG_BUCKETS: [f64; 12] =
    [1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// The codes of failed polls: kinds of transport failures, and what is wrong with a document.
const REASONS: [&str; 32] = [
    "blocked_address",
    "body_too_large",
    "challenge",
    "connect",
    "defect",
    "dns",
    "empty_body",
    "encoding",
    "error_body",
    "forbidden",
    "gone",
    "headers_too_large",
    "incomplete_body",
    "insecure_redirect",
    "malformed",
    "not_a_feed",
    "not_found",
    "own_page",
    "protocol",
    "rate_limited",
    "redirect",
    "resource",
    "server_error",
    "status",
    "timeout",
    "tls",
    "too_many_items",
    "too_slow",
    "unauthorized",
    "unrecognised",
    "unsupported_format",
    "wrong_tenant",
];

/// What a poll brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A document that was recorded.
    Read,
    /// The document of the last time.
    Unchanged,
    /// A document that the ledger rejected as older than the last one.
    Stale,
    /// No document.
    Failed,
    /// A document that could not be recorded.
    Unrecorded,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::Read, Self::Unchanged, Self::Stale, Self::Failed, Self::Unrecorded];

    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Unrecorded => "unrecorded",
        }
    }
}

/// Which kind of actor was restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restarted {
    /// A poller.
    Poller,
    /// A sink.
    Sink,
    /// The ledger.
    Ledger,
    /// The dispatcher.
    Dispatcher,
}

impl Restarted {
    const ALL: [Self; 4] = [Self::Poller, Self::Sink, Self::Ledger, Self::Dispatcher];

    const fn word(self) -> &'static str {
        match self {
            Self::Poller => "poller",
            Self::Sink => "sink",
            Self::Ledger => "ledger",
            Self::Dispatcher => "dispatcher",
        }
    }
}

/// What an attempt to deliver a message led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The channel accepted the message.
    Delivered,
    /// There was no answer, or one that asks for another attempt later.
    Retried,
    /// The channel refuses everything; the message waits.
    Broken,
    /// The message is rendered again: in its plain form, or without a reference that is gone.
    Rerendered,
    /// The message was given up.
    Dead,
}

impl DeliveryOutcome {
    const ALL: [Self; 5] =
        [Self::Delivered, Self::Retried, Self::Broken, Self::Rerendered, Self::Dead];

    const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::Broken => "broken",
            Self::Rerendered => "rerendered",
            Self::Dead => "dead",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActorLabel {
    actor: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabel {
    channel: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: String,
}

/// The numbers of this process since it started.
#[derive(Debug)]
pub struct Metrics {
    polls: Family<OutcomeLabel, Counter>,
    failures: Family<ReasonLabel, Counter>,
    poll_seconds: Histogram,
    commit_seconds: Histogram,
    restarts: Family<ActorLabel, Counter>,
    deliveries: Family<DeliveryLabel, Counter>,
    delivery_lag: Family<ChannelLabel, Histogram, fn() -> Histogram>,
    started: Instant,
    /// Milliseconds from `started` to the last turn of the supervisor's loop.
    turned: AtomicU64,
    /// Whether the last attempt to write to the ledger succeeded.
    writable: AtomicBool,
    tracer: Tracer,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            polls: Family::default(),
            failures: Family::default(),
            poll_seconds: Histogram::new(POLL_BUCKETS),
            commit_seconds: Histogram::new(COMMIT_BUCKETS),
            restarts: Family::default(),
            deliveries: Family::default(),
            delivery_lag: Family::new_with_constructor(|| Histogram::new(LAG_BUCKETS)),
            started: Instant::now(),
            turned: AtomicU64::new(0),
            writable: AtomicBool::new(true),
            tracer: Tracer::default(),
        };
        // A counter that appears only with its first increment hides that increment from `rate`.
        for outcome in Outcome::ALL {
            drop(metrics.polls.get_or_create(&OutcomeLabel { outcome: outcome.word() }));
        }
        for reason in REASONS {
            drop(metrics.failures.get_or_create(&ReasonLabel { reason: reason.to_owned() }));
        }
        for actor in Restarted::ALL {
            drop(metrics.restarts.get_or_create(&ActorLabel { actor: actor.word() }));
        }
        metrics
    }
}

impl Metrics {
    /// Returns what takes spans.
    #[must_use]
    pub const fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Counts a poll that took so long.
    pub fn polled(&self, outcome: Outcome, took: Duration) {
        self.polls.get_or_create(&OutcomeLabel { outcome: outcome.word() }).inc();
        self.poll_seconds.observe(took.as_secs_f64());
    }

    /// Counts why a poll failed: one of the program's own codes.
    pub fn failed(&self, reason: &str) {
        self.failures.get_or_create(&ReasonLabel { reason: reason.to_owned() }).inc();
    }

    /// Counts an actor that ended unexpectedly.
    pub fn restarted(&self, actor: Restarted) {
        self.restarts.get_or_create(&ActorLabel { actor: actor.word() }).inc();
    }

    /// Exports the zeros of a channel of the configuration before its first message.
    pub fn channel(&self, channel: &str) {
        for outcome in DeliveryOutcome::ALL {
            drop(self.deliveries.get_or_create(&delivery_label(channel, outcome)));
        }
        drop(self.delivery_lag.get_or_create(&channel_label(channel)));
    }

    /// Removes the series of a channel that is not in the configuration any more.
    pub fn forget_channel(&self, channel: &str) {
        for outcome in DeliveryOutcome::ALL {
            self.deliveries.remove(&delivery_label(channel, outcome));
        }
        self.delivery_lag.remove(&channel_label(channel));
    }

    /// Notes an attempt to deliver a message that began then and has ended now.
    pub fn delivery(&self, channel: &str, outcome: DeliveryOutcome, begun: Instant) {
        self.tracer.record(|| Span {
            name: "delivery",
            remote: true,
            begun,
            ended: Instant::now(),
            failed: outcome != DeliveryOutcome::Delivered,
            attributes: vec![
                ("statuswatch.channel", channel.into()),
                ("statuswatch.outcome", outcome.word().into()),
            ],
        });
    }

    /// Counts what an attempt to deliver a message to a channel led to.
    pub fn attempted(&self, channel: &str, outcome: DeliveryOutcome) {
        self.deliveries.get_or_create(&delivery_label(channel, outcome)).inc();
    }

    /// Notes how long a message waited, in milliseconds, until its channel accepted it.
    pub fn delivered_after(&self, channel: &str, lag_ms: i64) {
        let seconds = lag_ms.max(0) as f64 / 1000.0;
        self.delivery_lag.get_or_create(&channel_label(channel)).observe(seconds);
    }

    /// Notes a write of so many results to the ledger, which took so long until now, and whether it
    /// succeeded.
    pub fn committed(&self, took: Duration, succeeded: bool, results: usize) {
        self.tracer.record(|| {
            let ended = Instant::now();
            Span {
                name: "ledger commit",
                remote: false,
                begun: ended.checked_sub(took).unwrap_or(ended),
                ended,
                failed: !succeeded,
                attributes: vec![("statuswatch.results", (results as u64).into())],
            }
        });
        self.writable.store(succeeded, Ordering::Relaxed);
        if succeeded {
            self.commit_seconds.observe(took.as_secs_f64());
        }
    }

    /// Returns whether the last write to the ledger succeeded.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// Notes that the supervisor's loop turns.
    pub fn turned(&self) {
        self.turned.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Returns how long ago the supervisor's loop turned last, or the process started.
    #[must_use]
    pub fn since_turn(&self) -> Duration {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(turned)
    }

    /// Adds the numbers to a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("polls", "Polls that ended, by outcome", self.polls.clone());
        registry.register("poll_failures", "Failed polls, by reason", self.failures.clone());
        registry.register_with_unit(
            "poll_duration",
            "Duration of polls, with all requests and the write to the ledger",
            Unit::Seconds,
            self.poll_seconds.clone(),
        );
        registry.register_with_unit(
            "ledger_commit",
            "Duration of the ledger's transactions",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        registry.register(
            "actor_restarts",
            "Actors that ended unexpectedly and were replaced",
            self.restarts.clone(),
        );
        registry.register(
            "deliveries",
            "Attempts to deliver a message, by channel and outcome",
            self.deliveries.clone(),
        );
        registry.register(
            "delivery_lag_seconds",
            "From the routing or release of a message to its acceptance, by channel",
            self.delivery_lag.clone(),
        );
        if let Some(counts) = self.tracer.counts() {
            registry.register("trace_spans", "Spans of traces, by outcome", spans(counts));
        }
    }
}

/// What became of spans.
fn spans(counts: &Counts) -> Family<OutcomeLabel, Counter> {
    let family = Family::<OutcomeLabel, Counter>::default();
    let all =
        [("exported", &counts.exported), ("dropped", &counts.dropped), ("failed", &counts.failed)];
    for (outcome, count) in all {
        family.get_or_create(&OutcomeLabel { outcome }).inc_by(count.load(Ordering::Relaxed));
    }
    family
}

fn delivery_label(channel: &str, outcome: DeliveryOutcome) -> DeliveryLabel {
    DeliveryLabel { channel: channel.to_owned(), outcome: outcome.word() }
}

fn channel_label(channel: &str) -> ChannelLabel {
    ChannelLabel { channel: channel.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_written_and_zeros_are_there_from_the_start() {
        let metrics = Metrics::default();
        let mut registry = Registry::with_prefix(PREFIX);
        metrics.register(&mut registry);
        metrics.polled(Outcome::Failed, Duration::from_millis(300));
        metrics.failed("dns");
        metrics.committed(Duration::from_millis(3), true, 1);
        for channel in ["ops", "old"] {
            metrics.channel(channel);
        }
        metrics.attempted("ops", DeliveryOutcome::Delivered);
        metrics.delivered_after("ops", 7_000);
        metrics.forget_channel("old");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "statuswatch_polls_total{outcome=\"failed\"} 1",
            "statuswatch_polls_total{outcome=\"read\"} 0",
            "statuswatch_poll_failures_total{reason=\"dns\"} 1",
            "statuswatch_poll_duration_seconds_bucket{le=\"0.5\"} 1",
            "statuswatch_ledger_commit_seconds_count 1",
            "statuswatch_actor_restarts_total{actor=\"sink\"} 0",
            "statuswatch_deliveries_total{channel=\"ops\",outcome=\"delivered\"} 1",
            "statuswatch_deliveries_total{channel=\"ops\",outcome=\"dead\"} 0",
            "statuswatch_delivery_lag_seconds_bucket{le=\"5.0\",channel=\"ops\"} 0",
            "statuswatch_delivery_lag_seconds_bucket{le=\"10.0\",channel=\"ops\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("\"old\""), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_failed_write_is_remembered_until_one_succeeds() {
        let metrics = Metrics::default();
        metrics.committed(Duration::ZERO, false, 1);
        assert!(!metrics.is_writable());
        metrics.committed(Duration::ZERO, true, 1);
        assert!(metrics.is_writable());
    }
}
