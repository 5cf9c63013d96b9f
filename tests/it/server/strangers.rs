//! Connections of strangers: many, slow, full of requests.

use futures::stream::{self, StreamExt as _};
use statuswatch::event::Impact;
use statuswatch::server::listen::MAX_CONNECTIONS;
use tokio::net::TcpSocket;

use super::*;

/// Every status in a series of answers, in order.
fn statuses(bytes: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(bytes);
    let heads = text.match_indices("HTTP/1.1 ");
    heads.map(|(at, found)| text[at + found.len()..][..3].parse().unwrap()).collect()
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_their_order() {
    let hook = "0123456789abcdef-hook";
    let (_acme, _server, bench) =
        acme(&format!("http: {{listen: \"127.0.0.1:0\", hooks: {{acme: {hook}}}}}")).await;
    let served = Served::start(&bench).await;
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let last = "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    // What looks like a request in a body is none.
    let inner = get("/api/v1/status");
    let post = format!(
        "POST /hook/acme/{hook} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let all = format!("{}{}{post}{}{last}", get("/healthz"), get("/badge/x.svg"), get("/healthz"));
    let answer = send(served.address, all.as_bytes()).await;
    assert_eq!(statuses(&answer.bytes), [200, 404, 202, 200, 404]);
    let many = format!("{}{last}", get("/healthz").repeat(2000));
    let answer = send(served.address, many.as_bytes()).await;
    assert_eq!(statuses(&answer.bytes).len(), 2001);
    // A request with two lengths ends where neither server nor proxy can agree on.
    for fields in [
        "Content-Length: 4\r\nContent-Length: 44\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: +4\r\n",
    ] {
        let smuggled = format!(
            "POST /hook/acme/{hook} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n0\r\n\r\n{last}"
        );
        let answer = send(served.address, smuggled.as_bytes()).await;
        assert_eq!(statuses(&answer.bytes), [400], "{fields}");
    }
    // With a length and chunks, the chunks count, and nothing follows.
    let both = format!(
        "POST /hook/acme/{hook} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{last}"
    );
    let found = statuses(&send(served.address, both.as_bytes()).await.bytes);
    assert!(matches!(found[..], [400 | 202]), "{found:?}");
}

#[tokio::test]
async fn readers_that_do_not_read_are_given_up_and_hold_up_nobody() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let asked = "GET /providers HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(400);
    let mut slow = Vec::new();
    for _ in 0..50 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(served.address).await.unwrap();
        stream.write_all(asked.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // Everybody else is served meanwhile, and what happens is recorded.
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    assert_eq!(served.get("/healthz").await.status(), 200);
    // A connection that was given up takes nothing more.
    for mut stream in slow {
        eventually("the end of a reader", async || stream.write_all(b"\r\n").await.err()).await;
    }
}

#[tokio::test]
async fn ten_thousand_connections_harm_nobody() {
    const CONNECTIONS: usize = 10_000;
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        idle.push(TcpStream::connect(served.address).await.unwrap());
    }
    let refused = stream::iter(0..CONNECTIONS)
        .map(|_| send(served.address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .buffer_unordered(200)
        .filter(|answer| std::future::ready(answer.status() != 200))
        .count()
        .await;
    // Those that wait longest are given up after 10 s and make room.
    assert!(refused > 0, "all were answered");
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    drop(idle);
    let series = "statuswatch_http_refused_total{reason=\"connections\"}";
    let counted = eventually("a count", async || served.metric(series).await).await;
    assert!(counted >= 1.0, "{counted}");
    assert_eq!(served.get("/healthz").await.status(), 200);
    // What it holds for a connection goes with the connection.
    let descriptors = format!("/proc/{}/fd", served.run.pid());
    eventually("closed connections", async || {
        (std::fs::read_dir(&descriptors).unwrap().count() < 100).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_flooded_hook_polls_as_often_as_any_other() {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let hook = "0123456789abcdef-hook";
    let bench = Bench::new()
        .default("interval", "1h")
        .section(&format!("http: {{listen: \"127.0.0.1:0\", hooks: {{acme: {hook}}}}}"))
        .provider("acme", &server.url("acme"), "");
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let (before, begun) = (server.requests_of("acme").len(), Instant::now());
    let (right, wrong) = (format!("/hook/acme/{hook}"), format!("/hook/acme/{hook}x"));
    let calls = stream::iter(0..1000).map(|number| {
        let path = if number % 2 == 0 { &right } else { &wrong };
        ask(served.address, "POST", path, "localhost", &[], b"flood")
    });
    let answers: Vec<Raw> = calls.buffer_unordered(50).collect().await;
    let polls = answers.iter().filter(|answer| answer.text() == "{\"poll\":true}").count();
    // One at once, and one each 10 s that the flood has taken.
    let due = 1 + begun.elapsed().as_secs() as usize / 10;
    assert!((1..=due).contains(&polls), "{polls} of {due}");
    assert_eq!(answers.iter().filter(|answer| answer.status() == 404).count(), 500);
    let requests = server.requests_of("acme").len() - before;
    // A poll is the page and what else belongs to it, a few requests.
    assert!(requests <= due * 4, "{requests} requests for {due}");
    let refused = "statuswatch_http_refused_total{reason=\"hooks\"}";
    assert_eq!(served.metric(refused).await, Some(500.0));
}
