//! Names to addresses: asked of the system on few threads, remembered briefly, and without the
//! addresses nobody may be led to.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::address::is_private;

/// How long an answer is used again: providers of one host ask once, and a name that moves is
/// followed soon.
const FRESH: Duration = Duration::from_secs(30);
/// Questions to the system at once; each holds a thread until it is answered.
const AT_ONCE: usize = 32;
/// At so many names the stale ones are cleared away.
const CLEAR_AT: usize = 1024;
/// Addresses kept of one name.
const MOST: usize = 16;

/// The names of one process.
pub(super) struct Names {
    /// Answered from here, as a hosts file would.
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
    /// Not a source: what it says beyond this is how the system puts it.
    pub(super) error: io::Error,
}

/// What the resolver's answer means for a person: the name is wrong, or nobody could be asked.
fn unresolved(name: &str, error: &io::Error) -> String {
    let text = error.to_string();
    // The words of getaddrinfo, which are all that is handed on of its code; musl's, then glibc's.
    if ["Try again", "Temporary failure"].iter().any(|words| text.contains(words)) {
        format!("no name server answers for {name}")
    } else {
        format!("the name {name} does not resolve")
    }
}

/// The name leads to private addresses alone.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to the private address {0}")]
pub(super) struct LeadsInside(IpAddr);

impl Names {
    pub(super) fn new(fixed: HashMap<String, Vec<IpAddr>>) -> Arc<Self> {
        Arc::new(Self { fixed, fresh: Mutex::default(), asking: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Asks again next time: the address did not answer.
    pub(super) fn forget(&self, name: &str) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).map.remove(name);
    }

    async fn addresses(&self, name: &str) -> Result<Arc<[IpAddr]>, NoAddress> {
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
        // Another request may have asked meanwhile.
        if let Some(known) = self.known(name) {
            return Ok(known);
        }
        let asked = name.to_owned();
        // The permit goes with the thread: one who gives up waiting does not make room for a
        // further thread.
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
    /// Shared by all.
    pub(super) names: Arc<Names>,
    /// Whether private addresses are left out.
    pub(super) guarded: bool,
    /// The user's own proxies, which may well be private.
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
