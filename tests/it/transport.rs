//! Sending to receivers that misbehave: what has arrived, and what is known about it.

use std::time::Duration;

use statuswatch::fetch::Client;
use statuswatch::notify::values::Secret;
use statuswatch::notify::{Answer, HttpAnswer, HttpRequest, Request};
use statuswatch::transport::{SendError, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::fetch::tls::{acceptor, authority, trusting};
use crate::fetch::{Seen, Server, head, options, response, serve};

mod brokers;
mod exec;
mod kafka;
mod mail;

/// More than a loopback exchange takes on a busy machine.
const ENOUGH: Duration = Duration::from_mins(1);
/// For exchanges that take for ever.
const SHORT: Duration = Duration::from_millis(500);
/// A part of each address that no reason may hold.
const SECRET: &str = "T000/B000/s3cr3t";

fn transport() -> Transport {
    Transport::new(&Client::new(options()).unwrap()).unwrap()
}

fn request(url: &Url) -> HttpRequest {
    HttpRequest::post_json(url.join(SECRET).unwrap(), r#"{"text":"hello"}"#)
        .header("authorization", "Bearer s3cr3t")
}

async fn post(url: &Url, timeout: Duration) -> Result<HttpAnswer, SendError> {
    send(&transport(), url, timeout).await
}

async fn send(
    transport: &Transport,
    url: &Url,
    timeout: Duration,
) -> Result<HttpAnswer, SendError> {
    match transport.send(Request::Http(request(url)), timeout).await {
        Ok(Answer::Http(answer)) => Ok(answer),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("s3cr3t") && !shown.contains("://"), "{shown}");
            Err(error)
        }
    }
}

/// Reads a request with its body.
async fn whole(stream: &mut TcpStream, seen: &Seen) -> Option<()> {
    let head = head(stream, seen).await?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.trim().parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    seen.lock().unwrap().push(String::from_utf8(body).unwrap());
    Some(())
}

/// Starts a server that reads each request, writes these bytes and closes the connection.
async fn answering(answer: Vec<u8>) -> Server {
    serve(move |mut stream, _, seen| {
        let answer = answer.clone();
        async move {
            if whole(&mut stream, &seen).await.is_some() {
                stream.write_all(&answer).await.ok();
                stream.shutdown().await.ok();
            }
        }
    })
    .await
}

#[tokio::test]
async fn every_status_is_an_answer() {
    for (status, body) in
        [("200 OK", "ok"), ("404 Not Found", "no_team"), ("500 Internal Server Error", "")]
    {
        let server = answering(response(status, "", body.as_bytes())).await;
        let answer = post(&server.url("/"), ENOUGH).await.unwrap();
        assert_eq!(format!("{}", answer.status), status[..3]);
        assert_eq!(answer.body, body);
    }
    let limited = response("429 Too Many Requests", "Retry-After: 7\r\n", b"");
    let answer = post(&answering(limited).await.url("/"), ENOUGH).await.unwrap();
    assert_eq!(answer.header("retry-after"), Some("7"));
}

