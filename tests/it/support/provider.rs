//! Fake providers for tests, and a client that shows the bare bytes of an answer.

use std::net::SocketAddr;
use std::sync::Arc;

use chrono::Utc;
use statuswatch::fake::platform::Platform;
use statuswatch::fake::{Cluster, Provider, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A provider with two components, by the real clock.
pub(crate) fn provider(id: &str, platform: &'static dyn Platform) -> Provider {
    Provider::new(
        id,
        "Northwind Cloud",
        platform,
        &["Compute", "Object storage"],
        Arc::new(Utc::now),
    )
}

/// One provider on a listener of its own.
pub(crate) async fn alone(provider: &Provider) -> Server {
    Server::start_each(Cluster::new([provider.clone()])).await.unwrap()
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Everything that was read.
    pub(crate) bytes: Vec<u8>,
    /// How reading ended, where not in order.
    pub(crate) error: Option<std::io::ErrorKind>,
}

impl Raw {
    /// Sends one GET on a connection of its own, which ends with the answer, and reads to the end.
    pub(crate) async fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        Self::over(&mut stream, target, headers).await
    }

    /// The same on a given connection; the sending side is closed afterwards, so that the server
    /// ends it.
    pub(crate) async fn over(
        stream: &mut TcpStream,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let mut request = format!("GET {target} HTTP/1.1\r\nHost: loopback\r\n");
        for (name, value) in headers {
            request = format!("{request}{name}: {value}\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let mut raw = Self { bytes: Vec::new(), error: None };
        let mut closed = false;
        loop {
            match stream.read_buf(&mut bytes).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    raw.error = Some(error.kind());
                    break;
                }
            }
            raw.bytes.clone_from(&bytes);
            if !closed && raw.is_whole() {
                closed = true;
                stream.shutdown().await.unwrap();
            }
        }
        raw.bytes = bytes;
        raw
    }

    /// The status; 0 where the answer has none.
    pub(crate) fn status(&self) -> u16 {
        let text = String::from_utf8_lossy(&self.bytes);
        let Some(rest) = text.strip_prefix("HTTP/1.1 ") else {
            return 0;
        };
        rest.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(self.bytes.get(..self.head_end()?)?).into_owned();
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// What follows the headers.
    pub(crate) fn body(&self) -> &[u8] {
        self.head_end().map_or(&[], |end| &self.bytes[end + 4..])
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body()).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.body())
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Whether all of it has come, as far as its header says.
    pub(crate) fn is_whole(&self) -> bool {
        let length = self.header("Content-Length").and_then(|length| length.parse::<usize>().ok());
        let no_body = matches!(self.status(), 204 | 304) && self.head_end().is_some();
        no_body || length.is_some_and(|length| self.body().len() >= length)
    }

    fn head_end(&self) -> Option<usize> {
        self.bytes.windows(4).position(|window| window == b"\r\n\r\n")
    }
}
