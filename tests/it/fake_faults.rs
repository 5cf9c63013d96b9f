//! Each fault does on the wire what its documentation says.

use std::io::Read as _;
use std::time::Duration;

use chrono::{TimeZone as _, Utc};
use flate2::read::GzDecoder;
use rustls::pki_types::pem::PemObject as _;
use statuswatch::event::Impact;
use statuswatch::fake::platform::{IncidentIo, Rss, Statuspage};
use statuswatch::fake::{
    Authority, CertificateFlaw, Charset, Cluster, Fault, Provider, RetryAfter, Server,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::provider::{Raw, alone, provider};

const SUMMARY: &str = "/api/v2/summary.json";

async fn with_fault(fault: Fault) -> (Provider, Server) {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    provider.fault(fault);
    (provider, server)
}

async fn answer_to(fault: Fault) -> Raw {
    let (_provider, server) = with_fault(fault).await;
    Raw::get(server.address(), SUMMARY, &[]).await
}

#[tokio::test]
async fn statuses_come_with_retry_after_in_both_forms() {
    let seconds = answer_to(Fault::Status(503, Some(RetryAfter::Seconds(7)))).await;
    assert_eq!((seconds.status(), seconds.header("Retry-After").as_deref()), (503, Some("7")));
    let date = Utc.with_ymd_and_hms(2030, 1, 2, 3, 4, 5).unwrap();
    let date = answer_to(Fault::Status(429, Some(RetryAfter::Date(date)))).await;
    assert_eq!(
        (date.status(), date.header("Retry-After").as_deref()),
        (429, Some("Wed, 02 Jan 2030 03:04:05 GMT"))
    );
    assert_eq!(answer_to(Fault::Status(500, None)).await.header("Retry-After"), None);
    let nothing = answer_to(Fault::Status(204, None)).await;
    assert_eq!(
        (nothing.status(), nothing.body().len(), nothing.header("Content-Length")),
        (204, 0, None)
    );
}

#[tokio::test]
async fn faults_end_after_their_count_and_keep_to_their_path() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    provider.fault_next(2, Fault::Status(500, None));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(Raw::get(server.address(), SUMMARY, &[]).await.status());
    }
    assert_eq!(seen, [500, 500, 200]);
    provider.fault(Fault::NotFoundOn("api/v2/incidents.json".to_owned()));
    provider.fault_on("api/v2/status.json", Fault::Empty);
    assert_eq!(Raw::get(server.address(), "/api/v2/incidents.json", &[]).await.status(), 404);
    assert_eq!(Raw::get(server.address(), SUMMARY, &[]).await.status(), 200);
    let empty = Raw::get(server.address(), "/api/v2/status.json", &[]).await;
    assert_eq!((empty.status(), empty.body().len()), (200, 0));
}

#[tokio::test]
async fn bodies_break_off_in_every_way() {
    let whole = answer_to(Fault::NoValidators).await.body().len();
    let truncated = answer_to(Fault::Truncated).await;
    assert_eq!(truncated.header("Content-Length").unwrap(), whole.to_string());
    assert_eq!((truncated.body().len(), truncated.error), (whole / 2, None));

    let reset = answer_to(Fault::Reset).await;
    assert_eq!(reset.error, Some(std::io::ErrorKind::ConnectionReset));
    assert!(reset.body().len() <= whole / 2);

    let chunked = answer_to(Fault::CutChunked).await;
    assert_eq!(chunked.header("Transfer-Encoding").as_deref(), Some("chunked"));
    assert!(
        chunked.text().ends_with("}\r\n") && chunked.error.is_none(),
        "whole chunks, no last one"
    );

    let wrong = answer_to(Fault::WrongLength).await;
    assert_eq!(wrong.header("Content-Length").unwrap(), (whole / 2).to_string());
    assert_eq!(wrong.body().len(), whole);

    let cut = answer_to(Fault::CutAt(10)).await;
    assert_eq!((cut.header("Content-Length"), cut.header("Transfer-Encoding")), (None, None));
    assert_eq!((cut.body().len(), cut.error), (10, None));

    let garbage = answer_to(Fault::Garbage).await;
    assert_eq!((garbage.status(), garbage.error), (0, None));
    assert!(!garbage.bytes.is_empty());
}

#[tokio::test]
async fn slow_answers_take_their_time_and_are_whole() {
    for fault in
        [Fault::SlowHeaders(Duration::from_millis(2)), Fault::SlowBody(Duration::from_millis(2))]
    {
        let begin = std::time::Instant::now();
        let (provider, server) = with_fault(fault.clone()).await;
        provider.set_document("short", "application/json", "[1,2,3]");
        let raw = Raw::get(server.address(), "/short", &[]).await;
        assert_eq!((raw.status(), raw.text().as_str()), (200, "[1,2,3]"));
        assert!(
            begin.elapsed() >= Duration::from_millis(2 * 7),
            "{fault:?}: {:?}",
            begin.elapsed()
        );
    }
}

