//! Politeness to hosts: whose turn it is, and who asked to be left alone.
//!
//! Per authority (host and port) at most two requests run at once, polls start 250 ms apart, the
//! further requests of a poll 50 ms, and those who wait are served in the order they came. A host
//! that is alone with its provider costs one lock and no timer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Requests to one authority at once.
const AT_ONCE: usize = 2;
/// Between a start and that of the next poll at one authority.
const APART: Duration = Duration::from_millis(250);
/// Between a start and that of a further request of a poll: what has changed should be told at
/// once.
const FOLLOWING: Duration = Duration::from_millis(50);
/// Below so many entries nothing is cleared away.
const FEWEST: usize = 256;

/// Turns at every host, and the hosts that want none.
#[derive(Debug, Default)]
pub struct HostGate {
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    /// By the hash of the authority: no text is kept, and none is made to look one up.
    map: HashMap<u128, Host>,
    /// At so many entries those without recent use are cleared away.
    clear_at: usize,
}

#[derive(Debug)]
struct Host {
    slots: Arc<Semaphore>,
    last_start: Option<Instant>,
    blocked_until: Option<Instant>,
}

impl Host {
    fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(AT_ONCE)), last_start: None, blocked_until: None }
    }

    /// Whether forgetting it would change anything.
    fn in_use(&self, now: Instant) -> bool {
        Arc::strong_count(&self.slots) > 1
            || self.last_start.is_some_and(|last| last + APART > now)
            || self.blocked_until.is_some_and(|until| until > now)
    }
}

/// A turn at a host; dropping it ends the turn.
#[derive(Debug)]
pub struct Turn {
    _slot: Option<OwnedSemaphorePermit>,
}

impl HostGate {
    /// Waits for a turn at the address's authority; an error: until when it asked to be left alone.
    /// Dropping the future gives the place up. `following`: a further request of a poll that has
    /// its first answer.
    pub async fn turn(&self, url: &Url, following: bool) -> Result<Turn, Instant> {
        let key = key(url);
        let apart = if following { FOLLOWING } else { APART };
        let (slots, slot) = self.with(key, Instant::now(), |host, now| {
            if let Some(until) = host.blocked(now) {
                return Err(until);
            }
            Ok(match Arc::clone(&host.slots).try_acquire_owned() {
                // The semaphore hands freed slots to those who wait, so nobody is overtaken here.
                Ok(slot) => (None, Some((slot, host.reserve(now, apart)))),
                Err(_) => (Some(Arc::clone(&host.slots)), None),
            })
        })?;
        let waits = slots.is_some();
        let (slot, start) = match (slot, slots) {
            (Some((slot, start)), _) => (Some(slot), start),
            (None, Some(slots)) => {
                // The semaphore is never closed: an error cannot come, and would let the request
                // pass.
                let slot = slots.acquire_owned().await.ok();
                (slot, self.with(key, Instant::now(), |host, now| host.reserve(now, apart)))
            }
            (None, None) => (None, None),
        };
        if let Some(start) = start {
            tokio::time::sleep_until(start).await;
        }
        // Those who waited behind the request that was told to stay away stay away as well.
        if (waits || start.is_some())
            && let Some(until) = self.blocked_at(key, Instant::now())
        {
            return Err(until);
        }
        Ok(Turn { _slot: slot })
    }

    /// Until when the authority asked to be left alone.
    #[must_use]
    pub fn blocked_until(&self, url: &Url) -> Option<Instant> {
        self.blocked_at(key(url), Instant::now())
    }

