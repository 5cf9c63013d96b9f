//! TLS configuration: trusted roots and session resumption.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};

use super::sessions::Sessions;
use crate::clock;

/// Certificates are checked against the program's own clock.
#[derive(Debug)]
struct Clock;

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        u64::try_from(clock::now().timestamp())
            .ok()
            .map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Builds a TLS configuration that trusts the system's roots (those in `SSL_CERT_FILE` if it is
/// set), else the built-in ones, and `extra`, and that resumes sessions with up to `max_hosts`
/// hosts.
pub(super) fn config(extra: &[Vec<u8>], max_hosts: usize) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "cannot read some of the system's root certificates");
    }
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::info!("no root certificates found on this system; using the built-in ones");
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
    // The HTTP library uses this configuration as it is; without ALPN there would be no HTTP/2.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.resumption = Resumption::store(Arc::new(Sessions::new(max_hosts.clamp(32, 100_000))));
    Ok(config)
}
