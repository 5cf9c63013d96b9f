//! Rate limits per host: which request is next, and which hosts have asked for a pause.
//!
//! Per authority (host and port) at most two requests run at once, each starts at least its own
//! pace after the previous start, and waiting requests are served in order of arrival. A host with
//! a single provider costs one lock and no timer.
//!
//! A path that answered 429 or 503 with `Retry-After` is not requested before that time. Other
//! paths on the host are blocked for a minute at most; then one of them finds out whether the host
//! means them too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Parallel requests to one authority.
const AT_ONCE: usize = 2;
/// The longest time that a pause requested by one path blocks the host's other paths.
const NEIGHBOURS: Duration = Duration::from_mins(1);
/// Shorter pauses are over before another process has heard of them.
const WORTH_SHARING: Duration = Duration::from_secs(2);
/// Below this many entries nothing is evicted.
const FEWEST: usize = 256;

/// Rate limits and requested pauses of all hosts.
#[derive(Debug, Default)]
pub struct HostGate {
    hosts: Mutex<Hosts>,
    /// Pauses that hosts have asked for since they were last taken, by host and port.
    asked: Mutex<HashMap<String, Instant>>,
}

#[derive(Debug, Default)]
struct Hosts {
    /// Keyed by a hash of the authority: no text is stored, nor built for a lookup.
    map: HashMap<u128, Host>,
    /// Keyed by a hash of authority and path.
    paths: HashMap<u128, Hold>,
    /// At this many entries, unused ones are evicted.
    clear_at: usize,
}

#[derive(Debug)]
struct Host {
    slots: Arc<Semaphore>,
    /// The last start, and the pace it requested.
    last_start: Option<(Instant, Duration)>,
    hold: Option<Hold>,
}

/// A period in which something must not be requested.
#[derive(Debug, Clone, Copy)]
struct Hold {
    since: Instant,
    until: Instant,
}

impl Hold {
    /// Returns when it ends for a caller that waits at most `most`.
    fn until(self, most: Duration, now: Instant) -> Option<Instant> {
        Some(self.until.min(self.since + most)).filter(|until| *until > now)
    }
}

/// Returns the hold that lasts longer.
fn longer(known: Option<Hold>, new: Hold) -> Hold {
    known.filter(|known| known.until >= new.until).unwrap_or(new)
}

impl Host {
    fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(AT_ONCE)), last_start: None, hold: None }
    }

    /// Returns whether the entry still has an effect.
    fn in_use(&self, now: Instant) -> bool {
        Arc::strong_count(&self.slots) > 1
            || self.last_start.is_some_and(|(last, pace)| last + pace > now)
            || self.hold.is_some_and(|hold| hold.until > now)
    }
}

/// Permission to send a request to a host; released on drop.
#[derive(Debug)]
pub struct HostPermit {
    _slot: Option<OwnedSemaphorePermit>,
}

impl HostGate {
    /// Waits for permission to send a request to the URL's authority. The error is the time until
    /// which it is blocked, for a caller that waits at most `most`. Dropping the future leaves the
    /// queue. `pace`: the least time since the previous start.
    pub async fn turn(
        &self,
        url: &Url,
        pace: Duration,
        most: Duration,
    ) -> Result<HostPermit, Instant> {
        let key = key(url);
        if let Some(until) = self.blocked_until(url, most) {
            return Err(until);
        }
        let (slots, slot) = self.with(key, Instant::now(), |host, now| {
            match Arc::clone(&host.slots).try_acquire_owned() {
                // The semaphore hands freed slots to waiting requests, so none is overtaken here.
                Ok(slot) => (None, Some((slot, host.reserve(now, pace)))),
                Err(_) => (Some(Arc::clone(&host.slots)), None),
            }
        });
        let waits = slots.is_some();
        let (slot, start) = match (slot, slots) {
            (Some((slot, start)), _) => (Some(slot), start),
            (None, Some(slots)) => {
                // The semaphore is never closed; an error is impossible, and would let the request
                // pass.
                let slot = slots.acquire_owned().await.ok();
                (slot, self.with(key, Instant::now(), |host, now| host.reserve(now, pace)))
            }
            (None, None) => (None, None),
        };
        if let Some(start) = start {
            tokio::time::sleep_until(start).await;
        }
        // Requests that queued behind the one that was asked to pause are blocked as well.
        if (waits || start.is_some())
            && let Some(until) = self.blocked_until(url, most)
        {
            return Err(until);
        }
        Ok(HostPermit { _slot: slot })
    }

