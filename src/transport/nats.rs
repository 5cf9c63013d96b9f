//! NATS: publishes one message to JetStream and waits for its acknowledgment.
//!
//! The protocol: <https://docs.nats.io/reference/reference-protocols/nats-protocol>; keys and the
//! signature: <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth>.
//!
//! The crate `async-nats` would do this as well, but keeps a connection with tasks of its own, adds
//! 22 crates, and does not tell whether a message that failed was sent.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::Ed25519KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};
use statuswatch_notify::{NatsAnswer, NatsAuth, NatsRequest, Security};

use super::connection::Connection;
use crate::fetch::Client;
use crate::text::one_line;

/// Longest line: the first one lists the servers of the cluster.
const LINE: usize = 64 << 10;
/// Most bytes of an acknowledgment.
const ACK: usize = 64 << 10;
/// Most lines that are read before the expected one.
const LINES: usize = 1_000;

/// The first line of a server, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Info {
    headers: bool,
    nonce: Option<String>,
    max_payload: u64,
    tls_required: bool,
    tls_available: bool,
}

impl Default for Info {
    fn default() -> Self {
        Self {
            headers: false,
            nonce: None,
            max_payload: 1 << 20,
            tls_required: false,
            tls_available: false,
        }
    }
}

/// What the server says next.
enum Next {
    Pong,
    Message { status: Option<String>, payload: String },
    Error(String),
}

/// Publishes a message. `sent` is set when the server may have stored it.
pub(super) async fn send(
    client: &Client,
    request: &NatsRequest,
    sent: &AtomicBool,
) -> Result<NatsAnswer, String> {
    let is_word = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if !is_word(&request.subject) || !is_word(&request.message_id) {
        return Err("the subject or message id holds a space or line break".to_owned());
    }
    let host = request.server.host.as_str();
    let mut connection = Connection::open(client, host, request.server.port).await?;
    if request.server.security == Security::Tls {
        connection = connection.secure(client, host).await?;
    }
    let first = connection.line(LINE).await?;
    let info = first.strip_prefix("INFO ").and_then(|info| serde_json::from_str::<Info>(info).ok());
    let info = info.ok_or("the server does not speak the protocol of NATS")?;
    let wanted = request.server.security == Security::StartTls;
    if !connection.is_secure && (wanted || info.tls_required || info.tls_available) {
        connection = connection.secure(client, host).await?;
    }
    if !info.headers {
        return Ok(NatsAnswer::Error("the server is too old: it does not know headers".to_owned()));
    }
    let header = format!("NATS/1.0\r\nNats-Msg-Id: {}\r\n\r\n", request.message_id);
    let total = header.len() + request.payload.len();
    if total as u64 > info.max_payload {
        return Ok(NatsAnswer::TooLarge(info.max_payload));
    }
    let inbox = format!("_INBOX.{:032x}", fastrand::u128(..));
    let connect = hello(&request.auth, &info, connection.is_secure)?;
    // The answer to PING says whether the connection is accepted, before anything is published.
    connection.write(format!("CONNECT {connect}\r\nSUB {inbox} 1\r\nPING\r\n")).await?;
    loop {
        match next(&mut connection).await? {
            Next::Pong => break,
            Next::Error(error) => return Ok(NatsAnswer::Error(error)),
            Next::Message { .. } => {}
        }
    }
    sent.store(true, Ordering::Release);
    let publish = format!(
        "HPUB {} {inbox} {} {total}\r\n{header}{}\r\n",
        request.subject,
        header.len(),
        request.payload
    );
    connection.write(publish).await?;
    loop {
        match next(&mut connection).await? {
            Next::Message { status: Some(status), .. } if status == "503" => {
                return Ok(NatsAnswer::NoStream);
            }
            Next::Message { payload, .. } => return Ok(NatsAnswer::Ack(payload)),
            Next::Error(error) => return Ok(NatsAnswer::Error(error)),
            Next::Pong => {}
        }
    }
}

/// Returns what a client says of itself.
fn hello(auth: &NatsAuth, info: &Info, is_secure: bool) -> Result<Value, String> {
    let mut hello = json!({
        "verbose": false,
        "pedantic": false,
        "tls_required": is_secure,
        "name": "statuswatch",
        "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"),
        "protocol": 1,
        "headers": true,
        "no_responders": true,
    });
    let who = match auth {
        NatsAuth::None => json!({}),
        NatsAuth::Token(token) => json!({ "auth_token": token.expose() }),
        NatsAuth::Login(login) => json!({ "user": login.user, "pass": login.password.expose() }),
        NatsAuth::Creds { jwt, seed } => {
            let key = Ed25519KeyPair::from_seed_unchecked(seed.expose())
                .map_err(|_| "the seed is not a key of Ed25519")?;
            let nonce = info.nonce.as_deref().ok_or("the server does not ask for credentials")?;
            let signature = URL_SAFE_NO_PAD.encode(key.sign(nonce.as_bytes()));
            json!({ "jwt": jwt.expose(), "sig": signature })
        }
    };
    if let (Some(hello), Value::Object(who)) = (hello.as_object_mut(), who) {
        hello.extend(who);
    }
    Ok(hello)
}

/// Reads until something happens that matters; answers PING.
async fn next(connection: &mut Connection) -> Result<Next, String> {
    for _ in 0..LINES {
        let line = connection.line(LINE).await?;
        let mut words = line.split_ascii_whitespace();
        match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "PING" => connection.write("PONG\r\n").await?,
            "PONG" => return Ok(Next::Pong),
            "-ERR" => {
                let text = line.get(4..).unwrap_or_default().trim().trim_matches('\'');
                return Ok(Next::Error(one_line(text, 200)));
            }
            kind @ ("MSG" | "HMSG") => {
                let mut sizes = words.rev().map_while(|word| word.parse::<usize>().ok());
                let total = sizes.next().filter(|total| *total <= ACK);
                let total = total.ok_or("the server sent a message without a usable size")?;
                let header = if kind == "HMSG" { sizes.next().unwrap_or(total) } else { 0 };
                let message = connection.bytes(total + 2).await?;
                let (header, rest) = message
                    .split_at_checked(header)
                    .ok_or("the server sent a header longer than its message")?;
                let header = String::from_utf8_lossy(header);
                let status = header.lines().next().and_then(|line| line.split(' ').nth(1));
                let payload = rest.strip_suffix(b"\r\n").unwrap_or(rest);
                return Ok(Next::Message {
                    status: status.map(str::to_owned),
                    payload: String::from_utf8_lossy(payload).into_owned(),
                });
            }
            // `+OK`, and `INFO` when the cluster changes.
            _ => {}
        }
    }
    Err("the server sends no answer, but much else".to_owned())
}
