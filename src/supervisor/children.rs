//! The children and what is known of each.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, Message};
use futures::future::AbortHandle;
use tokio::time::Instant;

use super::restart::Restarts;
use crate::config::Provider;
use crate::dispatch::actor::Dispatcher;
use crate::nodes::plan::Shard;
use crate::poller::schedule::Slot;
use crate::poller::{Poller, Progress};
use crate::sink::Sink;
use crate::sink::actor::SinkActor;

/// Creates a sink; called again after a crash.
pub type SinkFactory = Arc<dyn Fn() -> Result<Box<dyn Sink>, String> + Send + Sync>;

/// A provider and its poller, which may be waiting for a restart.
pub(super) struct PollerChild {
    pub(super) provider: Arc<Provider>,
    pub(super) slot: Slot,
    pub(super) generation: u64,
    pub(super) running: Option<Running<Poller>>,
    pub(super) restarts: Restarts,
    pub(super) progress: Arc<Progress>,
}

/// A sink, which may be waiting for a restart, on its own thread.
pub(super) struct SinkChild {
    pub(super) factory: SinkFactory,
    pub(super) arbiter: Arbiter,
    pub(super) generation: u64,
    pub(super) running: Option<Running<SinkActor>>,
    pub(super) restarts: Restarts,
}

/// The dispatcher, which may be waiting for a restart, on its own thread.
pub(super) struct DispatcherChild {
    pub(super) arbiter: Arbiter,
    pub(super) generation: u64,
    pub(super) running: Option<Running<Dispatcher>>,
    pub(super) restarts: Restarts,
}

/// What this process does of what several share.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The shards whose providers are polled here.
    pub(super) shards: BTreeSet<Shard>,
    /// Whether channels are served here.
    pub(super) main: bool,
}

/// A running actor.
pub(super) struct Running<A: Actor> {
    pub(super) address: Addr<A>,
    pub(super) abort: AbortHandle,
    pub(super) since: Instant,
}

/// Which child a message concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ChildId {
    Poller(String),
    Sink(String),
    Dispatcher,
    Ledger,
}

/// A child has ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Exited {
    pub(super) who: ChildId,
    pub(super) generation: u64,
    pub(super) why: String,
}
