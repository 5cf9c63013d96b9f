//! The HTTP server of the real binary, asked over bare connections.

mod agents;
mod api;
mod browser;
mod channels;
mod described;
mod feeds;
mod forms;
mod health;
mod hooks;
mod hostile;
mod observations;
mod pages;
mod proxy;
mod public;
mod receivers;
mod safety;
mod schema;
mod start;
mod strangers;
mod stream;
mod terminal;

use std::net::SocketAddr;
use std::time::Instant;

use statuswatch::fake::platform::Statuspage;
use statuswatch::fake::{Provider, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::binary::{Bench, Run};
use crate::support::provider::{Raw, alone, provider};
use crate::support::wait::{eventually, until, within};

/// A free port, and nothing that others may not see.
const HTTP: &str = "http: {listen: \"127.0.0.1:0\", metrics: {providers: all}}";

/// A binary that serves.
struct Served {
    run: Run,
    address: SocketAddr,
}

impl Served {
    /// Starts `run` and waits until it says where it serves.
    async fn start(bench: &Bench) -> Self {
        Self::start_with(bench, &[]).await
    }

    /// The same with further arguments.
    async fn start_with(bench: &Bench, args: &[&str]) -> Self {
        let run = bench.start(&[&["run", "--hosted"], args].concat());
        let address = until("the address of the server", || {
            let err = run.err();
            let (_, rest) = err.split_once("serving http://")?;
            rest.split_once('/')?.0.parse().ok()
        })
        .await;
        Self { run, address }
    }

    async fn get(&self, target: &str) -> Raw {
        self.get_with(target, &[]).await
    }

    async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Raw {
        ask(self.address, "GET", target, "localhost", headers, b"").await
    }

    /// The value of a line of `/metrics`; `None` where there is no such line.
    async fn metric(&self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }
}

/// One request on a connection of its own, read to the end.
async fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    host: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Raw {
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request = format!("{request}{name}: {value}\r\n");
    }
    if !body.is_empty() {
        request = format!("{request}Content-Length: {}\r\n", body.len());
    }
    let mut bytes = format!("{request}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    send(address, &bytes).await
}

/// Sends anything and reads to the end.
async fn send(address: SocketAddr, bytes: &[u8]) -> Raw {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have refused and closed before it read everything.
    let sent = stream.write_all(bytes).await;
    let mut raw = Raw { bytes: Vec::new(), error: sent.err().map(|error| error.kind()) };
    if let Err(error) = within("an answer", stream.read_to_end(&mut raw.bytes)).await {
        raw.error = Some(error.kind());
    }
    raw
}

/// Waits until the provider `acme` was read.
async fn first_poll(bench: &Bench) {
    let fresh = || bench.status_of("acme").filter(|one| one["freshness"] == "fresh");
    until("a first poll", fresh).await;
}

/// A provider on Statuspage, and a bench that watches it and serves.
async fn acme(http: &str) -> (Provider, Server, Bench) {
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let bench = Bench::new().section(http).provider("acme", &server.url("acme"), "");
    (acme, server, bench)
}
