//! How much of all pollers' work may be in memory at once: documents that wait to be read, and what was read of them.
//!
//! A poll needs a place before it asks its host, and keeps it until the ledger has answered. So where the ledger or the
//! processor cannot follow, as at the first sight of thousands of pages, polls wait before they ask instead of filling
//! memory with answers. A host that says nothing costs nobody a place: after half a second of silence it is given back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Polls between their request and the ledger's answer, those of silent hosts left out.
const PLACES: usize = 512;

/// Polls between the begin of parsing and the ledger's answer.
const TURNS: usize = 64;

/// A host may be silent so long before its poll loses its place.
const SILENCE: Duration = Duration::from_millis(500);

/// The bounds, shared by all pollers.
#[derive(Debug)]
pub struct Work {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A poll's place; gone once a host has been silent for too long.
#[derive(Debug)]
pub struct Place(Option<OwnedSemaphorePermit>);

/// The right to hold what was parsed, and the place that goes with it. Given back when dropped.
#[derive(Debug)]
pub struct Turn {
    #[expect(dead_code, reason = "held, not used")]
    turn: Option<OwnedSemaphorePermit>,
    place: Place,
}

impl Default for Work {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), turns: Arc::new(Semaphore::new(TURNS)) }
    }
}

impl Work {
    /// Waits for a place. First come, first served.
    pub async fn place(&self) -> Place {
        // The semaphores are never closed; without them there would only be more at once.
        Place(Arc::clone(&self.places).acquire_owned().await.ok())
    }

    /// Waits for the turn to parse.
    pub async fn turn(&self, place: Place) -> Turn {
        Turn { turn: Arc::clone(&self.turns).acquire_owned().await.ok(), place }
    }
}

impl Place {
    /// Waits for a host; a silent one costs the place.
    pub async fn asking<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        if self.0.is_some() {
            if let Ok(answer) = timeout(SILENCE, &mut answer).await {
                return answer;
            }
            self.0 = None;
        }
        answer.await
    }
}

impl Turn {
    /// Gives the turn to another while hosts are asked for more.
    #[must_use]
    pub fn pause(self) -> Place {
        self.place
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn polls_wait_for_a_place_but_not_behind_silent_hosts() {
        let work = Arc::new(Work::default());
        let mut silent = Vec::new();
        for _ in 0..PLACES {
            let mut place = work.place().await;
            silent.push(tokio::spawn(async move { place.asking(std::future::pending::<()>()).await }));
        }
        assert!(work.place().now_or_never().is_none(), "one more than there are");
        let place = timeout(SILENCE * 40, work.place()).await.expect("given back by the silent");
        let turn = work.turn(place).await;
        assert_eq!(work.turns.available_permits(), TURNS - 1);
        let mut place = turn.pause();
        assert_eq!(work.turns.available_permits(), TURNS);
        assert_eq!(place.asking(std::future::ready(7)).await, 7);
        assert!(place.0.is_some(), "an answer in time keeps the place");
        silent.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
