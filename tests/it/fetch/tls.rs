//! TLS, with certificates made by the test itself.

use std::convert::Infallible;
use std::io;

use futures::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{HandshakeKind, ServerConfig};

use super::*;

pub(crate) fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Builds the acceptor of a TLS server for these names, signed by the authority.
pub(crate) fn acceptor(
    authority: &CertifiedIssuer<'static, KeyPair>,
    names: &[&str],
    until: i32,
    protocol: &[u8],
) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            .unwrap();
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, authority).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Starts a TLS server that answers every request identically.
async fn secure(
    authority: &CertifiedIssuer<'static, KeyPair>,
    names: &[&str],
    until: i32,
    answer: Vec<u8>,
) -> Server {
    let acceptor = acceptor(authority, names, until, b"http/1.1");
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

pub(crate) fn trusting(authority: &CertifiedIssuer<'static, KeyPair>) -> Client {
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
    assert_eq!(
        body(&trusting(&authority), request(&https(&good))).await.document.body.as_ref(),
        b"{}"
    );
    let expired = secure(&authority, &["localhost"], 2001, ok.clone()).await;
    let wrong = secure(&authority, &["other.test"], 2090, ok.clone()).await;
    for (client, server, reason) in [
        (trusting(&authority), &expired, "certificate expired"),
        (trusting(&authority), &wrong, "certificate for another name"),
        (client(), &good, "certificate signed by an unknown authority"),
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
    assert!(failed.message.starts_with("TLS handshake: "), "{failed}");
}

/// A server that supports TLS 1.1 at most: it rejects us, or responds in its own version anyway.
#[tokio::test]
async fn a_server_that_speaks_an_old_tls_alone() {
    // A fatal alert: protocol version.
    let refusal = vec![0x15, 3, 2, 0, 2, 2, 70];
    // A ServerHello of version 1.1 that selects TLS_RSA_WITH_AES_128_CBC_SHA, without session and
    // extensions.
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    for answer in [refusal, hello] {
        let server = serve(move |mut stream, _, seen| {
            let answer = answer.clone();
            async move {
                let mut bytes = vec![0; 4096];
                let read = stream.read(&mut bytes).await.unwrap();
                bytes.truncate(read);
                stream.write_all(&answer).await.ok();
                // The client's alert and the end of the connection follow.
                stream.read_to_end(&mut bytes).await.ok();
                seen.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
            }
        })
        .await;
        let failed = failure(&client(), request(&https(&server))).await;
        assert_eq!(failed.kind, FailureKind::Tls, "{failed}");
        assert!(failed.message.starts_with("TLS handshake: "), "{failed}");
        assert_eq!(server.connections(), 1, "no second try with less");
        assert!(!server.requests().concat().contains("GET"), "nothing is asked over it");
    }
}

#[tokio::test]
async fn https_does_not_lead_to_http() {
    let authority = authority();
    let trap = fixed(response("200 OK", "", b"{}")).await;
    let server = secure(
        &authority,
        &["localhost"],
        2090,
        response("301 Moved", &format!("Location: {}\r\n", trap.url("/")), b""),
    )
    .await;
    let url = https(&server);
    let failed =
        failure(&trusting(&authority), Request { allow_private: true, ..request(&url) }).await;
    assert_eq!(failed.kind, FailureKind::InsecureRedirect);
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn http2_is_spoken_where_offered_and_a_reset_stream_is_incomplete() {
    let authority = authority();
    let acceptor = acceptor(&authority, &["localhost"], 2090, b"h2");
    let server = serve(move |stream, _, seen| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(move |asked: hyper::Request<hyper::body::Incoming>| {
                seen.lock().unwrap().push(format!("{:?} {}", asked.version(), asked.uri().path()));
                let mut pieces = vec![Ok(Frame::data(Bytes::from_static(b"{}")))];
                if asked.uri().path() == "/cut" {
                    // An error in the body resets the stream.
                    pieces.push(Err(io::Error::other("cut")));
                }
                async {
                    Ok::<_, Infallible>(hyper::Response::new(StreamBody::new(stream::iter(pieces))))
                }
            });
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            connection.serve_connection(TokioIo::new(stream), service).await.ok();
        }
    })
    .await;
    let client = trusting(&authority);
    let url = https(&server);
    assert_eq!(body(&client, request(&url)).await.document.body.as_ref(), b"{}");
    let failed = failure(&client, request(&url.join("/cut").unwrap())).await;
    assert_eq!(failed.kind, FailureKind::IncompleteBody, "{failed}");
    assert_eq!(body(&client, request(&url)).await.document.body.as_ref(), b"{}");
    assert_eq!(server.requests(), ["HTTP/2.0 /", "HTTP/2.0 /cut", "HTTP/2.0 /"]);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Reads up to the first request, whose headers are a frame of type 1. Returns its stream; `None`
/// once the client has disconnected.
async fn asked(stream: &mut (impl AsyncRead + Unpin)) -> Option<u32> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).await.ok()?;
        if head[3] == 1 {
            return Some(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        }
    }
}

#[tokio::test]
async fn an_http2_server_that_goes_away_within_an_answer_is_asked_anew() {
    let (data, headers, settings, goaway) = (0, 1, 4, 7);
    let authority = authority();
    let acceptor = acceptor(&authority, &["localhost"], 2090, b"h2");
    let server = serve(move |stream, number, seen| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            stream.write_all(&frame(settings, 0, 0, &[])).await.ok();
            let Some(id) = asked(&mut stream).await else {
                return;
            };
            seen.lock().unwrap().push(format!("stream {id}"));
            // Status 200, which is in the static table.
            let mut answer = [frame(settings, 1, 0, &[]), frame(headers, 4, id, &[0x88])].concat();
            if number == 0 {
                // This is the last known stream, without an error; the rest of the response never
                // arrives.
                let last = [&id.to_be_bytes()[..], &[0; 4]].concat();
                answer.extend([frame(data, 0, id, b"{"), frame(goaway, 0, 0, &last)].concat());
            } else {
                answer.extend(frame(data, 1, id, b"{}"));
            }
            stream.write_all(&answer).await.ok();
            stream.shutdown().await.ok();
        }
    })
    .await;
    let (client, url) = (trusting(&authority), https(&server));
    let failed = failure(&client, request(&url)).await;
    assert_eq!(failed.kind, FailureKind::IncompleteBody, "{failed}");
    assert_eq!(body(&client, request(&url)).await.document.body.as_ref(), b"{}");
    assert_eq!(
        (server.connections(), server.requests().len()),
        (2, 2),
        "the next request has a connection of its own"
    );
}

#[tokio::test]
async fn a_new_connection_resumes_the_session_of_the_last() {
    let authority = authority();
    let acceptor = acceptor(&authority, &["localhost"], 2090, b"http/1.1");
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let seen_kinds = Arc::clone(&kinds);
    let server = serve(move |stream, _, seen| {
        let (acceptor, kinds) = (acceptor.clone(), Arc::clone(&seen_kinds));
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            kinds.lock().unwrap().push(stream.get_ref().1.handshake_kind().unwrap());
            reply(stream, seen, response("200 OK", "Connection: close\r\n", b"{}")).await;
        }
    })
    .await;
    let client = trusting(&authority);
    for _ in 0..3 {
        body(&client, request(&https(&server))).await;
    }
    assert_eq!(
        *kinds.lock().unwrap(),
        [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed]
    );
}
