//! TLS sessions for resumption, one per host.
//!
//! A provider is polled over one connection at a time, so only its newest ticket is useful. The
//! library's own store reserves room for eight per host, a kilobyte that ten thousand hosts never
//! need.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;

/// The newest session of each host, for at most `most` hosts.
#[derive(Debug)]
pub(super) struct Sessions {
    most: usize,
    hosts: Mutex<HashMap<ServerName<'static>, Session>>,
}

#[derive(Debug, Default)]
struct Session {
    group: Option<NamedGroup>,
    // Boxed: each host has at most one of the two.
    tls12: Option<Box<Tls12ClientSessionValue>>,
    tls13: Option<Box<Tls13ClientSessionValue>>,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), hosts: Mutex::default() }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<ServerName<'static>, Session>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, host: ServerName<'static>, put: impl FnOnce(&mut Session)) {
        let mut hosts = self.hosts();
        if hosts.len() >= self.most && !hosts.contains_key(&host) {
            // Which host is evicted does not matter: it costs that host one full handshake.
            let other = hosts.keys().next().cloned();
            other.and_then(|other| hosts.remove(&other));
        }
        put(hosts.entry(host).or_default());
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, host: ServerName<'static>, group: NamedGroup) {
        self.put(host, |session| session.group = Some(group));
    }

    fn kx_hint(&self, host: &ServerName<'_>) -> Option<NamedGroup> {
        self.hosts().get(host).and_then(|session| session.group)
    }

    fn set_tls12_session(&self, host: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.put(host, |session| session.tls12 = Some(Box::new(value)));
    }

    fn tls12_session(&self, host: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.hosts().get(host).and_then(|session| session.tls12.as_deref().cloned())
    }

    fn remove_tls12_session(&self, host: &ServerName<'static>) {
        if let Some(session) = self.hosts().get_mut(host) {
            session.tls12 = None;
        }
    }

    fn insert_tls13_ticket(&self, host: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.put(host, |session| session.tls13 = Some(Box::new(value)));
    }

    fn take_tls13_ticket(&self, host: &ServerName<'_>) -> Option<Tls13ClientSessionValue> {
        // Each ticket is used once, so an observer cannot link two connections to one client.
        self.hosts()
            .get_mut(&host.to_owned())
            .and_then(|session| session.tls13.take())
            .map(|value| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_bounded_and_each_is_remembered() {
        let sessions = Sessions::new(3);
        let host = |n: usize| ServerName::try_from(format!("status-{n}.acme.example")).unwrap();
        for n in 0..10 {
            sessions.set_kx_hint(host(n), NamedGroup::X25519);
            assert_eq!(sessions.kx_hint(&host(n)), Some(NamedGroup::X25519));
        }
        assert_eq!(sessions.hosts().len(), 3);
        assert!(
            sessions.take_tls13_ticket(&host(9)).is_none()
                && sessions.tls12_session(&host(9)).is_none()
        );
        sessions.remove_tls12_session(&host(9));
    }
}
