//! Limits how much poll data is in memory at once: documents waiting to be parsed, and the results
//! of parsing.
//!
//! A poll acquires a permit before it sends its request and holds it until the ledger has answered.
//! When the ledger or the CPU cannot keep up, as on the first poll of thousands of pages, polls
//! wait before they send requests instead of filling memory with responses. A large document takes
//! several permits. A silent host holds no permit for long: after half a second without a response
//! the permit is released.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Polls between request and ledger answer, excluding those of silent hosts.
const MAX_POLLS: usize = 512;

/// Document bytes covered by one permit; all permits together cover 32 MiB.
const PERMIT_BYTES: usize = 64 * 1024;

/// Polls between the start of parsing and the ledger's answer.
const MAX_PARSED: usize = 64;

/// How long a host may stay silent before its poll loses its permit.
const SILENCE: Duration = Duration::from_millis(500);

/// The limits, shared by all pollers.
#[derive(Debug)]
pub struct Admission {
    polls: Arc<Semaphore>,
    parses: Arc<Semaphore>,
}

/// A poll's permit; `None` once a host has been silent for too long.
#[derive(Debug, Default)]
pub struct Permit(Option<OwnedSemaphorePermit>);

/// The right to hold parsed data, with the poll's permit. Both are released on drop.
#[derive(Debug)]
pub struct ParsePermit {
    #[expect(dead_code, reason = "held, not used")]
    parse: Option<OwnedSemaphorePermit>,
    permit: Permit,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            polls: Arc::new(Semaphore::new(MAX_POLLS)),
            parses: Arc::new(Semaphore::new(MAX_PARSED)),
        }
    }
}

impl Admission {
    /// Waits for a permit, in first-come, first-served order.
    pub async fn acquire(&self) -> Permit {
        // The semaphores are never closed; if one were, the only effect would be more parallelism.
        Permit(Arc::clone(&self.polls).acquire_owned().await.ok())
    }

    /// Takes further permits for a large document, and one to replace a permit lost to silence, as
    /// far as they are available. Never waits: the document is already in memory and must not queue
    /// behind later ones.
    pub fn weigh(&self, permit: &mut Permit, bytes: usize) {
        let wanted = bytes / PERMIT_BYTES + usize::from(permit.0.is_none());
        let pieces = wanted.min(self.polls.available_permits());
        if let Some(more) = u32::try_from(pieces)
            .ok()
            .and_then(|count| Arc::clone(&self.polls).try_acquire_many_owned(count).ok())
        {
            permit.join(Permit(Some(more)));
        }
    }

    /// Waits for the right to parse.
    pub async fn acquire_parse(&self, permit: Permit) -> ParsePermit {
        ParsePermit { parse: Arc::clone(&self.parses).acquire_owned().await.ok(), permit }
    }
}

impl Permit {
    /// Adds the other's permits to this one.
    pub fn join(&mut self, other: Self) {
        match (&mut self.0, other.0) {
            (Some(held), Some(more)) => held.merge(more),
            (held, more) => *held = held.take().or(more),
        }
    }

    /// Waits for a host's answer; releases the permit if the host stays silent.
    pub async fn while_waiting<T>(&mut self, answer: impl Future<Output = T>) -> T {
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
    /// Releases the right to parse while further documents are requested.
    #[must_use]
    pub fn pause(self) -> Permit {
        self.permit
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn polls_wait_for_a_permit_but_not_behind_silent_hosts() {
        let admission = Arc::new(Admission::default());
        let mut silent = Vec::new();
        for _ in 0..MAX_POLLS {
            let mut permit = admission.acquire().await;
            silent.push(tokio::spawn(async move {
                permit.while_waiting(std::future::pending::<()>()).await;
            }));
        }
        assert!(admission.acquire().now_or_never().is_none(), "one more than there are");
        let permit =
            timeout(SILENCE * 40, admission.acquire()).await.expect("given back by the silent");
        let parse = admission.acquire_parse(permit).await;
        assert_eq!(admission.parses.available_permits(), MAX_PARSED - 1);
        let mut permit = parse.pause();
        assert_eq!(admission.parses.available_permits(), MAX_PARSED);
        assert_eq!(permit.while_waiting(std::future::ready(7)).await, 7);
        assert!(permit.0.is_some(), "an answer in time keeps the permit");
        silent.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn large_documents_take_several_permits() {
        let admission = Admission::default();
        let mut small = admission.acquire().await;
        admission.weigh(&mut small, PERMIT_BYTES - 1);
        assert_eq!(admission.polls.available_permits(), MAX_POLLS - 1);
        let mut large = admission.acquire().await;
        admission.weigh(&mut large, 20 * PERMIT_BYTES);
        assert_eq!(admission.polls.available_permits(), MAX_POLLS - 22);
        let mut huge = admission.acquire().await;
        admission.weigh(&mut huge, MAX_POLLS * 2 * PERMIT_BYTES);
        assert!(admission.acquire().now_or_never().is_none(), "what is there already fills it");
        let parse = admission.acquire_parse(huge).await;
        drop(parse);
        drop(large);
        assert_eq!(
            admission.polls.available_permits(),
            MAX_POLLS - 1,
            "all of them are given back"
        );
    }
}
