//! Receives the messages of the webhook channel of all nodes, and sometimes loses the answer.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use xxhash_rust::xxh3::xxh3_64;

use super::judge::Delivery;

/// One answer in so many is lost: the sender cannot know whether the message has arrived.
const LOST: u64 = 150;

/// Longest body, in bytes: a longer one ends the connection.
const BODY: usize = 1 << 20;

/// A receiver on loopback.
pub(super) struct Receiver {
    /// Where it listens on 127.0.0.1.
    pub(super) port: u16,
    received: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    /// Starts listening; must be called on a runtime.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("cannot start the receiver")?;
        let port = listener.local_addr()?.port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let list = Arc::clone(&list);
                tokio::spawn(async move { serve(stream, &list).await });
            }
        });
        Ok(Self { port, received })
    }

    /// Returns the messages received so far, in order.
    pub(super) fn received(&self) -> Vec<Delivery> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Serves one connection until it ends.
async fn serve(stream: TcpStream, list: &Mutex<Vec<Delivery>>) {
    let mut stream = BufReader::new(stream);
    while let Some((headers, body)) = request(&mut stream).await {
        let count = {
            let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
            list.push(delivery(&headers, &body));
            list.len() as u64
        };
        if count.is_multiple_of(LOST) {
            return;
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if stream.get_mut().write_all(answer).await.is_err() {
            return;
        }
    }
}

/// Reads a request: its header fields by their names in lower case, and its body.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(HashMap<String, String>, Vec<u8>)> {
    let mut headers = HashMap::new();
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let length: usize = length.filter(|length| *length <= BODY)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((headers, body))
}

/// What is kept of a message.
fn delivery(headers: &HashMap<String, String>, body: &[u8]) -> Delivery {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event = message.get("data").filter(|data| data.get("seq").is_some_and(Value::is_u64));
    Delivery {
        key: headers.get("webhook-id").cloned().unwrap_or_default(),
        hash: xxh3_64(body),
        thread: text(message.get("thread").unwrap_or(&Value::Null)),
        seq: event.and_then(|event| event.get("seq")?.as_u64()),
        id: event.and_then(|event| event.get("id")).map(text).unwrap_or_default(),
    }
}
