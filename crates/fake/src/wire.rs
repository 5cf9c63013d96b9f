//! Writes answers to a connection, valid and faulty ones.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::answer::{Answer, Body, WireFault};
use super::log::Arrival;

/// A connection, plain or TLS.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether the connection can be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Open,
    Over,
}

impl Wire {
    pub(super) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Tls(stream) => stream.read_buf(buffer).await,
        }
    }

    async fn write(&mut self, bytes: &[u8], arrival: &mut Arrival) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await?,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await?;
            }
        }
        arrival.written += bytes.len() as u64;
        Ok(())
    }

    /// Closes the connection gracefully and waits until the client has seen it.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await?,
            Self::Tls(stream) => stream.shutdown().await?,
        }
        self.until_disconnected().await
    }

    /// Resets the connection.
    pub(super) fn reset(self) {
        let set = match &self {
            Self::Plain(stream) => stream.set_zero_linger(),
            Self::Tls(stream) => stream.get_ref().0.set_zero_linger(),
        };
        debug_assert!(set.is_ok(), "every socket can linger");
    }

    /// Waits, unless the client disconnects.
    async fn pause(&mut self, duration: Duration) -> io::Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            ended = self.until_disconnected() => ended.and(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }

    async fn until_disconnected(&mut self) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        while self.read(&mut buffer).await? > 0 {
            buffer.clear();
        }
        Ok(())
    }
}

/// Writes an answer with its wire fault. Consumes the connection, since some faults destroy it.
pub(super) async fn write_answer(
    mut wire: Wire,
    answer: &Answer,
    is_head: bool,
    arrival: &mut Arrival,
) -> io::Result<Option<Wire>> {
    if !answer.delay.is_zero() {
        wire.pause(answer.delay).await?;
    }
    let after = match answer.wire_fault {
        WireFault::Refuse => {
            arrival.release();
            wire.reset();
            return Ok(None);
        }
        WireFault::Reset => {
            let body = bytes_of(answer);
            wire.write(&status_and_headers(answer, Framing::Length(body.len() as u64)), arrival)
                .await?;
            wire.write(half(&body), arrival).await?;
            arrival.release();
            wire.reset();
            return Ok(None);
        }
        WireFault::Hang => After::Over,
        WireFault::Garbage => {
            wire.write(b"\x00\x01\x02 this is no HTTP \xff\xfe\r\n\r\nat all\r\n", arrival).await?;
            After::Over
        }
        WireFault::Proper => proper(&mut wire, answer, is_head, None, arrival).await?,
        WireFault::SlowHeaders(step) => {
            proper(&mut wire, answer, is_head, Some(step), arrival).await?
        }
        WireFault::SlowBody(step) => {
            let body = bytes_of(answer);
            wire.write(&status_and_headers(answer, Framing::Length(body.len() as u64)), arrival)
                .await?;
            slowly(&mut wire, &body, step, arrival).await?;
            After::Open
        }
        WireFault::Truncated => {
            let body = bytes_of(answer);
            wire.write(&status_and_headers(answer, Framing::Length(body.len() as u64)), arrival)
                .await?;
            wire.write(half(&body), arrival).await?;
            After::Over
        }
        WireFault::WrongLength => {
            let body = bytes_of(answer);
            wire.write(
                &status_and_headers(answer, Framing::Length(half(&body).len() as u64)),
                arrival,
            )
            .await?;
            arrival.release();
            wire.write(&body, arrival).await?;
            After::Over
        }
        WireFault::CutAt(length) => {
            let body = bytes_of(answer);
            wire.write(&status_and_headers(answer, Framing::Close), arrival).await?;
            wire.write(body.get(..length).unwrap_or(&body), arrival).await?;
            After::Over
        }
        WireFault::CutChunked => {
            let body = bytes_of(answer);
            wire.write(&status_and_headers(answer, Framing::Chunked), arrival).await?;
            wire.write(format!("{:x}\r\n", body.len()).as_bytes(), arrival).await?;
            wire.write(&body, arrival).await?;
            wire.write(b"\r\n", arrival).await?;
            After::Over
        }
    };
    if answer.wire_fault != WireFault::Hang {
        arrival.release();
    }
    if after == After::Open && answer.keep_alive && !answer.silent_close {
        return Ok(Some(wire));
    }
    if answer.wire_fault == WireFault::Hang {
        wire.until_disconnected().await?;
    } else {
        wire.finish().await?;
    }
    Ok(None)
}

async fn proper(
    wire: &mut Wire,
    answer: &Answer,
    is_head: bool,
    slow: Option<Duration>,
    arrival: &mut Arrival,
) -> io::Result<After> {
    let length = match &answer.body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::Filler(size) => *size,
    };
    let bodiless = matches!(answer.status, 204 | 304);
    let head = status_and_headers(
        answer,
        if bodiless { Framing::Bodiless } else { Framing::Length(length) },
    );
    let ends_here = is_head || length == 0 || bodiless;
    if ends_here && slow.is_none() {
        arrival.release();
    }
    match slow {
        Some(step) => slowly(wire, &head, step, arrival).await?,
        None => wire.write(&head, arrival).await?,
    }
    if ends_here {
        return Ok(After::Open);
    }
    match &answer.body {
        Body::Bytes(bytes) => {
            arrival.release();
            wire.write(bytes, arrival).await?;
        }
        Body::Filler(size) => filler(wire, *size, arrival).await?,
    }
    Ok(After::Open)
}

/// Sends an unterminated JSON string in pieces.
async fn filler(wire: &mut Wire, size: u64, arrival: &mut Arrival) -> io::Result<()> {
    const START: &[u8] = b"{\"page\":\"";
    let piece = vec![b'x'; 64 * 1024];
    let start = START.get(..size.min(START.len() as u64) as usize).unwrap_or(START);
    wire.write(start, arrival).await?;
    let mut rest = size - start.len() as u64;
    while rest > 0 {
        let step = rest.min(piece.len() as u64);
        wire.write(piece.get(..step as usize).unwrap_or(&piece), arrival).await?;
        rest -= step;
    }
    Ok(())
}

async fn slowly(
    wire: &mut Wire,
    bytes: &[u8],
    step: Duration,
    arrival: &mut Arrival,
) -> io::Result<()> {
    for byte in bytes {
        wire.write(&[*byte], arrival).await?;
        wire.pause(step).await?;
    }
    Ok(())
}

/// How the end of the body is signaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    /// By the end of the connection.
    Close,
    /// The status implies that there is none.
    Bodiless,
}

fn status_and_headers(answer: &Answer, framing: Framing) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)).into_bytes();
    for (name, value) in &answer.headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    match framing {
        Framing::Length(length) => {
            out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::Close | Framing::Bodiless => {}
    }
    if !answer.keep_alive || framing == Framing::Close {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn bytes_of(answer: &Answer) -> Bytes {
    match &answer.body {
        Body::Bytes(bytes) => bytes.clone(),
        Body::Filler(_) => Bytes::new(),
    }
}

fn half(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len() / 2).unwrap_or(bytes)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