    /// Returns until when the URL must not be requested, for a caller that waits at most `most`.
    #[must_use]
    pub fn blocked_until(&self, url: &Url, most: Duration) -> Option<Instant> {
        self.blocked_at(url, most, Instant::now())
    }

    fn blocked_at(&self, url: &Url, most: Duration, now: Instant) -> Option<Instant> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.map.get(&key(url)).and_then(|host| host.hold);
        let path = hosts.paths.get(&path_key(url)).copied();
        host.into_iter().chain(path).filter_map(|hold| hold.until(most, now)).max()
    }

    /// Blocks the URL until then, and the rest of its authority for at most a minute of that. Never
    /// shortens an earlier block.
    pub fn block(&self, url: &Url, until: Instant) {
        let now = Instant::now();
        let (path, neighbours) =
            (Hold { since: now, until }, Hold { since: now, until: until.min(now + NEIGHBOURS) });
        self.with(key(url), now, |host, _| host.hold = Some(longer(host.hold, neighbours)));
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.paths.len() >= FEWEST {
            hosts.paths.retain(|_, hold| hold.until > now);
        }
        let known = hosts.paths.get(&path_key(url)).copied();
        hosts.paths.insert(path_key(url), longer(known, path));
        drop(hosts);
        self.note(url, until, now);
    }

    /// Keeps what a host has asked for, so that it can be taken by [`HostGate::asked`]. Where nobody
    /// takes it, it is bounded.
    fn note(&self, url: &Url, until: Instant, now: Instant) {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return;
        };
        if until < now + WORTH_SHARING {
            return;
        }
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() < FEWEST {
            let known = asked.entry(format!("{host}:{port}")).or_insert(until);
            *known = until.max(*known);
        }
    }

    /// Takes the pauses that hosts have asked for since the last call: host and port, and how long
    /// they last from now on. At most 256.
    pub fn asked(&self) -> Vec<(String, Duration)> {
        let now = Instant::now();
        let taken = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let left = |(host, until): (String, Instant)| (host, until.saturating_duration_since(now));
        taken.into_iter().map(left).collect()
    }

    /// Blocks an authority as long as another process was asked to leave it alone, for at most a
    /// minute. Never shortens an earlier block.
    pub fn hold(&self, url: &Url, until: Instant) {
        let now = Instant::now();
        let hold = Hold { since: now, until: until.min(now + NEIGHBOURS) };
        self.with(key(url), now, |host, _| host.hold = Some(longer(host.hold, hold)));
    }

    /// Returns how many authorities are stored.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).map.len()
    }

    fn with<T>(&self, key: u128, now: Instant, act: impl FnOnce(&mut Host, Instant) -> T) -> T {
        // No code under this lock can leave a host half-updated.
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.map.len() >= hosts.clear_at.max(FEWEST) {
            hosts.map.retain(|_, host| host.in_use(now));
            hosts.paths.retain(|_, hold| hold.until > now);
            hosts.clear_at = hosts.map.len() * 2;
        }
        act(hosts.map.entry(key).or_insert_with(Host::new), now)
    }
}

impl Host {
    /// Reserves the next start; `None` means now.
    fn reserve(&mut self, now: Instant, pace: Duration) -> Option<Instant> {
        let start = self.last_start.map_or(now, |(last, _)| now.max(last + pace));
        self.last_start = Some((start, pace));
        (start > now).then_some(start)
    }
}

