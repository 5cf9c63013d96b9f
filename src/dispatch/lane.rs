//! The state of one channel between messages: its queue, its rate, its requests under way, and the
//! delay after failures. Pure: the caller passes the time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use statuswatch_notify::{Audience, Limits};

use super::bucket::Bucket;
use crate::backoff::ExponentialBackoff;
use crate::config::ChannelConfig;
use crate::event::Time;
use crate::ledger::outbox::{ChannelHealth, ChannelState, MessageId, Waiting};

/// Messages read from the outbox at once; bounds what a channel with a long backlog keeps in memory.
pub(super) const QUEUE: usize = 64;

/// Messages that follow others of their threads before the outbox is looked through again: those of
/// other threads may have waited longer.
const FOLLOWING: usize = 4 * QUEUE;

/// Messages whose next attempt is kept on the monotonic clock; more are tried again by the wall clock.
const REMEMBERED: usize = 4096;

/// No message waits longer for its next attempt, whatever the wall clock says: a day, as long as a
/// service may ask for.
const LONGEST: Duration = Duration::from_hours(24);

/// Delay after failures.
pub(super) fn backoff() -> ExponentialBackoff {
    ExponentialBackoff::new(Duration::from_secs(1), Duration::from_mins(10))
}

/// A channel that failed for so long is announced to others.
pub(super) const ANNOUNCED_AFTER: Duration = Duration::from_mins(10);

/// How often a channel that refuses everything is tried.
pub(super) const PROBE: Duration = Duration::from_mins(15);

/// One channel.
pub(super) struct Lane {
    pub(super) config: Arc<ChannelConfig>,
    limits: Limits,
    bucket: Bucket,
    /// The next messages, in the order in which they are sent.
    queue: VecDeque<Waiting>,
    /// Whether the outbox may hold messages that are not in the queue.
    pub(super) stale: bool,
    /// How many messages have followed others since the outbox was looked through.
    followed: usize,
    /// Threads with a request under way, and the messages.
    busy: HashSet<String>,
    flying: HashSet<MessageId>,
    /// When messages that were not accepted are tried again. The stored time is one of the wall
    /// clock, which may be set meanwhile.
    again_at: HashMap<MessageId, Instant>,
    failures: u32,
    not_before: Option<Instant>,
    pub(super) health: ChannelHealth,
    /// Since when the channel is in this state.
    pub(super) since: Time,
    /// Whether others were sent a notice that it fails.
    pub(super) announced: bool,
    /// When others were last sent a notice that a message was given up.
    dead_at: Option<Time>,
    /// When the present state is sent again, to a channel that forgets.
    repeat_at: Instant,
}

impl Lane {
    pub(super) fn new(config: Arc<ChannelConfig>, now: Instant, since: Time) -> Self {
        let limits = config.channel.limits();
        Self {
            bucket: Bucket::new(&limits, now),
            limits,
            config,
            queue: VecDeque::new(),
            stale: true,
            followed: 0,
            busy: HashSet::new(),
            flying: HashSet::new(),
            again_at: HashMap::new(),
            failures: 0,
            not_before: None,
            health: ChannelHealth::Ok,
            since,
            announced: false,
            dead_at: None,
            repeat_at: now,
        }
    }

    /// Takes over the state in which the channel was when the program last ran.
    pub(super) fn restore(&mut self, state: &ChannelState, now: Time) {
        if matches!(state.health, ChannelHealth::Failing | ChannelHealth::Broken) {
            self.health = state.health;
            self.since = state.since;
            self.announced =
                state.health == ChannelHealth::Broken || until(now, state.since) >= ANNOUNCED_AFTER;
        }
    }

    /// Returns whether others are sent a notice that a message was given up: once an hour, however
    /// many are.
    pub(super) fn announces_dead(&mut self, now: Time) -> bool {
        let is_due = self.dead_at.is_none_or(|at| (now - at).abs() >= chrono::TimeDelta::hours(1));
        if is_due {
            self.dead_at = Some(now);
        }
        is_due
    }

    pub(super) fn id(&self) -> &str {
        &self.config.id
    }