#[tokio::test]
async fn the_request_arrives_as_written() {
    let server = answering(response("200 OK", "", b"ok")).await;
    let mut request = request(&server.url("/"));
    request.extra.push(("x-api-key".to_owned(), Secret::new("k".to_owned())));
    // The channel's own field wins.
    request.extra.push(("authorization".to_owned(), Secret::new("other".to_owned())));
    transport().send(Request::Http(request), ENOUGH).await.unwrap();
    let seen = server.requests();
    assert!(seen[0].starts_with(&format!("POST /{SECRET} HTTP/1.1\r\n")), "{}", seen[0]);
    for field in [
        "content-type: application/json\r\n",
        "content-length: 16\r\n",
        "authorization: Bearer s3cr3t\r\n",
        "x-api-key: k\r\n",
        "user-agent: statuswatch/",
    ] {
        assert!(seen[0].contains(field), "{field} {}", seen[0]);
    }
    assert!(!seen[0].contains("accept-encoding") && !seen[0].contains("other"), "{}", seen[0]);
    assert_eq!(seen[1], r#"{"text":"hello"}"#);
}

#[tokio::test]
async fn a_field_that_cannot_be_sent_is_not() {
    let server = answering(response("200 OK", "", b"ok")).await;
    let request = request(&server.url("/")).header("x-key", "s3cr3t\r\nx-evil: 1");
    let error = transport().send(Request::Http(request), ENOUGH).await.unwrap_err();
    assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
    assert!(!error.reason().contains("s3cr3t"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn connections_are_reused() {
    let server = serve(async |mut stream: TcpStream, _, seen: Seen| {
        while whole(&mut stream, &seen).await.is_some() {
            stream.write_all(&response("200 OK", "", b"ok")).await.ok();
        }
    })
    .await;
    let transport = transport();
    for _ in 0..3 {
        send(&transport, &server.url("/"), ENOUGH).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let other = answering(response("200 OK", "", b"ok")).await;
    let location = format!("Location: {}\r\n", other.url("/"));
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let server = answering(response(status, &location, b"")).await;
        let answer = post(&server.url("/"), ENOUGH).await.unwrap();
        assert_eq!(answer.status.to_string(), status[..3]);
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn what_nobody_received_was_not_sent() {
    // Nobody listens.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let error = post(&url, ENOUGH).await.unwrap_err();
    assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
    // TLS with somebody who does not speak it: silent, and closing.
    let silent = serve(async |stream: TcpStream, _, _| {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let closing = serve(async |stream: TcpStream, _, _| drop(stream)).await;
    for server in [silent, closing] {
        let url = Url::parse(&format!("https://localhost:{}/", server.address.port())).unwrap();
        let error = post(&url, SHORT).await.unwrap_err();
        assert!(matches!(&error, SendError::NotSent { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_gets_nothing() {
    let authority = authority();
    let transport = Transport::new(&trusting(&authority)).unwrap();
    for (name, good) in [("localhost", true), ("other.example", false)] {
        let acceptor = acceptor(&authority, &[name], 2100, b"http/1.1");
        let server = serve(move |stream, _, seen: Seen| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if head(&mut stream, &seen).await.is_some() {
                    stream.write_all(&response("200 OK", "", b"ok")).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        })
        .await;
        let url = Url::parse(&format!("https://localhost:{}/", server.address.port())).unwrap();
        match send(&transport, &url, ENOUGH).await {
            Ok(answer) => assert!(good && answer.status == 200),
            Err(SendError::NotSent { reason }) => {
                assert!(!good);
                assert_eq!(reason, "certificate for another name");
                assert!(server.requests().is_empty());
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_request_without_an_answer_may_have_arrived() {
    let hangs = serve(async |mut stream: TcpStream, _, seen: Seen| {
        whole(&mut stream, &seen).await;
        std::future::pending::<()>().await;
    })
    .await;
    let resets = serve(async |mut stream: TcpStream, _, seen: Seen| {
        whole(&mut stream, &seen).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let closes = answering(Vec::new()).await;
    let babbles = answering(b"SMTP 1.0\r\n\r\n".to_vec()).await;
    // A 200 that may have said in its body that it is none.
    let cut = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"ok".to_vec()).await;
    for server in [hangs, resets, closes, babbles, cut] {
        let error = post(&server.url("/"), SHORT * 4).await.unwrap_err();
        assert!(matches!(&error, SendError::Unknown { .. }), "{error}");
        assert_eq!(server.requests()[1], r#"{"text":"hello"}"#);
        // It is up to the caller to try again.
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_refusal_counts_without_the_rest_of_its_body() {
    let cut = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 9\r\n\r\ndown".to_vec();
    let answer = post(&answering(cut).await.url("/"), ENOUGH).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (503, "down"));
}

#[tokio::test]
async fn a_body_is_read_to_its_limit_alone() {
    let endless = serve(async |mut stream: TcpStream, _, seen: Seen| {
        whole(&mut stream, &seen).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        let piece = vec![b'x'; 16 << 10];
        while stream.write_all(&piece).await.is_ok() {}
    })
    .await;
    let answer = post(&endless.url("/"), ENOUGH).await.unwrap();
    assert_eq!(answer.body.len(), 64 << 10);
    // Compression was not accepted, and is not undone.
    let zipped = response("200 OK", "Content-Encoding: gzip\r\n", &[0x1f, 0x8b, 8, 0]);
    let answer = post(&answering(zipped).await.url("/"), ENOUGH).await.unwrap();
    assert!(answer.body.starts_with('\u{1f}'));
}
