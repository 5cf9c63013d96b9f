//! The lease of this process: until when it may act for the nodes that share its database.
//!
//! A process that was stopped or cut off from its database must know by itself that others have taken
//! over. So the lease ends by a clock that counts the time asleep, too, and is checked before each
//! request, each delivery and each transaction. Where there is one machine the lease never ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A lease that never ends.
const ALWAYS: i64 = i64::MAX;
/// A lease that has not begun, or was revoked.
const NEVER: i64 = i64::MIN;

/// How often one that waits for the lease looks at it.
const LOOK: Duration = Duration::from_millis(100);

/// `Instant` stands still while the machine is asleep; this clock does not.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Counts the time asleep on this system.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment on the clock of leases, in nanoseconds since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// Reads the clock.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(CLOCK);
        Self(time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec))
    }

    /// Returns the moment that is `later` after this one.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(later.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Returns how long it is from `earlier` to this moment; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A time without interruption during which the lease was good. What begins in one term and ends in
/// another was done without a lease in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term(u64);

/// Whether this process may act. Clones share one state.
#[derive(Debug, Clone)]
pub struct Lease {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// A [`Moment`], or one of the two constants above.
    good_until: AtomicI64,
    /// The number of the present term.
    term: AtomicU64,
}

impl Lease {
    /// Returns a lease that never ends, for a process that shares its ledger with no other.
    #[must_use]
    pub fn always() -> Self {
        Self::until(ALWAYS)
    }

    /// Returns a lease that has not begun.
    #[must_use]
    pub fn none() -> Self {
        Self::until(NEVER)
    }

    fn until(good_until: i64) -> Self {
        let shared = Shared { good_until: AtomicI64::new(good_until), term: AtomicU64::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// Returns whether other processes may take over from this one.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared.good_until.load(Ordering::Acquire) != ALWAYS
    }

    /// Returns whether this process may act now. One atomic load, and a clock that needs no system
    /// call.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.is_good_at(Moment::now)
    }

    fn is_good_at(&self, now: impl FnOnce() -> Moment) -> bool {
        match self.shared.good_until.load(Ordering::Acquire) {
            ALWAYS => true,
            NEVER => false,
            until => now().0 < until,
        }
    }

    /// Waits until this process may act.
    pub async fn good(&self) {
        while !self.is_good() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Returns the present term; `None` while the lease is not good.
    #[must_use]
    pub fn term(&self) -> Option<Term> {
        // Read first: a term that ends in between is then not taken for the next one.
        let term = Term(self.shared.term.load(Ordering::Acquire));
        self.is_good().then_some(term)
    }

    /// Returns whether the lease has been good without interruption since `term` was read.
    #[must_use]
    pub fn holds(&self, term: Term) -> bool {
        self.term() == Some(term)
    }

    /// Prolongs the lease. Returns whether it had ended before: then a new term begins.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn renew(&self, until: Moment) -> bool {
        self.renew_at(until, Moment::now())
    }

    fn renew_at(&self, until: Moment, now: Moment) -> bool {
        let lapsed = !self.is_good_at(|| now);
        if lapsed {
            // Before the lease is good again: nobody reads the former term with it.
            self.shared.term.fetch_add(1, Ordering::AcqRel);
        }
        // An earlier answer that comes late does not shorten it.
        let former = self.shared.good_until.load(Ordering::Acquire);
        if former != ALWAYS {
            self.shared.good_until.store(former.max(until.0), Ordering::Release);
        }
        lapsed
    }

    /// Ends the lease at once.
    pub fn revoke(&self) {
        self.shared.good_until.store(NEVER, Ordering::Release);
    }
}

impl Default for Lease {
    fn default() -> Self {
        Self::always()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_lease_ends_by_itself() {
        let (lease, start) = (Lease::none(), Moment::now());
        assert!(!lease.is_good() && lease.term().is_none());
        assert!(lease.renew_at(start.after(5 * SECOND), start), "the first term begins");
        assert!(lease.is_good_at(|| start.after(4 * SECOND)));
        assert!(!lease.is_good_at(|| start.after(5 * SECOND)));
    }

    #[test]
    fn a_late_answer_does_not_shorten_it() {
        let (lease, start) = (Lease::none(), Moment::now());
        lease.renew_at(start.after(5 * SECOND), start);
        assert!(!lease.renew_at(start.after(3 * SECOND), start.after(SECOND)));
        assert!(lease.is_good_at(|| start.after(4 * SECOND)));
    }

    #[test]
    fn what_was_done_without_a_lease_is_known_afterwards() {
        let (lease, start) = (Lease::none(), Moment::now());
        lease.renew(start.after(3600 * SECOND));
        let term = lease.term().unwrap();
        assert!(lease.holds(term));
        lease.renew(start.after(3601 * SECOND));
        assert!(lease.holds(term), "prolonged in time");
        lease.revoke();
        assert!(!lease.holds(term) && !lease.is_good());
        assert!(lease.renew(start.after(3602 * SECOND)));
        assert!(lease.is_good() && !lease.holds(term), "another term");
    }

    #[test]
    fn one_machine_needs_no_clock() {
        let lease = Lease::always();
        let term = lease.term().unwrap();
        assert!(lease.is_good_at(|| unreachable!("no clock is read")));
        assert!(!lease.renew(Moment(0)) && lease.holds(term));
    }
}