    /// Replaces the configuration; what is under way is not affected.
    pub(super) fn configure(&mut self, config: Arc<ChannelConfig>, now: Instant) {
        if *config == *self.config {
            return;
        }
        self.limits = config.channel.limits();
        self.bucket = Bucket::new(&self.limits, now);
        self.config = config;
        // What failed may have been corrected.
        self.failures = 0;
        self.not_before = None;
        self.stale = true;
    }

    /// Takes over what was read from the outbox, except what is under way.
    pub(super) fn refill(&mut self, rows: Vec<Waiting>, now: Instant, clock: Time) {
        self.stale = rows.len() >= QUEUE;
        self.followed = 0;
        for row in &rows {
            if let Some(at) = again(row, clock).filter(|at| *at > clock)
                && !self.again_at.contains_key(&row.id)
            {
                self.try_again(row.id, now + until(at, clock).min(LONGEST));
            }
        }
        self.queue = rows.into_iter().filter(|row| !self.flying.contains(&row.id)).collect();
    }

    /// Notes when a message is tried again.
    pub(super) fn try_again(&mut self, id: MessageId, at: Instant) {
        if self.again_at.len() < REMEMBERED || self.again_at.contains_key(&id) {
            self.again_at.insert(id, at);
        }
    }

    /// Returns when a message can be tried; `None`: now.
    fn ready_at(&self, row: &Waiting, now: Instant, clock: Time) -> Option<Instant> {
        let at = match self.again_at.get(&row.id) {
            Some(at) => *at,
            None => now + until(row.next_at?, clock).min(LONGEST),
        };
        (at > now).then_some(at)
    }

    /// Returns whether more messages should be read from the outbox.
    pub(super) fn wants_rows(&self, now: Instant, clock: Time) -> bool {
        if !self.stale {
            return false;
        }
        // Those that are tried again later must not keep new ones out.
        let ready = self.queue.iter().filter(|row| self.ready_at(row, now, clock).is_none());
        // What is under way is among the first that would be read.
        let is_low = ready.count() + self.flying.len() < QUEUE / 2;
        is_low || self.followed >= FOLLOWING
    }

    /// Returns whether the next message of a thread is asked for by itself once its predecessor was
    /// sent. That is for channels without a rate, to which thousands are sent in a second.
    pub(super) fn is_followed(&self) -> bool {
        self.limits.pace.is_none() && self.audience() == Audience::Machine
    }

    /// A request has ended and its outcome is stored; `next` is the next message of its thread.
    pub(super) fn followed_by(&mut self, id: MessageId, thread: &str, next: Option<Waiting>) {
        self.flying.remove(&id);
        self.busy.remove(thread);
        let Some(row) = next else { return };
        if self.queue.iter().all(|other| other.id != row.id) {
            self.followed += 1;
            let place = self.queue.partition_point(|other| other.id < row.id);
            self.queue.insert(place, row);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flying.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.flying.is_empty() && !self.stale
    }

    /// Returns whether it accepts messages.
    pub(super) fn works(&self) -> bool {
        self.failures == 0 && self.health == ChannelHealth::Ok
    }

    pub(super) fn is_flying(&self, id: MessageId) -> bool {
        self.flying.contains(&id)
    }

    /// Returns whether nothing can be sent before a delay is over.
    pub(super) fn is_delayed(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|at| at > now) || self.bucket.wait(now).is_some()
    }

    /// Returns how many messages may be under way at once.
    fn most(&self) -> usize {
        if self.failures > 0 {
            // After a failure a single message shows whether the channel works again.
            1
        } else if self.limits.pace.is_some() {
            self.limits.in_flight
        } else {
            // A program that answers at once is sent more than are under way, so that they are
            // stored together.
            QUEUE
        }
    }

    /// Takes the next message that can be sent now: its thread has no request under way, and no
    /// earlier message of its thread waits.
    pub(super) fn next(&mut self, now: Instant, clock: Time) -> Option<Waiting> {
        if self.flying.len() >= self.most()
            || self.not_before.is_some_and(|at| at > now)
            || self.bucket.wait(now).is_some()
        {
            return None;
        }
        let mut passed: HashSet<&str> = HashSet::new();
        let place = self.queue.iter().position(|row| {
            let free = !self.busy.contains(&row.thread)
                && !passed.contains(row.thread.as_str())
                && self.ready_at(row, now, clock).is_none();
            passed.insert(&row.thread);
            free
        })?;
        let row = self.queue.remove(place)?;
        self.again_at.remove(&row.id);
        self.bucket.take(now);
        self.busy.insert(row.thread.clone());
        self.flying.insert(row.id);
        Some(row)
    }