fn key(url: &Url) -> u128 {
    let port = url.port_or_known_default().unwrap_or_default();
    xxh3_128_with_seed(url.host_str().unwrap_or_default().as_bytes(), u64::from(port))
}

fn path_key(url: &Url) -> u128 {
    let port = u64::from(url.port_or_known_default().unwrap_or_default());
    xxh3_128_with_seed(url.path().as_bytes(), port) ^ key(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, poll};
    use std::pin::pin;
    use std::task::Poll;

    const APART: Duration = Duration::from_millis(250);
    const HOUR: Duration = Duration::from_hours(1);

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn starts_are_apart() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut host = Host::new();
        assert_eq!(host.reserve(now, APART), None);
        assert_eq!(host.reserve(now, APART), Some(now + ms(250)));
        assert_eq!(host.reserve(now + ms(100), APART), Some(now + ms(500)));
        assert_eq!(host.reserve(now + ms(750), APART), None);
        assert_eq!(host.reserve(now + ms(750), APART), Some(now + ms(1000)));
        assert_eq!(host.reserve(now + ms(9000), APART), None);
    }

    #[tokio::test]
    async fn two_at_once_and_nobody_is_overtaken() {
        let gate = HostGate::default();
        let a = url("http://a.example/");
        let began = Instant::now();
        let held =
            [gate.turn(&a, APART, HOUR).await.unwrap(), gate.turn(&a, APART, HOUR).await.unwrap()];
        assert!(began.elapsed() >= APART);
        let (mut third, mut fourth) =
            (pin!(gate.turn(&a, APART, HOUR)), pin!(gate.turn(&a, APART, HOUR)));
        assert!(matches!(poll!(third.as_mut()), Poll::Pending));
        assert!(matches!(poll!(fourth.as_mut()), Poll::Pending));
        tokio::time::sleep_until(began + 3 * APART).await;
        assert!(matches!(poll!(third.as_mut()), Poll::Pending), "two turns are held");
        let [one, _other] = held;
        drop(one);
        assert!(matches!(poll!(fourth.as_mut()), Poll::Pending), "the third came first");
        assert!(matches!(poll!(third.as_mut()), Poll::Ready(_)));
    }

    #[tokio::test]
    async fn other_hosts_and_ports_do_not_wait() {
        let gate = HostGate::default();
        let (a, other_port, other_host) =
            (url("http://a.example/"), url("http://a.example:81/"), url("https://b.example/"));
        let turns = [
            gate.turn(&a, APART, HOUR).now_or_never(),
            gate.turn(&other_port, APART, HOUR).now_or_never(),
            gate.turn(&other_host, APART, HOUR).now_or_never(),
        ];
        assert!(turns.iter().all(|turn| matches!(turn, Some(Ok(_)))));
        assert!(
            gate.turn(&url("http://a.example:80/x"), APART, HOUR).now_or_never().is_none(),
            "the same authority by its written port"
        );
    }

    #[tokio::test]
    async fn a_canceled_wait_frees_its_slot() {
        let gate = HostGate::default();
        let a = url("http://a.example/");
        let held =
            [gate.turn(&a, APART, HOUR).await.unwrap(), gate.turn(&a, APART, HOUR).await.unwrap()];
        for _ in 0..5 {
            assert!(gate.turn(&a, APART, HOUR).now_or_never().is_none());
        }
        drop(held);
        let began = Instant::now();
        let _turn = gate.turn(&a, APART, HOUR).await.unwrap();
        assert!(began.elapsed() < 4 * APART, "places given up are not waited for");
    }

    #[test]
    fn blocks_last_and_are_not_shortened() {
        let gate = HostGate::default();
        let (a, now) = (url("http://a.example/x"), Instant::now());
        assert_eq!(gate.blocked_until(&a, HOUR), None);
        gate.block(&a, now + Duration::from_secs(30));
        gate.block(&a, now + Duration::from_secs(5));
        assert_eq!(
            gate.blocked_until(&url("http://a.example/y"), HOUR),
            Some(now + Duration::from_secs(30))
        );
        assert_eq!(gate.blocked_until(&url("http://b.example/"), HOUR), None);
        assert_eq!(gate.blocked_at(&a, HOUR, now + Duration::from_secs(31)), None);
    }

    #[test]
    fn one_path_blocks_its_host_for_a_minute_at_most() {
        let gate = HostGate::default();
        let (a, b, now) = (url("http://a.example/a"), url("http://a.example/b"), Instant::now());
        gate.block(&a, now + 24 * HOUR);
        let left = |url: &Url, most: Duration, after: Duration| {
            gate.blocked_at(url, most, now + after).map(|until| (until - now).as_secs_f64().round())
        };
        assert_eq!(left(&a, 48 * HOUR, Duration::ZERO), Some(86_400.0));
        assert_eq!(left(&a, HOUR, Duration::ZERO), Some(3600.0), "within the limit of who asks");
        assert_eq!(left(&a, HOUR, Duration::from_mins(59)), Some(3600.0), "which does not slide");
        assert_eq!(left(&a, HOUR, HOUR + APART), None);
        assert_eq!(left(&b, HOUR, Duration::ZERO), Some(60.0));
        assert_eq!(left(&b, HOUR, NEIGHBOURS + APART), None);
        assert_eq!(left(&b, Duration::from_secs(5), Duration::ZERO), Some(5.0));
        assert_eq!(left(&url("http://a.example:81/a"), HOUR, Duration::ZERO), None);
    }

    #[test]
    fn what_hosts_have_asked_for_is_taken_once_and_kept_elsewhere() {
        let (gate, other) = (HostGate::default(), HostGate::default());
        let (a, now) = (url("https://a.example/x"), Instant::now());
        gate.block(&url("https://b.example/"), now + Duration::from_secs(1));
        gate.block(&a, now + Duration::from_secs(30));
        let taken = gate.asked();
        let [(host, wait)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!((host.as_str(), wait.as_secs_f64().round()), ("a.example:443", 30.0));
        assert!(gate.asked().is_empty());
        other.hold(&url(&format!("https://{host}/")), now + *wait);
        assert!(other.blocked_until(&url("https://a.example/y"), HOUR).is_some());
        assert!(other.asked().is_empty(), "it does not come back");
    }

    #[test]
    fn no_pace_means_no_wait() {
        let (mut host, now) = (Host::new(), Instant::now());
        for _ in 0..100 {
            assert_eq!(host.reserve(now, Duration::ZERO), None);
        }
        assert_eq!(host.reserve(now, APART), Some(now + APART));
    }

    #[tokio::test]
    async fn requests_queued_behind_a_block_are_blocked_too() {
        let gate = HostGate::default();
        let a = url("http://a.example/");
        let until = Instant::now() + Duration::from_secs(30);
        let held = gate.turn(&a, APART, HOUR).await.unwrap();
        let mut second = pin!(gate.turn(&a, APART, HOUR));
        assert!(matches!(poll!(second.as_mut()), Poll::Pending), "too soon after the first");
        gate.block(&a, until);
        assert_eq!(second.await.err(), Some(until));
        drop(held);
        assert_eq!(gate.turn(&a, APART, HOUR).await.err(), Some(until));
        assert!(gate.turn(&url("http://b.example/"), APART, HOUR).await.is_ok());
    }

    #[test]
    fn what_is_not_used_is_forgotten() {
        let gate = HostGate::default();
        let (kept, now) = (url("http://kept.example/"), Instant::now());
        gate.block(&kept, now + Duration::from_hours(10));
        for n in 0..10_000 {
            gate.with(n, now + Duration::from_millis(10) * n as u32, |host, now| {
                host.reserve(now, APART)
            });
        }
        assert!(gate.remembered() <= 2 * FEWEST, "{}", gate.remembered());
        assert!(gate.blocked_until(&kept, HOUR).is_some());
    }
}
