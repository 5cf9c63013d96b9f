//! A throwaway certificate authority for TLS tests on loopback.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;

/// Why a certificate could not be created.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Creating the certificate failed.
    #[error("cannot create a certificate")]
    Certificate(#[from] rcgen::Error),
    /// Configuring the server failed.
    #[error("cannot use the certificate")]
    Config(#[from] rustls::Error),
}

/// A defect of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateFlaw {
    /// Nothing.
    #[default]
    None,
    /// It expired in 2020.
    Expired,
    /// It is for another host name.
    WrongName,
    /// No authority signed it.
    SelfSigned,
}

/// A certificate authority. A client trusts it through its [`Authority::pem`].
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    /// Creates an authority with a new key.
    pub fn new() -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "statuswatch throw-away authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Returns its certificate in PEM, for `SSL_CERT_FILE` or a client's root store.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the TLS configuration of a server at `address` (and `localhost`).
    pub(super) fn server(
        &self,
        address: IpAddr,
        flaw: CertificateFlaw,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let names = if flaw == CertificateFlaw::WrongName {
            vec!["elsewhere.example".to_owned()]
        } else {
            vec!["localhost".to_owned(), address.to_string()]
        };
        let mut params = CertificateParams::new(names)?;
        if flaw == CertificateFlaw::Expired {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate()?;
        let certificate = if flaw == CertificateFlaw::SelfSigned {
            params.self_signed(&key)?
        } else {
            params.signed_by(&key, &self.issuer)?
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())?;
        Ok(Arc::new(config))
    }
}
