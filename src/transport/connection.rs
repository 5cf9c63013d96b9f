//! A connection to a mail server or broker: lines, exact numbers of bytes, and TLS.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::fetch::Client;

/// A stream of bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection. Errors are reasons for people, without addresses.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// Whether it is protected by TLS.
    pub(super) is_secure: bool,
    /// Our address in it, as RFC 5321, section 4.1.3, writes it: `[192.0.2.1]`.
    pub(super) literal: String,
}

impl Connection {
    /// Connects, without TLS.
    pub(super) async fn open(client: &Client, host: &str, port: u16) -> Result<Self, String> {
        let stream = client.connect(host, port).await.map_err(|failure| failure.message)?;
        let literal = match stream.local_addr().map(|address| address.ip()) {
            Ok(std::net::IpAddr::V4(ip)) => format!("[{ip}]"),
            Ok(std::net::IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
            Err(_) => "[127.0.0.1]".to_owned(),
        };
        // The messages are small, and each is waited for.
        stream.set_nodelay(true).ok();
        Ok(Self { stream: Box::new(stream), buffer: Vec::new(), is_secure: false, literal })
    }

    /// Establishes TLS. Unread bytes that the server sent before it are dropped: an attacker
    /// may have put it there.
    pub(super) async fn secure(self, client: &Client, host: &str) -> Result<Self, String> {
        let stream = client.secure(self.stream, host).await.map_err(|failure| failure.message)?;
        Ok(Self { stream: Box::new(stream), buffer: Vec::new(), is_secure: true, ..self })
    }

    /// Writes all bytes.
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), String> {
        let lost = |error: std::io::Error| format!("the connection was lost: {}", error.kind());
        self.stream.write_all(bytes.as_ref()).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    /// Reads a line of at most `most` bytes and returns it without its end.
    pub(super) async fn line(&mut self, most: usize) -> Result<String, String> {
        let mut searched = 0;
        loop {
            let new = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', new) {
                let line: Vec<u8> = self.buffer.drain(..=searched + at).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            searched = self.buffer.len();
            if searched > most {
                return Err(format!("the server sent a line of more than {most} bytes"));
            }
            self.fill().await?;
        }
    }

    /// Reads exactly so many bytes.
    pub(super) async fn bytes(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() < count {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Reads one byte.
    pub(super) async fn byte(&mut self) -> Result<u8, String> {
        Ok(self.bytes(1).await?.first().copied().unwrap_or_default())
    }

    /// Reads what has arrived, at most 4 KiB.
    async fn fill(&mut self) -> Result<(), String> {
        let mut piece = [0; 4 << 10];
        match self.stream.read(&mut piece).await {
            Ok(0) => Err("the server closed the connection".to_owned()),
            Ok(length) => {
                self.buffer.extend_from_slice(piece.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) => Err(format!("the connection was lost: {}", error.kind())),
        }
    }
}
