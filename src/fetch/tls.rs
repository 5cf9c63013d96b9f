//! Whom to trust, and sessions to resume.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};

use super::sessions::Sessions;
use crate::clock;

/// The clock by which certificates are judged is that of everything else.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        u64::try_from(clock::now().timestamp())
            .ok()
            .map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A TLS configuration that trusts the system's roots (those of `SSL_CERT_FILE` where it is set),
/// else the built-in ones, and `extra`; and resumes sessions with up to `max_hosts` hosts.
pub(super) fn config(extra: &[Vec<u8>], max_hosts: usize) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some root certificates of the system cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::info!("no root certificates found on this system: using the built-in ones");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for der in extra {
        roots.add(CertificateDer::from(der.clone()))?;
    }
    let mut config =
        ClientConfig::builder_with_details(Arc::new(ring::default_provider()), Arc::new(Clock))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    // A configuration given to the HTTP library is taken as it is: without this there is no HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::store(Arc::new(Sessions::new(max_hosts.clamp(32, 100_000))));
    Ok(config)
}