    fn blocked_at(&self, key: u128, now: Instant) -> Option<Instant> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.map.get(&key)?.blocked(now)
    }

    /// Leaves the authority alone until then; never shortens what was asked before.
    pub fn block(&self, url: &Url, until: Instant) {
        self.with(key(url), Instant::now(), |host, _| {
            host.blocked_until = host.blocked_until.max(Some(until));
        });
    }

    /// How many authorities are remembered.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).map.len()
    }

    fn with<T>(&self, key: u128, now: Instant, act: impl FnOnce(&mut Host, Instant) -> T) -> T {
        // No code under this lock can leave a host half changed.
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.map.len() >= hosts.clear_at.max(FEWEST) {
            hosts.map.retain(|_, host| host.in_use(now));
            hosts.clear_at = hosts.map.len() * 2;
        }
        act(hosts.map.entry(key).or_insert_with(Host::new), now)
    }
}

impl Host {
    /// Until when it asked to be left alone.
    fn blocked(&self, now: Instant) -> Option<Instant> {
        self.blocked_until.filter(|until| *until > now)
    }

    /// Takes the next start; `None`: right now.
    fn reserve(&mut self, now: Instant, apart: Duration) -> Option<Instant> {
        let start = self.last_start.map_or(now, |last| now.max(last + apart));
        self.last_start = Some(start);
        (start > now).then_some(start)
    }
}

fn key(url: &Url) -> u128 {
    let port = url.port_or_known_default().unwrap_or_default();
    xxh3_128_with_seed(url.host_str().unwrap_or_default().as_bytes(), u64::from(port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, poll};
    use std::pin::pin;
    use std::task::Poll;

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
        let held = [gate.turn(&a, false).await.unwrap(), gate.turn(&a, false).await.unwrap()];
        assert!(began.elapsed() >= APART);
        let (mut third, mut fourth) = (pin!(gate.turn(&a, false)), pin!(gate.turn(&a, false)));
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
            gate.turn(&a, false).now_or_never(),
            gate.turn(&other_port, false).now_or_never(),
            gate.turn(&other_host, false).now_or_never(),
        ];
        assert!(turns.iter().all(|turn| matches!(turn, Some(Ok(_)))));
        assert!(
            gate.turn(&url("http://a.example:80/x"), false).now_or_never().is_none(),
            "the same authority by its written port"
        );
    }

    #[tokio::test]
    async fn one_who_gives_up_leaves_no_hole() {
        let gate = HostGate::default();
        let a = url("http://a.example/");
        let held = [gate.turn(&a, false).await.unwrap(), gate.turn(&a, false).await.unwrap()];
        for _ in 0..5 {
            assert!(gate.turn(&a, false).now_or_never().is_none());
        }
        drop(held);
        let began = Instant::now();
        let _turn = gate.turn(&a, false).await.unwrap();
        assert!(began.elapsed() < 4 * APART, "places given up are not waited for");
    }

    #[test]
    fn blocks_last_and_are_not_shortened() {
        let gate = HostGate::default();
        let (a, now) = (url("http://a.example/x"), Instant::now());
        assert_eq!(gate.blocked_until(&a), None);
        gate.block(&a, now + Duration::from_secs(30));
        gate.block(&a, now + Duration::from_secs(5));
        assert_eq!(
            gate.blocked_until(&url("http://a.example/y")),
            Some(now + Duration::from_secs(30))
        );
        assert_eq!(gate.blocked_until(&url("http://b.example/")), None);
        assert_eq!(gate.blocked_at(key(&a), now + Duration::from_secs(30)), None);
    }

    #[tokio::test]
    async fn whoever_waits_behind_a_block_is_kept_away_too() {
        let gate = HostGate::default();
        let a = url("http://a.example/");
        let until = Instant::now() + Duration::from_secs(30);
        let held = gate.turn(&a, false).await.unwrap();
        let mut second = pin!(gate.turn(&a, false));
        assert!(matches!(poll!(second.as_mut()), Poll::Pending), "too soon after the first");
        gate.block(&a, until);
        assert_eq!(second.await.err(), Some(until));
        drop(held);
        assert_eq!(gate.turn(&a, false).await.err(), Some(until));
        assert!(gate.turn(&url("http://b.example/"), false).await.is_ok());
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
        assert!(gate.blocked_until(&kept).is_some());
    }
}
