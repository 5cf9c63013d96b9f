//! How much of all pollers' work may be in memory at once: documents that wait to be read, and what
//! was read of them.
//!
//! A poll needs a place before it asks its host, and keeps it until the ledger has answered. So
//! where the ledger or the processor cannot follow, as at the first sight of thousands of pages,
//! polls wait before they ask instead of filling memory with answers. A large document takes more
//! than one place. A host that says nothing costs nobody a place: after half a second of silence it
//! is given back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Polls between their request and the ledger's answer, those of silent hosts left out.
const PLACES: usize = 512;

/// Bytes of a document for which one place is enough: all of them together are 32 MiB.
const PIECE: usize = 64 * 1024;

/// Polls between the begin of parsing and the ledger's answer.
const TURNS: usize = 64;

/// A host may be silent so long before its poll loses its place.
const SILENCE: Duration = Duration::from_millis(500);

/// The bounds, shared by all pollers.
#[derive(Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A poll's place; gone once a host has been silent for too long.
#[derive(Debug, Default)]
pub struct Permit(Option<OwnedSemaphorePermit>);

/// The right to hold what was parsed, and the place that goes with it. Given back when dropped.
#[derive(Debug)]
pub struct ParsePermit {
    #[expect(dead_code, reason = "held, not used")]
    turn: Option<OwnedSemaphorePermit>,
    place: Permit,
}

impl Default for Admission {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(PLACES)), turns: Arc::new(Semaphore::new(TURNS)) }
    }
}

impl Admission {
    /// Waits for a place. First come, first served.
    pub async fn place(&self) -> Permit {
        // The semaphores are never closed; without them there would only be more at once.
        Permit(Arc::clone(&self.places).acquire_owned().await.ok())
    }

    /// Takes further places for a large document, and one where silence has cost its own, as far as
    /// there are any: the document is here already, and must not wait for those behind it.
    pub fn weigh(&self, place: &mut Permit, bytes: usize) {
        let wanted = bytes / PIECE + usize::from(place.0.is_none());
        let pieces = wanted.min(self.places.available_permits());
        if let Some(more) = u32::try_from(pieces)
            .ok()
            .and_then(|count| Arc::clone(&self.places).try_acquire_many_owned(count).ok())
        {
            place.join(Permit(Some(more)));
        }
    }

    /// Waits for the turn to parse.
    pub async fn turn(&self, place: Permit) -> ParsePermit {
        ParsePermit { turn: Arc::clone(&self.turns).acquire_owned().await.ok(), place }
    }
}

impl Permit {
    /// Takes the other's over.
    pub fn join(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = held.take().or(more),
        }
    }

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

impl ParsePermit {
    /// Gives the turn to another while hosts are asked for more.
    #[must_use]
    pub fn pause(self) -> Permit {
        self.place
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn polls_wait_for_a_place_but_not_behind_silent_hosts() {
        let work = Arc::new(Admission::default());
        let mut silent = Vec::new();
        for _ in 0..PLACES {
            let mut place = work.place().await;
            silent.push(tokio::spawn(
                async move { place.asking(std::future::pending::<()>()).await },
            ));
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

    #[tokio::test]
    async fn large_documents_take_the_places_of_several() {
        let work = Admission::default();
        let mut small = work.place().await;
        work.weigh(&mut small, PIECE - 1);
        assert_eq!(work.places.available_permits(), PLACES - 1);
        let mut large = work.place().await;
        work.weigh(&mut large, 20 * PIECE);
        assert_eq!(work.places.available_permits(), PLACES - 22);
        let mut huge = work.place().await;
        work.weigh(&mut huge, PLACES * 2 * PIECE);
        assert!(work.place().now_or_never().is_none(), "what is there already fills it");
        let turn = work.turn(huge).await;
        drop(turn);
        drop(large);
        assert_eq!(work.places.available_permits(), PLACES - 1, "all of them are given back");
    }
}