#[tokio::test]
async fn other_documents_take_the_place_of_the_right_one() {
    let html = answer_to(Fault::Html).await;
    assert!(
        html.header("Content-Type").unwrap().starts_with("text/html")
            && html.text().starts_with("<!DOCTYPE html>")
    );
    let deep = answer_to(Fault::DeepJson(1000)).await;
    assert_eq!(deep.body(), [b'['; 1000]);
    let huge = answer_to(Fault::Huge(300_000)).await;
    assert_eq!(huge.body().len(), 300_000);
    assert!(huge.text().starts_with("{\"page\":\"xxx"));
    let many = answer_to(Fault::ManyHeaders(10_000)).await;
    assert_eq!(many.header("X-Filler-9999").as_deref(), Some("filler"));
    let items = answer_to(Fault::ManyItems(501)).await.json();
    assert_eq!(items["incidents"].as_array().unwrap().len(), 501);

    let (_provider, server) = with_fault(Fault::WrongTenant).await;
    let other = Raw::get(server.address(), SUMMARY, &[]).await.json();
    let (provider, server) = with_fault(Fault::Stale).await;
    provider.open_incident("Slow", Impact::Minor, &[], "Slow.");
    let stale = Raw::get(server.address(), SUMMARY, &[]).await.json();
    provider.clear_faults();
    let fresh = Raw::get(server.address(), SUMMARY, &[]).await.json();
    assert_ne!(other["page"]["id"], fresh["page"]["id"]);
    assert_eq!(stale["page"]["id"], fresh["page"]["id"]);
    assert!(stale["page"]["updated_at"].as_str() < fresh["page"]["updated_at"].as_str());
    assert_eq!(stale["incidents"].as_array().unwrap().len(), 0);

    provider.switch_platform(&IncidentIo);
    let moved = Raw::get(server.address(), SUMMARY, &[]).await.json();
    assert_eq!(moved["page"]["id"].as_str().unwrap().len(), 26);
    provider.become_html(true);
    assert!(Raw::get(server.address(), SUMMARY, &[]).await.text().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn compressed_bodies_are_broken_or_huge() {
    let broken = answer_to(Fault::BrokenGzip).await;
    assert_eq!(broken.header("Content-Encoding").as_deref(), Some("gzip"));
    assert!(GzDecoder::new(broken.body()).read_to_end(&mut Vec::new()).is_err());
    let size = (5 << 20) + 123;
    let bomb = answer_to(Fault::GzipBomb(size)).await;
    assert!(bomb.body().len() < 100_000, "{}", bomb.body().len());
    let mut out = Vec::new();
    GzDecoder::new(bomb.body()).read_to_end(&mut out).unwrap();
    assert_eq!(out.len() as u64, size);
}

#[tokio::test]
async fn other_charsets_are_announced_rightly() {
    for (charset, start) in [
        (Charset::Utf16Le, &b"\xff\xfe<\0"[..]),
        (Charset::Utf16Be, b"\xfe\xff\0<"),
        (Charset::Latin1, b"<?xml"),
    ] {
        let provider = provider("northwind", &Rss);
        let server = alone(&provider).await;
        provider.open_incident("Störung", Impact::Minor, &[], "Störung.");
        provider.fault(Fault::WrongCharset(charset));
        let raw = Raw::get(server.address(), "/history.rss", &[]).await;
        assert!(raw.body().starts_with(start), "{charset:?}");
        let latin =
            raw.header("Content-Type").unwrap() == "application/rss+xml; charset=iso-8859-1";
        assert_eq!(latin, charset == Charset::Latin1);
        assert_eq!(latin, raw.body().windows(7).any(|window| window == b"St\xf6rung"));
    }
}

#[tokio::test]
async fn validators_lie() {
    let (provider, server) = with_fault(Fault::Unexpected304).await;
    let bare = Raw::get(server.address(), SUMMARY, &[]).await;
    assert_eq!((bare.status(), bare.body().len()), (304, 0));
    provider.clear_faults();
    let before = Raw::get(server.address(), SUMMARY, &[]).await;
    provider.fault_next(1, Fault::UnchangedValidatorsChangedBody);
    provider.open_incident("Slow", Impact::Minor, &[], "Slow.");
    let etag = before.header("ETag").unwrap();
    let after = Raw::get(server.address(), SUMMARY, &[("If-None-Match", &etag)]).await;
    assert_eq!((after.status(), after.header("ETag")), (200, Some(etag)));
    assert_ne!(after.body(), before.body());
    provider.fault(Fault::NoValidators);
    let without = Raw::get(server.address(), SUMMARY, &[("If-None-Match", "*")]).await;
    assert_eq!(
        (without.status(), without.header("ETag"), without.header("Last-Modified")),
        (200, None, None)
    );
}

#[tokio::test]
async fn connections_end_with_and_without_a_word() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    for silent in [false, true] {
        provider
            .behave(|behaviour| (behaviour.keep_alive, behaviour.silent_close) = (silent, silent));
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("</html>\n"), "the server ends it: {answer}");
        assert_eq!(answer.contains("Connection: close"), !silent);
    }
}

