//! Limits how much poll data is in memory at once: documents waiting to be parsed, and the results
//! of parsing.
//!
//! A poll acquires a permit before it sends its request and holds it until the ledger has answered.
//! When the ledger or the CPU cannot keep up, as on the first poll of thousands of pages, polls
//! wait before they send requests instead of filling memory with responses. A large document takes
//! several permits. A silent host holds no permit for long: after half a second without a response
//! the permit is released, unless so many hosts are silent that their answers, once they come, would
//! fill memory as well.
//!
//! Whoever waits here makes no progress of its own, and is no stall for that: see [`Watch`].

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::progress::Progress;
use crate::clock::Anchor;

/// Polls between request and ledger answer, excluding those of silent hosts.
const MAX_POLLS: usize = 512;

/// Document bytes covered by one permit; all permits together cover 32 MiB.
const PERMIT_BYTES: usize = 64 * 1024;

/// Polls of silent hosts, without a permit. Each may still be answered, and then waits for a parser
/// with its document. On a busy machine, any host is late.
const MAX_SILENT: usize = 2048;

/// Polls between the start of parsing and the ledger's answer.
const MAX_PARSED: usize = 64;

/// How long a host may stay silent before its poll loses its permit.
const SILENCE: Duration = Duration::from_millis(500);

/// The limits, shared by all pollers.
#[derive(Debug, Default)]
pub struct Admission {
    semaphores: Mutex<Semaphores>,
    granted: AtomicU64,
    waiting: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Semaphores {
    polls: Arc<Semaphore>,
    silent: Arc<Semaphore>,
    parses: Arc<Semaphore>,
}

/// A poll that may wait for its turn, as the supervisor watches it.
#[derive(Debug)]
pub struct Watch {
    /// The poller's.
    pub progress: Arc<Progress>,
    /// What the times of `progress` count from.
    pub anchor: Anchor,
    /// How long what follows a turn may take.
    pub patience: Duration,
}

/// A poll's permit.
#[derive(Debug, Default)]
pub struct Permit {
    /// `None` once a host has been silent for too long.
    held: Option<OwnedSemaphorePermit>,
    /// Held in its place from then on.
    silent: Option<OwnedSemaphorePermit>,
    /// Where to get that.
    silences: Option<Arc<Semaphore>>,
    watch: Option<Box<Watch>>,
}

/// The right to hold parsed data, with the poll's permit. Both are released on drop.
#[derive(Debug)]
pub struct ParsePermit {
    #[expect(dead_code, reason = "held, not used")]
    parse: OwnedSemaphorePermit,
    permit: Permit,
}

impl Default for Semaphores {
    fn default() -> Self {
        Self {
            polls: Arc::new(Semaphore::new(MAX_POLLS)),
            silent: Arc::new(Semaphore::new(MAX_SILENT)),
            parses: Arc::new(Semaphore::new(MAX_PARSED)),
        }
    }
}

impl Admission {
    /// Waits for a permit, in first-come, first-served order.
    pub async fn acquire(&self, watch: Option<Watch>) -> Permit {
        let watch = watch.map(Box::new);
        let held = self.turn(|of| &of.polls, watch.as_deref()).await;
        let silences = Some(self.current().silent);
        Permit { held: Some(held), silent: None, silences, watch }
    }

    /// Waits for a permit, while the supervisor expects nothing of the poller.
    async fn turn(
        &self,
        semaphore: impl Fn(&Semaphores) -> &Arc<Semaphore>,
        watch: Option<&Watch>,
    ) -> OwnedSemaphorePermit {
        if let Some(watch) = watch {
            watch.progress.queue();
        }
        let waiting = Waiting::begin(&self.waiting);
        let permit = loop {
            let current = Arc::clone(semaphore(&self.current()));
            // One that was renewed is closed: the queue of the new one has begun.
            if let Ok(permit) = current.acquire_owned().await {
                break permit;
            }
        };
        drop(waiting);
        self.granted.fetch_add(1, Ordering::Relaxed);
        if let Some(watch) = watch {
            watch.progress.expect(&watch.anchor, Instant::now() + watch.patience);
        }
        permit
    }

    fn current(&self) -> Semaphores {
        self.semaphores.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins anew, with all permits free, once a thread of pollers is abandoned: a permit that its
    /// polls hold or are handed is never given back.
    pub fn renew(&self) {
        let mut semaphores = self.semaphores.lock().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::take(&mut *semaphores);
        old.polls.close();
        old.silent.close();
        old.parses.close();
    }

    /// Returns how many turns there were so far, and how many polls wait for one.
    #[must_use]
    pub fn turns(&self) -> (u64, usize) {
        (self.granted.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed))
    }

    /// Takes further permits for a large document, and one to replace a permit lost to silence, as
    /// far as they are available. Never waits: the document is already in memory and must not queue
    /// behind later ones.
    pub fn weigh(&self, permit: &mut Permit, bytes: usize) {
        let wanted = bytes / PERMIT_BYTES + usize::from(permit.held.is_none());
        let polls = self.current().polls;
        let pieces = wanted.min(polls.available_permits());
        if let Some(more) =
            u32::try_from(pieces).ok().and_then(|count| polls.try_acquire_many_owned(count).ok())
        {
            permit.join(Permit { held: Some(more), ..Permit::default() });
        }
    }

    /// Waits for the right to parse.
    pub async fn acquire_parse(&self, permit: Permit) -> ParsePermit {
        let parse = self.turn(|of| &of.parses, permit.watch.as_deref()).await;
        ParsePermit { parse, permit }
    }
}

/// Counts one that waits, also where it gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Permit {
    /// Adds the other's permits to this one.
    pub fn join(&mut self, other: Self) {
        self.silent = self.silent.take().or(other.silent);
        match (&mut self.held, other.held) {
            (Some(held), Some(more)) if Arc::ptr_eq(held.semaphore(), more.semaphore()) => {
                held.merge(more);
            }
            (held, more) => *held = held.take().or(more),
        }
    }

