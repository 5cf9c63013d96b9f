//! The life under which this process may write to the shared ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A node from one start to its end: the number of its row in `statuswatch.node`, from 1 on.
pub type Life = i64;

/// Says under which life the ledger writes. Clones are the same fence.
///
/// Whoever holds the lease sets it; the ledger checks with each write that the life is neither
/// fenced nor ended. Without a life every write is refused as if the database were away.
///
/// A result must not be written under another life than the one in which it was polled. So on the
/// way from one life to the next: clear the fence, end all pollers, declare no provider to the
/// ledger ([`crate::ledger::Watch`]), which refuses whatever is still on its way, and only then set
/// the new life.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<AtomicI64>);

impl Fence {
    /// Returns the life, if there is one.
    #[must_use]
    pub fn life(&self) -> Option<Life> {
        Some(self.0.load(Ordering::Acquire)).filter(|life| *life > 0)
    }

    /// Writes under this life from now on.
    pub fn set(&self, life: Life) {
        self.0.store(life, Ordering::Release);
    }

    /// Refuses all writes from now on. One that is under way may still be committed.
    pub fn clear(&self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_life() {
        let fence = Fence::default();
        assert_eq!(fence.life(), None);
        let other = fence.clone();
        fence.set(7);
        assert_eq!(other.life(), Some(7));
        other.clear();
        assert_eq!(fence.life(), None);
    }
}
