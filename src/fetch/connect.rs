//! Connections that do not speak HTTP, to servers that the user wrote down: mail and brokers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::of_stream;
use super::{Client, Failure, FailureKind};

/// How long one address of a name may take while another one is left to be tried.
const PER_ADDRESS: Duration = Duration::from_secs(3);

impl Client {
    /// Connects to a server; the address may be private. The caller limits the time.
    ///
    /// # Errors
    ///
    /// Returns an error if the name does not resolve or nothing answers at any of its addresses.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Failure> {
        let addresses: Arc<[IpAddr]> = match host.parse::<IpAddr>() {
            Ok(ip) => Arc::new([ip]),
            Err(_) => self.inner.names.addresses(host).await.map_err(|error| of_stream(&error))?,
        };
        let mut failure = Failure::new(FailureKind::Dns, format!("the name {host} has no address"));
        let mut left = addresses.len();
        for ip in addresses.iter() {
            left -= 1;
            let connecting = TcpStream::connect(SocketAddr::new(*ip, port));
            let connected = if left == 0 {
                connecting.await
            } else {
                timeout(PER_ADDRESS, connecting)
                    .await
                    .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
            };
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    failure = of_stream(&error);
                    failure.message = format!("cannot connect: {}", failure.message);
                }
            }
        }
        self.inner.names.forget(host);
        Err(failure)
    }

    /// Establishes TLS with the server `host`, whose certificate must be for that name.
    ///
    /// # Errors
    ///
    /// Returns an error if the certificate or the handshake fails.
    pub async fn secure<S>(&self, stream: S, host: &str) -> Result<TlsStream<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Failure::new(FailureKind::Tls, format!("{host} is not a name for TLS")))?;
        TlsConnector::from(self.inner.tls())
            .connect(name, stream)
            .await
            .map_err(|error| of_stream(&error))
    }
}
