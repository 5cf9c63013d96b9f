//! Name resolution: a few threads ask the system resolver, answers are cached briefly, and blocked
//! addresses are filtered out.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::address::is_private;

/// How long an answer is cached: providers on one host share a lookup, and a name that moves is
/// followed soon.
const FRESH: Duration = Duration::from_secs(30);
/// Parallel lookups; each holds a thread until it is answered.
const AT_ONCE: usize = 32;
/// At this many names, stale ones are evicted.
const CLEAR_AT: usize = 1024;
/// Maximum number of addresses kept per name.
const MOST: usize = 16;

/// The name cache of the process.
pub(super) struct Names {
    /// Answered from this map, like a hosts file.
    fixed: HashMap<String, Vec<IpAddr>>,
    fresh: Mutex<Fresh>,
    asking: Arc<Semaphore>,
}

#[derive(Default)]
struct Fresh {
    map: HashMap<Box<str>, (Instant, Arc<[IpAddr]>)>,
    clear_at: usize,
}

/// The name does not resolve.
#[derive(Debug, thiserror::Error)]
#[error("{}", unresolved(name, error))]
pub(super) struct NoAddress {
    pub(super) name: String,
    /// Not a `source`: its text beyond this message is system-specific.
    pub(super) error: io::Error,
}

/// Explains the resolver's error: the name is wrong, or no name server could be reached.
fn unresolved(name: &str, error: &io::Error) -> String {
    let text = error.to_string();
    // The text of getaddrinfo is all that remains of its error code; musl's, then glibc's.
    if ["Try again", "Temporary failure"].iter().any(|words| text.contains(words)) {
        format!("no name server answered for {name}")
    } else {
        format!("the name {name} does not resolve")
    }
}

/// The name resolves to private addresses only.
#[derive(Debug, thiserror::Error)]
#[error("the name resolves to the private address {0}")]
pub(super) struct LeadsInside(IpAddr);

impl Names {
    pub(super) fn new(fixed: HashMap<String, Vec<IpAddr>>) -> Arc<Self> {
        Arc::new(Self { fixed, fresh: Mutex::default(), asking: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Drops a cached answer, because the address did not respond.
    pub(super) fn forget(&self, name: &str) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).map.remove(name);
    }

    /// Returns the addresses of a name; not empty.
    pub(super) async fn addresses(&self, name: &str) -> Result<Arc<[IpAddr]>, NoAddress> {
        if let Some(fixed) = self.fixed.get(name) {
            return Ok(Arc::from(fixed.as_slice()));
        }
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let failed = |error: io::Error| NoAddress { name: name.to_owned(), error };
        let permit = Arc::clone(&self.asking)
            .acquire_owned()
            .await
            .map_err(|_| failed(io::ErrorKind::Other.into()))?;
        // Another request may have looked it up meanwhile.
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let asked = name.to_owned();
        // The permit moves to the thread: a caller that gives up must not make room for another
        // thread.
        let found = tokio::task::spawn_blocking(move || {
            let found = (asked.as_str(), 0)
                .to_socket_addrs()
                .map(|found| found.map(|a| a.ip()).take(MOST).collect::<Vec<_>>());
            drop(permit);
            found
        });
        let found: Arc<[IpAddr]> =
            found.await.map_err(|e| failed(e.into()))?.map_err(failed)?.into();
        if found.is_empty() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let now = Instant::now();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.map.len() >= fresh.clear_at.max(CLEAR_AT) {
            fresh.map.retain(|_, (until, _)| *until > now);
            fresh.clear_at = fresh.map.len() * 2;
        }
        fresh.map.insert(name.into(), (now + FRESH, Arc::clone(&found)));
        Ok(found)
    }

    fn known(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, found) = fresh.map.get(name)?;
        (*until > Instant::now()).then(|| Arc::clone(found))
    }
}

/// The resolver of one inner client.
#[derive(Clone)]
pub(super) struct Resolver {
    /// The shared name cache.
    pub(super) names: Arc<Names>,
    /// Whether private addresses are filtered out.
    pub(super) guarded: bool,
    /// The user's own proxies, which may be private.
    pub(super) exempt: Arc<HashSet<String>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let name = name.as_str();
            let found = this.names.addresses(name).await?;
            let all = !this.guarded || this.exempt.contains(name);
            let allowed: Vec<SocketAddr> = found
                .iter()
                .filter(|ip| all || !is_private(**ip))
                .map(|ip| SocketAddr::new(*ip, 0))
                .collect();
            match found.first() {
                Some(inside) if allowed.is_empty() => Err(LeadsInside(*inside).into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
