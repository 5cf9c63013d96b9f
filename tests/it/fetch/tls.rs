//! Certificates, made by the test itself.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A TLS server for the names, by the authority, that answers the same to all.
async fn secure(authority: &CertifiedIssuer<'static, KeyPair>, names: &[&str], until: i32, answer: Vec<u8>) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream, _, seen| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                reply(stream, seen, answer).await;
            }
        }
    })
    .await
}

fn trusting(authority: &CertifiedIssuer<'static, KeyPair>) -> Client {
    Client::new(ClientOptions { extra_roots: vec![authority.der().to_vec()], ..options() }).unwrap()
}

fn https(server: &Server) -> Url {
    Url::parse(&format!("https://localhost:{}/", server.address.port())).unwrap()
}

#[tokio::test]
async fn a_certificate_is_good_or_says_why_not() {
    let authority = authority();
    let ok = response("200 OK", "", b"{}");
    let good = secure(&authority, &["localhost"], 2090, ok.clone()).await;
    assert_eq!(body(&trusting(&authority), request(&https(&good))).await.document.body.as_ref(), b"{}");
    let expired = secure(&authority, &["localhost"], 2001, ok.clone()).await;
    let wrong = secure(&authority, &["other.test"], 2090, ok.clone()).await;
    for (client, server, reason) in [
        (trusting(&authority), &expired, "certificate expired"),
        (trusting(&authority), &wrong, "certificate for a wrong name"),
        (client(), &good, "certificate of an unknown authority"),
    ] {
        let failed = failure(&client, request(&https(server))).await;
        assert_eq!((failed.kind, failed.message.as_str()), (FailureKind::Tls, reason));
    }
    assert_eq!(good.requests().len() + expired.requests().len() + wrong.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls() {
    let plain = serve(|mut stream, _, _| async move {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
    })
    .await;
    let failed = failure(&client(), request(&https(&plain))).await;
    assert_eq!(failed.kind, FailureKind::Tls, "{failed}");
    assert!(failed.message.starts_with("handshake: "), "{failed}");
}

#[tokio::test]
async fn https_does_not_lead_to_http() {
    let authority = authority();
    let trap = fixed(response("200 OK", "", b"{}")).await;
    let server =
        secure(&authority, &["localhost"], 2090, response("301 Moved", &format!("Location: {}\r\n", trap.url("/")), b"")).await;
    let url = https(&server);
    let failed = failure(&trusting(&authority), Request { allow_private: true, ..request(&url) }).await;
    assert_eq!(failed.kind, FailureKind::InsecureRedirect);
    assert_eq!(trap.connections(), 0);
}
