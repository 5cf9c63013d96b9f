//! What a node is told of its share of the work, and what it tells the others.

use std::time::Duration;

use tokio::sync::oneshot;

use super::plan::Shard;

/// The pauses that hosts have asked for, which all nodes keep.
pub trait Pauses: std::fmt::Debug + Send + Sync {
    /// Takes those that were asked for here since the last call: host and port, and how long they
    /// last from now on.
    fn asked(&self) -> Vec<(String, Duration)>;

    /// Keeps one that was asked for on any node.
    fn keep(&self, host: &str, wait: Duration);
}

/// A change of what this node does. Whoever carries it out answers when that is done: what is given
/// back is free for others only afterwards.
#[derive(Debug)]
pub struct Share {
    /// What changes.
    pub change: Change,
    /// Answered with whether it was carried out.
    pub done: oneshot::Sender<bool>,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These shards are polled here from now on.
    Gained(Vec<Shard>),
    /// These shards are not polled here any more: their pollers end, and what they found is written.
    Given(Vec<Shard>),
    /// Whether this node has the duty `main`: channels and the heartbeat.
    Main(bool),
    /// Others have taken over everything. All pollers and the dispatcher end at once, and results
    /// that are not written yet are void.
    Lost,
}