    /// Waits for a host's answer; releases the permit if the host stays silent and not too many are.
    pub async fn while_waiting<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        if self.held.is_some() {
            if let Ok(answer) = timeout(SILENCE, &mut answer).await {
                return answer;
            }
            let silences = self.silences.clone();
            self.silent = silences.and_then(|silences| silences.try_acquire_owned().ok());
            if self.silent.is_some() {
                self.held = None;
            }
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
            let mut permit = admission.acquire(None).await;
            silent.push(tokio::spawn(async move {
                permit.while_waiting(std::future::pending::<()>()).await;
            }));
        }
        assert!(admission.acquire(None).now_or_never().is_none(), "one more than there are");
        let permit =
            timeout(SILENCE * 40, admission.acquire(None)).await.expect("given back by the silent");
        let parse = admission.acquire_parse(permit).await;
        assert_eq!(admission.current().parses.available_permits(), MAX_PARSED - 1);
        let mut permit = parse.pause();
        assert_eq!(admission.current().parses.available_permits(), MAX_PARSED);
        assert_eq!(permit.while_waiting(std::future::ready(7)).await, 7);
        assert!(permit.held.is_some(), "an answer in time keeps the permit");
        silent.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn only_so_many_silent_hosts_give_up_their_permit() {
        let admission = Arc::new(Admission::default());
        let silent: Vec<_> = (0..MAX_SILENT + MAX_POLLS)
            .map(|_| {
                let admission = Arc::clone(&admission);
                tokio::spawn(async move {
                    let mut permit = admission.acquire(None).await;
                    permit.while_waiting(std::future::pending::<()>()).await;
                })
            })
            .collect();
        // Each half second makes room for as many as there are permits, until nothing is left.
        let polls = admission.current().polls;
        let all = async {
            while admission.turns().0 < (MAX_SILENT + MAX_POLLS) as u64 {
                tokio::task::yield_now().await;
            }
        };
        timeout(SILENCE * 60, all).await.expect("each gets its turn");
        let next = timeout(SILENCE * 4, admission.acquire(None)).await;
        assert!(next.is_err(), "the last of them keep their permit");
        assert_eq!(polls.available_permits(), 0);
        silent.last().unwrap().abort();
        timeout(SILENCE * 40, admission.acquire(None)).await.expect("given back by the aborted");
        silent.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[test]
    fn nothing_is_expected_of_a_poll_that_waits_for_its_turn() {
        let (admission, anchor) = (Admission::default(), Anchor::now());
        let progress = Arc::new(Progress::new(Arc::default()));
        let watch =
            Watch { progress: Arc::clone(&progress), anchor, patience: Duration::from_secs(40) };
        let overdue = || progress.overdue(&anchor, anchor.mono + Duration::from_hours(24));
        let mut held: Vec<_> = (0..MAX_POLLS)
            .map(|_| admission.acquire(None).now_or_never().expect("a permit is free"))
            .collect();
        let mut queued = Box::pin(admission.acquire(Some(watch)));
        assert!((&mut queued).now_or_never().is_none());
        assert_eq!(overdue(), Duration::ZERO);
        held.pop();
        let permit = queued.now_or_never().expect("a permit was given back");
        assert!(overdue() > Duration::from_hours(23));
        let mut parsing: Vec<_> = held
            .drain(..MAX_PARSED)
            .map(|permit| admission.acquire_parse(permit).now_or_never().expect("one is free"))
            .collect();
        let mut queued = Box::pin(admission.acquire_parse(permit));
        assert!((&mut queued).now_or_never().is_none());
        assert_eq!(overdue(), Duration::ZERO);
        parsing.pop();
        assert!(queued.now_or_never().is_some());
        assert!(overdue() > Duration::from_hours(23));
    }

    #[test]
    fn permits_lost_with_their_thread_are_replaced() {
        let admission = Arc::new(Admission::default());
        let lost: Vec<_> = (0..MAX_POLLS)
            .map(|_| admission.acquire(None).now_or_never().expect("a permit is free"))
            .collect();
        let mut queued = Box::pin(admission.acquire(None));
        assert!((&mut queued).now_or_never().is_none());
        assert_eq!(admission.turns(), (MAX_POLLS as u64, 1));
        admission.renew();
        let mut permit = queued.now_or_never().expect("a permit of the new ones");
        assert_eq!(admission.turns(), (MAX_POLLS as u64 + 1, 0));
        permit.join(lost.into_iter().next().unwrap());
        assert_eq!(admission.current().polls.available_permits(), MAX_POLLS - 1);
    }

    #[tokio::test]
    async fn large_documents_take_several_permits() {
        let admission = Admission::default();
        let mut small = admission.acquire(None).await;
        admission.weigh(&mut small, PERMIT_BYTES - 1);
        assert_eq!(admission.current().polls.available_permits(), MAX_POLLS - 1);
        let mut large = admission.acquire(None).await;
        admission.weigh(&mut large, 20 * PERMIT_BYTES);
        assert_eq!(admission.current().polls.available_permits(), MAX_POLLS - 22);
        let mut huge = admission.acquire(None).await;
        admission.weigh(&mut huge, MAX_POLLS * 2 * PERMIT_BYTES);
        assert!(admission.acquire(None).now_or_never().is_none(), "what is there already fills it");
        let parse = admission.acquire_parse(huge).await;
        drop(parse);
        drop(large);
        assert_eq!(
            admission.current().polls.available_permits(),
            MAX_POLLS - 1,
            "all of them are given back"
        );
    }
}
