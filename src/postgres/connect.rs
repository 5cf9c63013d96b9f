//! Opens connections.

use std::time::Duration;

use tokio_postgres::{Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::Error;
use super::url::{DatabaseUrl, Tls};
use crate::fetch::tls::{Trust, client_config};

/// Maximum time of connecting, whatever the number of servers that are tried.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long sent data may stay unacknowledged before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(6);

/// The oldest supported version of PostgreSQL.
const OLDEST: u32 = 15;

/// Connects to the first of the servers that can write, within 5 s. `role` says what for, in the
/// server's list of connections. The connection is driven by a task of the current runtime, and
/// ends with the client.
///
/// # Errors
///
/// Returns an error if no server can be reached, none of them can write, or they do not let us in.
pub async fn connect(url: &DatabaseUrl, role: &str) -> Result<Client, Error> {
    let mut config = (*url.config).clone();
    let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1).max(1);
    config.connect_timeout(TIMEOUT / hosts);
    config.tcp_user_timeout(UNACKNOWLEDGED);
    config.keepalives_idle(Duration::from_secs(15));
    config.keepalives_interval(Duration::from_secs(5));
    if config.get_application_name().is_none() {
        config.application_name(format!("statuswatch {role}"));
    }
    let connecting = async {
        match &url.tls {
            Tls::Disable => start(config.connect(NoTls).await?),
            tls => start(config.connect(secure(tls, &config)?).await?),
        }
    };
    tokio::time::timeout(TIMEOUT, connecting)
        .await
        .unwrap_or_else(|_| Err(Error::away(format!("no connection within {TIMEOUT:?}"))))
}

/// Checks the version and drives the connection.
fn start<S, T>((client, connection): (Client, Connection<S, T>)) -> Result<Client, Error>
where
    Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let version = connection.parameter("server_version").unwrap_or_default();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    if digits.parse::<u32>().is_ok_and(|major| major < OLDEST) {
        return Err(Error::Old { found: crate::text::one_line(version, 40) });
    }
    tokio::spawn(async {
        if let Err(error) = connection.await {
            // Whoever uses the client gets an error, too, and reports it.
            tracing::debug!(error = %Error::from(error), "the connection to the database ended");
        }
    });
    Ok(client)
}

/// Returns what establishes TLS.
fn secure(tls: &Tls, config: &Config) -> Result<MakeRustlsConnect, Error> {
    let refused = |reason: String| Error::Refused { reason };
    let made = match tls {
        Tls::VerifyFull(Some(path)) => {
            // Read anew for each connection: it may have been renewed.
            let pem = std::fs::read(path)
                .map_err(|error| refused(format!("cannot read sslrootcert: {error}")))?;
            client_config(Trust::Pem(&pem))
        }
        Tls::VerifyFull(None) => client_config(Trust::System),
        Tls::Require | Tls::Disable => client_config(Trust::Anybody),
    };
    debug_assert!(config.get_ssl_mode() == tokio_postgres::config::SslMode::Require);
    made.map(MakeRustlsConnect::new).map_err(|error| refused(error.to_string()))
}
