//! The pollers' view of the network, shared with the ledger: which hosts respond, which providers
//! cannot be read, and whether we are offline. The decisions are made in [`super::connectivity`]
//! and [`super::failures`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use url::{Host, Url};

use super::connectivity::{self, Beginning, Cause};
use super::failures::{Failures, Line, Subject};
use crate::config::Provider;

/// The network as seen by the pollers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Network(Arc<Mutex<Failures>>);

/// A finished poll.
#[derive(Debug, Clone, Copy)]
pub struct Polled<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The requested document.
    pub url: &'a Url,
    /// The source that reads it, if known.
    pub source: Option<&'static str>,
}

/// A change of our network state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Transition {
    /// It went down.
    Offline {
        /// When the first host stopped responding.
        since: Instant,
        /// The symptoms: `names do not resolve: 140 of 142 providers fail`.
        seen: String,
    },
    /// It is back.
    Online {
        /// When the first host responded again.
        until: Instant,
        /// How many providers still cannot be read, and how many there are.
        failing: (usize, usize),
    },
}

/// An evaluation of the network state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetworkState {
    /// A change that has not been recorded yet.
    pub(super) transition: Option<Transition>,
    /// Whether it is suspected or known to be down: no provider is reported as unreachable.
    pub(super) holds_back: bool,
    /// Whether it is known to be down, recorded or not.
    pub(super) offline: bool,
}

impl Network {
    /// The provider was read.
    pub fn read(&self, poll: Polled<'_>) {
        self.on(poll, |failures, subject| failures.read(subject, Instant::now()));
    }

    /// The provider's host responded, but the result could not be recorded.
    pub fn answered(&self, poll: Polled<'_>) {
        self.on(poll, |failures, subject| {
            failures.answered(subject, Instant::now());
            Vec::new()
        });
    }

    /// The provider could not be read. `cause` is set if its host did not respond.
    pub fn failed(&self, poll: Polled<'_>, cause: Option<Cause>, reason: &str) {
        self.on(poll, |failures, subject| {
            failures.failed(subject, cause, reason, Instant::now());
            Vec::new()
        });
    }

    /// The provider was already failing, and reported as such, when its poller started.
    pub fn resume(&self, provider: &str) {
        self.lock().resume(provider, Instant::now());
    }

    /// Returns whether our own network is known to be down.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.lock().offline
    }

    /// Sets the watched providers.
    pub(super) fn watch(&self, providers: &[Arc<Provider>]) {
        let hosts: Vec<String> = providers.iter().map(|provider| host_of(&provider.url)).collect();
        let ids = providers.iter().map(|provider| provider.id.as_str());
        self.lock().watch(ids.zip(hosts.iter().map(String::as_str)));
    }

    /// Restores the persisted state at startup.
    pub(super) fn restore(&self, offline: bool) {
        let mut failures = self.lock();
        if offline && !failures.offline {
            failures.offline = true;
            failures.restored = true;
        }
    }

    /// Evaluates the network state at `now`.
    pub(super) fn evaluate(&self, now: Instant) -> NetworkState {
        let failures = self.lock();
        if failures.is_quiet() {
            return NetworkState { transition: None, holds_back: false, offline: false };
        }
        let hosts = failures.hosts();
        if failures.offline {
            let transition = connectivity::end(&hosts, now)
                .map(|until| Transition::Online { until, failing: failures.count() });
            return NetworkState { transition, holds_back: true, offline: true };
        }
        match connectivity::beginning(&hosts, now) {
            Beginning::Fine => NetworkState { transition: None, holds_back: false, offline: false },
            Beginning::Suspected => {
                NetworkState { transition: None, holds_back: true, offline: false }
            }
            Beginning::Offline { since } => {
                let seen = seen(failures.seen(since), failures.count().1);
                NetworkState {
                    transition: Some(Transition::Offline { since, seen }),
                    holds_back: true,
                    offline: true,
                }
            }
        }
    }

    /// Applies a committed change of the network state.
    pub(super) fn set_offline(&self, offline: bool) {
        self.lock().set_offline(offline);
    }

    /// Logs pending failure messages. `last`: there will be no later call.
    pub(super) fn log_failures(&self, state: &NetworkState, last: bool) {
        let lines = self.lock().lines(Instant::now(), state, last);
        lines.into_iter().for_each(Line::log);
    }

    /// Describes the other failing providers for an unreachable event.
    pub(super) fn context(&self, provider: &str) -> Option<String> {
        self.lock().context(provider)
    }

    fn on(&self, poll: Polled<'_>, act: impl FnOnce(&mut Failures, Subject<'_>) -> Vec<Line>) {
        let host = host_of(poll.url);
        let subject = Subject { provider: poll.provider, host: &host, source: poll.source };
        let lines = act(&mut self.lock(), subject);
        // Log without holding the lock: a slow terminal must not block the pollers.
        lines.into_iter().for_each(Line::log);
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        // No code under this lock can leave the data inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn log(self) {
        match self {
            Self::Failing { provider, reason } => {
                tracing::warn!(provider, reason, "cannot be read");
            }
            Self::SeveralFailing { providers, reasons } => {
                tracing::warn!(reason = reasons, "{providers} cannot be read");
            }
            Self::Back { provider } => tracing::warn!(provider, "can be read again"),
            Self::GroupFailing { group, reason } => {
                tracing::warn!(reason, "{group} cannot be read");
            }
            Self::GroupBack { group, except: None } => {
                tracing::warn!("{group} can be read again");
            }
            Self::GroupBack { group, except: Some(except) } => {
                tracing::warn!("{group} can be read again, except {except}");
            }
        }
    }
}

/// Describes the symptoms: `names do not resolve, requests time out: 140 of 142 providers fail`, or
/// `33 of the 33 providers asked since fail` if not all of them have been polled since.
fn seen((failing, asked, causes): (usize, usize, Vec<Cause>), all: usize) -> String {
    let causes: Vec<&str> = causes.into_iter().map(Cause::seen).collect();
    let causes = causes.join(", ");
    if asked < all {
        format!("{causes}: {failing} of the {asked} providers asked since fail")
    } else {
        format!("{causes}: {failing} of {asked} providers fail")
    }
}

/// Returns the host of a URL. Each port of a loopback address is a separate host, because it may be
/// a tunnel; elsewhere a host is one machine.
fn host_of(url: &Url) -> String {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default().filter(|_| loopback) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_hosts_on_loopback_alone() {
        let host = |url: &str| host_of(&url.parse().unwrap());
        assert_eq!(host("http://127.0.0.1:8080/a"), "127.0.0.1:8080");
        assert_eq!(host("http://[::1]/a"), "[::1]:80");
        assert_eq!(host("http://a.localhost/"), "a.localhost:80");
        assert_eq!(host("https://status.acme.example:8443/"), "status.acme.example");
    }

    #[test]
    fn what_is_seen_is_a_sentence() {
        assert_eq!(
            seen((140, 142, vec![Cause::Name, Cause::Silence]), 142),
            "names do not resolve, requests time out: 140 of 142 providers fail"
        );
        assert_eq!(
            seen((33, 33, vec![Cause::Connection]), 40),
            "connections cannot be made: 33 of the 33 providers asked since fail"
        );
    }
}
