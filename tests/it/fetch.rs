//! Fetching from servers that respond with exactly the bytes that a script specifies.

use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use statuswatch::fetch::{
    Answer, Client, ClientOptions, Failure, FailureKind, Fetched, Request, Validators,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use url::Url;

mod bodies;
mod redirects;
mod statuses;
pub(crate) mod tls;

/// The heads of the requests that a server received, in order.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// A server on its own port.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The requests received.
    seen: Seen,
    /// The number of accepted connections.
    accepted: Arc<Mutex<usize>>,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.accepted.lock().unwrap()
    }
}

/// Starts a server that runs the script for each connection, passing the connection's number.
pub(crate) async fn serve<F, Fut>(script: F) -> Server
where
    F: Fn(TcpStream, usize, Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), script)
}

/// Does the same on an existing listener.
fn serve_on<F, Fut>(listener: TcpListener, script: F) -> Server
where
    F: Fn(TcpStream, usize, Seen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let server = Server {
        address: listener.local_addr().unwrap(),
        seen: Seen::default(),
        accepted: Arc::default(),
    };
    let (seen, accepted) = (Arc::clone(&server.seen), Arc::clone(&server.accepted));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = {
                let mut accepted = accepted.lock().unwrap();
                *accepted += 1;
                *accepted - 1
            };
            tokio::spawn(script(stream, number, Arc::clone(&seen)));
        }
    });
    server
}

/// Reads the head of one request; `None` once the client has disconnected.
pub(crate) async fn head<S: AsyncRead + Unpin>(stream: &mut S, seen: &Seen) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head: String = head.into_iter().map(char::from).collect();
    seen.lock().unwrap().push(head.clone());
    Some(head)
}

/// Answers every request on the connection with these bytes, then closes it.
async fn reply<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, seen: Seen, answer: Vec<u8>) {
    if head(&mut stream, &seen).await.is_some() {
        // The client may disconnect before the end.
        stream.write_all(&answer).await.ok();
        stream.shutdown().await.ok();
    }
}

/// Starts a server that answers every request identically, one per connection.
async fn fixed(answer: impl Into<Vec<u8>>) -> Server {
    let answer = answer.into();
    serve(move |stream, _, seen| reply(stream, seen, answer.clone())).await
}

/// Builds a complete response with its length.
pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len())
        .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn options() -> ClientOptions {
    ClientOptions { proxy_from_environment: false, ..ClientOptions::default() }
}

fn client() -> Client {
    Client::new(options()).unwrap()
}

/// Builds a request for an address from the configuration, with private redirects blocked.
fn request(url: &Url) -> Request<'_> {
    Request {
        url,
        provider: None,
        accept: "application/json",
        validators: None,
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(5),
        max_body: 1 << 20,
        allow_private: false,
        pace: Duration::from_millis(250),
        max_wait: Duration::from_hours(1),
        written: true,
    }
}

async fn body(client: &Client, request: Request<'_>) -> Box<Answer> {
    match client.get(request).await {
        Ok(Fetched::Body(answer)) => answer,
        other => panic!("no body: {other:?}"),
    }
}

async fn failure(client: &Client, request: Request<'_>) -> Failure {
    let failure = client.get(request).await.expect_err("an answer where none is expected");
    assert!(!failure.message.chars().any(char::is_control), "{failure:?}");
    failure
}

/// Returns the kind of failure that a fixed response leads to.
async fn kind_of(answer: impl Into<Vec<u8>>) -> FailureKind {
    let server = fixed(answer).await;
    failure(&client(), request(&server.url("/"))).await.kind
}

#[tokio::test]
async fn response_and_request_headers() {
    let server = fixed(response(
        "200 OK",
        "ETag: \"a\"\r\nContent-Type: application/json\r\nCache-Control: max-age=7\r\nSet-Cookie: a=b\r\n",
        b"{}",
    ))
    .await;
    let url = server.url("/feed?x=1");
    let client = client();
    let answer = body(&client, request(&url)).await;
    assert_eq!(answer.document.body.as_ref(), b"{}");
    assert_eq!(answer.document.url, url);
    assert_eq!(answer.document.content_type.as_deref(), Some("application/json"));
    assert_eq!(answer.max_age, Some(Duration::from_secs(7)));
    assert_eq!(answer.validators, Validators { etag: Some("\"a\"".into()), last_modified: None });
    assert_eq!(answer.moved_to, None);
    assert_eq!(answer.body_hash, body(&client, request(&url)).await.body_hash);
    for seen in server.requests() {
        let seen = seen.to_lowercase();
        assert!(seen.starts_with("get /feed?x=1 http/1.1\r\n"), "{seen}");
        assert!(seen.contains(&format!(
            "user-agent: statuswatch/{} (+https://github.com/statuswatch/statuswatch)\r\n",
            env!("CARGO_PKG_VERSION")
        )));
        assert!(seen.contains("accept: application/json\r\n"), "{seen}");
        assert!(seen.contains("accept-encoding: gzip\r\n"), "{seen}");
        for unwanted in
            ["cookie:", "referer:", "if-none-match:", "if-modified-since:", "authorization:"]
        {
            assert!(!seen.contains(unwanted), "{seen}");
        }
    }
}