    /// Gives a message back that was not sent.
    pub(super) fn put_back(&mut self, row: &Waiting) {
        self.landed(row.id, &row.thread);
    }

    /// A request has ended and its outcome is stored.
    pub(super) fn landed(&mut self, id: MessageId, thread: &str) {
        self.flying.remove(&id);
        self.busy.remove(thread);
        self.stale = true;
    }

    /// Forgets a message that another one stands for.
    pub(super) fn forget(&mut self, id: MessageId) {
        self.queue.retain(|row| row.id != id);
        self.again_at.remove(&id);
    }

    /// Sends another message of the same thread in place of one that was taken.
    pub(super) fn replace(&mut self, taken: &Waiting, by: &Waiting) {
        self.flying.remove(&taken.id);
        self.flying.insert(by.id);
        self.forget(by.id);
    }

    /// The channel has accepted a message.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    /// The channel did not accept a message: nothing is sent until a delay is over, which grows with
    /// each failure. Requests that were under way together fail together and count once.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        at_least: Option<Duration>,
        rng: &mut fastrand::Rng,
    ) {
        let at_least = at_least.map(|wait| now + wait);
        let delayed = self.not_before.filter(|at| *at > now);
        let until = delayed.unwrap_or_else(|| {
            let delay = backoff().delay(self.failures, rng);
            self.failures = self.failures.saturating_add(1);
            now + delay
        });
        self.not_before = Some(at_least.map_or(until, |least| until.max(least)));
    }

    /// The channel refuses everything: a single message tries it again later.
    pub(super) fn broke(&mut self, now: Instant) -> Duration {
        self.failures = self.failures.max(1);
        self.not_before = Some(now + PROBE);
        PROBE
    }

    /// Lets a message be sent at once, whatever failed before.
    pub(super) fn retry_now(&mut self) {
        self.not_before = None;
        self.stale = true;
    }

    /// Returns after which time something can be sent that cannot be sent now; `None` if nothing
    /// waits or something else must happen first.
    pub(super) fn wake_after(&self, now: Instant, clock: Time) -> Option<Duration> {
        // The end of a request is a wake-up of its own.
        if self.queue.is_empty() || self.flying.len() >= self.most() {
            return None;
        }
        let delay = self.not_before.map(|at| at.saturating_duration_since(now));
        // What waits behind another message of its thread is not sent before that one.
        let mut threads = HashSet::new();
        let row = self
            .queue
            .iter()
            .filter(|row| threads.insert(&row.thread) && !self.busy.contains(&row.thread))
            .map(|row| {
                let at = self.ready_at(row, now, clock);
                at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
            })
            .min()?;
        let wait =
            row.max(delay.unwrap_or_default()).max(self.bucket.wait(now).unwrap_or_default());
        Some(wait.max(Duration::from_millis(10)))
    }

    /// Returns whether the present state is to be sent again, and if so counts it as sent.
    pub(super) fn repeats(&mut self, now: Instant) -> bool {
        let Some(every) = self.config.channel.repeat() else { return false };
        let due = self.repeat_at <= now && !self.is_delayed(now);
        if due {
            self.repeat_at = now + every;
        }
        due
    }

    pub(super) fn audience(&self) -> Audience {
        self.config.policy.audience
    }
}

/// Returns how long it is from `now` until `at`.
pub(super) fn until(at: Time, now: Time) -> Duration {
    (at - now).to_std().unwrap_or_default()
}

/// Returns when a message is tried again by our clock. If its first attempt is in the future, the clock
/// of whoever made it was ahead, or ours was set back: it waits at most as much longer as it has been
/// tried for.
fn again(row: &Waiting, clock: Time) -> Option<Time> {
    let first = row.first_attempt_at.filter(|first| *first > clock);
    let ahead = first.map_or_else(chrono::TimeDelta::zero, |first| first - clock);
    row.next_at?.checked_sub_signed(ahead)
}

#[cfg(test)]
mod tests;
