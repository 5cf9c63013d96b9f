//! What pollers see of the network, shared between them and the ledger: which hosts answer, which
//! providers cannot be read, and whether we are offline. The decisions are those of
//! [`super::connectivity`] and [`super::failures`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use url::{Host, Url};

use super::connectivity::{self, Beginning, Cause};
use super::failures::{Failures, Line, Subject};
use crate::config::Provider;

/// The network as the pollers see it; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Network(Arc<Mutex<Failures>>);

/// A poll that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Polled<'a> {
    /// The provider's id.
    pub provider: &'a str,
    /// The document that was asked for.
    pub url: &'a Url,
    /// The source that reads it, where it is known.
    pub source: Option<&'static str>,
}

/// What has become of our network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// It went down.
    Offline {
        /// When the first host did not answer any more.
        since: Instant,
        /// What is seen: `names do not resolve: 140 of 142 providers fail`.
        seen: String,
    },
    /// It is back.
    Online {
        /// When the first host answered again.
        until: Instant,
        /// How many of how many providers cannot be read yet.
        failing: (usize, usize),
    },
}

/// A look at the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// It has gone down or is back, which has not been recorded yet.
    pub(super) turn: Option<Turn>,
    /// It is suspected or known to be down: no provider is called unreachable.
    pub(super) holds: bool,
    /// It is known to be down, recorded or not.
    pub(super) offline: bool,
}

impl Network {
    /// The provider was read.
    pub fn read(&self, poll: Polled<'_>) {
        self.on(poll, |failures, subject| failures.read(subject, Instant::now()));
    }

    /// The provider's host answered; what it said could not be recorded.
    pub fn answered(&self, poll: Polled<'_>) {
        self.on(poll, |failures, subject| {
            failures.answered(subject, Instant::now());
            Vec::new()
        });
    }

    /// The provider could not be read; `cause`: its host gave no answer.
    pub fn failed(&self, poll: Polled<'_>, cause: Option<Cause>, reason: &str) {
        self.on(poll, |failures, subject| {
            failures.failed(subject, cause, reason, Instant::now());
            Vec::new()
        });
    }

    /// The provider was failing when its poller began, which has been said.
    pub fn resume(&self, provider: &str) {
        self.lock().resume(provider, Instant::now());
    }

    /// Whether our own network is known to be down.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.lock().offline
    }

    /// The providers watched from now on.
    pub(super) fn watch(&self, providers: &[Arc<Provider>]) {
        let hosts: Vec<String> = providers.iter().map(|provider| host_of(&provider.url)).collect();
        let ids = providers.iter().map(|provider| provider.id.as_str());
        self.lock().watch(ids.zip(hosts.iter().map(String::as_str)));
    }

    /// What the database says at the start.
    pub(super) fn restore(&self, offline: bool) {
        let mut failures = self.lock();
        if offline && !failures.offline {
            failures.offline = true;
            failures.restored = true;
        }
    }

    /// What has become of the network by now.
    pub(super) fn look(&self, now: Instant) -> Look {
        let failures = self.lock();
        if failures.is_quiet() {
            return Look { turn: None, holds: false, offline: false };
        }
        let hosts = failures.hosts();
        if failures.offline {
            let turn = connectivity::end(&hosts, now)
                .map(|until| Turn::Online { until, failing: failures.count() });
            return Look { turn, holds: true, offline: true };
        }
        match connectivity::beginning(&hosts, now) {
            Beginning::Fine => Look { turn: None, holds: false, offline: false },
            Beginning::Suspected => Look { turn: None, holds: true, offline: false },
            Beginning::Offline { since } => {
                let seen = seen(failures.seen(since), failures.count().1);
                Look { turn: Some(Turn::Offline { since, seen }), holds: true, offline: true }
            }
        }
    }

    /// It is on disk that the network went down, or is back.
    pub(super) fn went(&self, offline: bool) {
        self.lock().went(offline);
    }

    /// Says what is to be said of failures; `last`: there is no later.
    pub(super) fn say(&self, look: &Look, last: bool) {
        let lines = self.lock().lines(Instant::now(), look, last);
        lines.into_iter().for_each(Line::say);
    }

    /// What the event that a provider cannot be read says of the others.
    pub(super) fn context(&self, provider: &str) -> Option<String> {
        self.lock().context(provider)
    }

    fn on(&self, poll: Polled<'_>, act: impl FnOnce(&mut Failures, Subject<'_>) -> Vec<Line>) {
        let host = host_of(poll.url);
        let subject = Subject { provider: poll.provider, host: &host, source: poll.source };
        let lines = act(&mut self.lock(), subject);
        // Not under the lock: a slow terminal would hold up everybody.
        lines.into_iter().for_each(Line::say);
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        // No code under this lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn say(self) {
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

/// `names do not resolve, requests time out: 140 of 142 providers fail`; where not all of them have
/// been asked since, `33 of the 33 providers asked since fail`.
fn seen((failing, asked, causes): (usize, usize, Vec<Cause>), all: usize) -> String {
    let causes: Vec<&str> = causes.into_iter().map(Cause::seen).collect();
    let causes = causes.join(", ");
    if asked < all {
        format!("{causes}: {failing} of the {asked} providers asked since fail")
    } else {
        format!("{causes}: {failing} of {asked} providers fail")
    }
}

/// The host that answers for an address. Behind each port of a loopback address is another service,
/// perhaps at the far end of a tunnel; elsewhere a host is one machine.
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