#[tokio::test]
async fn validators_go_back_exactly_and_304_is_an_answer() {
    let long = "x".repeat(4096);
    for etag in
        ["\"a\"", "W/\"a\"", "unquoted", "with spaces", "\"\u{80}\u{ff}\u{e9}\"", long.as_str()]
    {
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLast-Modified: yesterday, about noon\r\nETag: ".to_vec();
        answer.extend(etag.chars().map(|c| c as u8));
        answer.extend_from_slice(b"\r\n\r\n{}");
        let server = serve(move |stream, number, seen| {
            let answer = if number == 0 {
                answer.clone()
            } else {
                b"HTTP/1.1 304 Not Modified\r\nETag: new\r\nCache-Control: max-age=9\r\n\r\n"
                    .to_vec()
            };
            reply(stream, seen, answer)
        })
        .await;
        let (client, url) = (
            Client::new(ClientOptions { keep_alive: Duration::ZERO, ..options() }).unwrap(),
            server.url("/"),
        );
        let first = body(&client, request(&url)).await;
        assert_eq!(first.validators.etag.as_deref(), Some(etag));
        let second = client
            .get(Request { validators: Some(&first.validators), ..request(&url) })
            .await
            .unwrap();
        let Fetched::NotModified { validators, max_age } = second else { panic!("{second:?}") };
        assert_eq!(validators.unwrap().etag.as_deref(), Some("new"));
        assert_eq!(max_age, Some(Duration::from_secs(9)));
        let seen = server.requests();
        assert!(seen[1].contains(&format!("if-none-match: {etag}\r\n")), "{}", seen[1]);
        assert!(seen[1].contains("if-modified-since: yesterday, about noon\r\n"), "{}", seen[1]);
    }
}

