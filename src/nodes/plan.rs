//! What a node does next, from what it sees of the others. Pure.
//!
//! Every node decides for itself. Decisions may be made at the same time and from an old view: the
//! database refuses whatever no longer holds, so a decision is a wish.

use std::collections::BTreeSet;

use crate::postgres::{Life, SHARDS};

/// A share of all hosts, polled by one node at a time: a number below [`SHARDS`].
pub type Shard = u16;

/// What the database says of all nodes, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// The lives that are not fenced.
    pub nodes: Vec<NodeState>,
    /// How many shards nobody holds.
    pub free: usize,
    /// The holder of the duty `main`.
    pub main: Option<Life>,
}

/// What the database says of one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeState {
    /// Which one.
    pub life: Life,
    /// Its lease has ended.
    pub expired: bool,
    /// It is stopping, and takes nothing any more.
    pub draining: bool,
    /// How many shards it holds.
    pub shards: usize,
}

impl NodeState {
    /// Returns whether it gets a share.
    const fn is_live(&self) -> bool {
        !self.expired && !self.draining
    }
}

/// What a node does next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Whose shards and duties are taken away.
    pub fence: Vec<Life>,
    /// How many free shards are claimed.
    pub claim: usize,
    /// Which shards are given back, once their pollers have ended.
    pub give_back: BTreeSet<Shard>,
    /// Whether the duty `main` is taken.
    pub take_main: bool,
}

/// Decides what `me` does next, which holds the shards `held`; those that it is giving back are not
/// among them. `may_fence`: it was not cut off lately, when the others may have been cut off too.
#[must_use]
pub fn plan(census: &Census, me: Life, held: &BTreeSet<Shard>, may_fence: bool) -> Plan {
    let fence = census
        .nodes
        .iter()
        .filter(|node| may_fence && node.expired && node.life != me)
        .map(|node| node.life)
        .collect();
    let Some(own) = census.nodes.iter().find(|node| node.life == me) else {
        // Fenced: the next renewal says so.
        return Plan::default();
    };
    if own.expired || own.draining {
        // Whoever is expired cannot know what it still holds.
        let give_back = if own.draining { held.clone() } else { BTreeSet::new() };
        return Plan { give_back, ..Plan::default() };
    }
    let limit = limit(census, me);
    let give_back = held.iter().rev().take(held.len().saturating_sub(limit)).copied().collect();
    Plan {
        fence,
        claim: limit.saturating_sub(held.len()).min(census.free),
        give_back,
        take_main: census.main.is_none(),
    }
}

/// Returns how many shards `me` may hold: an equal share, rounded up. As long as another node has
/// less than an equal share rounded down, the remainder is left to it: 33 nodes that hold up to 32
/// of 1,024 shards would leave none to the last.
fn limit(census: &Census, me: Life) -> usize {
    let live = || census.nodes.iter().filter(|node| node.is_live());
    let shards = usize::from(SHARDS);
    let count = live().count().max(1);
    let least = shards / count;
    if live().any(|node| node.life != me && node.shards < least) {
        least
    } else {
        shards.div_ceil(count)
    }
}

#[cfg(test)]
mod tests;