#[tokio::test]
async fn redirects_lead_somewhere_or_nowhere() {
    let (provider, server) =
        with_fault(Fault::Redirect { to: "/api/v2/status.json".to_owned(), code: 301 }).await;
    let moved = Raw::get(server.address(), SUMMARY, &[]).await;
    assert_eq!(
        (moved.status(), moved.header("Location").as_deref()),
        (301, Some("/api/v2/status.json"))
    );
    assert_eq!(Raw::get(server.address(), "/api/v2/status.json", &[]).await.status(), 200);
    provider.clear_faults();
    provider.fault(Fault::RedirectLoop);
    let mut target = SUMMARY.to_owned();
    for _ in 0..3 {
        let hop = Raw::get(server.address(), &target, &[]).await;
        assert_eq!(hop.status(), 302);
        let next = hop.header("Location").unwrap();
        assert_ne!(next, target);
        target = next;
    }
}

#[tokio::test]
async fn a_closed_listener_refuses_and_comes_back_at_the_same_place() {
    let provider = provider("northwind", &Statuspage);
    let server = alone(&provider).await;
    let mut open = TcpStream::connect(server.address()).await.unwrap();
    open.write_all(format!("GET {SUMMARY} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    server.wait_answered("northwind", 1).await;
    provider.fault(Fault::Closed);
    // The end of the kept-alive connection also shows that the listener is closed.
    let mut rest = Vec::new();
    let ended = open.read_to_end(&mut rest).await;
    assert!(ended.is_err() || rest.starts_with(b"HTTP/1.1 200"));
    let refused = TcpStream::connect(server.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    provider.clear_faults();
    // Reopening takes a moment; until then connections are refused.
    let again = loop {
        match TcpStream::connect(server.address()).await {
            Ok(mut stream) => break Raw::over(&mut stream, SUMMARY, &[]).await,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.status(), 200);

    let shared = Server::start(Cluster::new([provider.clone()])).await.unwrap();
    provider.fault(Fault::Closed);
    let reset = Raw::get(shared.address(), "/northwind/", &[]).await;
    assert_eq!((reset.bytes.len(), reset.error), (0, Some(std::io::ErrorKind::ConnectionReset)));
}

#[tokio::test]
async fn raw_documents_are_served_as_they_are_on_any_loopback_address() {
    raw_documents_are_served_on("127.3.2.1").await;
}

#[tokio::test]
#[ignore = "needs IPv6 on loopback: see .ci/run"]
async fn raw_documents_are_served_as_they_are_over_ipv6() {
    raw_documents_are_served_on("::1").await;
}

async fn raw_documents_are_served_on(address: &str) {
    let provider = Provider::raw("replay", std::sync::Arc::new(Utc::now));
    let server =
        Server::start(Cluster::new([provider.clone()]).on(address.parse().unwrap())).await.unwrap();
    provider.set_document("feed", "text/xml", &b"<rss\xff/>"[..]);
    assert_eq!(Raw::get(server.address(), "/replay/feed", &[]).await.body(), b"<rss\xff/>");
    provider.remove_document("feed");
    assert_eq!(Raw::get(server.address(), "/replay/feed", &[]).await.status(), 404);
    let address = server.address();
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "stopped");
}

#[tokio::test]
async fn tls_is_trusted_by_its_authority_alone_and_only_without_a_flaw() {
    let authority = Authority::new().unwrap();
    let stranger = Authority::new().unwrap();
    for (flaw, trusted, good) in [
        (CertificateFlaw::None, &authority, true),
        (CertificateFlaw::None, &stranger, false),
        (CertificateFlaw::Expired, &authority, false),
        (CertificateFlaw::WrongName, &authority, false),
        (CertificateFlaw::SelfSigned, &authority, false),
    ] {
        let provider = provider("northwind", &Statuspage);
        let server = Server::start(Cluster::new([provider]).tls(&authority, flaw)).await.unwrap();
        assert!(server.url("northwind").starts_with("https://127.0.0.1:"));
        let mut roots = rustls::RootCertStore::empty();
        let pem =
            rustls::pki_types::CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap();
        roots.add(pem).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
        let connected = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
            .connect(name, stream)
            .await;
        assert_eq!(connected.is_ok(), good, "{flaw:?}");
        if let Ok(mut stream) = connected {
            stream.write_all(b"GET /northwind/ HTTP/1.1\r\n\r\n").await.unwrap();
            let mut start = [0; 15];
            stream.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"HTTP/1.1 200 OK");
        }
    }
}