#[tokio::test]
async fn deadlines_hold_from_the_start() {
    // One byte every 20 ms in the headers and in the body: each read by itself is fast enough.
    for answer in [
        response("200 OK", &format!("X: {}\r\n", "x".repeat(500)), b"{}"),
        response("200 OK", "", &[b'x'; 500]),
    ] {
        let in_body = answer.ends_with(b"x");
        let server = serve(move |mut stream, _, seen| {
            let answer = answer.clone();
            async move {
                head(&mut stream, &seen).await;
                let quick = if in_body { answer.len() - 500 } else { 0 };
                stream.write_all(&answer[..quick]).await.ok();
                for byte in &answer[quick..] {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        let (began, url) = (Instant::now(), server.url("/"));
        let failed =
            failure(&client(), Request { timeout: Duration::from_millis(300), ..request(&url) })
                .await;
        assert_eq!(failed.kind, FailureKind::Timeout);
        assert_eq!(failed.message.contains("body"), in_body, "{failed}");
        assert!(
            began.elapsed() >= Duration::from_millis(300)
                && began.elapsed() < Duration::from_secs(30)
        );
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_meets_the_connect_timeout() {
    let server = serve(|stream, _, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let failed = failure(
        &client(),
        Request { connect_timeout: Duration::from_millis(200), ..request(&url) },
    )
    .await;
    assert_eq!(
        (failed.kind, failed.message.as_str()),
        (FailureKind::Timeout, "cannot connect within 200ms")
    );
}

#[tokio::test]
async fn no_server_and_no_name() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let url = Url::parse(&format!("http://{free}/")).unwrap();
    assert_eq!(failure(&client(), request(&url)).await.kind, FailureKind::Connect);
    let url = Url::parse("http://nobody.invalid/").unwrap();
    assert_eq!(failure(&client(), request(&url)).await.kind, FailureKind::Dns);
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_one_silent_retry() {
    let server = serve(|mut stream, number, seen| async move {
        head(&mut stream, &seen).await;
        stream.write_all(&response("200 OK", "", b"{}")).await.ok();
        if number == 0 {
            // Accepts the second request and closes without a response.
            head(&mut stream, &seen).await;
        }
    })
    .await;
    let (client, url) = (client(), server.url("/"));
    body(&client, request(&url)).await;
    body(&client, request(&url)).await;
    assert_eq!(server.connections(), 2);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_new_connection_that_dies_is_not_tried_again() {
    let server = serve(|mut stream, _, seen| async move {
        head(&mut stream, &seen).await;
    })
    .await;
    assert_eq!(
        failure(&client(), request(&server.url("/"))).await.kind,
        FailureKind::IncompleteBody
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_name_with_two_families_of_which_ipv4_answers() {
    one_of_two_families_answers(Ipv4Addr::LOCALHOST.into()).await;
}

#[tokio::test]
#[ignore = "needs IPv6 on loopback, to which localhost resolves: see .ci/run"]
async fn a_name_with_two_families_of_which_ipv6_answers() {
    one_of_two_families_answers(Ipv6Addr::LOCALHOST.into()).await;
}

/// One address family of a name responds, however the addresses are ordered.
async fn one_of_two_families_answers(family: IpAddr) {
    let (four, six) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
    let (listener, refusing) = one_family(family).await;
    let server =
        serve_on(listener, |stream, _, seen| reply(stream, seen, response("200 OK", "", b"{}")));
    let orders = [("first.test", vec![four, six]), ("last.test", vec![six, four])];
    let names: HashMap<String, Vec<IpAddr>> =
        orders.into_iter().map(|(name, ips)| (name.to_owned(), ips)).collect();
    let client = Client::new(ClientOptions { names, ..options() }).unwrap();
    for name in ["first.test", "last.test", "localhost"] {
        let (url, began) = (
            Url::parse(&format!("http://{name}:{}/", server.address.port())).unwrap(),
            Instant::now(),
        );
        let patient = Request {
            allow_private: true,
            timeout: Duration::from_mins(4),
            connect_timeout: Duration::from_mins(2),
            ..request(&url)
        };
        body(&client, patient).await;
        println!("{name} by {family} alone: {:.1?}", began.elapsed());
        // The case allows 0.5 s; a client that waits for the silent family takes minutes.
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "{name} by {family}: {:?}",
            began.elapsed()
        );
    }
    assert!(server.connections() >= 2);
    drop(refusing);
}

/// Returns a listener of one family, and a socket that reserves the same port of the other family.
async fn one_family(family: IpAddr) -> (TcpListener, Option<TcpSocket>) {
    for _ in 0..20 {
        let listener = TcpListener::bind((family, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (other, socket) = match family {
            IpAddr::V4(_) => (IpAddr::from(Ipv6Addr::LOCALHOST), TcpSocket::new_v6()),
            IpAddr::V6(_) => (IpAddr::from(Ipv4Addr::LOCALHOST), TcpSocket::new_v4()),
        };
        let Ok(socket) = socket else {
            return (listener, None);
        };
        match socket.bind((other, port).into()) {
            Ok(()) => return (listener, Some(socket)),
            // In use already: try the next port.
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(_) => return (listener, None),
        }
    }
    panic!("no port of {family} that is free in the other family")
}

#[tokio::test]
async fn names_lead_to_no_private_address() {
    let server = fixed(response("200 OK", "", b"{}")).await;
    let port = server.address.port();
    let inside = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    let names = HashMap::from([
        ("status.test".to_owned(), inside.clone()),
        ("mapped.test".to_owned(), vec!["::ffff:127.0.0.1".parse().unwrap()]),
    ]);
    let client = Client::new(ClientOptions { names, ..options() }).unwrap();
    for (address, written) in [
        ("status.test", true),
        ("mapped.test", true),
        ("127.0.0.1", false),
        ("0x7f.1", false),
        ("[::ffff:127.0.0.1]", false),
        ("localhost", false),
        ("169.254.169.254", false),
    ] {
        let url = Url::parse(&format!("http://{address}:{port}/?token=s3cret")).unwrap();
        let failed = failure(&client, Request { written, ..request(&url) }).await;
        assert_eq!(failed.kind, FailureKind::BlockedAddress, "{address}");
        assert!(!failed.message.contains("s3cret"), "{failed}");
    }
    assert_eq!(server.connections(), 0);
    for address in ["status.test", "127.0.0.1", "localhost"] {
        let url = Url::parse(&format!("http://{address}:{port}/")).unwrap();
        body(&client, Request { written: false, allow_private: true, ..request(&url) }).await;
    }
    let url = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    body(&client, request(&url)).await;
    assert_eq!(server.connections(), 4);
}
