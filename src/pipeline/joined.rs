//! The pipeline of one of several nodes that share a database.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::Addr;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::clock;
use crate::config::Config;
use crate::fetch::Client;
use crate::lease::Lease;
use crate::ledger::{ProviderRow, Reader};
use crate::nodes::membership::Membership;
use crate::nodes::share::{Pauses, Share};
use crate::nodes::{report, shard_of};
use crate::postgres::{DatabaseUrl, Fence};
use crate::server::LookAtNodes;
use crate::supervisor::{Reshare, Supervisor};
use crate::view::nodes::NodesView;

/// This process as one of several nodes.
pub struct Joined {
    /// Keeps it a member.
    pub membership: Membership,
    /// Changes of its share.
    pub shares: mpsc::UnboundedReceiver<Share>,
    /// Under which it may act.
    pub lease: Lease,
    /// Under which life the ledger writes.
    pub fence: Fence,
    /// The database.
    pub url: DatabaseUrl,
}

/// The pauses that hosts ask the client for.
#[derive(Debug)]
pub(super) struct HostPauses(pub(super) Client);

impl Pauses for HostPauses {
    fn asked(&self) -> Vec<(String, Duration)> {
        self.0.asked_pauses()
    }

    fn keep(&self, host: &str, wait: Duration) {
        self.0.keep_pause(host, wait);
    }
}

/// Passes changes of this node's share on to the supervisor, whose mailbox is unbounded.
/// Without the thread that sends them nothing would be polled any more, so its end is fatal.
pub(super) async fn pass_on(
    mut shares: mpsc::UnboundedReceiver<Share>,
    supervisor: Addr<Supervisor>,
    fatal: mpsc::UnboundedSender<String>,
) {
    while let Some(share) = shares.recv().await {
        if supervisor.try_send(Reshare(share)).is_err() {
            // It has ended.
            return;
        }
    }
    // At a stop in order nobody listens any more.
    drop(fatal.send("the thread that renews the lease of this node has ended".to_owned()));
}

/// Returns the shard of each provider.
pub(super) fn shards_of(config: &Config) -> Vec<u16> {
    config.providers.iter().map(|provider| shard_of(&provider.url)).collect()
}

/// Returns what asks the database for the nodes, if there is one.
pub(super) fn look_at_nodes(
    config: &Config,
    shards: &Arc<RwLock<Vec<u16>>>,
) -> Option<LookAtNodes> {
    let (url, shards) = (config.state.clone()?, Arc::clone(shards));
    Some(Arc::new(move || {
        let (url, shards) = (url.clone(), Arc::clone(&shards));
        Box::pin(async move {
            match report::look(&url).await {
                Ok(report) => {
                    let shards = shards.read().unwrap_or_else(PoisonError::into_inner);
                    NodesView::new(&report, &shards)
                }
                Err(error) => NodesView::failed(error.to_string()),
            }
        })
    }))
}

/// Returns when a provider was last read: by this process, or on a node that has the duty `main` by
/// any, as far as this is known here. On another node there is no heartbeat.
pub(super) fn last_read(
    membership: Option<Arc<Membership>>,
    state_dir: PathBuf,
) -> impl Fn(Option<Instant>) -> Option<Instant> {
    move |own| {
        let Some(membership) = &membership else { return own };
        if !membership.standing().main {
            return None;
        }
        let rows = Reader::open(&state_dir).and_then(|reader| reader.providers());
        let now = clock::now();
        let age = |row: ProviderRow| {
            let age = (now - row.last_success_at?).to_std().ok()?;
            let is_fresh = age.as_millis() < row.stale_after_ms.unsigned_abs().into();
            (row.watched && is_fresh).then_some(age)
        };
        let youngest = rows.unwrap_or_default().into_iter().filter_map(age).min();
        own.max(youngest.and_then(|age| Instant::now().checked_sub(age)))
    }
}
